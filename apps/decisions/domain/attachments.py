"""The explanation and the evidence that travel with a decision, for the people who review it."""

from __future__ import annotations

import re
from collections.abc import Callable

from apps.common.errors import FieldError
from apps.decisions.domain.checks import (
    check_content,
    check_name,
    check_number,
    check_text,
    read_tree,
)
from apps.decisions.domain.faults import RefusedError, member, shown, unknown_keys

MAX_TOP_FEATURES = 200
MAX_EVIDENCE = 50
MAX_REGIONS = 500
MAX_URL = 2_000
EVIDENCE_KINDS = ("text", "image", "pdf", "table", "url")

_EXPLANATION_KEYS = frozenset({"text", "top_features"})
_TOP_FEATURE_KEYS = frozenset({"name", "weight"})
_EVIDENCE_KEYS = frozenset({"kind", "title", "content", "regions"})
# a page shows the address as a link, so that no scheme that runs code may pass
_WEB_ADDRESS = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)


def read_explanation(
    errors: list[FieldError], pointer: str, data: object
) -> dict[str, object] | None:
    """An explanation in normal form: ``{text?, top_features?: [{name, weight}]}``.

    Parameters: ``errors``, appended to; ``pointer`` of ``data``; weights are finite numbers of any
    sign, at most 200 of them. Returns: the object, None where not given.
    """
    if data is None:
        return None
    if not isinstance(data, dict):
        errors.append(FieldError(pointer, f"explanation is {shown(data)}; an object is allowed"))
        return None
    unknown_keys(errors, pointer, data, _EXPLANATION_KEYS)
    normal: dict[str, object] = {}
    text = data.get("text")
    if text is not None and member(errors, pointer, "text", check_text, text):
        normal["text"] = text
    if data.get("top_features") is not None:
        place = f"{pointer}/top_features"
        items = _list_of_objects(errors, place, data["top_features"], MAX_TOP_FEATURES)
        normal["top_features"] = [
            _read_top_feature(errors, f"{place}/{index}", item) for index, item in items
        ]
    return normal


def _read_top_feature(
    errors: list[FieldError], pointer: str, data: dict[str, object]
) -> dict[str, object]:
    unknown_keys(errors, pointer, data, _TOP_FEATURE_KEYS)
    member(errors, pointer, "name", check_name, data.get("name"))
    weighed = member(errors, pointer, "weight", check_number, data.get("weight"))
    weight = check_number(data.get("weight")) if weighed else None
    return {"name": data.get("name"), "weight": weight}


def read_evidence(
    errors: list[FieldError], pointer: str, data: object
) -> list[dict[str, object]] | None:
    """Evidence in normal form: at most 50 of ``{kind, title?, content, regions?}``.

    Definition: ``content`` is text (for image and pdf, encoded or an address), for kind url an
    http or https address, for kind table text or rows; ``regions`` are objects that mark places.
    Parameters: ``errors``, appended to; ``pointer`` of ``data``. Returns: a list, None if absent.
    """
    if data is None:
        return None
    return [
        _read_piece(errors, f"{pointer}/{index}", item)
        for index, item in _list_of_objects(errors, pointer, data, MAX_EVIDENCE)
    ]


def _read_piece(
    errors: list[FieldError], pointer: str, data: dict[str, object]
) -> dict[str, object]:
    unknown_keys(errors, pointer, data, _EVIDENCE_KEYS)
    kind = data.get("kind")
    if kind not in EVIDENCE_KINDS:
        detail = f"kind is {shown(kind)}; allowed are: {', '.join(EVIDENCE_KINDS)}"
        errors.append(FieldError(f"{pointer}/kind", detail))
    normal: dict[str, object] = {"kind": kind}
    title = data.get("title")
    if title is not None and member(errors, pointer, "title", _check_title, title):
        normal["title"] = title
    normal["content"] = _read_piece_content(errors, pointer, kind, data.get("content"))
    if data.get("regions") is not None:
        place = f"{pointer}/regions"
        regions = _list_of_objects(errors, place, data["regions"], MAX_REGIONS)
        # /evidence/0/regions/0 stands below four containers
        normal["regions"] = [
            read_tree(errors, f"{place}/{index}", item, depth=4) for index, item in regions
        ]
    return normal


def _read_piece_content(
    errors: list[FieldError], pointer: str, kind: object, content: object
) -> object:
    if kind == "table" and isinstance(content, dict | list):
        return read_tree(errors, f"{pointer}/content", content, depth=3)
    check: Callable[[object], object] = _check_address if kind == "url" else check_content
    member(errors, pointer, "content", check, content)
    return content


def _check_title(value: object) -> str:
    title = check_text(value)
    if len(title) > 300:
        raise RefusedError(f"has {len(title):,} characters; at most 300 are allowed")
    return title


def _check_address(value: object) -> str:
    address = check_content(value)
    if len(address) > MAX_URL or not _WEB_ADDRESS.fullmatch(address):
        raise RefusedError(
            f"is {shown(value)}; an http or https address is allowed, "
            f"of at most {MAX_URL:,} characters"
        )
    return address


def _list_of_objects(
    errors: list[FieldError], pointer: str, data: object, limit: int
) -> list[tuple[int, dict[str, object]]]:
    name = pointer.rpartition("/")[2]
    if not isinstance(data, list) or len(data) > limit:
        seen = f"has {len(data):,} items" if isinstance(data, list) else f"is {shown(data)}"
        errors.append(FieldError(pointer, f"{name} {seen}; a list of at most {limit} is allowed"))
        return []
    objects: list[tuple[int, dict[str, object]]] = []
    for index, item in enumerate(data):
        if isinstance(item, dict):
            objects.append((index, item))
        else:
            detail = f"item {index} of {name} is {shown(item)}; an object is allowed"
            errors.append(FieldError(f"{pointer}/{index}", detail))
    return objects
