"""The next chunk of a file is made while the caller works on the last one.

A long file is read by a process of its own: parsing and checking cost about as much as all that
follows, and threads share one processor's worth of Python. A short one is read by a thread, which
costs no start.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, TypeVar

from apps.common.errors import BadInput, Conflict, FieldError
from apps.workflow.lines import Chunk, LineReader, Packing

LONG_BYTES = 4 * 1024 * 1024
PROTOCOL = pickle.HIGHEST_PROTOCOL
COLLECTED_AT = 50_000  # new objects, most of which live as long as their chunk

T = TypeVar("T")
Chunks = Generator[Chunk[T], None, None]


class _End(NamedTuple):
    """What a reading process says last: how many repeats it passed over, and the file's fault."""

    repeats: int
    fault: tuple[FieldError, ...] = ()


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """The collector need not walk through all that was loaded before, again and again."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(COLLECTED_AT)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def chunks_ahead(reader: LineReader[T]) -> Chunks[T]:
    """The chunks of ``reader``; afterwards its ``repeats`` count."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    forks = "fork" in multiprocessing.get_all_start_methods()
    if forks and cores > 1 and reader.file_bytes >= LONG_BYTES:
        return _from_a_process(reader)
    return _from_a_thread(reader.chunks())


def _from_a_thread(chunks: Iterator[Chunk[T]]) -> Chunks[T]:
    with ThreadPoolExecutor(1, "read-ahead") as pool:
        ahead = pool.submit(next, chunks, None)
        while (chunk := ahead.result()) is not None:
            ahead = pool.submit(next, chunks, None)
            yield chunk


def _from_a_process(reader: LineReader[T]) -> Chunks[T]:
    receiver, sender = multiprocessing.Pipe(duplex=False)
    # Forked, so that it starts at once with all that is compiled; it leaves the database alone.
    process = multiprocessing.get_context("fork").Process(
        target=_read, args=(reader, receiver, sender), daemon=True
    )
    process.start()
    sender.close()
    try:
        with ThreadPoolExecutor(1, "receive") as pool:
            yield from _received(reader, receiver, pool)
    finally:
        process.kill()
        process.join()
        receiver.close()


def _received(reader: LineReader[T], receiver: Connection, pool: ThreadPoolExecutor) -> Chunks[T]:
    ahead = pool.submit(_receive, receiver, reader.packing)
    while not isinstance(found := ahead.result(), _End):
        ahead = pool.submit(_receive, receiver, reader.packing)
        yield found
    reader.repeats = found.repeats
    if found.fault:
        raise BadInput(found.fault)


def _receive(receiver: Connection, packing: Packing | None) -> Any:
    """The next chunk. Unpacked here, beside the caller, who mostly waits for the database."""
    try:
        found = pickle.loads(receiver.recv_bytes())  # noqa: S301 - our own
    except EOFError:
        raise Conflict(
            "the process that reads the file was killed: run the command again"
        ) from None
    if packing is not None and isinstance(found, Chunk):
        unpack = packing.unpack
        found.records = [(line, unpack(record)) for line, record in found.records]
    return found


def _read(reader: LineReader[Any], receiver: Connection, sender: Connection) -> None:
    """The reading process: it ends with its file, or when nobody listens any more."""
    receiver.close()
    reader.pack()
    fault: tuple[FieldError, ...] = ()
    with collecting_rarely(), suppress(BrokenPipeError, KeyboardInterrupt):
        try:
            for chunk in reader.chunks():
                sender.send_bytes(pickle.dumps(chunk, PROTOCOL))
        except BadInput as error:
            fault = tuple(error.errors)
        sender.send_bytes(pickle.dumps(_End(reader.repeats, fault), PROTOCOL))
