"""True outcomes from a file: each line a new row, unless the newest one says the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.utils import timezone

from apps.common.actor import Actor
from apps.common.errors import FieldError
from apps.common.ids import uuid7_texts
from apps.decisions.bulk import insert_tracked
from apps.decisions.bulk.keys import among_uuids
from apps.decisions.domain.review_line import ValidOutcome, validate_outcome
from apps.outcomes.models import Outcome
from apps.outcomes.services import STATED_BY, label_correct
from apps.registry.models import UseCase
from apps.workflow.known import KnownCase, id_text, known_cases
from apps.workflow.lines import Packing
from apps.workflow.taken import Taken

SAID = ("label", "source", "observed_at", "satisfaction")
Records = Sequence[tuple[int, ValidOutcome]]
Said = tuple[Any, ...]


class OutcomeIntake:
    """Lines are taken in the order of the file: a later one supersedes the one before."""

    variant = ""
    reads_all = False
    packing: Packing | None = None

    def __init__(self, use_case: UseCase) -> None:
        self._slug, self._labels = use_case.slug, tuple(use_case.labels)
        self._now = timezone.now()
        self._previewed: dict[str, Said] = {}

    def check(self, line: int, body: dict[str, Any]) -> ValidOutcome:
        if body.get("use_case") == self._slug:
            del body["use_case"]
        return validate_outcome(body, self._labels, self._now)

    def make_ready(self) -> None:
        """Nothing: what was true or said holds no lock of a use case."""

    def take(self, actor: Actor, records: Records) -> list[Taken]:
        cases = self._cases(records)
        newest = _newest([case.id for case in cases.values()])
        taken, new = self._sorted(records, cases, newest)
        rows = [
            (key, case.id, label_correct(case.label, outcome.label), *_said(outcome))
            for key, outcome in zip(uuid7_texts(len(new)), new, strict=True)
            if (case := cases[outcome.external_id])
        ]
        constants = {"use_case_id": self._slug, "created_at": timezone.now()}
        varying = ["id", "decision_id", "correct", *SAID]
        insert_tracked(Outcome, constants, varying, rows, actor=actor)
        return taken

    def preview(self, records: Records) -> list[Taken]:
        cases = self._cases(records)
        self._previewed = _newest([case.id for case in cases.values()]) | self._previewed
        return self._sorted(records, cases, self._previewed)[0]

    def _cases(self, records: Records) -> dict[str, KnownCase]:
        return known_cases(self._slug, list({outcome.external_id for _line, outcome in records}))

    def _sorted(
        self, records: Records, cases: dict[str, KnownCase], newest: dict[str, Said]
    ) -> tuple[list[Taken], list[ValidOutcome]]:
        """What becomes of each line, and the outcomes that are new; ``newest`` moves with them."""
        taken, new = [], []
        for line, outcome in records:
            case = cases.get(outcome.external_id)
            errors = self._faults(outcome, case)
            if errors or case is None:
                taken.append(Taken(line, "rejected", outcome.external_id, errors=errors))
            elif newest.get(case.id) == _said(outcome):
                taken.append(Taken(line, "duplicate", outcome.external_id))
            else:
                newest[case.id] = _said(outcome)
                taken.append(Taken(line, "accepted", outcome.external_id))
                new.append(outcome)
        return taken, new

    def _faults(self, outcome: ValidOutcome, case: KnownCase | None) -> tuple[FieldError, ...]:
        if case is None:
            detail = f"there is no decision {outcome.external_id!r} in {self._slug}"
            return (FieldError("/external_id", detail),)
        if STATED_BY[case.kind] != "label":
            detail = f"{outcome.external_id!r} is of kind {case.kind}, whose truth is not a label"
            return (FieldError("/label", detail),)
        return ()


def _said(outcome: ValidOutcome) -> Said:
    return outcome.label, outcome.source, outcome.observed_at, outcome.satisfaction


def _newest(decision_ids: list[str]) -> dict[str, Said]:
    """What the newest outcome of each decision says. Ids rise with time: the last one stands."""
    condition, keys = among_uuids("decision_id", decision_ids)
    rows = Outcome.objects.extra(where=[condition], params=keys)  # noqa: S610
    said = rows.order_by("id").values_list("decision_id", *SAID)
    return {id_text(row[0]): row[1:] for row in said}
