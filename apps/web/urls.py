"""The pages."""

from __future__ import annotations

from django.urls import path

from apps.web.views import home, people, trail, use_cases

urlpatterns = [
    path("", home.home, name="home"),
    path("use-cases/", use_cases.use_cases, name="use_cases"),
    path("use-cases/<slug:slug>/", use_cases.use_case, name="use_case"),
    path("audit/", trail.records, name="records"),
    path("audit/health/", trail.trail_health, name="trail_health"),
    path("audit/verify/", trail.verify_now, name="verify_now"),
    path("audit/<int:leaf_index>/", trail.record, name="record"),
    path("people/", people.people, name="people"),
]
