"""Keys of programs: shown once, kept as a hash, limited in reach and time, ended."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from apps.accounts import services
from apps.accounts.callers import caller_of_key
from apps.accounts.domain.matrix import ACTIONS, ROLES
from apps.accounts.models import ServiceKey, ServiceKeyUse
from apps.audit.models import Leaf, PendingRecord
from apps.audit.sealing import seal_all
from apps.common.actor import Actor
from apps.common.errors import BadInput, Conflict

ROOT = Actor.command("root")


def make_key(**data: Any) -> tuple[ServiceKey, str]:
    return services.service_key_create(
        actor=ROOT, **{"name": "bank", "role": "integration", **data}
    )


def rows() -> tuple[int, int, int]:
    return ServiceKey.objects.count(), ServiceKey.history.count(), PendingRecord.objects.count()


def test_only_the_hash_of_a_key_is_kept(committed_db: Any) -> None:
    row, key = make_key()
    secret = key.split("_", 2)[2]
    assert row.key_hash == hashlib.sha256(secret.encode()).hexdigest()
    seal_all()
    everything = repr([list(ServiceKey.objects.values()), list(ServiceKey.history.values())])
    everything += "".join(Leaf.objects.values_list("data", flat=True))
    assert row.prefix in everything
    assert secret not in everything


def test_a_key_is_found_by_what_was_shown_and_acts_under_its_name(db: None) -> None:
    row, key = make_key()
    found = services.service_key_find(key)
    assert found == row
    assert found.actor == Actor("program", str(row.pk), "bank")


def test_two_keys_share_nothing(db: None) -> None:
    one, two = make_key(), make_key()
    assert one[0].prefix != two[0].prefix
    assert one[0].key_hash != two[0].key_hash
    crossed = f"hop_{one[0].prefix}_{two[1].split('_', 2)[2]}"
    assert services.service_key_find(crossed) is None


@pytest.mark.parametrize(
    "presented",
    [
        "",
        "hop",
        "hop_",
        "hop__",
        "hop_{prefix}",
        "hop_{prefix}_",
        "hop_{prefix}_wrong",
        "HOP_{prefix}_{secret}",
        "key_{prefix}_{secret}",
        "{prefix}_{secret}",
        "hop_{prefix}_{secret}x",
        "hop_{prefix}_{secret} ",
        " hop_{prefix}_{secret}",
        "hop_{prefix}_{secret}\n",
        "hop_%_{secret}",
        "hop_{prefix}\x00_{secret}",
        "hop_000000000000_{secret}",
        "hop_{prefix}_\ud800",
        "hop_{prefix}_" + "é" * 43,
        "hop_" + "x" * 100_000,
    ],
)
def test_a_malformed_or_wrong_key_is_nobody_s(db: None, presented: str) -> None:
    row, key = make_key()
    text = presented.replace("{prefix}", row.prefix).replace("{secret}", key.split("_", 2)[2])
    assert services.service_key_find(text) is None
    assert not ServiceKeyUse.objects.exists()


def test_the_secret_is_compared_in_constant_time_on_digests(db: None, monkeypatch: Any) -> None:
    row, key = make_key()
    compared, genuine = [], hmac.compare_digest

    def spy(one: str, two: str) -> bool:
        compared.append((one, two))
        return genuine(one, two)

    monkeypatch.setattr(services.hmac, "compare_digest", spy)
    wrong = f"hop_{row.prefix}_{'A' * 43}"
    assert services.service_key_find(wrong) is None
    assert services.service_key_find(key) == row
    assert compared == [
        (hashlib.sha256(b"A" * 43).hexdigest(), row.key_hash),
        (row.key_hash, row.key_hash),
    ]


def test_a_key_expires_at_its_hour(db: None, monkeypatch: Any) -> None:
    end = timezone.now() + timedelta(hours=1)
    row, key = make_key(expires_at=end)
    assert services.service_key_find(key) == row
    monkeypatch.setattr(timezone, "now", lambda: end)
    assert services.service_key_find(key) is None


def test_a_key_that_would_have_expired_already_is_refused(db: None) -> None:
    before = rows()
    with pytest.raises(BadInput, match="lies in the past") as refusal:
        make_key(expires_at=timezone.now() - timedelta(seconds=1))
    assert [e.pointer for e in refusal.value.errors] == ["/expires_at"]
    assert rows() == before


def test_a_revoked_key_is_refused_at_once_and_the_end_is_recorded(db: None) -> None:
    row, key = make_key()
    services.service_key_revoke(actor=ROOT, key=row, reason="leaked")
    assert services.service_key_find(key) is None
    assert ServiceKey.history.latest().history_change_reason == "leaked"
    with pytest.raises(Conflict, match="was revoked at"):
        services.service_key_revoke(actor=ROOT, key=row, reason="again")


@pytest.mark.parametrize("role", ["", "king", None, 7])
def test_a_key_of_an_unknown_role_is_refused(db: None, role: Any) -> None:
    before = rows()
    with pytest.raises(BadInput) as refusal:
        make_key(role=role)
    assert [e.pointer for e in refusal.value.errors] == ["/role"]
    assert rows() == before


@pytest.mark.parametrize("name", ["", "n" * 201, "a\x00b"])
def test_a_key_without_a_proper_name_is_refused(db: None, name: str) -> None:
    before = rows()
    with pytest.raises(BadInput) as refusal:
        make_key(name=name)
    assert {e.pointer for e in refusal.value.errors} == {"/name"}
    assert rows() == before


@pytest.mark.parametrize("role", ROLES)
def test_a_key_may_do_what_its_role_may_where_its_scope_reaches(db: None, role: str) -> None:
    caller = caller_of_key(make_key(role=role, use_case="loan")[0])
    for name, action in ACTIONS.items():
        assert caller.may(name, "loan") == (role in action.roles and action.scoped)
        assert not caller.may(name, "fraud")


def test_the_last_use_is_written_at_most_once_a_minute(
    db: None, monkeypatch: Any, django_assert_num_queries: Any
) -> None:
    row, key = make_key()
    services.service_key_find(key)
    first = ServiceKeyUse.objects.get().last_used_at
    with django_assert_num_queries(1):
        assert services.service_key_find(key) == row
    assert ServiceKeyUse.objects.get().last_used_at == first
    monkeypatch.setattr(timezone, "now", lambda: first + timedelta(seconds=61))
    services.service_key_find(key)
    assert ServiceKeyUse.objects.get().last_used_at == first + timedelta(seconds=61)


def test_using_a_key_makes_no_record(db: None) -> None:
    _row, key = make_key()
    before = rows()
    services.service_key_find(key)
    assert rows() == before


# --- manage.py create_api_key ---------------------------------------------------------------


def command(*words: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("create_api_key", *words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_command_prints_a_key_that_works_and_nothing_else(db: None) -> None:
    out, err = command("bank", "--role", "compliance_officer", "--actor", "ann")
    found = services.service_key_find(out.strip())
    assert found is not None
    assert (found.name, found.role, found.use_case, found.expires_at) == (
        "bank",
        "compliance_officer",
        "",
        None,
    )
    assert "once" in err
    assert ServiceKey.history.get().history_user_id == "command:ann"


def test_a_key_says_who_holds_it(db: None, make_person: Any) -> None:
    ann = make_person("ann")
    out, _err = command("bank", "--role", "risk_lead", "--issued-to", "Ann", "--json")
    assert json.loads(out)["issued_to"] == "ann"
    assert ServiceKey.objects.get().issued_to == ann
    with pytest.raises(CommandError, match="no person with the login 'bob'"):
        command("bank", "--role", "risk_lead", "--issued-to", "bob")


def test_the_command_prints_one_json_document(db: None, make_use_case: Any) -> None:
    make_use_case("loan")
    words = ("bank", "--role", "integration", "--use-case", "loan", "--expires-days", "30")
    out, err = command(*words, "--json")
    document = json.loads(out)
    found = services.service_key_find(document["key"])
    assert err == ""
    assert found is not None
    assert document == {
        "id": str(found.pk),
        "name": "bank",
        "key": document["key"],
        "prefix": found.prefix,
        "role": "integration",
        "use_case": "loan",
        "issued_to": None,
        "expires_at": found.expires_at.isoformat(),
    }
    assert timedelta(days=29) < found.expires_at - timezone.now() <= timedelta(days=30)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("bank", "--role", "king"), "'king' is not a role here; allowed: administrator, auditor"),
        (("bank", "--role", "integration", "--use-case", "nowhere"), "no use case 'nowhere'"),
        (("bank", "--role", "integration", "--expires-days", "0"), "1 to 3650 days"),
        (("bank", "--role", "integration", "--expires-days", "99999999"), "1 to 3650 days"),
        (("", "--role", "integration"), "name"),
        (("bank",), "--role"),
    ],
)
def test_the_command_says_what_is_wrong_and_makes_no_key(
    db: None, words: tuple[str, ...], message: str
) -> None:
    before = rows()
    with pytest.raises(CommandError) as refusal:
        command(*words)
    assert message in str(refusal.value)
    assert rows() == before
