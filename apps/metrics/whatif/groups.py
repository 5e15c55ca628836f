"""The protected groups of stored decisions, read from what was sent, named as in the cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from apps.metrics.cells.attributes import group_of
from apps.metrics.whatif.reading import Stored


def groups_of_rows(
    stored: Sequence[Stored], parts: Mapping[str, str]
) -> dict[str, list[str | None]]:
    """Attribute -> the group of each decision; None where it has none.

    ``parts``: attribute -> the part of the content that holds it.
    """
    return {
        attribute: [group_of(_held(one.sent or {}, part).get(attribute)) for one in stored]
        for attribute, part in parts.items()
    }


def _held(sent: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = sent["features"]
    return found if part == "features" else sent["subject"].get("attributes") or {}
