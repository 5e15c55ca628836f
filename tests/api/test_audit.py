"""audit/: records as they were hashed, proofs that outsiders can check, verification."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.audit import selectors, verification
from apps.audit.domain.canonical import canonical_json
from apps.audit.domain.checkpoint import NamedKey, open_note, parse_checkpoint
from apps.audit.domain.ed25519_keys import load_public_key
from apps.audit.domain.merkle import leaf_hash, verify_consistency, verify_inclusion
from apps.audit.models import AccessEvent, Leaf
from apps.audit.selectors import RecordFilter, ledger_records, record_types
from apps.audit.sources import Source
from apps.common.errors import BadInput, KeyFileError

PEM_END = "-----END PUBLIC KEY-----\n"


@pytest.fixture
def auditor(program: Callable[..., Any]) -> Any:
    return program("auditor")


@pytest.fixture
def trail(make_use_case: Any, make_person: Any, sealed: Callable[[], int]) -> int:
    """A few records of two use cases and of none, sealed; how many leaves there are."""
    make_use_case("loans")
    make_use_case("fraud")
    make_person("ada", "reviewer", use_case="loans")
    sealed()
    return Leaf.objects.count()


def rows(response: Any) -> list[dict[str, Any]]:
    assert response.status_code == 200, response.content
    found: list[dict[str, Any]] = response.json()["results"]
    return found


def test_records_come_newest_first_exactly_as_they_were_hashed(auditor: Any, trail: int) -> None:
    found = rows(auditor.get("audit/records/", page_size=500))
    assert [row["leaf_index"] for row in found] == list(range(trail - 1, -1, -1))
    for row in found:
        assert leaf_hash(canonical_json(row["record"])).hex() == row["leaf_hash"]


def test_one_record_is_read_by_its_leaf_index(auditor: Any, trail: int) -> None:
    newest = rows(auditor.get("audit/records/"))[0]
    assert auditor.get(f"audit/records/{trail - 1}/").json() == newest
    assert auditor.get(f"audit/records/{trail}/").status_code == 404
    assert auditor.get(f"audit/records/{'9' * 18}/").status_code == 404
    assert auditor.get(f"audit/records/{'9' * 19}/").status_code == 404
    assert auditor.get("audit/records/-1/").status_code == 404


def test_records_are_filtered_by_use_case_type_and_actor(
    auditor: Any, trail: int, session: Any, make_person: Any, sealed: Any
) -> None:
    loans = rows(auditor.get("audit/records/", use_case="loans"))
    assert {row["record"]["type"] for row in loans} == {"use_case", "role_grant"}
    cases = rows(auditor.get("audit/records/", type="use_case"))
    assert [row["record"]["slug"] for row in cases] == ["fraud", "loans"]
    lead = make_person("lead", "administrator")
    session(lead).post("people/", {"username": "new"})
    sealed()
    by_login = rows(auditor.get("audit/records/", actor="LEAD"))
    assert {row["record"]["type"] for row in by_login} == {"person", "access_event"}
    assert rows(auditor.get("audit/records/", actor=str(lead.pk))) == by_login
    assert rows(auditor.get("audit/records/", actor="nobody")) == []


def test_records_are_filtered_by_time_with_its_begin_and_without_its_end(
    auditor: Any, trail: int
) -> None:
    begin, end = (leaf.at for leaf in Leaf.objects.filter(record_type="use_case").order_by("index"))
    shown = {"from": begin.isoformat(), "to": end.isoformat(), "type": "use_case"}
    found = rows(auditor.get("audit/records/", **shown))
    assert [row["record"]["slug"] for row in found] == ["loans"]
    later = (timezone.now() + timedelta(days=1)).isoformat()
    assert rows(auditor.get("audit/records/", **{"from": later})) == []


@pytest.mark.parametrize(
    ("params", "pointer"),
    [
        ({"from": "yesterday"}, "/from"),
        ({"from": "2026-01-01"}, "/from"),
        ({"from": "2026-01-01T00:00:00"}, "/from"),
        ({"to": "2026-02-30T00:00:00Z"}, "/to"),
        ({"to": "0001-01-01T00:00:00+14:00"}, "/to"),
        ({"type": "invoice"}, "/type"),
        ({"decision": "17"}, "/decision"),
        ({"use_case": "No Slug"}, "/use_case"),
        ({"actor": "x" * 151}, "/actor"),
        ({"actor": "a\x00b"}, "/actor"),
        ({"usecase": "loans"}, "/usecase"),
        ({"cursor": "made-up"}, "/cursor"),
        ({"cursor": "é"}, "/cursor"),
        ({"page_size": "0"}, "/page_size"),
        ({"page_size": "501"}, "/page_size"),
        ({"page_size": "ten"}, "/page_size"),
        ({"type": ["person", "use_case"]}, "/type"),
    ],
)
def test_a_bad_parameter_is_named(
    params: Any, pointer: str, auditor: Any, pointers: Callable[[Any], list[str]]
) -> None:
    assert pointers(auditor.get("audit/records/", **params)) == [pointer]


def test_an_unknown_type_is_answered_with_the_known_ones(auditor: Any) -> None:
    detail = auditor.get("audit/records/", type="invoice").json()["errors"][0]["detail"]
    assert ", ".join(record_types()) in detail


@pytest.mark.parametrize("position", [["next", -(2**63) - 1], ["next", "5"], ["up", 5], [5], 5, {}])
def test_a_forged_cursor_is_refused(
    position: Any, auditor: Any, trail: int, pointers: Callable[[Any], list[str]]
) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps(position).encode()).decode()
    assert pointers(auditor.get("audit/records/", cursor=cursor)) == ["/cursor"]


def test_pages_lead_to_every_record_once_and_back_again(auditor: Any, trail: int) -> None:
    forth, page = [], auditor.get("audit/records/", page_size=3).json()
    pages = [page]
    assert page["previous"] is None
    while page["next"]:
        page = auditor.client.get(page["next"]).json()
        pages.append(page)
    forth = [row["leaf_index"] for p in pages for row in p["results"]]
    assert forth == list(range(trail - 1, -1, -1))
    for expected in reversed(pages[:-1]):
        page = auditor.client.get(page["previous"]).json()
        assert page["results"] == expected["results"]
    assert page["previous"] is None
    assert auditor.client.get(page["next"]).json()["results"] == pages[1]["results"]


def test_a_record_that_is_added_meanwhile_moves_no_page(
    auditor: Any, trail: int, make_use_case: Any, sealed: Any
) -> None:
    page = auditor.get("audit/records/", page_size=3).json()
    make_use_case("third")
    sealed()
    following = auditor.client.get(page["next"]).json()
    assert following["results"][0]["leaf_index"] == trail - 4


def test_who_is_limited_to_a_use_case_sees_its_records_alone(
    program: Callable[..., Any], trail: int
) -> None:
    inside = program("auditor", "loans")
    found = rows(inside.get("audit/records/"))
    assert {row["record"].get("slug", row["record"].get("use_case")) for row in found} == {"loans"}
    seen = {row["leaf_index"] for row in found}
    for index in range(trail):
        expected = 200 if index in seen else 404
        assert inside.get(f"audit/records/{index}/").status_code == expected
        assert inside.get("audit/proof/inclusion/", record=index).status_code == expected
    assert inside.get("audit/records/", use_case="fraud").status_code == 404


def test_a_decision_or_subject_that_no_record_names_has_no_records(
    auditor: Any, trail: int
) -> None:
    assert rows(auditor.get("audit/records/", decision=str(uuid4()))) == []
    assert rows(auditor.get("audit/records/", subject="0" * 64)) == []


def test_a_decision_is_found_in_every_type_that_names_it_and_by_its_own_id(
    trail: int, make_person: Any, sealed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The history of people stands in: its id for a decision's, its login for a subject's."""
    ada = User.objects.get(username="ada")
    history = User.history.model
    people = Source(
        type="person",
        table=history._meta.db_table,
        key="history_id",
        time="history_date",
        actor="history_user_id",
        use_case=None,
        model=history,
        live=User,
    )
    monkeypatch.setattr(selectors, "sources", lambda: {"decision": people})
    found = ledger_records(RecordFilter(visible=None, decision=ada.pk))
    assert [leaf.record_type for leaf in found] == ["person"]
    by_value = selectors._with_value("username", "ada", "/subject")
    assert list(Leaf.objects.filter(by_value)) == list(found)
    assert not Leaf.objects.filter(selectors._with_value("subject_pseudonym", "ada", "/subject"))


def test_a_filter_with_too_many_matches_is_refused_not_cut_short(
    trail: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "MAX_MATCHES", 1)
    with pytest.raises(BadInput, match="more than 1 records of type use_case"):
        selectors._with_value("lifecycle", "live", "/subject")


def public_keys(stranger: Any) -> list[bytes]:
    text = stranger.get("audit/public-key/").content.decode()
    return [load_public_key((block + PEM_END).encode()) for block in text.split(PEM_END)[:-1]]


def test_a_stranger_checks_an_inclusion_proof_from_what_is_public(
    auditor: Any, stranger: Any, trail: int, settings: Any
) -> None:
    proof = auditor.get("audit/proof/inclusion/", record="2").json()
    response = stranger.get("audit/checkpoint/")
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert proof["checkpoint"] == response.content.decode()
    keys = [NamedKey(settings.LEDGER_ORIGIN, key) for key in public_keys(stranger)]
    stated = parse_checkpoint(open_note(proof["checkpoint"], keys).text)
    assert stated.size == proof["tree_size"] == trail
    record = auditor.get("audit/records/2/").json()["record"]
    digest = leaf_hash(canonical_json(record))
    assert digest.hex() == proof["leaf_hash"]
    nodes = [bytes.fromhex(node) for node in proof["proof"]]
    assert verify_inclusion(proof["leaf_index"], stated.size, digest, nodes, stated.root)


def test_a_record_is_also_proved_by_its_type_and_id(auditor: Any, trail: int) -> None:
    leaf = Leaf.objects.filter(record_type="use_case").first()
    by_name = auditor.get("audit/proof/inclusion/", record=f"use_case:{leaf.record_id}").json()
    assert by_name == auditor.get("audit/proof/inclusion/", record=str(leaf.index)).json()


def test_a_consistency_proof_shows_that_nothing_was_rewritten(
    auditor: Any, stranger: Any, trail: int, make_use_case: Any, sealed: Any
) -> None:
    def checkpoint() -> Any:
        note = stranger.get("audit/checkpoint/").content.decode()
        return parse_checkpoint(note.split("\n\n")[0] + "\n")

    earlier = checkpoint()
    make_use_case("third")
    sealed()
    later = checkpoint()
    params = {"first": earlier.size, "second": later.size}
    proof = auditor.get("audit/proof/consistency/", **params).json()["proof"]
    nodes = [bytes.fromhex(node) for node in proof]
    assert verify_consistency(earlier.size, later.size, earlier.root, later.root, nodes)


@pytest.mark.parametrize(
    ("record", "status"),
    [
        ("use_case:999999", 404),
        ("invoice:1", 404),
        ("999999", 404),
        ("9" * 18, 404),
        ("9" * 19, 400),
        ("first", 400),
        ("use_case:", 400),
        ("-1", 400),
        ("²", 400),
        ("", 400),
    ],
)
def test_a_record_that_is_not_in_the_ledger_has_no_proof(
    record: str, status: int, auditor: Any, trail: int
) -> None:
    assert auditor.get("audit/proof/inclusion/", record=record).status_code == status


@pytest.mark.parametrize(
    ("first", "second", "pointer"),
    [("5", "2", "/first"), ("0", "999999", "/second"), ("x", "2", "/first"), ("1", "", "/second")],
)
def test_sizes_that_are_none_of_this_ledger_are_refused(
    first: str, second: str, pointer: str, auditor: Any, trail: int, pointers: Any
) -> None:
    params = {"first": first, "second": second}
    assert pointers(auditor.get("audit/proof/consistency/", **params)) == [pointer]


def test_before_anything_is_sealed_there_is_nothing_to_prove(auditor: Any, stranger: Any) -> None:
    assert stranger.get("audit/checkpoint/").status_code == 404
    assert stranger.get("audit/public-key/").status_code == 404
    assert auditor.get("audit/proof/inclusion/", record="0").status_code == 404
    params = {"first": "0", "second": "0"}
    assert auditor.get("audit/proof/consistency/", **params).status_code == 404
    assert auditor.get("audit/verification/").status_code == 404
    assert rows(auditor.get("audit/records/")) == []


def test_a_checkpoint_is_text_even_for_who_asks_for_text_alone(stranger: Any, trail: int) -> None:
    accept = {"headers": {"accept": "text/plain"}}
    assert stranger("get", "audit/checkpoint/", **accept).status_code == 200
    assert stranger("get", "audit/checkpoint/", headers={"accept": "image/png"}).status_code == 406


def test_a_verification_is_run_and_its_result_kept(auditor: Any, trail: int) -> None:
    run = auditor.post("audit/verification/")
    assert run.status_code == 200
    assert run.json()["ok"] is True, run.json()["findings"]
    assert (run.json()["full"], run.json()["tree_size"]) == (False, trail)
    assert auditor.get("audit/verification/").json() == run.json()


def test_a_ledger_without_its_key_answers_503_and_keeps_the_path_to_itself(
    auditor: Any, trail: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**options: Any) -> None:
        raise KeyFileError("LEDGER_KEY_FILE /secret/place: no such file")

    monkeypatch.setattr(verification, "verify", broken)
    auditor.client.raise_request_exception = False
    response = auditor.post("audit/verification/")
    assert response.status_code == 503
    assert response.json()["type"] == "urn:hitl-platform:problem:key_file"
    assert "/secret/place" not in response.content.decode()


def test_a_refusal_to_show_the_trail_is_itself_a_record(
    auditor: Any, program: Callable[..., Any], trail: int, sealed: Any
) -> None:
    assert program("executive").get("audit/records/").status_code == 403
    sealed()
    newest = rows(auditor.get("audit/records/", type="access_event"))[0]["record"]
    assert (newest["kind"], newest["action"]) == ("permission_refused", "audit.view")
    assert newest["actor_name"] == "executive "
    assert AccessEvent.objects.get(kind="permission_refused").count == 1


def test_a_path_is_taken_as_it_is_written(auditor: Any, trail: int) -> None:
    assert auditor.get(f"audit/records/{quote('１')}/").status_code == 404
