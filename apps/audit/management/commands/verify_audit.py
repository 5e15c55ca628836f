"""``manage.py verify_audit``: recompute and compare; exit 0 sound, 1 tampered."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from apps.audit import verification
from apps.common.commands import PlatformCommand


class Command(PlatformCommand):
    help = "Verify the audit trail: rows, leaves, tree, signatures, witnesses, triggers."
    requires_system_checks = []  # a missing trigger is a finding here, not a refusal to look

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--full", action="store_true", help="every record, not a random sample")

    def run(self, **options: Any) -> dict[str, Any]:
        result = verification.verify(full=options["full"])
        self.exit_code = 0 if result.ok else 1
        scope = "all" if result.full else "a random sample of"
        self.say(
            f"looked at {scope} {result.records} records of {result.tree_size}, root {result.root[:16]}…"
        )
        for finding in result.findings:
            where = " ".join(str(part) for part in (finding["table"], finding["record"]) if part)
            self.say(f"FINDING {finding['kind']} in {where}: {finding['detail']}")
        self.say("sound" if result.ok else "TAMPERED")
        return verification.result_document(result)
