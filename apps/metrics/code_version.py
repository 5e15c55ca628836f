"""Which code a figure was computed by: so that a report made again later can be compared."""

from __future__ import annotations

import hashlib
import tomllib
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDERS: Final = (
    "apps/metrics/cells",
    "apps/metrics/domain",
    "apps/metrics/kinds",
    "apps/policies/domain",
    "apps/reviews/domain",
)
LIBRARIES: Final = ("fairlearn", "numpy", "pandas", "scikit-learn", "scipy")


@cache
def code_version() -> str:
    """The release, and a hash of every source file that figures come from: "0.1.0+4f0c…"."""
    digest = hashlib.sha256()
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).glob("*.py")):
            digest.update(f"{folder}/{path.name}\0".encode())
            digest.update(path.read_bytes())
    return f"{release()}+{digest.hexdigest()[:16]}"


@cache
def release() -> str:
    """The project's version; "0" where the tool file is not installed beside the code."""
    file = ROOT / "pyproject.toml"
    if not file.is_file():
        return "0"
    return str(tomllib.loads(file.read_text())["project"]["version"])


@cache
def libraries() -> dict[str, str]:
    """The versions of the libraries that figures rest on."""
    return {name: version(name) for name in LIBRARIES}
