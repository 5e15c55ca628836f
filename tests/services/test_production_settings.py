"""Production refuses to start on anything made for trying out; embedded needs nothing set."""

from __future__ import annotations

import json
import os
import secrets
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from apps.audit import keys
from apps.audit.models import Checkpoint, Leaf, LedgerKey, PendingRecord
from apps.audit.sealing import seal_batch
from apps.common.errors import Conflict, KeyFileError

ROOT = Path(__file__).resolve().parents[2]
SHOW = """
import json
from hitl_platform import settings as s
print(json.dumps({n: str(getattr(s, n)) for n in dir(s) if n.isupper()}))
"""


def run(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Python with nothing in its environment but ``environment``."""
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def production(tmp_path: Path) -> dict[str, str]:
    """An environment with which production starts."""
    keys.write_key_file(tmp_path / "production.key")
    return {
        "PLATFORM_MODE": "production",
        "DATA_DIR": str(tmp_path / "data"),
        "SECRET_KEY": secrets.token_urlsafe(50),
        "PSEUDONYM_KEY": secrets.token_urlsafe(32),
        "LEDGER_KEY_FILE": str(tmp_path / "production.key"),
        "LEDGER_ORIGIN": "example.org/ai-oversight",
        "DATABASE_URL": "postgresql://app@127.0.0.1:5432/oversight",
        "ALLOWED_HOSTS": "oversight.example.org",
        "CACHE_URL": "redis://127.0.0.1:6379/0",
    }


BROKEN = {
    "no secret key": ("SECRET_KEY", None),
    "a short secret key": ("SECRET_KEY", "a-short-one-0123456789"),
    "a monotonous secret key": ("SECRET_KEY", "ab" * 40),
    "debugging on": ("DEBUG", "true"),
    "no database": ("DATABASE_URL", None),
    "sqlite": ("DATABASE_URL", "sqlite:////srv/platform.sqlite3"),
    "a key file that is not there": ("LEDGER_KEY_FILE", "/nonexistent/ledger.key"),
    "no ledger origin": ("LEDGER_ORIGIN", None),
    "no pseudonym key": ("PSEUDONYM_KEY", None),
    "a short pseudonym key": ("PSEUDONYM_KEY", "short"),
    "no hosts": ("ALLOWED_HOSTS", None),
    "any host": ("ALLOWED_HOSTS", "*"),
    "no shared cache": ("CACHE_URL", None),
}


@pytest.mark.parametrize("case", BROKEN)
def test_production_refuses_to_start_with(case: str, production: dict[str, str]) -> None:
    name, value = BROKEN[case]
    production.pop(name, None)
    if value is not None:
        production[name] = value
    done = run(production, "-c", "import hitl_platform.settings")
    assert done.returncode == 1
    refusal = done.stderr.partition("PLATFORM_MODE=production refuses to start:")[2]
    faults = [line for line in refusal.splitlines() if line.startswith("- ")]
    assert len(faults) == 1
    assert name in faults[0]


def test_production_names_every_fault_at_once_and_makes_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    done = run(
        {"PLATFORM_MODE": "production", "DEBUG": "yes", "DATA_DIR": str(data)},
        "-c",
        "import hitl_platform.settings",
    )
    assert done.returncode == 1
    faults = [line for line in done.stderr.splitlines() if line.startswith("- ")]
    for name, _value in BROKEN.values():
        assert sum(name in fault for fault in faults) == 1
    assert len(faults) == len({name for name, _value in BROKEN.values()})
    assert not data.exists()


def test_an_unknown_mode_is_refused() -> None:
    done = run({"PLATFORM_MODE": "prod"}, "-c", "import hitl_platform.settings")
    assert done.returncode == 1
    assert "PLATFORM_MODE='prod' is not valid: allowed is embedded | production" in done.stderr


def test_a_complete_production_installation_passes_the_deployment_check(
    production: dict[str, str],
) -> None:
    done = run(production, "manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert (done.returncode, done.stderr) == (0, "")
    assert "no issues (0 silenced)" in done.stdout


def test_production_makes_its_first_key_before_it_can_start(
    production: dict[str, str], tmp_path: Path
) -> None:
    production["LEDGER_KEY_FILE"] = str(tmp_path / "first" / "ledger.key")
    done = run(production, "manage.py", "create_ledger_key", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["path"] == production["LEDGER_KEY_FILE"]
    assert run(production, "-c", "import hitl_platform.settings").returncode == 0


def test_production_pages_are_sent_over_https_alone(production: dict[str, str]) -> None:
    found = json.loads(run(production, "-c", SHOW).stdout)
    for name in ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT"):
        assert found[name] == "True"
    assert int(found["SECURE_HSTS_SECONDS"]) >= 31_536_000


def test_with_nothing_set_everything_lives_in_the_data_folder(tmp_path: Path) -> None:
    data = tmp_path / "data"
    found = json.loads(run({"DATA_DIR": str(data)}, "-c", SHOW).stdout)
    assert (found["MODE"], found["DEBUG"]) == ("embedded", "False")
    assert str(data / "platform.sqlite3") in found["DATABASES"]
    assert str(data / "broker") in found["CELERY_BROKER_TRANSPORT_OPTIONS"]
    for name in ("LEDGER_KEY_FILE", "LEDGER_RETIRED_KEYS_DIR", "WITNESS_DIR", "STATIC_ROOT"):
        assert Path(found[name]).is_relative_to(data)
    assert Path(found["CELERY_BEAT_SCHEDULE_FILENAME"]).is_relative_to(data)


def test_embedded_secrets_are_made_once_and_readable_by_their_owner_alone(tmp_path: Path) -> None:
    first, second = (
        json.loads(run({"DATA_DIR": str(tmp_path)}, "-c", SHOW).stdout) for _ in range(2)
    )
    for name in ("SECRET_KEY", "PSEUDONYM_KEY", "LEDGER_ORIGIN"):
        assert first[name] == second[name]
    assert len(first["SECRET_KEY"]) >= 50
    made = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert made == {"secret.key": 0o600, "pseudonym.key": 0o600, "ledger.origin": 0o600}


def test_a_data_folder_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run({"DATA_DIR": str(tmp_path / "file" / "data")}, "-c", "import hitl_platform.settings")
    assert done.returncode == 1
    assert "DATA_DIR=" in done.stderr.splitlines()[-1]


# --- The ledger's key file ------------------------------------------------------------------


def pem(key: Any, password: bytes | None = None) -> bytes:
    lock = BestAvailableEncryption(password) if password else NoEncryption()
    encoded: bytes = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock)
    return encoded


WRONG_KEYS = {
    "rsa": (lambda: pem(rsa.generate_private_key(65537, 2048)), "not Ed25519 but RSA"),
    "elliptic": (lambda: pem(ec.generate_private_key(ec.SECP256R1())), "not Ed25519 but"),
    "encrypted": (lambda: pem(Ed25519PrivateKey.generate(), b"secret"), "encrypted"),
    "empty": (lambda: b"", "not readable"),
    "garbage": (lambda: os.urandom(200), "not readable"),
    "cut off": (lambda: pem(Ed25519PrivateKey.generate())[:60], "not readable"),
    "public": (
        lambda: (
            Ed25519PrivateKey.generate()
            .public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        ),
        "not readable",
    ),
}


def trail() -> tuple[int, ...]:
    return tuple(m.objects.count() for m in (PendingRecord, Leaf, LedgerKey, Checkpoint))


@pytest.mark.parametrize("case", WRONG_KEYS)
def test_a_wrong_key_file_stops_the_sealer_by_name_and_fault(
    case: str, committed_db: Any, make_person: Any, settings: Any
) -> None:
    make_content, fault = WRONG_KEYS[case]
    content = make_content()
    settings.LEDGER_KEY_FILE.write_bytes(content)
    make_person("ann")
    before = trail()
    with pytest.raises(KeyFileError, match=fault) as refusal:
        seal_batch()
    assert str(settings.LEDGER_KEY_FILE) in str(refusal.value)
    assert trail() == before
    assert settings.LEDGER_KEY_FILE.read_bytes() == content


def test_a_folder_in_the_place_of_the_key_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="Is a directory"):
        keys.read_key_file(tmp_path)


def test_production_does_not_make_a_key_of_its_own(settings: Any) -> None:
    settings.PRODUCTION = True
    with pytest.raises(KeyFileError, match="No such file"):
        keys.signing_key()
    assert not settings.LEDGER_KEY_FILE.exists()


def test_an_existing_key_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "ledger.key"
    keys.write_key_file(path)
    before = path.read_bytes()
    with pytest.raises(Conflict, match="never overwritten"):
        keys.write_key_file(path)
    assert path.read_bytes() == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
