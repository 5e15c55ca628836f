"""The offline verifier's own Ed25519, against RFC 8032 and the cryptography library."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.exports.verifier.verify import L, P, decode_point, ed25519_verify

# RFC 8032 section 7.1, tests 1 to 3: public key, message, signature.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e3970"
        "1cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613"
        "d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760"
        "984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


def vector(number: int) -> tuple[bytes, bytes, bytes]:
    key, message, signature = map(bytes.fromhex, VECTORS[number])
    return key, message, signature


@pytest.mark.parametrize("number", range(3))
def test_the_vectors_of_rfc_8032_verify(number: int) -> None:
    assert ed25519_verify(*vector(number))


def test_a_signature_with_s_beyond_the_group_order_is_refused() -> None:
    key, message, signature = vector(1)
    s = int.from_bytes(signature[32:], "little") + L
    # The same point, since s counts modulo L; RFC 8032 section 5.1.7 refuses it all the same.
    assert not ed25519_verify(key, message, signature[:32] + s.to_bytes(32, "little"))


@pytest.mark.parametrize("y", [0, 1])
def test_a_point_has_one_encoding_only(y: int) -> None:
    # (sqrt(-1), 0) and (0, 1) are on the curve; y + P would mean the same y.
    assert decode_point(y.to_bytes(32, "little")) is not None
    assert decode_point((y + P).to_bytes(32, "little")) is None


def test_x_zero_has_no_negative_encoding() -> None:
    assert decode_point((1 | 1 << 255).to_bytes(32, "little")) is None


def test_y_without_a_point_on_the_curve_is_refused() -> None:
    # y = 2: (y^2 - 1) / (d y^2 + 1) is no square modulo 2^255 - 19 (Euler's criterion).
    d = -121665 * pow(121666, -1, P) % P
    assert pow(3 * pow(4 * d + 1, -1, P), (P - 1) // 2, P) == P - 1
    assert decode_point((2).to_bytes(32, "little")) is None


def test_a_decoded_point_is_on_the_curve_with_the_sign_asked_for() -> None:
    d = -121665 * pow(121666, -1, P) % P
    encoded = bytes.fromhex(VECTORS[1][0])
    x, y, _, _ = decode_point(encoded) or (0, 0, 0, 0)
    assert (y * y - x * x - 1 - d * x * x * y * y) % P == 0
    assert x & 1 == encoded[31] >> 7


def test_a_key_under_which_anybody_can_sign_is_refused() -> None:
    # A is the identity: with R = the identity and S = 0 the equation holds for every message.
    identity = (1).to_bytes(32, "little")
    assert not ed25519_verify(identity, b"any message", identity + bytes(32))


@pytest.mark.parametrize("length", [0, 31, 32, 63, 65])
def test_signatures_of_another_length_are_refused(length: int) -> None:
    key, message, signature = vector(2)
    assert not ed25519_verify(key, message, (signature + b"\0")[:length])


def test_a_key_of_another_length_is_refused() -> None:
    key, message, signature = vector(2)
    assert not ed25519_verify(key[:31], message, signature)


@settings(max_examples=15, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(), st.integers(0, 511))
def test_it_agrees_with_the_cryptography_library(seed: bytes, message: bytes, bit: int) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = private.public_key().public_bytes_raw(), private.sign(message)
    assert ed25519_verify(public, message, signature)
    changed = bytearray(signature)
    changed[bit // 8] ^= 1 << bit % 8
    assert not ed25519_verify(public, message, bytes(changed))
    assert not ed25519_verify(public, message + b"\0", signature)
