"""The acts that have a key, for the list that the page shows and for the script."""

from __future__ import annotations

import json
from typing import Any

from apps.web.desk.verdicts import ALL, PAGE_ACTS


def key_context() -> dict[str, Any]:
    acts = [{"code": v.code, "key": v.key, "words": v.words} for v in ALL.values()]
    acts += [{"code": code, "key": key, "words": words} for code, key, words in PAGE_ACTS]
    return {"key_acts": acts, "key_defaults": json.dumps({one["code"]: one["key"] for one in acts})}
