"""Model fields whose stored form is the same on every database, so that rows can be compared."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from django.core import exceptions
from django.db import models


def stored_json(value: Any) -> str:
    """One text per value: sorted keys, no spaces, no NaN."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


class StoredJSONField(models.TextField):  # type: ignore[type-arg]
    """JSON kept as one canonical text: equal values are equal bytes, on every database."""

    if TYPE_CHECKING:  # where django-stubs looks for what an attribute takes and gives
        _pyi_private_set_type: Any
        _pyi_private_get_type: Any

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:
        return None if value is None else json.loads(value)

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str):
            try:
                return json.loads(value)
            except ValueError:
                raise exceptions.ValidationError(f"not JSON: {value[:80]!r}") from None
        return value

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None else stored_json(value)

    def value_to_string(self, obj: Any) -> str:
        return stored_json(self.value_from_object(obj))

    def formfield(self, **kwargs: Any) -> Any:
        from django import forms

        return forms.JSONField(
            required=not self.blank, label=self.verbose_name, help_text=self.help_text
        )


class ExactDecimalField(models.BigIntegerField):  # type: ignore[type-arg]
    """A decimal of at most 14 digits before and 4 after the point, kept as a scaled integer.

    SQLite keeps DECIMAL columns as floats; money must not pass through one.
    """

    if TYPE_CHECKING:
        _pyi_private_set_type: Any
        _pyi_private_get_type: Any

    SCALE = 4
    STEP = Decimal(1).scaleb(-SCALE)
    LIMIT = Decimal(10) ** 14

    def from_db_value(self, value: int | None, expression: Any, connection: Any) -> Decimal | None:
        return None if value is None else Decimal(value).scaleb(-self.SCALE)

    def to_python(self, value: Any) -> Decimal | None:
        if value is None:
            return None
        try:
            number = value if isinstance(value, Decimal) else Decimal(str(value))
        except InvalidOperation:
            raise exceptions.ValidationError(f"{value!r} is not a decimal number") from None
        if not number.is_finite() or abs(number) >= self.LIMIT:
            raise exceptions.ValidationError(f"{value} is outside +-{self.LIMIT}")
        if number != number.quantize(self.STEP):
            raise exceptions.ValidationError(f"{value} has more than {self.SCALE} decimal places")
        return number

    def get_prep_value(self, value: Any) -> int | None:
        number = self.to_python(value)
        return None if number is None else int(number.quantize(self.STEP).scaleb(self.SCALE))

    def formfield(self, **kwargs: Any) -> Any:
        from django import forms

        return forms.DecimalField(
            required=not self.blank, decimal_places=self.SCALE, label=self.verbose_name
        )
