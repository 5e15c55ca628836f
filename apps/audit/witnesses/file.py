"""A witness that is an append-only file: put the folder on another machine or write-once storage."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from apps.audit.domain.checkpoint import parse_checkpoint, parse_note
from apps.audit.domain.merkle import verify_consistency
from apps.audit.witnesses import WitnessDown, Witnessed, WitnessRefused

TAIL = 64 * 1024  # holds the last checkpoint many times over


class FileWitness:
    """One checkpoint a line, each a JSON string holding the signed note as it was.

    A line cut short by a crash does not count: its checkpoint is delivered again.
    """

    name = "file"

    def __init__(self, folder: Path | None = None) -> None:
        self.path = Path(folder or settings.WITNESS_DIR) / "checkpoints.jsonl"

    def all(self) -> list[Witnessed]:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise WitnessDown(f"{self.path}: {error.strerror}") from None
        return [self._parse(line) for line in content.split(b"\n")[:-1]]

    def latest(self) -> Witnessed | None:
        try:
            with self.path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
                whole_lines = file.read().split(b"\n")[:-1]
        except FileNotFoundError:
            return None
        except OSError as error:
            raise WitnessDown(f"{self.path}: {error.strerror}") from None
        return self._parse(whole_lines[-1]) if whole_lines else None

    def accept(self, checkpoint: Witnessed, consistency: list[bytes]) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise WitnessDown(f"{self.path}: {error.strerror}") from None
        with os.fdopen(descriptor, "r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            last = self.latest()
            if last is not None and not _extends(last, checkpoint, consistency):
                raise WitnessRefused(
                    f"checkpoint {checkpoint.tree_size} does not extend "
                    f"checkpoint {last.tree_size} held in {self.path}"
                )
            if last is None or last.tree_size != checkpoint.tree_size:
                _cut_torn_line(file)
                file.write(json.dumps(checkpoint.note).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())

    def _parse(self, line: bytes) -> Witnessed:
        try:
            note = json.loads(line)
            found = parse_checkpoint(parse_note(note).text)
        except (ValueError, TypeError, AttributeError) as error:
            raise WitnessRefused(
                f"{self.path} holds a line that is no checkpoint: {error}"
            ) from None
        return Witnessed(found.size, found.root, note)


def _extends(last: Witnessed, new: Witnessed, consistency: list[bytes]) -> bool:
    return verify_consistency(
        last.tree_size, new.tree_size, last.root_hash, new.root_hash, consistency
    )


def _cut_torn_line(file: BinaryIO) -> None:
    """Leave the file at its end, after a whole line."""
    end = file.seek(0, os.SEEK_END)
    file.seek(max(0, end - TAIL))
    tail = file.read()
    if tail and not tail.endswith(b"\n"):
        file.truncate(end - len(tail.rpartition(b"\n")[2]))
        file.seek(0, os.SEEK_END)
