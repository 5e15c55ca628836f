"""What a browser needs to check a record by itself: the bytes, the proof, the signed checkpoint."""

from __future__ import annotations

from typing import Any

from apps.audit import ledger
from apps.audit.domain.checkpoint import verifier_key
from apps.audit.keys import known_keys
from apps.audit.models import Leaf
from apps.common.errors import NotFound


def proof_document(leaf_index: int) -> dict[str, Any]:
    """``record``: the very text that was hashed (canonical JSON, UTF-8); hashes in hexadecimal.

    The root is not told apart: it stands in the checkpoint, which is what the key signed.
    ``keys``: every key that the ledger has used, as verifier keys (name+id+key).
    """
    leaf = Leaf.objects.filter(index=leaf_index).first()
    if leaf is None:
        raise NotFound(f"There is no record {leaf_index}.")
    stored, proof, head = ledger.prove_inclusion(leaf_index)
    return {
        "leaf_index": leaf_index,
        "tree_size": head.tree_size,
        "leaf_hash": stored.hex(),
        "proof": [node.hex() for node in proof],
        "checkpoint": head.note,
        "keys": [verifier_key(key.name, key.public_key) for key in known_keys()],
        "record": leaf.data,
    }
