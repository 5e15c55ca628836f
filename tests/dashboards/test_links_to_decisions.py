"""The way down from a dashboard opens the decisions that its figures are of, and no others."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import User
from apps.decisions.models import Decision
from apps.metrics.cells.profiles import reference_profile_freeze
from apps.metrics.cells.refreshing import cells_refresh
from apps.registry.models import UseCase
from tests.dashboards.test_dashboards import FIGURES, ROOT, SEX, Person, asked, person, shown
from tests.services.gates import body, gate, send

__all__ = ["person"]
pytestmark = pytest.mark.django_db


def decided_by_two_versions() -> UseCase:
    """Eight decisions at the middle of each of the last six days, half of them of version 2."""
    today = timezone.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    ends = {"reference_from": _day(today, 6), "reference_to": _day(today, 0)}
    use_case = gate(policy={"confidence_threshold": 0.7}, favourable_label="approve", **SEX, **ends)
    sent = []
    for n in range(48):
        at = today - timedelta(days=1 + n // 8) + timedelta(hours=12)
        more = {
            "model_version": str(1 + n % 2),
            "subject": {"ref": f"p{n}", "attributes": {"sex": "F" if n % 4 < 2 else "M"}},
            "decided_at": at.isoformat(),
        }
        sent.append(body(f"loan-{n}", "approve" if n % 3 else "deny", 0.4 + 0.01 * n, **more))
    send(use_case, *sent)
    reference_profile_freeze(actor=ROOT, use_case=use_case)
    cells_refresh(use_case)
    return use_case


def _day(today: datetime, ago: int) -> str:
    return (today - timedelta(days=ago)).date().isoformat()


def link_in(found: Any) -> str:
    """The address of the list of decisions that a dashboard's content links to."""
    if isinstance(found, dict):
        href = str(found.get("href", ""))
        return href if href.startswith("/decisions/?") else link_in(list(found.values()))
    if isinstance(found, list):
        return next((link for link in map(link_in, found) if link), "")
    return ""


@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
@pytest.mark.parametrize("slug", FIGURES)
def test_the_link_opens_the_version_and_the_period_of_the_figures(
    person: Person, slug: str, zone: str
) -> None:
    decided_by_two_versions()
    client = person("compliance_officer")
    reader = User.objects.get(username="someone")
    reader.time_zone = zone
    reader.save(actor=ROOT, reason="moved")
    today = timezone.now().astimezone(UTC)
    search = f"?use_case=loan&version=scorer+2&from={_day(today, 4)}&to={_day(today, 3)}"
    answer = asked(client, slug, search)
    shown(answer)
    link = link_in(json.loads(answer.content)["response"]["content"]["children"])
    page = client.get(link)
    assert page.context["form"].errors == {}
    rows = Decision.objects.filter(model_version__version="2")
    rows = rows.filter(lane="review") if slug == "people" else rows
    days = {_day(today, ago) for ago in (3, 4)}
    expected = {one.external_id for one in rows if str(one.decided_at)[:10] in days}
    assert {row.decision.external_id for row in page.context["page"].rows} == expected
    assert 0 < len(expected) <= 8
