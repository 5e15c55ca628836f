"""A case's document as the case page shows it. What a blind document lacks, the page cannot show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from apps.web.desk.evidence import Piece, cell, pieces_of
from apps.web.desk.outputs import (
    NEW_NAME,
    NEW_ROWS,
    NEW_VALUE,
    Input,
    Line,
    Score,
    as_output,
    filled,
    headline,
    inputs_for,
    lines_of,
    scores_of,
    takes_new_rows,
)
from apps.web.desk.verdicts import SURENESS, Verdict, verdicts_for

BLIND = "blind"


@dataclass(frozen=True, slots=True)
class Value:
    """One named value of the case."""

    words: str
    value: str
    protected: bool = False


@dataclass(frozen=True, slots=True)
class Weight:
    """How much one feature spoke for the output, or against it."""

    words: str
    value: str
    is_for: bool


@dataclass(frozen=True, slots=True)
class LabelChoice:
    """A label as a button; ``key`` is its digit, empty beyond nine. To choose the one that
    ``stands`` is to confirm it."""

    label: str
    key: str
    is_ai: bool
    is_mine: bool
    stands: bool


@dataclass(frozen=True, slots=True)
class Peer:
    """What another reviewer said."""

    who: str
    verdict: str
    output: str
    why: str


@dataclass(frozen=True, slots=True)
class NewRow:
    """An empty line for a value that the person names."""

    number: int
    name: str
    value: str


@dataclass(slots=True)
class CasePage:
    """Everything that the case page renders. ``such``, ``wrong`` and ``similar`` are filled in from
    the past where the AI's output is shown."""

    task: str
    lease: str
    lease_ends: datetime | None
    shown_hash: str
    stage: str
    kind: str
    title: str
    question: str
    asked: str
    instructions: str
    use_case_name: str
    external_id: str
    reasons: Sequence[Mapping[str, Any]]
    exchanges: Sequence[Mapping[str, Any]]
    due_at: datetime | None
    is_late: bool
    amount: str
    currency: str
    pieces: Sequence[Piece]
    values: Sequence[Value]
    hidden: int
    has_output: bool
    headline: str
    lines: Sequence[Line]
    scores: Sequence[Score]
    confidence: float | None
    explanation: Mapping[str, Any] | None
    weights: Sequence[Weight]
    model_name: str
    model_status: str
    limits: str
    first_answer: str
    first_lines: Sequence[Line]
    peers: Sequence[Peer]
    verdicts: Sequence[Verdict]
    labels: Sequence[LabelChoice]
    inputs: Sequence[Input]
    new_rows: Sequence[NewRow]
    reason_codes: Sequence[Mapping[str, str]]
    kept: Mapping[str, str]
    words_note: str
    sureness: Sequence[tuple[str, str]] = SURENESS
    such: Any = None
    wrong: Any = None
    similar: Sequence[Any] = ()
    pending: Sequence[Any] = field(default_factory=list)
    refused: Sequence[Any] = field(default_factory=list)


def case_page(
    document: Mapping[str, Any],
    *,
    task: str,
    lease: str,
    lease_ends: datetime | None,
    shown_hash: str,
    stage: str,
    use_case_name: str,
    now: datetime,
    kept: Mapping[str, str],
) -> CasePage:
    """The page of one case.

    Parameters: ``document`` as the desk shows it to this person; ``kept``, what they typed before.
    """
    kind, output = str(document["kind"]), document.get("output")
    due = _moment(document.get("due_at"))
    own = document.get("own_answer")
    names = document.get("output_fields") or ()
    basis = standing_output(document)
    values = values_of(document)
    model = document.get("model") or {}
    return CasePage(
        task=task,
        lease=lease,
        lease_ends=lease_ends,
        shown_hash=shown_hash,
        stage=stage,
        kind=kind,
        title=f"{document['external_id']}: {use_case_name}",
        question=str(document["question"]),
        asked=str(document.get("asked") or ""),
        instructions=str(document.get("instructions") or ""),
        use_case_name=use_case_name,
        external_id=str(document["external_id"]),
        reasons=document.get("reasons") or [],
        exchanges=exchanges_of(document.get("information") or []),
        due_at=due,
        is_late=due is not None and due < now,
        amount=_money(document.get("amount")),
        currency=str(document.get("currency") or ""),
        pieces=pieces_of(document.get("evidence")),
        values=[value for value in values if value is not None],
        hidden=sum(value is None for value in values),
        has_output=output is not None,
        headline=str(output.get("text") or "")
        if kind == "text" and output
        else headline(kind, output),
        lines=lines_of(kind, output),
        scores=scores_of(output),
        confidence=lowest_confidence(kind, output),
        explanation=document.get("explanation"),
        weights=weights_of(document.get("explanation")),
        model_name=f"{model.get('name', '')} {model.get('version', '')}".strip(),
        model_status=str(model.get("status") or ""),
        limits=str(model.get("limits") or ""),
        first_answer=headline(kind, own) if own else "",
        first_lines=lines_of(kind, as_output(kind, own)) if own else [],
        peers=[peer_of(kind, said) for said in document.get("verdicts") or ()],
        verdicts=verdicts_for(document, blind=stage == BLIND),
        labels=label_choices(document.get("labels") or (), output, own),
        inputs=filled(
            inputs_for(kind, basis, names), kept, inputs_for(kind, output) if output else ()
        ),
        new_rows=_new_rows(kept) if takes_new_rows(kind, basis, names) else [],
        reason_codes=[reason_code(code) for code in document.get("reason_codes") or ()],
        kept=kept,
        words_note="optional" if stage == BLIND else "needed to change or withhold",
    )


def standing_output(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What a confirmation keeps: one's own first answer, else the AI's output, else nothing."""
    own = document.get("own_answer")
    return as_output(str(document["kind"]), own) if own else document.get("output")


def _moment(text: Any) -> datetime | None:
    if isinstance(text, datetime) or text is None:
        return text
    return datetime.fromisoformat(str(text))


def _money(amount: Any) -> str:
    """25000.0000 as 25,000.00: an amount at stake is read at a glance."""
    if amount is None:
        return ""
    whole, _dot, cents = str(amount).partition(".")
    sign, digits = ("-", whole[1:]) if whole.startswith("-") else ("", whole)
    if not digits.isdigit():
        return str(amount)
    return f"{sign}{int(digits):,}.{cents.rstrip('0').ljust(2, '0')}"


def values_of(document: Mapping[str, Any]) -> list[Value | None]:
    """Features, then the subject; None stands for one that is hidden."""
    subject = document.get("subject") or {}
    ref = subject.get("ref")
    head = [Value("Subject", cell(ref))] if ref else []
    entries = [*(document.get("features") or []), *(subject.get("attributes") or [])]
    return [*head, *(_value(entry) for entry in entries)]


def _value(entry: Mapping[str, Any]) -> Value | None:
    if entry.get("hidden"):
        return None
    name, value = str(entry["name"]), entry.get("value")
    text = f"{value:,}" if isinstance(value, int) and abs(value) >= 10_000 else cell(value)
    if isinstance(value, bool):
        text = cell(value)
    return Value(spaced(name), text, bool(entry.get("protected")))


def spaced(name: str) -> str:
    words = name.replace("_", " ").strip() or name
    return words[:1].upper() + words[1:]


def lowest_confidence(kind: str, output: Mapping[str, Any] | None) -> float | None:
    """The AI's own confidence; for fields the lowest, one without counting as 0."""
    if output is None:
        return None
    if kind == "fields":
        fields = (output.get("fields") or {}).values()
        return min((float(item.get("confidence") or 0) for item in fields), default=None)
    given = output.get("confidence")
    return None if given is None else float(given)


def weights_of(explanation: Mapping[str, Any] | None) -> list[Weight]:
    """The features that weighed most, the heaviest first, at most twelve."""
    items = (explanation or {}).get("top_features") or []
    ranked = sorted(items, key=lambda item: -abs(item["weight"]))[:12]
    return [
        Weight(spaced(str(item["name"])), f"{item['weight']:+.2f}", item["weight"] >= 0)
        for item in ranked
    ]


def peer_of(kind: str, said: Mapping[str, Any]) -> Peer:
    who = str(said.get("reviewer") or "")
    who += " (machine)" if said.get("machine") else ""
    output = said.get("output")
    return Peer(
        who,
        str(said.get("verdict") or ""),
        headline(kind, output) if output else "",
        str(said.get("rationale") or said.get("reason_code") or ""),
    )


def label_choices(
    labels: Sequence[str], output: Mapping[str, Any] | None, own: Mapping[str, Any] | None
) -> list[LabelChoice]:
    """The labels as buttons: the AI's is marked, and one's own first answer."""
    said, mine = (output or {}).get("label"), (own or {}).get("label")
    return [
        LabelChoice(
            label,
            str(n) if n < 10 else "",
            is_ai=label == said,
            is_mine=label == mine,
            stands=label == (mine if own else said),
        )
        for n, label in enumerate(labels, 1)
    ]


def reason_code(code: Any) -> dict[str, str]:
    if isinstance(code, Mapping):
        name = str(code.get("code"))
        return {"code": name, "words": str(code.get("text") or spaced(name))}
    return {"code": str(code), "words": spaced(str(code))}


def exchanges_of(said: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Questions, each with the reply that came after it."""
    found: list[dict[str, str]] = []
    for one in said:
        if one.get("kind") == "question" or not found:
            found.append({"question": "", "reply": ""})
        place = "question" if one.get("kind") == "question" else "reply"
        found[-1][place] = str(one.get("text") or "")
    return found


def _new_rows(kept: Mapping[str, str]) -> list[NewRow]:
    return [
        NewRow(n, kept.get(f"{NEW_NAME}{n}", ""), kept.get(f"{NEW_VALUE}{n}", ""))
        for n in range(1, NEW_ROWS + 1)
    ]


def changes_shown(differences: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """What changed since a case was shown, in words: the pointer's parts, was and is."""
    return [
        {
            "what": spaced(" ".join(str(one.get("pointer") or "more").strip("/").split("/"))),
            "was": cell(one.get("was")),
            "is": cell(one.get("is")),
        }
        for one in differences
    ]
