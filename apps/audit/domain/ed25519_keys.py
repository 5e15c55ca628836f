"""Ed25519 keys as PEM files: made once, loaded at start, published."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)


def generate_private_key_pem() -> bytes:
    """Draw a new Ed25519 private key from the operating system's random source.

    Returns PEM, PKCS #8, not encrypted: the file's permissions protect it.
    Source: RFC 8032 section 5.1.5, RFC 8410 section 7.
    """
    return Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


def load_private_key(pem: bytes) -> Ed25519PrivateKey:
    """Load a private key.

    pem: PKCS #8 in PEM, not encrypted.
    Raises ValueError saying whether it is encrypted, unreadable, or of another type.
    Source: RFC 8410 section 7.
    """
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        raise ValueError("the private key is encrypted; the ledger needs it in clear") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("the private key is not readable as PEM (PKCS #8)") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"the private key is not Ed25519 but {type(key).__name__}")
    return key


def load_public_key(pem: bytes) -> bytes:
    """Load a public key.

    pem: one SubjectPublicKeyInfo block in PEM.
    Returns the 32 bytes of RFC 8032.
    Raises ValueError when it is unreadable or not Ed25519.
    Source: RFC 8410 section 4.
    """
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("the public key is not readable as PEM") from None
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError(f"the public key is not Ed25519 but {type(key).__name__}")
    return key.public_bytes_raw()


def public_key_bytes(private_key: Ed25519PrivateKey) -> bytes:
    """Derive the public key of a private key: the 32 bytes of RFC 8032 section 5.1.5."""
    return private_key.public_key().public_bytes_raw()


def public_key_pem(public_key: bytes) -> bytes:
    """Write a public key as PEM.

    public_key: the 32 bytes of RFC 8032. Returns one SubjectPublicKeyInfo block.
    Raises ValueError for another length.
    Source: RFC 8410 section 4.
    """
    key = Ed25519PublicKey.from_public_bytes(public_key)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
