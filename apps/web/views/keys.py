"""Service keys of programs: listed, made (the key itself is shown once), revoked."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from apps.accounts.models import ServiceKey, User
from apps.accounts.services import service_key_create, service_key_revoke
from apps.common.errors import BadInput, NotFound, PlatformError
from apps.registry.models import UseCase
from apps.web.access import PageRequest, requires
from apps.web.people.keys import KeyFilter, KeyForm, keys_page
from apps.web.views.supervision import REFUSED, sentences_of, status_of

VIEW: Final = "key.view"
EDIT: Final = "key.edit"
OFFERED: Final = 200  # logins that the form proposes


@never_cache
@requires(VIEW)
def keys(request: PageRequest) -> HttpResponse:
    return _shown(request)


def _shown(
    request: PageRequest,
    *,
    making: KeyForm | None = None,
    refused: PlatformError | None = None,
    status: int = 200,
) -> HttpResponse:
    names = _names()
    form = KeyFilter(request.GET)
    wanted = form.cleaned_data if form.is_valid() else {}
    page, rows = keys_page(names, wanted, request.GET.get("page"))
    may_edit = request.caller.may(EDIT)
    context = {
        "form": form,
        "page": page,
        "rows": rows,
        "filtered": any(wanted.values()),
        "key_form": (making or KeyForm(names=names)) if may_edit else None,
        "offered": _people_offered() if may_edit else [],
        "errors": sentences_of(refused),
        "current_page": "keys",
    }
    shown = status if refused is None else status_of(refused)
    return render(request, "web/keys/list.html", context, status=shown)


def _names() -> dict[str, str]:
    return dict(UseCase.objects.order_by("name", "slug").values_list("slug", "name"))


def _people_offered() -> list[User]:
    return list(User.objects.filter(is_active=True).order_by("name", "username")[:OFFERED])


@never_cache
@require_POST
@requires(EDIT)
def key_new(request: PageRequest) -> HttpResponse:
    """The key in the answer itself: no message, cookie or session ever holds it."""
    form = KeyForm(request.POST, names=_names())
    if not form.is_valid():
        return _shown(request, making=form, status=400)
    wanted = form.cleaned_data
    try:
        key, secret = service_key_create(
            actor=request.caller.actor,
            name=wanted["name"],
            role=wanted["role"],
            use_case=wanted["use_case"],
            issued_to=_holder(wanted["issued_to"]),
            expires_at=wanted["expires_at"],
            reason=wanted["reason"],
        )
    except BadInput as refused:
        for one in refused.errors:
            name = one.pointer.lstrip("/")
            form.add_error(name if name in form.fields else None, one.detail)
        return _shown(request, making=form, status=400)
    context: dict[str, Any] = {"key": key, "secret": secret, "current_page": "keys"}
    return render(request, "web/keys/made.html", context)


def _holder(login: str) -> User | None:
    if not login:
        return None
    found: User | None = User.objects.filter(username=User.normalize_username(login)).first()
    if found is None:
        raise BadInput(f"there is no person with the login {login!r}", "/issued_to")
    return found


@require_POST
@requires(EDIT)
def key_revoke(request: PageRequest, key: UUID) -> HttpResponse:
    held = ServiceKey.objects.filter(pk=key).first()
    if held is None:
        raise NotFound(f"There is no service key {key}.")
    try:
        reason = request.POST.get("reason", "").strip()
        if not reason:
            raise BadInput("a key is revoked with a reason", "/reason")
        service_key_revoke(actor=request.caller.actor, key=held, reason=reason)
    except REFUSED as refused:
        return _shown(request, refused=refused)
    messages.success(request, f"The key {held.name} is revoked: it opens nothing any more.")
    return HttpResponseRedirect(reverse("keys"))
