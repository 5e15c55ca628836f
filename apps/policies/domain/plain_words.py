"""A policy in plain words, for the page on which people approve it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from apps.policies.domain.condition_words import condition_words, percent, share
from apps.policies.domain.lanes import Rule
from apps.policies.domain.validation import ValidatedPolicy

LEVEL_WORDS: Final = {
    "HITL": "human in the loop: what the policy picks waits for a person before it takes effect",
    "HOTL": "human on the loop: outputs are released at once and people watch and step in",
    "HIC": "human in command: the AI releases only under a mandate, a commander decides the rest",
}
COMBINATION_WORDS: Final = {
    "single": "one review decides",
    "unanimous": "all reviewers must agree",
    "majority": "the majority decides",
    "weighted": "verdicts are weighed by each reviewer's estimated reliability",
    "two_person": "two different people must each confirm",
}
_ACTION_WORDS: Final = {
    "alert": "an alert is raised",
    "to_hitl": "an alert is raised and the use case moves to human in the loop",
    "suspend": "an alert is raised and the use case is suspended",
}
_FALLBACK_WORDS: Final = {"withhold": "withheld", "release": "released"}


def describe(policy: ValidatedPolicy) -> list[str]:
    """Return a policy as sentences, in the order in which they take effect.

    Parameters: `policy`, validated.
    Returns: one sentence per thing that the policy settles; what is off is left out, save that
    the absence of thresholds, rules and audits is said.
    """
    document = policy.document
    sentences = [f"The oversight level is {LEVEL_WORDS[document['level']]}."]
    if document["level"] == "HIC":
        sentences.append("Mandates alone release; rules, thresholds and audits do not apply.")
    else:
        sentences += _routing_sentences(policy)
    return sentences + review_sentences(document) + _tripwire_sentences(document)


def _routing_sentences(policy: ValidatedPolicy) -> list[str]:
    document = policy.document
    rules = [rule_sentence(rule) for rule in policy.routing.rules]
    sentences = rules or ["There are no rules."]
    if document["unreviewed_release"]:
        text = document["unreviewed_release"]["justification"]
        sentences.append(f"Release without review is justified so: {text}")
    labels = document["always_review_labels"]
    if labels:
        sentences.append(f"Decisions for {join_words(labels)} are always reviewed.")
    return [*sentences, *_threshold_sentences(policy), _audit_sentence(policy)]


def _threshold_sentences(policy: ValidatedPolicy) -> list[str]:
    verb = "is reviewed" if policy.routing.level == "HITL" else "is released and reviewed after"
    overall = policy.routing.confidence_threshold
    found = [f"Confidence below {share(overall)} {verb}."]
    if not overall:
        found = ["There is no overall confidence threshold."]
    for label, threshold in sorted(policy.routing.label_thresholds.items()):
        found.append(f"For '{label}', confidence below {share(threshold)} {verb}.")
    return found


def _audit_sentence(policy: ValidatedPolicy) -> str:
    rate = policy.routing.audit_rate
    if not rate:
        return "There is no random audit."
    return f"Of what would be released, {percent(rate)} is drawn at random for audit."


_THEN_WORDS: Final[dict[str, Callable[[Rule], str]]] = {
    "review": lambda rule: "the decision is reviewed",
    "command": lambda rule: "the commander decides",
    "automatic": lambda rule: "the decision is released without review",
    "sample": lambda rule: f"{percent(rule.rate or 0.0)} are drawn for review, the rest released",
}


def rule_sentence(rule: Rule) -> str:
    """Return a rule as a sentence: "Rule 'large': if the amount is above 50000.00, ..."."""
    words = condition_words(rule.when)
    opening = words if words == "always" else f"if {words}"
    return f"Rule '{rule.name}': {opening}, {_THEN_WORDS[rule.then](rule)}."


def join_words(names: Iterable[str]) -> str:
    """Return names in quotes, joined by commas; "none" for no names."""
    return ", ".join(f"'{name}'" for name in names) or "none"


def review_sentences(document: Mapping[str, Any]) -> list[str]:
    """Return what a normal policy document says of reviews, their time limits and people.

    Parameters: `document`, of a validated policy.
    """
    count = document["reviews_required"]
    reviews = "1 review" if count == 1 else f"{count} reviews"
    found = [f"A case takes {reviews}; {COMBINATION_WORDS[document['combination']]}."]
    found += [words(document) for key, words in _OPTIONAL_WORDS if document[key]]
    fallback = _FALLBACK_WORDS[document["fallback"]]
    if document["sla_minutes"]:
        chain = " then ".join(role.replace("_", " ") for role in document["escalation"])
        path = f"it goes to the {chain}; at the end" if chain else "then"
        found.append(
            f"A case is due {minutes(document['sla_minutes'])} after it arrives; "
            f"{path} it is {fallback}."
        )
    return found


def minutes(count: int) -> str:
    """Return a count of minutes in words."""
    return "1 minute" if count == 1 else f"{count} minutes"


def _cases(count: int) -> str:
    return "1 case" if count == 1 else f"{count} cases"


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


_OPTIONAL_WORDS: Final[tuple[tuple[str, Callable[[Mapping[str, Any]], str]], ...]] = (
    (
        "reviews_max",
        lambda d: (
            f"Reviews are added, up to {d['reviews_max']}, until the answer is at least "
            f"{percent(d['posterior_level'])} sure."
        ),
    ),
    ("blind", lambda d: "Reviewers answer before they see the AI's output."),
    (
        "known_answer_rate",
        lambda d: f"{percent(d['known_answer_rate'])} of cases have a known answer.",
    ),
    (
        "known_answer_floor",
        lambda d: (
            f"A reviewer below {percent(d['known_answer_floor'])} right on known answers "
            "loses the qualification."
        ),
    ),
    ("feedback", lambda d: "Reviewers are told how they did on known answers."),
    ("skills", lambda d: f"Reviewers need the skills {join_words(d['skills'])}."),
    (
        "min_weekly_cases",
        lambda d: f"A qualified reviewer gets at least {d['min_weekly_cases']} cases a week.",
    ),
    ("senior_sees_verdicts", lambda d: "A senior who adjudicates sees the verdicts before."),
    ("show_protected", lambda d: "Reviewers see protected attributes."),
    (
        "lease_minutes",
        lambda d: f"A reviewer holds a case for {minutes(d['lease_minutes'])} without a sign.",
    ),
    (
        "ask_limit_minutes",
        lambda d: f"A question stops the clock for at most {minutes(d['ask_limit_minutes'])}.",
    ),
    ("daily_limit", lambda d: f"A reviewer gets at most {_cases(d['daily_limit'])} a day."),
    (
        "streak_limit",
        lambda d: f"A pause is suggested after {_cases(d['streak_limit'])} in a row.",
    ),
    (
        "practice_days",
        lambda d: f"A qualification lapses after {_days(d['practice_days'])} without a case.",
    ),
    (
        "intervention_minutes",
        lambda d: f"A release can be undone for {minutes(d['intervention_minutes'])}.",
    ),
)


def _tripwire_sentences(document: Mapping[str, Any]) -> list[str]:
    return [tripwire_sentence(one) for one in document["tripwires"]]


def tripwire_sentence(tripwire: Mapping[str, Any]) -> str:
    """Return a tripwire of a normal document as a sentence."""
    limit = f"{tripwire['metric']} {tripwire['op']} {tripwire['value']:g}"
    return f"If {limit}, {_ACTION_WORDS[tripwire['action']]}."
