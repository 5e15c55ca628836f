"""Three sentences in plain words: what stands out, what changed, what needs somebody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dashboards.executive.data import Process
from dashboards.words import percent, points_in_words

SHOWN = 0.005  # changes below half a percentage point are not told


def sentences(found: Sequence[Process]) -> list[str]:
    """Each made from figures alone; where nothing can be told it says so."""
    return [_value(found), _change(found), _risk(found)]


def _value(found: Sequence[Process]) -> str:
    gains = [one for one in found if _team(one).get("beats_the_better")]
    losses = [one for one in found if _loses(one)]
    known = [one for one in found if _team(one).get("beats_the_better") is not None]
    if not known:
        return (
            "Whether people and AI together beat the better of the two cannot be told yet: too "
            "few outcomes are known."
        )
    told = (
        f"People and AI together beat the better of the two in {_names(gains)}"
        if gains
        else ("In no process is it shown that people and AI together beat the better of the two")
    )
    if losses:
        told += f"; they do worse in {_names(losses)}, where the policy should be looked at"
    return told + "."


def _team(one: Process) -> dict[str, Any]:
    found: dict[str, Any] = one.now["accuracy"]["team"]
    return found


def _loses(one: Process) -> bool:
    gain = one.now["accuracy"]["team_gain"]
    return gain["high"] is not None and gain["high"] < 0


def _change(found: Sequence[Process]) -> str:
    """The largest change of the accuracy of what took effect, with its likely reason."""
    changes = []
    for one in found:
        now, before = (side["accuracy"]["combined"]["value"] for side in (one.now, one.before))
        if now is not None and before is not None and abs(now - before) >= SHOWN:
            changes.append((abs(now - before), now - before, one))
    if not changes:
        return (
            "Against the period before, the accuracy of what took effect has not changed by half "
            "a percentage point or more in any process."
        )
    _size, change, one = max(changes, key=lambda entry: entry[0])
    went = "rose" if change > 0 else "fell"
    now = one.now["accuracy"]["combined"]["value"]
    return (
        f"The accuracy of what took effect {went} most in {one.use_case.name}, by "
        f"{points_in_words(change)} to {percent(now)}{_because(one, change)}."
    )


def _because(one: Process, change: float) -> str:
    ai_now, ai_before = (side["accuracy"]["ai"]["value"] for side in (one.now, one.before))
    if ai_now is not None and ai_before is not None:
        moved = ai_now - ai_before
        if abs(moved) >= SHOWN and (moved > 0) == (change > 0):
            return f": the AI alone went from {percent(ai_before)} to {percent(ai_now)}"
    rate_now, rate_before = (
        side["operations"]["automation_rate"]["value"] for side in (one.now, one.before)
    )
    if rate_now is not None and rate_before is not None and abs(rate_now - rate_before) >= SHOWN:
        return (
            f" while the AI alone stayed as it was and the share released without a person went from "
            f"{percent(rate_before)} to {percent(rate_now)}"
        )
    return ", which neither the AI alone nor the automation rate explains"


def _risk(found: Sequence[Process]) -> str:
    breached = [one for one in found if one.now["compliance"]["decisions_with_breaches"]]
    alerts = sum(one.alerts for one in found)
    if not breached and not alerts:
        return "Every decision was handled as its policy demanded, and no alert is open."
    parts = []
    if breached:
        worst = max(breached, key=lambda one: one.now["compliance"]["decisions_with_breaches"])
        n = sum(one.now["compliance"]["decisions_with_breaches"] for one in breached)
        parts.append(
            f"{n:,} decisions were not handled as their policy demanded, most of them in "
            f"{worst.use_case.name}"
        )
    if alerts:
        most = max(found, key=lambda one: one.alerts)
        parts.append(
            f"{alerts} alert{'s are' if alerts > 1 else ' is'} open, most in {most.use_case.name}"
        )
    text = " and ".join(parts)
    return text[0].upper() + text[1:] + "."


def _names(found: Sequence[Process]) -> str:
    names = [one.use_case.name for one in found]
    if len(names) > 3:
        return f"{', '.join(names[:3])} and {len(names) - 3} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
