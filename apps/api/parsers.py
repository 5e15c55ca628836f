"""Request bodies: strict JSON only."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from apps.common.errors import BadInput
from apps.common.saving import text_faults

MAX_BODY = 4 * 1024 * 1024
# Only an escape can bring in what no database stores: a NUL, or half of a surrogate pair.
SUSPECT = re.compile(r"\\u(0000|[dD][89abcdefABCDEF])")


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def _finite(word: str) -> float:
    number = float(word)
    if not math.isfinite(number):
        raise ValueError(f"the number {word[:40]} is too large")
    return number


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} is there twice")
    return members


def strict_json(body: bytes) -> Any:
    """The value of a UTF-8 JSON text without duplicate keys, NaN, infinities or unstorable text.

    Raises ParseError for what is not JSON, BadInput for text that cannot be kept.
    """
    try:
        words = body.decode("utf-8")
        value = json.loads(
            words,
            object_pairs_hook=_unique_members,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
        faults = list(text_faults(value, ""))[:100] if SUSPECT.search(words) else []
    except UnicodeDecodeError as error:
        raise ParseError(f"the body is not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise ParseError("the body is nested too deeply") from None
    except ValueError as error:
        # As ASCII: the message may quote a key that is no text.
        words = str(error).encode("ascii", "backslashreplace").decode()
        raise ParseError(f"the body is not JSON: {words}") from None
    if faults:
        raise BadInput(faults)
    return value


class StrictJSONParser(BaseParser):
    """At most 4 MiB of strict JSON."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        body = stream.read(MAX_BODY + 1)
        if len(body) > MAX_BODY:
            raise ParseError(f"the body is larger than {MAX_BODY} bytes")
        return strict_json(body)
