"""The queue over HTTP: claims and leases, what a lead does, skills and absences."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from apps.accounts.models import Qualification
from apps.reviews.models import Absence, Assignment, ReviewTask, Seat
from tests.api.conftest import ApiClient
from tests.services.queues import claimed, desk, reviewer, waiting

NOTHING = str(uuid4())


@pytest.fixture
def ann(session: Callable[..., ApiClient], db: None) -> ApiClient:
    return session(reviewer("ann"))


@pytest.fixture
def lead(session: Callable[..., ApiClient], db: None) -> ApiClient:
    return session(reviewer("lea", role="risk_lead"))


def claim(client: ApiClient, **body: Any) -> dict[str, Any]:
    response = client.post("reviews/claim/", body)
    assert response.status_code == 200, response.content
    found: dict[str, Any] = response.json()
    return found


# --- Claims and leases ----------------------------------------------------------------------


def test_a_claim_gives_a_case_under_a_lease_and_then_nothing_waits(
    ann: ApiClient, session: Any
) -> None:
    (task,) = waiting(desk(), "a")
    first, again = claim(ann), claim(ann, use_case="loan")
    assert (first["task"], first["decision"]) == (str(task.pk), str(task.decision_id))
    assert (first["stage"], first["lease"]) == ("open", again["lease"])
    assert first["case"]["external_id"] == "a"
    response = session(reviewer("ben")).post("reviews/claim/")
    assert (response.status_code, response.content) == (204, b"")


def test_a_renewed_lease_ends_later_and_one_given_back_ends_at_once(ann: ApiClient) -> None:
    (task,) = waiting(desk(), "a")
    held = claim(ann)
    lease = {"lease": held["lease"]}
    renewed = ann.post(f"reviews/{task.pk}/renew/", lease).json()
    assert (renewed["task"], renewed["lease"]) == (str(task.pk), held["lease"])
    assert renewed["lease_expires_at"] > held["lease_expires_at"]
    assert ann.post(f"reviews/{task.pk}/release/", lease).status_code == 204
    assert Seat.objects.get().state == "free"
    for act in ("renew", "release"):
        assert ann.post(f"reviews/{task.pk}/{act}/", lease).status_code == 409


@pytest.mark.parametrize("act", ["renew", "release"])
def test_a_lease_of_somebody_else_or_of_nothing_is_refused(
    act: str, ann: ApiClient, pointers: Callable[[Any], list[str]]
) -> None:
    (task,) = waiting(desk(), "a")
    foreign = claimed(reviewer("ben"))
    response = ann.post(f"reviews/{task.pk}/{act}/", {"lease": str(foreign.lease)})
    assert (response.status_code, response.json()["title"]) == (
        409,
        "The request conflicts with the present state",
    )
    assert ann.post(f"reviews/{NOTHING}/{act}/", {"lease": NOTHING}).status_code == 404
    assert pointers(ann.post(f"reviews/{task.pk}/{act}/", {"lease": "mine"})) == ["/lease"]


def test_who_serves_another_use_case_may_neither_claim_nor_see_what_is_here(
    session: Any, pointers: Any
) -> None:
    (task,) = waiting(desk(), "a")
    desk("other")
    outsider = session(reviewer("olga", use_case="other"))
    assert outsider.post("reviews/claim/").status_code == 204
    assert outsider.post("reviews/claim/", {"use_case": "loan"}).status_code == 404
    assert outsider.get(f"reviews/{task.pk}/").status_code == 404
    assert outsider.get("reviews/").json()["results"] == []
    assert outsider.get("reviews/stats/").json() == {"use_cases": [], "people": []}
    assert outsider.get("reviews/", use_case="loan").status_code == 404
    assert pointers(outsider.post("reviews/claim/", {"use_case": 5, "x": 1})) == [
        "/use_case",
        "/x",
    ]


# --- What waits -----------------------------------------------------------------------------


def test_ranks_and_names_are_shown_to_the_lead_alone(ann: ApiClient, lead: ApiClient) -> None:
    (task,) = waiting(desk(sla_minutes=60), "a", confidence=0.5)
    claim(ann)
    (listed,) = lead.get("reviews/", use_case="loan").json()["results"]
    assert (listed["id"], listed["external_id"], listed["status"]) == (str(task.pk), "a", "open")
    assert listed["rank_parts"]["tier_minutes"] == 60
    assert listed["rank_parts"]["uncertainty_minutes"] == 30
    (seat,) = lead.get(f"reviews/{task.pk}/").json()["seats"]
    assert (seat["state"], seat["holder"]) == ("leased", "ann")
    seen = ann.get(f"reviews/{task.pk}/").json()
    assert (seen["rank"], seen["rank_parts"], seen["assignments"]) == (None, None, [])
    assert seen["seats"][0]["holder"] is seen["seats"][0]["lease_expires_at"] is None


def test_a_known_answer_does_not_show_in_the_list_of_who_reviews_it(
    ann: ApiClient, lead: ApiClient
) -> None:
    (task,) = waiting(desk(), "a")
    task.kind = "known"
    from tests.services.queues import SUITE

    task.save(actor=SUITE, reason="as a known answer")
    assert ann.get("reviews/").json()["results"] == []
    assert ann.get(f"reviews/{task.pk}/").status_code == 404
    assert [row["kind"] for row in lead.get("reviews/").json()["results"]] == ["known"]


def test_the_state_of_the_queue_names_people_to_their_lead(ann: ApiClient, lead: ApiClient) -> None:
    desk(cases=2, sla_minutes=60)
    claim(ann)
    stats = lead.get("reviews/stats/").json()
    (queue,) = stats["use_cases"]
    assert (queue["use_case"], queue["waiting"], queue["held_seats"], queue["free_seats"]) == (
        "loan",
        2,
        1,
        1,
    )
    assert queue["age_p50"] >= 0
    assert queue["outlook"]["arrivals_per_hour"] == pytest.approx(2 / 24)
    assert queue["outlook"]["staffing"] == 1
    assert [(p["username"], p["held"]) for p in stats["people"]] == [("ann", 1)]
    assert ann.get("reviews/stats/").json()["people"] == []
    assert lead.get("reviews/stats/", use_case="nothing").status_code == 404


# --- The lead's acts ------------------------------------------------------------------------


def test_a_lead_assigns_takes_back_and_returns_with_a_reason(lead: ApiClient) -> None:
    (task,) = waiting(desk(), "a")
    reviewer("ben")
    given = {"person": "ben", "reason": "knows the branch"}
    made = lead.post(f"reviews/{task.pk}/assign/", given)
    assert (made.status_code, made.json()["kind"], made.json()["person"]) == (201, "assign", "ben")
    back = lead.post(f"reviews/{task.pk}/unassign/", {"seat": 1, "reason": "on leave"})
    assert (back.json()["kind"], back.json()["person"]) == ("unassign", None)
    returned = lead.post(f"reviews/{task.pk}/return/", {**given, "seat": 1})
    assert returned.json()["kind"] == "return"
    detail = lead.get(f"reviews/{task.pk}/").json()
    assert [row["kind"] for row in detail["assignments"]] == ["assign", "unassign", "return"]
    assert detail["seats"][0]["assigned_to"] == "ben"


@pytest.mark.parametrize(
    ("act", "body", "pointer"),
    [
        ("assign", {"person": "nobody", "reason": "r"}, "/person"),
        ("assign", {"person": "ann"}, "/reason"),
        ("assign", {"person": "ann", "reason": "r", "seat": 0}, "/seat"),
        ("assign", {"person": "lea", "reason": "r"}, "/person"),
        ("unassign", {"seat": "1", "reason": "r"}, "/seat"),
        ("unassign", {"reason": "r"}, "/seat"),
        ("return", {"seat": 1, "person": "ann", "reason": " "}, "/reason"),
    ],
)
def test_a_faulty_act_is_refused_on_the_field(
    act: str,
    body: dict[str, Any],
    pointer: str,
    ann: ApiClient,
    lead: ApiClient,
    pointers: Callable[[Any], list[str]],
) -> None:
    """The risk lead leads the desk and reviews nothing in it."""
    (task,) = waiting(desk(), "a")
    assert pointers(lead.post(f"reviews/{task.pk}/{act}/", body)) == [pointer]
    assert not Assignment.objects.exists()


@pytest.mark.parametrize("act", ["assign", "unassign", "return"])
def test_a_reviewer_leads_nothing_and_a_lead_elsewhere_nothing_here(
    act: str, ann: ApiClient, session: Any
) -> None:
    (task,) = waiting(desk(), "a")
    desk("other")
    body = {"person": "ann", "seat": 1, "reason": "r"}
    if act == "unassign":
        del body["person"]
    elsewhere = session(reviewer("eve", role="risk_lead", use_case="other"))
    assert ann.post(f"reviews/{task.pk}/{act}/", body).status_code == 403
    assert elsewhere.post(f"reviews/{task.pk}/{act}/", body).status_code == 404
    closed = ReviewTask.objects.get()
    assert closed.status == "open"


def test_what_waits_for_one_is_handed_on_in_the_use_cases_one_leads(
    session: Any, lead: ApiClient
) -> None:
    for slug in ("first", "second"):
        (task,) = waiting(desk(slug), slug)
        if slug == "first":
            reviewer("ben")
            reviewer("cid")
        assert (
            lead.post(f"reviews/{task.pk}/assign/", {"person": "ben", "reason": "r"}).status_code
            == 201
        )
    handed = {"person": "ben", "delegate": "cid", "reason": "leave"}
    local = session(reviewer("loc", role="risk_lead", use_case="first"))
    assert local.post("reviews/delegate/", handed).json() == {"moved": 1}
    assert lead.post("reviews/delegate/", handed).json() == {"moved": 1}


# --- Absences and qualifications ------------------------------------------------------------


def test_an_absence_is_recorded_listed_and_ended(lead: ApiClient, pointers: Any) -> None:
    reviewer("ben")
    reviewer("cid")
    now = timezone.now()
    body = {
        "person": "ben",
        "delegate": "cid",
        "starts_at": now.isoformat(),
        "ends_at": (now + timedelta(days=1)).isoformat(),
        "reason": "leave",
    }
    made = lead.post("absences/", body)
    assert (made.status_code, made.json()["person"], made.json()["delegate"]) == (201, "ben", "cid")
    assert lead.post("absences/", body).status_code == 409
    assert pointers(lead.post("absences/", {**body, "delegate": "ben"})) == ["/delegate"]
    assert pointers(lead.post("absences/", {**body, "ends_at": "soon"})) == ["/ends_at"]
    assert [row["person"] for row in lead.get("absences/").json()["results"]] == ["ben"]
    key = made.json()["id"]
    assert lead.post(f"absences/{key}/end/", {"reason": "back"}).status_code == 200
    assert lead.post(f"absences/{key}/end/", {"reason": "back"}).status_code == 409
    assert lead.post(f"absences/{NOTHING}/end/", {"reason": "back"}).status_code == 404
    assert Absence.objects.get().ends_at < now + timedelta(days=1)


def test_a_qualification_is_granted_listed_and_revoked(lead: ApiClient, pointers: Any) -> None:
    desk()
    reviewer("ben")
    body = {"person": "ben", "skill": "credit", "use_case": "loan", "reason": "exam"}
    made = lead.post("qualifications/", body)
    assert made.status_code == 201
    assert made["Location"].endswith(f"/qualifications/{made.json()['id']}/")
    assert (made.json()["status"], made.json()["person"]) == ("held", "ben")
    assert lead.get("qualifications/", person="ben", status="held").json()["results"]
    assert lead.get("qualifications/", skill="law").json()["results"] == []
    assert pointers(lead.post("qualifications/", {**body, "skill": " "})) == ["/skill"]
    assert pointers(lead.post("qualifications/", {**body, "person": "no"})) == ["/person"]
    past = {**body, "valid_until": "2020-01-01T00:00:00Z"}
    assert pointers(lead.post("qualifications/", past)) == ["/valid_until"]
    assert lead.post("qualifications/", {**body, "use_case": "nowhere"}).status_code == 404
    assert lead.post("qualifications/", {**body, "person": "lea"}).status_code == 409
    path = f"qualifications/{made.json()['id']}/"
    assert lead.get(path).json() == made.json()
    assert lead.post(f"{path}revoke/", {"reason": "moved"}).json()["status"] == "revoked"
    assert lead.post(f"{path}revoke/", {"reason": "moved"}).status_code == 409


def test_a_lead_of_one_use_case_grants_nothing_elsewhere_and_sees_nothing_of_it(
    session: Any,
) -> None:
    desk("first")
    desk("second")
    reviewer("ben", "credit")
    local = session(reviewer("loc", role="senior_reviewer", use_case="first"))
    body = {"person": "ben", "skill": "law", "reason": "exam"}
    assert local.post("qualifications/", body).status_code == 403
    assert local.post("qualifications/", {**body, "use_case": "second"}).status_code == 404
    assert local.post("qualifications/", {**body, "use_case": "first"}).status_code == 201
    everywhere = Qualification.objects.get(skill="credit")
    assert local.get(f"qualifications/{everywhere.pk}/").status_code == 200
    revoke = f"qualifications/{everywhere.pk}/revoke/"
    assert local.post(revoke, {"reason": "r"}).status_code == 403
    assert session(reviewer("ann")).post(revoke, {"reason": "r"}).status_code == 403
