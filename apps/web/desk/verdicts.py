"""The verdicts that a stage offers, their keys, and the answer that a posted form states. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from apps.common.errors import BadInput, FieldError
from apps.web.desk.outputs import LEAF, NEW_NAME, NEW_VALUE, output_from

MAX_WORDS: Final = 20_000
NEEDS_CODE: Final = ("change", "withhold")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One verdict as the page offers it. ``needs_words``: a rationale (for ``ask`` the question)
    is required; ``at_once``: its key alone gives it."""

    code: str
    key: str
    words: str
    hint: str
    tone: str
    needs_output: bool = False
    needs_words: bool = False
    at_once: bool = False


CONFIRM = Verdict("confirm", "c", "Confirm", "The AI's output is right.", "good", at_once=True)
CHANGE = Verdict(
    "change", "x", "Change", "Another output is right.", "accent", True, needs_words=True
)
KEEP = Verdict("confirm", "c", "Keep my answer", "Your first answer stands.", "good", at_once=True)
CHANGE_MINE = Verdict(
    "change", "x", "Change my answer", "Another output is right.", "accent", True, needs_words=True
)
ANSWER = Verdict("answer", "r", "Answer", "Give your own answer.", "accent", True)
WITHHOLD = Verdict(
    "withhold", "w", "Withhold", "Nothing of this may take effect.", "bad", needs_words=True
)
ESCALATE = Verdict(
    "escalate", "e", "Escalate", "Someone more senior decides.", "warn", at_once=True
)
ABSTAIN = Verdict("abstain", "a", "Abstain", "Somebody else should look at it.", "", at_once=True)
ASK = Verdict(
    "ask", "i", "Ask for information", "The clock waits for the reply.", "", needs_words=True
)
ALL: Final = {v.code: v for v in (CONFIRM, CHANGE, ANSWER, WITHHOLD, ESCALATE, ABSTAIN, ASK)}
WITH_OUTPUT: Final = (CONFIRM, CHANGE, WITHHOLD, ESCALATE, ABSTAIN, ASK)
WITHOUT_OUTPUT: Final = (ANSWER, WITHHOLD, ESCALATE, ABSTAIN, ASK)
# Own confidence, in words that people use; the share is what is kept.
SURENESS: Final = (
    ("0.5", "guess"),
    ("0.65", "leaning"),
    ("0.8", "fairly"),
    ("0.9", "sure"),
    ("0.99", "certain"),
)
# Acts of the page itself, beside the verdicts: their keys can be chosen as well.
PAGE_ACTS: Final = (
    ("next", "n", "Next case"),
    ("undo", "u", "Undo the last verdict"),
    ("less_sure", "-", "Less sure"),
    ("more_sure", "+", "More sure"),
    ("evidence", "v", "To the evidence"),
    ("help", "?", "Show all keys"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reviewer posted, as the desk's services take it."""

    verdict: str
    output: dict[str, Any] | None
    reason_code: str
    rationale: str
    confidence: float | None
    active_seconds: float


def verdicts_for(document: Mapping[str, Any], *, blind: bool) -> list[Verdict]:
    """What the page offers: the document's own list where it has one, else by what is shown.

    After a reveal it is one's own answer that is kept or changed.
    """
    spoken = not blind and document.get("output") is not None
    default = [one.code for one in (WITH_OUTPUT if spoken else WITHOUT_OUTPUT)]
    mine = {"confirm": KEEP, "change": CHANGE_MINE} if document.get("own_answer") else {}
    offered = {**ALL, **mine}
    allowed = document.get("verdicts_allowed")
    return [offered[code] for code in (default if allowed is None else allowed) if code in offered]


def read_answer(
    form: Mapping[str, str],
    kind: str,
    output: Mapping[str, Any] | None,
    offered: Sequence[Verdict],
    names: Sequence[Any] = (),
    codes: Sequence[Any] = (),
) -> Answer:
    """What a posted form states.

    Definition: a change to the very label that stands is a confirmation.
    Parameters: ``output``, what stands: the AI's, or the person's own first answer, None where
    there is neither; ``offered`` as the page showed them; ``names`` as in ``inputs_for``; ``codes``,
    the reason codes of the use case, of which a change and a withholding name one.
    Errors: BadInput with everything that is missing or cannot be read.
    """
    verdict = next((one for one in offered if one.code == form.get("verdict")), None)
    if verdict is None:
        words = ", ".join(one.words.lower() for one in offered)
        raise BadInput(f"Choose a verdict: {words}.", "/verdict")
    errors: list[FieldError] = []
    made = _output_of(form, kind, output, verdict, names, errors)
    code = verdict.code
    if code == "change" and kind == "label" and output and made == {"label": output.get("label")}:
        code, made, verdict = "confirm", None, CONFIRM
    reason_code = form.get("reason_code", "")
    if codes and code in NEEDS_CODE and not reason_code:
        errors.append(FieldError("/reason_code", "Choose a reason."))
    words = form.get("rationale", "").replace("\r\n", "\n").strip()
    errors += _faults_of_words(verdict, words)
    sure = _share(form.get("confidence", ""), errors)
    if errors:
        raise BadInput(errors)
    seconds = seconds_from(form.get("active_seconds", ""))
    return Answer(code, made, reason_code, words, sure, seconds)


def _output_of(
    form: Mapping[str, str],
    kind: str,
    output: Mapping[str, Any] | None,
    verdict: Verdict,
    names: Sequence[Any],
    errors: list[FieldError],
) -> dict[str, Any] | None:
    if not verdict.needs_output:
        return None
    try:
        return output_from(kind, form, output, names)
    except BadInput as fault:
        errors.extend(fault.errors)
        return None


def _faults_of_words(verdict: Verdict, words: str) -> list[FieldError]:
    if verdict.needs_words and not words:
        wanted = "Write the question." if verdict.code == "ask" else "Say why in a few words."
        return [FieldError("/rationale", wanted)]
    if len(words) > MAX_WORDS:
        detail = f"The text has {len(words):,} characters; at most {MAX_WORDS:,} are allowed."
        return [FieldError("/rationale", detail)]
    return []


def _share(text: str, errors: list[FieldError]) -> float | None:
    if not text:
        return None
    if text in dict(SURENESS):
        return float(text)
    errors.append(
        FieldError("/confidence", f"Your confidence is {text!r}; choose one of the five.")
    )
    return None


def seconds_from(text: str) -> float:
    """Active seconds as the page counted them; anything else counts as none."""
    try:
        seconds = float(text)
    except ValueError:
        return 0.0
    return round(min(seconds, 86_400.0), 1) if seconds >= 0 else 0.0


KEPT_IN_DRAFT: Final = ("verdict", "label", "reason_code", "rationale", "confidence")


def draft_from(form: Mapping[str, str]) -> dict[str, str]:
    """What a form holds of a person's work, to be filled in again; no token, no lease."""
    names = {*KEPT_IN_DRAFT, "active_seconds", "value", "text", "name"}
    starts = (LEAF, NEW_NAME, NEW_VALUE)
    return {k: v for k, v in form.items() if k in names or k.startswith(starts)}
