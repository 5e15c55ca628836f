"""A verdict as it is sent: its parts, and every fault that it has at this case."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any, Final

from apps.common.errors import BadInput, FieldError
from apps.common.saving import text_faults
from apps.decisions.domain.final_outputs import equal_outputs, final_output
from apps.decisions.models import Decision
from apps.decisions.selectors import output_of
from apps.decisions.services import checked_final
from apps.workflow.desk.case import Case
from apps.workflow.desk.stages import ALLOWED, NEEDS_OUTPUT, NEEDS_RATIONALE, REVEALED

MAX_RATIONALE: Final = 20_000
MAX_SECONDS: Final = 86_400.0
Output = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Submission:
    """What a reviewer sends. ``rationale`` is the question where the verdict is ``ask``;
    ``active_seconds``: of attention at this case, in 0..86,400; ``confidence`` in [0, 1]."""

    verdict: str
    shown_hash: str
    output: Any = None
    reason_code: str = ""
    rationale: str = ""
    confidence: float | None = None
    active_seconds: float | None = None

    def as_text(self) -> str:
        """As a draft keeps it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Submission:
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class Verdict:
    """A submission without faults. ``output``: the final output it stands for, None for none."""

    code: str
    output: Output | None
    reason_code: str
    rationale: str
    confidence: float | None
    active_seconds: float | None


def checked(sent: Submission, case: Case, decision: Decision) -> Verdict:
    """The verdict that ``sent`` gives on this case.

    Raises:
        BadInput: with every fault, each at its member.
    """
    faults = list(_faults(sent, case, decision))
    output = None
    try:
        if not any(fault.pointer == "/verdict" for fault in faults):
            output = _OUTPUTS.get(sent.verdict, _no_output)(sent, case, decision)
    except BadInput as refusal:
        faults.extend(refusal.errors)
    if faults:
        raise BadInput(faults)
    return Verdict(
        sent.verdict,
        output,
        sent.reason_code,
        sent.rationale.strip(),
        None if sent.confidence is None else float(sent.confidence),
        None if sent.active_seconds is None else float(sent.active_seconds),
    )


def _faults(sent: Submission, case: Case, decision: Decision) -> Iterator[FieldError]:
    allowed = ALLOWED[case.stage, output_of(decision) is not None]
    if sent.verdict not in allowed:
        listed = ", ".join(allowed)
        detail = f"{sent.verdict!r:.60} is no verdict of the stage {case.stage}; allowed: {listed}"
        yield FieldError("/verdict", detail)
    yield from _words_faults(sent)
    yield from _reason_code_faults(sent, decision.use_case.reason_codes)
    yield from _number_fault("confidence", sent.confidence, 1.0)
    yield from _number_fault("active_seconds", sent.active_seconds, MAX_SECONDS)


def _words_faults(sent: Submission) -> Iterator[FieldError]:
    if not isinstance(sent.rationale, str) or len(sent.rationale) > MAX_RATIONALE:
        yield FieldError("/rationale", f"text of at most {MAX_RATIONALE:,} characters is allowed")
    elif sent.verdict in NEEDS_RATIONALE and not sent.rationale.strip():
        yield FieldError("/rationale", f"the verdict {sent.verdict} needs its reason in words")
    else:
        yield from text_faults(sent.rationale, "/rationale")


def _reason_code_faults(sent: Submission, codes: list[Any]) -> Iterator[FieldError]:
    """Where the use case lists its codes, a change and a withholding name one of them."""
    known = [entry["code"] if isinstance(entry, Mapping) else entry for entry in codes]
    listed = ", ".join(map(str, known)) or "none, as the use case lists none"
    if not isinstance(sent.reason_code, str):
        yield FieldError("/reason_code", f"{sent.reason_code!r:.60} is not text")
    elif sent.reason_code and sent.reason_code not in known:
        yield FieldError("/reason_code", f"{sent.reason_code!r:.100} is not one of: {listed}")
    elif known and not sent.reason_code and sent.verdict in ("change", "withhold"):
        yield FieldError("/reason_code", f"the verdict {sent.verdict} needs one of: {listed}")


def _number_fault(name: str, value: object, most: float) -> Iterator[FieldError]:
    if value is None:
        return
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else -1
    if not (isfinite(number) and 0 <= number <= most):
        yield FieldError(f"/{name}", f"{value!r:.60} is not a number from 0 to {most:g}")


def ai_output(decision: Decision) -> Output | None:
    """What takes effect where the AI is confirmed; None where no model has spoken."""
    return final_output(decision.kind, output_of(decision))


def _no_output(sent: Submission, case: Case, decision: Decision) -> None:
    if sent.output is not None:
        detail = f"the verdict {sent.verdict} takes no output; {' and '.join(NEEDS_OUTPUT)} do"
        raise BadInput(detail, "/output")


def _confirmed(sent: Submission, case: Case, decision: Decision) -> Output | None:
    """The AI's output, or after a reveal the person's own answer: that is what is confirmed."""
    revealed = case.stage == REVEALED
    confirmed = case.document["own_answer"] if revealed else ai_output(decision)
    if sent.output is not None:
        given = checked_final(decision, sent.output)
        if not same(decision, given, confirmed):
            whose = "your first answer" if revealed else "the AI's output"
            raise BadInput(f"this is not {whose}: to give another one is a change", "/output")
    return confirmed


def _changed(sent: Submission, case: Case, decision: Decision) -> Output:
    given = checked_final(decision, sent.output)
    revealed = case.stage == REVEALED
    before = case.document["own_answer"] if revealed else ai_output(decision)
    if same(decision, given, before):
        whose = "your first answer" if revealed else "the AI's output"
        raise BadInput(f"this is {whose}: to keep it is to confirm", "/output")
    return given


def _answered(sent: Submission, case: Case, decision: Decision) -> Output:
    return checked_final(decision, sent.output)


_OUTPUTS: Final[dict[str, Callable[[Submission, Case, Decision], Output | None]]] = {
    "confirm": _confirmed,
    "change": _changed,
    "answer": _answered,
}


def same(decision: Decision, first: Output | None, second: Output | None) -> bool:
    """Whether two final outputs say the same, under the use case's tolerance."""
    return equal_outputs(decision.kind, first, second, float(decision.use_case.tolerance))
