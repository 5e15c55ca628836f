"""Reading the environment: a bad value is refused by name, a secret is made once."""

from __future__ import annotations

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from hitl_platform.env import Env, SettingError, generated_secret, parse_database_url

READERS: dict[str, Any] = {
    "choice": lambda env: env.choice("NAME", "a", ("a", "b")),
    "boolean": lambda env: env.boolean("NAME", False),
    "integer": lambda env: env.integer("NAME", 5, 1, 10),
    "words": lambda env: env.words("NAME", ["x"]),
    "path": lambda env: env.path("NAME", Path("/somewhere")),
    "database": lambda env: env.database("NAME", {"ENGINE": "none"}),
    "text": lambda env: env.text("NAME", "plain"),
}
DEFAULTS = {
    "choice": "a",
    "boolean": False,
    "integer": 5,
    "words": ["x"],
    "path": Path("/somewhere"),
    "database": {"ENGINE": "none"},
    "text": "plain",
}


def read(kind: str, value: str | None) -> Any:
    return READERS[kind](Env({} if value is None else {"NAME": value}))


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("value", [None, "", "   "])
def test_a_variable_that_says_nothing_means_its_default(kind: str, value: str | None) -> None:
    assert read(kind, value) == DEFAULTS[kind]


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("choice", " b ", "b"),
        ("boolean", "TRUE", True),
        ("boolean", "on", True),
        ("boolean", "No", False),
        ("boolean", "0", False),
        ("integer", "1", 1),
        ("integer", "10", 10),
        ("words", "a, b,,c ", ["a", "b", "c"]),
        ("path", "/var/data", Path("/var/data")),
        ("path", "data", Path.cwd() / "data"),
        ("text", " a b ", "a b"),
    ],
)
def test_a_well_formed_value_is_read(kind: str, value: str, expected: Any) -> None:
    assert read(kind, value) == expected


@pytest.mark.parametrize(
    ("kind", "value", "allowed"),
    [
        ("choice", "c", "a | b"),
        ("choice", "A", "a | b"),
        ("boolean", "maybe", "true | false"),
        ("boolean", "2", "true | false"),
        ("integer", "0", "a whole number from 1 to 10"),
        ("integer", "11", "a whole number from 1 to 10"),
        ("integer", "1.5", "a whole number from 1 to 10"),
        ("integer", "ten", "a whole number from 1 to 10"),
        ("path", "~nobody-of-this-name/x", "a path"),
        ("database", "mysql://host/name", "sqlite:///PATH or postgresql://"),
    ],
)
def test_a_malformed_value_is_refused_by_name_value_and_what_is_allowed(
    kind: str, value: str, allowed: str
) -> None:
    with pytest.raises(SettingError) as refusal:
        read(kind, value)
    assert f"NAME={value!r} is not valid: allowed is {allowed}" in str(refusal.value)


def test_every_name_that_was_asked_for_is_remembered() -> None:
    env = Env({})
    env.text("ONE")
    env.boolean("TWO", False)
    assert env.names == ["ONE", "TWO"]


def test_a_sqlite_url_names_a_file_and_gets_durable_commits_that_queue() -> None:
    entry = parse_database_url("sqlite:////srv/data/plat%20form.sqlite3")
    assert entry["ENGINE"] == "django.db.backends.sqlite3"
    assert entry["NAME"] == "/srv/data/plat form.sqlite3"
    assert entry["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
    assert "synchronous=FULL" in entry["OPTIONS"]["init_command"]


def test_a_sqlite_url_of_three_slashes_is_a_relative_path() -> None:
    assert parse_database_url("sqlite:///var/x.sqlite3")["NAME"] == "var/x.sqlite3"


def test_a_postgresql_url_is_taken_apart() -> None:
    entry = parse_database_url(
        "postgresql://us%40er:p%2Fw%23@db.example:6432/oversight?sslmode=require"
    )
    assert entry["ENGINE"] == "django.db.backends.postgresql"
    assert (entry["USER"], entry["PASSWORD"]) == ("us@er", "p/w#")
    assert (entry["HOST"], entry["PORT"], entry["NAME"]) == ("db.example", "6432", "oversight")
    assert entry["OPTIONS"] == {"sslmode": "require", "options": "-c jit=off"}


def test_a_postgresql_url_may_name_a_socket_folder_and_nothing_else() -> None:
    entry = parse_database_url("postgres:///oversight?host=/run/postgresql")
    assert (entry["HOST"], entry["PORT"], entry["USER"]) == ("/run/postgresql", "", "")
    assert entry["OPTIONS"] == {"options": "-c jit=off"}


def test_options_of_the_server_in_a_postgresql_url_come_last_and_win() -> None:
    entry = parse_database_url("postgresql://db/oversight?options=-c%20jit%3Don")
    assert entry["OPTIONS"] == {"options": "-c jit=off -c jit=on"}


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("sqlite://", "path is missing"),
        ("sqlite:///", "path is missing"),
        ("sqlite://host/file", "no host"),
        ("sqlite:///file?mode=ro", "no options"),
        ("sqlite:///:memory:", "keeps no trail"),
        ("postgresql://host", "database name is missing"),
        ("postgresql://host/", "database name is missing"),
        ("postgresql://host:port/name", "port"),
        ("postgresql://host:70000/name", "port"),
        ("postgresql://[::1/name", "IPv6"),
        ("postgresql://user:pass#word@host/name", "%23"),
        ("oracle://host/name", "unknown scheme 'oracle'"),
        ("just words", "unknown scheme ''"),
    ],
)
def test_an_odd_database_url_is_refused_with_the_reason(url: str, why: str) -> None:
    with pytest.raises(SettingError, match="DATABASE_URL=") as refusal:
        Env({"DATABASE_URL": url}).database("DATABASE_URL", {})
    assert why in str(refusal.value)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://user:hunter2@host/name",
        "postgresql://user:hunter2@host",
        "postgresql://user:hunter2#x@host/n",
        "postgresql://user:hunter2/x@host/n",
        "postgresql://user:a@hunter2@host:x/n",
    ],
)
def test_a_refused_database_url_does_not_show_its_password(url: str) -> None:
    with pytest.raises(SettingError) as refusal:
        Env({"DATABASE_URL": url}).database("DATABASE_URL", {})
    assert "hunter2" not in str(refusal.value)


def test_a_generated_secret_is_readable_by_its_owner_alone_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "made" / "secret.key"
    secret = generated_secret(path)
    assert len(secret) >= 60
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert generated_secret(path) == secret
    assert [entry.name for entry in path.parent.iterdir()] == ["secret.key"]


def test_twenty_threads_agree_on_one_secret(tmp_path: Path) -> None:
    path, together = tmp_path / "secret.key", Barrier(20)

    def ask(_number: int) -> str:
        together.wait(timeout=20)
        return generated_secret(path)

    with ThreadPoolExecutor(20) as pool:
        found = set(pool.map(ask, range(20)))
    assert found == {path.read_text().strip()}
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret.key"]


def test_twenty_processes_agree_on_one_secret(tmp_path: Path) -> None:
    """Each process waits for its standard input to close, so that all ask at once."""
    module = Path(sys.modules[generated_secret.__module__].__file__ or "")
    script = (
        "import importlib.util, pathlib, sys\n"
        f"spec = importlib.util.spec_from_file_location('env', {str(module)!r})\n"
        "env = importlib.util.module_from_spec(spec); spec.loader.exec_module(env)\n"
        "sys.stdin.read()\n"
        f"print(env.generated_secret(pathlib.Path({str(tmp_path / 'secret.key')!r})))\n"
    )
    asking = [
        subprocess.Popen(
            [sys.executable, "-S", "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(20)
    ]
    for process in asking:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    found = {process.communicate(timeout=60)[0].strip() for process in asking}
    assert found == {(tmp_path / "secret.key").read_text().strip()}


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe\x00"])
def test_an_empty_or_binary_secret_file_is_refused_by_its_path(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "secret.key"
    path.write_bytes(content)
    with pytest.raises(SettingError, match=r"secret\.key is (empty|not text)"):
        generated_secret(path)
    assert path.read_bytes() == content


def test_a_folder_in_the_place_of_a_secret_is_refused_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="cannot be used: Is a directory"):
        generated_secret(tmp_path)


def test_a_secret_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(SettingError, match="cannot be used"):
        generated_secret(tmp_path / "file" / "secret.key")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
