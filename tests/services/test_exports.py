"""Bundles of the audit trail: what is in them, that they verify anywhere, that none is half."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.accounts.callers import Caller, caller_of_command, caller_of_user
from apps.api.problems import problem_response
from apps.audit import ledger, sealing
from apps.audit.events import Event, record_event
from apps.audit.models import AccessEvent, Leaf
from apps.common.errors import BadInput, Conflict, LedgerBroken, NotFound, NotPermitted
from apps.decisions.domain.content import subject_pseudonym
from apps.exports import selectors, services
from apps.exports.formats import FORMATS
from apps.exports.selectors import ExportFilter
from apps.exports.services import ExportResult, export_audit
from apps.exports.verifier import verifier_source
from apps.registry.services import (
    ai_system_register,
    ai_system_update,
    decision_right_grant,
    model_version_register,
)
from tests.services.ledgers import ANN, small_ledger, triggers_off

OPERATOR = caller_of_command("operator")


@pytest.fixture(autouse=True)
def database(committed_db: Any) -> None:
    """Every test here commits."""


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder / "bundle.zip"


def export(out: Path, caller: Caller = OPERATOR, **options: Any) -> ExportResult:
    filters = ExportFilter(**options.pop("filters", {}))
    return export_audit(caller=caller, filters=filters, out=out, **options)


def verified(bundle: Path, *arguments: object) -> str:
    """What verify.py says in a Python that has nothing but its standard library."""
    script = bundle.with_name("verify.py")
    script.write_bytes(verifier_source())
    command = [sys.executable, "-I", "-S", str(script), str(bundle), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=bundle.parent)
    assert done.stderr == ""
    assert (done.returncode == 0) == done.stdout.startswith("PASS")
    return done.stdout.splitlines()[0]


def member(bundle: Path, name: str) -> bytes:
    with zipfile.ZipFile(bundle) as archive:
        return archive.read(name)


def records(bundle: Path) -> list[dict[str, Any]]:
    lines = member(bundle, "records.jsonl").splitlines()
    return [json.loads(line)["record"] for line in lines]


def test_a_bundle_of_everything_verifies_without_the_platform(out: Path) -> None:
    small_ledger()
    ai_system_register(actor=ANN, name="waiting")
    result = export(out, formats=list(FORMATS))
    assert verified(out) == f"PASS {result.records} records"
    assert result.records == result.tree_size == ledger.head().tree_size
    assert '"waiting"' in member(out, "records.jsonl").decode(), "what was pending is sealed first"
    with zipfile.ZipFile(out) as archive:
        assert {entry.member for entry in FORMATS.values()} <= set(archive.namelist())


def test_every_text_survives_every_format(out: Path) -> None:
    odd = ["=1+1", "<r><t>x</t></r>", "a\r\nb\tc", '"q", \\ _x0041_', " ü ￿ \u2028 ", "-5", ""]
    for number, text in enumerate(odd):
        ai_system_register(actor=ANN, name=f"odd-{number}", intended_purpose=text)
    export(out, formats=list(FORMATS), filters={"type": "ai_system"})
    assert verified(out) == f"PASS {len(odd)} records"
    assert [record["intended_purpose"] for record in records(out)] == odd
    import pyarrow.parquet as pq

    copy = out.with_suffix(".parquet")
    copy.write_bytes(member(out, "records.parquet"))
    table = pq.read_table(copy).to_pydict()
    assert table["intended_purpose"] == odd
    assert table["history_id"] == [record["history_id"] for record in records(out)]


def test_an_empty_result_is_a_bundle_that_verifies(out: Path) -> None:
    small_ledger()
    later = datetime.now(UTC) + timedelta(days=1)
    export(out, formats=list(FORMATS), filters={"begin": later})
    assert verified(out) == "PASS 0 records"


def test_the_columns_are_those_of_every_exported_schema_and_of_no_other(out: Path) -> None:
    small_ledger()
    export(out, filters={"type": "ai_system"})
    header = member(out, "records.csv").decode().split("\r\n")[0].split(",")
    assert header[:2] == ["type", "schema"]
    assert set(header) == set(records(out)[0])


def test_a_use_case_filter_takes_its_records_alone(out: Path, make_use_case: Any) -> None:
    small_ledger()
    make_use_case("loan-approval")
    make_use_case("fraud-triage")
    export(out, filters={"use_case": "loan-approval"})
    assert verified(out) == "PASS 1 records"
    assert [record["slug"] for record in records(out)] == ["loan-approval"]


def test_a_time_filter_takes_its_beginning_and_leaves_its_end_out(out: Path) -> None:
    small_ledger()
    at = list(
        Leaf.objects.filter(record_type="ai_system").order_by("index").values_list("at", flat=True)
    )
    export(out, filters={"type": "ai_system", "begin": at[1], "end": at[3]})
    assert verified(out) == "PASS 2 records"
    written = [f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}" for moment in at[1:3]]
    assert [record["history_date"] for record in records(out)] == written


def test_an_actor_is_found_by_login_and_by_id(out: Path, make_person: Any) -> None:
    person = make_person("eve")
    ai_system_register(actor=person.actor, name="of-eve")
    ai_system_register(actor=ANN, name="of-ann")
    export(out, filters={"actor": "eve"})
    by_login = records(out)
    export(out, filters={"actor": str(person.pk)})
    assert records(out) == by_login
    assert [record["name"] for record in by_login] == ["of-eve"]


def test_a_subject_filter_takes_the_decision_and_all_that_belongs_to_it(
    out: Path, monkeypatch: pytest.MonkeyPatch, make_use_case: Any, settings: Any
) -> None:
    """AI systems stand for decisions here, their provider for the pseudonym, versions for the rest."""
    monkeypatch.setattr(selectors, "SUBJECT_COLUMN", "provider")
    monkeypatch.setattr(selectors, "DECISION_COLUMN", "system_id")
    monkeypatch.setattr(selectors, "DECISION_TYPE", "ai_system")
    make_use_case("loan-approval")
    pseudonym = subject_pseudonym(settings.PSEUDONYM_KEY.encode(), "loan-approval", "cust-77")
    hers = ai_system_register(actor=ANN, name="hers", provider=pseudonym)
    ai_system_update(actor=ANN, system=hers, reason="moved", provider="nobody")
    model_version_register(actor=ANN, system=hers, version="1")
    other = ai_system_register(actor=ANN, name="another", provider="other")
    model_version_register(actor=ANN, system=other, version="2")
    export(out, filters={"subject": "cust-77"})
    hers_alone = [("hers", pseudonym), ("hers", "nobody"), ("1", None)]
    assert [(r.get("name") or r["version"], r.get("provider")) for r in records(out)] == hers_alone
    manifest = member(out, "manifest.json").decode()
    assert "cust-77" not in manifest
    assert json.loads(manifest)["filter"]["subject_pseudonyms"] == [pseudonym]
    export(out, filters={"decision": hers.pk})
    assert [(r.get("name") or r["version"], r.get("provider")) for r in records(out)] == hers_alone
    export(out, filters={"subject": pseudonym})
    assert len(records(out)) == 3


def test_a_subject_of_whom_nothing_is_recorded_gives_an_empty_bundle(out: Path) -> None:
    small_ledger()
    export(out, filters={"subject": "cust-nobody"})
    assert verified(out) == "PASS 0 records"


def test_a_second_export_verifies_against_the_first(out: Path) -> None:
    small_ledger()
    first = out.with_name("first.zip")
    export(first)
    ai_system_register(actor=ANN, name="delta")
    export(out, filters={"type": "ai_system"})
    assert verified(out, "--against", first) == "PASS 7 records"
    key = out.with_name("key.pem")
    key.write_bytes(member(first, "public_key.pem"))
    assert verified(out, "--key", key, "--against", first) == "PASS 7 records"


def test_an_export_of_another_ledger_is_no_earlier_state_of_this_one(out: Path) -> None:
    small_ledger()
    first = out.with_name("first.zip")
    export(first)
    export(out)
    assert verified(first, "--against", out).startswith("FAIL")


def test_the_same_filter_at_the_same_size_gives_the_same_bytes(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_ledger()
    export(out)
    sealing.seal_all()
    monkeypatch.setattr(sealing, "seal_all", lambda: 0)
    first, second = (
        export(out.with_name(name), formats=formats)
        for name, formats in (
            ("one.zip", ["pdf", "xlsx", "parquet", "csv"]),
            ("two.zip", list(FORMATS)[1:]),
        )
    )
    assert first.tree_size == second.tree_size
    assert first.path.read_bytes() == second.path.read_bytes()
    assert json.loads(member(first.path, "consistency.json"))["proofs"], "earlier exports are named"


def test_the_export_is_itself_a_record(out: Path, make_person: Any) -> None:
    officer = caller_of_user(make_person("cora", "compliance_officer"))
    result = export(out, officer, filters={"type": "person"}, purpose="yearly audit")
    event = AccessEvent.objects.get(kind="export_made")
    assert event.actor_name == "cora"
    assert event.detail == {
        "filter": result.filters,
        "formats": ["jsonl", "csv"],
        "records": 1,
        "tree_size": result.tree_size,
        "root": result.root,
        "sha256": sha256(out.read_bytes()).hexdigest(),
        "purpose": "yearly audit",
    }
    sealing.seal_all()
    assert Leaf.objects.filter(record_type="access_event", record_id=event.pk).exists()


def forge_leaf(owner: Any, index: int) -> None:
    mark = "%s" if connection.vendor == "postgresql" else "?"
    data = Leaf.objects.get(index=index).data.replace("beta", "brta")
    with triggers_off(owner):
        owner.execute(f'UPDATE audit_leaf SET data = {mark} WHERE "index" = {index}', [data])


def test_a_leaf_edited_by_the_owner_of_the_database_makes_no_bundle(out: Path, owner: Any) -> None:
    small_ledger()
    index = Leaf.objects.filter(data__contains="beta").latest("index").index
    forge_leaf(owner, index)
    with pytest.raises(LedgerBroken, match="verify_audit --full"):
        export(out, formats=list(FORMATS))
    assert list(out.parent.iterdir()) == []
    assert not AccessEvent.objects.filter(kind="export_made").exists()


@pytest.mark.parametrize("data", ["", "no json", '{"a":1}', '{"type":"ai_system"}\n5 {"x":2}'])
def test_a_leaf_that_is_no_record_makes_no_bundle(out: Path, owner: Any, data: str) -> None:
    small_ledger()
    mark = "%s" if connection.vendor == "postgresql" else "?"
    with triggers_off(owner):
        owner.execute(f'UPDATE audit_leaf SET data = {mark} WHERE "index" = 3', [data])
    with pytest.raises(LedgerBroken, match="no bundle was made"):
        export(out)
    assert list(out.parent.iterdir()) == []


@pytest.mark.parametrize("step", ["read_records", "write_bundle", "_record", "_flush_folder"])
def test_a_failure_midway_leaves_an_older_file_as_it_was(
    out: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    small_ledger()
    out.write_bytes(b"the older bundle")

    def fail(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(services, step, fail)
    with pytest.raises(Conflict, match="No space left on device"):
        export(out)
    if step == "_flush_folder":
        assert verified(out).startswith("PASS"), "after the rename it is whole"
    else:
        assert out.read_bytes() == b"the older bundle"
    assert {path.name for path in out.parent.iterdir()} <= {out.name, "verify.py"}


def test_a_database_that_cannot_record_the_export_gives_no_bundle(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_ledger()

    def fail(event: Event) -> None:
        raise RuntimeError("the trail is full")

    monkeypatch.setattr(services, "record_event", fail)
    with pytest.raises(RuntimeError, match="the trail is full"):
        export(out)
    assert list(out.parent.iterdir()) == []


def refusal_recorded(refusal: NotPermitted, caller: Caller) -> AccessEvent:
    """As the API answers it: the door records what the service refused."""

    class Request:
        _user = caller
        META = {"REMOTE_ADDR": "192.0.2.1"}

    assert problem_response(refusal, {"request": Request()}).status_code == 403
    return AccessEvent.objects.filter(kind="permission_refused").latest("pk")


@pytest.mark.parametrize("use_case", [None, "loan-approval"])
def test_a_person_without_the_right_is_refused_and_the_refusal_is_recorded(
    out: Path, make_person: Any, make_use_case: Any, use_case: str | None
) -> None:
    make_use_case("loan-approval")
    caller = caller_of_user(make_person("rita", "reviewer"))
    with pytest.raises(NotPermitted) as refused:
        export(out, caller, filters={"use_case": use_case})
    event = refusal_recorded(refused.value, caller)
    assert (event.actor_name, event.action, event.use_case) == (
        "rita",
        "audit.export",
        use_case or "",
    )
    assert not out.exists()


def test_an_officer_of_one_use_case_exports_that_one_and_never_the_whole(
    out: Path, make_person: Any, make_use_case: Any
) -> None:
    make_use_case("loan-approval")
    make_use_case("fraud-triage")
    caller = caller_of_user(make_person("cora", "compliance_officer", use_case="loan-approval"))
    export(out, caller, filters={"use_case": "loan-approval"})
    with pytest.raises(NotPermitted, match="loan-approval alone"):
        export(out, caller)
    with pytest.raises(NotPermitted):
        export(out, caller, filters={"use_case": "fraud-triage"})


def test_where_others_hold_the_right_to_export_the_whole_is_refused(
    out: Path, make_person: Any, make_use_case: Any
) -> None:
    case = make_use_case("loan-approval")
    holder = make_person("hal", "auditor")
    officer = caller_of_user(make_person("cora", "compliance_officer"))
    decision_right_grant(actor=ANN, use_case=case, right="export", person=holder, reason="named")
    with pytest.raises(NotPermitted, match="held there by 1 named people"):
        export(out, officer)
    export(out, caller_of_user(holder))
    assert verified(out).startswith("PASS")


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"filters": {"use_case": "no-such"}}, NotFound, "'no-such'"),
        ({"filters": {"actor": "nobody"}}, NotFound, "'nobody'"),
        (
            {"filters": {"type": "no_type"}},
            BadInput,
            "'no_type' is no record type; allowed: .*person",
        ),
        ({"formats": ["csv", "doc"]}, BadInput, "'doc' is not a format; allowed: jsonl, csv"),
        ({"filters": {"actor": "a\0b"}}, BadInput, "cannot be stored"),
        ({"purpose": "x" * 501}, BadInput, "501 characters"),
        ({"payloads": True}, Conflict, "no payload content is stored"),
    ],
)
def test_what_cannot_be_asked_for_is_named(
    out: Path, options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        export(out, **options)
    assert list(out.parent.iterdir()) == []


def test_a_range_that_ends_before_it_begins_is_refused(out: Path) -> None:
    noon = datetime(2026, 11, 2, 12, tzinfo=UTC)
    with pytest.raises(
        BadInput, match="2026-11-02T12:00:00Z is not before to=2026-11-02T12:00:00Z"
    ):
        export(out, filters={"begin": noon, "end": noon})


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    with pytest.raises(Conflict, match="No such file or directory"):
        export(tmp_path / "missing" / "out.zip")
    with pytest.raises(BadInput, match="is a folder"):
        export(tmp_path)


def test_the_command_prints_one_json_document_and_nothing_else(
    out: Path, capsys: pytest.CaptureFixture[str], make_use_case: Any
) -> None:
    make_use_case("loan-approval")
    arguments = [
        "--use-case",
        "loan-approval",
        "--from",
        "2026-01-01",
        "--json",
        "--purpose",
        "audit",
    ]
    call_command("export_audit", str(out), *arguments)
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert document["records"] == 1
    assert document["sha256"] == sha256(out.read_bytes()).hexdigest()
    assert document["filter"]["from"] == "2026-01-01T00:00:00Z"
    assert "1 records" in printed.err
    assert AccessEvent.objects.get(kind="export_made").detail["purpose"] == "audit"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--from", "yesterday"], "/from: from is 'yesterday'"),
        (["--to", "2026-02-30T00:00:00Z"], "2026-02-30"),
        (["--to", "2026-02-30"], "2026-02-30"),
        (["--format", "jsonl,doc"], "'doc'"),
        (["--actor", "nobody"], "'nobody'"),
        (["--use-case", "no-such"], "'no-such'"),
        (["--payloads"], "no payload content is stored"),
    ],
)
def test_the_command_names_what_is_wrong(out: Path, arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        call_command("export_audit", str(out), *arguments)
    assert not out.exists()


def test_the_command_chooses_records_by_actor_and_acts_under_the_login(out: Path) -> None:
    small_ledger()
    call_command("export_audit", str(out), "--actor", ANN.id, stderr=sys.stderr)
    assert {record["history_user_id"] for record in records(out)} == {ANN.id}
    assert AccessEvent.objects.get(kind="export_made").actor_kind == "command"


def test_the_number_of_queries_does_not_grow_with_the_records(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "earlier_sizes", lambda tree_size: [])
    small_ledger()
    counts = []
    for more in (1, 300):
        for number in range(more):
            record_event(Event("probe", ANN, target=str(number)))
        sealing.seal_all()
        with CaptureQueriesContext(connection) as queries:
            export(out)
        counts.append(len(queries))
    assert counts[0] == counts[1] > 0
