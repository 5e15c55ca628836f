"""People at a pace of their own, and clients that never rest."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from statistics import median, quantiles

EVERY_S = 2.0  # one person's pace
CLIENTS = 8
WARM_S = 4.0  # acts of this long are not counted: connections and caches as in a desk that runs
Act = Callable[[int], Callable[[], object]]


def at_pace(people: int, seconds: float, act: Act) -> list[float]:
    """Seconds from the moment at which each act was due until it was done.

    Each of ``people`` acts every EVERY_S, one after the other at equal distances, whether or not
    those before were served. ``act`` gets the number of a person and returns what follows off the
    clock.
    """
    apart = EVERY_S / people
    due = [(n * apart, n % people) for n in range(int((seconds + WARM_S) / apart))]
    began, waiting, lock = time.perf_counter() + 0.2, iter(due), threading.Lock()
    taken: list[float] = []

    def client() -> None:
        while True:
            with lock:
                at, person = next(waiting, (-1.0, -1))
            if person < 0:
                return
            time.sleep(max(0.0, began + at - time.perf_counter()))
            follow = act(person)
            if at >= WARM_S:
                taken.append(time.perf_counter() - began - at)
            follow()

    _all(client, CLIENTS)
    return taken


def without_rest(people: int, acts: int, act: Act) -> float:
    """Acts a second of CLIENTS clients, each at once after the other; what follows counts too."""
    numbers, lock = count(), threading.Lock()

    def client() -> None:
        while True:
            with lock:
                number = next(numbers)
            if number >= acts:
                return
            act(number % people)()

    began = time.perf_counter()
    _all(client, CLIENTS)
    return acts / (time.perf_counter() - began)


def _all(client: Callable[[], None], clients: int) -> None:
    with ThreadPoolExecutor(clients) as pool:
        for done in [pool.submit(client) for _ in range(clients)]:
            done.result()


def in_ms(taken: Sequence[float]) -> dict[str, float]:
    """The median and the 95th percentile of durations in seconds, and how many there are."""
    return {
        "median_ms": 1000 * median(taken),
        "p95_ms": 1000 * quantiles(taken, n=20)[-1],
        "acts": len(taken),
    }
