"""``manage.py recompute_report``: a stored report made again, and whether it comes out the same."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any
from uuid import UUID

from apps.common.commands import PlatformCommand
from apps.common.errors import BadInput, Conflict, NotFound
from apps.metrics.code_version import code_version
from apps.metrics.models import Report
from apps.metrics.recomputing import Recomputed, report_recompute, report_recompute_from_rows

SHOWN = 20


class Command(PlatformCommand):
    help = "Make a stored report again and compare; exit 1 when a figure differs."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("report", metavar="ID", help="the report's id")
        parser.add_argument(
            "--from-rows",
            action="store_true",
            help="count its cells anew from what is recorded now; default: from the cells it used",
        )

    def run(self, **options: Any) -> Any:
        report = _report(options["report"])
        from_rows = options["from_rows"]
        try:
            found = report_recompute_from_rows(report) if from_rows else report_recompute(report)
        except ValueError as fault:
            raise Conflict(
                f"report {report.pk}, made by {report.code_version}, cannot be made again by "
                f"{code_version()}: {fault}"
            ) from fault
        self.exit_code = 0 if found.same else 1
        document = asdict(found)
        del document["result"]
        if not self.as_json:
            self.stdout.write("\n".join(_lines(report, found)))
        return {"report": str(report.pk), "kind": report.kind, **document}


def _report(text: str) -> Report:
    try:
        key = UUID(text)
    except ValueError:
        raise BadInput(f"{text!r} is not the id of a report: a UUID", "/report") from None
    found = Report.objects.select_related("use_case").filter(pk=key).first()
    if found is None:
        raise NotFound(f"there is no report {text}")
    return found


def _lines(report: Report, found: Recomputed) -> list[str]:
    what = f"{report.kind} of {report.use_case_id}"
    lines = [f"{what}: {'the same' if found.same else 'not the same'}"]
    lines += [f"  {path} differs" for path in found.differs[:SHOWN]]
    if len(found.differs) > SHOWN:
        lines.append(f"  and {len(found.differs) - SHOWN:,} more")
    lines += [f"  the rows of {day} give other cells: {family}" for day, family in found.days]
    if not found.same:
        since = (
            f"{found.records_since:,} records since, {found.erasures_since:,} erasures among them"
        )
        lines.append(f"  {since}")
    if found.code_version != report.code_version:
        lines.append(f"  made by {report.code_version}, made again by {found.code_version}")
    return lines
