"""Fills the server of the desk's browser tests: cases of every kind that wait for people."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import django

django.setup()

from django.utils import timezone  # noqa: E402

from apps.accounts.models import User  # noqa: E402
from apps.accounts.qualifications import qualification_grant  # noqa: E402
from apps.accounts.services import person_create, role_grant  # noqa: E402
from apps.common.actor import Actor  # noqa: E402
from apps.decisions.models import Decision  # noqa: E402
from apps.outcomes.services import outcome_record  # noqa: E402
from apps.policies.services import policy_approve, policy_draft, policy_propose  # noqa: E402
from apps.registry.models import UseCase  # noqa: E402
from apps.registry.services import ai_system_register, use_case_create  # noqa: E402
from apps.workflow.arrivals import arrival, validator_of  # noqa: E402
from apps.workflow.intake import take_in  # noqa: E402

ACTOR, SECOND = Actor.command("browser-tests"), Actor.command("second")
SENDER = Actor("program", "sender", "sender")
PASSWORD = "a-long-pass-phrase-9"
PEOPLE = {
    "rex": ("Rex Vieira", "reviewer", ["loan-approval"]),
    "lou": ("Lou Anders", "reviewer", ["loan-approval"]),
    "bea": ("Bea Castell", "reviewer", ["claims-triage"]),
    "ivo": (
        "Ivo Brandt",
        "reviewer",
        ["invoices", "replies", "setpoints", "forecast", "inspection"],
    ),
    "una": ("Una Berg", "reviewer", ["demand"]),
    "rita": ("Rita Lang", "risk_lead", [""]),
    "sena": ("Sena Okoye", "senior_reviewer", ["loan-approval"]),
    "ada": ("Ada Moreau", "administrator", [""]),
}
LOANS: dict[str, Any] = {
    "name": "Loan approval",
    "labels": ["approve", "deny"],
    "features": [
        {"name": "income", "type": "number"},
        {"name": "debt_ratio", "type": "number"},
        {"name": "region", "type": "category"},
    ],
    "subject_attributes": [
        {"name": "age_band", "type": "category"},
        {"name": "sex", "type": "category", "protected": True},
    ],
    "reason_codes": ["income_not_shown", "better_than_scored", "policy_exception"],
    "risk_tier": "high",
    "cost_model": {"currency": "EUR", "review_cost_per_hour": "40.00"},
}
STATEMENT = (
    "Applicant states a monthly income of 4,100 from a permanent position since 2019.\n"
    "Two instalments were paid late in March; both were settled within the grace period.\n"
    "A car loan of 7,200 ends in June next year."
)


def png(width: int = 320, height: int = 200) -> str:
    """A grey panel with a dark scratch, as a data address."""
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            dark = abs(x - 2 * y) < 4 and 60 < y < 120
            rows += bytes((70, 60, 50) if dark else (150 + y // 4, 160 + x // 8, 175))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    image = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
    image += chunk(b"IDAT", zlib.compress(bytes(rows))) + chunk(b"IEND", b"")
    return f"data:image/png;base64,{base64.b64encode(image).decode()}"


PDF = base64.b64encode(
    b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n"
).decode()


def use_case(slug: str, policy: dict[str, Any], **definition: Any) -> UseCase:
    made = use_case_create(
        actor=ACTOR, reason="for the desk", slug=slug, lifecycle="live", **definition
    )
    draft = policy_draft(actor=ACTOR, use_case=made, document={"level": "HITL", **policy})
    policy_propose(actor=ACTOR, policy=draft, reason="first")
    policy_approve(actor=SECOND, policy=draft, reason="agreed")
    return made


def send(case: UseCase, *bodies: dict[str, Any]) -> None:
    validator, now = validator_of(case), timezone.now()
    common = {"use_case": case.slug, "model": "scorer", "model_version": "2.3"}
    found = [arrival(n, validator.validate({**common, **b}, now)) for n, b in enumerate(bodies)]
    take_in(actor=SENDER, use_case=case.slug, arrivals=found)


def label(external_id: str, said: str, sure: float, **more: Any) -> dict[str, Any]:
    return {
        "external_id": external_id,
        "kind": "label",
        "output": {"label": said, "confidence": sure},
        **more,
    }


def loan(n: int, prefix: str = "app") -> dict[str, Any]:
    said, sure = ("deny", 0.62) if n % 2 else ("approve", 0.74)
    other = "approve" if said == "deny" else "deny"
    return {
        **label(f"{prefix}-{n:03}", said, sure),
        "output": {
            "label": said,
            "confidence": sure,
            "scores": {said: sure, other: round(1 - sure, 2)},
        },
        "amount": "25000.00",
        "features": {"income": 41000 + 100 * n, "debt_ratio": 0.44, "region": "north"},
        "subject": {"ref": f"cust-{n}", "attributes": {"sex": "F", "age_band": "25-34"}},
        "explanation": {
            "text": "The debt ratio is above the usual range for this region.",
            "top_features": [
                {"name": "debt_ratio", "weight": 0.41},
                {"name": "income", "weight": -0.18},
            ],
        },
        "evidence": [
            {
                "kind": "text",
                "title": "Statement of the applicant",
                "content": STATEMENT,
                "regions": [
                    {"start": 17, "end": 50, "note": "Not confirmed by the employer."},
                    {"start": 85, "end": 120, "note": "Counted as late by the model."},
                ],
            },
            {
                "kind": "table",
                "title": "Account, last months",
                "content": [
                    ["Month", "In", "Out", "Balance"],
                    ["August", 4100, 3620, 1210],
                    ["September", 4100, 3980, 1330],
                    ["October", 4350, 3700, 1980],
                ],
            },
            {"kind": "pdf", "title": "Pay slip", "content": PDF},
            {"kind": "url", "title": "Register entry", "content": "https://register.example/7"},
        ],
    }


def seed_people() -> None:
    for login, (name, role, slugs) in PEOPLE.items():
        email = f"{login}@example.org"
        person = person_create(
            actor=ACTOR, username=login, name=name, email=email, password=PASSWORD, reason="set-up"
        )
        for slug in slugs:
            role_grant(actor=ACTOR, user=person, role=role, use_case=slug, reason="set-up")


def seed_loans() -> None:
    ai_system_register(
        actor=ACTOR,
        name="scorer",
        limits="Weak for the self-employed and for incomes from abroad.",
        reason="set-up",
    )
    policy = {"confidence_threshold": 0.95, "sla_minutes": 240, "skills": ["credit"]}
    case = use_case("loan-approval", policy, **LOANS)
    for login in ("rex", "lou", "sena"):
        person = User.objects.get(username=login)
        qualification_grant(
            actor=ACTOR, user=person, skill="credit", use_case=case.slug, reason="trained"
        )
    # 30 released at once, 21 of them right, which is 70 of 100 at this confidence
    send(case, *(label(f"old-{n}", "deny", 0.96) for n in range(30)))
    for decision in Decision.objects.filter(external_id__startswith="old-"):
        right = int(decision.external_id.removeprefix("old-")) < 21
        outcome_record(actor=ACTOR, decision=decision, label="deny" if right else "approve")
    send(case, *(loan(n) for n in range(1, 31)))


def seed_blind() -> None:
    case = use_case(
        "claims-triage",
        {"confidence_threshold": 0.99, "blind": True},
        name="Claims triage",
        labels=["pay", "refuse", "inspect"],
        features=[{"name": "claimed", "type": "number"}],
    )
    send(
        case,
        *(
            {
                **label(f"claim-{n}", "refuse", 0.8137),
                "features": {"claimed": 1200 + n},
                "explanation": {"text": "MARKER-EXPLANATION", "top_features": []},
                "output": {
                    "label": "refuse",
                    "confidence": 0.8137,
                    "scores": {"pay": 0.1111, "refuse": 0.8137, "inspect": 0.0752},
                },
                "model_version": "MARKER-7.7",
            }
            for n in range(1, 7)
        ),
    )


def seed_kinds() -> None:
    waits = {"confidence_threshold": 1.0}
    invoices = use_case("invoices", waits, name="Invoice extraction", kinds=["fields"])
    fields = {
        "seller": {"value": {"name": "Nordlicht GmbH", "tax_id": None}, "confidence": 0.91},
        "total": {"value": 1184.5, "confidence": 0.48},
        "paid": {"value": False, "confidence": 0.88},
        "positions": {
            "value": [{"item": "Paper", "count": 20}, {"item": "Ink", "count": 2}],
            "confidence": 0.77,
        },
    }
    send(invoices, *_of_kind("fields", {"fields": fields}, "inv", 3))
    replies = use_case("replies", waits, name="Customer replies", kinds=["text"])
    text = "Dear Ms Ito,\n\nthank you for your letter. The refund of 59 euros is on its way.\n"
    send(replies, *_of_kind("text", {"text": text, "confidence": 0.7}, "mail", 2))
    setpoints = use_case("setpoints", waits, name="Control room set-points", kinds=["action"])
    action = {
        "name": "set_pressure",
        "arguments": {
            "valve": "V-12",
            "bar": 4.2,
            "limits": {"low": 3, "high": 5},
            "dry_run": True,
        },
        "confidence": 0.66,
    }
    send(setpoints, *_of_kind("action", action, "act", 2))
    forecast = use_case("forecast", waits, name="Demand forecast", kinds=["number"])
    number = {"value": 1250, "low": 1100, "high": 1420, "confidence": 0.6}
    send(forecast, *_of_kind("number", number, "week", 2))
    seed_inspection()


def seed_inspection() -> None:
    labels = ["pass", "rework", "scrap"]
    case = use_case(
        "inspection", {"confidence_threshold": 1.0}, name="Visual inspection", labels=labels
    )
    regions = [
        {"x": 37, "y": 30, "width": 40, "height": 32, "note": "Scratch, 41 mm."},
        {"x": 4, "y": 70, "width": 14, "height": 18, "note": "Dust or dent."},
    ]
    evidence = [{"kind": "image", "title": "Panel, left", "content": png(), "regions": regions}]
    send(case, label("panel-1", "rework", 0.71, evidence=evidence))


def _of_kind(kind: str, output: dict[str, Any], prefix: str, count: int) -> list[dict[str, Any]]:
    return [
        {"external_id": f"{prefix}-{n}", "kind": kind, "output": output}
        for n in range(1, count + 1)
    ]


def seed_demand() -> None:
    """Cases of one person alone."""
    policy = {"confidence_threshold": 1.0, "sla_minutes": 60}
    case = use_case("demand", policy, name="Stock demand", labels=["order", "wait"])
    send(case, *(label(f"stock-{n}", "order", 0.8) for n in range(1, 4)))


seed_people()
seed_loans()
seed_blind()
seed_kinds()
seed_demand()
