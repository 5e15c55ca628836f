"""Typed readers of the environment. A bad value is refused with the name of its variable."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

T = TypeVar("T")
TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}


class SettingError(Exception):
    """A setting is malformed or missing; the message names it, its value and what is allowed."""


class Env:
    """Reads one mapping of environment variables; remembers every name that was asked for."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self.values = os.environ if values is None else values
        self.names: list[str] = []

    def _read(self, name: str, default: T, parse: Callable[[str], T], allowed: str) -> T:
        self.names.append(name)
        raw = self.values.get(name, "").strip()
        if raw == "":
            return default
        try:
            return parse(raw)
        except ValueError as error:
            shown, detail = without_password(raw), without_password(str(error))
            because = f" ({detail})" if detail else ""
            raise SettingError(
                f"{name}={shown!r} is not valid: allowed is {allowed}{because}"
            ) from None

    def text(self, name: str, default: str = "") -> str:
        return self._read(name, default, str, "text")

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        def parse(raw: str) -> str:
            if raw not in allowed:
                raise ValueError
            return raw

        return self._read(name, default, parse, " | ".join(allowed))

    def boolean(self, name: str, default: bool) -> bool:
        def parse(raw: str) -> bool:
            if raw.lower() not in TRUE | FALSE:
                raise ValueError
            return raw.lower() in TRUE

        return self._read(name, default, parse, "true | false")

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        def parse(raw: str) -> int:
            try:
                value = int(raw)
            except ValueError:
                raise ValueError from None  # int's own words add nothing to what is allowed
            if not low <= value <= high:
                raise ValueError
            return value

        return self._read(name, default, parse, f"a whole number from {low} to {high}")

    def words(self, name: str, default: list[str]) -> list[str]:
        return self._read(
            name,
            default,
            lambda raw: [word.strip() for word in raw.split(",") if word.strip()],
            "a comma-separated list",
        )

    def path(self, name: str, default: Path) -> Path:
        def parse(raw: str) -> Path:
            try:
                return Path(raw).expanduser().absolute()
            except RuntimeError as error:  # ~somebody who has no home here
                raise ValueError(str(error)) from None

        return self._read(name, default, parse, "a path")

    def database(self, name: str, default: dict[str, Any]) -> dict[str, Any]:
        return self._read(
            name,
            default,
            parse_database_url,
            "sqlite:///PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME",
        )


def without_password(text: str) -> str:
    """``text`` as it may stand in a log: the password of a URL in it is left out."""
    return re.sub(r"(://[^/\s:@]*:)[^\s]*@", r"\1***@", text)


def parse_database_url(url: str) -> dict[str, Any]:
    """A Django DATABASES entry from ``sqlite:///path`` or ``postgresql://...``; else ValueError."""
    parts = urlsplit(url)
    if parts.fragment:
        raise ValueError("a '#' must be written %23")
    if parts.scheme == "sqlite":
        return sqlite_database(_sqlite_path(parts))
    if parts.scheme in {"postgres", "postgresql"}:
        return _postgresql_database(parts)
    raise ValueError(f"unknown scheme {parts.scheme!r}")


def _sqlite_path(parts: SplitResult) -> Path:
    if parts.netloc or parts.query:
        raise ValueError("a file has no host and no options: three slashes, then the path")
    name = unquote(parts.path.removeprefix("/"))
    if not name:
        raise ValueError("the path is missing")
    if name == ":memory:":
        raise ValueError("a database in memory keeps no trail")
    return Path(name)


def _postgresql_database(parts: SplitResult) -> dict[str, Any]:
    name = unquote(parts.path.removeprefix("/"))
    if not name:
        raise ValueError("the database name is missing")
    try:
        port = str(parts.port or "")
    except ValueError:  # its words would quote a password that holds a slash
        raise ValueError("the port is not a number up to 65535") from None
    options = dict(parse_qsl(parts.query))
    # Compiling a page's query takes longer than answering it. What the URL says comes later, and wins.
    options["options"] = f"-c jit=off {options.get('options', '')}".strip()
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": name,
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", None) or unquote(parts.hostname or ""),
        "PORT": port,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }


def sqlite_database(path: Path) -> dict[str, Any]:
    """SQLite as the platform needs it: WAL, durable commits, writers queue instead of failing."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "CONN_MAX_AGE": 60,
        "OPTIONS": {
            # IMMEDIATE: a read-then-write transaction never fails with "database is locked".
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            # FULL: a commit that was answered survives a power cut, as an audit trail must.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        },
    }


def new_secret() -> str:
    return secrets.token_urlsafe(48)


def generated_secret(path: Path, make: Callable[[], str] = new_secret) -> str:
    """The secret kept in ``path``; made on first use with mode 0600, one winner under a race."""
    try:
        if not path.exists():
            _write_once(path, make().strip() + "\n")
        value = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingError(f"the secret file {path} cannot be used: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingError(f"the secret file {path} is not text in UTF-8") from None
    if not value:
        raise SettingError(f"the secret file {path} is empty: delete it to have it made anew")
    return value


def _write_once(path: Path, text: str) -> None:
    """Link a complete file into place: nobody ever reads half of it, and the first one stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
