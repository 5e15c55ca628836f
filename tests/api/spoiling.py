"""Bodies with something wrong in them, for every endpoint that takes one."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from typing import Any

NASTY: list[Any] = [
    None, True, False, 0, -1, 1.5, 1e308, 2**53, 10**30, "", " ", "x" * 300, "x" * 30_000, "\x00",
    "\ud800", "\u202e", "🦉", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1e999999",
    "NaN", "../..", "%00", "{{7*7}}", "'; DROP TABLE x; --", [], {}, [[]], [None], {"": ""},
    {"a": {"b": [1, {"c": None}]}}, ["label", "label"], [{"name": [], "type": {}}], {"reason": "r"},
]  # fmt: skip


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) within ``value``."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, member in items if isinstance(value, dict | list) else ():
        yield value, key
        if isinstance(member, dict | list):
            yield from places(member)


def spoiled(body: dict[str, Any], dice: random.Random) -> Any:
    """``body`` with one to three things wrong; now and then something else altogether."""
    if dice.random() < 0.1:
        return copy.deepcopy(dice.choice(NASTY))
    body = copy.deepcopy(body)
    for _ in range(dice.randint(1, 3)):
        container, key = dice.choice(list(places(body)) or [(body, "reason")])
        if dice.random() < 0.15 and isinstance(container, dict):
            container.pop(key, None)
        elif dice.random() < 0.15 and isinstance(container, dict):
            container[dice.choice(["extra", "\ud800", "a/b~c", "", "id", "__class__"])] = 1
        else:
            container[key] = copy.deepcopy(dice.choice(NASTY))
    return body
