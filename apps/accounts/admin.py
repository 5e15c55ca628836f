"""Administration of people, their roles and the keys of programs."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from apps.accounts import services
from apps.accounts.models import RoleGrant, ServiceKey, User
from apps.accounts.scopes import require_scope
from apps.common.actor import Actor
from apps.common.admin import TrackedAdmin, TrackedForm, reason_field

TIME_ZONES = sorted(available_timezones())


def password_field(**options: Any) -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": "new-password"})
    return forms.CharField(strip=False, max_length=1024, widget=widget, **options)


class PersonForm(TrackedForm):
    password = password_field(
        required=False, help_text="Empty: they set their own by the mailed link for forgotten ones."
    )
    time_zone = forms.ChoiceField(choices=[(zone, zone) for zone in TIME_ZONES], initial="UTC")

    def clean_email(self) -> str:
        """Sign-in and password reset look addresses up in lower case."""
        return str(self.cleaned_data["email"]).lower()

    def _get_validation_exclusions(self) -> set[str]:
        # The typed password is the service's to check; the model's column holds a hash.
        return {*super()._get_validation_exclusions(), "password"}  # type: ignore[misc]


class PasswordForm(forms.Form):
    password = password_field(label="New password")
    again = password_field(label="New password, again")
    reason = reason_field()

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if data.get("password") != data.get("again"):
            self.add_error("again", "The two passwords differ.")
        return data


@admin.register(User)
class PersonAdmin(TrackedAdmin):
    form = PersonForm
    view_action = "person.view"
    add_action = change_action = "person.edit"
    fields = ("username", "name", "email", "time_zone", "is_active", "signs_in")
    add_fields = ("username", "name", "email", "password")
    fixed_fields = ("username", "signs_in")
    list_display = ("username", "name", "email", "is_active", "signs_in", "time_zone")
    list_filter = ("is_active", "signs_in")
    search_fields = ("username", "name", "email")
    ordering = ("username",)
    change_form_template = "admin/person_change_form.html"

    def create(self, *, actor: Actor, reason: str, form: TrackedForm) -> User:
        data = form.cleaned_data
        return services.person_create(
            actor=actor,
            reason=reason,
            username=data["username"],
            name=data["name"],
            email=data["email"],
            password=data["password"] or None,
        )

    def change(self, *, actor: Actor, reason: str, form: TrackedForm, held: Any) -> User:
        changes = form.changes("name", "email", "time_zone", "is_active")
        return services.person_update(actor=actor, user=held, reason=reason, **changes)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.password_view)
        own = path("<path:object_id>/password/", view, name="accounts_user_password")
        return [own, *super().get_urls()]

    def password_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        held = self.held_object(request, object_id)
        self.require_change(request, held)
        return self.reason_page(
            request,
            held,
            PasswordForm(request.POST or None),
            words="Set password",
            explained="Every session of this person ends. Tell them the password in private.",
            write=lambda actor, data: services.person_set_password(
                actor=actor, user=held, password=data["password"], reason=data["reason"]
            ),
        )


@admin.register(RoleGrant)
class RoleGrantAdmin(TrackedAdmin):
    view_action = "person.view"
    add_action = end_action = "role.grant"
    end_words = "Revoke role"
    end_explained = "The person loses what it allows at once. The trail keeps that they held it."
    fields = ("user", "role", "use_case")
    list_display = ("user", "role", "where")
    list_filter = ("role",)
    list_select_related = ("user",)
    search_fields = ("user__username", "user__name", "use_case")
    ordering = ("user__username", "role", "use_case")

    @admin.display(description="where", ordering="use_case")
    def where(self, grant: RoleGrant) -> str:
        return grant.use_case or "everywhere"

    def create(self, *, actor: Actor, reason: str, form: TrackedForm) -> RoleGrant:
        data = form.cleaned_data
        require_scope(data["use_case"])
        return services.role_grant(actor=actor, reason=reason, **{n: data[n] for n in self.fields})

    def end(self, *, actor: Actor, reason: str, held: Any) -> None:
        services.role_revoke(actor=actor, grant=held, reason=reason)


@admin.register(ServiceKey)
class ServiceKeyAdmin(TrackedAdmin):
    view_action = "key.view"
    add_action = end_action = "key.edit"
    end_words = "Revoke key"
    end_explained = "Programs that use it are refused from now on; a revoked key never works again."
    fields = (
        "name",
        "prefix",
        "role",
        "use_case",
        "issued_to",
        "expires_at",
        "revoked_at",
        "last_used",
    )
    add_fields = ("name", "role", "use_case", "issued_to", "expires_at")
    fixed_fields = ("last_used",)
    list_display = ("name", "prefix", "role", "use_case", "expires_at", "revoked_at", "last_used")
    list_filter = ("role",)
    list_select_related = ("use",)
    search_fields = ("name", "prefix", "use_case")
    ordering = ("name", "prefix")

    @admin.display(description="last used")
    def last_used(self, key: ServiceKey) -> Any:
        return key.use.last_used_at if hasattr(key, "use") else None

    def can_end(self, held: Any) -> bool:
        return held.revoked_at is None

    def create(self, *, actor: Actor, reason: str, form: TrackedForm) -> ServiceKey:
        data = form.cleaned_data
        key, shown_once = services.service_key_create(
            actor=actor,
            reason=reason,
            name=data["name"],
            role=data["role"],
            use_case=require_scope(data["use_case"]),
            issued_to=data["issued_to"],
            expires_at=data["expires_at"],
        )
        key.shown_once = shown_once  # type: ignore[attr-defined]
        return key

    def end(self, *, actor: Actor, reason: str, held: Any) -> None:
        services.service_key_revoke(actor=actor, key=held, reason=reason)

    def response_add(self, request: HttpRequest, obj: Any, *args: Any) -> HttpResponse:
        """The key in the answer itself: no message, cookie or session ever holds it."""
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": obj,
            "title": f"Key made: {obj.name}",
            "key": obj.shown_once,
        }
        return TemplateResponse(request, "admin/key_made.html", context)
