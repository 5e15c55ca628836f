"""Writing routed decisions: rows, content, tasks, mandate uses and events, in bulk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from apps.common.actor import Actor
from apps.common.columns import Reading
from apps.common.fields import ExactDecimalField, stored_json
from apps.common.ids import uuid7_texts
from apps.decisions.bulk import (
    MadeRows,
    Prepared,
    insert_prepared,
    insert_tracked,
    inserted_together,
    prepared_rows,
)
from apps.decisions.domain.content import commitment, encode_checked
from apps.decisions.domain.final_outputs import final_output
from apps.decisions.domain.lifecycle import TRANSITIONS, Lane, creation_event
from apps.decisions.models import PARTS, Decision, Payload
from apps.decisions.services import EVENT_TYPES
from apps.notifications.models import OutboxEvent
from apps.policies.domain.lanes import Lane as RoutedLane
from apps.policies.domain.mandates import Mandate, MandateUse, after_use
from apps.policies.domain.reasons import encoded_reasons
from apps.reviews.domain.priority import rank, stake_of
from apps.reviews.models import Pool, ReviewTask, Seat
from apps.reviews.pools import pool_for
from apps.reviews.services import due_at, use_case_stakes
from apps.supervision.mandates import mandates_take
from apps.workflow.arrivals import GIVEN, SALT_OF
from apps.workflow.taken import Asked, Taken, Written

if TYPE_CHECKING:
    from apps.workflow.routing import Routed

T = TypeVar("T")
LANES = {lane.value: lane.code for lane in RoutedLane}
VARYING = [
    "id",
    "external_id",
    "model_version_id",
    "kind",
    "label",
    "confidence",
    "margin",
    "label_not_top",
    "amount",
    "decided_at",
    "lane",
    "would_be",
    "reason_codes",
    "sampling_probability",
    "after_review",
    "model_status",
    "mandate",
    "mandates_left",
    "status",
    "settled_at",
    "final_label",
    "subject_pseudonym",
    *(f"{part}_commitment" for part in PARTS),
]


class Recorder:
    """Writes one routed batch; its rows are what ``save`` would write one by one."""

    def __init__(self, actor: Actor, routed: Routed, now: datetime) -> None:
        self.actor, self.routed, self.now = actor, routed, now
        self.ids = uuid7_texts(len(routed.arrivals))
        self.tasks: dict[str, Asked] = {}
        self.taken: list[Taken] = []
        result = routed.result
        self.lanes = [LANES[code] for code in result.lane.tolist()]
        self.would_be = [LANES.get(code) for code in result.would_be.tolist()]
        status_of = {
            lane: TRANSITIONS[creation_event(Lane(lane), past=routed.past)][1].value
            for lane in set(self.lanes)
        }
        self.statuses = [status_of[lane] for lane in self.lanes]
        encoded = encoded_reasons(result, lambda found: (encode_checked(found), _codes(found)))
        self.reasons = [content for content, _codes_ in encoded]
        self.codes = [codes for _content, codes in encoded]

    def write(
        self, last: Reading[T] | None = None, meanwhile: Iterator[None] | None = None
    ) -> T | None:
        """The rows; ``last`` is asked behind all of them, and its answer returned. ``meanwhile``:
        as for ``insert_tracked``."""
        asked, pool = [], None
        if not self.routed.past:
            self._write_mandate_uses()
            asked = self._asked()
            pool = self._pool() if asked else None
        tasks: list[tuple[Any, ...]] = []
        others: list[Prepared] = []
        with inserted_together(max(len(self.ids), self._seats_each() * len(asked))):
            beside = chain(self._laid_out(asked, pool, tasks, others), self._others(others))
            self._write_decisions(chain(beside, meanwhile or ()))
            if tasks:
                self._write_tasks(tasks)
            for prepared in others:
                insert_prepared(prepared)
            answered = None if last is None else last.sent()
        return None if answered is None else answered()

    def _others(self, others: list[Prepared]) -> Iterator[None]:
        """Rows beside the decisions', and the answers: made while the server writes those."""
        others.append(self._payloads())
        yield
        if not self.routed.past:
            others.append(self._events())
            yield
        self.taken = list(self._answered())
        yield

    def _write_decisions(self, meanwhile: Iterator[None]) -> None:
        routed = self.routed
        chances = [None if p != p else p for p in routed.result.sampling_probability.tolist()]
        after = routed.result.needs_after_review.tolist()
        left = self._mandates_left()
        mandates = self._mandate_ids()

        def row(i: int) -> tuple[Any, ...]:
            arrival, version, status = routed.arrivals[i], routed.versions[i], self.statuses[i]
            v = arrival.valid
            return (
                self.ids[i],
                v.external_id,
                version.pk,
                v.kind,
                v.label,
                v.confidence,
                v.margin,
                v.label_not_top,
                _scaled(v.amount),
                v.decided_at or self.now,
                self.lanes[i],
                self.would_be[i],
                self.codes[i],
                chances[i],
                after[i],
                version.status,
                mandates[i],
                left[i],
                status,
                None if status == "pending" else self.now,
                v.label if status == "released" else None,
                arrival.pseudonym,
                *arrival.commitments,
                commitment(arrival.salt[SALT_OF["reasons"]], self.reasons[i]),
            )

        constants = {
            "use_case_id": routed.use_case.slug,
            "created_at": self.now,
            "submitted_by": self.actor.id,
            "past": routed.past,
            "policy_id": routed.policy.id,
            "routed_at": self.now,
            "lifecycle": routed.use_case.lifecycle,
        }
        # In one order everywhere: two senders of the same cases wait for each other, none for both.
        cases = [arrival.valid.external_id for arrival in routed.arrivals]
        rows = MadeRows(sorted(range(len(cases)), key=cases.__getitem__), row)
        insert_tracked(Decision, constants, VARYING, rows, actor=self.actor, meanwhile=meanwhile)

    def _payloads(self) -> Prepared:
        rows = []
        for i, arrival in enumerate(self.routed.arrivals):
            texts = [
                None if part is None else part.decode() for part in map(arrival.parts.get, GIVEN)
            ]
            reasons = self.reasons[i].decode()
            rows.append((self.ids[i], arrival.digest, arrival.salt, *texts, reasons))
        columns = ["decision", "digest", "salt", *GIVEN, "reasons"]
        return prepared_rows(Payload, {}, columns, rows)

    def _mandate_ids(self) -> list[str | None]:
        mandates = self.routed.result.context.mandates
        return [
            str(mandates[m].id) if m >= 0 else None for m in self.routed.result.mandate.tolist()
        ]

    def _mandates_left(self) -> list[str | None]:
        """What was left of each mandate when each row was routed: an input that replay needs."""
        mandates = list(self.routed.result.context.mandates)
        if not mandates:
            return [None] * len(self.ids)
        found = []
        for i, index in enumerate(self.routed.result.mandate.tolist()):
            found.append(stored_json([left_entry(mandate) for mandate in mandates]))
            if index >= 0:
                use = MandateUse(1, self.routed.arrivals[i].valid.amount or Decimal(0))
                mandates[index] = after_use(mandates[index], use)
        return list(found)

    def _write_mandate_uses(self) -> None:
        uses = [
            (UUID(mandate), UUID(self.ids[i]), self.routed.arrivals[i].valid.amount)
            for i, mandate in enumerate(self._mandate_ids())
            if mandate is not None
        ]
        if uses and self.routed.use_case.lifecycle == "live":
            mandates_take(self.routed.use_case.slug, uses)

    def _seats_each(self) -> int:
        return int(self.routed.policy.document["reviews_required"])

    def _asked(self) -> list[int]:
        """Which decisions ask people."""
        after = self.routed.result.needs_after_review.tolist()
        each = enumerate(zip(self.lanes, self.would_be, after, strict=True))
        return [i for i, (lane, would, late) in each if late or "review" in (lane, would)]

    def _pool(self) -> Pool:
        return pool_for(self.routed.use_case.slug, skills=self.routed.policy.document["skills"])

    def _laid_out(
        self,
        asked: Sequence[int],
        pool: Pool | None,
        tasks: list[tuple[Any, ...]],
        others: list[Prepared],
    ) -> Iterator[None]:
        """The tasks of the decisions that ask people (key, decision, kind, rank), and a seat for
        each review that one asks for."""
        if pool is None:
            return
        tier, required = self.routed.use_case.risk_tier, self._seats_each()
        due = due_at(self.routed.policy.document, self.routed.use_case, self.now)
        by_label = use_case_stakes(self.routed.use_case)
        for key, i in zip(uuid7_texts(len(asked)), asked, strict=True):
            v = self.routed.arrivals[i].valid
            stake = stake_of(by_label, v.label, v.amount)
            place = rank(self.now, due, tier, v.confidence, stake)
            kind = "before" if self.lanes[i] == "review" else "after"
            tasks.append((key, self.ids[i], kind, place))
            self.tasks[self.ids[i]] = Asked(key, due, required)
        yield
        numbers = range(1, required + 1)
        rows = [(key, n, place) for key, *_, place in tasks for n in numbers]
        others.append(
            prepared_rows(Seat, {"pool_id": pool.pk}, ["task_id", "number", "rank"], rows)
        )
        yield

    def _write_tasks(self, tasks: list[tuple[Any, ...]]) -> None:
        asked = self.tasks[tasks[0][1]]
        constants = {
            "use_case_id": self.routed.use_case.slug,
            "status": "open",
            "reviews_required": asked.reviews_required,
            "due_at": asked.due_at,
            "created_at": self.now,
        }
        varying = ["id", "decision_id", "kind", "rank"]
        insert_tracked(ReviewTask, constants, varying, tasks, actor=self.actor)

    def _events(self) -> Prepared:
        rows = []
        keys = uuid7_texts(len(self.ids))
        kinds = {status.value: kind for status, kind in EVENT_TYPES.items()}
        for i, arrival in enumerate(self.routed.arrivals):
            kind = kinds.get(self.statuses[i])
            if kind is not None:
                label = arrival.valid.label if self.statuses[i] == "released" else None
                data = {
                    "decision": self.ids[i],
                    "external_id": arrival.valid.external_id,
                    "lane": self.lanes[i],
                    "status": self.statuses[i],
                    "final_output": None if label is None else {"label": label},
                    "has_final_output": self.statuses[i] == "released",
                }
                # the text of ``stored_json``, whose encoder is made anew at each call
                rows.append((keys[i], kind, self.ids[i], encode_checked(data).decode()))
        constants = {"use_case": self.routed.use_case.slug, "created_at": self.now, "seq": None}
        return prepared_rows(OutboxEvent, constants, ["id", "type", "decision", "data"], rows)

    def written(self, i: int) -> Written:
        """The decision at ``i`` as its rows hold it."""
        arrival, chance = self.routed.arrivals[i], self.routed.result.sampling_probability[i]
        valid = arrival.valid
        return Written(
            id=self.ids[i],
            use_case_id=self.routed.use_case.slug,
            external_id=valid.external_id,
            kind=valid.kind,
            label=valid.label,
            confidence=valid.confidence,
            lane=self.lanes[i],
            would_be=self.would_be[i],
            status=self.statuses[i],
            policy_id=self.routed.policy.id,
            sampling_probability=None if chance != chance else float(chance),
            created_at=self.now,
            output=arrival.parts.get("output"),
            reasons=self.reasons[i],
            task=self.tasks.get(self.ids[i]),
        )

    def _answered(self) -> Iterator[Taken]:
        for i, arrival in enumerate(self.routed.arrivals):
            v, status = arrival.valid, self.statuses[i]
            final = final_output(v.kind, v.output) if status == "released" else None
            yield Taken(
                arrival.position,
                "accepted",
                v.external_id,
                id=self.ids[i],
                lane=self.lanes[i],
                status=status,
                final_output=final,
            )


def _codes(found: list[Any]) -> str:
    return " ".join(dict.fromkeys(reason["code"] for reason in found))


def _scaled(amount: Decimal | None) -> int | None:
    return None if amount is None else int(amount.scaleb(ExactDecimalField.SCALE))


def remaining(mandates: Sequence[Mandate], uses: Sequence[MandateUse]) -> list[Mandate]:
    """The mandates with what the uses leave of them."""
    return [after_use(mandate, use) for mandate, use in zip(mandates, uses, strict=True)]


def left_entry(mandate: Mandate) -> dict[str, Any]:
    amount = mandate.left_amount
    return {
        "id": str(mandate.id),
        "count": mandate.left_count,
        "amount": None if amount is None else str(amount),
    }
