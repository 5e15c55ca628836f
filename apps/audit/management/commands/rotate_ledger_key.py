"""``manage.py rotate_ledger_key``: a new signing key, endorsed by the old one."""

from __future__ import annotations

from typing import Any

from apps.audit import keys
from apps.common.commands import PlatformCommand


class Command(PlatformCommand):
    help = "Make a new ledger key, endorsed by the present one; the old one is kept to verify with."

    def run(self, **options: Any) -> dict[str, Any]:
        key = keys.rotate_key()
        self.say(f"from now on checkpoints are signed by {key.public_key.hex()}")
        return {"name": key.name, "public_key": key.public_key.hex()}
