"""``manage.py freeze_schemas``: add a record schema for each tracked model that changed."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections import defaultdict
from pathlib import Path
from typing import Any

from django.apps import apps

from apps.audit.record_schemas import FILE, next_schema
from apps.audit.sources import sources
from apps.common.commands import PlatformCommand
from apps.common.errors import BadInput


class Command(PlatformCommand):
    help = "Freeze the field lists of tracked models that changed (beside makemigrations)."
    requires_system_checks = []

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--renamed", action="append", default=[], metavar="TYPE.OLD=NEW", help="a renamed field"
        )
        parser.add_argument(
            "--check", action="store_true", help="exit 1 if one is missing, write nothing"
        )

    def run(self, **options: Any) -> dict[str, Any]:
        renames = self._renames(options["renamed"])
        added = [s for s in (next_schema(t, renames[t]) for t in sources()) if s is not None]
        for schema in added:
            self.say(f"{schema.type}/{schema.number}: {len(schema.fields)} fields")
            if not options["check"]:
                self._write(schema)
        self.exit_code = int(bool(added and options["check"]))
        return {"added": [f"{schema.type}/{schema.number}" for schema in added]}

    def _renames(self, words: list[str]) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = defaultdict(dict)
        for word in words:
            path, _, new = word.partition("=")
            record_type, _, old = path.partition(".")
            if record_type not in sources() or not old or not new:
                raise BadInput(f"{word!r} is not TYPE.OLD=NEW of a known record type", "--renamed")
            found[record_type][old] = new
        return found

    def _write(self, schema: Any) -> None:
        label = sources()[schema.type].model._meta.app_label
        path = Path(apps.get_app_config(label).path) / FILE
        document = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        body: dict[str, Any] = {"fields": dict(schema.fields)}
        if schema.renamed:
            body["renamed"] = dict(schema.renamed)
        if schema.dropped:
            body["dropped"] = list(schema.dropped)
        document.setdefault(schema.type, {})[str(schema.number)] = body
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
