"""Every route of the API, under ``/api/v1/``. Each view names the action of each method."""

from __future__ import annotations

from django.urls import path, re_path, register_converter

from apps.api.operations import NoSuchRoute
from apps.api.v1 import (
    alerts,
    audit_exports,
    audit_proofs,
    audit_records,
    batches,
    decision_rights,
    decisions,
    documentation,
    events,
    frontier,
    keys,
    mandates,
    models,
    outcomes,
    people,
    permission_matrix,
    policies,
    qualifications,
    report_schedules,
    reports,
    reviews,
    supervision,
    use_cases,
    verdicts,
)


class LeafIndex:
    """At most 18 digits, which every database's integers hold."""

    regex = "[0-9]{1,18}"

    def to_python(self, value: str) -> int:
        return int(value)

    def to_url(self, value: int) -> str:
        return str(value)


register_converter(LeafIndex, "leaf_index")

app_name = "api"
urlpatterns = [
    # addresses are tried in this order: the one that is asked most comes first
    path("decisions/", decisions.DecisionsView.as_view(), name="decisions"),
    path("schema/", documentation.SchemaView.as_view(), name="schema"),
    path("docs/", documentation.DocsView.as_view(), name="docs"),
    # registry
    path("use-cases/", use_cases.UseCasesView.as_view(), name="use-cases"),
    path("use-cases/<str:slug>/", use_cases.UseCaseView.as_view(), name="use-case"),
    path(
        "use-cases/<str:slug>/lifecycle/",
        use_cases.UseCaseLifecycleView.as_view(),
        name="lifecycle",
    ),
    path("use-cases/<str:slug>/history/", use_cases.UseCaseHistoryView.as_view(), name="history"),
    path("ai-systems/", models.AISystemsView.as_view(), name="ai-systems"),
    path("ai-systems/<str:name>/", models.AISystemView.as_view(), name="ai-system"),
    path("model-versions/", models.ModelVersionsView.as_view(), name="model-versions"),
    path("model-versions/<uuid:id>/", models.ModelVersionView.as_view(), name="model-version"),
    path(
        "model-versions/<uuid:id>/status/",
        models.ModelVersionStatusView.as_view(),
        name="model-status",
    ),
    path("decision-rights/", decision_rights.DecisionRightsView.as_view(), name="decision-rights"),
    path(
        "decision-rights/<uuid:id>/",
        decision_rights.DecisionRightView.as_view(),
        name="decision-right",
    ),
    # policies
    path("policies/", policies.PoliciesView.as_view(), name="policies"),
    path("policies/<uuid:id>/", policies.PolicyView.as_view(), name="policy"),
    path("policies/<uuid:id>/propose/", policies.PolicyProposalView.as_view(), name="proposal"),
    path("policies/<uuid:id>/approve/", policies.PolicyApprovalView.as_view(), name="approval"),
    path("policies/<uuid:id>/reject/", policies.PolicyRejectionView.as_view(), name="rejection"),
    path("policies/<uuid:id>/diff/", policies.PolicyDiffView.as_view(), name="policy-diff"),
    path("policies/<uuid:id>/frontier/", frontier.PolicyFrontierView.as_view(), name="frontier"),
    path(
        "policies/<uuid:id>/simulate/", frontier.PolicySimulationView.as_view(), name="simulation"
    ),
    # decisions
    path("decisions/batch/", batches.DecisionBatchView.as_view(), name="decision-batch"),
    path("decisions/<uuid:id>/", decisions.DecisionView.as_view(), name="decision"),
    path("decisions/<uuid:id>/replay/", decisions.DecisionReplayView.as_view(), name="replay"),
    path("decisions/<uuid:id>/outcome/", outcomes.OutcomeView.as_view(), name="outcome"),
    path("outcomes/batch/", outcomes.OutcomeBatchView.as_view(), name="outcome-batch"),
    path("events/", events.EventsView.as_view(), name="events"),
    # on the loop, in command
    path(
        "use-cases/<str:slug>/suspend/",
        supervision.UseCaseSuspensionView.as_view(),
        name="suspension",
    ),
    path(
        "use-cases/<str:slug>/resume/",
        supervision.UseCaseResumptionView.as_view(),
        name="resumption",
    ),
    path("mandates/", mandates.MandatesView.as_view(), name="mandates"),
    path("mandates/<uuid:id>/", mandates.MandateView.as_view(), name="mandate"),
    path(
        "mandates/<uuid:id>/revoke/",
        mandates.MandateRevocationView.as_view(),
        name="mandate-revocation",
    ),
    path(
        "decisions/<uuid:id>/intervene/",
        supervision.InterventionView.as_view(),
        name="intervention",
    ),
    path("decisions/<uuid:id>/rule/", supervision.RulingView.as_view(), name="ruling"),
    path(
        "interventions/bulk/",
        supervision.BulkInterventionView.as_view(),
        name="bulk-intervention",
    ),
    # the review desk: its queue
    path("reviews/", reviews.ReviewsView.as_view(), name="reviews"),
    path("reviews/claim/", reviews.ClaimView.as_view(), name="review-claim"),
    path("reviews/stats/", reviews.StatsView.as_view(), name="review-stats"),
    path("reviews/delegate/", reviews.DelegationView.as_view(), name="review-delegation"),
    path("reviews/<uuid:id>/", reviews.ReviewView.as_view(), name="review"),
    path("reviews/<uuid:id>/renew/", reviews.RenewalView.as_view(), name="review-renewal"),
    path("reviews/<uuid:id>/release/", reviews.ReleaseView.as_view(), name="review-release"),
    path("reviews/<uuid:id>/assign/", reviews.AssignView.as_view(), name="review-assign"),
    path("reviews/<uuid:id>/unassign/", reviews.UnassignView.as_view(), name="review-unassign"),
    path("reviews/<uuid:id>/return/", reviews.ReturnView.as_view(), name="review-return"),
    path("absences/", qualifications.AbsencesView.as_view(), name="absences"),
    path("absences/<uuid:id>/end/", qualifications.AbsenceEndView.as_view(), name="absence-end"),
    path("qualifications/", qualifications.QualificationsView.as_view(), name="qualifications"),
    path(
        "qualifications/<uuid:id>/",
        qualifications.QualificationView.as_view(),
        name="qualification",
    ),
    path(
        "qualifications/<uuid:id>/revoke/",
        qualifications.QualificationRevocationView.as_view(),
        name="qualification-revocation",
    ),
    # verdicts at the review desk
    path("reviews/<uuid:id>/submit/", verdicts.VerdictView.as_view(), name="review-submit"),
    path("reviews/<uuid:id>/reveal/", verdicts.RevealView.as_view(), name="review-reveal"),
    path("reviews/<uuid:id>/inform/", verdicts.InformationView.as_view(), name="review-inform"),
    path("known-answers/", verdicts.KnownAnswersView.as_view(), name="known-answers"),
    path("known-answers/<uuid:id>/", verdicts.KnownAnswerView.as_view(), name="known-answer"),
    path(
        "known-answers/<uuid:id>/forgive/",
        verdicts.ForgivenessView.as_view(),
        name="known-answer-forgiveness",
    ),
    # people and programs
    path("me/", people.MeView.as_view(), name="me"),
    path("people/", people.PeopleView.as_view(), name="people"),
    path("people/<str:username>/", people.PersonView.as_view(), name="person"),
    path("people/<str:username>/roles/", people.PersonRolesView.as_view(), name="person-roles"),
    path(
        "people/<str:username>/roles/<uuid:id>/",
        people.PersonRoleView.as_view(),
        name="person-role",
    ),
    path("permission-matrix/", permission_matrix.PermissionMatrixView.as_view(), name="matrix"),
    path("keys/", keys.KeysView.as_view(), name="keys"),
    path("keys/<uuid:id>/", keys.KeyView.as_view(), name="key"),
    path("keys/<uuid:id>/revoke/", keys.KeyRevocationView.as_view(), name="key-revocation"),
    # figures
    path("reports/", reports.ReportsView.as_view(), name="reports"),
    path("reports/<uuid:id>/", reports.ReportView.as_view(), name="report"),
    path(
        "report-schedules/",
        report_schedules.ReportSchedulesView.as_view(),
        name="report-schedules",
    ),
    path(
        "report-schedules/<str:slug>/",
        report_schedules.ReportScheduleView.as_view(),
        name="report-schedule",
    ),
    path("metrics/summary/", reports.SummaryView.as_view(), name="summary"),
    path("alerts/", alerts.AlertsView.as_view(), name="alerts"),
    path("alerts/<uuid:id>/", alerts.AlertView.as_view(), name="alert"),
    path(
        "alerts/<uuid:id>/acknowledge/",
        alerts.AlertAcknowledgementView.as_view(),
        name="alert-acknowledgement",
    ),
    path(
        "alerts/<uuid:id>/resolve/", alerts.AlertResolutionView.as_view(), name="alert-resolution"
    ),
    path("alert-limits/", alerts.AlertLimitsView.as_view(), name="alert-limits"),
    path("alert-limits/<uuid:id>/", alerts.AlertLimitView.as_view(), name="alert-limit"),
    path(
        "alert-limits/<uuid:id>/retire/",
        alerts.AlertLimitRetirementView.as_view(),
        name="alert-limit-retirement",
    ),
    # trail
    path("audit/records/", audit_records.RecordsView.as_view(), name="records"),
    path(
        "audit/records/<leaf_index:leaf_index>/", audit_records.RecordView.as_view(), name="record"
    ),
    path("audit/exports/", audit_exports.ExportsView.as_view(), name="exports"),
    path("audit/exports/<uuid:id>/", audit_exports.ExportView.as_view(), name="export"),
    path(
        "audit/exports/<uuid:id>/download/",
        audit_exports.ExportDownloadView.as_view(),
        name="export-download",
    ),
    path("audit/checkpoint/", audit_proofs.CheckpointView.as_view(), name="checkpoint"),
    path("audit/public-key/", audit_proofs.PublicKeyView.as_view(), name="public-key"),
    path("audit/proof/inclusion/", audit_proofs.InclusionProofView.as_view(), name="inclusion"),
    path(
        "audit/proof/consistency/", audit_proofs.ConsistencyProofView.as_view(), name="consistency"
    ),
    path("audit/verification/", audit_proofs.VerificationView.as_view(), name="verification"),
    # last: whatever else is asked for is no route
    re_path("", NoSuchRoute.as_view(), name="no-such-route"),
]
