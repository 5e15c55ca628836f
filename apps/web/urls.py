"""The pages."""

from __future__ import annotations

from django.urls import path

from apps.web.views import (
    desk,
    desk_case,
    desk_known,
    desk_people,
    desk_team,
    home,
    people,
    trail,
    use_cases,
)

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
    path("desk/team/", desk_team.team, name="desk_team"),
    path("desk/team/tasks/", desk_team.tasks, name="desk_team_tasks"),
    path("desk/team/tasks/<uuid:task>/", desk_team.task, name="desk_team_task"),
    path("desk/team/tasks/<uuid:task>/give/", desk_team.give, name="desk_team_give"),
    path("desk/team/tasks/<uuid:task>/inform/", desk_team.inform, name="desk_team_inform"),
    path("desk/team/people/", desk_people.people, name="desk_team_people"),
    path("desk/team/skills/", desk_people.grant, name="desk_team_grant"),
    path("desk/team/skills/<uuid:key>/revoke/", desk_people.revoke, name="desk_team_revoke"),
    path("desk/team/absences/", desk_people.away, name="desk_team_away"),
    path("desk/team/absences/<uuid:key>/end/", desk_people.end, name="desk_team_end"),
    path("desk/team/known/", desk_known.known, name="desk_team_known"),
    path("desk/team/known/enter/", desk_known.enter, name="desk_team_enter"),
    path("desk/team/known/of/<uuid:decision>/", desk_known.make, name="desk_team_make"),
    path("desk/team/known/<uuid:key>/", desk_known.known_answer, name="desk_team_known_answer"),
    path("desk/team/known/<uuid:key>/forgive/", desk_known.forgive, name="desk_team_forgive"),
    path("desk/team/known/<uuid:key>/retire/", desk_known.retire, name="desk_team_retire"),
]
