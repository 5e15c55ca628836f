"""What a dashboard is of: use case, model version, period and group, all kept in the address."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode

from django.db.models import Value
from django.db.models.functions import Concat
from django.utils import timezone

from apps.accounts.callers import Caller
from apps.common.errors import BadInput, FieldError, NotFound
from apps.common.saving import refuse_unstorable
from apps.metrics.domain.packing import unpack
from apps.metrics.first_reading import Window
from apps.metrics.models import DayCells
from apps.registry.models import ModelVersion, UseCase

ACTION = "report.view"
GROUP = "group:"
MOMENT = "%Y-%m-%dT%H:%M"  # as the forms of pages read one
DAYS = 90
LOOKED_AT = 14  # days with decisions, whose versions and groups are offered
LONGEST = 366 * 30


@dataclass(frozen=True, slots=True)
class Filter:
    """``use_cases``: those to show, none outside the person's scope; ``begin`` and ``end``: days,
    [begin, end); ``version``: "system version" or ""; ``group``: "attribute=value" or ""."""

    caller: Caller
    use_cases: tuple[UseCase, ...]
    begin: date
    end: date
    version: str = ""
    group: str = ""
    chosen: str = ""

    @property
    def window(self) -> Window:
        return Window(_midnight(self.begin), _midnight(self.end))

    @property
    def before(self) -> Window:
        """The window of the same length before this one."""
        span = self.end - self.begin
        return Window(_midnight(self.begin - span), _midnight(self.begin))

    @property
    def period(self) -> str:
        last = self.end - timedelta(days=1)
        return f"{self.begin:%d %b %Y} to {last:%d %b %Y} (UTC)"

    def query(self, **more: str) -> str:
        """The address of the same view, or of another dashboard's of the same decisions."""
        values = {
            "use_case": self.chosen,
            "version": self.version,
            "from": self.begin.isoformat(),
            "to": (self.end - timedelta(days=1)).isoformat(),
            "group": self.group,
            **more,
        }
        return urlencode({name: value for name, value in values.items() if value})

    def listed(self, **more: str) -> str:
        """The query of the list of these decisions, which knows no groups, and whose moments are in
        the reader's zone."""
        begin, end = (
            timezone.localtime(one).strftime(MOMENT)
            for one in (self.window.begin, self.window.end)
            if one is not None
        )
        values = {
            "use_case": self.chosen,
            "model_version": _number_of(self.version) if self.version else "",
            "begin": begin,
            "end": end,
            **more,
        }
        return urlencode({name: value for name, value in values.items() if value})


def _number_of(version: str) -> str:
    """The version's own part of "system version", either of which may hold spaces."""
    known = ModelVersion.objects.annotate(name=Concat("system__name", Value(" "), "version"))
    found = known.filter(name=version).values_list("version", flat=True).first()
    return found or version


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def visible(caller: Caller) -> list[UseCase]:
    """The use cases of which the caller may see figures."""
    caller.require(ACTION)
    allowed = caller.visible(ACTION)
    rows = UseCase.objects.order_by("name")
    return list(rows if allowed is None else rows.filter(slug__in=allowed))


def read_filter(caller: Caller, search: str, *, several: bool) -> Filter:
    """The filter that an address holds.

    Raises:
        NotPermitted: a use case outside the caller's scope. NotFound: no such use case.
        BadInput: a date that is none, a period upside down, or one that is too long.
    """
    asked = {name: values[-1] for name, values in parse_qs(search.lstrip("?")).items()}
    slug = asked.get("use_case", "")
    found = visible(caller)
    if slug:
        refuse_unstorable(use_case=slug)
        if not UseCase.objects.filter(slug=slug).exists():
            raise NotFound(f"there is no use case {slug!r}")
        caller.require(ACTION, slug)
        found = [one for one in found if one.slug == slug]
    elif not several and found:
        found = [busiest(found)]
    begin, end = _period(asked, found)
    chosen = found[0].slug if len(found) == 1 and (slug or not several) else ""
    return Filter(
        caller,
        tuple(found),
        begin,
        end,
        asked.get("version", "") if chosen else "",
        asked.get("group", "") if chosen else "",
        chosen,
    )


def busiest(found: Sequence[UseCase]) -> UseCase:
    """Where there is most to see, if nothing was chosen."""
    rows = DayCells.objects.filter(family="outcome", use_case__in=found).order_by("-day")
    latest = rows.values_list("use_case_id", "rows")[: 7 * len(found)]
    sums: dict[str, int] = {}
    for slug, n in latest:
        sums[slug] = sums.get(slug, 0) + n
    return max(found, key=lambda one: (sums.get(one.slug, 0), one.slug))


def _period(asked: Mapping[str, str], found: Sequence[UseCase]) -> tuple[date, date]:
    """The days asked for, the last one included; else the 90 days up to the last with decisions."""
    faults: list[FieldError] = []
    last, first = (_day(asked, name, faults) for name in ("to", "from"))
    if faults:
        raise BadInput(faults)
    if last is None:
        days = DayCells.objects.filter(family="outcome", use_case__in=found).order_by("-day")
        last = days.values_list("day", flat=True).first() or timezone.now().date()
    if first is None:
        first = last - timedelta(days=DAYS - 1)
    if first > last:
        raise BadInput(
            [FieldError("/to", f"to={last} is before from={first}: the period would hold nothing")]
        )
    if (last - first).days > LONGEST:
        raise BadInput([FieldError("/from", f"from={first}: at most {LONGEST} days are shown")])
    return first, last + timedelta(days=1)


def _day(asked: Mapping[str, str], name: str, faults: list[FieldError]) -> date | None:
    text = asked.get(name, "")
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        faults.append(FieldError(f"/{name}", f"{name}={text!r} is no day; allowed: 2026-11-02"))
        return None


def form_of(caller: Caller, asked: Mapping[str, Any], *, several: bool) -> dict[str, Any]:
    """What the page's filter form offers, and what is chosen."""
    cases = visible(caller)
    slug = str(asked.get("use_case", ""))
    chosen = next((one for one in cases if one.slug == slug), None)
    if chosen is None and cases and not several:
        chosen = busiest(cases)
    versions: list[str] = []
    groups: list[str] = []
    if chosen is not None:
        versions, groups = told_apart(chosen)
    return {
        "cases": cases,
        "several": several,
        "chosen": chosen.slug if chosen else "",
        "versions": versions,
        "version": asked.get("version", ""),
        "groups": groups,
        "group": asked.get("group", ""),
        "from": asked.get("from", ""),
        "to": asked.get("to", ""),
    }


def told_apart(use_case: UseCase) -> tuple[list[str], list[str]]:
    """The model versions and the groups ("attribute=value") of the last days with decisions."""
    rows = DayCells.objects.filter(use_case=use_case, family="outcome").order_by("-day")
    versions: set[str] = set()
    groups: set[str] = set()
    for data in rows.values_list("blob__data", flat=True)[:LOOKED_AT]:
        table = unpack(bytes(data))["outcome"]
        versions |= set(table.texts["version"].names)
        for column, text in table.texts.items():
            if column.startswith(GROUP):
                groups |= {f"{column[len(GROUP) :]}={name}" for name in text.names}
    return sorted(versions), sorted(groups)
