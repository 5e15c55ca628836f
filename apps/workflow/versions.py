"""The model versions that decisions name: known ones, and new ones where the use case is open."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from django.core.exceptions import ValidationError

from apps.common.actor import Actor
from apps.common.columns import ModelColumns, Reading, Rows
from apps.common.errors import BadInput, Conflict, FieldError
from apps.decisions.bulk.keys import among_texts
from apps.registry.models import AISystem, ModelVersion, UseCase
from apps.registry.services import ai_system_register, model_version_register
from apps.workflow.arrivals import Arrival

Pair = tuple[str, str]
Versions = dict[Pair, ModelVersion]
FIRST_SIGHT = "first seen with a decision"
SYSTEM, VERSION = ModelColumns(AISystem), ModelColumns(ModelVersion)
MODEL_NAMES = AISystem._meta.get_field("name")
VERSION_NAMES = ModelVersion._meta.get_field("version")


class RegisteredMeanwhile(Conflict):
    """Somebody else registered the same version at this moment: it is there at the next look."""


def resolve_versions(
    actor: Actor, use_case: UseCase, arrivals: Sequence[Arrival], registered: Versions
) -> tuple[Versions, list[tuple[Arrival, FieldError]]]:
    """(model, version) -> row, and the arrivals that name one that is not to be had.

    ``registered``: those that were there, of all that the arrivals name.
    """
    named = {_pair(a) for a in arrivals}
    found = {pair: registered[pair] for pair in named if pair in registered}
    refusals = _refusals(use_case, named - found.keys())
    new = sorted(named - found.keys() - refusals.keys())
    found |= {pair: _register(actor, *pair) for pair in new}
    if not refusals:
        return found, []
    return found, [(a, refusals[_pair(a)]) for a in arrivals if _pair(a) in refusals]


def undeclared(use_case: UseCase, arrivals: Sequence[Arrival]) -> Iterator[tuple[int, FieldError]]:
    """Positions of the arrivals that ``resolve_versions`` would refuse; nothing is registered."""
    named = {_pair(a) for a in arrivals}
    refusals = _refusals(use_case, named - versions_reading(named).now().keys())
    return ((a.position, refusals[_pair(a)]) for a in arrivals if _pair(a) in refusals)


def _pair(arrival: Arrival) -> Pair:
    return arrival.valid.model, arrival.valid.model_version


def named_by(arrivals: Sequence[Arrival]) -> set[Pair]:
    return {_pair(a) for a in arrivals}


def versions_reading(named: Collection[Pair]) -> Reading[Versions]:
    """The registered versions of those that are named; others may be among them."""
    one_system, systems = among_texts("s.name", sorted({model for model, _ in named}))
    one_version, versions = among_texts("v.version", sorted({version for _, version in named}))
    return Reading(
        f"SELECT {SYSTEM.of('s')}, {VERSION.of('v')} "  # noqa: S608
        "FROM registry_modelversion v JOIN registry_aisystem s ON s.id = v.system_id "
        f"WHERE {one_system} AND {one_version}",
        [*systems, *versions],
        _versions,
    )


def _versions(rows: Rows) -> Versions:
    found = {}
    for row in rows:
        version = VERSION.instance(row[len(SYSTEM.fields) :])
        version.system = SYSTEM.instance(row[: len(SYSTEM.fields)])
        found[version.system.name, version.version] = version
    return found


def _refusals(use_case: UseCase, missing: set[Pair]) -> dict[Pair, FieldError]:
    if use_case.models_mode != "open":
        return {pair: _undeclared(*pair) for pair in missing}
    faults = ((pair, _name_fault(*pair)) for pair in missing)
    return {pair: fault for pair, fault in faults if fault is not None}


def _name_fault(model: str, version: str) -> FieldError | None:
    """A sender's name may be any text; what is registered has a narrower form."""
    for pointer, field, name in (
        ("/model", MODEL_NAMES, model),
        ("/model_version", VERSION_NAMES, version),
    ):
        try:
            field.run_validators(name)
        except ValidationError as error:
            return FieldError(pointer, f"{name!r} cannot be registered: {error.messages[0]}")
    return None


def _register(actor: Actor, model: str, version: str) -> ModelVersion:
    system = AISystem.objects.filter(name=model).first()
    try:
        if system is None:
            system = ai_system_register(actor=actor, name=model, reason=FIRST_SIGHT)
        return model_version_register(
            actor=actor, system=system, version=version, reason=FIRST_SIGHT
        )
    except (BadInput, Conflict) as error:
        # The names are good and were free a moment ago. A person's own attempt is refused here;
        # a sender only wants the version to be there.
        raise RegisteredMeanwhile(str(error)) from error


def _undeclared(model: str, version: str) -> FieldError:
    detail = f"{version!r} of {model!r} is not declared; this use case takes declared versions only"
    return FieldError("/model_version", detail)
