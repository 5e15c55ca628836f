"""The case: shown, answered, taken back, put back; what is typed is never lost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from apps.accounts.models import User
from apps.common.errors import BadInput, Conflict, NotFound, StaleCase
from apps.decisions.selectors import output_of, part_of
from apps.reviews.drafts import draft_keep, draft_of, draft_save, drafts_drop
from apps.reviews.models import ReviewTask, Seat
from apps.reviews.seats import seat_release, seat_renew
from apps.web.access import PageRequest, requires
from apps.web.desk import work
from apps.web.desk.drafts import draft_body, kept_form
from apps.web.desk.evidence import attachment_of
from apps.web.desk.keys import key_context
from apps.web.desk.page import CasePage, case_page, changes_shown, standing_output
from apps.web.desk.similar import similar_cases
from apps.web.desk.track_record import track_record
from apps.web.desk.verdicts import Answer, read_answer, verdicts_for
from apps.web.views.desk import to_next, undo_context
from apps.workflow.desk.case import Case, case_for
from apps.workflow.desk.opening import Opened, open_again
from apps.workflow.desk.stages import BLIND
from apps.workflow.desk.submission import Submission
from apps.workflow.desk.submitting import review_submit
from apps.workflow.desk.undo import draft_schedule, draft_take_back

PDF = "application/pdf"
LAPSED = "Your hold on this case has ended"
CLOSED = "This case is settled"


@dataclass(frozen=True, slots=True)
class Banner:
    """What stands above a case that did not go the plain way."""

    tone: str
    title: str
    text: str
    errors: Sequence[str] = ()
    changes: Sequence[Mapping[str, str]] = field(default_factory=list)
    action: str = ""
    button: str = ""


# --- Shown ----------------------------------------------------------------------------------


@never_cache
@requires("review.take")
def case(request: PageRequest, task: UUID) -> HttpResponse:
    lease = work.own_lease(request.user, task)
    if lease is None:
        return gone(request, task, "You do not hold this case under a lease.")
    try:
        return shown(request, opened_again(request, task, lease))
    except Conflict as ended:
        return gone(request, task, str(ended))


def opened_again(request: PageRequest, task: UUID, lease: UUID) -> Opened:
    return open_again(actor=request.caller.actor, person=request.user, task_id=task, lease=lease)


def shown(
    request: PageRequest,
    opened: Opened,
    *,
    banner: Banner | None = None,
    kept: Mapping[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    """The page of an open case; with htmx only the part that changes."""
    decision = opened.task.decision
    if kept is None:
        draft = draft_of(person=request.user, task_id=opened.task.pk)
        kept = kept_form(decision.kind, draft.body if draft else None)
    page = case_page(
        opened.case.document,
        task=str(opened.task.pk),
        lease=str(opened.lease),
        lease_ends=opened.lease_expires_at,
        shown_hash=opened.case.shown_hash,
        stage=opened.case.stage,
        use_case_name=decision.use_case.name,
        now=timezone.now(),
        kept=kept,
    )
    if page.has_output:
        _add_the_past(page, opened)
    strip = undo_context(request)
    page.pending, page.refused = strip["pending"], strip["refused"]
    context = {"page": page, "banner": banner, "current_page": "desk", **key_context()}
    template = "web/desk/_fragment.html" if is_partial(request) else "web/desk/case.html"
    return render(request, template, context, status=status)


def is_partial(request: Any) -> bool:
    return bool(request.htmx) and not request.htmx.history_restore_request


def _add_the_past(page: CasePage, opened: Opened) -> None:
    """What is known of this model version's outputs, and of cases like this one. Not in the blind
    stage: it would tell what the AI said."""
    decision = opened.task.decision
    record = track_record(decision.use_case_id, decision.model_version_id)
    page.such, page.wrong = record.such(page.confidence), record.wrong
    page.similar = similar_cases(decision)


def gone(request: PageRequest, task: UUID, why: str, status: int = 409) -> HttpResponse:
    """A case that is not the person's now, with the words that they wrote on it."""
    held = ReviewTask.objects.filter(pk=task).select_related("decision").first()
    if held is None:
        raise NotFound(f"there is no review task {task}")
    draft = draft_of(person=request.user, task_id=task)
    context = {
        "page": {**undo_context(request), "title": LAPSED},
        "title": LAPSED if held.status == "open" else CLOSED,
        "is_open": held.status == "open",
        "why": why,
        "kept": kept_form(held.decision.kind, draft.body if draft else None),
        "current_page": "desk",
        **key_context(),
    }
    template = "web/desk/_gone.html" if is_partial(request) else "web/desk/gone.html"
    return render(request, template, context, status=status)


@requires("review.take")
def evidence(request: PageRequest, task: UUID, number: int) -> HttpResponse:
    """A file that came with a case, to whoever holds the case; it can run nothing."""
    seat = work.own_seat(request.user, task)
    if seat is None or seat.lease_expires_at is None or seat.lease_expires_at <= timezone.now():
        raise NotFound("You do not hold this case: open it from your queue.")
    pieces = part_of(seat.task.decision, "evidence") or []
    attached = (
        attachment_of(pieces[number - 1].get("content")) if 0 < number <= len(pieces) else None
    )
    if attached is None:
        raise NotFound(f"There is no file {number} with this case.")
    kind = attached.media_type if attached.media_type == PDF else "application/octet-stream"
    headers = {
        "Content-Disposition": f'{"inline" if kind == PDF else "attachment"}; filename="evidence-{number}"',
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "no-store",
    }
    return HttpResponse(attached.content, content_type=kind, headers=headers)


# --- Answered -------------------------------------------------------------------------------


@require_POST
@requires("review.take")
def verdict(request: PageRequest, task: UUID) -> HttpResponse:
    """Give the verdict: a blind answer counts at once, anything else in ten seconds."""
    form = {name: str(value) for name, value in request.POST.items()}
    lease = _lease_of(form)
    seat = work.own_seat(request.user, task)
    if seat is None or seat.lease != lease:
        return _too_late(request, task, lease, form)
    try:
        seen = case_for(seat, request.user)
        answer = _answer(seen, form)
        is_first = _give(request, seat, seen, lease, answer, form.get("shown_hash", ""))
    except BadInput as fault:
        return _faulty(request, task, lease, form, fault)
    except StaleCase as stale:
        return _stale(request, task, lease, form, stale)
    except Conflict as refusal:
        return gone(request, task, str(refusal))
    if is_first:
        return HttpResponseRedirect(reverse("desk_case", args=[task]))
    return to_next(request)


def _lease_of(form: Mapping[str, str]) -> UUID:
    try:
        return UUID(form.get("lease", ""))
    except ValueError:
        raise BadInput("The form names no lease: open the case again.", "/lease") from None


def _answer(seen: Case, form: Mapping[str, str]) -> Answer:
    document = seen.document
    return read_answer(
        form,
        str(document["kind"]),
        standing_output(document),
        verdicts_for(document, blind=seen.stage == BLIND),
        document.get("output_fields") or (),
        document.get("reason_codes") or (),
    )


def _give(
    request: PageRequest, seat: Seat, seen: Case, lease: UUID, answer: Answer, shown_hash: str
) -> bool:
    """True where it was a first answer, after which the AI's output is shown."""
    submission = Submission(
        verdict=answer.verdict,
        shown_hash=shown_hash,
        output=answer.output,
        reason_code=answer.reason_code,
        rationale=answer.rationale,
        confidence=answer.confidence,
        active_seconds=answer.active_seconds,
    )
    by = {"actor": request.caller.actor, "person": request.user}
    given: dict[str, Any] = {**by, "task_id": seat.task_id, "lease": lease}
    is_first = answer.verdict == "answer" and seen.stage == BLIND
    if is_first and output_of(seat.task.decision) is not None:
        review_submit(**given, submission=submission)
        return True
    draft_schedule(**given, submission=submission)
    return False


def _too_late(
    request: PageRequest, task: UUID, lease: UUID, form: Mapping[str, str]
) -> HttpResponse:
    """The lease is over or was never theirs: what was typed is kept all the same."""
    held = ReviewTask.objects.filter(pk=task).first()
    why = "The lease has ended: somebody else may take the case. What you wrote is kept."
    if held is not None and held.status != "open":
        why = f"The review is {held.status}: nothing more can be said to it."
    if held is not None:
        draft_keep(
            person=request.user,
            task=held,
            lease=lease,
            body=draft_body(form),
            why=why,
            now=timezone.now(),
        )
    return gone(request, task, why)


def _faulty(
    request: PageRequest, task: UUID, lease: UUID, form: Mapping[str, str], fault: BadInput
) -> HttpResponse:
    words = [error.detail for error in fault.errors]
    banner = Banner("bad", "Not given yet", "Something is missing:", words)
    return _again(request, task, lease, form, banner, 400)


def _stale(
    request: PageRequest, task: UUID, lease: UUID, form: Mapping[str, str], stale: StaleCase
) -> HttpResponse:
    banner = Banner(
        "warn",
        "The case has changed since you saw it",
        "It is shown below as it is now, and what you wrote is still here. Look again, then give "
        "your verdict.",
        changes=changes_shown(stale.difference),
    )
    return _again(request, task, lease, form, banner, 409)


def _again(
    request: PageRequest,
    task: UUID,
    lease: UUID,
    form: Mapping[str, str],
    banner: Banner,
    status: int,
) -> HttpResponse:
    try:
        opened = opened_again(request, task, lease)
    except Conflict as ended:
        return gone(request, task, str(ended))
    return shown(request, opened, banner=banner, kept=form, status=status)


@require_POST
@requires("review.take")
def undo(request: PageRequest, task: UUID) -> HttpResponse:
    try:
        draft_take_back(person=request.user, task_id=task)
    except Conflict as late:
        messages.warning(request, f"Too late to undo: {late}.")
        return HttpResponseRedirect(reverse("desk"))
    return HttpResponseRedirect(reverse("desk_case", args=[task]))


@require_POST
@requires("review.take")
def release(request: PageRequest, task: UUID) -> HttpResponse:
    """Back into the queue, for somebody else."""
    form = {name: str(value) for name, value in request.POST.items()}
    try:
        seat_release(
            actor=request.caller.actor,
            task_id=task,
            lease=_lease_of(form),
            person=request.user,
            now=timezone.now(),
        )
    except Conflict as ended:
        return gone(request, task, str(ended))
    messages.info(request, "The case is back in the queue.")
    return HttpResponseRedirect(reverse("desk"))


# --- Kept while it is worked on -------------------------------------------------------------


@require_POST
@requires("review.take")
def keep(request: PageRequest, task: UUID) -> HttpResponse:
    """The draft, as it is typed."""
    form = {name: str(value) for name, value in request.POST.items()}
    seat = Seat.objects.filter(task=task, holder=request.user, state="leased").first()
    if seat is not None and seat.lease == _lease_of(form):
        draft_save(person=request.user, seat=seat, body=draft_body(form), now=timezone.now())
        return HttpResponse(status=204)
    return _ended(request, task, form)


@require_POST
@requires("review.take")
def renew(request: PageRequest, task: UUID) -> HttpResponse:
    """The heartbeat of a page that somebody works at."""
    form = {name: str(value) for name, value in request.POST.items()}
    try:
        seat = seat_renew(
            actor=request.caller.actor,
            task_id=task,
            lease=_lease_of(form),
            person=request.user,
            now=timezone.now(),
        )
    except Conflict:
        return _ended(request, task, form)
    return JsonResponse({"lease_expires_at": _until(seat.lease_expires_at)})


def _until(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _ended(request: PageRequest, task: UUID, form: Mapping[str, str]) -> HttpResponse:
    """Only the banner: the page keeps what is typed on it, and so does the desk."""
    held = _task(task)
    is_open = held.status == "open"
    body, now = draft_body(form), timezone.now()
    draft_keep(person=request.user, task=held, lease=_lease_of(form), body=body, why="", now=now)
    text = (
        "You had not touched it for a while, so it went back into the queue. What you wrote is kept: "
        "if the case comes back to you, it is filled in again."
        if is_open
        else f"It is {held.status}: a verdict can no more be given. What you wrote is kept."
    )
    banner = Banner(
        "bad", LAPSED if is_open else CLOSED, text, action=reverse("desk_next"), button="Next case"
    )
    return render(request, "web/desk/_banner.html", {"banner": banner}, status=409)


def _task(key: UUID) -> ReviewTask:
    held = ReviewTask.objects.filter(pk=key).first()
    if held is None:
        raise NotFound(f"there is no review task {key}")
    return held


@require_POST
@requires("review.take")
def forget(request: PageRequest, task: UUID) -> HttpResponse:
    """Throw away what was written on a case and did not count."""
    person: User = request.user
    drafts_drop(person=person, task=_task(task))
    return HttpResponseRedirect(reverse("desk"))
