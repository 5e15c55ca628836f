"""``manage.py create_api_key``: a program's key, printed once."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from apps.accounts.domain.matrix import ROLES
from apps.accounts.models import User
from apps.accounts.services import service_key_create
from apps.common.commands import PlatformCommand
from apps.common.errors import BadInput, NotFound
from apps.common.saving import refuse_unstorable
from apps.registry.models import UseCase

LONGEST_DAYS = 3650


class Command(PlatformCommand):
    help = "Make a service key for a program and print it, once: only its hash is kept."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="what the key is for, as the audit trail will name it")
        parser.add_argument("--role", required=True, help=", ".join(ROLES))
        parser.add_argument("--use-case", default="", metavar="SLUG", help="limit it to a use case")
        parser.add_argument(
            "--issued-to", default="", metavar="LOGIN", help="the person who holds the key"
        )
        parser.add_argument(
            "--expires-days", type=int, metavar="N", help="default: it never expires"
        )

    def run(self, **options: Any) -> dict[str, Any]:
        use_case = _existing_use_case(options["use_case"])
        row, key = service_key_create(
            actor=self.actor,
            name=options["name"],
            role=options["role"],
            use_case=use_case,
            issued_to=_person(options["issued_to"]),
            expires_at=_expiry(options["expires_days"]),
            reason="create_api_key",
        )
        if not self.as_json:
            self.stderr.write("Keep this key: it is shown this once and stored nowhere.")
            self.stdout.write(key)
        return {
            "id": str(row.pk),
            "name": row.name,
            "key": key,
            "prefix": row.prefix,
            "role": row.role,
            "use_case": row.use_case or None,
            "issued_to": row.issued_to.username if row.issued_to else None,
            "expires_at": row.expires_at.isoformat() if row.expires_at else None,
        }


def _existing_use_case(slug: str) -> str:
    refuse_unstorable(use_case=slug)
    if slug and not UseCase.objects.filter(slug=slug).exists():
        raise NotFound(f"there is no use case {slug!r}")
    return slug


def _person(login: str) -> User | None:
    if not login:
        return None
    found: User | None = User.objects.filter(username=User.normalize_username(login)).first()
    if found is None:
        raise NotFound(f"there is no person with the login {login!r}")
    return found


def _expiry(days: int | None) -> datetime | None:
    if days is None:
        return None
    if not 1 <= days <= LONGEST_DAYS:
        raise BadInput(f"{days} is not allowed: 1 to {LONGEST_DAYS} days", "/expires_days")
    return timezone.now() + timedelta(days=days)
