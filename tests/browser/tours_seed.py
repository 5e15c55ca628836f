"""Fills the server of the tours: somebody of every role, with something to do for each."""

from __future__ import annotations

from pathlib import Path

import django

django.setup()

from django.conf import settings  # noqa: E402

from apps.accounts.models import User  # noqa: E402
from apps.accounts.services import person_create, role_grant, service_key_create  # noqa: E402
from apps.metrics.cells.refreshing import cells_refresh  # noqa: E402
from apps.registry.models import UseCase  # noqa: E402
from apps.workflow.desk.opening import open_next  # noqa: E402
from apps.workflow.desk.submission import Submission  # noqa: E402
from apps.workflow.desk.submitting import review_submit  # noqa: E402
from tests.browser.work_seed import ACTOR, PASSWORD  # noqa: E402  (which fills its own part)

PEOPLE = {
    "exe": ("Ellis Roe", "executive"),
    "aud": ("Audrey Itou", "auditor"),
    "rob": ("Rob Lindqvist", "risk_lead"),
    "sol": ("Sol Amadi", "senior_reviewer"),
}


def escalated() -> None:
    """A case on which its reviewer would not decide alone."""
    ivo = User.objects.get(username="ivo")
    opened = open_next(actor=ivo.actor, person=ivo, use_case="inspection")
    assert opened is not None
    review_submit(
        actor=ivo.actor,
        person=ivo,
        task_id=opened.task.pk,
        lease=opened.lease,
        submission=Submission(
            "escalate", opened.case.shown_hash, rationale="The scratch may be older than the panel."
        ),
    )


def seed() -> None:
    for login, (name, role) in PEOPLE.items():
        person = person_create(
            actor=ACTOR, username=login, name=name, password=PASSWORD, reason="set-up"
        )
        where = "inspection" if login == "sol" else ""
        role_grant(actor=ACTOR, user=person, role=role, use_case=where, reason="set-up")
    _key, secret = service_key_create(actor=ACTOR, name="sender", role="integration")
    Path(settings.DATA_DIR, "sender.key").write_text(secret)
    escalated()
    for use_case in UseCase.objects.all():
        cells_refresh(use_case)


seed()
