"""What goes in and out of the API, as pydantic models: one declaration parses and documents.

``Body`` is a request's JSON object, ``Query`` its query string, ``Document`` an answer. Unknown
keys are refused by name; every fault has a JSON pointer and names the value and what is allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import reduce
from typing import Annotated, Any, TypeVar, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StrictBool,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import ErrorDetails, core_schema

from apps.common.errors import BadInput, FieldError
from apps.common.saving import pointer_to

MAX_FAULTS = 100  # beyond this the input is another document, not one with mistakes
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


class Body(BaseModel):
    """A request's JSON object."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def sent(self) -> dict[str, Any]:
        """The keys that were sent, without the reason: what a service takes as its data."""
        return self.model_dump(exclude_unset=True, exclude={"reason"})


class Query(BaseModel):
    """A request's query string; this one allows no parameter at all."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Document(BaseModel):
    """An answer."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


def _moment(value: object) -> datetime:
    if not isinstance(value, str) or not RFC_3339.fullmatch(value):
        raise ValueError("not a time of RFC 3339 with its zone, such as 2026-11-02T09:30:00Z")
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("there is no such time") from None


def _day(value: object) -> date:
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        raise ValueError("not a date such as 2026-11-02")
    return date.fromisoformat(value)


def _whole_number(value: object) -> int:
    """Of a query string: digits alone, so few that every database can hold the number."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,18}", value):
        raise ValueError("not a whole number of at most 18 digits")
    return int(value)


def _decimal(value: object) -> Decimal:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,14}(\.[0-9]{1,4})?", value):
        raise ValueError('not a decimal in quotes, such as "0.5", with at most 4 places')
    return Decimal(value)


def _share(value: object) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("not a share: a number from 0 to 1")
    try:
        number = Decimal(str(value))
        if number == number.quantize(Decimal("0.0001")):
            return number
    except InvalidOperation:
        pass
    raise ValueError("a share has at most 4 decimal places")


class Text:
    """``Annotated[str, Text(longest)]``: text of a length as it was sent, kept without outer spaces.

    ``shortest`` of 1 or more also asks for something besides spaces.
    """

    def __init__(self, longest: int, *, shortest: int = 0, pattern: str | None = None) -> None:
        self.longest, self.shortest = longest, shortest
        self.pattern = pattern or (r"\S" if shortest else None)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        sent = core_schema.str_schema(
            strict=True,
            min_length=self.shortest or None,
            max_length=self.longest,
            pattern=self.pattern,
        )
        return core_schema.no_info_after_validator_function(str.strip, sent)


def optional(words: str = "", **limits: Any) -> Any:
    """A key that may be left out: it is then not sent to the service at all, and is never null."""
    return Field(default=None, description=words or None, **limits)


class OneOf:
    """``Annotated[str, OneOf(names)]``: a Literal of names that a table elsewhere holds."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = list(names)

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        return core_schema.literal_schema(self.names)


Name = Annotated[str, Text(200, shortest=1)]
Line = Annotated[str, Text(200)]
Prose = Annotated[str, Text(20_000)]
Reason = Annotated[str, Text(2_000, shortest=1)]
OptionalReason = Annotated[str, Text(2_000)]
Scope = Annotated[str, Text(80, pattern=r"^([a-z0-9]+(-[a-z0-9]+)*)?$")]  # empty: everywhere
Slug = Annotated[str, Text(80, shortest=1, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
ModelName = Annotated[str, Text(100, shortest=1, pattern=r"^[^\s/]+$")]
Login = Annotated[str, Text(150, shortest=1, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.@+-]*$")]
Flag = StrictBool
Moment = Annotated[datetime, BeforeValidator(_moment)]
Day = Annotated[date, BeforeValidator(_day)]
Number = Annotated[int, Field(ge=0, le=10**18 - 1), BeforeValidator(_whole_number)]
DecimalText = Annotated[
    Decimal,
    BeforeValidator(_decimal),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{1,14}(\.[0-9]{1,4})?$"}),
]
Share = Annotated[
    Decimal,
    BeforeValidator(_share),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1}),
]
PageSize = Annotated[int, Field(ge=1, le=500), BeforeValidator(_whole_number)]
# In answers.
ShareOut = Annotated[float, BeforeValidator(lambda value: None if value is None else float(value))]
DecimalOut = Annotated[Decimal, PlainSerializer(str, return_type=str)]
LoginOut = Annotated[str, BeforeValidator(lambda user: getattr(user, "username", user))]


class ListQuery(Query):
    """What every list takes."""

    cursor: str | None = Field(None, max_length=1000, description="From `next` or `previous`.")
    page_size: PageSize = Field(50, description="1 to 500.")


M = TypeVar("M", bound=BaseModel)


def read_body(model: type[M], data: object) -> M:
    if not isinstance(data, Mapping):
        raise BadInput("the body is not a JSON object", "")
    return _validated(model, data)


def read_query(model: type[M], params: Any) -> M:
    """A parameter with an empty value counts as not given, as forms send it."""
    for name in params:
        if len(params.getlist(name)) > 1:
            raise BadInput("is given more than once", pointer_to("", name))
        if any(not c.isprintable() for c in params[name]):
            raise BadInput("holds a character that no value has", pointer_to("", name))
    return _validated(model, {name: value for name, value in params.items() if value != ""})


def _validated(model: type[M], data: Mapping[str, Any]) -> M:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False)[:MAX_FAULTS]
        raise BadInput(_fault(model, detail) for detail in details) from None


def _fault(model: type[BaseModel], detail: ErrorDetails) -> FieldError:
    return FieldError(reduce(pointer_to, detail["loc"], ""), _words(model, detail))


def _words(model: type[BaseModel], detail: ErrorDetails) -> str:
    shown, context = repr(detail["input"]), detail.get("ctx", {})
    shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
    match detail["type"]:
        case "missing":
            return "is required"
        case "extra_forbidden":
            return f"unknown key; allowed: {_allowed_keys(model, detail['loc'][:-1])}"
        case "literal_error":
            return f"{shown} is not allowed; allowed: {context['expected']}"
        case "value_error":
            return f"{shown}: {context['error']}"
    return f"{shown}: {detail['msg'][:1].lower()}{detail['msg'][1:]}"


def _allowed_keys(model: type[BaseModel], path: tuple[int | str, ...]) -> str:
    """The keys of the model that ``path`` leads to from ``model``."""
    for part in path:
        if isinstance(part, str):
            model = _model_in(model.model_fields[part].annotation) or model
    return ", ".join(sorted(field.alias or name for name, field in model.model_fields.items()))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
