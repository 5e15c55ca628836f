"""Checkpoints on their way to the witnesses: each once, in order, later if need be."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from django.conf import settings
from django.db import transaction
from django.db.models import Max
from django.utils.module_loading import import_string

from apps.audit.domain.merkle import consistency_proof
from apps.audit.ledger import read_nodes
from apps.audit.models import Checkpoint, WitnessReceipt
from apps.audit.witnesses import Witness, WitnessDown, Witnessed, WitnessRefused

log = logging.getLogger(__name__)
ROUND = 1000


def witnesses() -> list[Witness]:
    """The witnesses that the settings name."""
    return [import_string(path)() for path in settings.WITNESSES]


def deliver_all() -> dict[str, int]:
    """Deliver to each witness what it has not received; a witness that is down costs nothing."""
    delivered = {}
    for witness in witnesses():
        try:
            delivered[witness.name] = sum(1 for _ in _deliver(witness))
        except WitnessDown as error:
            delivered[witness.name] = 0
            log.warning("witness %s is down, its checkpoints wait: %s", witness.name, error)
        except WitnessRefused as error:
            delivered[witness.name] = 0
            log.error("witness %s refuses: %s", witness.name, error)
    return delivered


def undelivered(witness_name: str) -> int:
    return len(_waiting(witness_name))


def delivered_to(witness_name: str) -> int:
    """The size of the last checkpoint that the witness acknowledged."""
    received = WitnessReceipt.objects.filter(witness=witness_name).aggregate(m=Max("tree_size"))[
        "m"
    ]
    return int(received or 0)


def _waiting(witness_name: str) -> list[Witnessed]:
    rows = Checkpoint.objects.filter(tree_size__gt=delivered_to(witness_name))
    rows = rows.order_by("tree_size")[:ROUND]
    return [Witnessed(row.tree_size, bytes(row.root_hash), row.note) for row in rows]


def _deliver(witness: Witness) -> Iterator[int]:
    last = witness.latest()
    for checkpoint in _waiting(witness.name):
        proof: list[bytes] = []
        if last is not None:
            if last.tree_size > checkpoint.tree_size:
                raise WitnessRefused(
                    f"it holds checkpoint {last.tree_size}, ahead of {checkpoint.tree_size} here"
                )
            proof = consistency_proof(last.tree_size, checkpoint.tree_size, read_nodes)
        witness.accept(checkpoint, proof)
        with transaction.atomic():
            WitnessReceipt(witness=witness.name, tree_size=checkpoint.tree_size).save()
        last = checkpoint
        yield checkpoint.tree_size
