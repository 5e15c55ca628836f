"""The verdicts of a task as votes, and where they leave it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from apps.audit.domain.canonical import canonical_json
from apps.decisions.models import Decision
from apps.policies.selectors import PolicyInForce
from apps.reviews.domain.consensus import Ruling, Vote, combine
from apps.reviews.models import Review, ReviewTask
from apps.reviews.reliability import weights_of
from apps.workflow.desk.peers import final_reviews
from apps.workflow.desk.submission import Output, ai_output, same
from apps.workflow.desk.words import outputs_of

VALUED = ("confirm", "change", "answer")


class Standing(NamedTuple):
    """Where a task stands: the ruling, the output it releases, and who has voted."""

    ruling: Ruling
    output: Output | None
    humans: int
    machines: int


class Values:
    """Outputs as texts that votes can be counted by: what says the same gets the same text.

    A label is its own text, so that the reliabilities by label apply; any other output is its
    canonical JSON, or that of an earlier one within the use case's tolerance.
    """

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        self.known: dict[str, Output] = {}

    def text_of(self, output: Output) -> str:
        if self.decision.kind == "label":
            self.known[output["label"]] = output
            return str(output["label"])
        for text, seen in self.known.items():
            if same(self.decision, output, seen):
                return text
        text = canonical_json(output).decode()
        self.known[text] = output
        return text


def standing_of(task: ReviewTask, decision: Decision, policy: PolicyInForce) -> Standing:
    """Combine the verdicts given so far, as the policy of the task says."""
    reviews, values = final_reviews(task), Values(decision)
    ai = ai_output(decision)
    ai_value = None if ai is None else values.text_of(ai)
    votes = votes_of(reviews, outputs_of(decision, reviews), values)
    document, is_label = policy.document, decision.kind == "label"
    weights = weights_of(decision.use_case) if _weighs(document) and is_label else None
    ruling = combine(
        votes,
        combination=document["combination"],
        required=task.reviews_required,
        maximum=document["reviews_max"],
        posterior_level=document["posterior_level"],
        reliabilities=weights.reliabilities if weights else None,
        ai_value=ai_value,
        labels=list(decision.use_case.labels) if is_label else None,
        prior=weights.prior if weights else None,
    )
    people = sum(not review.machine for review in reviews)
    output = None if ruling.value is None else values.known[ruling.value]
    return Standing(ruling, output, people, len(reviews) - people)


def _weighs(document: Any) -> bool:
    return document["combination"] == "weighted" or document["posterior_level"] is not None


def votes_of(
    reviews: Sequence[Review], outputs: Sequence[Output | None], values: Values
) -> list[Vote]:
    """One vote a person. Of several adjudications the newest decides: the one before it was
    passed on, or waits for its second person, and stands as a vote like the others."""
    newest = max((r.pk for r in reviews if _decides(r)), default=None)
    return [
        Vote(
            reviewer=str(review.reviewer_id),
            verdict=review.verdict,
            value=values.text_of(output) if output and review.verdict in VALUED else None,
            human=not review.machine,
            senior=review.pk == newest,
        )
        for review, output in zip(reviews, outputs, strict=True)
        if not _passed_on(review)
    ]


def _decides(review: Review) -> bool:
    """A person's adjudication: a machine may vote, never decide."""
    said = review.verdict not in ("escalate", "abstain")
    return review.stage == "adjudication" and said and not review.machine


def _passed_on(review: Review) -> bool:
    """An adjudicator who escalated or abstained has left the case to the next one."""
    return review.stage == "adjudication" and review.verdict in ("escalate", "abstain")
