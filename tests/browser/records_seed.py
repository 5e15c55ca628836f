"""Fills the server of the browser tests of alerts, exports, keys, people and settings."""

from __future__ import annotations

from datetime import timedelta

import django

django.setup()

from django.utils import timezone  # noqa: E402

from apps.accounts.callers import caller_of_user  # noqa: E402
from apps.accounts.models import ServiceKeyUse, User  # noqa: E402
from apps.accounts.qualifications import qualification_grant  # noqa: E402
from apps.accounts.services import (  # noqa: E402
    person_create,
    person_update,
    role_grant,
    service_key_create,
    service_key_revoke,
)
from apps.audit.delivery import deliver_all  # noqa: E402
from apps.audit.sealing import seal_all  # noqa: E402
from apps.audit.verification import verify  # noqa: E402
from apps.common.actor import Actor  # noqa: E402
from apps.exports import jobs  # noqa: E402
from apps.exports.models import ExportJob  # noqa: E402
from apps.exports.selectors import ExportFilter  # noqa: E402
from apps.metrics.alerts import alert_acknowledge, alert_raise, alert_resolve  # noqa: E402
from apps.metrics.limits import alert_limit_set  # noqa: E402
from apps.registry.models import UseCase  # noqa: E402
from apps.registry.services import decision_right_grant, use_case_create  # noqa: E402
from apps.web.installation import beat  # noqa: E402

ACTOR = Actor.command("browser-tests")
PASSWORD = "a-long-pass-phrase-9"
PEOPLE = {
    "ada": ("Ada Moreau", "administrator"),
    "cleo": ("Cleo Haas", "compliance_officer"),
    "rita": ("Rita Lang", "risk_lead"),
    "rex": ("Rex Vieira", "reviewer"),
    "viv": ("Viv Larsen", "supervisor"),
    "sam": ("Samuel Featherstonehaugh-Cholmondeley", "senior_reviewer"),
}


def people() -> dict[str, User]:
    made = {}
    for login, (name, role) in PEOPLE.items():
        made[login] = person_create(
            actor=ACTOR, username=login, name=name, password=PASSWORD, reason="set-up"
        )
        role_grant(actor=ACTOR, user=made[login], role=role, reason="set-up")
    return made


def use_cases(made: dict[str, User]) -> list[UseCase]:
    names = {
        "loan-approval": "Loan approval",
        "route-and-disruption-changes": "Route and disruption changes",
    }
    found = []
    for slug, name in names.items():
        case = use_case_create(
            actor=ACTOR, reason="set-up", slug=slug, name=name, labels=["a", "b"], lifecycle="live"
        )
        for right, login in (("review", "rex"), ("stop", "viv"), ("stop", "rita")):
            decision_right_grant(
                actor=ACTOR, use_case=case, right=right, person=made[login], reason="appointed"
            )
        found.append(case)
    role_grant(actor=ACTOR, user=made["rex"], role="supervisor", use_case="loan-approval")
    end = timezone.now() + timedelta(days=200)
    for skill, where in (("consumer credit", "loan-approval"), ("data protection", "")):
        qualification_grant(
            actor=ACTOR,
            user=made["rex"],
            skill=skill,
            use_case=where,
            valid_until=end if where else None,
            reason="examined",
        )
    return found


def alerts(made: dict[str, User], loans: UseCase, routes: UseCase) -> None:
    limit = alert_limit_set(
        actor=made["rita"].actor,
        use_case=loans,
        metric="bias.final.ethnic_background.impact_ratio",
        op="<",
        value=0.8,
        reason="the four-fifths rule",
    )
    alert_limit_set(
        actor=ACTOR, use_case=routes, metric="accuracy.combined.value", op="<", value=0.95
    )
    drift = "drift.psi.max is above 0.25: 0.3127 (n = 812), 0.2981 (n = 790)"
    alert_raise(
        use_case=loans,
        kind="limit",
        about=str(limit.pk),
        limit=limit,
        value=0.7312,
        n=1240,
        detail="bias.final.ethnic_background.impact_ratio is below 0.8: 0.7312 (n = 1240)",
    )
    seen = alert_raise(use_case=routes, kind="tripwire", about="drift.psi.max > 0.25", detail=drift)
    over = alert_raise(
        use_case=loans,
        kind="rubber_stamping",
        about="rex",
        value=61.0,
        n=300,
        detail="rex confirmed 61 cases in a row; the chance of such a run in 300 reviews is 1.2e-06. "
        "Cases that are alike come in runs: it is a reason to look, no proof",
    )
    assert seen is not None
    assert over is not None
    alert_acknowledge(actor=made["viv"].actor, alert=seen, note="I ask the carriers what changed")
    alert_acknowledge(actor=made["rita"].actor, alert=over)
    alert_resolve(actor=made["rita"].actor, alert=over, note="sixty cases of one batch, all alike")


def exports(made: dict[str, User]) -> None:
    caller = caller_of_user(made["cleo"])
    filters = ExportFilter(use_case="loan-approval", type="use_case", begin=timezone.now())
    failed = jobs.export_ask(caller=caller, filters=filters, purpose="a first try")
    jobs.export_ask(caller=caller, filters=ExportFilter(), purpose="yearly review by the authority")
    ExportJob.objects.filter(pk=failed.pk).update(status="failed", error="the disk is full")
    jobs.export_jobs_run()


def keys(made: dict[str, User]) -> None:
    end = timezone.now() + timedelta(days=90)
    key, _ = service_key_create(
        actor=made["ada"].actor,
        name="credit gateway, production",
        role="integration",
        use_case="route-and-disruption-changes",
        issued_to=made["sam"],
        expires_at=end,
    )
    ServiceKeyUse.objects.create(key=key, last_used_at=timezone.now())
    lost, _ = service_key_create(actor=made["ada"].actor, name="staging", role="auditor")
    service_key_revoke(actor=made["ada"].actor, key=lost, reason="leaked")


def seed() -> None:
    made = people()
    loans, routes = use_cases(made)
    alerts(made, loans, routes)
    keys(made)
    person_update(actor=made["ada"].actor, user=made["sam"], reason="left", is_active=False)
    seal_all()
    deliver_all()
    verify(full=True)
    exports(made)
    beat()


seed()
