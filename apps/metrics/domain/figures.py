"""Finding one figure in a report by its path, and the places where two documents differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isclose
from typing import Any, Final, NamedTuple

ENDS: Final = ("value", "low", "high")
EXACT: Final = 1e-12


class Figure(NamedTuple):
    """One figure of a report: its ``value`` and the cases ``n`` it rests on, None where it has none;
    ``why``: the reason of a missing value."""

    value: float | None
    n: int | None
    why: str | None = None


def figure_at(document: Mapping[str, Any], path: str) -> Figure:
    """The figure that a path leads to.

    Definition: the path's names, joined by dots, lead from the document {kind: report} downwards; a
    name may itself hold dots, and the longest that fits is taken. At an estimate its value is meant,
    unless the path goes on to value, low or high. ``n`` is the estimate's, else that of the nearest
    object around it that states one. Money, which is text, becomes a number.
    Parameters: ``document``; ``path`` such as "accuracy.combined.value" or "drift.psi_max".
    Returns: Figure; its value is None where the figure is null, and then why.
    Errors: KeyError for a path that leads nowhere or to something that is no figure, naming what is
    there instead.
    """
    found, around = _follow(document, path)
    if isinstance(found, Mapping) and "value" in found:
        around, found = found, found["value"]
    if isinstance(found, bool):
        return Figure(float(found), _number(around.get("n")))
    n = _number(around.get("n"))
    if found is None:
        return Figure(None, n, around.get("why", "the figure is not known"))
    if isinstance(found, str):
        try:
            return Figure(float(found), n, None)
        except ValueError:
            raise KeyError(f"{path}: {found[:40]!r} is no figure") from None
    if not isinstance(found, int | float):
        raise KeyError(f"{path} is no figure, but holds {_names(found)}")
    return Figure(float(found), n)


def _follow(document: Mapping[str, Any], path: str) -> tuple[Any, Mapping[str, Any]]:
    """What stands at the end, and the nearest object on the way that states an ``n``."""
    found: Any = document
    around: Mapping[str, Any] = {}
    rest = path
    while rest:
        name = _longest(found, rest)
        if name is None:
            raise KeyError(f"{path}: {rest!r} is not there; {_names(found)}")
        around = found if "n" in found or name in ENDS else around
        found, rest = found[name], rest[len(name) + 1 :]
    return found, around


def _longest(found: Any, rest: str) -> str | None:
    if not isinstance(found, Mapping):
        return None
    fitting = [name for name in found if rest == name or rest.startswith(f"{name}.")]
    return max(fitting, key=len, default=None)


def _names(found: Any) -> str:
    if isinstance(found, Mapping):
        return "allowed: " + ", ".join(sorted(map(str, found))[:40])
    return f"a {type(found).__name__} ends the path"


def _number(n: Any) -> int | None:
    return n if isinstance(n, int) and not isinstance(n, bool) else None


def differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Where two documents differ.

    Definition: JSON values are compared place by place, numbers up to a relative 1e-12 (an absolute
    one around 0), since sums taken in another order may differ in the last bits.
    Parameters: ``one``, ``other``. Returns: the paths that differ, in order; none for equal ones.
    """
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for name in sorted({*one, *other}):
            yield from differences(one.get(name), other.get(name), f"{path}.{name}".lstrip("."))
    elif _is_list(one) and _is_list(other) and len(one) == len(other):
        for i, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from differences(left, right, f"{path}[{i}]")
    elif isinstance(one, float) or isinstance(other, float):
        if not _close(one, other):
            yield path
    elif one != other:
        yield path


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _close(one: Any, other: Any) -> bool:
    numbers = all(isinstance(x, int | float) and not isinstance(x, bool) for x in (one, other))
    return numbers and isclose(one, other, rel_tol=EXACT, abs_tol=EXACT)
