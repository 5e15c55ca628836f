"""Evidence bundles: a deterministic zip of audit records that proves itself.

The same content makes the same bytes: no clock, fixed permissions, fixed order of members, fixed
compression (bytes can differ between zlib implementations; the content then still is the same).
Memory does not grow with the number of records beyond 8 bytes each: hashes wait in a temporary
file, nodes are read in batches.
"""

import zipfile
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from apps.audit.domain.canonical import canonical_json
from apps.audit.domain.checkpoint import (
    Checkpoint,
    NamedKey,
    open_note,
    parse_checkpoint,
    verifier_key,
)
from apps.audit.domain.ed25519_keys import public_key_pem
from apps.audit.domain.merkle import (
    HASH_SIZE,
    Address,
    NodeReader,
    consistency_proof,
    leaf_hash,
    multiproof_addresses,
    root_at,
    root_from_multiproof,
)

FORMAT = "hitl-platform/bundle/v1"
MANIFEST_NOTE = "hitl-platform/bundle-manifest/v1"
# The first bytes of each leaf hash go along, so that a verifier can name the altered record: the
# multiproof alone only shows that some record was.
PREFIX_SIZE = 4
VIEWS = ("records.csv", "records.xlsx", "records.parquet", "summary.pdf")

_CHUNK = 1 << 20
_NODES_PER_READ = 2000
_EPOCH = (1980, 1, 1, 0, 0, 0)

ManifestSigner = Callable[[str], str]


@dataclass(frozen=True)
class View:
    """A rendering of the records for people, in a file; `neutralised_cells` explains its quotes."""

    path: Path
    neutralised_cells: int = 0


@dataclass(frozen=True)
class BundleContent:
    """What goes into a bundle besides the records.

    checkpoint_note: the signed tree head that the records are proven against.
    earlier_sizes: tree sizes, 1 <= size <= the checkpoint's, to prove consistency with.
    keys: the ledger's public keys, newest first, retired ones after it.
    filters: what was asked for, as JSON values.
    views: by member name, out of VIEWS. payloads: a file of JSON Lines
    {"record", "part", "salt", "content"}, `record` being the leaf index of the record that holds
    the commitment `<part>_commitment`, in the order of leaf indexes.
    """

    checkpoint_note: str
    earlier_sizes: Sequence[int]
    keys: Sequence[NamedKey]
    filters: Mapping[str, object]
    readme: str
    verifier: bytes
    views: Mapping[str, View] = field(default_factory=dict)
    payloads: Path | None = None


def write_bundle(
    out: BinaryIO,
    records: Iterable[tuple[int, bytes]],
    read: NodeReader,
    content: BundleContent,
    sign_manifest: ManifestSigner,
) -> int:
    """Stream a bundle.

    out: a binary file open for writing, need not be seekable.
    records: (leaf index, canonical JSON of the record, the leaf's data), strictly increasing.
    read: gives stored nodes of the tree, many at once.
    sign_manifest: turns a note text into a note signed by the newest of the keys.
    Returns the number of records.
    Raises ValueError when the records are out of order or not those of the checkpoint's tree, the
    checkpoint or the manifest is not signed by one of the keys, or a view is unknown; LookupError
    for a node not stored. What was written until then is no bundle: the caller deletes it.
    Source: RFC 9162 sections 2.1.1 and 2.1.4 (proofs), C2SP signed-note (signatures).
    """
    unknown = content.views.keys() - set(VIEWS)
    if unknown:
        raise ValueError(f"unknown views: {sorted(unknown)}")
    checkpoint = parse_checkpoint(open_note(content.checkpoint_note, content.keys).text)
    with _open_archive(out) as archive, TemporaryFile() as hashes:
        members = _Members(archive)
        indexes = _write_records(members, records, hashes)
        _write_proof(members, indexes, hashes, checkpoint, read)
        members.add("checkpoint.txt", "evidence", content.checkpoint_note.encode())
        consistency = _consistency(content.earlier_sizes, checkpoint.size, read)
        members.add("consistency.json", "evidence", canonical_json(consistency))
        _write_aids(members, content)
        manifest = {
            "format": FORMAT,
            "origin": checkpoint.origin,
            "tree_size": checkpoint.size,
            "root": checkpoint.root.hex(),
            "records": len(indexes),
            "filter": content.filters,
            "keys": [verifier_key(key.name, key.public_key) for key in content.keys],
            "members": members.described,
        }
        _write_manifest(members, manifest, content.keys, sign_manifest)
    return len(indexes)


class _Unseekable:
    """Show a file as a pipe: zipfile writes other bytes to what it can seek in."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, data: bytes, /) -> int:
        return self._out.write(data)

    def flush(self) -> None:
        self._out.flush()

    def close(self) -> None:
        """The caller owns the file, and closes it."""


class _Members:
    """Write members one after the other and keep the description of each for the manifest."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self.described: dict[str, dict[str, object]] = {}

    @contextmanager
    def open(self, name: str, role: str) -> Iterator[Callable[[bytes], None]]:
        """Open the next member; what it gives takes the content piece by piece."""
        digest, size = sha256(), 0
        with self._archive.open(_member_info(name), "w", force_zip64=True) as member:

            def write(piece: bytes) -> None:
                nonlocal size
                member.write(piece)
                digest.update(piece)
                size += len(piece)

            yield write
        self.described[name] = {"role": role, "sha256": digest.hexdigest(), "size": size}

    def add(self, name: str, role: str, data: bytes) -> None:
        """Add a member that fits in memory."""
        with self.open(name, role) as write:
            write(data)

    def add_file(self, name: str, role: str, path: Path) -> None:
        """Add a member from a file."""
        with self.open(name, role) as write, path.open("rb") as source:
            while piece := source.read(_CHUNK):
                write(piece)


@contextmanager
def _open_archive(out: BinaryIO) -> Iterator[zipfile.ZipFile]:
    """Open a zip for writing; after a failure leave it without a directory, so that it is none."""
    archive = zipfile.ZipFile(_Unseekable(out), "w")
    try:
        yield archive
    except BaseException:
        # ZipFile would otherwise complete the archive when it is collected.
        archive.fp = None
        raise
    archive.close()


def _member_info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=_EPOCH)
    info.create_system = 3
    info.external_attr = 0o100644 << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def _write_records(
    members: _Members, records: Iterable[tuple[int, bytes]], hashes: BinaryIO
) -> "array[int]":
    """Write records.jsonl, and each leaf hash to the temporary file. Return the leaf indexes."""
    indexes: array[int] = array("Q")
    last = -1
    with members.open("records.jsonl", "evidence") as write:
        for index, data in records:
            if index <= last:
                raise ValueError(f"leaf {index} comes after leaf {last}")
            last = index
            indexes.append(index)
            hashes.write(leaf_hash(data))
            write(b'{"leaf_index":%d,"record":%b}\n' % (index, data))
    return indexes


def _write_proof(
    members: _Members,
    indexes: "array[int]",
    hashes: BinaryIO,
    checkpoint: Checkpoint,
    read: NodeReader,
) -> None:
    """Write proof.json, and check on the way that it leads to the checkpoint's root.

    One node a line, so that a verifier can stream it with a line reader.
    """
    head = b'{"tree_size":%d,"root":"%b","leaf_prefixes":"'
    with members.open("proof.json", "evidence") as write:
        write(head % (checkpoint.size, checkpoint.root.hex().encode()))
        for value in _read_back(hashes):
            write(value[:PREFIX_SIZE].hex().encode())
        write(b'","nodes":[')
        nodes = _written(_stored_nodes(indexes, checkpoint.size, read), write)
        leaves = zip(indexes, _read_back(hashes), strict=True)
        root = root_from_multiproof(checkpoint.size, leaves, nodes)
        write(b"\n]}\n")
    if root != checkpoint.root:
        raise ValueError(f"the records lead to the root {root.hex()}, not to the checkpoint's")


def _read_back(hashes: BinaryIO) -> Iterator[bytes]:
    """Read the leaf hashes from the beginning, at a position of its own."""
    position = 0
    while True:
        hashes.seek(position)
        piece = hashes.read(_CHUNK)
        if not piece:
            return
        position += len(piece)
        for start in range(0, len(piece), HASH_SIZE):
            yield piece[start : start + HASH_SIZE]


def _stored_nodes(
    indexes: "array[int]", size: int, read: NodeReader
) -> Iterator[tuple[Address, bytes]]:
    """Read the nodes of the multiproof in order of position, some thousands at a time."""
    addresses = multiproof_addresses(indexes, size)
    while batch := list(islice(addresses, _NODES_PER_READ)):
        stored = read(batch)
        for address in batch:
            if address not in stored:
                raise LookupError(f"node (level, index) not stored: {address}")
            yield address, stored[address]


def _written(
    nodes: Iterable[tuple[Address, bytes]], write: Callable[[bytes], None]
) -> Iterator[tuple[Address, bytes]]:
    """Pass nodes on, each written as a line of JSON."""
    separator = b"\n"
    for address, value in nodes:
        write(b'%b[%d,%d,"%b"]' % (separator, *address, value.hex().encode()))
        separator = b",\n"
        yield address, value


def _consistency(earlier_sizes: Sequence[int], size: int, read: NodeReader) -> dict[str, object]:
    """Prove that the trees of earlier sizes are prefixes of the checkpoint's."""
    proofs: list[dict[str, object]] = []
    for first in sorted(set(earlier_sizes)):
        if not 1 <= first <= size:
            raise ValueError(f"an earlier size is between 1 and {size}, not {first}")
        proof = consistency_proof(first, size, read)
        root = root_at(first, read)
        proofs.append({"first": first, "root": root.hex(), "proof": [h.hex() for h in proof]})
    return {"proofs": proofs}


def _write_aids(members: _Members, content: BundleContent) -> None:
    """Write what is not evidence: views, payloads, keys, the verifier and the instructions."""
    for name in VIEWS:
        if name in content.views:
            view = content.views[name]
            members.add_file(name, "view", view.path)
            members.described[name]["neutralised_cells"] = view.neutralised_cells
    if content.payloads is not None:
        members.add_file("payloads.jsonl", "evidence", content.payloads)
    pem = b"".join(public_key_pem(key.public_key) for key in content.keys)
    members.add("public_key.pem", "aid", pem)
    members.add("verify.py", "aid", content.verifier)
    members.add("README.txt", "aid", content.readme.encode())


def _write_manifest(
    members: _Members,
    manifest: Mapping[str, object],
    keys: Sequence[NamedKey],
    sign_manifest: ManifestSigner,
) -> None:
    data = canonical_json(manifest)
    note = sign_manifest(f"{MANIFEST_NOTE}\n{sha256(data).hexdigest()}\n")
    open_note(note, keys[:1])
    members.add("manifest.json", "manifest", data)
    members.add("manifest.sig", "manifest", note.encode())
