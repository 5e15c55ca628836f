"""History of tracked models: the row of what happened is written first, by the same transaction.

django-simple-history writes its row after the live row, from a signal, and with whatever the
instance holds in memory. Here the order is turned round: the history row goes in first, and a
database trigger on the live table (apps/audit/triggers) lets a live row through only if it equals
its newest history row. So no path, raw SQL included, can change a live row unrecorded.
"""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone
from simple_history.models import HistoricalRecords

from apps.common.actor import Actor
from apps.common.errors import UnrecordedWrite


class HistoryRow(models.Model):
    """What every history row carries besides the object's own columns."""

    history_user_kind = models.CharField(max_length=8)
    history_user_name = models.CharField(max_length=200)

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise UnrecordedWrite("a history row is never changed")
        super().save(force_insert=True, using=kwargs.get("using"))

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        raise UnrecordedWrite("a history row is never deleted")


class TrackedHistory(HistoricalRecords):
    """HistoricalRecords that writes before the live row, with an explicit actor."""

    def __init__(self, *, secret_fields: tuple[str, ...] = ()) -> None:
        super().__init__(
            bases=[HistoryRow],
            history_id_field=models.BigAutoField(),
            # No foreign key: the name at the time outlives the account.
            history_user_id_field=models.CharField(max_length=64),
            history_change_reason_field=models.TextField(default=""),
            excluded_fields=list(secret_fields),
        )
        self.secret_fields = secret_fields

    def add_extra_methods(self, cls: type[models.Model]) -> None:
        """No save_without_historical_record: there is no such save."""

    def finalize(self, sender: type[models.Model], **kwargs: Any) -> None:
        super().finalize(sender, **kwargs)
        if self.cls is sender:
            sender._tracked_history = self

    def copy_fields(self, model: type[models.Model]) -> dict[str, models.Field[Any, Any]]:
        """Only the object's key is indexed: one insert costs one index, and history is append-only."""
        fields: dict[str, models.Field[Any, Any]] = super().copy_fields(model)
        for name, field in fields.items():
            field.db_index = name == model._meta.pk.name  # type: ignore[attr-defined]
        return fields

    def post_save(self, instance: Any, created: bool, using: Any = None, **kwargs: Any) -> None:
        """Nothing: TrackedModel.save has already recorded it."""

    def post_delete(self, instance: Any, using: Any = None, **kwargs: Any) -> None:
        """Nothing: TrackedModel.delete has already recorded it."""

    def pre_delete(self, instance: Any, **kwargs: Any) -> None:
        """Reached by every ORM deletion, cascades and querysets included."""
        if not getattr(instance, "_deletion_recorded", False):
            raise UnrecordedWrite(
                f"{type(instance).__name__} rows are deleted one by one, by delete(actor=..., reason=...)"
            )

    def create_historical_record(
        self, instance: Any, history_type: str, using: str | None = None
    ) -> None:
        raise UnrecordedWrite("history rows are written by TrackedModel.save and delete alone")

    def record(
        self, instance: Any, history_type: str, actor: Actor, reason: str, using: str | None
    ) -> None:
        """Insert the history row of ``instance`` as it is about to be stored."""
        model = getattr(instance, self.manager_name).model
        model(
            history_date=timezone.now(),
            history_type=history_type,
            history_user_id=actor.id,
            history_user_kind=actor.kind,
            history_user_name=actor.name,
            history_change_reason=reason,
            **{f.attname: getattr(instance, f.attname) for f in self.fields_included(instance)},
        ).save(using=using)
