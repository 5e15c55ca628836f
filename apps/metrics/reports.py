"""Reports of a use case: which kinds there are, over which window, as one JSON object each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from apps.accounts.callers import Caller
from apps.common.errors import BadInput, FieldError
from apps.decisions.domain.checks import check_date, check_time
from apps.decisions.domain.faults import RefusedError
from apps.metrics.domain.accuracy import accuracy_report
from apps.metrics.first_reading import Window, labels_of, read_cases
from apps.metrics.selectors import use_cases_to_report
from apps.registry.models import UseCase

DAY = len("2026-11-02")


def accuracy_of(use_case: UseCase, window: Window) -> dict[str, Any]:
    """The accuracy of a use case's decisions in a window."""
    return accuracy_report(read_cases(use_case, window), labels_of(use_case))


KINDS: Mapping[str, Callable[[UseCase, Window], dict[str, Any]]] = {"accuracy": accuracy_of}


def run_reports(
    *,
    caller: Caller,
    use_case: str | None = None,
    kinds: Sequence[str] = tuple(KINDS),
    window: Window | None = None,
) -> list[dict[str, Any]]:
    """A document for each use case: the window, and a report of each kind."""
    window = window or Window()
    faults = [_unknown_kind(kind) for kind in kinds if kind not in KINDS]
    if faults:
        raise BadInput(faults)
    return [
        {
            "use_case": found.slug,
            "from": _written(window.begin),
            "to": _written(window.end),
            **{kind: KINDS[kind](found, window) for kind in dict.fromkeys(kinds)},
        }
        for found in use_cases_to_report(caller, use_case)
    ]


def _unknown_kind(kind: str) -> FieldError:
    return FieldError("/kind", f"{kind!r} is not a kind of report; allowed: {', '.join(KINDS)}")


def _written(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def read_window(begin: str | None, end: str | None) -> Window:
    """A window from two texts, each a day (its beginning, in UTC) or a time with its zone."""
    faults: list[FieldError] = []
    window = Window(_moment("/from", begin, faults), _moment("/to", end, faults))
    if window.begin and window.end and window.begin >= window.end:
        detail = f"{end} is not after from={begin}: the window would hold nothing"
        faults.append(FieldError("/to", detail))
    if faults:
        raise BadInput(faults)
    return window


def _moment(pointer: str, text: str | None, faults: list[FieldError]) -> datetime | None:
    if text is None:
        return None
    try:
        if len(text) <= DAY:
            return datetime.fromisoformat(check_date(text)).replace(tzinfo=UTC)
        return check_time(text)
    except RefusedError as refusal:
        faults.append(FieldError(pointer, f"{pointer[1:]} {refusal}"))
        return None
