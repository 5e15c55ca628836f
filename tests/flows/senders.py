"""Real processes at the gate: senders, sealers, relays, each with a database connection of its own.

``python -m tests.flows.senders JOB...``, a JOB being JSON ``{"do": NAME, ...}``: Django is loaded
once, then each job is a process forked from here. A line on standard input starts all of them at
the same moment; its end tells those that go on for ever to finish. What they did they say on
standard output, a JSON line each, which may be a file that several of them append to.
"""

from __future__ import annotations

import json
import os
import select
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

Job = dict[str, Any]


def say(**what: Any) -> None:
    """One write: lines of several processes do not mix, and a kill leaves no half of one."""
    os.write(1, (json.dumps(what) + "\n").encode())


class Signals:
    """Two pipes whose closing every process sees: the start, and the end."""

    def __init__(self) -> None:
        self.start, self.end = os.pipe(), os.pipe()

    def in_child(self) -> None:
        os.close(self.start[1])
        os.close(self.end[1])
        os.read(self.start[0], 1)

    def ended(self) -> bool:
        return bool(select.select([self.end[0]], [], [], 0)[0])


def take(job: Job, names: list[str]) -> None:
    """Send one batch, and say when the call began and returned and where its decisions went."""
    from apps.registry.models import UseCase
    from tests.services.gates import body, send

    began = time.monotonic()
    taken = send(UseCase.objects.get(slug=job["use_case"]), *(body(name) for name in names))
    lanes = Counter(one.lane for one in taken if one.state == "accepted")
    states = Counter(one.state for one in taken)
    say(name=job["name"], began=began, returned=time.monotonic(), lanes=lanes, states=states)


def batches(job: Job) -> Iterator[list[str]]:
    """The names of batch after batch, no name twice, without end."""
    number = 0
    while True:
        yield [f"{job['name']}-{number}-{i}" for i in range(job["batch"])]
        number += 1


def send_number(job: Job, signals: Signals) -> None:
    """``count`` decisions in batches of ``batch``."""
    for names, _ in zip(batches(job), range(job["count"] // job["batch"]), strict=False):
        take(job, names)


def send_named(job: Job, signals: Signals) -> None:
    """One batch of the numbers of a range: ``[first, beyond, step]``."""
    take(job, [f"case-{i}" for i in range(*job["range"])])


def send_on(job: Job, signals: Signals) -> None:
    """Batch after batch until the end."""
    for names in batches(job):
        if signals.ended():
            return
        take(job, names)


def open_gate(job: Job, signals: Signals) -> None:
    """The use case and its policy, in a database that has been migrated and no more."""
    from tests.services.gates import gate

    gate(job["use_case"])


def audit(job: Job, signals: Signals) -> None:
    """When the others are told to finish: seal what is pending, verify all, say the result."""
    from apps.audit.sealing import seal_all
    from apps.audit.verification import verify

    select.select([signals.end[0]], [], [])
    sealed, result = seal_all(), verify(full=True)
    say(name=job["name"], sealed=sealed, ok=result.ok, findings=result.findings)


def seal(job: Job, signals: Signals) -> None:
    from apps.audit.sealing import seal_batch

    repeat(job, signals, lambda: seal_batch(job["batch"]))


def publish(job: Job, signals: Signals) -> None:
    from apps.notifications import outbox

    repeat(job, signals, lambda: outbox.publish(job["batch"]))


def reroute(job: Job, signals: Signals) -> None:
    """Reroute once, in chunks of ``chunk``; ``done`` is how many, or None where a stop came in between."""
    from apps.common.errors import Conflict
    from apps.registry.models import UseCase
    from apps.workflow import rerouting
    from tests.services.gates import SECOND

    rerouting.CHUNK = job["chunk"]
    use_case, done = UseCase.objects.get(slug=job["use_case"]), None
    with suppress(Conflict):
        done = rerouting.reroute_blocked(SECOND, use_case, "the drill is over")
    say(name=job["name"], done=done)


def repeat(job: Job, signals: Signals, step: Callable[[], int]) -> None:
    """``step`` until the end and once more, which finds what came before the end."""
    while True:
        last = signals.ended()
        say(name=job["name"], done=step(), last=last)
        if last:
            return


JOBS: dict[str, Callable[[Job, Signals], None]] = {
    each.__name__: each
    for each in (open_gate, send_number, send_named, send_on, reroute, seal, publish, audit)
}


def run(job: Job, signals: Signals) -> int:
    signals.in_child()
    try:
        JOBS[job["do"]](job, signals)
    except Exception as error:  # noqa: BLE001
        traceback.print_exc()
        say(name=job["name"], error=repr(error))
        return 1
    return 0


def main(jobs: list[Job]) -> int:
    import django

    django.setup()
    import apps.workflow.rerouting  # noqa: F401
    import tests.services.gates  # noqa: F401

    signals, children = Signals(), []
    for job in jobs:
        child = os.fork()
        if child == 0:
            os._exit(run(job, signals))
        children.append(child)
    say(ready=len(children))
    sys.stdin.readline()
    os.close(signals.start[1])
    sys.stdin.read()
    os.close(signals.end[1])
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


if __name__ == "__main__":
    sys.exit(main([json.loads(argument) for argument in sys.argv[1:]]))
