"""The peers' own virtualenv: made when their figures are first asked for, and kept.

They need other versions than the platform does (``requirements/peers.in`` says which).
"""

from __future__ import annotations

import subprocess
import sys
import zlib
from pathlib import Path

from benchmarks.database import ROOT

FOLDER = ROOT / ".venv-peers"
PINS = ROOT / "requirements" / "peers.txt"


def peers_python() -> str:
    """The interpreter that has the peers as ``requirements/peers.txt`` pins them."""
    python = FOLDER / "bin" / "python"
    stamp = FOLDER / f".installed-{zlib.crc32(PINS.read_bytes())}"
    if not stamp.exists():
        print("making .venv-peers, about 2 GB", file=sys.stderr, flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", FOLDER], check=True)
        _install(python)
        stamp.touch()
    return str(python)


def _install(python: Path) -> None:
    """uv installs the pins in seconds; where it cannot, pip does: as ``make setup``."""
    pinned = ["--quiet", "--require-hashes", "-r", PINS]
    uv = Path(sys.executable).with_name("uv")
    if uv.exists():
        done = subprocess.run([uv, "pip", "install", "--python", python, *pinned], check=False)
        if done.returncode == 0:
            return
    subprocess.run([python, "-m", "pip", "install", *pinned], check=True)
