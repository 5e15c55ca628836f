"""The pages."""

from __future__ import annotations

from django.urls import path

from apps.web.views import desk, desk_case, home, people, trail, use_cases

urlpatterns = [
    path("", home.home, name="home"),
    path("use-cases/", use_cases.use_cases, name="use_cases"),
    path("use-cases/<slug:slug>/", use_cases.use_case, name="use_case"),
    path("audit/", trail.records, name="records"),
    path("audit/health/", trail.trail_health, name="trail_health"),
    path("audit/verify/", trail.verify_now, name="verify_now"),
    path("audit/<int:leaf_index>/", trail.record, name="record"),
    path("people/", people.people, name="people"),
    path("desk/", desk.desk, name="desk"),
    path("desk/next/", desk.next_case, name="desk_next"),
    path("desk/settle/", desk.settle, name="desk_settle"),
    path("desk/case/<uuid:task>/", desk_case.case, name="desk_case"),
    path("desk/case/<uuid:task>/verdict/", desk_case.verdict, name="desk_verdict"),
    path("desk/case/<uuid:task>/undo/", desk_case.undo, name="desk_undo"),
    path("desk/case/<uuid:task>/draft/", desk_case.keep, name="desk_draft"),
    path("desk/case/<uuid:task>/renew/", desk_case.renew, name="desk_renew"),
    path("desk/case/<uuid:task>/release/", desk_case.release, name="desk_release"),
    path("desk/case/<uuid:task>/forget/", desk_case.forget, name="desk_forget"),
    path("desk/case/<uuid:task>/evidence/<int:number>/", desk_case.evidence, name="desk_evidence"),
]
