"""C2SP signed notes and tree-head checkpoints, signed with Ed25519."""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from apps.audit.domain.ed25519_keys import public_key_bytes

ED25519_TYPE = b"\x01"
# The specification asks for at least 16; more than this is no note but an attack on the reader.
MAX_SIGNATURES = 100
_SIGNATURE_MARK = "\u2014 "
_TREE_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True)
class NamedKey:
    """An Ed25519 public key (32 bytes) and the name under which it signs."""

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        """Refuse a name or key that no note can carry."""
        _check_name(self.name)
        if len(self.public_key) != 32:
            raise ValueError(f"an Ed25519 public key has 32 bytes, not {len(self.public_key)}")

    @property
    def key_id(self) -> bytes:
        """The 4 bytes that name this key in a signature line."""
        return key_id(self.name, self.public_key)


@dataclass(frozen=True)
class NoteSignature:
    """One signature line: who, which of their keys (4 bytes), and the signature itself."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True)
class Note:
    """A text that ends in a newline, and the signatures under it."""

    text: str
    signatures: tuple[NoteSignature, ...]


@dataclass(frozen=True)
class OpenedNote:
    """The text of a note and the known keys whose signatures on it are good (at least one)."""

    text: str
    verified_by: tuple[NamedKey, ...]


@dataclass(frozen=True)
class Checkpoint:
    """The head of a log's tree: origin, number of leaves, root hash (32 bytes)."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def body(self) -> str:
        """Write the note text of the checkpoint.

        Returns origin, decimal size, base64 root and any extensions, a line each.
        Raises ValueError for an empty or multi-line part, a negative size, a root not of 32 bytes.
        Source: C2SP tlog-checkpoint, "Note text".
        """
        if self.size < 0 or len(self.root) != 32:
            raise ValueError(f"size {self.size} and a root of {len(self.root)} bytes fit no tree")
        lines = (self.origin, str(self.size), b64encode(self.root).decode(), *self.extensions)
        if not all(line and _is_note_text(line) and "\n" not in line for line in lines):
            raise ValueError("origin and extensions are lines: not empty, no control characters")
        return "".join(f"{line}\n" for line in lines)


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the note text of a checkpoint.

    text: what `Checkpoint.body` writes. The text proves nothing until its note is verified.
    Raises ValueError naming the line that is malformed.
    Source: C2SP tlog-checkpoint, "Note text".
    """
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1]:
        raise ValueError("a checkpoint has at least three lines, each ended by a newline")
    if "" in lines[:-1]:
        raise ValueError(f"line {lines.index('') + 1} of the checkpoint is empty")
    if not _TREE_SIZE.fullmatch(lines[1]):
        raise ValueError(f"line 2 of the checkpoint is not a tree size: {lines[1]!r}")
    root = _base64(lines[2])
    if root is None or len(root) != 32:
        raise ValueError(f"line 3 of the checkpoint is not a root hash: {lines[2]!r}")
    return Checkpoint(lines[0], int(lines[1]), root, tuple(lines[3:-1]))


def key_id(name: str, public_key: bytes) -> bytes:
    """Derive the identifier of an Ed25519 key: SHA-256(name || 0x0A || 0x01 || public key)[:4].

    name: the key's name; public_key: 32 bytes. Returns 4 bytes.
    Source: C2SP signed-note, "Ed25519 signatures".
    """
    return sha256(name.encode() + b"\n" + ED25519_TYPE + public_key).digest()[:4]


def verifier_key(name: str, public_key: bytes) -> str:
    """Write a key as one line to hand to verifiers: name+hex(key id)+base64(0x01 || public key).

    name: without spaces or plus signs; public_key: 32 bytes.
    Raises ValueError for a name or key that no note can carry.
    Source: Go's sumdb/note, "Verifying Notes".
    """
    key = NamedKey(name, public_key)
    encoded = b64encode(ED25519_TYPE + public_key).decode()
    return f"{name}+{key.key_id.hex()}+{encoded}"


def parse_verifier_key(line: str) -> NamedKey:
    """Read what `verifier_key` writes.

    Raises ValueError when the line is malformed, of another key type, or its key id is wrong.
    Source: Go's sumdb/note, "Verifying Notes".
    """
    name, _, rest = line.partition("+")
    hex_id, _, encoded = rest.partition("+")
    material = _base64(encoded)
    if material is None or len(material) != 33 or material[:1] != ED25519_TYPE:
        raise ValueError(f"not the verifier key of an Ed25519 key: {line!r}")
    key = NamedKey(name, material[1:])
    if key.key_id.hex() != hex_id:
        raise ValueError(f"the key id {hex_id!r} is not that of the key in {line!r}")
    return key


def sign_note(text: str, name: str, private_key: Ed25519PrivateKey) -> str:
    """Sign a text.

    text: ends in a newline, no other control characters; name: of the key, without spaces or plus.
    Returns the note: text, empty line, signature line.
    Raises ValueError for a text or name that no note can carry.
    Source: C2SP signed-note, "Format".
    """
    _check_name(name)
    if not text.endswith("\n") or not _is_note_text(text):
        raise ValueError("a note's text ends in a newline and has no other control characters")
    identifier = key_id(name, public_key_bytes(private_key))
    encoded = b64encode(identifier + private_key.sign(text.encode())).decode()
    return f"{text}\n{_SIGNATURE_MARK}{name} {encoded}\n"


def parse_note(note: str) -> Note:
    """Split a note into its text and its signatures, without verifying any.

    Raises ValueError naming what is malformed, and the line where there is one.
    Source: C2SP signed-note, "Format".
    """
    if not _is_note_text(note):
        raise ValueError("the note holds control characters or lone surrogates")
    text, separator, tail = note.rpartition("\n\n")
    if not separator or not tail.endswith("\n"):
        raise ValueError("the note lacks an empty line before its signatures, or its last newline")
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise ValueError(f"the note has {len(lines)} signatures, more than {MAX_SIGNATURES}")
    first_line = text.count("\n") + 3
    signatures = (_parse_signature(line, first_line + i) for i, line in enumerate(lines))
    return Note(f"{text}\n", tuple(signatures))


def open_note(note: str, known_keys: Sequence[NamedKey]) -> OpenedNote:
    """Verify a note against known keys.

    known_keys: the keys that the caller trusts. Signatures of others are ignored, even when they
    share the name or the key id (but not both) with a known key.
    Returns the text and the known keys that signed it, in the order of `known_keys`.
    Raises ValueError for a malformed note, for a bad signature in the name of a known key, and
    when no known key signed.
    Source: C2SP signed-note, "Signatures".
    """
    parsed = parse_note(note)
    message = parsed.text.encode()
    verified = {
        key
        for signature in parsed.signatures
        for key in known_keys
        if _signed_by(key, signature, message)
    }
    if not verified:
        raise ValueError("no known key signed the note")
    return OpenedNote(parsed.text, tuple(key for key in known_keys if key in verified))


def _signed_by(key: NamedKey, signature: NoteSignature, message: bytes) -> bool:
    if (key.name, key.key_id) != (signature.name, signature.key_id):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key.public_key).verify(signature.signature, message)
    except InvalidSignature:
        raise ValueError(f"the signature of {key.name!r} does not fit the note") from None
    return True


def _parse_signature(line: str, number: int) -> NoteSignature:
    name, separator, encoded = line.removeprefix(_SIGNATURE_MARK).partition(" ")
    decoded = _base64(encoded)
    if not line.startswith(_SIGNATURE_MARK) or not separator or decoded is None:
        raise ValueError(f"line {number} of the note is not a signature line: {line!r}")
    if len(decoded) < 5:
        raise ValueError(f"line {number} of the note holds no signature: {line!r}")
    try:
        _check_name(name)
    except ValueError as error:
        raise ValueError(f"line {number} of the note: {error}") from None
    return NoteSignature(name, decoded[:4], decoded[4:])


def _check_name(name: str) -> None:
    if not name or "+" in name or not _is_note_text(name) or any(c.isspace() for c in name):
        raise ValueError(f"a key name is not empty and has no spaces or plus signs: {name!r}")


def _is_note_text(text: str) -> bool:
    """Say whether a text is valid UTF-8 without control characters below U+0020 but newline."""
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        return False
    return not any(byte < 0x20 and byte != 0x0A for byte in encoded)


def _base64(text: str) -> bytes | None:
    """Decode standard base64, padding required and its unused bits zero; None for anything else."""
    try:
        decoded = b64decode(text, validate=True)
    except (Base64Error, ValueError):
        return None
    return decoded if b64encode(decoded).decode() == text else None
