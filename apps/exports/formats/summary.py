"""summary.pdf: one or two pages for people, on what the bundle holds and how it proves itself."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

from apps.audit.domain.ed25519_keys import public_key_pem
from apps.exports.domain.bundle import View
from apps.exports.formats.selection import Selection

TEMPLATE = Path(__file__).with_name("summary.typ")


def write(selection: Selection, path: Path) -> View:
    """Typst without a clock and without the system's fonts: the same content, the same bytes."""
    import typst

    typst.compile(
        TEMPLATE,
        output=path,
        root=TEMPLATE.parent,
        ignore_system_fonts=True,
        format="pdf",
        sys_inputs={"content": json.dumps(_content(selection))},
        timestamp=0,
        pdf_standards="ua-1",
    )
    return View(path)


def _content(selection: Selection) -> dict[str, Any]:
    spool, asked = selection.spool, selection.filters
    by_type: dict[str, int] = {}
    for (record_type, _number), count in sorted(spool.schemas.items()):
        by_type[record_type] = by_type.get(record_type, 0) + count
    return {
        "filter": [
            [name.replace("_", " "), _shown(value)] for name, value in asked.items() if value
        ],
        "records": spool.count,
        "types": [[name, count] for name, count in by_type.items()],
        "first": spool.first_at.isoformat() if spool.first_at else "",
        "last": spool.last_at.isoformat() if spool.last_at else "",
        "tree_size": selection.head.tree_size,
        "root": selection.head.root_hash.hex(),
        "origin": selection.key.name,
        "fingerprint": _fingerprint(selection.key.public_key),
    }


def _shown(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _fingerprint(public_key: bytes) -> str:
    """SHA-256 of the key's SubjectPublicKeyInfo (RFC 8410): what verify.py prints."""
    from base64 import b64decode

    body = "".join(public_key_pem(public_key).decode().splitlines()[1:-1])
    return sha256(b64decode(body)).hexdigest()
