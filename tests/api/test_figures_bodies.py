"""Spoiled bodies for the endpoints of figures: each is refused by its field, none is a failure."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from apps.accounts.callers import caller_of_command
from apps.metrics.alerts import alert_raise
from apps.metrics.limits import alert_limit_set
from apps.metrics.models import Alert, AlertLimit, Report, ReportJob, ReportSchedule
from apps.metrics.reports import report_run
from apps.metrics.schedules import report_schedule_add
from apps.policies.services import policy_draft
from tests.api.conftest import ROOT, ApiClient
from tests.api.spoiling import spoiled

pytestmark = pytest.mark.django_db
COUNT = 1_500
LIMIT = {
    "use_case": "loans",
    "metric": "accuracy.ai.value",
    "op": "<",
    "value": 0.5,
    "smallest": 30,
    "in_a_row": 2,
    "window_days": 7,
    "reason": "r",
}
VALID: dict[str, tuple[str, dict[str, Any]]] = {
    "reports/": (
        "post",
        {
            "use_case": "loans",
            "kind": "bias",
            "from": "2026-01-01T00:00:00Z",
            "to": "2026-02-01T00:00:00Z",
        },
    ),
    "report-schedules/": (
        "post",
        {
            "use_case": "cards",
            "every_days": 7,
            "window_days": 30,
            "kinds": ["bias"],
            "active": True,
        },
    ),
    "report-schedules/loans/": (
        "patch",
        {
            "every_days": 7,
            "kinds": ["bias"],
            "starts_on": "2099-01-01",
            "active": True,
            "reason": "r",
        },
    ),
    "alert-limits/": ("post", LIMIT),
    "alert-limits/{limit}/retire/": ("post", {"reason": "r"}),
    "alerts/{alert}/acknowledge/": ("post", {"note": "n"}),
    "alerts/{alert}/resolve/": ("post", {"note": "n"}),
    "policies/{policy}/simulate/": ("post", {"from": "2026-01-01T00:00:00Z", "most": 100}),
    "use-cases/loans/": (
        "patch",
        {
            "left_out": [{"attribute": "sex", "group": "X", "reason": "few"}],
            "hasty_seconds": 5,
            "reference_from": "2026-01-01",
            "reason": "r",
        },
    ),
}


@pytest.fixture
def there(make_use_case: Any, actor: Any) -> dict[str, str]:
    """What the paths lead to."""
    sex = {"name": "sex", "type": "category", "protected": True}
    case = make_use_case("loans", subject_attributes=[sex])
    make_use_case("cards")
    limit = alert_limit_set(actor=actor, use_case=case, metric="drift.psi.max", op=">", value=1)
    alert = alert_raise(use_case=case, kind="limit", about="x", detail="a figure strayed")
    assert alert is not None
    report_run(actor=actor, use_case=case, kind="accuracy")
    report_schedule_add(caller=caller_of_command("suite"), use_case="loans")
    policy = policy_draft(actor=actor, use_case=case, document={"level": "HITL"}, reason="first")
    return {"limit": str(limit.pk), "alert": str(alert.pk), "policy": str(policy.pk)}


def sent(client: ApiClient, path: str, method: str, body: Any, there: dict[str, str]) -> Any:
    data = json.dumps(body)
    url = ROOT + path.format(**there)
    return getattr(client.client, method)(url, data=data, content_type="application/json")


@pytest.mark.parametrize("path", VALID)
def test_the_body_is_taken_before_it_is_spoiled(
    path: str, program: Any, there: dict[str, str]
) -> None:
    """Else everything below would be refused for another reason. A program settles no alert."""
    method, body = VALID[path]
    answer = sent(program("administrator"), path, method, body, there)
    assert answer.status_code == (403 if path.startswith("alerts/") else answer.status_code)
    assert answer.status_code in (200, 201, 202, 403), answer.content


def test_spoiled_bodies_cause_no_failure_and_each_refusal_names_its_field(
    program: Any, there: dict[str, str]
) -> None:
    client = program("administrator")
    dice = random.Random(20_261_102)
    seen: dict[int, int] = {}
    for _ in range(COUNT):
        path = dice.choice(list(VALID))
        method, body = VALID[path]
        wrong = spoiled(body, dice)
        answer = sent(client, path, method, wrong, there)
        seen[answer.status_code] = seen.get(answer.status_code, 0) + 1
        assert answer.status_code < 500, (path, wrong, answer.content)
        if answer.status_code == 400:
            problem = answer.json()
            assert all(one["detail"] for one in problem["errors"]), (path, wrong)
    assert seen.keys() <= {200, 201, 202, 400, 403, 404, 409}, seen
    assert seen[400] > COUNT // 2, f"most of what is spoiled is refused: {seen}"
    # what was taken can be read again
    for listed in ("reports/", "report-schedules/", "alert-limits/", "alerts/", "use-cases/"):
        assert client.get(listed).status_code == 200


def test_nothing_is_left_of_a_refused_body(program: Any, there: dict[str, str]) -> None:
    models = (Alert, AlertLimit, Report, ReportJob, ReportSchedule)
    before = [model.objects.count() for model in models]
    for path, (method, body) in VALID.items():
        answer = sent(program("administrator"), path, method, {**body, "extra": 1}, there)
        assert answer.status_code == 400
        assert [one["pointer"] for one in answer.json()["errors"]] == ["/extra"]
    assert [model.objects.count() for model in models] == before
