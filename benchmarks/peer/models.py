"""The same rows as decisions and payloads, kept by django-simple-history as it comes: no guards."""

from django.db import models
from simple_history.models import HistoricalRecords

from apps.decisions.models import Decision, Payload


def _columns(source: type[models.Model]) -> dict[str, models.Field]:
    """The columns of a model, references as the plain values that they hold."""
    found = {}
    for field in source._meta.concrete_fields:
        plain = field.target_field if isinstance(field, models.ForeignKey) else field
        copy = plain.clone()
        copy.primary_key = copy._unique = False
        copy.null = field.null
        found[field.attname] = copy
    return found


class _Meta:
    app_label = "peer"


def _model(name: str, source: type[models.Model], **more: object) -> type[models.Model]:
    columns = _columns(source)
    columns[source._meta.pk.attname] = models.UUIDField(primary_key=True)
    body = {"__module__": __name__, "Meta": type("Meta", (_Meta,), {}), **columns, **more}
    return type(name, (models.Model,), body)


PeerDecision = _model("PeerDecision", Decision, history=HistoricalRecords())
PeerPayload = _model("PeerPayload", Payload)
