"""``manage.py export_audit``: an evidence bundle of the audit trail."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from apps.accounts.callers import caller_of_command
from apps.common.commands import PlatformCommand
from apps.common.errors import BadInput
from apps.decisions.domain.checks import check_date, check_time
from apps.decisions.domain.faults import RefusedError
from apps.exports.formats import DEFAULT, FORMATS
from apps.exports.selectors import ExportFilter
from apps.exports.services import ExportResult, export_audit


class Command(PlatformCommand):
    help = "Seal what is pending and write records of the trail into a bundle that proves itself."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """``--actor`` chooses records here, so this command always acts under the login."""
        parser.set_defaults(actor="")
        parser.add_argument(
            "--json", action="store_true", help="one JSON document on standard output"
        )
        parser.add_argument(
            "out", metavar="OUT.zip", help="the file to write; an older one is replaced"
        )
        parser.add_argument("--use-case", metavar="SLUG", help="of this use case alone")
        parser.add_argument(
            "--from",
            dest="begin",
            metavar="T",
            help="at T or later: 2026-11-02T09:30:00Z, or a day in UTC",
        )
        parser.add_argument("--to", dest="end", metavar="T", help="before T")
        parser.add_argument("--actor", dest="by", metavar="U", help="by this login or actor id")
        parser.add_argument("--subject", metavar="REF", help="about this data subject")
        parser.add_argument(
            "--format", default=",".join(DEFAULT), metavar="LIST", help=f"of {', '.join(FORMATS)}"
        )
        parser.add_argument("--payloads", action="store_true", help="with the contents")
        parser.add_argument("--purpose", default="", metavar="TEXT", help="why; kept in the trail")

    def run(self, **options: Any) -> dict[str, Any]:
        filters = ExportFilter(
            use_case=options["use_case"],
            actor=options["by"],
            subject=options["subject"],
            begin=_moment("/from", options["begin"]),
            end=_moment("/to", options["end"]),
        )
        result = export_audit(
            caller=caller_of_command(self.actor.name),
            filters=filters,
            formats=[name.strip() for name in options["format"].split(",")],
            out=Path(options["out"]),
            purpose=options["purpose"],
            payloads=options["payloads"],
        )
        self.say(
            f"{result.path}: {result.records} records of a ledger of {result.tree_size} leaves"
        )
        self.say(f"SHA-256 {result.sha256}")
        return _document(result)


def _moment(pointer: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    read: Callable[[str], datetime] = check_time if len(text) > len("2026-11-02") else _midnight
    try:
        return read(text)
    except RefusedError as error:
        raise BadInput(f"{pointer[1:]} {error}", pointer) from None


def _midnight(day: str) -> datetime:
    return datetime.fromisoformat(check_date(day)).replace(tzinfo=UTC)


def _document(result: ExportResult) -> dict[str, Any]:
    return {
        "file": str(result.path),
        "records": result.records,
        "tree_size": result.tree_size,
        "root": result.root,
        "sha256": result.sha256,
        "formats": list(result.formats),
        "filter": dict(result.filters),
    }
