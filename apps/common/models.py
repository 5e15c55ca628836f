"""Bases of the platform's tables: tracked rows, append-only rows."""

from __future__ import annotations

import re
from typing import Any, NoReturn

from django.db import models, router, transaction

from apps.common.actor import require_actor
from apps.common.errors import UnrecordedWrite
from apps.common.history import TrackedHistory
from apps.common.ids import uuid7

TRACKED: list[type[TrackedModel]] = []
APPEND_ONLY: list[type[AppendOnlyModel]] = []


def snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


class GuardedQuerySet(models.QuerySet[Any]):
    """Refuses the write paths that would leave no record, or not exactly one."""

    def _refuse(self, path: str) -> NoReturn:
        raise UnrecordedWrite(
            f"{self.model.__name__}: {path} leaves no record; use the service that writes one row"
        )

    def update(self, **kwargs: Any) -> NoReturn:
        self._refuse("update()")

    def delete(self) -> NoReturn:
        self._refuse("delete()")

    def bulk_create(self, *args: Any, **kwargs: Any) -> NoReturn:
        self._refuse("bulk_create()")

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        self._refuse("bulk_update()")

    def get_or_create(self, *args: Any, **kwargs: Any) -> NoReturn:
        self._refuse("get_or_create()")

    def update_or_create(self, *args: Any, **kwargs: Any) -> NoReturn:
        self._refuse("update_or_create()")

    def _raw_delete(self, using: str | None) -> NoReturn:
        self._refuse("_raw_delete()")


class TrackedModel(models.Model):
    """A row that bears on a decision: every change writes its history row in the same transaction.

    ``record_type`` names it in the trail; ``record_use_case`` is the column that holds the slug of
    the use case it belongs to, if any.
    """

    record_type: str
    record_use_case: str | None = None
    history: TrackedHistory
    _tracked_history: TrackedHistory

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)

    objects: Any = GuardedQuerySet.as_manager()

    class Meta:
        abstract = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.record_type = cls.__dict__.get("record_type", snake_case(cls.__name__))

    def save(self, *args: Any, **kwargs: Any) -> None:
        """``save(actor=..., reason=...)``: history row and live row, or neither."""
        actor = require_actor(kwargs.pop("actor", None))
        reason = kwargs.pop("reason", "")
        if args or kwargs.get("update_fields") is not None:
            raise UnrecordedWrite(
                f"{type(self).__name__}.save(update_fields=...): a history row holds the whole row"
            )
        using = kwargs.get("using") or router.db_for_write(type(self), instance=self)
        adding = self._state.adding
        with transaction.atomic(using=using, savepoint=False):
            self._history().record(self, "+" if adding else "~", actor, reason, using)
            super().save(force_insert=adding, force_update=not adding, using=using)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """``delete(actor=..., reason=...)``: the end is recorded before the row goes."""
        actor = require_actor(kwargs.pop("actor", None))
        reason = kwargs.pop("reason", "")
        using = kwargs.get("using") or router.db_for_write(type(self), instance=self)
        with transaction.atomic(using=using, savepoint=False):
            self._history().record(self, "-", actor, reason, using)
            self._deletion_recorded = True
            return super().delete(using=using)

    def save_without_historical_record(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise UnrecordedWrite("every save of a tracked model is recorded")

    @classmethod
    def _history_model(cls) -> Any:
        return getattr(cls, cls._meta.simple_history_manager_attribute).model  # type: ignore[attr-defined]

    @classmethod
    def _history(cls) -> TrackedHistory:
        return cls._tracked_history  # set by TrackedHistory when the class is complete


class AppendOnlyModel(models.Model):
    """A row that is written once. Database triggers refuse to change, delete or replace it.

    ``sealed`` rows enter the ledger as records of ``record_type``; the others are the ledger.
    """

    sealed: bool = False
    record_type: str
    record_use_case: str | None = None
    record_time: str = "at"

    objects: Any = GuardedQuerySet.as_manager()

    class Meta:
        abstract = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.record_type = cls.__dict__.get("record_type", snake_case(cls.__name__))

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise UnrecordedWrite(f"{type(self).__name__} rows are never changed")
        super().save(force_insert=True, using=kwargs.get("using"))

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise UnrecordedWrite(f"{type(self).__name__} rows are never deleted")


def _register(sender: type[models.Model], **kwargs: Any) -> None:
    """Every concrete tracked or append-only model is known by name, so that none is left unguarded."""
    if sender._meta.abstract or sender.__module__ == "__fake__":
        return
    if issubclass(sender, TrackedModel):
        TRACKED.append(sender)
    elif issubclass(sender, AppendOnlyModel):
        APPEND_ONLY.append(sender)


models.signals.class_prepared.connect(_register)
