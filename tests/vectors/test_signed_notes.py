"""C2SP signed notes and checkpoints, against published notes."""

from base64 import b64decode, b64encode

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from apps.audit.domain.checkpoint import (
    Checkpoint,
    NamedKey,
    open_note,
    parse_checkpoint,
    parse_note,
    parse_verifier_key,
    sign_note,
    verifier_key,
)
from apps.audit.domain.ed25519_keys import (
    generate_private_key_pem,
    load_private_key,
    load_public_key,
    public_key_bytes,
    public_key_pem,
)

# Go, golang.org/x/mod/sumdb/note: the documented example with its published signing key.
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
NOTE = (
    f"{TEXT}\n\u2014 PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
VERIFIER_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SEED = b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
PETER = parse_verifier_key(VERIFIER_KEY)
SIGNER = Ed25519PrivateKey.from_private_bytes(SEED)
# The example of C2SP tlog-checkpoint.
CHECKPOINT = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"


def other_key(name: str = "PeterNeumann") -> NamedKey:
    return NamedKey(name, public_key_bytes(Ed25519PrivateKey.from_private_bytes(bytes(32))))


def test_the_published_note_is_signed_byte_for_byte() -> None:
    assert sign_note(TEXT, "PeterNeumann", SIGNER) == NOTE


def test_the_published_note_verifies_under_its_published_key() -> None:
    opened = open_note(NOTE, [other_key(), PETER])
    assert (opened.text, opened.verified_by) == (TEXT, (PETER,))


def test_the_published_verifier_key_is_written_again() -> None:
    assert verifier_key("PeterNeumann", public_key_bytes(SIGNER)) == VERIFIER_KEY


def test_a_checkpoint_is_written_as_in_the_specification() -> None:
    checkpoint = parse_checkpoint(CHECKPOINT)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.root.hex().startswith("0ac5186a91863e8e")
    assert checkpoint.body() == CHECKPOINT


def test_a_text_may_hold_empty_lines() -> None:
    text = "first\n\nsecond\n"
    assert open_note(sign_note(text, "a", SIGNER), [NamedKey("a", PETER.public_key)]).text == text


def test_signatures_of_unknown_keys_are_ignored_even_with_a_known_name_or_id() -> None:
    blob = b64encode(PETER.key_id + bytes(64)).decode()
    stranger = b64encode(b"\0\0\0\0" + bytes(64)).decode()
    note = f"{NOTE}\u2014 somebody {blob}\n\u2014 PeterNeumann {stranger}\n"
    assert open_note(note, [PETER]).verified_by == (PETER,)


def test_two_known_signers_are_both_named() -> None:
    second = other_key("witness")
    witness = Ed25519PrivateKey.from_private_bytes(bytes(32))
    line = sign_note(TEXT, "witness", witness).rsplit("\n", 2)[1]
    assert open_note(f"{NOTE}{line}\n", [second, PETER]).verified_by == (second, PETER)


def test_a_bad_signature_of_a_known_key_condemns_the_note() -> None:
    with pytest.raises(ValueError, match="'PeterNeumann' does not fit"):
        open_note(NOTE.replace("your problem is", "our problem is"), [PETER])


def test_a_note_without_a_known_signer_is_refused() -> None:
    with pytest.raises(ValueError, match="no known key"):
        open_note(NOTE, [other_key()])


@pytest.mark.parametrize(
    ("note", "named"),
    [
        (TEXT, "empty line"),
        (NOTE[:-1], "newline"),
        (NOTE.replace("\u2014", "-"), "line 4"),
        (NOTE + "\u2014 x\n", "line 5"),
        (NOTE + "\u2014 x AAAA\n", "line 5 .* no signature"),
        (NOTE + "\u2014 x+y AAAAAAAA\n", "line 5 .*plus"),
        (NOTE + "\u2014 x AAAAAAA\n", "line 5"),
        (NOTE + "\u2014 x\u00a0y AAAAAAAA\n", "line 5 .*spaces"),
        (NOTE.replace(",", "\t"), "control"),
        (NOTE.replace(",", "\ud800"), "surrogates"),
        (NOTE + "\u2014 x AAAAAAAA\n" * 100, "101 signatures"),
    ],
)
def test_a_malformed_note_is_refused_and_the_line_named(note: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        parse_note(note)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("origin\n1\n", "three lines"),
        (CHECKPOINT[:-1], "three lines"),
        ("\n" + CHECKPOINT, "line 1"),
        (CHECKPOINT.replace("20852163", "020852163"), "line 2"),
        (CHECKPOINT.replace("20852163", "-1"), "line 2"),
        (CHECKPOINT.replace("20852163", "\u0661"), "line 2"),
        (CHECKPOINT.replace("q2I=", "q2J="), "line 3"),
        (CHECKPOINT.replace("CsUY", ""), "line 3"),
        (CHECKPOINT + "\n", "line 4"),
    ],
)
def test_a_malformed_checkpoint_is_refused_and_the_line_named(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        parse_checkpoint(text)


def test_extension_lines_are_kept() -> None:
    assert parse_checkpoint(f"{CHECKPOINT}more\n").body() == f"{CHECKPOINT}more\n"


@pytest.mark.parametrize(
    "checkpoint",
    [
        Checkpoint("", 0, bytes(32)),
        Checkpoint("a\nb", 0, bytes(32)),
        Checkpoint("a", -1, bytes(32)),
        Checkpoint("a", 0, bytes(31)),
    ],
)
def test_a_checkpoint_that_is_none_has_no_body(checkpoint: Checkpoint) -> None:
    with pytest.raises(ValueError, match=r"fit no tree|are lines"):
        checkpoint.body()


@pytest.mark.parametrize(("text", "name"), [("no newline", "a"), ("a\tb\n", "a"), ("a\n", "a b")])
def test_what_no_note_can_carry_is_not_signed(text: str, name: str) -> None:
    with pytest.raises(ValueError, match=r"a note's text|a key name"):
        sign_note(text, name, SIGNER)


@pytest.mark.parametrize(
    "line",
    ["", "a+b", VERIFIER_KEY.replace("c74f", "c74e"), VERIFIER_KEY.replace("+ARpc", "+BRpc")],
)
def test_a_malformed_verifier_key_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"verifier key|key id"):
        parse_verifier_key(line)


def test_a_generated_key_signs_and_its_published_half_verifies() -> None:
    private = load_private_key(generate_private_key_pem())
    public = load_public_key(public_key_pem(public_key_bytes(private)))
    assert open_note(sign_note("x\n", "log", private), [NamedKey("log", public)]).text == "x\n"


def test_unusable_private_keys_are_refused_with_the_reason() -> None:
    encrypted = SIGNER.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
    )
    elliptic = generate_ec_key(SECP256R1())
    wrong = elliptic.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for pem, reason in [(encrypted, "encrypted"), (wrong, "not Ed25519"), (b"x", "not readable")]:
        with pytest.raises(ValueError, match=reason):
            load_private_key(pem)
    public = elliptic.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for pem, reason in [(public, "not Ed25519"), (b"x", "not readable")]:
        with pytest.raises(ValueError, match=reason):
            load_public_key(pem)
