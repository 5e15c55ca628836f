"""``manage.py create_ledger_key``: the first signing key, for a production installation."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings

from apps.audit import keys
from apps.audit.domain.ed25519_keys import public_key_bytes
from apps.common.commands import PlatformCommand


class Command(PlatformCommand):
    help = "Make the ledger's first Ed25519 key (mode 0600); never overwrites one."
    requires_system_checks = []

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("path", nargs="?", type=Path, help="default: LEDGER_KEY_FILE")

    def run(self, **options: Any) -> dict[str, Any]:
        path = options["path"] or Path(settings.LEDGER_KEY_FILE)
        keys.write_key_file(path)
        public = public_key_bytes(keys.read_key_file(path)).hex()
        self.say(f"{path}: public key {public}")
        return {"path": str(path), "public_key": public}
