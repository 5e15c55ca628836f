"""``audit/records/``: the sealed records, exactly as they were hashed."""

from __future__ import annotations

import json
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from apps.accounts.callers import Caller
from apps.api.bodies import Document, ListQuery, Moment, Slug, Text
from apps.api.operations import ApiView, operation
from apps.api.v1.lookups import found_or_404, use_case_for
from apps.audit.models import Leaf
from apps.audit.selectors import RecordFilter, ledger_records, visible_leaves


class RecordDocument(Document):
    leaf_index: int
    record: dict[str, Any] = Field(
        description="Its canonical JSON (RFC 8785) is the data of the leaf."
    )
    leaf_hash: str = Field(description="SHA-256 of 0x00 and that data, in hexadecimal.")

    @classmethod
    def of(cls, leaf: Leaf) -> RecordDocument:
        return cls(
            leaf_index=leaf.index,
            record=json.loads(leaf.data),
            leaf_hash=bytes(leaf.leaf_hash).hex(),
        )


class RecordQuery(ListQuery):
    use_case: Slug | None = None
    type: Annotated[str, Text(40)] | None = Field(None, description="Record type.")
    actor: Annotated[str, Text(150)] | None = Field(
        None, description="Id as records carry it, or login."
    )
    subject: Annotated[str, Text(200)] | None = Field(None, description="Pseudonym of the subject.")
    decision: UUID | None = None
    begin: Moment | None = Field(None, alias="from", description="At this time or later.")
    end: Moment | None = Field(None, alias="to", description="Before this time.")


class RecordsView(ApiView):
    actions = {"GET": "audit.view"}
    ordering = "-index"

    @operation(
        "List audit records", returns=RecordDocument, listed=True, query=RecordQuery, problems={404}
    )
    def get(self, caller: Caller, query: RecordQuery) -> Any:
        """Newest first. A caller limited to use cases sees the records of these alone."""
        if query.use_case is not None:
            use_case_for(caller, query.use_case, "audit.view")
        asked = query.model_dump(exclude={"cursor", "page_size"})
        wanted = RecordFilter(visible=caller.visible("audit.view"), **asked)
        return self.page(ledger_records(wanted), RecordDocument.of)


class RecordView(ApiView):
    actions = {"GET": "audit.view"}

    @operation("Read an audit record", returns=RecordDocument)
    def get(self, caller: Caller, leaf_index: int) -> RecordDocument:
        leaves = visible_leaves(caller.visible("audit.view"))
        return RecordDocument.of(found_or_404(leaves, f"leaf {leaf_index}", index=leaf_index))
