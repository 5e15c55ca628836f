"""``audit/checkpoint/``, ``audit/public-key/``, ``audit/proof/``, ``audit/verification/``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from django.http import HttpResponse
from pydantic import Field

from apps.accounts.callers import Caller
from apps.api.bodies import Document, Number, Query, Text
from apps.api.operations import ApiView, operation
from apps.api.permissions import PUBLIC
from apps.api.renderers import TEXT, TextRenderer
from apps.api.v1.lookups import found_or_404
from apps.audit import keys, ledger, verification
from apps.audit.domain.ed25519_keys import public_key_pem
from apps.audit.selectors import last_verification, leaf_index_of, visible_leaves
from apps.common.errors import NotFound


class InclusionQuery(Query):
    record: Annotated[str, Text(60, shortest=1)] = Field(
        description="Leaf index, or `type:id` of the record."
    )


class InclusionDocument(Document):
    leaf_index: int
    tree_size: int
    leaf_hash: str
    proof: list[str] = Field(description="Hashes in hexadecimal, from the leaf upwards (RFC 6962).")
    checkpoint: str = Field(description="Signed note of the tree that the proof leads to.")


class ConsistencyQuery(Query):
    first: Number = Field(description="Tree size of the earlier checkpoint.")
    second: Number = Field(description="Tree size of the later checkpoint.")


class ConsistencyDocument(Document):
    proof: list[str] = Field(description="Hashes in hexadecimal (RFC 6962).")


class FindingDocument(Document):
    table: str
    record: str
    kind: str
    detail: str


class VerificationDocument(Document):
    ok: bool
    full: bool = Field(description="False: a random sample of the records.")
    records: int
    tree_size: int
    root: str
    findings: list[FindingDocument]
    started_at: datetime
    finished_at: datetime


class CheckpointView(ApiView):
    authentication_classes = ()
    renderer_classes = (TextRenderer,)
    actions = {"GET": PUBLIC}

    @operation("Read the newest checkpoint", returns=TEXT, problems={404})
    def get(self, caller: None) -> HttpResponse:
        """The signed tree head, as a C2SP signed note."""
        return HttpResponse(ledger.checked_head().note, content_type=f"{TEXT}; charset=utf-8")


class PublicKeyView(ApiView):
    authentication_classes = ()
    renderer_classes = (TextRenderer,)
    actions = {"GET": PUBLIC}

    @operation("Read the ledger's public keys", returns=TEXT, problems={404})
    def get(self, caller: None) -> HttpResponse:
        """PEM blocks, the key now in force first."""
        blocks = [public_key_pem(key.public_key).decode() for key in reversed(keys.known_keys())]
        if not blocks:
            raise NotFound("nothing has been sealed yet: the ledger has no key")
        return HttpResponse("".join(blocks), content_type=f"{TEXT}; charset=utf-8")


class InclusionProofView(ApiView):
    actions = {"GET": "audit.view"}

    @operation(
        "Prove that a record is in the ledger",
        returns=InclusionDocument,
        query=InclusionQuery,
        problems={404},
    )
    def get(self, caller: Caller, query: InclusionQuery) -> InclusionDocument:
        index = leaf_index_of(query.record)
        leaves = visible_leaves(caller.visible("audit.view"))
        found_or_404(leaves.only("index"), f"record {query.record!r} in the ledger", index=index)
        leaf_hash, proof, head = ledger.prove_inclusion(index)
        return InclusionDocument(
            leaf_index=index,
            tree_size=head.tree_size,
            leaf_hash=leaf_hash.hex(),
            proof=[node.hex() for node in proof],
            checkpoint=head.note,
        )


class ConsistencyProofView(ApiView):
    actions = {"GET": "audit.view"}

    @operation(
        "Prove that a checkpoint extends an earlier one",
        returns=ConsistencyDocument,
        query=ConsistencyQuery,
        problems={404},
    )
    def get(self, caller: Caller, query: ConsistencyQuery) -> ConsistencyDocument:
        proof = ledger.prove_consistency(query.first, query.second)
        return ConsistencyDocument(proof=[node.hex() for node in proof])


class VerificationView(ApiView):
    actions = {"GET": "audit.verify", "POST": "audit.verify"}

    @operation("Read the last verification", returns=VerificationDocument, problems={404})
    def get(self, caller: Caller) -> VerificationDocument:
        run = last_verification()
        if run is None:
            raise NotFound("the trail has not been verified yet")
        return VerificationDocument.model_validate(run)

    @operation("Verify a random sample now", returns=VerificationDocument, problems={503})
    def post(self, caller: Caller) -> VerificationDocument:
        """Checks keys, schemas, triggers, every checkpoint, live rows and witnesses, and a sample
        of the records; the scheduled verification reads them all."""
        return VerificationDocument.model_validate(verification.verify(full=False))
