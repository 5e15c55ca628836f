"""What people above the AI say about one decision: kept as content, bound by a commitment.

The words may name the person whom the decision is about, so they can be erased like the rest of
the content; the record keeps who, what and when.
"""

from __future__ import annotations

from uuid import UUID

from apps.decisions.services import content_add

REASON = "reason"


def reason_add(decision: UUID, by: UUID, reason: str) -> str:
    """Keep the reason of an intervention or ruling; returns the commitment for its row."""
    return content_add(decision, REASON, {"of": str(by), "text": reason})
