"""The dashboards: an app for each, behind the permission that it takes."""

from __future__ import annotations

from dashboards.accuracy.layout import app as accuracy
from dashboards.bridge import dash_urls
from dashboards.drift.layout import app as drift
from dashboards.executive.layout import app as executive
from dashboards.fairness.layout import app as fairness
from dashboards.oversight.layout import app as oversight
from dashboards.people.layout import app as people
from dashboards.trail.layout import app as trail

urlpatterns = [
    *dash_urls(executive, "executive", "report.view"),
    *dash_urls(accuracy, "accuracy", "report.view"),
    *dash_urls(fairness, "fairness", "report.view"),
    *dash_urls(drift, "drift", "report.view"),
    *dash_urls(people, "people", "report.view"),
    *dash_urls(oversight, "oversight", "report.view"),
    *dash_urls(trail, "trail", "audit.view"),
]
