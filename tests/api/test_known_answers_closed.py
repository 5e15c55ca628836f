"""A reviewer who is shown a case of a known answer reads of it, by any address, what they would read
of any other case that waits for their answer."""

from __future__ import annotations

import re
from typing import Any

import pytest

from apps.accounts.services import role_grant
from apps.decisions.models import Decision
from apps.reviews.models import ReviewTask, Seat
from tests.api.conftest import ApiClient
from tests.services.desks import case, desk, opened, person, say
from tests.services.gates import LEAD
from tests.services.known import DENY, know

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
LEASE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[\d.]*(\+00:00|Z)")
HASH = re.compile(r"[0-9a-f]{64}")
POLICIES: dict[str, dict[str, Any]] = {
    "open": {},
    "blind": {"blind": True},
    "several": {"reviews_required": 2, "combination": "unanimous"},
    "afterwards": {"level": "HOTL"},
    "in time": {"sla_minutes": 240},
}


def shape(text: str, slug: str) -> str:
    """An answer without what is different of any two cases: ids, times, hashes, numbers of events."""
    for what, mark in ((ID, "ID"), (LEASE, "LEASE"), (TIME, "TIME"), (HASH, "HASH")):
        text = what.sub(mark, text)
    text = re.sub(r'"(seq|next)": ?\d+', r'"\1":N', text)
    return text.replace(f'"{slug}"', '"SLUG"').replace(f"{slug}: ", "SLUG: ")


def a_decided_and_two_waiting(
    slug: str, policy: dict[str, Any], decided: str, *waiting: str
) -> list[Decision]:
    use_case = desk({"known_answer_rate": 1.0, **policy}, slug=slug, name=slug)
    found = [case(use_case, decided, **DENY)]
    for n in range(policy.get("reviews_required", 1)):
        old = person(f"old.{slug}.{n}", use_case=slug)
        at = opened(old)
        if at.case.stage == "blind":
            say(old, at, "answer", output={"label": "deny"})
            at = opened(old)
        say(old, at, "confirm")
    return found + [case(use_case, name, **DENY) for name in waiting]


@pytest.fixture
def twins(session: Any, request: pytest.FixtureRequest, db: None) -> Any:
    """Two desks that are the same but for one thing: on one the case ``held`` was decided before and
    its answer is known, on the other it came just now."""
    policy = POLICIES[request.param]
    known, *_waiting = a_decided_and_two_waiting("loan", policy, "held", "first", "other")
    know(known)
    _decided, live, _other = a_decided_and_two_waiting("twin", policy, "first", "held", "other")
    found = []
    for slug, login, decision in (("loan", "ann", known), ("twin", "ben", live)):
        client: ApiClient = session(person(login, use_case=slug))
        before = client.get("reviews/stats/").json()["use_cases"]
        claimed = client.post("reviews/claim/", {"use_case": slug})
        task = ReviewTask.objects.get(pk=claimed.json()["task"])
        assert task.decision_id == decision.pk
        found.append((client, slug, task, claimed, before))
    assert [task.kind == "known" for _client, _slug, task, *_rest in found] == [True, False]
    return found


every_policy = pytest.mark.parametrize("twins", list(POLICIES), indirect=True)


@every_policy
@pytest.mark.parametrize(
    "path",
    [
        "decisions/{decision}/",
        "decisions/{decision}/?wait=0",
        "decisions/{decision}/replay/",
        "decisions/?external_id=held",
        "decisions/?external_id=held&status=released",
        "reviews/{task}/",
        "events/",
    ],
)
def test_the_case_held_reads_as_any_other(twins: Any, path: str) -> None:
    shapes = []
    for client, slug, task, *_rest in twins:
        answer = client.get(path.format(decision=task.decision_id, task=task.pk))
        text = answer.content.decode()
        if path == "events/":  # of the case that is held, not of others
            assert str(task.decision_id) not in text
            text = ""
        shapes.append((answer.status_code, shape(text, slug)))
    assert shapes[0] == shapes[1]


@every_policy
def test_the_claim_itself_and_a_verdict_that_does_not_end_it_read_alike(twins: Any) -> None:
    shapes = []
    for client, slug, task, claimed, _before in twins:
        opened_ = claimed.json()
        said = {name: opened_[name] for name in ("lease", "shown_hash")}
        asked = client.post(
            f"reviews/{task.pk}/submit/", {**said, "verdict": "ask", "rationale": "who signed it?"}
        )
        shapes.append([shape(claimed.content.decode(), slug), shape(asked.content.decode(), slug)])
        assert asked.status_code == 200, asked.content
    assert shapes[0] == shapes[1]


@every_policy
def test_the_list_and_the_figures_of_the_queue_move_alike(twins: Any) -> None:
    rows, moved = [], []
    for client, slug, task, _claimed, before in twins:
        listed = client.get("reviews/", use_case=slug).json()["results"]
        (row,) = [row for row in listed if row["id"] == str(task.pk)]
        rows.append(shape(str(row), slug).replace(f"'{slug}'", "SLUG"))
        (was,), (is_,) = before, client.get("reviews/stats/").json()["use_cases"]
        names = ("waiting", "free_seats", "held_seats", "assigned_seats")
        moved.append([is_[name] - was[name] for name in names])
    assert rows[0] == rows[1]
    assert moved[0] == moved[1] == [0, -1, 1, 0]


@pytest.mark.parametrize("twins", ["open", "several"], indirect=True)
def test_nothing_of_the_known_case_s_own_past_is_told(twins: Any) -> None:
    client, _slug, task, *_rest = twins[0]
    document = client.get(f"decisions/{task.decision_id}/").json()
    assert (document["status"], document["lane"], document["final_output"]) == (
        "pending",
        "review",
        None,
    )
    assert len(document["history"]) == 1
    assert document["created_at"] == document["history"][0]["at"]
    assert document["created_at"] == task.created_at.isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize("twins", ["several"], indirect=True)
def test_it_seems_to_ask_as_many_as_the_others(twins: Any) -> None:
    (client, _slug, task, *_rest), _live = twins
    seats = client.get(f"reviews/{task.pk}/").json()["seats"]
    assert [(seat["number"], seat["state"]) for seat in seats] == [(1, "leased"), (2, "free")]
    assert Seat.objects.filter(task=task).count() == 1


@pytest.mark.parametrize("twins", ["open"], indirect=True)
def test_to_others_the_decision_is_what_it_was(twins: Any, session: Any, program: Any) -> None:
    """A colleague and the sender are not told that somebody is tested with it."""
    _client, _slug, task, *_rest = twins[0]
    own = ReviewTask.objects.get(decision=task.decision_id, kind="before")
    for reader in (session(person("cem")), program("integration")):
        document = reader.get(f"decisions/{task.decision_id}/").json()
        assert (document["status"], document["review"]["task"]) == ("released", str(own.pk))


@pytest.mark.parametrize("twins", ["open"], indirect=True)
def test_after_the_answer_it_opens(twins: Any) -> None:
    for client, _slug, task, claimed, _before in twins:
        said = {name: claimed.json()[name] for name in ("lease", "shown_hash")}
        done = client.post(f"reviews/{task.pk}/submit/", {**said, "verdict": "confirm"})
        assert done.status_code == 200, done.content
        document = client.get(f"decisions/{task.decision_id}/").json()
        assert (document["status"], document["content_shown"]) == ("released", True)
        assert document["final_output"] == {"label": "deny"}


@pytest.mark.parametrize("role", ["senior_reviewer", "risk_lead", "auditor"])
def test_whoever_can_read_which_cases_these_are_is_not_tested_by_them(
    db: None, session: Any, role: str
) -> None:
    known, live, *_rest = a_decided_and_two_waiting("loan", {}, "held", "first", "other")
    know(known)
    reader = person("sue", role)
    role_grant(actor=LEAD, user=reader, role="reviewer")
    assert session(reader).get("known-answers/").json()["results"] != []
    assert session(reader).post("reviews/claim/").json()["decision"] == str(live.pk)
