"""Base of the commands that take in files of records: arguments, progress bar, counts, exit code."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, ClassVar

from tqdm import tqdm

from apps.accounts.callers import caller_of_command
from apps.common.commands import PlatformCommand
from apps.decisions.domain.readers import Progress
from apps.registry.access import require_right
from apps.registry.models import UseCase
from apps.workflow.files import FileRun, Intake, Report, use_case_of
from apps.workflow.lines import record_file
from apps.workflow.rejections import Rejection

UNITS = {"bytes": "B", "rows": " rows"}


class FileCommand(PlatformCommand):
    """``intake`` makes what takes in the lines; the rest is common to all kinds of record."""

    records: ClassVar[str]
    right: ClassVar[str]

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "file", metavar="FILE", type=Path, help="CSV, JSON Lines or Parquet, by its ending"
        )
        parser.add_argument("--use-case", required=True, metavar="SLUG", help="of this use case")
        parser.add_argument(
            "--map",
            type=Path,
            metavar="MAP.toml",
            help="which column is what; left out, columns bear the names of the members",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="check every line and write nothing"
        )

    def intake(self, use_case: UseCase, options: dict[str, Any]) -> Intake[Any]:
        raise NotImplementedError

    def run(self, **options: Any) -> dict[str, Any]:
        use_case = use_case_of(options["use_case"])
        require_right(caller_of_command(self.actor.name), self.right, use_case.slug)
        file = record_file(options["file"], self.records, options["map"])
        work = FileRun(
            actor=self.actor, file=file, use_case=use_case, intake=self.intake(use_case, options)
        )
        # ``disable=None``: a bar on a terminal, nothing in a log
        with tqdm(file=sys.stderr, disable=None, unit_scale=True, desc=file.path.name) as bar:
            if options["dry_run"]:
                report = work.dry_run(lambda seen: _move(bar, seen), self._show)
            else:
                report = work.run(lambda seen: _move(bar, seen))
        self._say(report)
        self.exit_code = 1 if report.rejected else 0
        return report.document()

    def _show(self, rejection: Rejection) -> None:
        line, errors, _row = rejection
        named = "; ".join(f"{error.pointer} {error.detail}".strip() for error in errors)
        self.stderr.write(f"line {line}: {named}")

    def _say(self, report: Report) -> None:
        if report.resumed_after:
            self.say(f"went on after line {report.resumed_after}; the counts are of the whole file")
        if report.rejections_lost:
            self.stderr.write("the file of rejected rows was cut or moved: it lists the later ones")
        would = "would be " if report.dry_run else ""
        self.say(
            f"{would}accepted {report.accepted}, duplicate {report.duplicates}, "
            f"rejected {report.rejected}"
        )
        if report.repeats:
            self.say(f"passed over as repeats of a key: {report.repeats}")
        if report.rejected_file:
            self.say(f"rejected rows: {report.rejected_file}")


def _move(bar: Any, seen: Progress) -> None:
    bar.total, bar.unit = seen.total, UNITS[seen.unit]
    bar.update(seen.done - bar.n)
