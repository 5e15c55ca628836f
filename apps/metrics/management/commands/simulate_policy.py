"""``manage.py simulate_policy``: what a policy would have done with the stored decisions."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from apps.accounts.callers import caller_of_command
from apps.common.commands import PlatformCommand
from apps.common.errors import BadInput, NotFound
from apps.decisions.domain.strict_json import parse_object
from apps.metrics.domain.choice import GOALS, Bounds
from apps.metrics.reports import read_window
from apps.metrics.selectors import use_cases_to_report
from apps.metrics.whatif.basis import Looked, policy_read, policy_standing
from apps.metrics.whatif.frontiers import frontier_of
from apps.metrics.whatif.simulating import simulate
from apps.registry.models import UseCase


class Command(PlatformCommand):
    help = "Route the stored decisions under a policy, or under every threshold at once."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "policy", nargs="?", metavar="POLICY.json", help="default: the policy in force"
        )
        parser.add_argument("--use-case", required=True, metavar="SLUG", help="of this use case")
        parser.add_argument(
            "--frontier", action="store_true", help="every threshold at once, and which to take"
        )
        parser.add_argument("--from", dest="begin", metavar="D", help="decided at D or later")
        parser.add_argument("--to", dest="end", metavar="D", help="decided before D")
        parser.add_argument("--goal", choices=list(GOALS), help="default: the use case's")
        for name, words in (
            ("error", "largest expected error, 0 to 1"),
            ("reviewer-hours", "most reviewer hours per 1,000 decisions"),
            ("cost", "most cost per decision"),
        ):
            parser.add_argument(f"--max-{name}", metavar="N", help=words)
        parser.add_argument(
            "--min-impact-ratio", metavar="N", help="least impact ratio of any attribute, 0 to 1"
        )

    def run(self, **options: Any) -> Any:
        caller = caller_of_command(self.actor.name)
        use_case = use_cases_to_report(caller, options["use_case"])[0]
        looked = _looked(use_case, options["policy"])
        window = read_window(options["begin"], options["end"])
        if options["frontier"]:
            document = frontier_of(
                use_case, window, looked, goal=options["goal"], bounds=_bounds(options)
            )
            lines = _frontier_lines(document)
        else:
            if looked is None:
                raise NotFound(f"{use_case.slug} has no policy in force: name a file")
            document = simulate(use_case, looked, window)
            lines = _lines(document)
        if not self.as_json:
            self.stdout.write("\n".join(lines))
        return document


def _looked(use_case: UseCase, file: str | None) -> Looked | None:
    if file is None:
        return policy_standing(use_case)
    try:
        return policy_read(use_case, parse_object(Path(file).read_bytes()))
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror}") from None


def _bounds(options: dict[str, Any]) -> Bounds:
    return Bounds(
        max_error=_number(options, "max_error", 1),
        max_hours=_number(options, "max_reviewer_hours"),
        min_impact_ratio=_number(options, "min_impact_ratio", 1),
        max_cost=None if options["max_cost"] is None else Decimal(_text(options, "max_cost")),
    )


def _number(options: dict[str, Any], name: str, most: float | None = None) -> float | None:
    if options[name] is None:
        return None
    number = float(Decimal(_text(options, name)))
    if most is not None and number > most:
        raise BadInput(f"{options[name]} is above {most}", f"/{name}")
    return number


def _text(options: dict[str, Any], name: str) -> str:
    """The option as a decimal of 0 or more."""
    text = str(options[name])
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or number < 0:
        raise BadInput(f"{text!r} is not a number of 0 or more", f"/{name}")
    return text


def _lines(document: dict[str, Any]) -> Iterator[str]:
    """A simulation for people."""
    policy = document["policy"]
    named = f"version {policy['number']}" if policy["number"] else "the draft"
    yield f"{document['use_case']}: {document['routed']:,} decisions routed under {named}"
    for when in ("now", "then"):
        lanes = ", ".join(
            f"{lane} {one['n']:,} ({one['share']:.1%})"
            for lane, one in document["lanes"][when].items()
        )
        yield f"  {when}: {lanes or 'nothing'}"
        figures = document[when]
        hours = figures["reviewer_hours"]
        yield (
            f"    expected error {_figure(figures['expected_error'])}, "
            f"cost per decision {figures['cost_per_decision'] or 'not known'}, "
            f"reviewer hours per 1,000 {'not known' if hours is None else f'{hours:.2f}'}"
        )
    yield f"  {document['changes']['n']:,} would go another way"
    for one in document["changes"]["by_lane"]:
        yield f"    {one['from']} -> {one['to']}: {one['n']:,}"
    yield from (f"  assumed: {note}" for note in document["assumed"])


def _frontier_lines(document: dict[str, Any]) -> Iterator[str]:
    """The frontier at every tenth point."""
    yield f"{document['use_case']}: {document['n']:,} decisions"
    for point in document["points"][::10]:
        accuracy = point["accuracy_single"]
        yield (
            f"  review {point['review_share']:.0%}: threshold {point['threshold']}, accuracy "
            f"{'not known' if accuracy is None else f'{accuracy:.4f}'}, "
            f"cost {point['cost'] or 'not known'}, hours {point['reviewer_hours']:.1f}"
        )
    for goal, best in document["recommended"].items():
        if best["review_share"] is None:
            yield f"  best for {goal}: {best['why']}"
        else:
            yield f"  best for {goal}: review {best['review_share']:.0%}, below {best['threshold']}"
    yield from (f"  assumed: {note}" for note in document["assumed"])


def _figure(figure: dict[str, Any]) -> str:
    if figure["value"] is None:
        return str(figure["why"])
    return f"{figure['value']:.4f} [{figure['low']:.4f}, {figure['high']:.4f}]"
