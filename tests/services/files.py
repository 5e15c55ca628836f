"""What the tests of files share: writing one, taking it in by its command, reading what came back."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.core.management import call_command

from apps.workflow import lines

CHUNK = 10


class Said(NamedTuple):
    """A command's exit code, its document and what it wrote for people."""

    code: int
    document: dict[str, Any]
    words: str

    @property
    def counts(self) -> tuple[int, int, int]:
        """Accepted, duplicates, rejected."""
        found = self.document
        return found["accepted"], found["duplicates"], found["rejected"]


def run(command: str, path: Path, *words: str, use_case: str = "loan") -> Said:
    out, errors = io.StringIO(), io.StringIO()
    code = 0
    try:
        call_command(
            command,
            str(path),
            "--use-case",
            use_case,
            "--json",
            "--actor",
            "suite",
            *words,
            stdout=out,
            stderr=errors,
        )
    except SystemExit as end:
        code = int(end.code or 0)
    return Said(code, json.loads(out.getvalue()), errors.getvalue())


def json_lines(path: Path, bodies: Iterable[Any]) -> Path:
    """A body a line; text stands as it is."""
    path.write_text("".join(f"{b if isinstance(b, str) else json.dumps(b)}\n" for b in bodies))
    return path


def rejections(path: Path) -> list[dict[str, Any]]:
    file = path.with_name(f"{path.name}.rejected.jsonl")
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def pointers(path: Path) -> dict[int, list[str]]:
    """Line -> the pointers of its faults."""
    return {r["line"]: [e["pointer"] for e in r["errors"]] for r in rejections(path)}


class Cut(BaseException):
    """The power goes."""


@contextmanager
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setattr(lines, "CHUNK_ROWS", CHUNK)
        yield


@contextmanager
def cut_after(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, calls: int) -> Iterator[None]:
    """The power goes at the end of the call after so many of ``owner.name``."""
    original, seen = getattr(owner, name), [0]

    def cutting(*args: Any, **kwargs: Any) -> Any:
        result = original(*args, **kwargs)
        seen[0] += 1
        if seen[0] > calls:
            raise Cut
        return result

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, cutting)
        with pytest.raises(Cut):
            yield
