"""Administration of use cases, AI systems, model versions and decision rights."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from apps.common.actor import Actor
from apps.common.admin import TrackedAdmin, TrackedForm
from apps.registry import services
from apps.registry.models import AISystem, DecisionRight, ModelVersion, UseCase

DEFINITION = (
    "name",
    "description",
    "industry",
    "risk_tier",
    "goal",
    "owner",
    "kinds",
    "labels",
    "favourable_label",
    "positive_label",
    "features",
    "subject_attributes",
    "unknown_features",
    "models_mode",
    "tolerance",
    "cost_model",
    "reason_codes",
    "calendar",
    "left_out",
    "hasty_seconds",
    "reference_from",
    "reference_to",
    "retention_days",
)
JSON_HELP = {
    "kinds": 'Output kinds, such as ["label"].',
    "labels": 'Every label, such as ["approve", "deny"].',
    "features": 'Such as [{"name": "income", "type": "number"}]; or category, boolean, text, date.',
    "subject_attributes": 'Such as [{"name": "sex", "type": "category", "protected": true}].',
    "reason_codes": 'What a verdict may be given for, such as ["income", "identity"].',
    "left_out": 'Groups left out of the ratios of a bias audit, such as [{"attribute": "race", '
    '"group": "other", "reason": "1.6 % of the applicants"}].',
    "calendar": 'Business hours, such as {"timezone": "Europe/Paris", "hours": {"0": [["09:00", '
    '"17:00"]]}}, Monday being 0; empty: round the clock.',
    "cost_model": 'Such as {"currency": "EUR", "review_cost_per_hour": "40.00"}.',
}


class UseCaseForm(TrackedForm):
    """Lists and objects are typed as JSON, each with an example beside it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, text in JSON_HELP.items():
            if name in self.fields:
                self.fields[name].help_text = text
                self.fields[name].label = name.replace("_", " ").capitalize()
                self.fields[name].widget.attrs["rows"] = 4


@admin.register(UseCase)
class UseCaseAdmin(TrackedAdmin):
    form = UseCaseForm
    view_action = "use_case.view"
    add_action = "use_case.create"
    change_action = "use_case.edit"
    fields = ("slug", "lifecycle", *DEFINITION)
    fixed_fields = ("slug",)
    list_display = ("slug", "name", "lifecycle", "risk_tier", "industry", "owner")
    list_filter = ("lifecycle", "risk_tier")
    list_select_related = ("owner",)
    search_fields = ("slug", "name")
    ordering = ("slug",)

    def create(self, *, actor: Actor, reason: str, form: TrackedForm) -> UseCase:
        data = {name: form.cleaned_data[name] for name in ("slug", "lifecycle", *DEFINITION)}
        return services.use_case_create(actor=actor, reason=reason, **data)

    def change(self, *, actor: Actor, reason: str, form: TrackedForm, held: Any) -> UseCase:
        """The definition and the lifecycle are two changes, each with its record."""
        changes = form.changes(*DEFINITION)
        if changes:
            held = services.use_case_update(actor=actor, slug=held.slug, reason=reason, **changes)
        if "lifecycle" in form.changed_data:
            to = form.cleaned_data["lifecycle"]
            held = services.use_case_move(actor=actor, slug=held.slug, to=to, reason=reason)
        return held


@admin.register(AISystem)
class AISystemAdmin(TrackedAdmin):
    view_action = "model.view"
    add_action = change_action = "model.edit"
    fields = ("name", "provider", "intended_purpose", "limits")
    fixed_fields = ("name",)
    list_display = ("name", "provider")
    search_fields = ("name", "provider")
    ordering = ("name",)

    def create(self, *, actor: Actor, reason: str, form: TrackedForm) -> AISystem:
        data = {name: form.cleaned_data[name] for name in self.fields}
        return services.ai_system_register(actor=actor, reason=reason, **data)

    def change(self, *, actor: Actor, reason: str, form: TrackedForm, held: Any) -> AISystem:
        changes = form.changes("provider", "intended_purpose", "limits")
        return services.ai_system_update(actor=actor, system=held, reason=reason, **changes)


@admin.register(ModelVersion)
class ModelVersionAdmin(TrackedAdmin):
    view_action = "model.view"
    add_action = "model.edit"
    change_action = "model.stop"
    fields = ("system", "version", "declared_accuracy", "notes", "status")
    add_fields = ("system", "version", "declared_accuracy", "notes")
    fixed_fields = ("system", "version", "declared_accuracy", "notes")
    list_display = ("system", "version", "status", "declared_accuracy")
    list_filter = ("status", "system")
    list_select_related = ("system",)
    search_fields = ("system__name", "version")
    ordering = ("system__name", "version")

    def create(self, *, actor: Actor, reason: str, form: TrackedForm) -> ModelVersion:
        data = {name: form.cleaned_data[name] for name in self.add_fields}
        return services.model_version_register(actor=actor, reason=reason, **data)

    def change(self, *, actor: Actor, reason: str, form: TrackedForm, held: Any) -> ModelVersion:
        status = form.cleaned_data["status"]
        return services.model_version_set_status(
            actor=actor, model_version=held, status=status, reason=reason
        )


@admin.register(DecisionRight)
class DecisionRightAdmin(TrackedAdmin):
    view_action = "rights.view"
    add_action = end_action = "rights.edit"
    end_words = "Revoke right"
    end_explained = "When its last holder goes, everyone whose role allows it may use it again."
    fields = ("use_case", "right", "person")
    list_display = ("use_case", "right", "person")
    list_filter = ("right",)
    list_select_related = ("use_case", "person")
    search_fields = ("use_case__slug", "use_case__name", "person__username", "person__name")
    ordering = ("use_case", "right", "person")

    def create(self, *, actor: Actor, reason: str, form: TrackedForm) -> DecisionRight:
        data = {name: form.cleaned_data[name] for name in self.fields}
        return services.decision_right_grant(actor=actor, reason=reason, **data)

    def end(self, *, actor: Actor, reason: str, held: Any) -> None:
        services.decision_right_revoke(actor=actor, right=held, reason=reason)
