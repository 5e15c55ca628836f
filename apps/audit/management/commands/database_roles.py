"""``manage.py database_roles``: the SQL of the app's and the auditor's grants, for psql."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from apps.audit.databases.roles import grant_statements
from apps.common.commands import PlatformCommand


class Command(PlatformCommand):
    help = "Print the GRANT statements of the app and auditor roles (PostgreSQL); run them as the owner."
    requires_system_checks = []

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--app", default="hitl_app", help="role that the product runs as")
        parser.add_argument("--auditor", default="hitl_auditor", help="role that only reads")

    def run(self, **options: Any) -> dict[str, Any]:
        statements = [f"{s};" for s in grant_statements(options["app"], options["auditor"])]
        if not self.as_json:
            self.stdout.write("\n".join(statements))
        return {"statements": statements}
