"""A policy's rules: read, and refused where one could never take effect."""

from typing import Any, Final

from apps.policies.domain.condition_parser import escaped, read_condition, read_number, shown
from apps.policies.domain.conditions import Condition, condition_data
from apps.policies.domain.lanes import Rule
from apps.policies.domain.satisfiability import can_match
from apps.policies.domain.schema import Problem, UseCaseSchema

THEN: Final = ("review", "command", "automatic", "sample")
MAX_RULES: Final = 200
MAX_NAME: Final = 100


def read_rules(data: object, schema: UseCaseSchema, problems: list[Problem]) -> tuple[Rule, ...]:
    """Return the rules of a policy document, adding every fault to `problems`.

    Definition: a rule has `name`, `when`, `then`, and `rate` with `sample` alone. Names differ.
    A rule that no decision can meet, or none that earlier rules have not taken, is a fault.
    Parameters: `data`, the decoded list; `schema`; `problems`, extended in place.
    Returns: the rules that could be read, in order.
    """
    if not isinstance(data, list) or len(data) > MAX_RULES:
        problems.append(Problem("/rules", f"{shown(data)} is not a list of at most {MAX_RULES}"))
        return ()
    placed: list[tuple[str, Rule]] = []
    for index, one in enumerate(data):
        rule = _read_rule(one, schema, f"/rules/{index}", problems)
        if rule is not None:
            placed.append((f"/rules/{index}", rule))
    _check_names(placed, problems)
    _check_reach(placed, schema, problems)
    return tuple(rule for _, rule in placed)


def rules_data(rules: tuple[Rule, ...]) -> list[dict[str, Any]]:
    """Return rules as JSON data in their normal form: `rate` only where there is one."""
    return [
        {"name": rule.name, "when": condition_data(rule.when), "then": rule.then}
        | ({} if rule.rate is None else {"rate": rule.rate})
        for rule in rules
    ]


def _read_rule(
    data: object, schema: UseCaseSchema, pointer: str, problems: list[Problem]
) -> Rule | None:
    if not isinstance(data, dict):
        problems.append(Problem(pointer, f"{shown(data)} is not a rule object"))
        return None
    before = len(problems)
    for key in sorted(set(map(str, data)) - {"name", "when", "then", "rate"}):
        problems.append(Problem(f"{pointer}/{escaped(key)}", f"unknown key {shown(key)}"))
    name = data.get("name")
    if not isinstance(name, str) or not name.strip() or len(name) > MAX_NAME:
        detail = f"{shown(name)} is not a name of 1 to {MAX_NAME} characters"
        problems.append(Problem(f"{pointer}/name", detail))
    if data.get("then") not in THEN:
        detail = f"{shown(data.get('then'))} is not one of {', '.join(THEN)}"
        problems.append(Problem(f"{pointer}/then", detail))
    rate = _read_rate(data, f"{pointer}/rate", problems)
    when = read_condition(data.get("when"), schema, f"{pointer}/when", problems)
    if when is None or len(problems) > before:
        return None
    return Rule(data["name"], when, data["then"], rate)


def _read_rate(data: dict[str, Any], pointer: str, problems: list[Problem]) -> float | None:
    if data.get("then") != "sample":
        if data.get("rate") is not None:
            problems.append(Problem(pointer, "a rate belongs to 'then': 'sample' alone"))
        return None
    rate = read_number(data.get("rate"))
    if rate is None or not 0 <= rate <= 1:
        detail = f"'sample' needs a rate from 0 to 1, not {shown(data.get('rate'))}"
        problems.append(Problem(pointer, detail))
    return rate


def _check_names(placed: list[tuple[str, Rule]], problems: list[Problem]) -> None:
    seen: set[str] = set()
    for pointer, rule in placed:
        if rule.name in seen:
            problems.append(Problem(f"{pointer}/name", f"two rules are named {shown(rule.name)}"))
        seen.add(rule.name)


def _check_reach(
    placed: list[tuple[str, Rule]], schema: UseCaseSchema, problems: list[Problem]
) -> None:
    earlier: list[Rule] = []
    for pointer, rule in placed:
        if not can_match(rule.when, schema):
            detail = f"no decision can meet the condition of rule {shown(rule.name)}"
            problems.append(Problem(f"{pointer}/when", detail))
            continue
        taken = _taken_by(rule.when, earlier, schema)
        if taken:
            detail = f"rule {shown(rule.name)} is never reached: {taken} before it"
            problems.append(Problem(f"{pointer}/when", detail))
        earlier.append(rule)


def _taken_by(when: Condition, earlier: list[Rule], schema: UseCaseSchema) -> str | None:
    """Return what takes every decision that meets a condition before its rule is asked."""
    for rule in earlier:
        if rule.when == when or not can_match(when, schema, [rule.when]):
            return f"rule {shown(rule.name)} takes all its decisions"
    if len(earlier) > 1 and not can_match(when, schema, [rule.when for rule in earlier]):
        return "the rules take all its decisions"
    return None
