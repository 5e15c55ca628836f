"""Make a small but complete bundle, take it apart, change it, and seal it again."""

import io
import json
import zipfile
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import xlsxwriter
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from apps.audit.domain.canonical import FlatRecordEncoder, canonical_json
from apps.audit.domain.checkpoint import Checkpoint, NamedKey, sign_note, verifier_key
from apps.audit.domain.ed25519_keys import public_key_bytes, public_key_pem
from apps.audit.domain.merkle import root_at
from apps.exports.domain.bundle import BundleContent, View, write_bundle
from apps.exports.domain.csv_view import Scalar, neutralise, write_csv
from apps.exports.verifier import verifier_source
from tests.unit.merkle_reference import MemoryLog

ORIGIN = "ledger.example/oversight"
LEDGER_KEY = Ed25519PrivateKey.from_private_bytes(b"ledger".ljust(32, b"\1"))
RETIRED_KEY = Ed25519PrivateKey.from_private_bytes(b"retired".ljust(32, b"\2"))
ATTACKER_KEY = Ed25519PrivateKey.from_private_bytes(b"attacker".ljust(32, b"\3"))
COLUMNS = ("type", "note", "count", "ok", "rationale_commitment")
CHOSEN = (0, 3, 4, 5, 11, 18, 36)
SIZE = 37
SALT = bytes(range(16))
CONTENT = b"The applicant's income was misread: 41 000, not 4 100."

Record = dict[str, Scalar]
Members = dict[str, bytes]

RECORDS: list[Record] = [
    {
        "type": "decision.reviewed",
        "note": ["plain", "=1+1", 'quote " and, comma', "two\r\nlines", "", None, "ünï \u2028"][
            i % 7
        ],
        "count": i * 1000,
        "ok": [True, False, None][i % 3],
        "rationale_commitment": sha256(SALT + CONTENT).hexdigest() if i == 4 else None,
    }
    for i in range(60)
]
ENCODER = FlatRecordEncoder(COLUMNS)
LEAVES = [ENCODER.encode(list(record.values())) for record in RECORDS]


@dataclass(frozen=True)
class Request:
    """What differs from one bundle of these tests to the next."""

    size: int = SIZE
    chosen: Sequence[int] = CHOSEN
    earlier: Sequence[int] = (1, 8, 20, 37)
    leaves: Sequence[bytes] = tuple(LEAVES)
    keys: Sequence[Ed25519PrivateKey] = (LEDGER_KEY, RETIRED_KEY)
    checkpoint_key: Ed25519PrivateKey = LEDGER_KEY
    origin: str = ORIGIN
    inline_strings: bool = True


def named(key: Ed25519PrivateKey, name: str = ORIGIN) -> NamedKey:
    return NamedKey(name, public_key_bytes(key))


def signer(key: Ed25519PrivateKey, name: str = ORIGIN) -> Callable[[str], str]:
    return lambda text: sign_note(text, name, key)


def make(folder: Path, request: Request = Request()) -> bytes:
    """Make a bundle with every compared member, in memory."""
    log = MemoryLog(request.leaves[: request.size])
    body = Checkpoint(request.origin, request.size, root_at(request.size, log.read)).body()
    records = [json.loads(request.leaves[i]) for i in request.chosen]
    content = BundleContent(
        checkpoint_note=sign_note(body, request.origin, request.checkpoint_key),
        earlier_sizes=[size for size in request.earlier if size <= request.size],
        keys=[named(key, request.origin) for key in request.keys],
        filters={"use_case": "loan-approval", "from": None},
        readme="How to verify: python3 verify.py BUNDLE.zip\n",
        verifier=verifier_source(),
        views=write_views(folder, records, request.inline_strings),
        payloads=write_payloads(folder, request.chosen),
    )
    out = io.BytesIO()
    pairs = ((i, request.leaves[i]) for i in request.chosen)
    write_bundle(out, pairs, log.read, content, signer(request.keys[0], request.origin))
    return out.getvalue()


def write_views(folder: Path, records: Iterable[Record], inline: bool) -> dict[str, View]:
    records = list(records)
    with (folder / "records.csv").open("wb") as file:
        cells = write_csv(records, COLUMNS, file)
    (folder / "records.parquet").write_bytes(b"PAR1 only its hash is compared")
    book = xlsxwriter.Workbook(str(folder / "records.xlsx"), {"constant_memory": inline})
    sheet = book.add_worksheet()
    for row, values in enumerate([COLUMNS, *([record[c] for c in COLUMNS] for record in records)]):
        for column, value in enumerate(values):
            if isinstance(value, str):
                sheet.write_string(row, column, neutralise(value))
            elif isinstance(value, bool):
                sheet.write_boolean(row, column, value)
            elif value is not None:
                sheet.write_number(row, column, value)
    book.close()
    return {
        "records.csv": View(folder / "records.csv", cells),
        "records.xlsx": View(folder / "records.xlsx", cells),
        "records.parquet": View(folder / "records.parquet"),
    }


def write_payloads(folder: Path, chosen: Sequence[int]) -> Path:
    line = {
        "record": 4,
        "part": "rationale",
        "salt": SALT.hex(),
        "content": b64encode(CONTENT).decode(),
    }
    path = folder / "payloads.jsonl"
    path.write_bytes(canonical_json(line) + b"\n" if 4 in chosen else b"")
    return path


def unpack(bundle: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(members: Members) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def reseal(members: Members, key: Ed25519PrivateKey = LEDGER_KEY) -> Members:
    """Bring the manifest's hashes in line with the members, and sign it anew."""
    manifest = json.loads(members["manifest.json"])
    for name, data in members.items():
        if name in manifest["members"]:
            manifest["members"][name] |= {"sha256": sha256(data).hexdigest(), "size": len(data)}
    return sign_manifest(members, manifest, key)


def sign_manifest(
    members: Members, manifest: dict[str, Any], key: Ed25519PrivateKey = LEDGER_KEY
) -> Members:
    data = canonical_json(manifest)
    text = f"hitl-platform/bundle-manifest/v1\n{sha256(data).hexdigest()}\n"
    note = sign_note(text, ORIGIN, key).encode()
    return {**members, "manifest.json": data, "manifest.sig": note}


def forged(folder: Path, note: str) -> bytes:
    """A bundle sound in itself, of a log rewritten and signed by somebody else."""
    leaves = list(LEAVES)
    leaves[3] = ENCODER.encode([*list(RECORDS[3].values())[:1], note, 1, True, None])
    keys = (ATTACKER_KEY,)
    return make(folder, replace(Request(), leaves=leaves, keys=keys, checkpoint_key=ATTACKER_KEY))


def claim_key(members: Members, key: Ed25519PrivateKey) -> Members:
    """Name another key in the manifest and in public_key.pem."""
    manifest = json.loads(members["manifest.json"])
    manifest["keys"] = [verifier_key(ORIGIN, public_key_bytes(key))]
    changed = {**members, "public_key.pem": public_key_pem(public_key_bytes(key))}
    return reseal({**changed, "manifest.json": canonical_json(manifest)}, key)
