"""The embedded broker: a message is there whole or not at all."""

from __future__ import annotations

import threading
from pathlib import Path
from queue import Empty
from typing import Any

import pytest
from kombu import Connection

from hitl_platform import file_broker


@pytest.fixture
def channel(tmp_path: Path) -> Any:
    folders = {"data_folder_in": str(tmp_path / "q"), "data_folder_out": str(tmp_path / "q")}
    (tmp_path / "q").mkdir()
    options = {**folders, "control_folder": str(tmp_path / "control")}
    with Connection("filesystem://localhost", transport_options=options) as connection:
        yield connection.channel()


def test_files_are_the_transport_of_this_platform(channel: Any) -> None:
    assert isinstance(channel, file_broker.Channel)


def test_a_message_that_is_still_being_written_is_not_taken(
    channel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Any] = []
    written = Path.write_bytes

    def slowly(self: Path, data: bytes) -> int:
        written(self, data[:5])
        with pytest.raises(Empty):
            channel._get("celery")
        found.append("looked")
        return written(self, data)

    monkeypatch.setattr(Path, "write_bytes", slowly)
    channel._put("celery", {"body": "x" * 100})
    assert found == ["looked"]
    assert channel._get("celery") == {"body": "x" * 100}
    assert list((tmp_path / "q").iterdir()) == []


def test_a_reader_that_never_pauses_reads_every_message_of_a_writer(channel: Any) -> None:
    sent, taken = 300, []

    def read() -> None:
        while len(taken) < sent:
            try:
                taken.append(channel._get("celery")["n"])
            except Empty:
                continue

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    for n in range(sent):
        channel._put("celery", {"n": n, "body": "x" * 5000})
    reader.join(30)
    assert sorted(taken) == list(range(sent))
