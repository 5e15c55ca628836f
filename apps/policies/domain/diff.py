"""What changes from one policy to another, in plain words."""

from collections.abc import Mapping
from typing import Any, Final

from apps.policies.domain.condition_words import percent, share
from apps.policies.domain.plain_words import join_words, rule_sentence, tripwire_sentence
from apps.policies.domain.validation import ValidatedPolicy

_NAMES: Final = {
    "level": "oversight level",
    "confidence_threshold": "confidence threshold",
    "audit_rate": "random audit rate",
    "reviews_required": "number of reviews required",
    "combination": "way verdicts are combined",
    "blind": "blind first answer",
    "known_answer_rate": "share of known-answer cases",
    "known_answer_floor": "lowest accepted share right on known answers",
    "sla_minutes": "time limit of a review in minutes",
    "fallback": "fallback",
    "intervention_minutes": "intervention window in minutes",
    "min_weekly_cases": "minimum of cases a week per reviewer",
    "senior_sees_verdicts": "view of verdicts for the adjudicating senior",
    "reviews_max": "most reviews of a case",
    "posterior_level": "certainty at which reviews end",
    "feedback": "feedback on known answers",
    "show_protected": "view of protected attributes for reviewers",
    "lease_minutes": "lease of a case in minutes",
    "ask_limit_minutes": "longest stop of the clock for a question in minutes",
    "daily_limit": "most cases a day per reviewer",
    "streak_limit": "most cases in a row before a pause",
    "practice_days": "days without a case after which a qualification lapses",
}
_PERCENTAGES: Final = ("audit_rate", "known_answer_rate", "known_answer_floor", "posterior_level")
_LISTS: Final = {
    "skills": "skill",
    "always_review_labels": "always-review label",
}


def diff_in_plain_words(old: ValidatedPolicy, new: ValidatedPolicy) -> list[str]:
    """Return what changes from one policy to another, one sentence a change.

    Definition: compared are the normal documents, so that leaving a default out and writing it
    are the same.
    Parameters: `old` and `new`, validated, of one use case.
    Returns: sentences in the order of level, thresholds, rules, reviews; none for equal policies.
    """
    before, after = old.document, new.document
    sentences = _value_changes(before, after, ("level", "confidence_threshold"))
    sentences += _threshold_changes(before, after)
    sentences += _rule_changes(old, new)
    sentences += _justification_changes(before, after)
    for key, noun in _LISTS.items():
        sentences += _list_changes(noun, before[key], after[key])
    rest = tuple(key for key in _NAMES if key not in ("level", "confidence_threshold"))
    sentences += _value_changes(before, after, rest)
    sentences += _escalation_changes(before, after)
    return sentences + _tripwire_changes(before, after)


def _shown(key: str, value: Any) -> str:
    if key in ("confidence_threshold", "label_thresholds"):
        return share(value)
    return percent(value) if key in _PERCENTAGES else str(value)


def _changed(subject: str, key: str, old: Any, new: Any) -> str:
    """Return one change of one value: turned on or off, set or removed, rises, falls, changes."""
    if isinstance(new, bool):
        return f"The {subject} is turned {'on' if new else 'off'}."
    if old is None:
        return f"The {subject} is set to {_shown(key, new)}."
    if new is None:
        return f"The {subject} of {_shown(key, old)} is removed."
    verb = "changes"
    if isinstance(new, int | float):
        verb = "rises" if new > old else "falls"
    return f"The {subject} {verb} from {_shown(key, old)} to {_shown(key, new)}."


def _value_changes(
    before: Mapping[str, Any], after: Mapping[str, Any], keys: tuple[str, ...]
) -> list[str]:
    return [
        _changed(_NAMES[key], key, before[key], after[key])
        for key in keys
        if before[key] != after[key]
    ]


def _threshold_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    old, new = before["label_thresholds"], after["label_thresholds"]
    labels = sorted({*old, *new})
    return [
        _changed(f"confidence threshold for '{label}'", "label_thresholds", *change)
        for label, change in ((label, (old.get(label), new.get(label))) for label in labels)
        if change[0] != change[1]
    ]


def _rule_changes(old: ValidatedPolicy, new: ValidatedPolicy) -> list[str]:
    before = {rule.name: rule for rule in old.routing.rules}
    after = {rule.name: rule for rule in new.routing.rules}
    found = [f"Removed: {rule_sentence(before[name])}" for name in before if name not in after]
    for name, rule in after.items():
        if name not in before:
            found.append(f"Added: {rule_sentence(rule)}")
        elif before[name] != rule:
            found.append(f"Changed: {rule_sentence(before[name])} Now: {rule_sentence(rule)}")
    order = [name for name in after if name in before]
    if order != [name for name in before if name in after]:
        found.append(f"The order of the rules is now {join_words(after)}.")
    return found


def _justification_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    old, new = before["unreviewed_release"], after["unreviewed_release"]
    if old == new:
        return []
    if new is None:
        return ["The justification of release without review is removed."]
    return [f"Release without review is now justified so: {new['justification']}"]


def _list_changes(noun: str, old: list[str], new: list[str]) -> list[str]:
    found = [f"The {noun} '{one}' is added." for one in new if one not in old]
    return found + [f"The {noun} '{one}' is removed." for one in old if one not in new]


def _escalation_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    old, new = before["escalation"], after["escalation"]
    if old == new:
        return []
    return [f"Lapsed cases go to {join_words(new)} in this order, before to {join_words(old)}."]


def _tripwire_changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    old, new = before["tripwires"], after["tripwires"]
    found = [f"Tripwire added: {tripwire_sentence(one)}" for one in new if one not in old]
    return found + [f"Tripwire removed: {tripwire_sentence(one)}" for one in old if one not in new]
