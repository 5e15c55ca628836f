"""The offline verifier that every bundle carries along."""

from pathlib import Path


def verifier_source() -> bytes:
    """Read verify.py as it goes into a bundle."""
    return Path(__file__).with_name("verify.py").read_bytes()
