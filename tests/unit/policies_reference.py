"""A slow reference router: one decision at a time, plain dicts, the six steps as they are told."""

import hashlib
import hmac
import math
import re
from decimal import Decimal
from fractions import Fraction

TYPES = {
    "confidence": "number",
    "margin": "number",
    "label": "category",
    "amount": "amount",
    "model_version": "text",
    "feature.income": "number",
    "feature.region": "category",
    "feature.employed": "boolean",
    "feature.since": "date",
    "subject.sex": "category",
}


def read(decision, name):
    """The raw value of a field, None when it is missing."""
    output = decision["output"] or {}
    if name == "confidence":
        value = output.get("confidence")
        return None if value is None or not math.isfinite(value) else value
    if name == "margin":
        scores = sorted((output.get("scores") or {}).values())
        return scores[-1] - scores[-2] if len(scores) > 1 else None
    if name == "label":
        return output.get("label")
    if name == "amount":
        return None if decision.get("amount") is None else Decimal(decision["amount"])
    if name == "model_version":
        return decision["model_version"]
    prefix, rest = name.split(".", 1)
    if prefix == "feature":
        return decision["features"].get(rest)
    return decision["subject"]["attributes"].get(rest)


def holds(condition, decision):
    if "all" in condition:
        return all(holds(part, decision) for part in condition["all"])
    if "any" in condition:
        return any(holds(part, decision) for part in condition["any"])
    if "not" in condition:
        return not holds(condition["not"], decision)
    value = read(decision, condition["field"])
    op, wanted = condition["op"], condition.get("value", True)
    if op == "is_missing":
        return (value is None) == wanted
    if value is None and condition["field"] == "confidence":
        value = 0.0
    if value is None:
        return False
    if condition["field"] == "amount":
        wanted = list(map(Decimal, wanted)) if isinstance(wanted, list) else Decimal(wanted)
    return {
        "==": lambda: value == wanted,
        "!=": lambda: value != wanted,
        "<": lambda: value < wanted,
        "<=": lambda: value <= wanted,
        ">": lambda: value > wanted,
        ">=": lambda: value >= wanted,
        "in": lambda: value in wanted,
        "not_in": lambda: value not in wanted,
        "between": lambda: wanted[0] <= value <= wanted[1],
        "matches": lambda: re.search(wanted, value) is not None,
    }[op]()


def draw(seed, external_id):
    digest = hmac.new(seed, external_id.encode(), hashlib.sha256).digest()
    return Fraction(int.from_bytes(digest, "big") >> 203, 2**53)


def find_mandate(mandates, moment, decision, left):
    for index, mandate in enumerate(mandates):
        if not mandate["from"] <= moment < mandate["to"] or not holds(mandate["scope"], decision):
            continue
        count, amount = left[index]
        if count is not None and count < 1:
            continue
        if amount is not None:
            if decision["amount"] is None or Decimal(decision["amount"]) > amount:
                continue
            amount -= Decimal(decision["amount"])
        left[index] = (None if count is None else count - 1, amount)
        return index
    return None


def route_one(policy, context, decision, withdrawn, left):
    """Returns (lane, would_be, probability, mandate, after, code)."""
    lane, probability, mandate, after, code = _steps(policy, context, decision, withdrawn, left)
    if context["lifecycle"] == "pilot" and lane != "blocked":
        return "shadow", lane, probability, mandate, after, code
    return lane, None, probability, mandate, after, code


def _steps(policy, context, decision, withdrawn, left):
    hotl = policy["level"] == "HOTL"
    free = "supervised" if hotl else "automatic"
    if context["lifecycle"] in ("draft", "suspended", "retired"):
        return "blocked", None, None, False, "use_case_suspended"
    if withdrawn:
        return "blocked", None, None, False, "model_withdrawn"
    if policy["level"] == "HIC":
        if decision["output"] is None:
            return "command", None, None, False, "no_output"
        index = find_mandate(context["mandates"], context["moment"], decision, left)
        if index is None:
            return "command", None, None, False, "no_mandate"
        return "automatic", None, index, False, "mandate"
    if decision["output"] is None:
        return "review", None, None, False, "no_output"
    rule = next((rule for rule in policy["rules"] if holds(rule["when"], decision)), None)
    if rule and rule["then"] in ("review", "command"):
        return rule["then"], None, None, False, "rule"
    if decision["output"]["label"] in policy["always_review_labels"]:
        return "review", None, None, False, "always_review_label"
    if rule and rule["then"] == "automatic":
        return "automatic", None, None, False, "rule"
    picked = "supervised" if hotl else "review"
    u = draw(context["seed"], decision["external_id"])
    if rule:
        if u < rule["rate"]:
            return picked, rule["rate"], None, hotl, "random_audit"
        return free, rule["rate"], None, False, "within_policy"
    label = decision["output"]["label"]
    threshold = policy["label_thresholds"].get(label, policy["confidence_threshold"])
    confidence = read(decision, "confidence")
    if (confidence or 0) < threshold:
        code = "confidence_missing" if confidence is None else "confidence_below_threshold"
        return picked, None, None, hotl, code
    if u < policy["audit_rate"]:
        return picked, policy["audit_rate"], None, hotl, "random_audit"
    return free, policy["audit_rate"], None, False, "within_policy"
