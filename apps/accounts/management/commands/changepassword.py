"""``manage.py changepassword LOGIN``: a new password, recorded, its rules kept."""

from __future__ import annotations

import getpass
from argparse import ArgumentParser
from typing import Any

from apps.accounts.models import User
from apps.accounts.services import person_set_password
from apps.common.commands import PlatformCommand
from apps.common.errors import BadInput, NotFound


class Command(PlatformCommand):
    help = "Set a person's password. The change is recorded; the password itself never is."

    def arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("login", help="whose password")

    def run(self, **options: Any) -> dict[str, Any]:
        login = User.normalize_username(options["login"])
        person = User.objects.filter(username=login).first()
        if person is None:
            raise NotFound(f"there is no person with the login {login!r}")
        password = getpass.getpass(f"New password for {login}: ")
        if password != getpass.getpass("The same again: "):
            raise BadInput("the two differ; nothing was changed", "/password")
        person_set_password(actor=self.actor, user=person, password=password)
        self.say(f"{login} has a new password")
        return {"login": login}
