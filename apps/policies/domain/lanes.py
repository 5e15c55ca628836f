"""What routing takes and gives: the routing part of a policy, the context, lanes and causes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from apps.policies.domain.columns import BoolArray, Columns, FloatArray
from apps.policies.domain.conditions import Condition
from apps.policies.domain.mandates import Mandate, MandateUse, mandate_uses
from apps.policies.domain.novelty import ReferenceProfile

Level = Literal["HITL", "HOTL", "HIC"]
Lifecycle = Literal["draft", "pilot", "live", "suspended", "retired"]
Then = Literal["review", "command", "automatic", "sample"]
NONE: Final = -1


class Lane(IntEnum):
    """Where a decision goes; the number is what the result's arrays hold."""

    AUTOMATIC = 0
    SUPERVISED = 1
    REVIEW = 2
    COMMAND = 3
    BLOCKED = 4
    SHADOW = 5

    @property
    def code(self) -> str:
        """The lane's public name."""
        return self.name.lower()


class Cause(IntEnum):
    """Which step settled a decision, and how."""

    WITHIN_POLICY = 0
    NOT_DRAWN = 1
    OUT_OF_SERVICE = 2
    WITHDRAWN = 3
    MANDATE = 4
    NO_MANDATE = 5
    NO_OUTPUT = 6
    RULE = 7
    ALWAYS_REVIEW = 8
    BELOW_THRESHOLD = 9
    CONFIDENCE_MISSING = 10
    AUDIT = 11
    DRAWN = 12


@dataclass(frozen=True)
class Rule:
    """The first rule whose condition holds says what happens; `rate` only with `sample`."""

    name: str
    when: Condition
    then: Then
    rate: float | None = None


@dataclass(frozen=True)
class RoutingPolicy:
    """The part of a policy that routes: level, thresholds and rates in [0, 1], rules in order."""

    level: Level
    confidence_threshold: float = 0.0
    label_thresholds: Mapping[str, float] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    always_review_labels: frozenset[str] = frozenset()
    audit_rate: float = 0.0


@dataclass(frozen=True)
class RoutingContext:
    """Every input of routing that is in neither the policy nor the decisions.

    `lifecycle` of the use case; `seed`, the secret of the random draw; `moment`, the time of
    routing (aware; needed for mandates); `mandates` in order, with what is left of each;
    `withdrawn`, shape (n,) or one answer for all: the model version is withdrawn; `profile`, the
    reference that novelty is judged against; `draws`, shape (n,), draws made before, which then
    stand in for seed and external ids.
    """

    lifecycle: Lifecycle
    seed: bytes = b""
    moment: datetime | None = None
    mandates: tuple[Mandate, ...] = ()
    withdrawn: BoolArray | bool = False
    profile: ReferenceProfile | None = None
    draws: FloatArray | None = None


@dataclass(frozen=True, eq=False)
class RoutingResult:
    """Routing of n decisions, as arrays of shape (n,).

    `lane`: uint8, a `Lane`. `would_be`: int8, the lane outside pilot, -1 where that is no
    question. `sampling_probability`: float64, the chance of the random draw for decisions that
    came to one, picked or not, NaN for others. `mandate`: int16, index into the context's
    mandates, -1 for none. `needs_after_review`: bool, released under HOTL and to be reviewed
    afterwards. `cause`: uint8, a `Cause`. `rule`: int16, index of the rule that settled it, -1.
    """

    policy: RoutingPolicy
    context: RoutingContext
    columns: Columns
    lane: npt.NDArray[np.uint8]
    would_be: npt.NDArray[np.int8]
    sampling_probability: FloatArray
    mandate: npt.NDArray[np.int16]
    needs_after_review: BoolArray
    cause: npt.NDArray[np.uint8]
    rule: npt.NDArray[np.int16]

    def mandate_use(self, before: int | None = None) -> tuple[MandateUse, ...]:
        """Return what was taken from each mandate, by all rows or by those before one.

        Parameters: `before`, a row index; None counts every row.
        Returns: one use per mandate of the context, amounts exact.
        """
        return mandate_uses(self.context.mandates, self.mandate[:before], self.columns)
