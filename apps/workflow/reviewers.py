"""Reviewers that a file of past verdicts names: people known here, or known from now on."""

from __future__ import annotations

from collections.abc import Mapping

from django.contrib.auth.hashers import make_password

from apps.accounts.models import User
from apps.common.actor import Actor
from apps.common.errors import BadInput
from apps.common.ids import uuid7_texts
from apps.decisions.bulk import insert_tracked
from apps.decisions.bulk.keys import among_texts
from apps.workflow.known import id_text

LONGEST_LOGIN = User._meta.get_field("username").max_length or 0
FROM_IMPORT = "named in an import of past verdicts"


def login_of(reviewer: str) -> str:
    """The login that a reviewer's name stands for: one person under two spellings is one.

    Raises:
        BadInput: no login can be made of it.
    """
    login = User.normalize_username(reviewer)
    if not login or not login.isprintable() or any(c.isspace() for c in login):
        raise BadInput(
            f"reviewer {reviewer!r} is not a login: visible characters without spaces", "/reviewer"
        )
    if len(login) > LONGEST_LOGIN:
        detail = f"has {len(login)} characters as a login; at most {LONGEST_LOGIN} are allowed"
        raise BadInput(f"reviewer {detail}", "/reviewer")
    return login


def known_reviewers(logins: list[str]) -> dict[str, str]:
    """login -> the person's id as text."""
    condition, keys = among_texts("username", logins)
    found = User.objects.extra(where=[condition], params=keys)  # noqa: S610
    return {login: id_text(key) for login, key in found.values_list("username", "pk")}


def reviewers(actor: Actor, names: Mapping[str, str]) -> dict[str, str]:
    """login -> the person's id, from login -> name as written; those not yet known are added.

    An added person cannot sign in: the import says who gave a verdict, not who may enter.
    """
    found = known_reviewers(list(names))
    new = [login for login in names if login not in found]
    ids = uuid7_texts(len(new))
    rows = []
    for key, login in zip(ids, new, strict=True):
        password = make_password(None)
        rows.append((key, login, names[login], password, User.fingerprint_of(password)))
    insert_tracked(
        User,
        {"signs_in": False},
        ["id", "username", "name", "password", "credential_fingerprint"],
        rows,
        actor=actor,
        reason=FROM_IMPORT,
    )
    return found | dict(zip(new, ids, strict=True))
