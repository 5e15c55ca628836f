"""The API against its own document, and against bodies that nobody would send."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import hypothesis
import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import Client
from django.utils import timezone
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from apps.accounts.callers import caller_of_command
from apps.accounts.qualifications import qualification_grant
from apps.accounts.services import service_key_create
from apps.api.schema import openapi_document
from apps.metrics.alerts import alert_raise
from apps.metrics.limits import alert_limit_set
from apps.metrics.reports import report_run
from apps.metrics.schedules import report_schedule_add
from apps.policies.services import policy_draft
from apps.registry.services import (
    ai_system_register,
    decision_right_grant,
    model_version_register,
)
from apps.reviews.absences import absence_add
from apps.reviews.models import ReviewTask
from apps.supervision.mandates import mandate_issue
from tests.api.conftest import ROOT
from tests.api.spoiling import spoiled
from tests.services.gates import body, policy_in_force, send

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
CONFIG = schemathesis.Config.from_dict(
    {"seed": 20261102, "generation": {"database": "none", "with-security-parameters": False}}
)


@schemathesis.serializer("application/x-ndjson")
def lines(context: Any, value: Any) -> bytes:
    """Lines at random: what is no line of JSON is a fault of that line."""
    return str(value).encode("utf-8", "replace")


API = schemathesis.openapi.from_dict(copy.deepcopy(openapi_document()), config=CONFIG)
NOTHING = "01890000-0000-7000-8000-000000000000"
API.app = get_wsgi_application()


@pytest.fixture
def connection_kept(db: None) -> Iterator[None]:
    """The WSGI application does not end the test's own transaction with each request."""
    request_started.disconnect(close_old_connections)
    request_finished.disconnect(close_old_connections)
    yield
    request_started.connect(close_old_connections)
    request_finished.connect(close_old_connections)


@pytest.fixture
def credentials(db: None, actor: Any) -> dict[str, str]:
    _, key = service_key_create(actor=actor, name="tester", role="administrator")
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def there(make_use_case: Any, make_person: Any, actor: Any, sealed: Any) -> dict[str, Any]:
    """What exists, by the name of the path's value."""
    case, person = make_use_case(), make_person("ada", "reviewer")
    system = ai_system_register(actor=actor, name="credit-scorer")
    version = model_version_register(actor=actor, system=system, version="1")
    right = decision_right_grant(
        actor=actor, use_case=case, right="stop", person=person, reason="appointed"
    )
    key, _ = service_key_create(actor=actor, name="spare", role="auditor")
    policy = policy_draft(actor=actor, use_case=case, document={"level": "HITL"}, reason="first")
    mandate = mandate_issue(
        actor=actor,
        use_case=case,
        scope={"all": []},
        valid_to=timezone.now() + timedelta(days=1),
        reason="needed",
    )
    open_case = make_use_case("open-cases")
    policy_in_force(open_case, always_review_labels=["deny"])
    send(open_case, body("waits", label="deny"))
    skill = qualification_grant(actor=actor, user=person, skill="credit", reason="examined")
    absence = absence_add(
        actor=actor,
        person=person,
        starts_at=timezone.now(),
        ends_at=timezone.now() + timedelta(days=1),
        reason="leave",
    )
    report = report_run(actor=actor, use_case=case, kind="accuracy")
    limit = alert_limit_set(
        actor=actor, use_case=case, metric="accuracy.ai.value", op="<", value=0.5
    )
    report_schedule_add(caller=caller_of_command("suite"), use_case=case.slug)
    alert = alert_raise(use_case=case, kind="limit", about="x", detail="a figure strayed")
    assert alert is not None
    sealed()
    ids = {
        "reviews": ReviewTask.objects.get().pk,
        "qualifications": skill.pk,
        "absences": absence.pk,
        "model-versions": version.pk,
        "decision-rights": right.pk,
        "people": person.role_grants.get().pk,
        "keys": key.pk,
        "policies": policy.pk,
        "mandates": mandate.pk,
        "reports": report.pk,
        "alerts": alert.pk,
        "alert-limits": limit.pk,
    }
    values = {"slug": case.slug, "name": system.name, "username": "ada", "leaf_index": 0}
    return {**values, "id": {name: str(pk) for name, pk in ids.items()}}


def path_values(path: str, names: Any, there: dict[str, Any]) -> dict[str, Any]:
    """Values of the path that lead to something; an id of nothing where there is none."""
    key = there["id"].get(path.removeprefix(ROOT).split("/")[0], NOTHING)
    return {name: key if name == "id" else there[name] for name in names}


@API.parametrize()
@hypothesis.settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(hypothesis.HealthCheck),
)
def test_every_answer_is_as_the_document_says(
    case: schemathesis.Case,
    credentials: dict[str, str],
    there: dict[str, Any],
    connection_kept: None,
) -> None:
    checks = [*CHECKS, *([unsupported_method] if case.meta else [])]
    response = case.call_and_validate(headers=credentials, checks=checks)
    if response.status_code == 404 and case.path_parameters:
        case.path_parameters = path_values(case.path, case.path_parameters, there)
        response = case.call(headers=credentials)
        case.validate_response(response, checks=CHECKS[:5])


# Bodies at random

VALID: dict[tuple[str, str], dict[str, Any]] = {
    ("post", "use-cases/"): {
        "slug": "new", "labels": ["a", "b"], "kinds": ["label"], "reason": "r", "tolerance": "1",
        "features": [{"name": "f", "type": "number"}], "reference_from": "2026-01-01",
        "cost_model": {"setup_cost": "1", "error_costs": [{"true": "a", "given": "b", "cost": "1"}]},
    },
    ("patch", "use-cases/loan-approval/"): {
        "name": "n", "labels": ["approve", "deny"], "owner": "ada", "retention_days": 30,
        "favourable_label": "approve", "reference_to": "2026-01-01", "reason": "r",
    },
    ("post", "use-cases/loan-approval/lifecycle/"): {"to": "pilot", "reason": "r"},
    ("post", "ai-systems/"): {"name": "n", "provider": "p", "limits": "l", "reason": "r"},
    ("patch", "ai-systems/credit-scorer/"): {"provider": "p", "reason": "r"},
    ("post", "model-versions/"): {
        "system": "credit-scorer", "version": "2", "declared_accuracy": 0.5, "reason": "r",
    },
    ("post", "model-versions/{model-versions}/status/"): {"status": "withdrawn", "reason": "r"},
    ("post", "decision-rights/"): {
        "use_case": "loan-approval", "right": "review", "person": "ada", "reason": "r",
    },
    ("delete", "decision-rights/{decision-rights}/"): {"reason": "r"},
    ("post", "people/"): {"username": "u", "name": "n", "email": "u@example.org", "reason": "r"},
    ("patch", "people/ada/"): {"name": "n", "is_active": True, "time_zone": "UTC", "reason": "r"},
    ("post", "people/ada/roles/"): {"role": "auditor", "use_case": "loan-approval", "reason": "r"},
    ("delete", "people/ada/roles/{people}/"): {"reason": "r"},
    ("post", "keys/"): {
        "name": "k", "role": "auditor", "expires_at": "2099-01-01T00:00:00Z", "reason": "r",
    },
    ("post", "keys/{keys}/revoke/"): {"reason": "r"},
}  # fmt: skip


def test_two_thousand_spoiled_bodies_cause_no_failure(
    credentials: dict[str, str], there: dict[str, Any]
) -> None:
    client = Client(headers=credentials)
    seen: dict[int, int] = {}
    dice = random.Random(20_261_102)
    for _ in range(2_000):
        (method, path), body = dice.choice(list(VALID.items()))
        sent = json.dumps(spoiled(body, dice))
        url = ROOT + path.format(**there["id"])
        response = getattr(client, method)(url, data=sent, content_type="application/json")
        seen[response.status_code] = seen.get(response.status_code, 0) + 1
        assert response.status_code < 500, (method, path, sent)
    assert seen.keys() <= {200, 201, 204, 400, 404, 409}
    assert seen[400] > 1_000, f"most of what is spoiled is refused: {seen}"
