"""``ai-systems/`` and ``model-versions/``: the systems whose outputs are overseen."""

from __future__ import annotations

from typing import Any, Literal, cast
from uuid import UUID

from django.urls import reverse
from pydantic import Field

from apps.accounts.callers import Caller
from apps.api.bodies import (
    Body,
    Document,
    Line,
    ListQuery,
    ModelName,
    OptionalReason,
    Prose,
    Reason,
    Share,
    ShareOut,
    optional,
)
from apps.api.operations import ApiView, Created, operation
from apps.api.v1.lookups import found_or_404
from apps.common.errors import BadInput
from apps.registry.models import AISystem, ModelVersion
from apps.registry.services import (
    ai_system_register,
    ai_system_update,
    model_version_register,
    model_version_set_status,
)

StatusName = Literal["active", "withdrawn"]


class AISystemFields(Body):
    provider: Line = optional()
    intended_purpose: Prose = optional()
    limits: Prose = optional("What it is known not to do well.")


class AISystemCreate(AISystemFields):
    name: ModelName
    reason: OptionalReason = ""


class AISystemUpdate(AISystemFields):
    reason: Reason


class AISystemDocument(Document):
    id: UUID
    name: str
    provider: str
    intended_purpose: str
    limits: str


class ModelVersionCreate(Body):
    system: ModelName = Field(description="Name of the AI system.")
    version: ModelName
    declared_accuracy: Share | None = Field(
        None, description="As its instructions for use declare it."
    )
    notes: Prose = optional()
    reason: OptionalReason = ""


class ModelVersionStatus(Body):
    status: StatusName
    reason: Reason


class ModelVersionDocument(Document):
    id: UUID
    system: str
    version: str
    status: StatusName
    declared_accuracy: ShareOut | None
    notes: str

    @classmethod
    def of(cls, row: ModelVersion) -> ModelVersionDocument:
        return cls(
            id=row.pk,
            system=row.system.name,
            version=row.version,
            status=cast(StatusName, row.status),
            declared_accuracy=row.declared_accuracy,
            notes=row.notes,
        )


class ModelVersionQuery(ListQuery):
    system: ModelName | None = Field(None, description="Name of the AI system.")
    status: StatusName | None = None


class AISystemsView(ApiView):
    actions = {"GET": "model.view", "POST": "model.edit"}
    ordering = "name"

    @operation("List AI systems", returns=AISystemDocument, listed=True, query=ListQuery)
    def get(self, caller: Caller, query: ListQuery) -> Any:
        return self.page(AISystem.objects.all(), AISystemDocument.model_validate)

    @operation(
        "Register an AI system",
        returns=AISystemDocument,
        status=201,
        body=AISystemCreate,
        problems={409},
    )
    def post(self, caller: Caller, body: AISystemCreate) -> Created:
        system = ai_system_register(actor=caller.actor, reason=body.reason, **body.sent())
        location = reverse("api:ai-system", kwargs={"name": system.name})
        return Created(AISystemDocument.model_validate(system), location)


class AISystemView(ApiView):
    actions = {"GET": "model.view", "PATCH": "model.edit"}

    @operation("Read an AI system", returns=AISystemDocument)
    def get(self, caller: Caller, name: str) -> AISystemDocument:
        return AISystemDocument.model_validate(_system(name))

    @operation("Change an AI system", returns=AISystemDocument, body=AISystemUpdate)
    def patch(self, caller: Caller, name: str, body: AISystemUpdate) -> AISystemDocument:
        system = _system(name)
        changed = ai_system_update(
            actor=caller.actor, system=system, reason=body.reason, **body.sent()
        )
        return AISystemDocument.model_validate(changed)


def _system(name: str) -> AISystem:
    system: AISystem = found_or_404(AISystem.objects.all(), f"AI system {name!r}", name=name)
    return system


class ModelVersionsView(ApiView):
    actions = {"GET": "model.view", "POST": "model.edit"}

    @operation(
        "List model versions", returns=ModelVersionDocument, listed=True, query=ModelVersionQuery
    )
    def get(self, caller: Caller, query: ModelVersionQuery) -> Any:
        """Newest first."""
        wanted = {"system__name": query.system, "status": query.status}
        wanted = {name: value for name, value in wanted.items() if value is not None}
        versions = ModelVersion.objects.select_related("system").filter(**wanted)
        return self.page(versions, ModelVersionDocument.of)

    @operation(
        "Register a model version",
        returns=ModelVersionDocument,
        status=201,
        body=ModelVersionCreate,
        problems={409},
    )
    def post(self, caller: Caller, body: ModelVersionCreate) -> Created:
        data = body.sent()
        system = AISystem.objects.filter(name=data.pop("system")).first()
        if system is None:
            raise BadInput(f"there is no AI system {body.system!r}", "/system")
        version = model_version_register(
            actor=caller.actor, system=system, reason=body.reason, **data
        )
        location = reverse("api:model-version", kwargs={"id": version.pk})
        return Created(ModelVersionDocument.of(version), location)


class ModelVersionView(ApiView):
    actions = {"GET": "model.view"}

    @operation("Read a model version", returns=ModelVersionDocument)
    def get(self, caller: Caller, id: UUID) -> ModelVersionDocument:
        return ModelVersionDocument.of(_version(id))


class ModelVersionStatusView(ApiView):
    # Whoever may stop a model may withdraw it; to put it back takes the right to edit as well.
    actions = {"POST": "model.stop"}

    @operation(
        "Withdraw a model version or put it back",
        returns=ModelVersionDocument,
        body=ModelVersionStatus,
        problems={409},
    )
    def post(self, caller: Caller, id: UUID, body: ModelVersionStatus) -> ModelVersionDocument:
        """A withdrawn version's outputs are blocked. To put it back also takes `model.edit`."""
        if body.status == "active":
            caller.require("model.edit")
        changed = model_version_set_status(
            actor=caller.actor, model_version=_version(id), status=body.status, reason=body.reason
        )
        return ModelVersionDocument.of(changed)


def _version(key: UUID) -> ModelVersion:
    rows = ModelVersion.objects.select_related("system")
    version: ModelVersion = found_or_404(rows, f"model version {key}", pk=key)
    return version
