"""Base of the administration pages: every write names its actor and reason and calls a service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.options import IS_POPUP_VAR
from django.contrib.admin.utils import quote
from django.core.exceptions import PermissionDenied
from django.db import models, transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from apps.common.actor import Actor
from apps.common.changes import change_entries
from apps.common.errors import BadInput, Conflict, NotFound
from apps.common.models import TrackedModel

FORM_ERRORS = (BadInput, Conflict, NotFound)


# One labelled input each: Django's own split into two that share a label no screen reader finds.
MOMENT = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
DAY = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


def reason_field() -> forms.CharField:
    return forms.CharField(
        label="Reason",
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Why. It is kept in the trail with your name.",
    )


def add_service_errors(form: forms.BaseForm, error: BadInput | Conflict | NotFound) -> None:
    """A service's refusal, on the fields that it names; else above the form."""
    if not isinstance(error, BadInput):
        form.add_error(None, str(error))
        return
    for fault in error.errors:
        field = fault.pointer.lstrip("/").split("/")[0]
        rest = fault.pointer.lstrip("/").partition("/")[2]
        where = f"{rest}: " if rest else ""
        form.add_error(field if field in form.fields else None, where + fault.detail)


class TrackedForm(forms.ModelForm):
    """Calls the service as the last step of validation, so that its refusals are form errors."""

    reason = reason_field()
    admin_page: ClassVar[TrackedAdmin]
    request: ClassVar[HttpRequest]

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        try:
            with transaction.atomic():
                self.instance = self.admin_page.write(self.request, self)
        except FORM_ERRORS as error:
            add_service_errors(self, error)

    def changes(self, *names: str) -> dict[str, Any]:
        """The values of ``names`` that this form changed."""
        return {name: self.cleaned_data[name] for name in names if name in self.changed_data}


class EndForm(forms.Form):
    reason = reason_field()


class TrackedAdmin(admin.ModelAdmin):
    """Writes through ``create`` and ``change``; ends through ``end``; deletes nothing otherwise.

    ``view_action`` and its like are entries of the permission matrix; what is None is not possible
    here. ``end_words`` names the one way in which an object ends.
    """

    form = TrackedForm
    actions = None
    formfield_overrides = {
        models.DateTimeField: {"form_class": forms.DateTimeField, "widget": MOMENT},
        models.DateField: {"widget": DAY},
    }
    view_action: str
    add_action: str | None = None
    change_action: str | None = None
    end_action: str | None = None
    end_words = ""
    end_explained = ""
    add_fields: Sequence[str] = ()
    fixed_fields: Sequence[str] = ()
    change_form_template = "admin/tracked_change_form.html"
    list_per_page = 50

    # --- what a subclass fills in: one service each -----------------------------------------
    def create(self, *, actor: Actor, reason: str, form: TrackedForm) -> TrackedModel:
        raise NotImplementedError

    def change(self, *, actor: Actor, reason: str, form: TrackedForm, held: Any) -> TrackedModel:
        raise NotImplementedError

    def end(self, *, actor: Actor, reason: str, held: Any) -> None:
        raise NotImplementedError

    def can_end(self, held: Any) -> bool:
        """Whether ``held`` is still there to be ended."""
        return True

    # --- doors ------------------------------------------------------------------------------
    def _may(self, request: HttpRequest, action: str | None) -> bool:
        user: Any = request.user
        return action is not None and user.is_authenticated and user.may(action)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self._may(request, self.view_action)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, self.view_action)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self._may(request, self.add_action)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, self.change_action)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_end_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, self.end_action)

    # --- forms ------------------------------------------------------------------------------
    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = [*(self.fields or ())] if obj else [*(self.add_fields or self.fields or ())]
        writes = self.has_change_permission(request, obj) if obj else True
        return [*fields, "reason"] if writes else fields

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.fixed_fields if obj else ()

    def get_form(self, request: HttpRequest, obj: Any = None, *args: Any, **kwargs: Any) -> Any:
        made = super().get_form(request, obj, *args, **kwargs)
        # A declared field would be asked for even on a page that does not show it.
        unseen = set(made.declared_fields) - set(self.get_fields(request, obj))
        bound = {"admin_page": self, "request": request, **dict.fromkeys(unseen)}
        return type(made.__name__, (made,), bound)

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """No pop-ups beside a choice: what is chosen from is made on its own page."""
        made = super().formfield_for_dbfield(db_field, request, **kwargs)
        for name in ("can_add_related", "can_change_related", "can_view_related"):
            if made is not None and hasattr(made.widget, name):
                setattr(made.widget, name, False)
        return made

    def write(self, request: HttpRequest, form: TrackedForm) -> TrackedModel:
        user: Any = request.user
        reason = form.cleaned_data["reason"]
        if form.instance._state.adding:
            return self.create(actor=user.actor, reason=reason, form=form)
        held = self.model._default_manager.get(pk=form.instance.pk)
        return self.change(actor=user.actor, reason=reason, form=form, held=held)

    # The service has written and recorded; Django's own save and journal have nothing to add.
    def save_form(self, request: Any, form: Any, change: Any) -> Any:
        return form.instance

    def save_model(self, request: Any, obj: Any, form: Any, change: Any) -> None:
        """Nothing: the service has saved it."""

    def save_related(self, request: Any, form: Any, formsets: Any, change: Any) -> None:
        """Nothing: there are no inline forms."""

    def log_addition(self, request: Any, obj: Any, message: Any) -> Any:
        """Nothing: the trail has it."""

    def log_change(self, request: Any, obj: Any, message: Any) -> Any:
        """Nothing: the trail has it."""

    # --- pages ------------------------------------------------------------------------------
    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_end"
        end = path("<path:object_id>/end/", self.admin_site.admin_view(self.end_view), name=name)
        return [end, *super().get_urls()] if self.end_words else super().get_urls()

    def render_change_form(
        self, request: Any, context: Any, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        held = kwargs.get("obj")
        if self.end_words and held is not None and self.has_end_permission(request, held):
            context["end_words"] = self.end_words if self.can_end(held) else ""
        return super().render_change_form(request, context, *args, **kwargs)

    def held_object(self, request: HttpRequest, object_id: str) -> Any:
        held = self.get_object(request, object_id)
        if held is None:
            raise Http404(f"there is no {self.opts.verbose_name} {object_id}")
        return held

    def require_change(self, request: HttpRequest, held: Any) -> None:
        if not self.has_change_permission(request, held):
            raise PermissionDenied

    def end_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks for the reason, then ends the one object."""
        held = self.held_object(request, object_id)
        if not self.has_end_permission(request, held):
            raise PermissionDenied
        return self.reason_page(
            request,
            held,
            EndForm(request.POST or None),
            words=self.end_words,
            explained=self.end_explained,
            write=lambda actor, data: self.end(actor=actor, reason=data["reason"], held=held),
        )

    def reason_page(
        self,
        request: HttpRequest,
        held: Any,
        form: forms.Form,
        *,
        words: str,
        explained: str,
        write: Any,
    ) -> HttpResponse:
        """One act on one object, on a page of its own; a service's refusal stays on the form."""
        user: Any = request.user
        name = str(held)
        if request.method == "POST" and form.is_valid():
            try:
                with transaction.atomic():
                    write(user.actor, form.cleaned_data)
            except FORM_ERRORS as error:
                add_service_errors(form, error)
            else:
                messages.success(request, f"{words}: {name}.")
                return HttpResponseRedirect(self._after(held))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": held,
            "title": f"{words}: {name}",
            "words": words,
            "explained": explained,
            "form": form,
        }
        return TemplateResponse(request, "admin/reason_page.html", context)

    def _after(self, held: Any) -> str:
        base = f"admin:{self.opts.app_label}_{self.opts.model_name}"
        if self.model._default_manager.filter(pk=held.pk).exists():
            return reverse(f"{base}_change", args=[quote(held.pk)])
        return reverse(f"{base}_changelist")

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> HttpResponse:
        """The object's history, to read; nothing is reverted, a correction is a new change."""
        held = self.held_object(request, object_id)
        if not self.has_view_permission(request, held):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": held,
            "title": f"History: {held}",
            "changes": change_entries(held),
            "is_popup": IS_POPUP_VAR in request.GET,
        }
        return TemplateResponse(request, "admin/tracked_history.html", context)
