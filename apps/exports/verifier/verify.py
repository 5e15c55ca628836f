#!/usr/bin/env python3
"""Verify an evidence bundle.

python3 verify.py BUNDLE.zip [--key public_key.pem] [--against OLD.zip]

Needs Python 3.9 or later and nothing else. Prints "PASS n records" (exit 0), or a line "FAIL ..."
for each finding, naming the member, line or record (exit 1); wrong usage is exit 2.

Checked: the members are those that the signed manifest names, with their sizes and SHA-256; each
record is canonical JSON (RFC 8785); the records' hashes and the nodes of proof.json lead to the
root (RFC 9162) of the signed checkpoint (C2SP note, Ed25519); the consistency proofs; records.csv
and records.xlsx cell by cell against the records (null and empty text look alike there); payloads
against the commitments in the records. Parquet and PDF: by size and SHA-256 alone.
--key      trust the keys of this file; without it the bundle only vouches for itself.
--against  an older bundle: its checkpoint must be an earlier state of the same log.
"""

from __future__ import annotations

import argparse
import base64
import csv
import hashlib
import io
import json
import re
import sys
import zipfile
from collections.abc import Callable, Iterator
from typing import Any
from xml.etree import ElementTree

sha256 = hashlib.sha256
EVIDENCE = ["records.jsonl", "proof.json", "checkpoint.txt", "consistency.json"]
REQUIRED = [*EVIDENCE, "public_key.pem", "verify.py", "README.txt"]
OPTIONAL = ["records.csv", "records.xlsx", "records.parquet", "summary.pdf", "payloads.jsonl"]
SIGNED = ["manifest.json", "manifest.sig"]
SMALL, LINE, MEMBER = 16 << 20, 128 << 20, 1 << 40  # limits in bytes


class Finding(Exception):
    """Something in the bundle does not hold."""


def require(holds: object, finding: str) -> None:
    if not holds:
        raise Finding(finding)


# --- Ed25519 verification (RFC 8032 section 5.1), points in extended coordinates (X, Y, Z, T)
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_MINUS_1 = pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]


def add(a: Point, b: Point) -> Point:
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g, h = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    w, x, y, z = f - e, h - g, h + g, f + e
    return w * x % P, y * z % P, x * y % P, w * z % P


def multiply(scalar: int, point: Point) -> Point:
    total: Point = (0, 1, 1, 0)
    for bit in bin(scalar)[2:]:
        total = add(total, total)
        total = add(total, point) if bit == "1" else total
    return total


def decode_point(data: bytes) -> Point | None:
    """RFC 8032 section 5.1.3; None for what is no point, or not the one encoding of a point."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * v**3 * pow(u * v**7, (P - 5) // 8, P) % P
    if v * x * x % P != u:
        x = x * SQRT_MINUS_1 % P
    if len(data) != 32 or y >= P or v * x * x % P != u or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def ed25519_verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    base = decode_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
    key, r = decode_point(public_key), decode_point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if not (base and key and r) or len(signature) != 64 or s >= L:
        return False
    if multiply(8, key)[0] == 0:
        return False  # a key of small order, under which anybody can sign
    digest = hashlib.sha512(signature[:32] + public_key + message).digest()
    a = multiply(s, base)
    b = add(r, multiply(int.from_bytes(digest, "little") % L, key))
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 == (a[1] * b[2] - b[1] * a[2]) % P


# --- Keys and signed notes (C2SP signed-note)
Key = tuple[str, bytes]  # name, 32 bytes
SPKI = bytes.fromhex("302a300506032b6570032100")
PEM = re.compile(r"-----BEGIN PUBLIC KEY-----\s+([A-Za-z0-9+/=\s]+?)\s*-----END PUBLIC KEY-----")


def decode64(text: str, where: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Finding(f"{where}: not base64") from None
    require(base64.b64encode(data).decode() == text, f"{where}: not base64 in its one form")
    return data


def pem_keys(text: str, where: str) -> list[bytes]:
    blocks = [decode64("".join(block.split()), where) for block in PEM.findall(text)]
    good = all(len(block) == 44 and block.startswith(SPKI) for block in blocks)
    require(good and blocks and not PEM.sub("", text).strip(), f"{where}: not Ed25519 keys in PEM")
    return [block[12:] for block in blocks]


def key_id(key: Key) -> bytes:
    return sha256(key[0].encode() + b"\n\x01" + key[1]).digest()[:4]


def verifier_key(line: object) -> Key:
    name, _, encoded = (*str(line).split("+", 2), "", "")[:3]
    data = decode64(encoded, "manifest.json, keys")
    require(len(data) == 33 and data[0] == 1, f"manifest.json: no Ed25519 key: {line!r}")
    return name, data[1:]


def open_note(note: str, keys: list[Key], where: str) -> tuple[str, Key]:
    """Give the note's text and the first of the keys that signed it; at least one must have."""
    text, gap, tail = note.rpartition("\n\n")
    require(gap and tail.endswith("\n") and tail.count("\n") <= 100, f"{where}: not a signed note")
    text, signers = text + "\n", []
    for line in tail[:-1].split("\n"):
        _, name, blob = (*line.split(" "), "", "")[:3]
        require(line == f"\u2014 {name} {blob}" and name, f"{where}: no signature line: {line!r}")
        signature = decode64(blob, where)
        for key in keys:
            if name == key[0] and signature[:4] == key_id(key):
                good = ed25519_verify(key[1], text.encode(), signature[4:])
                require(good, f"{where}: the signature of {name} is not genuine")
                signers.append(key)
    require(signers, f"{where}: not signed by any of the keys to trust")
    return text, signers[0]


# --- Merkle trees (RFC 9162 section 2.1)


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def multiproof_root(
    size: int, leaves: Iterator[tuple[int, bytes]], nodes: Iterator[tuple[int, int, bytes]]
) -> bytes:
    """Compute the root from some leaves and the complete subtrees (level, index) of the others."""
    leaf, node, position = next(leaves, None), next(nodes, None), 0
    stack: list[tuple[int, bytes]] = []
    while position < size:
        if leaf and leaf[0] == position:
            level, value, leaf = 0, leaf[1], next(leaves, None)
        else:
            level, index, value = node or (0, -1, b"")
            fits = level < size.bit_length() and index << level == position
            fits = fits and position + (1 << level) <= size
            require(fits, f"proof.json: nothing stands for leaf {position} of the tree")
            node = next(nodes, None)
        position += 1 << level
        while stack and stack[-1][0] == level:
            value, level = node_hash(stack.pop()[1], value), level + 1
        stack.append((level, value))
    require(not leaf, f"records.jsonl: leaf {leaf and leaf[0]} is beyond the tree of {size}")
    require(not node, "proof.json: a node more than the tree has")
    root = stack.pop()[1] if stack else sha256(b"").digest()
    while stack:
        root = node_hash(stack.pop()[1], root)
    return root


def consistent(first: int, second: int, old: bytes, new: bytes, proof: list[bytes]) -> bool:
    """RFC 9162 section 2.1.4.2."""
    if not 0 < first < second:
        return first == second and not proof and old == new
    path = [old] * (first & (first - 1) == 0) + proof
    a, b = first - 1, second - 1
    while a & 1:
        a, b = a >> 1, b >> 1
    left = right = path[0] if path else b""
    for value in path[1:]:
        if b == 0:
            return False
        if a & 1 or a == b:
            left, right = node_hash(value, left), node_hash(value, right)
            while a and not a & 1:
                a, b = a >> 1, b >> 1
        else:
            right = node_hash(right, value)
        a, b = a >> 1, b >> 1
    return b == 0 and left == old and right == new


# --- Strict JSON


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError(f"the key {max(names, key=names.count)!r} comes twice")
    return dict(pairs)


DECODER = json.JSONDecoder(object_pairs_hook=unique)
ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def parse(data: bytes, where: str) -> dict[str, Any]:
    try:
        value: Any = DECODER.decode(data.decode())
    except (ValueError, RecursionError) as error:
        raise Finding(f"{where}: not JSON of the kind used here: {error}") from None
    require(isinstance(value, dict), f"{where}: not a JSON object")
    return value  # type: ignore[no-any-return]


def take(value: dict[str, Any], name: str, kind: type, where: str) -> Any:
    good = type(value.get(name)) is kind and not (kind is int and value[name] < 0)
    require(good, f"{where}: {name!r} is missing or not of the right kind")
    return value[name]


def take_hash(text: object, where: str) -> bytes:
    good = isinstance(text, str) and re.fullmatch("[0-9a-f]{64}", text)
    require(good, f"{where}: not a SHA-256 in lower-case hex: {text!r:.80}")
    return bytes.fromhex(str(text))


# --- The bundle
PROOF_HEAD = b'{"tree_size":%d,"root":"%b","leaf_prefixes":"'
PROOF_NODE = re.compile(rb'\[(\d{1,2}),(\d{1,19}),"([0-9a-f]{64})"\],?\n')


class Bundle:
    """One zip; each check raises Finding."""

    def __init__(self, path: str) -> None:
        self.archive = zipfile.ZipFile(path)
        names = self.archive.namelist()
        for member in self.archive.infolist():
            name, size = member.filename, member.file_size
            plain = name in REQUIRED + OPTIONAL + SIGNED and name == member.orig_filename
            require(plain, f"{name!r}: a member that no bundle has")
            require(names.count(name) == 1, f"{name}: comes twice")
            bomb = size > min(MEMBER, 1100 * member.compress_size + 4096)
            require(not bomb, f"{name}: an absurd size of {size} bytes")
        for name in SIGNED:
            require(name in names, f"{name}: missing")
        name = "manifest.json"
        self.manifest = parse(self.small(name), name)
        kind = self.manifest.get("format")
        require(kind == "hitl-platform/bundle/v1", f"{name}: unknown format {kind!r}")
        self.members = take(self.manifest, "members", dict, name)
        self.names = sorted({*REQUIRED, *self.members, *names} - {*SIGNED})
        self.count = take(self.manifest, "records", int, name)
        self.size = take(self.manifest, "tree_size", int, name)
        self.origin = take(self.manifest, "origin", str, name)
        self.root = take_hash(self.manifest.get("root"), name)
        self.signer: Key | None = None
        self.earlier: dict[int, bytes] = {}
        self.keys = [verifier_key(line) for line in take(self.manifest, "keys", list, name)]

    def small(self, name: str) -> bytes:
        with self.archive.open(name) as member:
            data = member.read(SMALL + 1)
        require(len(data) <= SMALL, f"{name}: larger than {SMALL} bytes")
        return data

    def lines(self, name: str, limit: int = LINE) -> Iterator[bytes]:
        with self.archive.open(name) as member:
            for number, line in enumerate(iter(lambda: member.readline(limit), b""), 1):
                require(line.endswith(b"\n"), f"{name} line {number}: too long or cut off")
                yield line

    def records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for line in self.lines("records.jsonl"):
            value = json.loads(line)
            yield value["leaf_index"], value["record"]

    def check_signature(self, trusted: list[bytes] | None) -> Key:
        keys = [key for key in self.keys if trusted is None or key[1] in trusted]
        require(keys, "manifest.json: made with another key, names none of those to trust")
        text, signer = open_note(self.small("manifest.sig").decode(), keys, "manifest.sig")
        signed = f"hitl-platform/bundle-manifest/v1\n{sha256(self.small(SIGNED[0])).hexdigest()}\n"
        require(text == signed, "manifest.json: its SHA-256 is not the one that was signed")
        return signer

    def check_member(self, name: str) -> None:
        require(name in self.members, f"{name}: not in the manifest")
        require(name in self.archive.namelist(), f"{name}: missing")
        digest, size, stated = sha256(), 0, take(self.members, name, dict, "manifest.json")
        with self.archive.open(name) as member:
            for piece in iter(lambda: member.read(1 << 20), b""):
                digest.update(piece)
                size += len(piece)
        same = (size, digest.hexdigest()) == (stated.get("size"), stated.get("sha256"))
        require(same, f"{name}: its size and SHA-256 are not those in the manifest")

    def check_checkpoint(self) -> None:
        name = "checkpoint.txt"
        text, _ = open_note(self.small(name).decode(), self.keys, name)
        head = f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"
        require(text.startswith(head), f"{name}: not the origin, size and root of the manifest")

    def check_consistency(self) -> dict[int, bytes]:
        """Verify every proof; give the earlier sizes with the roots proven for them."""
        name, roots = "consistency.json", {}
        for entry in take(parse(self.small(name), name), "proofs", list, name):
            require(isinstance(entry, dict), f"{name}: a proof that is not an object")
            first = take(entry, "first", int, name)
            where = f"{name}, size {first}"
            roots[first] = take_hash(entry.get("root"), where)
            proof = [take_hash(value, where) for value in take(entry, "proof", list, where)]
            good = consistent(first, self.size, roots[first], self.root, proof)
            require(good, f"{where}: the proof does not lead to the checkpoint's root")
        return roots

    def check_records(self) -> None:
        lines = self.lines("proof.json", 8 * self.count + 4096)
        first, head = next(lines, b""), PROOF_HEAD % (self.size, self.root.hex().encode())
        prefixes = first[len(head) : -len(b'","nodes":[\n')]
        shape = rb"%b([0-9a-f]{8})*%b" % (re.escape(head), re.escape(b'","nodes":[\n'))
        require(re.fullmatch(shape, first), "proof.json: not the tree size, root and count stated")
        leaves = self.leaves(bytes.fromhex(prefixes.decode()))
        root = multiproof_root(self.size, leaves, self.nodes(lines))
        require(root == self.root, "proof.json: records and nodes do not lead to the root")

    def leaves(self, prefixes: bytes) -> Iterator[tuple[int, bytes]]:
        """Check each line of records.jsonl; give its leaf index and leaf hash."""
        number, last = 0, -1
        for number, line in enumerate(self.lines("records.jsonl"), 1):
            where = f"records.jsonl line {number}"
            value = parse(line, where)
            index = take(value, "leaf_index", int, where)
            where = f"{where} (leaf {index})"
            require(index > last, f"{where}: out of order after leaf {last}")
            data = self.canonical(take(value, "record", dict, where), where)
            same = line == b'{"leaf_index":%d,"record":%b}\n' % (index, data)
            require(same, f"{where}: not in canonical form")
            leaf, last = sha256(b"\0" + data).digest(), index
            same = leaf[:4] == prefixes[4 * number - 4 : 4 * number]
            require(same, f"{where}: altered, or not the record that belongs here")
            yield index, leaf
        same = number == self.count == len(prefixes) // 4
        require(same, f"records.jsonl: {number} records, not as many as the manifest says")

    def check_payloads(self) -> None:
        records, index = self.records(), -1
        for number, line in enumerate(self.lines("payloads.jsonl"), 1):
            where = f"payloads.jsonl line {number}"
            payload = parse(line, where)
            leaf, part = take(payload, "record", int, where), take(payload, "part", str, where)
            while index < leaf:
                index, record = next(records, (1 << 64, {}))
            require(index == leaf, f"{where}: leaf {leaf} is out of order or not in the bundle")
            salt, content = (take(payload, name, str, where) for name in ("salt", "content"))
            require(re.fullmatch("([0-9a-f]{2})*", salt), f"{where}: the salt is not hex")
            digest = sha256(bytes.fromhex(salt) + decode64(content, where)).hexdigest()
            same = record.get(f"{part}_commitment") == digest
            require(same, f"{where}: {part!r} does not fit its commitment in leaf {leaf}")

    def canonical(self, record: dict[str, Any], where: str) -> bytes:
        """RFC 8785 for flat records: with ASCII keys and safe integers json's form is canonical."""
        for name, value in record.items():
            good = name.isascii() and (value is None or type(value) in (str, bool, int))
            good = good and (type(value) is not int or abs(value) < 2**53)
            require(good, f"{where}: {name!r} is no text, safe whole number, true, false or null")
        return ENCODER.encode(record).encode()

    def nodes(self, lines: Iterator[bytes]) -> Iterator[tuple[int, int, bytes]]:
        for line in lines:
            if line == b"]}\n":
                require(next(lines, None) is None, "proof.json: something after its end")
                return
            node = PROOF_NODE.fullmatch(line)
            require(node, f"proof.json: not a node: {line[:80]!r}")
            if node:
                yield int(node[1]), int(node[2]), bytes.fromhex(node[3].decode())
        raise Finding("proof.json: cut off")

    def check_view(self, name: str, rows: Iterator[list[str]]) -> None:
        """Compare each cell with its record, and the number of neutralised cells."""
        header = next(rows, [])
        columns = [c[1:] if c.startswith("'") and FORMULA.search(c[1:]) else c for c in header]
        quoted, number = sum(a != b for a, b in zip(header, columns)), 1  # noqa: B905 (Python 3.9)
        for number, (leaf, record) in enumerate(self.records(), 2):
            row, where = next(rows, []), f"{name} row {number} (leaf {leaf})"
            require(len(row) == len(columns), f"{where}: {len(row)} cells")
            require(record.keys() <= set(columns), f"{where}: keys without a column")
            for column, cell in zip(columns, row):  # noqa: B905 (Python 3.9)
                value = record.get(column)
                plain = cell_text(value)
                neutral = cell == "'" + plain and bool(FORMULA.search(plain))
                require(cell == plain or neutral, f"{where}, {column!r}: not as in the record")
                quoted += neutral
        require(next(rows, None) is None, f"{name}: more rows than records, after row {number}")
        same = quoted == self.members[name].get("neutralised_cells")
        require(same, f"{name}: {quoted} neutralised cells, not as many as the manifest says")


# --- Spreadsheets
FORMULA = re.compile(r"(?:\A|\r\n|\n|\r(?!\n))[ \u00a0]*[=+\-@\t\r\n\0\uff1d\uff0b\uff0d\uff20]")
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def cell_text(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def csv_rows(bundle: Bundle) -> Iterator[list[str]]:
    csv.field_size_limit(LINE)
    with bundle.archive.open("records.csv") as view:
        yield from csv.reader(io.TextIOWrapper(view, "utf-8", newline=""), strict=True)


def elements(book: zipfile.ZipFile, part: str, name: str) -> Iterator[ElementTree.Element]:
    with book.open(part) as stream:
        # The root element comes at once, so that no DOCTYPE can define entities that expand.
        plain = re.match(rb"(\xef\xbb\xbf)?\s*(<\?xml[^>]*\?>)?\s*<\w", stream.read(4096))
        require(plain, f"records.xlsx: {part} does not begin with its root element")
        stream.seek(0)
        for _, element in ElementTree.iterparse(stream):  # noqa: S314 (see above)
            if element.tag == SHEET + name:
                yield element
                element.clear()


def xlsx_text(element: ElementTree.Element) -> str:
    text = "".join(part.text or "" for part in element.iter(SHEET + "t"))
    return re.sub("_x([0-9A-Fa-f]{4})_", lambda code: chr(int(code[1], 16)), text)


def xlsx_rows(bundle: Bundle) -> Iterator[list[str]]:
    """Give the rows of the first sheet as text, cells left out being empty."""
    with bundle.archive.open("records.xlsx") as view, zipfile.ZipFile(view) as book:
        strings, width, shared = "xl/sharedStrings.xml", 0, list[str]()
        if strings in book.namelist():
            shared = [xlsx_text(item) for item in elements(book, strings, "si")]
        for row in elements(book, "xl/worksheets/sheet1.xml", "row"):
            cells: dict[int, str] = {}
            for cell in row.iter(SHEET + "c"):
                where, kind, column = cell.get("r", ""), cell.get("t", "n"), 0
                good = re.fullmatch("[A-Z]{1,3}[0-9]+", where) and cell.find(SHEET + "f") is None
                require(good, f"records.xlsx {where!r}: a formula, or nowhere on the sheet")
                for letter in where.rstrip("0123456789"):
                    column = 26 * column + ord(letter) - 64
                text = cell.findtext(SHEET + "v", "")
                text = shared[int(text)] if kind == "s" else text
                text = xlsx_text(cell) if kind == "inlineStr" else text
                cells[column] = {"1": "true", "0": "false"}.get(text, "") if kind == "b" else text
            width = width or max(cells, default=0)
            yield [cells.get(column, "") for column in range(1, max(width, *cells, 0) + 1)]


class Report:
    """What was found while running the checks; nothing that a check raises gets past."""

    def __init__(self) -> None:
        self.findings: list[str] = []

    def attempt(self, where: str, check: Callable[..., Any], *args: Any) -> Any:
        try:
            return check(*args)
        except Finding as finding:
            self.findings.append(str(finding))
        except Exception as error:  # noqa: BLE001 (whatever malformed input raises is a finding)
            self.findings.append(f"{where}: cannot be read: {type(error).__name__}: {error}")
        return None

    def verify(self, path: str, trusted: list[bytes] | None) -> Bundle | None:
        bundle: Bundle | None = self.attempt(path, Bundle, path)
        if bundle is None:
            return None
        bundle.signer = self.attempt("manifest.sig", bundle.check_signature, trusted)
        for name in bundle.names:
            self.attempt(name, bundle.check_member, name)
        self.attempt("checkpoint.txt", bundle.check_checkpoint)
        bundle.earlier = self.attempt("consistency.json", bundle.check_consistency) or {}
        before = len(self.findings)
        self.attempt("records.jsonl", bundle.check_records)
        if len(self.findings) > before:
            return bundle  # there is nothing to compare the rest with
        views = {"records.csv": csv_rows, "records.xlsx": xlsx_rows}
        for name in sorted({*bundle.names} & {*views}):
            self.attempt(name, bundle.check_view, name, views[name](bundle))
        if "payloads.jsonl" in bundle.names:
            self.attempt("payloads.jsonl", bundle.check_payloads)
        return bundle

    def check_against(self, bundle: Bundle, path: str) -> None:
        """The keys that the newer bundle names must have signed the older one."""
        report = Report()
        older = report.verify(path, [key[1] for key in bundle.keys])
        require(not report.findings, f"{path} does not verify: {'; '.join(report.findings)}")
        if older:  # it is, as nothing was found
            require(older.origin == bundle.origin, f"{path}: of another log, {older.origin!r}")
            known = {**bundle.earlier, bundle.size: bundle.root}
            require(older.size in known, f"consistency.json: no proof from size {older.size}")
            same = known[older.size] == older.root
            require(same, f"consistency.json: at size {older.size} the older root was another")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Verify an evidence bundle.")
    parser.add_argument("bundle")
    parser.add_argument("--key", help="PEM file of the public keys to trust")
    parser.add_argument("--against", metavar="OLD", help="an older bundle of the same log")
    options = parser.parse_args(arguments)
    report, trusted, out = Report(), None, sys.stdout.write
    if options.key:
        try:
            with open(options.key, encoding="ascii") as file:  # noqa: PTH123 (no pathlib needed)
                trusted = pem_keys(file.read(), options.key)
        except (OSError, ValueError, Finding) as error:
            parser.error(f"--key: {error}")
    bundle = report.verify(options.bundle, trusted)
    if bundle and options.against:
        report.attempt(options.against, report.check_against, bundle, options.against)
    if report.findings or not bundle or not bundle.signer:
        out("".join(f"FAIL {ascii(finding)[1:-1]}\n" for finding in report.findings))
        return 1
    out(f"PASS {bundle.count} records\n")
    name, key = bundle.signer
    out(f"Signed by {name!a}, key fingerprint SHA-256 {sha256(SPKI + key).hexdigest()}.\n")
    if trusted is None:
        out("The key came from the bundle itself: compare the fingerprint, or give --key.\n")
    for view in sorted({"records.parquet", "summary.pdf"} & {*bundle.names}):
        out(f"{view}: its signed hash is right; its content was not compared with the records.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
