"""Exports as jobs, by page and by API: asked for, made, followed, taken; each a record."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.accounts.callers import Caller, caller_of_user
from apps.accounts.domain.matrix import ACTIONS, PEOPLE
from apps.accounts.models import User
from apps.accounts.services import (
    person_create,
    person_update,
    role_grant,
    role_revoke,
    service_key_create,
)
from apps.audit.models import AccessEvent
from apps.common.actor import Actor
from apps.common.errors import BadInput, NotFound, NotPermitted
from apps.exports import jobs, services
from apps.exports.models import ExportJob
from apps.exports.selectors import EXPORT_MADE, ExportFilter
from apps.registry.services import decision_right_grant
from tests.services.ledgers import small_ledger
from tests.services.test_exports import verified

SUITE = Actor.command("suite")
API = "/api/v1/audit/exports/"
SignedIn = Callable[..., Client]


@pytest.fixture(autouse=True)
def database(committed_db: Any, tmp_path: Path, settings: Any) -> None:
    """Every test here commits, and keeps its bundles in a folder of its own."""
    settings.DATA_DIR = tmp_path


def person(name: str, *roles: str, use_case: str = "") -> User:
    made = person_create(actor=SUITE, username=name)
    for role in roles:
        role_grant(actor=SUITE, user=made, role=role, use_case=use_case)
    return made


def caller(name: str = "cora", *roles: str, use_case: str = "") -> Caller:
    return caller_of_user(person(name, *(roles or ("compliance_officer",)), use_case=use_case))


def signed_in(name: str, *roles: str, use_case: str = "") -> Client:
    client = Client()
    client.force_login(person(name, *roles, use_case=use_case))
    return client


def ask(by: Caller, **more: Any) -> ExportJob:
    filters = ExportFilter(**more.pop("filters", {}))
    return jobs.export_ask(caller=by, filters=filters, **{"purpose": "yearly review", **more})


def events(kind: str) -> list[AccessEvent]:
    return list(AccessEvent.objects.filter(kind=kind).order_by("pk"))


def taken(client: Client, job: ExportJob) -> bytes:
    answer: Any = client.get(f"/audit/exports/{job.pk}/download/")
    assert answer.status_code == 200
    content = b"".join(answer.streaming_content)
    answer.close()
    return content


# --- The job --------------------------------------------------------------------------------


def test_a_job_makes_the_bundle_and_says_how_large_it_is() -> None:
    small_ledger()
    job = ask(caller())
    assert (job.status, jobs.bundle_path(job).exists()) == ("waiting", False)
    assert jobs.export_jobs_run() == 1
    job.refresh_from_db()
    path = jobs.bundle_path(job)
    assert (job.status, job.progress, job.size) == ("done", 1.0, path.stat().st_size)
    assert verified(path) == f"PASS {job.records} records"
    assert jobs.export_jobs_run() == 0
    (asked,), (made,) = events(jobs.ASKED), events(EXPORT_MADE)
    assert (asked.actor_name, asked.detail["purpose"]) == ("cora", "yearly review")
    assert (made.actor_name, made.detail["sha256"]) == ("cora", job.sha256)


def test_what_was_asked_for_is_what_is_made(make_use_case: Any) -> None:
    make_use_case("loan-approval")
    make_use_case("fraud-triage")
    begin = timezone.now() - timedelta(hours=1)
    filters = {"use_case": "loan-approval", "type": "use_case", "begin": begin}
    job = ask(caller(), filters=filters, formats=["xlsx", "csv"])
    jobs.export_jobs_run()
    job.refresh_from_db()
    assert (job.records, job.formats) == (1, ["csv", "xlsx"])
    with zipfile.ZipFile(jobs.bundle_path(job)) as bundle:
        manifest = json.loads(bundle.read("manifest.json"))
        assert {"records.csv", "records.xlsx"} <= set(bundle.namelist())
    assert manifest["filter"]["use_case"] == "loan-approval"


def test_a_data_subject_stands_in_the_job_under_pseudonyms_alone(make_use_case: Any) -> None:
    make_use_case("loan-approval")
    make_use_case("fraud-triage")
    job = ask(caller(), filters={"subject": "cust-77"})
    assert len(job.filters["subject_pseudonyms"]) == 2
    assert "cust-77" not in json.dumps([job.filters, [one.detail for one in events(jobs.ASKED)]])
    again = jobs.filter_of(job)
    assert sorted(again.pseudonyms) == sorted(job.filters["subject_pseudonyms"])
    jobs.export_jobs_run()
    job.refresh_from_db()
    assert (job.status, job.records) == ("done", 0)


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"purpose": "  "}, BadInput),
        ({"purpose": "x" * 501}, BadInput),
        ({"formats": ["docx"]}, BadInput),
        ({"filters": {"use_case": "not-there"}}, NotFound),
        ({"filters": {"type": "nonsense"}}, BadInput),
        ({"filters": {"actor": "nobody-is"}}, NotFound),
    ],
)
def test_what_cannot_be_made_is_refused_before_it_is_a_job(
    more: dict[str, Any], error: type[Exception]
) -> None:
    by = caller()
    with pytest.raises(error):
        ask(by, **more)
    assert not ExportJob.objects.exists()
    assert events(jobs.ASKED) == []


def test_who_may_export_one_use_case_alone_is_refused_the_whole_trail(make_use_case: Any) -> None:
    make_use_case("loan-approval")
    by = caller("lea", "auditor", use_case="loan-approval")
    with pytest.raises(NotPermitted):
        ask(by)
    assert ask(by, filters={"use_case": "loan-approval"}).use_case == "loan-approval"


def test_who_lost_the_right_meanwhile_gets_no_bundle() -> None:
    by = caller()
    job = ask(by)
    assert by.user is not None
    role_revoke(actor=SUITE, grant=by.user.role_grants.get(), reason="moved on")
    assert jobs.export_jobs_run() == 0
    job.refresh_from_db()
    assert job.status == "failed"
    assert "may not export the audit trail" in job.error
    other = ask(caller("dora"))
    person_update(
        actor=SUITE, user=User.objects.get(username="dora"), is_active=False, reason="left"
    )
    assert jobs.export_jobs_run() == 0
    other.refresh_from_db()
    assert (other.status, "may do nothing any more" in other.error) == ("failed", True)
    assert events(EXPORT_MADE) == []


def test_a_job_that_was_begun_too_often_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def die(**given: Any) -> Any:
        raise MemoryError("as if killed")

    monkeypatch.setattr(jobs, "export_audit", die)
    job = ask(caller())
    for _ in range(jobs.BEGUN_AT_MOST):
        with pytest.raises(MemoryError):
            jobs.export_jobs_run()
    job.refresh_from_db()
    assert (job.status, job.begun) == ("running", 3)
    assert jobs.export_jobs_run() == 0
    job.refresh_from_db()
    assert (job.status, job.error) == ("failed", "it was begun 3 times and never finished")


def test_progress_is_told_and_never_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "TOLD_EVERY", 1)
    small_ledger()
    told: list[float] = []
    monkeypatch.setattr(jobs, "_teller", lambda job: told.append)
    ask(caller(), formats=["csv", "xlsx"])
    jobs.export_jobs_run()
    assert len(told) > 10
    assert told == sorted(told)
    assert told[0] == 0.0
    assert 0.8 < told[-1] < 1.0


def test_a_running_job_shows_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "TOLD_EVERY_S", 0.0)
    small_ledger()
    job = ask(caller())
    seen: list[float] = []
    write = services._record

    def look(*given: Any) -> None:
        seen.append(ExportJob.objects.get(pk=job.pk).progress)
        write(*given)

    monkeypatch.setattr(services, "_record", look)
    jobs.export_jobs_run()
    assert len(seen) == 1
    assert 0.0 < seen[0] < 1.0


def test_files_go_after_their_time_and_the_row_says_so() -> None:
    job = ask(caller())
    jobs.export_jobs_run()
    assert jobs.exports_tidy(timezone.now()) == 0
    assert jobs.bundle_path(job).exists()
    assert list(jobs.folder().glob(".*.lock")) == []
    assert jobs.exports_tidy(timezone.now() + jobs.KEPT_FOR + timedelta(minutes=1)) == 1
    job.refresh_from_db()
    assert (job.status, jobs.bundle_path(job).exists()) == ("removed", False)


# --- The pages ------------------------------------------------------------------------------


def test_the_audit_page_hands_its_filters_to_the_export(make_use_case: Any) -> None:
    make_use_case("loan-approval")
    client = signed_in("cora", "compliance_officer")
    text = client.get("/audit/?type=use_case&use_case=loan-approval").content.decode()
    assert 'name="type" value="use_case"' in text
    assert 'name="use_case" value="loan-approval"' in text
    given = {
        "type": "use_case",
        "use_case": "loan-approval",
        "purpose": "file 12",
        "formats": "csv",
    }
    answer = client.post("/audit/exports/ask/", given, follow=True)
    assert answer.redirect_chain == [("/audit/exports/", 302)]
    ((job, name),) = answer.context["rows"]
    assert (job.status, name, answer.context["working"]) == ("waiting", "loan-approval", True)
    assert (job.filters["type"], job.formats) == ("use_case", ["jsonl", "csv"])
    assert 'hx-trigger="every 2s"' in answer.content.decode()


def test_who_may_read_but_not_export_is_offered_no_export() -> None:
    client = signed_in("ada", "administrator")
    answer = client.get("/audit/")
    assert answer.context["export_form"] is None
    assert "/audit/exports/ask/" not in answer.content.decode()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("purpose", ""),
        ("purpose", "   "),
        ("type", "nonsense"),
        ("use_case", "not-there"),
        ("actor", "nobody-is"),
        ("begin", "yesterday"),
        ("formats", "docx"),
    ],
)
def test_a_bad_field_is_named_and_what_was_typed_is_kept(field: str, value: str) -> None:
    client = signed_in("cora", "compliance_officer")
    answer = client.post("/audit/exports/ask/", {"purpose": "file 12", field: value})
    assert (answer.status_code, list(answer.context["form"].errors)) == (400, [field])
    if field != "purpose":
        assert "file 12" in answer.content.decode()
    assert not ExportJob.objects.exists()


def test_a_period_that_ends_before_it_begins_is_named_at_its_beginning() -> None:
    client = signed_in("cora", "compliance_officer")
    given = {"purpose": "p", "begin": "2026-03-02T00:00", "end": "2026-03-01T00:00"}
    answer = client.post("/audit/exports/ask/", given)
    assert (answer.status_code, list(answer.context["form"].errors)) == (400, ["begin"])


def test_the_bundle_is_taken_and_each_time_that_is_a_record() -> None:
    small_ledger()
    client = signed_in("cora", "compliance_officer")
    client.post("/audit/exports/ask/", {"purpose": "file 12"})
    job = ExportJob.objects.get()
    take = f"/audit/exports/{job.pk}/download/"
    early = client.get(take, follow=True)
    assert "Not taken: the export is waiting" in early.content.decode()
    assert events(jobs.DOWNLOADED) == []
    jobs.export_jobs_run()
    answer = client.get(take)
    content = b"".join(answer.streaming_content)
    answer.close()
    job.refresh_from_db()
    assert answer["Content-Type"] == "application/zip"
    assert f'filename="audit-all-{job.tree_size}.zip"' in answer["Content-Disposition"]
    assert len(content) == job.size
    assert "verify.py" in zipfile.ZipFile(io.BytesIO(content)).namelist()
    (event,) = events(jobs.DOWNLOADED)
    assert (event.actor_name, event.target) == ("cora", str(job.pk))
    assert event.detail["sha256"] == job.sha256
    jobs.bundle_path(job).unlink()
    assert "ask for the export again" in client.get(take, follow=True).content.decode()


def test_the_list_alone_is_answered_while_it_is_asked_again_and_stops_when_all_is_done() -> None:
    client = signed_in("cora", "compliance_officer")
    client.post("/audit/exports/ask/", {"purpose": "file 12"})
    part = client.get("/audit/exports/", headers={"hx-request": "true"}).content.decode()
    assert "<html" not in part
    assert "every 2s" in part
    ExportJob.objects.update(status="running", progress=0.42)
    assert "42 %" in client.get("/audit/exports/").content.decode()
    ExportJob.objects.update(status="waiting", progress=0.0)
    jobs.export_jobs_run()
    part = client.get("/audit/exports/", headers={"hx-request": "true"}).content.decode()
    assert "every 2s" not in part
    assert "Download" in part


def test_one_limited_to_a_use_case_sees_and_takes_its_exports_alone(make_use_case: Any) -> None:
    make_use_case("loan-approval")
    make_use_case("fraud-triage")
    by = caller()
    whole = ask(by)
    own = ask(by, filters={"use_case": "loan-approval"})
    other = ask(by, filters={"use_case": "fraud-triage"})
    jobs.export_jobs_run()
    client = signed_in("lea", "auditor", use_case="loan-approval")
    rows = client.get("/audit/exports/").context["rows"]
    assert [job.pk for job, _name in rows] == [own.pk]
    assert taken(client, own)
    for hidden in (whole, other):
        assert client.get(f"/audit/exports/{hidden.pk}/download/").status_code == 404
    refused = client.post("/audit/exports/ask/", {"purpose": "p"})
    assert (refused.status_code, list(refused.context["form"].errors)) == (400, ["use_case"])


def test_where_the_right_to_export_has_holders_nobody_else_takes_a_bundle(
    make_use_case: Any,
) -> None:
    case = make_use_case("loan-approval")
    job = ask(caller(), filters={"use_case": "loan-approval"})
    jobs.export_jobs_run()
    holder = person("hana", "auditor")
    decision_right_grant(
        actor=SUITE, use_case=case, right="export", person=holder, reason="appointed"
    )
    client = signed_in("otto", "auditor")
    assert client.get(f"/audit/exports/{job.pk}/download/").status_code == 403
    given = {"purpose": "p", "use_case": "loan-approval"}
    assert client.post("/audit/exports/ask/", given).status_code == 403
    assert client.post("/audit/exports/ask/", {"purpose": "p"}).status_code == 403
    own = Client()
    own.force_login(holder)
    assert taken(own, job)


@pytest.mark.parametrize("role", sorted(PEOPLE))
def test_the_page_opens_to_the_roles_of_the_matrix_alone(role: str) -> None:
    client = signed_in(role, role)
    may = role in ACTIONS["audit.export"].roles
    assert (client.get("/audit/exports/").status_code == 200) == may
    answer = client.post("/audit/exports/ask/", {"purpose": "p"})
    assert answer.status_code == (302 if may else 403)


def test_the_list_costs_the_same_number_of_queries_at_any_length(make_use_case: Any) -> None:
    client, by = signed_in("aud", "auditor"), caller()
    make_use_case("case-0")

    def queries() -> int:
        client.get("/audit/exports/")
        with CaptureQueriesContext(connection) as seen:
            assert client.get("/audit/exports/").status_code == 200
        return len(seen)

    ask(by, filters={"use_case": "case-0"})
    few = queries()
    for n in range(1, 8):
        make_use_case(f"case-{n}")
        ask(by, filters={"use_case": f"case-{n}"})
    assert queries() == few


# --- The API --------------------------------------------------------------------------------


@pytest.fixture
def program() -> Callable[..., Client]:
    def make(role: str, use_case: str = "") -> Client:
        _, key = service_key_create(actor=SUITE, name=f"{role} key", role=role, use_case=use_case)
        return Client(headers={"authorization": f"Bearer {key}"})

    return make


def post(client: Client, body: dict[str, Any], **headers: str) -> Any:
    return client.post(API, body, content_type="application/json", headers=headers)


def test_a_program_asks_follows_and_takes(program: Any, make_use_case: Any) -> None:
    make_use_case("loan-approval")
    client = program("auditor")
    answer = post(client, {"use_case": "loan-approval", "formats": ["csv"], "purpose": "file 12"})
    assert answer.status_code == 202
    document = answer.json()
    assert (document["status"], document["progress"]) == ("waiting", 0.0)
    place = f"{API}{document['id']}/"
    assert answer["Location"] == place
    early = client.get(f"{place}download/")
    assert (early.status_code, early["Content-Type"]) == (409, "application/problem+json")
    jobs.export_jobs_run()
    done = client.get(place).json()
    assert (done["status"], done["progress"], done["records"]) == (
        "done",
        1.0,
        2,
    )  # and what was asked
    assert done["filters"]["use_case"] == "loan-approval"
    taken = client.get(f"{place}download/")
    content = b"".join(taken.streaming_content)
    taken.close()
    assert (taken["Content-Type"], len(content)) == ("application/zip", done["size"])
    (event,) = events(jobs.DOWNLOADED)
    assert (event.actor_kind, event.actor_name) == ("program", "auditor key")


def test_the_same_request_with_its_key_again_is_one_export(program: Any) -> None:
    client = program("auditor")
    first = post(client, {"purpose": "file 12"}, **{"idempotency-key": "k-1"})
    again = post(client, {"purpose": "file 12"}, **{"idempotency-key": "k-1"})
    assert first.json()["id"] == again.json()["id"]
    assert ExportJob.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/purpose"),
        ({"purpose": " "}, "/purpose"),
        ({"purpose": "p", "formats": ["docx"]}, "/formats/0"),
        ({"purpose": "p", "type": "nonsense"}, "/type"),
        ({"purpose": "p", "from": "yesterday"}, "/from"),
        ({"purpose": "p", "from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "/from"),
        ({"purpose": "p", "decision": "x"}, "/decision"),
        ({"purpose": "p", "whose": "x"}, "/whose"),
    ],
)
def test_each_bad_field_is_named(program: Any, body: dict[str, Any], pointer: str) -> None:
    answer = post(program("auditor"), body)
    assert answer.status_code == 400
    assert [one["pointer"] for one in answer.json()["errors"]] == [pointer]


def test_an_outsider_sees_nothing(program: Any, make_use_case: Any) -> None:
    make_use_case("loan-approval")
    make_use_case("fraud-triage")
    job = ask(caller(), filters={"use_case": "fraud-triage"})
    outsider = program("auditor", "loan-approval")
    for path in (f"{API}{job.pk}/", f"{API}{job.pk}/download/"):
        assert outsider.get(path).status_code == 404
        assert program("executive").get(path).status_code == 403
        assert Client().get(path).status_code == 401
    assert post(outsider, {"purpose": "p"}).status_code == 403
    assert post(outsider, {"purpose": "p", "use_case": "not-there"}).status_code in (403, 404)
