"""What Django and allauth announce, written into the trail."""

from __future__ import annotations

from typing import Any

from allauth.mfa.models import Authenticator
from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from apps.audit.events import ANONYMOUS, Event, record_event, record_repeatable, source_of


def _address(request: Any) -> str | None:
    return request.META.get("REMOTE_ADDR") if request is not None else None


@receiver(user_login_failed)
def failed_login(credentials: dict[str, Any], request: Any = None, **kwargs: Any) -> None:
    """A login that nobody holds is not written down: people type their password there."""
    user_model: Any = get_user_model()
    login = user_model.normalize_username(str(credentials.get("username") or ""))
    person = user_model.objects.filter(username=login).only("pk").first() if login else None
    source = source_of(_address(request))
    record_repeatable(
        Event(
            "login_failed",
            ANONYMOUS,
            action="sign_in",
            target=f"person:{person.pk}" if person else "unknown login",
            detail={"source": source},
        ),
        source=source,
    )


@receiver(user_logged_in)
def signed_in(user: Any, request: Any = None, **kwargs: Any) -> None:
    detail = {"source": source_of(_address(request))}
    record_event(Event("signed_in", user.actor, action="sign_in", detail=detail))


@receiver(user_logged_out)
def signed_out(user: Any, **kwargs: Any) -> None:
    if user is not None and hasattr(user, "actor"):
        record_event(Event("signed_out", user.actor, action="sign_out"))


@receiver(post_save, sender=Authenticator)
@receiver(post_delete, sender=Authenticator)
def authenticator_changed(
    instance: Authenticator, created: bool | None = None, **kwargs: Any
) -> None:
    """In the transaction of the change itself, which allauth's own signals are not."""
    if kwargs.get("update_fields") == frozenset({"last_used_at"}):
        return  # a use is recorded as the sign-in that it is part of
    change = {True: "added", False: "changed", None: "removed"}[created]
    detail = {"change": change, "type": str(instance.type)}
    actor = instance.user.actor
    record_event(Event("second_factor_changed", actor, action="second_factor", detail=detail))
