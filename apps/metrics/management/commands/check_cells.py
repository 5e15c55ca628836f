"""``manage.py check_cells``: whether the cells hold as many decisions as there are."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from apps.common.commands import PlatformCommand
from apps.common.errors import NotFound
from apps.metrics.cells.checking import cells_check
from apps.registry.models import UseCase


class Command(PlatformCommand):
    help = "Compare the cells' totals with the decisions, day by day; exit 1 where they differ."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--use-case", default="", help="slug; default: all")

    def run(self, **options: Any) -> dict[str, Any]:
        slug = options["use_case"]
        cases = UseCase.objects.order_by("slug")
        if slug:
            cases = cases.filter(slug=slug)
            if not cases:
                raise NotFound(f"there is no use case {slug!r}")
        found = {case.slug: cells_check(case) for case in cases}
        for name, days in found.items():
            for day in days:
                self.say(
                    f"{name} {day['day']}: {day['decisions']} decisions, {day['cells']} in cells"
                )
        wrong = sum(map(len, found.values()))
        self.exit_code = 1 if wrong else 0
        self.say(f"{wrong} days differ" if wrong else "the cells agree with the decisions")
        return {"ok": not wrong, "use_cases": found}
