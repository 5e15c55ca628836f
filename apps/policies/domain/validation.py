"""Policy documents: every fault found, every default filled, ready to route by."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from apps.policies.domain.condition_parser import escaped, read_number, shown
from apps.policies.domain.lanes import RoutingPolicy, Rule
from apps.policies.domain.rule_checks import read_rules, rules_data
from apps.policies.domain.schema import InvalidDocumentError, Problem, UseCaseSchema

LEVELS: Final = ("HITL", "HOTL", "HIC")
COMBINATIONS: Final = ("single", "unanimous", "majority", "weighted", "two_person")
FALLBACKS: Final = ("withhold", "release")
TRIPWIRE_OPS: Final = ("<", "<=", ">", ">=")
TRIPWIRE_ACTIONS: Final = ("alert", "to_hitl", "suspend")
# Roles of people who may decide a case: those that may see its content.
ESCALATION_ROLES: Final = (
    "compliance_officer",
    "risk_lead",
    "commander",
    "supervisor",
    "reviewer",
    "senior_reviewer",
)
MAX_REVIEWS: Final = 25
MAX_TEXT: Final = 2_000


@dataclass(frozen=True)
class ValidatedPolicy:
    """A policy without faults.

    `document`: JSON data with every key and every default, equal for equal policies; `routing`:
    its routing part, compiled.
    """

    document: Mapping[str, Any]
    routing: RoutingPolicy


def validate_policy(data: object, schema: UseCaseSchema) -> ValidatedPolicy:
    """Return a policy document checked against its use case, with its defaults filled.

    Definition: only `level` is required. Defaults: threshold 0, no rules, audit rate 0, one
    review, `single`, not blind, no skills, no time limit, fallback `withhold`. A key `use_case`
    is accepted and dropped: the policy's content does not name its owner.
    Parameters: `data`, decoded JSON; `schema`, the use case.
    Returns: the normal document and the compiled routing policy.
    Errors: InvalidDocumentError with every fault as (JSON pointer, what is wrong).
    """
    if not isinstance(data, dict):
        raise InvalidDocumentError([Problem("", f"{shown(data)} is not a policy object")])
    check = _Check(schema)
    document = {
        key: read(check, data[key], f"/{key}") if key in data else default()
        for key, (default, read) in _KEYS.items()
    }
    check.unknown_keys(data, {*_KEYS, "rules", "use_case"}, "")
    rules = read_rules(data.get("rules", []), schema, check.problems)
    check.together(data, document, rules)
    if check.problems:
        raise InvalidDocumentError(check.problems)
    document["rules"] = rules_data(rules)
    return ValidatedPolicy(document, _routing(document, rules))


def content_hash(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a normal document's canonical JSON, in hex.

    Parameters: `document`, as in `ValidatedPolicy`.
    Source: RFC 8785 (canonical JSON), FIPS 180-4 (SHA-256).
    """
    # Imported here so that routing a decision does not load the ledger's code.
    from apps.audit.domain.canonical import canonical_json

    return hashlib.sha256(canonical_json(dict(document))).hexdigest()


def _routing(document: Mapping[str, Any], rules: tuple[Rule, ...]) -> RoutingPolicy:
    return RoutingPolicy(
        level=document["level"],
        confidence_threshold=float(document["confidence_threshold"]),
        label_thresholds={k: float(v) for k, v in document["label_thresholds"].items()},
        rules=rules,
        always_review_labels=frozenset(document["always_review_labels"]),
        audit_rate=float(document["audit_rate"]),
    )


class _Check:
    """Reads values and collects faults; a reader returns None for what it refused."""

    def __init__(self, schema: UseCaseSchema) -> None:
        self.schema = schema
        self.problems: list[Problem] = []

    def fault(self, pointer: str, detail: str) -> None:
        self.problems.append(Problem(pointer, detail))

    def refuse(self, pointer: str, value: object, wanted: str) -> None:
        self.fault(pointer, f"{shown(value)} is not {wanted}")

    def unknown_keys(self, data: dict[str, Any], known: set[str], pointer: str) -> None:
        for key in sorted(set(map(str, data)) - known):
            self.fault(f"{pointer}/{escaped(key)}", f"unknown key {shown(key)}")

    def share(self, value: object, pointer: str) -> float | None:
        number = read_number(value)
        if number is None or not 0 <= number <= 1:
            self.refuse(pointer, value, "a number from 0 to 1")
            return None
        return number

    def whole(self, value: object, pointer: str, low: int, high: int) -> int | None:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.refuse(pointer, value, f"a whole number from {low} to {high}")
            return None
        return value

    def flag(self, value: object, pointer: str) -> bool | None:
        if not isinstance(value, bool):
            self.refuse(pointer, value, "true or false")
            return None
        return value

    def one_of(self, value: object, pointer: str, allowed: tuple[str, ...]) -> str | None:
        if not isinstance(value, str) or value not in allowed:
            self.refuse(pointer, value, f"one of {', '.join(allowed)}")
            return None
        return value

    def text(self, value: object, pointer: str) -> str | None:
        if not isinstance(value, str) or not value.strip() or len(value) > MAX_TEXT:
            self.refuse(pointer, value, f"text of 1 to {MAX_TEXT} characters")
            return None
        return value

    def names(
        self, value: object, pointer: str, allowed: tuple[str, ...] | None = None
    ) -> list[str] | None:
        """Read a list of different texts, each one of `allowed` where that is given."""
        if not isinstance(value, list):
            self.refuse(pointer, value, "a list")
            return None
        for index, one in enumerate(value):
            place = f"{pointer}/{index}"
            if allowed is None:
                self.text(one, place)
            else:
                self.one_of(one, place, allowed)
            if one in value[:index]:
                self.fault(place, f"{shown(one)} is there twice")
        return value

    def label_thresholds(self, value: object, pointer: str) -> dict[str, float | None] | None:
        if not isinstance(value, dict):
            self.refuse(pointer, value, "an object of label and threshold")
            return None
        found: dict[str, float | None] = {}
        for label, threshold in value.items():
            place = f"{pointer}/{escaped(str(label))}"
            if label not in self.schema.labels:
                known = ", ".join(self.schema.labels)
                self.fault(place, f"{shown(label)} is not a label; the labels are: {known}")
            found[label] = self.share(threshold, place)
        return found

    def justification(self, value: object, pointer: str) -> dict[str, Any] | None:
        if value is None:
            return None
        if not isinstance(value, dict):
            self.refuse(pointer, value, "an object with a justification")
            return None
        self.unknown_keys(value, {"justification"}, pointer)
        text = self.text(value.get("justification"), f"{pointer}/justification")
        return {"justification": text}

    def tripwires(self, value: object, pointer: str) -> list[Any] | None:
        if not isinstance(value, list):
            self.refuse(pointer, value, "a list of tripwires")
            return None
        return [self.tripwire(one, f"{pointer}/{index}") for index, one in enumerate(value)]

    def tripwire(self, value: object, pointer: str) -> dict[str, Any] | None:
        if not isinstance(value, dict):
            self.refuse(pointer, value, "an object with metric, op, value and action")
            return None
        self.unknown_keys(value, {"metric", "op", "value", "action"}, pointer)
        limit = read_number(value.get("value"))
        if limit is None:
            self.refuse(f"{pointer}/value", value.get("value"), "a finite number")
        return {
            "metric": self.text(value.get("metric"), f"{pointer}/metric"),
            "op": self.one_of(value.get("op"), f"{pointer}/op", TRIPWIRE_OPS),
            "value": limit,
            "action": self.one_of(value.get("action"), f"{pointer}/action", TRIPWIRE_ACTIONS),
        }

    def posterior(self, value: object, pointer: str) -> float | None:
        number = read_number(value)
        if number is None or not 0.5 < number < 1:
            self.refuse(pointer, value, "a number above 0.5 and below 1")
            return None
        return number

    def together(
        self, data: dict[str, Any], document: dict[str, Any], rules: tuple[Rule, ...]
    ) -> None:
        """Check what one key asks of another."""
        if "level" not in data:
            self.fault("/level", f"the level is needed: one of {', '.join(LEVELS)}")
        required = document["reviews_required"] or 1
        if document["combination"] == "two_person" and required < 2:
            self.fault("/reviews_required", f"two_person needs at least 2 reviews, not {required}")
        if document["fallback"] == "release" and self.schema.risk_tier != "minimal":
            tier = self.schema.risk_tier
            self.fault("/fallback", f"'release' is for minimal risk alone; the tier is {tier}")
        most = document["reviews_max"]
        if most is not None and most < required:
            self.fault("/reviews_max", f"{most} is below reviews_required, which is {required}")
        if (data.get("reviews_max") is None) != (data.get("posterior_level") is None):
            missing = "reviews_max" if data.get("reviews_max") is None else "posterior_level"
            detail = "reviews_max and posterior_level are given together or not at all"
            self.fault(f"/{missing}", detail)
        self.high_risk_release(document, rules)

    def high_risk_release(self, document: dict[str, Any], rules: tuple[Rule, ...]) -> None:
        automatic = [rule.name for rule in rules if rule.then == "automatic"]
        if automatic and self.schema.risk_tier == "high" and not document["unreviewed_release"]:
            detail = f"in a high risk tier rule {automatic[0]!r} (automatic) needs a justification"
            self.fault("/unreviewed_release/justification", detail)


_Reader = Callable[[_Check, object, str], Any]


def _optional(read: _Reader) -> _Reader:
    return lambda check, value, at: None if value is None else read(check, value, at)


def _whole(low: int, high: int) -> _Reader:
    return lambda check, value, at: check.whole(value, at, low, high)


def _one_of(allowed: tuple[str, ...]) -> _Reader:
    return lambda check, value, at: check.one_of(value, at, allowed)


_MINUTES: Final = _optional(_whole(1, 5_256_000))  # ten years
_KEYS: Final[dict[str, tuple[Callable[[], Any], _Reader]]] = {
    "level": (lambda: None, _one_of(LEVELS)),
    "confidence_threshold": (lambda: 0.0, _Check.share),
    "label_thresholds": (dict, _Check.label_thresholds),
    "unreviewed_release": (lambda: None, _Check.justification),
    "always_review_labels": (
        list,
        lambda check, value, at: check.names(value, at, check.schema.labels),
    ),
    "audit_rate": (lambda: 0.0, _Check.share),
    "reviews_required": (lambda: 1, _whole(1, MAX_REVIEWS)),
    "combination": (lambda: "single", _one_of(COMBINATIONS)),
    "blind": (lambda: False, _Check.flag),
    "known_answer_rate": (lambda: 0.0, _Check.share),
    "known_answer_floor": (lambda: None, _optional(_Check.share)),
    "skills": (list, _Check.names),
    "sla_minutes": (lambda: None, _MINUTES),
    "escalation": (list, lambda check, value, at: check.names(value, at, ESCALATION_ROLES)),
    "fallback": (lambda: "withhold", _one_of(FALLBACKS)),
    "intervention_minutes": (lambda: None, _MINUTES),
    "tripwires": (list, _Check.tripwires),
    "min_weekly_cases": (lambda: 0, _whole(0, 10_000)),
    "senior_sees_verdicts": (lambda: True, _Check.flag),
    "reviews_max": (lambda: None, _optional(_whole(1, MAX_REVIEWS))),
    "posterior_level": (lambda: None, _optional(_Check.posterior)),
    "feedback": (lambda: False, _Check.flag),
    "show_protected": (lambda: False, _Check.flag),
    "lease_minutes": (lambda: 15, _whole(1, 1_440)),
    "ask_limit_minutes": (lambda: 1_440, _whole(1, 5_256_000)),
    "daily_limit": (lambda: None, _optional(_whole(1, 10_000))),
    "streak_limit": (lambda: None, _optional(_whole(1, 10_000))),
    "practice_days": (lambda: None, _optional(_whole(1, 3_650))),
}
