"""Bad input at the desk over HTTP: each its clear answer, nothing lost, one outcome."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import Qualification, User
from apps.accounts.qualifications import qualification_revoke
from apps.accounts.services import person_update
from apps.decisions.models import Decision
from apps.policies.models import PolicyVersion
from apps.registry.models import UseCase
from apps.registry.services import use_case_update
from apps.reviews.known_answers import known_answer_enter
from apps.reviews.models import Draft, Review, ReviewTask, Seat
from apps.supervision.interventions import decision_intervene
from apps.supervision.stops import resume, stop
from apps.workflow.desk.deadlines import deadlines_sweep
from apps.workflow.tasks import sweep_desk
from tests.api.conftest import ApiClient
from tests.services.desks import SUITE, case, decide, desk, person
from tests.services.gates import LEAD, SECOND

DENY = {"label": "deny", "confidence": 0.5}
WORDS = "a long thought"
ZEROS = "00000000-0000-7000-8000-000000000000"
Session = Callable[[User], ApiClient]


class Desk:
    """A reviewer with a case open before them."""

    def __init__(self, client: ApiClient) -> None:
        self.client = client
        response = client.post("reviews/claim/")
        assert response.status_code == 200, response.content
        self.at: dict[str, Any] = response.json()

    def submit(self, verdict: str = "confirm", **more: Any) -> Any:
        said = {
            "lease": self.at["lease"],
            "shown_hash": self.at["shown_hash"],
            "verdict": verdict,
            "rationale": WORDS,
            **more,
        }
        return self.client.post(f"reviews/{self.at['task']}/submit/", said)

    def goes_through(self, verdict: str = "confirm", **more: Any) -> dict[str, Any]:
        response = self.submit(verdict, **more)
        assert response.status_code == 200, response.content
        done: dict[str, Any] = response.json()
        return done


@pytest.fixture
def ann(db: None) -> User:
    return person("ann")


@pytest.fixture
def ben(db: None) -> User:
    return person("ben")


def waits(policy: dict[str, Any] | None = None, **definition: Any) -> Decision:
    return case(desk(policy, **definition), **DENY)


def refused(response: Any, status: int, words: str) -> dict[str, Any]:
    """A problem document of this status whose detail says so."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["status"] == status
    assert words in problem["detail"], problem["detail"]
    return problem


def untouched(decision: Decision, status: str = "pending") -> None:
    """As before: no verdict, no move."""
    decision.refresh_from_db()
    assert (decision.status, Review.objects.count()) == (status, 0)


def kept_words(who: User) -> str:
    draft = Draft.objects.get(person=who)
    assert WORDS in draft.body
    return draft.refused


# --- Twice, and somebody else's -------------------------------------------------------------------


def test_a_verdict_sent_twice_counts_once(ann: User, session: Session) -> None:
    decision = waits()
    sitting = Desk(session(ann))
    assert sitting.goes_through()["status"] == "released"
    refused(sitting.submit(), 409, f"the review task {sitting.at['task']} is closed")
    refused(sitting.submit("withhold"), 409, "is closed: nothing more can be said to it")
    decision.refresh_from_db()
    assert (decision.status, decision.history.count()) == ("released", 2)
    assert (Review.objects.count(), Draft.objects.count()) == (1, 0)


def test_two_browsers_of_one_person_hold_one_case_and_give_one_verdict(
    ann: User, session: Session
) -> None:
    use_case = desk()
    first, second = (case(use_case, name, **DENY) for name in ("a", "b"))
    one, other = Desk(session(ann)), Desk(session(ann))
    for member in ("task", "lease", "shown_hash", "case"):
        assert one.at[member] == other.at[member]
    assert Seat.objects.filter(state="leased").count() == 1
    assert one.goes_through("confirm")["status"] == "released"
    refused(other.submit("withhold"), 409, "is closed")
    first.refresh_from_db()
    assert (first.status, Review.objects.count()) == ("released", 1)
    # both go on with the same next case
    assert {Desk(session(ann)).at["decision"] for _ in range(2)} == {str(second.pk)}


def test_somebody_else_s_lease_is_worth_nothing(ann: User, ben: User, session: Session) -> None:
    decision = waits({"reviews_required": 2, "combination": "unanimous"})
    mine, theirs = Desk(session(ann)), Desk(session(ben))
    assert mine.at["task"] == theirs.at["task"]
    assert mine.at["lease"] != theirs.at["lease"]
    problem = refused(theirs.submit(lease=mine.at["lease"]), 409, "does not hold")
    assert mine.at["lease"] in problem["detail"]
    refused(theirs.submit(lease=ZEROS), 409, f"the lease {ZEROS} does not hold")
    untouched(decision)
    assert "does not hold" in kept_words(ben)
    mine.goes_through()
    assert theirs.goes_through()["status"] == "released"
    assert Review.objects.count() == 2


def test_a_lease_that_ran_out_is_refused_and_the_words_wait_for_the_next_claim(
    ann: User, ben: User, session: Session
) -> None:
    decision = waits()
    sitting = Desk(session(ann))
    Seat.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    refused(sitting.submit(), 409, "ended at")
    untouched(decision)
    assert "claim the case again" in kept_words(ann)
    again = Desk(session(ben))
    assert again.at["task"] == sitting.at["task"]
    refused(sitting.submit(), 409, "does not hold")
    assert again.goes_through()["status"] == "released"
    assert WORDS in Draft.objects.get(person=ann).body


# --- Faults of the verdict --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "more", "pointers", "words"),
    [
        ("change", {"output": {"label": "approve"}, "rationale": ""}, ["/rationale"], "needs its reason"),
        ("withhold", {"rationale": "  "}, ["/rationale"], "needs its reason"),
        ("withhold", {"reason_code": ""}, ["/reason_code"], "wrong, incomplete"),
        ("change", {"output": {"label": "maybe"}}, ["/output/label"], "'approve', 'deny'"),
        ("change", {"output": {"label": 7}}, ["/output/label"], "7"),
        ("change", {"output": {}}, ["/output/label"], ""),
        ("change", {}, ["/output"], ""),
        ("change", {"output": {"label": "deny"}}, ["/output"], "to keep it is to confirm"),
        ("confirm", {"output": {"label": "approve"}}, ["/output"], "to give another one is a change"),
        ("confirm", {"reason_code": "late"}, ["/reason_code"], "wrong, incomplete"),
        ("answer", {"output": {"label": "deny"}}, ["/verdict"], "confirm, change, withhold"),
        ("perhaps", {}, ["/verdict"], ""),
        ("confirm", {"confidence": 1.5}, ["/confidence"], ""),
        ("confirm", {"confidence": "high"}, ["/confidence"], ""),
        ("confirm", {"active_seconds": -1}, ["/active_seconds"], ""),
        ("confirm", {"shown_hash": None}, ["/shown_hash"], ""),
        ("confirm", {"lease": "mine"}, ["/lease"], ""),
        ("confirm", {"label": "deny"}, ["/label"], ""),
    ],
)  # fmt: skip
def test_each_fault_is_named_and_the_case_is_still_theirs(
    ann: User,
    session: Session,
    verdict: str,
    more: dict[str, Any],
    pointers: list[str],
    words: str,
) -> None:
    decision = waits(reason_codes=["wrong", "incomplete"])
    sitting = Desk(session(ann))
    coded = {"reason_code": "wrong"} if verdict in ("change", "withhold") else {}
    response = sitting.submit(verdict, **{**coded, **more})
    problem = refused(response, 400, "")
    assert [error["pointer"] for error in problem["errors"]] == pointers
    assert words in problem["errors"][0]["detail"], problem["errors"]
    untouched(decision)
    done = sitting.goes_through("change", output={"label": "approve"}, reason_code="wrong")
    assert (done["status"], done["task_status"], done["stage"]) == ("released", "closed", None)


def test_what_is_not_json_is_refused_and_nothing_moves(ann: User, session: Session) -> None:
    decision = waits()
    client = session(ann)
    sitting = Desk(client)
    path = f"/api/v1/reviews/{sitting.at['task']}/submit/"
    for body in ("", "{", "[]", "null", '{"verdict": "confirm"', b"\xff\xfe"):
        response = client.client.post(path, body, content_type="application/json")
        assert response.status_code == 400, body
    untouched(decision)
    sitting.goes_through()


# --- A case that moved on ---------------------------------------------------------------------------


def lapsed(decision: Decision) -> None:
    deadlines_sweep(timezone.now() + timedelta(minutes=11))


def intervened(decision: Decision) -> None:
    decision_intervene(actor=LEAD, decision_id=decision.pk, action="reverse", reason="wrong person")


def settled(decision: Decision) -> None:
    for name in ("cid", "dan"):
        decide(person(name), "withhold")


@pytest.mark.parametrize(
    ("policy", "meanwhile", "state", "status"),
    [
        ({"sla_minutes": 10}, lapsed, "lapsed", "withheld"),
        ({"level": "HOTL", "intervention_minutes": 60}, intervened, "cancelled", "reversed"),
        ({"reviews_required": 3, "combination": "majority"}, settled, "closed", "withheld"),
    ],
)
def test_a_verdict_on_a_task_that_has_ended_is_told_how(
    ann: User,
    session: Session,
    policy: dict[str, Any],
    meanwhile: Callable[[Decision], None],
    state: str,
    status: str,
) -> None:
    decision = waits(policy)
    sitting = Desk(session(ann))
    meanwhile(decision)
    words = f"the review task {sitting.at['task']} is {state}: nothing more can be said to it"
    refused(sitting.submit(), 409, words)
    decision.refresh_from_db()
    assert (decision.status, ReviewTask.objects.get().status) == (status, state)
    assert not Review.objects.filter(reviewer=ann).exists()
    assert kept_words(ann) == words


@pytest.mark.parametrize("edited", ["f" * 64, "0", "not a hash"])
def test_an_edited_hash_is_refused(ann: User, session: Session, edited: str) -> None:
    decision = waits()
    sitting = Desk(session(ann))
    refused(sitting.submit(shown_hash=edited), 409, "is not that of the case that was shown")
    untouched(decision)
    sitting.goes_through()


def test_a_hash_of_another_case_is_refused(ann: User, ben: User, session: Session) -> None:
    use_case = desk()
    for name in ("a", "b"):
        case(use_case, name, **DENY)
    mine, theirs = Desk(session(ann)), Desk(session(ben))
    refused(mine.submit(shown_hash=theirs.at["shown_hash"]), 409, "is not that of the case")
    mine.goes_through()


def test_a_stale_case_is_refused_with_the_difference_and_comes_again(
    ann: User, session: Session
) -> None:
    decision = waits()
    sitting = Desk(session(ann))
    use_case_update(
        actor=SUITE, slug="loan", reason="a third way", labels=["approve", "deny", "refer"]
    )
    problem = refused(sitting.submit(), 409, "the case has changed since it was shown")
    assert [entry["pointer"] for entry in problem["difference"]] == ["/definition"]
    untouched(decision)
    kept_words(ann)
    again = Desk(session(ann))
    assert again.at["lease"] == sitting.at["lease"]
    assert again.at["case"]["labels"] == ["approve", "deny", "refer"]
    again.goes_through("change", output={"label": "refer"})


def test_a_review_of_a_suspended_use_case_waits_until_it_is_resumed(
    ann: User, session: Session
) -> None:
    decision = waits()
    client = session(ann)
    sitting = Desk(client)
    stop(actor=LEAD, use_case=UseCase.objects.get(), reason="odd figures")
    problem = refused(sitting.submit(), 409, "")
    assert "suspended" in str(problem)
    assert client.post("reviews/claim/").status_code == 204
    untouched(decision)
    kept_words(ann)
    resume(actor=SECOND, use_case=UseCase.objects.get(), reason="explained")
    assert Desk(client).goes_through()["status"] == "released"


# --- People who changed -----------------------------------------------------------------------------


def test_a_reviewer_deactivated_in_mid_case_is_let_in_no_more_and_the_case_goes_on(
    ann: User, ben: User, session: Session
) -> None:
    decision = waits()
    sitting, other = Desk(session(ann)), session(ben)
    Draft.objects.create(seat=Seat.objects.get(), person=ann, body=WORDS, updated_at=timezone.now())
    person_update(actor=SUITE, user=ann, is_active=False, reason="left")
    assert sitting.submit().status_code in (401, 403)
    untouched(decision)
    sweep_desk()
    assert Draft.objects.get(person=ann).body == WORDS
    assert Desk(other).goes_through()["status"] == "released"
    person_update(actor=SUITE, user=ann, is_active=True, reason="back")
    late = Desk.__new__(Desk)
    late.client, late.at = session(ann), sitting.at
    refused(late.submit("withhold"), 409, "is closed")
    assert Review.objects.count() == 1


def test_a_reviewer_who_lost_the_skill_in_mid_case_is_refused(db: None, session: Session) -> None:
    decision = waits({"skills": ["credit"]})
    eve = person("eve", skill="credit")
    sitting = Desk(session(eve))
    qualification_revoke(actor=SUITE, qualification=Qualification.objects.get(), reason="expired")
    refused(sitting.submit(), 403, "lacks the skill credit")
    untouched(decision)
    kept_words(eve)


def test_a_policy_that_changed_in_mid_case_makes_the_verdict_stale(
    ann: User, session: Session
) -> None:
    from tests.services.oversight import in_force

    decision = waits()
    sitting = Desk(session(ann))
    in_force(UseCase.objects.get(), confidence_threshold=0.5)
    problem = refused(sitting.submit(), 409, "/policy_in_force")
    newest = PolicyVersion.objects.get(status="active")
    assert problem["difference"][0]["is"] == str(newest.pk)
    untouched(decision)


# --- A known answer shows nowhere --------------------------------------------------------------------


def test_whoever_is_tested_sees_a_case_like_any_other(
    ann: User, ben: User, session: Session
) -> None:
    """The list, the task and the answer to the verdict say of it what they say of other cases."""
    use_case = desk({"known_answer_rate": 1.0})
    past = case(use_case, "past", **DENY)
    decide(ben, "confirm")
    known_answer_enter(actor=LEAD, decision_id=past.pk, output={"label": "deny"}, reason="agreed")
    plain = case(use_case, "plain", **DENY)
    client, other, lead = session(ann), session(ben), session(person("lea", "risk_lead"))
    tested, usual = Desk(client), Desk(other)
    assert (tested.at["decision"], usual.at["decision"]) == (str(past.pk), str(plain.pk))
    assert list(tested.at) == list(usual.at)
    assert list(tested.at["case"]) == list(usual.at["case"])
    seen = {row["id"]: row for row in client.get("reviews/").json()["results"]}
    assert seen.keys() == {tested.at["task"], usual.at["task"]}
    assert {row["kind"] for row in seen.values()} == {"before"}
    one = client.get(f"reviews/{tested.at['task']}/").json()
    two = other.get(f"reviews/{usual.at['task']}/").json()
    own = ("id", "decision", "external_id", "created_at", "due_at")
    assert {k: v for k, v in one.items() if k not in own} == {
        k: v for k, v in two.items() if k not in own
    }
    # nobody else sees it, save who leads the desk; and it is not read off the decision
    assert other.get(f"reviews/{tested.at['task']}/").status_code == 404
    assert lead.get(f"reviews/{tested.at['task']}/").json()["kind"] == "known"
    assert client.get(f"decisions/{past.pk}/").json()["final_output"] is None
    done, same = tested.goes_through(), usual.goes_through()
    own = ("task", "decision")
    assert {k: v for k, v in done.items() if k not in own} == {
        k: v for k, v in same.items() if k not in own
    }
    closed = {row["id"]: row for row in client.get("reviews/", status="closed").json()["results"]}
    assert {row["kind"] for row in closed.values()} == {"before"}
    assert tested.at["task"] in closed
