"""Writes about people, roles and keys. Each takes the actor and records its reason."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import available_timezones

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from apps.accounts.domain.matrix import PEOPLE, ROLES
from apps.accounts.models import RoleGrant, ServiceKey, ServiceKeyUse, User
from apps.common.actor import Actor
from apps.common.columns import ModelColumns, fetched
from apps.common.errors import BadInput, Conflict, FieldError
from apps.common.saving import checked_reason, checked_save, refuse_unstorable

KEY_SCHEME = "hop"
ADMINISTRATOR = "administrator"
ZONES = frozenset(available_timezones())
SERVICE_KEY = ModelColumns(ServiceKey)
LAST_USE = ModelColumns(ServiceKeyUse, "last_used_at")
KEY = re.compile(rf"{KEY_SCHEME}_([0-9a-f]{{12}})_([A-Za-z0-9_-]{{43}})")


def check_role(role: str, allowed: frozenset[str] = frozenset(ROLES)) -> str:
    if not isinstance(role, str) or role not in allowed:
        raise BadInput(
            f"{role!r} is not a role here; allowed: {', '.join(sorted(allowed))}", "/role"
        )
    return role


@transaction.atomic
def person_create(
    *,
    actor: Actor,
    username: str,
    name: str = "",
    email: str = "",
    password: str | None = None,
    signs_in: bool = True,
    reason: str = "",
) -> User:
    """A new person; without a password they cannot sign in until one is set."""
    login = User.normalize_username(username)
    # Nothing invisible either: two logins that look the same would be two people.
    if not login or not login.isprintable() or any(c.isspace() for c in login):
        raise BadInput(
            f"{username!r} is not a login: visible characters without spaces, one or more",
            "/username",
        )
    if User.objects.filter(username=login).exists():
        raise Conflict(f"a person with the login {login!r} exists already")
    user = User(username=login, name=name or login, email=str(email).lower(), signs_in=signs_in)
    _set_password(user, password)
    return checked_save(user, actor=actor, reason=reason)


def _set_password(user: User, password: str | None) -> None:
    if password is None:
        user.set_unusable_password()
        return
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise BadInput([FieldError("/password", message) for message in error.messages]) from None
    user.set_password(password)


@transaction.atomic
def person_set_password(*, actor: Actor, user: User, password: str, reason: str = "") -> None:
    """The hash itself stays out of the trail; its fingerprint shows that it changed."""
    person: User = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    _set_password(person, password)
    checked_save(person, actor=actor, reason=reason or "password changed")
    user.password, user.credential_fingerprint = person.password, person.credential_fingerprint


@transaction.atomic
def person_update(*, actor: Actor, user: User, reason: str, **changes: Any) -> User:
    """Change name, email, time zone or is_active (a person is deactivated, never deleted)."""
    allowed = {"name", "email", "is_active", "time_zone"}
    for field in changes.keys() - allowed:
        raise BadInput(
            f"{field!r} cannot be changed; allowed: {', '.join(sorted(allowed))}", f"/{field}"
        )
    zone = changes.get("time_zone", "UTC")
    if not isinstance(zone, str) or zone not in ZONES:
        raise BadInput(f"{zone!r} is not a time zone such as Europe/Paris", "/time_zone")
    person: User = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if changes.get("is_active") is False:
        _keep_an_administrator(person, "deactivated")
    if isinstance(changes.get("email"), str):
        changes["email"] = changes["email"].lower()  # as sign-in by e-mail looks it up
    for field, value in changes.items():
        setattr(person, field, value)
    return checked_save(person, actor=actor, reason=reason)


@transaction.atomic
def role_grant(
    *, actor: Actor, user: User, role: str, use_case: str = "", reason: str = ""
) -> RoleGrant:
    check_role(role, PEOPLE)
    refuse_unstorable(use_case=use_case)
    if RoleGrant.objects.filter(user=user, role=role, use_case=use_case).exists():
        raise Conflict(f"{user.username} holds {role} there already")
    return checked_save(
        RoleGrant(user=user, role=role, use_case=use_case), actor=actor, reason=reason
    )


@transaction.atomic
def role_revoke(*, actor: Actor, grant: RoleGrant, reason: str) -> None:
    held = RoleGrant.objects.select_for_update(no_key=True, of=("self",)).select_related("user")
    found: RoleGrant = held.get(pk=grant.pk)
    if (found.role, found.use_case) == (ADMINISTRATOR, ""):
        _keep_an_administrator(found.user, "without that role")
    found.delete(actor=actor, reason=checked_reason(reason))


def _keep_an_administrator(person: User, end: str) -> None:
    """Conflict where ``person`` is the only one left who can give roles. The others stay locked
    until the transaction ends, so that two do not go at once."""
    grants = RoleGrant.objects.select_for_update(no_key=True, of=("self",)).filter(
        role=ADMINISTRATOR, use_case="", user__is_active=True, user__signs_in=True
    )
    holders = set(grants.order_by("pk").values_list("user_id", flat=True))
    if holders == {person.pk}:
        raise Conflict(
            f"{person.username} is the last administrator and cannot be {end}: "
            "make somebody else an administrator first"
        )


@transaction.atomic
def service_key_create(
    *,
    actor: Actor,
    name: str,
    role: str,
    use_case: str = "",
    issued_to: User | None = None,
    expires_at: datetime | None = None,
    reason: str = "",
) -> tuple[ServiceKey, str]:
    """The key's row, and the key itself: the only time that anyone sees it."""
    check_role(role)
    if expires_at is not None and expires_at <= timezone.now():
        raise BadInput(f"{expires_at.isoformat()} lies in the past", "/expires_at")
    prefix, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
    key = ServiceKey(
        name=name,
        prefix=prefix,
        key_hash=hashlib.sha256(secret.encode()).hexdigest(),
        role=role,
        use_case=use_case,
        issued_to=issued_to,
        expires_at=expires_at,
    )
    checked_save(key, actor=actor, reason=reason)
    return key, f"{KEY_SCHEME}_{prefix}_{secret}"


@transaction.atomic
def service_key_revoke(*, actor: Actor, key: ServiceKey, reason: str) -> ServiceKey:
    held: ServiceKey = ServiceKey.objects.select_for_update(no_key=True).get(pk=key.pk)
    if held.revoked_at is not None:
        raise Conflict(f"the key {held.name} was revoked at {held.revoked_at.isoformat()}")
    held.revoked_at = timezone.now()
    return checked_save(held, actor=actor, reason=reason)


def service_key_find(presented: str) -> ServiceKey | None:
    """The usable key that ``presented`` is, or None; constant time in the secret."""
    parts = KEY.fullmatch(presented)
    if parts is None:
        return None
    rows = fetched(
        f"SELECT {SERVICE_KEY.of('k')}, {LAST_USE.of('u')} FROM accounts_servicekey k "  # noqa: S608
        "LEFT JOIN accounts_servicekeyuse u ON u.key_id = k.id WHERE k.prefix = %s",
        [parts[1]],
    )
    if not rows:
        return None
    (last_used_at,) = LAST_USE.values(rows[0][-1:])
    key = SERVICE_KEY.instance(rows[0][:-1])
    digest = hashlib.sha256(parts[2].encode()).hexdigest()
    if not hmac.compare_digest(digest, key.key_hash) or not key.is_usable:
        return None
    _note_use(key, last_used_at)
    return key


def _note_use(key: ServiceKey, last: datetime | None) -> None:
    """At most one write a minute, so that a busy key costs the database nothing."""
    now = timezone.now()
    if last is None or now - last > timedelta(minutes=1):
        ServiceKeyUse.objects.update_or_create(key=key, defaults={"last_used_at": now})
