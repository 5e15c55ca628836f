"""The web application with a death foretold: a worker kills itself at the moment that a file names.

The file is ``moment`` in DATA_DIR; it is removed just before the death, so that the worker that
follows lives. Nobody gets to clean up: it is kill -9.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from django.conf import settings

from hitl_platform.wsgi import application as application


def die_at(moment: str) -> None:
    file = settings.DATA_DIR / "moment"
    if file.exists() and file.read_text() == moment:
        file.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


def mortal(owner: Any, name: str, *, before: str = "", after: str = "") -> None:
    """Put a possible death before or after a function."""
    real: Callable[..., Any] = getattr(owner, name)

    def replaced(*args: Any, **more: Any) -> Any:
        die_at(before)
        result = real(*args, **more)
        die_at(after)
        return result

    setattr(owner, name, replaced)


def put_deaths() -> None:
    from apps.api.v1 import batches
    from apps.workflow import batch, recording
    from apps.workflow.recording import Recorder

    mortal(Recorder, "write", before="routed")
    # the decisions and their history are written, their content is not
    mortal(recording, "insert_prepared", before="half written")
    mortal(batch, "read_stop_again", after="uncommitted")
    mortal(batches, "take_batch", after="committed")


put_deaths()
