"""The ledger's signing key: read from its file, registered in the ledger, rotated."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.db import transaction

from apps.audit.domain.checkpoint import NamedKey, open_note, sign_note, verifier_key
from apps.audit.domain.ed25519_keys import (
    generate_private_key_pem,
    load_private_key,
    public_key_bytes,
)
from apps.audit.models import LedgerKey
from apps.common.errors import Conflict, KeyFileError, LedgerBroken

ENDORSEMENT = "hitl-platform/ledger-key/v1"


def read_key_file(path: Path) -> Ed25519PrivateKey:
    """The private key in ``path``; KeyFileError names the file and what is wrong with it."""
    try:
        return load_private_key(path.read_bytes())
    except OSError as error:
        raise KeyFileError(f"LEDGER_KEY_FILE {path}: {error.strerror}") from None
    except ValueError as error:
        raise KeyFileError(f"LEDGER_KEY_FILE {path}: {error}") from None


def write_key_file(path: Path) -> None:
    """A new key, mode 0600; an existing file is never overwritten."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Conflict(f"{path} exists already; a key is rotated, never overwritten") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(generate_private_key_pem())
        file.flush()
        os.fsync(file.fileno())


@lru_cache(maxsize=4)
def _cached_key(path: Path, changed_ns: int) -> Ed25519PrivateKey:
    return read_key_file(path)


def signing_key() -> Ed25519PrivateKey:
    """The key now in force. Embedded installations get one on first use; production brings its own."""
    path = Path(settings.LEDGER_KEY_FILE)
    if not path.exists() and not settings.PRODUCTION:
        write_key_file(path)
    try:
        changed = path.stat().st_mtime_ns
    except OSError as error:
        raise KeyFileError(f"LEDGER_KEY_FILE {path}: {error.strerror}") from None
    return _cached_key(path, changed)


def known_keys() -> list[NamedKey]:
    """Every key that this ledger has used, oldest first."""
    return [
        NamedKey(name, bytes.fromhex(key))
        for name, key in LedgerKey.objects.order_by("id").values_list("name", "public_key")
    ]


def endorsement_text(key: NamedKey) -> str:
    return f"{ENDORSEMENT}\n{verifier_key(key.name, key.public_key)}\n"


def register_key(private_key: Ed25519PrivateKey) -> NamedKey:
    """Enter the first key in the ledger; refuse one that the key before did not endorse."""
    key = NamedKey(settings.LEDGER_ORIGIN, public_key_bytes(private_key))
    known = known_keys()
    if key in known:
        if key != known[-1]:
            raise LedgerBroken("LEDGER_KEY_FILE holds a retired key: the newest one signs")
        return key
    if known:
        raise LedgerBroken(
            "LEDGER_KEY_FILE holds a key that this ledger does not know; "
            "a new key comes in by manage.py rotate_ledger_key, endorsed by the old one"
        )
    LedgerKey(name=key.name, public_key=key.public_key.hex()).save()
    return key


def rotate_key() -> NamedKey:
    """Make a new key, have the old one endorse it, and keep the old file for the record."""
    path = Path(settings.LEDGER_KEY_FILE)
    old = signing_key()
    draft = path.with_suffix(".next")
    draft.unlink(missing_ok=True)
    write_key_file(draft)
    new = NamedKey(settings.LEDGER_ORIGIN, public_key_bytes(read_key_file(draft)))
    with transaction.atomic():
        register_key(old)
        note = sign_note(endorsement_text(new), settings.LEDGER_ORIGIN, old)
        LedgerKey(name=new.name, public_key=new.public_key.hex(), endorsement=note).save()
        # The file moves before the commit: a crash between leaves an unknown key, which is
        # refused and put right by moving the retired file back, never a silent change of key.
        retired = Path(settings.LEDGER_RETIRED_KEYS_DIR)
        retired.mkdir(parents=True, exist_ok=True, mode=0o700)
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        os.link(path, retired / f"ledger-{stamp}-{public_key_bytes(old).hex()[:8]}.key")
        draft.replace(path)
    return new


def endorsement_faults() -> list[str]:
    """What is wrong with the chain of keys: each later key must be signed by the one before."""
    rows = list(LedgerKey.objects.order_by("id"))
    found = []
    for before, after in pairwise(rows):
        old = NamedKey(before.name, bytes.fromhex(before.public_key))
        new = NamedKey(after.name, bytes.fromhex(after.public_key))
        try:
            genuine = open_note(after.endorsement, [old]).text == endorsement_text(new)
        except ValueError:
            genuine = False
        if not genuine:
            found.append(f"key {after.public_key[:16]}… is not endorsed by the key before it")
    return found
