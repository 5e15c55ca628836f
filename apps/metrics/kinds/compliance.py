"""Compliance from cells: what was handled as its policy demanded, and each exception."""

from __future__ import annotations

from typing import Any, Final

from apps.metrics.domain.compliance import Breach, compliance_report
from apps.metrics.domain.tables import labels as texts_of
from apps.metrics.kinds.operations import count_of
from apps.metrics.kinds.reading import Cells, Facts

FAMILIES: Final = ("breaches", "flow")
NOT_LOOKED_AT: Final = {
    "untraceable": "routing each decision again is the replay's: GET /api/v1/decisions/ID/replay/"
}


def report(cells: Cells, facts: Facts) -> dict[str, Any]:
    """The share of decisions handled as their policy demanded, each exception, and the trail.

    Definition: ``domain.compliance.compliance_report``. The trail is as it stood when the report
    was made, whatever its window: the last verification, and what waits to be sealed.
    Parameters: ``cells`` with FAMILIES; ``facts``: trail, unsealed ([decision, detail] rows).
    Returns: a JSON object; ``not_looked_at`` names the kinds that no report looks for, and where to.
    """
    table = cells.table("breaches")
    columns = (texts_of(table, name) for name in ("kind", "decision", "detail"))
    breaches = [
        Breach(kind or "", decision or "", detail or "")
        for kind, decision, detail in zip(*columns, strict=True)
    ]
    breaches += [Breach("unsealed", decision, detail) for decision, detail in facts["unsealed"]]
    decisions = count_of(cells.table("flow", "counts"), "lane").n
    found = compliance_report(decisions, breaches)
    return found | {"trail": dict(facts["trail"]), "not_looked_at": dict(NOT_LOOKED_AT)}
