"""What sign-in announces besides the password's own outcome, written into the trail."""

from __future__ import annotations

from typing import Any

from allauth.mfa.signals import authentication_failed
from django.dispatch import receiver

from apps.audit.events import ANONYMOUS, Event, record_repeatable, source_of


@receiver(authentication_failed)
def wrong_code(request: Any, user: Any, **kwargs: Any) -> None:
    """The password was right, the code was not: nobody is signed in yet, so nobody is the actor."""
    source = source_of(request.META.get("REMOTE_ADDR"))
    event = Event(
        "second_factor_failed",
        ANONYMOUS,
        action="sign_in",
        target=f"person:{user.pk}",
        detail={"source": source},
    )
    record_repeatable(event, source=source)
