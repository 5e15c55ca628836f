"""Base of the management commands: the actor, one JSON document, errors in plain words."""

from __future__ import annotations

import getpass
import json
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.checks import Tags
from django.core.management.base import BaseCommand, CommandError

from apps.common.actor import Actor
from apps.common.errors import PlatformError
from apps.common.memory import collect_rarely


class PlatformCommand(BaseCommand):
    """``run`` returns the document that ``--json`` prints, and prints its own words otherwise.

    With ``--json`` standard output is one JSON document and nothing else; all else goes to
    standard error. A command acts as ``command:<login>``, or as ``--actor NAME``.
    """

    exit_code = 0
    # That the models are whole and guarded. To check every address too would load all pages, the API
    # and the dashboards: two seconds for each command. `check`, `migrate` and the suite do it.
    requires_system_checks = [Tags.models]

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--json", action="store_true", help="one JSON document on standard output"
        )
        parser.add_argument(
            "--actor", default="", help="the name to act under (default: your login)"
        )
        self.arguments(parser)

    def arguments(self, parser: ArgumentParser) -> None:
        """The command's own arguments."""

    def run_from_argv(self, argv: list[str]) -> None:
        collect_rarely()
        super().run_from_argv(argv)

    def handle(self, *args: Any, **options: Any) -> None:
        self.actor = Actor.command(options["actor"] or getpass.getuser())
        self.as_json: bool = options["json"]
        try:
            document = self.run(**options)
        except PlatformError as error:
            raise CommandError(f"{error.title}: {error}") from error
        if self.as_json:
            self.stdout.write(json.dumps(document, ensure_ascii=False, default=str))
        if self.exit_code:
            sys.exit(self.exit_code)

    def run(self, **options: Any) -> Any:
        raise NotImplementedError

    def say(self, text: str) -> None:
        """A line for people: on standard error where standard output belongs to the document."""
        (self.stderr if self.as_json else self.stdout).write(text)
