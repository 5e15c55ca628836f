"""Sign-in by allauth, with the platform's own writes: no sign-up, every change recorded."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.stagekit import clear_login
from allauth.mfa.adapter import DefaultMFAAdapter
from django.urls import reverse

from apps.accounts.services import person_set_password
from apps.common.errors import UnrecordedWrite


class AccountAdapter(DefaultAccountAdapter):
    """People are created by an administrator; a password change goes through the service."""

    def is_open_for_signup(self, request: Any) -> bool:
        return False

    def save_user(self, request: Any, user: Any, form: Any, commit: bool = True) -> Any:
        raise UnrecordedWrite("people are created by an administrator, never by signing up")

    def set_password(self, user: Any, password: str) -> None:
        holder = self.request.user
        by_holder = holder.is_authenticated and holder.pk == user.pk
        reason = "changed by its holder" if by_holder else "reset by a mailed link"
        person_set_password(actor=user.actor, user=user, password=password, reason=reason)

    def clean_username(self, username: str, shallow: bool = False) -> str:
        return username.strip().casefold()

    def pre_login(self, request: Any, user: Any, **kwargs: Any) -> Any:
        if not user.signs_in:
            clear_login(request)
            return self.respond_user_inactive(request, user)
        return super().pre_login(request, user, **kwargs)

    def get_password_change_redirect_url(self, request: Any) -> str:
        """A new password ends every session, this one too."""
        return reverse("account_login")

    def format_email_subject(self, subject: str) -> str:
        return f"Human oversight: {subject}"


class MFAAdapter(DefaultMFAAdapter):
    """One-time codes."""

    def get_totp_label(self, user: Any) -> str:
        return str(user.username)
