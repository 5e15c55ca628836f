"""``manage.py run_reports``: the figures of one use case, or of all."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from apps.accounts.callers import caller_of_command
from apps.common.commands import PlatformCommand
from apps.metrics.reports import KINDS, read_window, run_reports


class Command(PlatformCommand):
    help = "Compute reports from what is recorded, by decided_at; store and print them."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--use-case", metavar="SLUG", help="of this use case; default: of all")
        parser.add_argument(
            "--kind",
            default=",".join(KINDS),
            metavar="LIST",
            help=f"of {', '.join(KINDS)}; default: all",
        )
        parser.add_argument(
            "--from",
            dest="begin",
            metavar="D",
            help="decided at D or later: 2026-11-02 (UTC) or 2026-11-02T09:30:00Z",
        )
        parser.add_argument("--to", dest="end", metavar="D", help="decided before D")

    def run(self, **options: Any) -> Any:
        documents = run_reports(
            caller=caller_of_command(self.actor.name),
            use_case=options["use_case"],
            kinds=[kind.strip() for kind in options["kind"].split(",")],
            window=read_window(options["begin"], options["end"]),
        )
        if not self.as_json:
            for document in documents:
                self.stdout.write("\n".join(_lines(document)))
        return documents if options["use_case"] is None else documents[0]


# Long tables, and what stands elsewhere in other words: they are in the document.
LEFT_OUT = frozenset(
    (
        "bootstrap",
        "change",
        "confusion",
        "differences",
        "four_fifths",
        "groups",
        "inputs",
        "local_law_144",
        "over_time",
        "per_class",
        "queue",
        "ratios",
        "segments",
    )
)


def _lines(document: dict[str, Any]) -> Iterator[str]:
    """A use case's figures for people, one a line."""
    begin, end = document["from"] or "the beginning", document["to"] or "now"
    yield f"{document['use_case']}, from {begin} to {end}"
    for kind in [kind for kind in KINDS if kind in document]:
        for name, figure in _figures(document[kind]):
            yield f"  {kind}.{name:<18} {_figure(figure)}"
        warning = document[kind].get("team", {}).get("warning")
        if warning:
            yield f"  {kind}: {warning}"


def _figures(found: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every estimate of a report, but for long tables, and where it stands."""
    for name, figure in found.items():
        if not isinstance(figure, dict) or name in LEFT_OUT:
            continue
        if {"value", "method"} <= figure.keys():
            yield f"{path}{name}", figure
        else:
            yield from _figures(figure, f"{path}{name}.")


def _figure(figure: dict[str, Any]) -> str:
    if figure["value"] is None:
        return str(figure["why"])
    value, low, high = (_number(figure[name]) for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}] n = {figure['n']:,} ({figure['method']})"


def _number(number: Any) -> str:
    """Money as it is written; a bound that there is not as a dash."""
    if number is None:
        return "-"
    return number if isinstance(number, str) else f"{number:z.4f}"
