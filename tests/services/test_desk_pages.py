"""The desk's pages through Django's client: what they show, what they keep, whom they refuse."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from datetime import timedelta
from html import unescape
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.models import Qualification, User
from apps.accounts.qualifications import qualification_grant
from apps.audit.models import AccessEvent
from apps.decisions.models import Decision
from apps.decisions.selectors import final_of
from apps.outcomes.services import outcome_record
from apps.registry.models import UseCase
from apps.registry.services import model_version_set_status
from apps.reviews.known_answers import known_answer_enter
from apps.reviews.leases import leases_lapse
from apps.reviews.models import Absence, Assignment, Draft, KnownAnswer, Review, ReviewTask, Seat
from apps.reviews.seats import seat_claim
from apps.supervision.stops import stop
from tests.services.desks import SUITE, case, desk, person
from tests.services.gates import LEAD, body, send

pytestmark = pytest.mark.django_db
PDF = b"%PDF-1.4 a page"
TOLD: dict[str, Any] = {
    "output": {
        "label": "deny",
        "confidence": 0.6123,
        "scores": {"approve": 0.3877, "deny": 0.6123},
    },
    "explanation": {
        "text": "MARK-EXPLANATION",
        "top_features": [{"name": "MARK-TOP", "weight": 1}],
    },
    "model": "MARK-MODEL",
    "model_version": "MARK-VERSION",
    "evidence": [
        {
            "kind": "text",
            "title": "Letter",
            "content": "please lend me money",
            "regions": [{"start": 0, "end": 6, "note": "MARK-REGION"}],
        },
        {"kind": "pdf", "title": "Slip", "content": base64.b64encode(PDF).decode()},
        {"kind": "table", "title": "Account", "content": [{"in": 5, "out": 3}]},
    ],
}
TRACES = ("0.6123", "61 %", "0.3877", "MARK-", "below 0.99", "data-stands")
FEATURES: dict[str, Any] = {
    "features": [{"name": "net_income", "type": "number"}],
    "subject_attributes": [{"name": "sex", "type": "category", "protected": True}],
}
VALUES: dict[str, Any] = {
    "features": {"net_income": 41000},
    "subject": {"ref": "c-7", "attributes": {"sex": "MARK-F"}},
}


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def rex() -> User:
    return person("rex")


@pytest.fixture
def at_rex(rex: User) -> Client:
    return client_of(rex)


@pytest.fixture
def at_lena() -> Client:
    return client_of(person("lena", "risk_lead"))


def next_case(client: Client, **data: str) -> Any:
    """The page of the next case."""
    answer = client.post("/desk/next/", data, follow=True)
    assert answer.status_code == 200
    return answer


def place(answer: Any, what: str = "") -> str:
    return f"/desk/case/{answer.context['page'].task}/{what}"


def form(answer: Any, verdict: str, **more: str) -> dict[str, str]:
    page = answer.context["page"]
    return {"lease": page.lease, "shown_hash": page.shown_hash, "verdict": verdict, **more}


def give(client: Client, answer: Any, verdict: str, **more: str) -> Any:
    return client.post(place(answer, "verdict/"), form(answer, verdict, **more), follow=True)


def ten_seconds_pass(client: Client) -> Any:
    moment = timezone.now() - timedelta(seconds=1)
    Draft.objects.filter(submit_at__isnull=False).update(submit_at=moment)
    return client.post("/desk/settle/")


def lapse() -> None:
    Seat.objects.filter(state="leased").update(lease_expires_at=timezone.now() - timedelta(1))
    leases_lapse(timezone.now())


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


# --- My queue -------------------------------------------------------------------------------


def test_the_queue_counts_what_waits_and_hands_out_the_next_case(at_rex: Client) -> None:
    use_case = desk()
    case(use_case, "a"), case(use_case, "b")
    page = at_rex.get("/desk/").context
    assert [(one.use_case, one.count) for one in page["waiting"]] == [("loan", 2)]
    answer = next_case(at_rex)
    assert answer.context["page"].external_id == "a"
    mine = at_rex.get("/desk/").context["mine"]
    assert [(one.external_id, one.state) for one in mine] == [("a", "open now")]


def test_an_empty_queue_says_what_to_do(at_rex: Client) -> None:
    assert "There is no queue you can work on yet" in text_of(at_rex.get("/desk/"))
    use_case = desk()
    case(use_case, "a")
    give(at_rex, next_case(at_rex), "abstain")
    ten_seconds_pass(at_rex)
    answer = at_rex.post("/desk/next/", follow=True)
    assert answer.redirect_chain[-1][0] == "/desk/"
    assert "Nothing waits for you now." in text_of(answer)


def test_what_was_done_today_is_counted_and_a_pause_suggested(at_rex: Client) -> None:
    use_case = desk({"streak_limit": 1})
    case(use_case, "a"), case(use_case, "b")
    give(at_rex, next_case(at_rex), "confirm")
    ten_seconds_pass(at_rex)
    answer = at_rex.get("/desk/")
    load = answer.context["load"]
    assert (load.today, load.streak) == (1, 1)
    assert "Time for a pause" in text_of(answer)


# --- The case -------------------------------------------------------------------------------


def test_a_case_says_what_is_asked_why_it_came_and_what_the_ai_said(at_rex: Client) -> None:
    case(desk(**FEATURES), **TOLD, **VALUES)
    text = text_of(next_case(at_rex))
    for part in (
        "loan: approve or deny?",
        "Confidence 0.61 is below 0.99",
        "61 %",
        "MARK-EXPLANATION",
        "MARK-MODEL MARK-VERSION",
        "MARK-REGION",
        "Net income",
        "41,000",
        "1 protected attribute is hidden by the policy",
        "not enough outcomes yet (n = 0)",
    ):
        assert part in text
    assert "MARK-F" not in text


def test_protected_attributes_are_shown_where_the_policy_shows_them(at_rex: Client) -> None:
    case(desk({"show_protected": True}, **FEATURES), **VALUES)
    text = text_of(next_case(at_rex))
    assert "MARK-F" in text
    assert "hidden by the policy" not in text


def test_a_blind_case_holds_no_trace_of_the_output_until_the_answer_is_given(
    at_rex: Client,
) -> None:
    case(desk({"blind": True}), **TOLD)
    answer = next_case(at_rex)
    partial = at_rex.get(place(answer), headers={"HX-Request": "true"})
    draft = at_rex.post(place(answer, "draft/"), form(answer, "answer", label="approve"))
    again = at_rex.get(place(answer))
    for seen in (answer, partial, draft, again, at_rex.get("/desk/")):
        assert [trace for trace in TRACES if trace in text_of(seen)] == []
    told = give(at_rex, answer, "answer", label="approve")
    text = text_of(told)
    assert [trace for trace in TRACES if trace not in text] == []
    assert "Your first answer" in text
    assert [v.words for v in told.context["page"].verdicts][:2] == [
        "Keep my answer",
        "Change my answer",
    ]


def test_after_the_reveal_a_second_verdict_is_given_and_both_are_kept(at_rex: Client) -> None:
    decision = case(desk({"blind": True}), **TOLD)
    told = give(at_rex, next_case(at_rex), "answer", label="approve")
    give(at_rex, told, "change", label="deny", rationale="the AI has a point")
    ten_seconds_pass(at_rex)
    review = Review.objects.get()
    assert (review.initial_label, review.label, review.final) == ("approve", "deny", True)
    decision.refresh_from_db()
    assert (decision.status, decision.final_label) == ("released", "deny")


def test_of_100_such_so_many_are_right(at_rex: Client) -> None:
    use_case = desk()
    send(use_case, *(body(f"old-{n}", "deny", 0.65) for n in range(25)), past=True)
    for n, decision in enumerate(Decision.objects.filter(past=True)):
        outcome_record(actor=SUITE, decision=decision, label="deny" if n < 20 else "approve")
    case(use_case, label="deny", confidence=0.62)
    text = text_of(next_case(at_rex))
    assert "about <strong>80</strong> are right" in text  # 20 of 25
    assert "lately wrong in 20 of 100 (n = 25" in text


def test_past_cases_like_it_are_shown_and_none_that_reviewers_are_tested_with(
    at_rex: Client,
) -> None:
    use_case = desk()
    send(use_case, *(body(f"old-{n}", "deny", 0.5 + n / 100) for n in range(8)), past=True)
    send(use_case, body("other", "approve", 0.56), past=True)
    tested = Decision.objects.get(external_id="old-6")
    known_answer_enter(actor=LEAD, decision_id=tested.pk, output={"label": "deny"}, reason="sure")
    case(use_case, label="deny", confidence=0.561)
    similar = next_case(at_rex).context["page"].similar
    # nearest first: 0.561 - 0.55 = 0.011; 0.57 is 0.009 away; 0.56 is the tested one
    assert [one.external_id for one in similar] == ["old-7", "old-5", "old-4", "old-3", "old-2"]


def test_a_reviewer_never_meets_raw_data(at_rex: Client) -> None:
    nested = {"to": {"iban": "DE1", "tags": ["x", "y"]}, "amount": 5, "again": None}
    use_case = desk(kinds=["action"], labels=[])
    case(
        use_case,
        kind="action",
        output={"name": "pay", "arguments": nested},
        evidence=TOLD["evidence"],
    )
    text = text_of(next_case(at_rex))
    content = text.partition("<main")[2].partition("<dialog")[0]
    signs = ('{"', "{'", '["', "['", "None", "null")
    assert [sign for sign in signs if sign in unescape(content)] == []
    assert "To: Tags: 2" in text


# --- Verdicts -------------------------------------------------------------------------------


def test_a_verdict_is_final_after_ten_seconds_and_the_next_case_is_there_at_once(
    at_rex: Client,
) -> None:
    use_case = desk()
    first, _second = case(use_case, "a"), case(use_case, "b")
    after = give(at_rex, next_case(at_rex), "confirm", active_seconds="7.5", confidence="0.9")
    assert after.context["page"].external_id == "b"
    assert [(p.external_id, p.words) for p in after.context["page"].pending] == [("a", "Confirmed")]
    assert not Review.objects.exists()
    strip = ten_seconds_pass(at_rex)
    review = Review.objects.get()
    assert (review.verdict, review.active_seconds, review.confidence) == ("confirm", 7.5, 0.9)
    first.refresh_from_db()
    assert first.status == "released"
    assert "data-final-at" not in text_of(strip)


def test_undo_brings_the_case_back_with_everything_that_was_typed(at_rex: Client) -> None:
    use_case = desk()
    case(use_case, "a"), case(use_case, "b")
    answer = next_case(at_rex)
    give(at_rex, answer, "change", label="deny", rationale="seen better", confidence="0.65")
    back = at_rex.post(place(answer, "undo/"), follow=True)
    page = back.context["page"]
    assert page.external_id == "a"
    names = ("verdict", "label", "rationale", "confidence")
    assert [page.kept[name] for name in names] == ["change", "deny", "seen better", "0.65"]
    ten_seconds_pass(at_rex)
    assert not Review.objects.exists()


def test_an_undo_that_comes_too_late_says_so(at_rex: Client) -> None:
    case(desk())
    answer = next_case(at_rex)
    give(at_rex, answer, "confirm")
    ten_seconds_pass(at_rex)
    assert "Too late to undo" in text_of(at_rex.post(place(answer, "undo/"), follow=True))
    assert Review.objects.count() == 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"verdict": "change", "label": "deny"}, "Say why in a few words."),
        ({"verdict": "change", "rationale": "so"}, "Choose a label."),
        ({"verdict": "change", "label": "perhaps", "rationale": "so"}, "allowed are"),
        ({"verdict": "withhold"}, "Say why in a few words."),
        ({"verdict": "ask"}, "Write the question."),
        ({"verdict": ""}, "Choose a verdict"),
        ({"verdict": "answer", "label": "deny"}, "Choose a verdict"),
        ({"verdict": "confirm", "confidence": "7"}, "Your confidence is"),
        ({"verdict": "confirm", "reason_code": "bogus"}, "is not one of"),
    ],
)
def test_what_is_missing_is_said_and_what_was_typed_is_still_there(
    at_rex: Client, given: dict[str, str], said: str
) -> None:
    case(desk())
    answer = next_case(at_rex)
    sent = {"rationale": "", **form(answer, ""), **given, "note": "x"}
    refused = at_rex.post(place(answer, "verdict/"), sent)
    assert refused.status_code == 400
    assert said in text_of(refused)
    assert refused.context["page"].kept["rationale"] == sent["rationale"]
    assert not Draft.objects.filter(submit_at__isnull=False).exists()


def test_a_use_cases_reason_codes_are_offered_and_asked_for(at_rex: Client) -> None:
    decision = case(desk(reason_codes=["income_unclear", "other"]))
    answer = next_case(at_rex)
    assert ("income_unclear", "Income unclear") in [
        (one["code"], one["words"]) for one in answer.context["page"].reason_codes
    ]
    sent = form(answer, "change", label="deny", rationale="so")
    assert "Choose a reason." in text_of(at_rex.post(place(answer, "verdict/"), sent))
    give(at_rex, answer, "change", label="deny", rationale="so", reason_code="other")
    ten_seconds_pass(at_rex)
    assert Review.objects.get(decision=decision).reason_code == "other"


def test_fields_are_changed_one_by_one_and_keep_their_types(at_rex: Client) -> None:
    fields = {"total": {"value": 1184.5, "confidence": 0.4}, "seller": {"value": {"name": "Nord"}}}
    use_case = desk(kinds=["fields"], labels=[])
    decision = case(use_case, kind="fields", output={"fields": fields})
    answer = next_case(at_rex)
    names = [one.name for one in answer.context["page"].inputs]
    assert names == ["at:/fields/seller/name", "at:/fields/total"]  # kept in canonical order
    changed = {"at:/fields/total": "1148.5", "at:/fields/seller/name": "Nord"}
    give(at_rex, answer, "change", rationale="two digits swapped", **changed)
    ten_seconds_pass(at_rex)
    decision.refresh_from_db()
    assert final_of(decision) == {"fields": {"total": 1148.5, "seller": {"name": "Nord"}}}


@pytest.mark.parametrize(
    ("kind", "output", "typed", "final"),
    [
        ("number", {"value": 5}, {"value": "6.5"}, {"value": 6.5}),
        ("text", {"text": "Dear"}, {"text": "Dear Ms Ito"}, {"text": "Dear Ms Ito"}),
        (
            "action",
            {"name": "pay", "arguments": {"amount": 5}},
            {"name": "pay", "at:/arguments/amount": "4"},
            {"name": "pay", "arguments": {"amount": 4}},
        ),
    ],
)
def test_each_kind_has_its_form(
    at_rex: Client, kind: str, output: Any, typed: dict[str, str], final: Any
) -> None:
    decision = case(desk(kinds=[kind], labels=[]), kind=kind, output=output)
    give(at_rex, next_case(at_rex), "change", rationale="so", **typed)
    ten_seconds_pass(at_rex)
    decision.refresh_from_db()
    assert (decision.status, final_of(decision)) == ("released", final)


def test_where_no_model_has_spoken_the_answer_is_the_persons_own(at_rex: Client) -> None:
    decision = case(desk(), output=None)
    answer = next_case(at_rex)
    assert "No AI output" in text_of(answer)
    give(at_rex, answer, "answer", label="deny")
    ten_seconds_pass(at_rex)
    decision.refresh_from_db()
    assert (decision.status, decision.final_label) == ("released", "deny")


def test_a_known_answer_gives_feedback_where_the_policy_does(at_rex: Client) -> None:
    use_case = desk({"known_answer_rate": 1.0, "feedback": True})
    send(use_case, body("old", "approve"), past=True)
    old = Decision.objects.get(external_id="old")
    known_answer_enter(actor=LEAD, decision_id=old.pk, output={"label": "deny"}, reason="sure")
    case(use_case, "new")
    answer = next_case(at_rex)
    assert answer.context["page"].external_id == "old"
    assert "known" not in text_of(answer)
    give(at_rex, answer, "confirm")
    strip = text_of(ten_seconds_pass(at_rex))
    assert "Not right." in strip
    assert "was known: deny" in strip


# --- When something came between ------------------------------------------------------------


def test_a_stale_case_says_what_changed_and_keeps_what_was_typed(at_rex: Client) -> None:
    decision = case(desk())
    answer = next_case(at_rex)
    version = decision.model_version
    model_version_set_status(
        actor=SUITE, model_version=version, status="withdrawn", reason="it erred"
    )
    refused = at_rex.post(
        place(answer, "verdict/"), form(answer, "change", label="deny", rationale="my words")
    )
    text = text_of(refused)
    assert refused.status_code == 409
    assert "The case has changed since you saw it" in text
    assert '<th scope="row">Model status</th>' in text
    assert refused.context["page"].kept["rationale"] == "my words"
    give(at_rex, refused, "withhold", rationale="my words")
    ten_seconds_pass(at_rex)
    assert Review.objects.get().verdict == "withhold"


def test_a_verdict_under_a_lapsed_lease_is_refused_and_its_words_come_back(at_rex: Client) -> None:
    case(desk())
    answer = next_case(at_rex)
    lapse()
    late = at_rex.post(
        place(answer, "verdict/"), form(answer, "withhold", rationale="long considered")
    )
    assert late.status_code == 409
    assert "Your hold on this case has ended" in text_of(late)
    assert "long considered" in text_of(late)
    assert "long considered" in text_of(at_rex.get("/desk/"))
    again = next_case(at_rex).context["page"]
    assert (again.kept["verdict"], again.kept["rationale"]) == ("withhold", "long considered")


def test_a_heartbeat_renews_the_lease_and_says_when_it_is_gone(at_rex: Client) -> None:
    case(desk())
    answer = next_case(at_rex)
    Seat.objects.update(lease_expires_at=timezone.now() + timedelta(seconds=20))
    renewed = at_rex.post(place(answer, "renew/"), form(answer, ""))
    assert renewed.status_code == 200
    until = Seat.objects.get().lease_expires_at
    assert until is not None
    assert renewed.json() == {"lease_expires_at": until.isoformat()}
    assert until > timezone.now() + timedelta(minutes=10)
    lapse()
    gone = at_rex.post(place(answer, "renew/"), form(answer, "", rationale="half a thought"))
    assert gone.status_code == 409
    assert "Your hold on this case has ended" in text_of(gone)
    assert "half a thought" in Draft.objects.get().body


def test_what_is_typed_is_kept_as_it_is_typed(at_rex: Client) -> None:
    case(desk())
    answer = next_case(at_rex)
    kept = at_rex.post(place(answer, "draft/"), form(answer, "change", rationale="half"))
    assert kept.status_code == 204
    assert at_rex.get(place(answer)).context["page"].kept["rationale"] == "half"
    assert "shown_hash" not in json.loads(Draft.objects.get().body)["form"]


def test_a_foreign_lease_shows_and_takes_nothing(at_rex: Client) -> None:
    case(desk(), **TOLD)
    answer = next_case(at_rex)
    other = client_of(person("lou"))
    for what in ("", "evidence/2/"):
        seen = other.get(place(answer, what))
        assert seen.status_code in (404, 409)
        assert "MARK-" not in text_of(seen)
    for what in ("verdict/", "draft/", "renew/", "release/"):
        assert other.post(place(answer, what), form(answer, "confirm")).status_code == 409
    give(at_rex, answer, "confirm")
    ten_seconds_pass(at_rex)
    assert Review.objects.get().reviewer.username == "rex"


@pytest.mark.parametrize("what", ["verdict/", "draft/", "renew/", "release/"])
def test_a_form_without_a_lease_is_refused(at_rex: Client, what: str) -> None:
    case(desk())
    answer = next_case(at_rex)
    assert at_rex.post(place(answer, what), {"lease": "x", "verdict": "confirm"}).status_code == 400


@pytest.mark.parametrize("what", ["", "evidence/1/"])
def test_a_task_that_is_not_there_is_a_404(at_rex: Client, what: str) -> None:
    assert at_rex.get(f"/desk/case/{uuid4()}/{what}").status_code == 404


def test_a_stopped_use_case_takes_no_verdict_and_loses_no_word(at_rex: Client) -> None:
    use_case = desk()
    decision = case(use_case)
    answer = next_case(at_rex)
    stop(actor=SUITE, use_case=use_case, reason="it errs")
    refused = at_rex.post(place(answer, "verdict/"), form(answer, "withhold", rationale="my words"))
    assert refused.status_code == 409
    assert "my words" in text_of(refused)
    decision.refresh_from_db()
    assert decision.status == "pending"
    assert not Review.objects.exists()


def test_a_case_can_be_put_back_for_somebody_else(at_rex: Client) -> None:
    case(desk())
    answer = next_case(at_rex)
    back = at_rex.post(place(answer, "release/"), form(answer, ""), follow=True)
    assert "The case is back in the queue." in text_of(back)
    assert Seat.objects.get().state == "free"


def test_words_that_did_not_count_can_be_thrown_away(at_rex: Client) -> None:
    case(desk())
    answer = next_case(at_rex)
    lapse()
    at_rex.post(place(answer, "verdict/"), form(answer, "confirm"))
    assert Draft.objects.count() == 1
    at_rex.post(place(answer, "forget/"))
    assert not Draft.objects.exists()


def test_a_file_goes_to_who_holds_the_case_and_can_run_nothing(at_rex: Client) -> None:
    case(desk(), **TOLD)
    answer = next_case(at_rex)
    file = at_rex.get(place(answer, "evidence/2/"))
    assert (file.status_code, file.content, file.headers["Content-Type"]) == (
        200,
        PDF,
        "application/pdf",
    )
    assert file.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert file.headers["X-Content-Type-Options"] == "nosniff"
    for number in (0, 1, 9):
        assert at_rex.get(place(answer, f"evidence/{number}/")).status_code == 404
    lapse()
    assert at_rex.get(place(answer, "evidence/2/")).status_code == 404


def test_a_case_is_kept_by_no_cache_and_has_no_inline_script(at_rex: Client) -> None:
    case(desk(), **TOLD)
    answer = next_case(at_rex)
    assert "no-store" in answer.headers["Cache-Control"]
    text = text_of(answer)
    assert "<script>" not in text
    assert " style=" not in text
    assert not [name for name in (" onclick=", " onload=", " hx-on") if name in text]


def test_opening_a_case_is_on_the_trail(at_rex: Client) -> None:
    decision = case(desk())
    next_case(at_rex)
    event = AccessEvent.objects.get(kind="case_shown")
    assert (event.actor_name, event.target) == ("rex", str(decision.pk))


# --- The team board -------------------------------------------------------------------------


def test_the_board_shows_each_queue_and_who_is_at_it(at_rex: Client, at_lena: Client) -> None:
    use_case = desk({"sla_minutes": 60})
    case(use_case, "a"), case(use_case, "b")
    next_case(at_rex)
    page = at_lena.get("/desk/team/")
    ((queue, name),) = page.context["queues"]
    assert (name, queue.waiting, queue.held_seats) == ("loan", 2, 1)
    assert [(one.username, one.held) for one in page.context["people"]] == [("rex", 1)]
    assert "would hold the limit" in text_of(page)


def test_tasks_are_listed_by_rank_with_what_moved_them_and_narrowed(at_lena: Client) -> None:
    use_case = desk(risk_tier="high")
    case(use_case, "sure", confidence=0.9), case(use_case, "unsure", confidence=0.1)
    rows = at_lena.get("/desk/team/tasks/").context["rows"]
    assert [row.task.decision.external_id for row in rows] == ["unsure", "sure"]
    assert (rows[0].parts.tier_minutes, rows[0].parts.uncertainty_minutes) == (240, 54)
    found = at_lena.get("/desk/team/tasks/?case=sure").context["rows"]
    assert [row.task.decision.external_id for row in found] == ["sure"]
    assert "No task matches" in text_of(at_lena.get("/desk/team/tasks/?state=asked"))


def act(client: Client, decision: Decision, **data: str) -> Any:
    task = ReviewTask.objects.get(decision=decision)
    sent = {"seat": "1", "reason": "knows the trade", **data}
    return client.post(f"/desk/team/tasks/{task.pk}/give/", sent, follow=True)


def test_a_lead_gives_a_case_to_somebody_and_takes_it_back(at_rex: Client, at_lena: Client) -> None:
    decision = case(desk())
    done = act(at_lena, decision, act="assign", person="rex")
    assert "is rex’s now" in text_of(done) or "is rex&#x27;s now" in text_of(done)
    mine = at_rex.get("/desk/").context["mine"]
    assert [(one.external_id, one.state) for one in mine] == [("a", "given to you")]
    act(at_lena, decision, act="unassign")
    assert at_rex.get("/desk/").context["mine"] == []
    act(at_lena, decision, act="return", person="rex")
    assert [row.kind for row in Assignment.objects.order_by("pk")] == [
        "assign",
        "unassign",
        "return",
    ]
    assert "knows the trade" in text_of(at_lena.get(done.redirect_chain[-1][0]))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"act": "assign", "person": "rex", "reason": ""}, "reason"),
        ({"act": "assign", "person": "nobody"}, "There is no person with the login"),
        ({"act": "assign", "person": "rex", "seat": "x"}, "is no seat"),
        ({"act": "assign", "person": "rex", "seat": "7"}, "has no seat 7"),
        ({"act": "assign", "person": "out"}, "may not review"),
        ({"act": "unassign"}, "waits in the queue already"),
    ],
)
def test_an_act_that_cannot_be_done_says_why(
    at_lena: Client, rex: User, data: dict[str, str], said: str
) -> None:
    person("out", "executive")
    answer = act(at_lena, case(desk()), **data)
    assert said in text_of(answer)
    assert not Assignment.objects.exists()


def test_who_leads_another_use_case_sees_none_of_this_one() -> None:
    decision = case(desk())
    task = ReviewTask.objects.get(decision=decision)
    outsider = client_of(person("omar", "risk_lead", use_case="other"))
    assert outsider.get("/desk/team/").context["queues"] == []
    assert outsider.get("/desk/team/tasks/").context["rows"] == []
    assert outsider.get(f"/desk/team/tasks/{task.pk}/").status_code == 404
    assert act(outsider, decision, act="unassign").status_code == 404
    assert outsider.get("/desk/team/known/enter/?of=loan&case=a").status_code == 400


def test_a_reviewer_is_no_lead(at_rex: Client) -> None:
    decision = case(desk())
    assert act(at_rex, decision, act="assign", person="rex").status_code == 403
    for what in ("absences/", "skills/"):
        assert at_rex.post(f"/desk/team/{what}", {}).status_code == 403
    assert AccessEvent.objects.filter(kind="permission_refused").exists()


def test_a_question_goes_to_the_lead_and_the_reply_back_to_its_reviewer(
    at_rex: Client, at_lena: Client
) -> None:
    decision = case(desk())
    give(at_rex, next_case(at_rex), "ask", rationale="Which year is it?")
    ten_seconds_pass(at_rex)
    task = ReviewTask.objects.get(decision=decision)
    assert [one.state for one in at_rex.get("/desk/").context["mine"]] == ["waits for information"]
    address = f"/desk/team/tasks/{task.pk}/"
    assert "Which year is it?" in text_of(at_lena.get(address))
    told = at_lena.post(f"{address}inform/", {"text": "It is 2025."}, follow=True)
    assert "the clock goes on" in text_of(told)
    page = next_case(at_rex).context["page"]
    assert page.exchanges == [{"question": "Which year is it?", "reply": "It is 2025."}]
    assert AccessEvent.objects.filter(kind="personal_data_viewed", actor_name="lena").exists()


def absence(**data: str) -> dict[str, str]:
    now = timezone.now()
    times = {"starts_at": now - timedelta(1), "ends_at": now + timedelta(1)}
    moments = {name: at.strftime("%Y-%m-%dT%H:%M") for name, at in times.items()}
    given = {"person": "rex", "delegate": "lou", "reason": "holiday", **moments, **data}
    return {f"away-{name}": value for name, value in given.items()}


def test_an_absence_hands_on_what_was_given_and_ends_early(at_lena: Client, at_rex: Client) -> None:
    lou, decision = person("lou"), case(desk())
    act(at_lena, decision, act="assign", person="rex")
    done = at_lena.post("/desk/team/absences/", absence(), follow=True)
    assert "1 case was handed on to lou" in text_of(done)
    assert Seat.objects.get().assigned_to == lou
    held = Absence.objects.get()
    over = at_lena.post(f"/desk/team/absences/{held.pk}/end/", {"reason": "back"}, follow=True)
    assert "rex is back" in text_of(over)


def test_an_absence_that_lacks_something_is_not_recorded(at_lena: Client, rex: User) -> None:
    person("lou")
    assert at_lena.post("/desk/team/absences/", absence(person="")).status_code == 400
    wrong = at_lena.post("/desk/team/absences/", absence(ends_at="2020-01-01T00:00"), follow=True)
    assert "is not after the beginning" in text_of(wrong)
    assert not Absence.objects.exists()


def skill(**data: str) -> dict[str, str]:
    given = {"person": "rex", "skill": "credit", "use_case": "", "reason": "examined", **data}
    return {f"skill-{name}": value for name, value in given.items()}


def test_a_skill_is_granted_and_revoked_with_a_reason(at_lena: Client, at_rex: Client) -> None:
    case(desk({"skills": ["credit"]}))
    assert at_rex.post("/desk/next/", follow=True).redirect_chain[-1][0] == "/desk/"
    at_lena.post("/desk/team/skills/", skill())
    held = Qualification.objects.get()
    assert next_case(at_rex).context["page"].external_id == "a"
    address = f"/desk/team/skills/{held.pk}/revoke/"
    at_lena.post(address, {"reason": " "})
    held.refresh_from_db()
    assert held.status == "held"
    at_lena.post(address, {"reason": "left the desk"})
    held.refresh_from_db()
    assert held.status == "revoked"
    assert "revoked" in text_of(at_lena.get("/desk/team/people/?status=revoked"))


def test_a_skill_for_everywhere_is_not_granted_by_who_leads_one_use_case(rex: User) -> None:
    desk()
    limited = client_of(person("lia", "risk_lead", use_case="loan"))
    assert limited.post("/desk/team/skills/", skill()).status_code == 400
    limited.post("/desk/team/skills/", skill(use_case="loan"))
    assert Qualification.objects.get().use_case == "loan"
    elsewhere = qualification_grant(actor=SUITE, user=rex, skill="x", use_case="", reason="trained")
    answer = limited.post(f"/desk/team/skills/{elsewhere.pk}/revoke/", {"reason": "so"})
    assert answer.status_code == 403


def test_a_known_answer_is_entered_for_a_decided_case_and_forgiven(at_lena: Client) -> None:
    use_case = desk()
    send(use_case, body("old", "approve"), past=True)
    old = Decision.objects.get()
    page = at_lena.get("/desk/team/known/enter/?of=loan&case=old")
    assert (page.context["entering"].said, page.context["entering"].final) == ("approve", "approve")
    at_lena.post(f"/desk/team/known/of/{old.pk}/", {"label": "deny", "reason": "looked up"})
    known = KnownAnswer.objects.get()
    assert (known.label, known.status) == ("deny", "active")
    assert "deny" in text_of(at_lena.get(f"/desk/team/known/{known.pk}/"))
    done = at_lena.post(f"/desk/team/known/{known.pk}/forgive/", {"reason": "bad"}, follow=True)
    assert "Forgiven: 0 comparisons" in text_of(done)
    missing = at_lena.get("/desk/team/known/enter/?of=loan&case=none")
    assert missing.status_code == 404


def test_a_known_answer_of_a_case_that_waits_is_refused(at_lena: Client) -> None:
    decision = case(desk())
    refused = at_lena.post(
        f"/desk/team/known/of/{decision.pk}/", {"label": "deny", "reason": "so"}, follow=True
    )
    assert "waits for people still" in text_of(refused)
    assert not KnownAnswer.objects.exists()


def test_a_senior_cannot_look_up_what_a_blind_case_hides() -> None:
    case(desk({"blind": True}), **TOLD)
    senior = client_of(person("sena", "senior_reviewer"))
    refused = senior.get("/desk/team/known/enter/?of=loan&case=a")
    assert refused.status_code == 409
    assert "MARK-" not in text_of(refused)


# --- Cost -----------------------------------------------------------------------------------


def queries(client: Client, address: str) -> int:
    client.get(address)
    with CaptureQueriesContext(connection) as seen:
        assert client.get(address).status_code == 200
    return len(seen)


def more(use_case: UseCase, prefix: str, count: int) -> None:
    """Cases that wait, and decided ones with outcomes."""
    send(use_case, *(body(f"{prefix}-{n}", "deny", 0.5) for n in range(count)))
    send(use_case, *(body(f"{prefix}-old-{n}", "deny", 0.6) for n in range(count)), past=True)
    for decision in Decision.objects.filter(external_id__startswith=f"{prefix}-old"):
        outcome_record(actor=SUITE, decision=decision, label="deny")


def test_the_cost_of_the_queue_and_of_a_case_does_not_grow_with_what_waits(
    at_rex: Client, rex: User
) -> None:
    use_case = desk()
    more(use_case, "few", 3)
    seat = seat_claim(actor=rex.actor, person=rex, now=timezone.now())
    assert seat is not None
    addresses = ("/desk/", f"/desk/case/{seat.task_id}/")
    few = [queries(at_rex, address) for address in addresses]
    more(use_case, "many", 30)
    assert [queries(at_rex, address) for address in addresses] == few


def enter_known(decisions: Iterable[Decision]) -> None:
    for old in decisions:
        known_answer_enter(actor=LEAD, decision_id=old.pk, output={"label": "deny"}, reason="so")


def test_the_cost_of_the_team_board_does_not_grow_with_what_waits(at_lena: Client) -> None:
    use_case = desk()
    more(use_case, "few", 2)
    person("p", skill="credit")
    enter_known(Decision.objects.filter(past=True)[:1])
    addresses = [f"/desk/team/{what}" for what in ("", "tasks/", "people/", "known/")]
    few = [queries(at_lena, address) for address in addresses]
    more(use_case, "many", 20)
    for n in range(8):
        person(f"p{n}", skill="credit")
    enter_known(Decision.objects.filter(past=True, known_answers=None)[:8])
    assert [queries(at_lena, address) for address in addresses] == few
