"""Messages as files that appear whole: Kombu's filesystem transport, with one write put right.

Kombu opens a message under its final name and writes afterwards. A worker that polls in between
takes an empty file, cannot read it, and ends; on a busy machine that happens within minutes.
"""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import Any
from uuid import uuid4

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:
        """Write under a name that no queue looks for, then rename: readers see all or nothing."""
        folder, key = Path(self.data_folder_out), uuid4()
        draft = folder / f"{key}.draft"
        draft.write_bytes(dumps(payload).encode())
        draft.replace(folder / f"{round(monotonic() * 1000)}_{key}.{queue}.msg")


class Transport(filesystem.Transport):
    Channel = Channel


TRANSPORT_ALIASES["filesystem"] = f"{__name__}:Transport"
