"""A case as it is shown: its hash, what changed since, and its blind form."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, Final

from apps.audit.domain.canonical import canonical_json

MAX_DIFFERENCES: Final = 50
MAX_SHOWN: Final = 200
ABSENT: Final = "(not there)"
SELECTED: Final = {"code": "selected", "text": "This case was selected for review."}


def shown_hash(case: Mapping[str, object]) -> str:
    """What binds a verdict to what its reviewer saw.

    Definition: SHA-256 over the canonical JSON of the case as displayed.
    Parameters: ``case``, a JSON object. Returns: 64 lower-case hexadecimal digits.
    Errors: ValueError naming what JSON cannot hold. Source: RFC 8785.
    """
    return sha256(canonical_json(case)).hexdigest()


def difference(
    old: Mapping[str, object], new: Mapping[str, object], *, most: int = MAX_DIFFERENCES
) -> list[dict[str, Any]]:
    """What changed between two displays of a case, for the person whose verdict is stale.

    Definition: one entry for each place at which the two differ, the deepest that names it,
    members by name and items by place. Long texts and structures are cut to MAX_SHOWN characters
    of their JSON; what is missing on one side reads ABSENT.
    Parameters: ``old``, ``new``: JSON objects, both as this reviewer may see them; ``most`` >= 1
    entries.
    Returns: [{"pointer", "was", "is"}], empty exactly when ``shown_hash`` is the same for both.
    Where there are more than ``most``, the last entry has the pointer "" and counts the rest.
    Source: RFC 6901 for the pointers.
    """
    found: list[dict[str, Any]] = []
    more = 0
    for pointer, was, now in _changes("", old, new):
        if len(found) < most:
            found.append({"pointer": pointer, "was": _cut(was), "is": _cut(now)})
        else:
            more += 1
    return [*found, {"pointer": "", "was": None, "is": f"{more} more differ"}] if more else found


class _Absent:
    pass


_ABSENT = _Absent()


def _changes(pointer: str, old: object, new: object) -> Iterator[tuple[str, object, object]]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in sorted({*old, *new}):
            at = f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"
            yield from _changes(at, old.get(name, _ABSENT), new.get(name, _ABSENT))
    elif isinstance(old, list | tuple) and isinstance(new, list | tuple):
        for place in range(max(len(old), len(new))):
            yield from _changes(f"{pointer}/{place}", _item(old, place), _item(new, place))
    elif not _same(old, new):
        yield pointer, old, new


def _item(items: Sequence[object], place: int) -> object:
    return items[place] if place < len(items) else _ABSENT


def _same(old: object, new: object) -> bool:
    """Equal as JSON: 1 and 1.0 are one number, 1 and true are not."""
    if old is _ABSENT or new is _ABSENT:
        return old is new
    return canonical_json(old) == canonical_json(new)


def _cut(value: object) -> object:
    if value is _ABSENT:
        return ABSENT
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else canonical_json(value).decode()
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 1]}…"


def blind_case(case: Mapping[str, object]) -> dict[str, object]:
    """What a reviewer may see before the first answer is committed.

    Definition: the members named in BLIND and nothing else, at each depth that BLIND reaches, so
    that a member added to cases later stays hidden until somebody lists it. The reasons, which
    name the output, become SELECTED. Regions of evidence stay hidden: they may be the AI's marks.
    Parameters: ``case``, the display of the open stage, a JSON object.
    Returns: a new object; the case is left as it is, and parts may be shared with it.
    """
    return {name: show(case[name]) for name, show in BLIND.items() if name in case}


def _as_is(value: object) -> object:
    return value


def _only(*names: str) -> Callable[[object], object]:
    """The named members of an object, or of each object of a list; anything else is dropped."""

    def show(value: object) -> object:
        if isinstance(value, Mapping):
            return {name: value[name] for name in names if name in value}
        if isinstance(value, list | tuple):
            return [show(item) for item in value if isinstance(item, Mapping)]
        return None

    return show


def _selected(_reasons: object) -> object:
    return [dict(SELECTED)]


BLIND: Final[dict[str, Callable[[object], object]]] = {
    "use_case": _as_is,
    "external_id": _as_is,
    "kind": _as_is,
    "question": _as_is,
    "instructions": _as_is,
    "asked": _as_is,
    "labels": _as_is,
    "favourable_label": _as_is,
    "output_fields": _as_is,
    "reason_codes": _as_is,
    "verdicts_allowed": _as_is,
    "amount": _as_is,
    "currency": _as_is,
    "features": _as_is,
    "subject": _only("ref", "attributes"),
    "evidence": _only("kind", "title", "content"),
    "decided_at": _as_is,
    "created_at": _as_is,
    "due_at": _as_is,
    "information": _only("kind", "text"),
    "reasons": _selected,
}
