"""Steps at the gate, each in a process of its own: ``python -m benchmarks.gate_steps STEP ...``."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import django

SLUG = "benchmark"
TURN = 50  # single decisions, before the same number of plain saves
FEATURES = [{"name": f"n{i:02d}", "type": "number"} for i in range(12)]
FEATURES += [{"name": f"c{i:02d}", "type": "category"} for i in range(8)]
POLICY = {
    "level": "HITL",
    "confidence_threshold": 0.6,
    "label_thresholds": {"deny": 0.7},
    "audit_rate": 0.02,
    "rules": [
        {
            "name": f"rule {i}",
            "when": {"field": f"feature.n{i:02d}", "op": ">", "value": 3.0},
            "then": "review",
        }
        for i in range(10)
    ],
}


def bodies(first: int, count: int) -> Iterator[dict[str, Any]]:
    """Decisions with 20 features, an amount, a subject and scores, the same for the same numbers."""
    for number in range(first, first + count):
        draw = random.Random(number)
        score = round(draw.random(), 4)
        label = "approve" if score >= 0.5 else "deny"
        features: dict[str, Any] = {f["name"]: round(draw.gauss(0, 1), 4) for f in FEATURES[:12]}
        features |= {f["name"]: f"level-{draw.randrange(8)}" for f in FEATURES[12:]}
        yield {
            "use_case": SLUG,
            "external_id": f"case-{number}",
            "model": "scorer",
            "model_version": "1",
            "kind": "label",
            "output": {
                "label": label,
                "confidence": max(score, round(1 - score, 4)),
                "scores": {"approve": score, "deny": round(1 - score, 4)},
            },
            "amount": f"{draw.randrange(100, 100000)}.00",
            "features": features,
            "subject": {"ref": f"person-{number}", "attributes": {"sex": draw.choice("FM")}},
            "decided_at": "2026-11-02T09:30:00Z",
        }


def prepare() -> dict[str, Any]:
    """The use case with its policy in force, and a key that may send."""
    from apps.accounts.services import service_key_create
    from apps.common.actor import Actor
    from apps.policies.services import policy_approve, policy_draft, policy_propose
    from apps.registry.services import use_case_create

    lead, second = Actor.command("lead"), Actor.command("second")
    use_case = use_case_create(
        actor=lead,
        reason="benchmark",
        slug=SLUG,
        labels=["approve", "deny"],
        lifecycle="live",
        features=FEATURES,
        subject_attributes=[{"name": "sex", "type": "category", "protected": True}],
    )
    draft = policy_draft(actor=lead, use_case=use_case, document=POLICY)
    policy_propose(actor=lead, policy=draft, reason="benchmark")
    policy_approve(actor=second, policy=draft, reason="benchmark")
    _key, raw = service_key_create(actor=lead, name="benchmark", role="integration")
    _take(bodies(10**9, 1))
    return {"key": raw}


def _take(found: Iterator[dict[str, Any]]) -> None:
    from django.utils import timezone

    from apps.common.actor import Actor
    from apps.registry.models import UseCase
    from apps.workflow.arrivals import arrival, validator_of
    from apps.workflow.intake import take_in

    validate, now = validator_of(UseCase.objects.get(pk=SLUG)).validate, timezone.now()
    arrivals = [arrival(i, validate(body, now)) for i, body in enumerate(found)]
    take_in(actor=Actor.system("benchmark"), use_case=SLUG, arrivals=arrivals)


def write_file(path: str, first: str, count: str) -> dict[str, Any]:
    with Path(path).open("w", encoding="utf-8") as file:
        for body in bodies(int(first), int(count)):
            file.write(json.dumps(body) + "\n")
    return {"lines": int(count)}


def ingest(path: str) -> dict[str, Any]:
    """Our way: the command, from the file to the commit of the last chunk. The other ways begin
    with their modules loaded and connected; so does this one."""
    from django.core.management import call_command, load_command_class
    from django.db import connection

    command = load_command_class("apps.workflow", "ingest")
    connection.ensure_connection()
    began = time.perf_counter()
    with open(os.devnull, "w") as nothing:  # noqa: PTH123
        call_command(command, path, use_case=SLUG, json=True, stdout=nothing, stderr=nothing)
    return {"seconds": time.perf_counter() - began}


def _stored(count: int, order: str = "id") -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows as they were taken in: what the peers have to write."""
    from apps.decisions.models import Decision, Payload

    decisions = list(Decision.objects.order_by(order).values()[:count])
    payloads = {
        row["decision"]: row
        for row in Payload.objects.filter(decision__in=[d["id"] for d in decisions]).values()
    }
    return decisions, [payloads[d["id"]] for d in decisions]


def _make_peer_tables() -> None:
    from django.db import connection

    from benchmarks.peer.models import PeerDecision, PeerPayload

    existing = set(connection.introspection.table_names())
    for model in (PeerDecision, PeerDecision.history.model, PeerPayload):
        if model._meta.db_table in existing:
            with connection.cursor() as cursor:
                cursor.execute(f'DROP TABLE "{model._meta.db_table}"')
        with connection.schema_editor() as editor:
            editor.create_model(model)


def save_loop(count: str) -> dict[str, Any]:
    """(a) A plain loop of save(), with history and payload, a transaction each."""
    from django.db import transaction

    from benchmarks.peer.models import PeerDecision, PeerPayload

    decisions, payloads = _stored(int(count))
    _make_peer_tables()
    began = time.perf_counter()
    for decision, payload in zip(decisions, payloads, strict=True):
        with transaction.atomic():
            PeerDecision(**decision).save(force_insert=True)
            PeerPayload(**payload).save(force_insert=True)
    return {"seconds": time.perf_counter() - began, "records": len(decisions)}


def bulk_history(count: str) -> dict[str, Any]:
    """(b) bulk_create_with_history, and the payloads by bulk_create."""
    from django.db import transaction
    from simple_history.utils import bulk_create_with_history

    from benchmarks.peer.models import PeerDecision, PeerPayload

    decisions, payloads = _stored(int(count))
    _make_peer_tables()
    began = time.perf_counter()
    with transaction.atomic():
        rows = [PeerDecision(**decision) for decision in decisions]
        bulk_create_with_history(rows, PeerDecision, batch_size=1000)
        PeerPayload.objects.bulk_create([PeerPayload(**p) for p in payloads], batch_size=1000)
    return {"seconds": time.perf_counter() - began, "records": len(decisions)}


def raw_copy(count: str) -> dict[str, Any]:
    """(c) The same rows (live, history, payload), made beforehand, by COPY into one table without
    an index: a row of it holds the three of a decision, each column as its own type."""
    from django.db import connection

    from apps.decisions.models import Decision, Payload

    models = {"d": Decision, "h": Decision.history.model, "p": Payload}
    columns = ", ".join(
        f'{name}."{field.column}" AS "{name}_{field.column}"'
        for name, model in models.items()
        for field in model._meta.concrete_fields
    )
    d, h, p = (model._meta.db_table for model in models.values())
    rows = (
        f"SELECT {columns} FROM (SELECT * FROM {d} ORDER BY id LIMIT {int(count)}) d "
        f"JOIN {h} h ON h.id = d.id AND h.history_type = '+' JOIN {p} p ON p.decision = d.id"
    )
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS raw_rows")
        cursor.execute(f"CREATE TABLE raw_rows AS {rows} WITH NO DATA")
        with cursor.copy(f"COPY ({rows}) TO STDOUT") as made:
            lines = [bytes(line) for line in made]
        began = time.perf_counter()
        with cursor.copy("COPY raw_rows FROM STDIN") as copy:
            for start in range(0, len(lines), 2000):
                copy.write(b"".join(lines[start : start + 2000]))
        return {"seconds": time.perf_counter() - began, "records": len(lines)}


def over_http(key: str, path: str) -> dict[str, Any]:
    """(e) The same lines through decisions/batch/ of one gunicorn worker."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "hitl_platform.wsgi",
        "--bind",
        f"127.0.0.1:{port}",
    ]
    command += [
        "--workers",
        "1",
        "--threads",
        "4",
        "--timeout",
        "300",
        "--log-level",
        "error",
        "--no-control-socket",
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        _wait_for(port)
        lines = Path(path).read_bytes().splitlines(keepends=True)
        _post(port, key, b"".join(lines[:1]))  # the worker's first request compiles and connects
        began = time.perf_counter()
        for start in range(1, len(lines), 20_000):
            _post(port, key, b"".join(lines[start : start + 20_000]))
        return {"seconds": time.perf_counter() - began, "records": len(lines) - 1}
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)


def _wait_for(port: int) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError("the web server did not start")


def _post(port: int, key: str, body: bytes) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/v1/decisions/batch/",
        data=body,
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"},
    )
    with urllib.request.urlopen(request, timeout=300) as answer:
        summary = json.loads(answer.read())
    assert summary["accepted"] == body.count(b"\n"), summary


def single(key: str, count: str) -> dict[str, Any]:
    """One POST at a time by the test client, against a plain save of the same rows.

    They take turns, so that both meet the same machine, however busy others keep it.
    """
    from django.db import transaction
    from django.test import Client

    from benchmarks.peer.models import PeerDecision, PeerPayload

    client = Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {key}"})
    _make_peer_tables()
    posts, saves = list[float](), list[float]()
    for first in range(0, int(count), TURN):
        sent = list(bodies(2 * 10**9 + first, min(TURN, int(count) - first)))
        for body in sent:
            content = json.dumps(body)
            began = time.perf_counter()
            answer = client.post("/api/v1/decisions/", content, content_type="application/json")
            posts.append(time.perf_counter() - began)
            assert answer.status_code == 201, answer.content
        for decision, payload in zip(*_stored(len(sent), "-id"), strict=True):
            began = time.perf_counter()
            with transaction.atomic():
                PeerDecision(**decision).save(force_insert=True)
                PeerPayload(**payload).save(force_insert=True)
            saves.append(time.perf_counter() - began)
    return {
        "post_median_s": median(posts),
        "save_median_s": median(saves),
        "post_p95_s": quantiles(posts, n=20)[-1],
        "save_p95_s": quantiles(saves, n=20)[-1],
    }


def routing(count: str) -> dict[str, Any]:
    """Routing alone: thresholds, audit and ten rules over ready columns."""
    import numpy as np

    from apps.policies.domain.columns import Columns, NumberColumn, confidence_column, level_column
    from apps.policies.domain.lanes import RoutingContext
    from apps.policies.domain.routing import route
    from apps.policies.domain.schema import Feature, UseCaseSchema
    from apps.policies.domain.validation import validate_policy

    n, draw = int(count), np.random.default_rng(1)
    schema = UseCaseSchema(
        labels=("approve", "deny"),
        features=tuple(Feature(f["name"], f["type"]) for f in FEATURES),  # type: ignore[arg-type]
    )
    policy = validate_policy(POLICY, schema).routing
    labels = np.array(["approve", "deny"], dtype=object)[draw.integers(0, 2, n)]
    ready: dict[Any, Any] = {
        ("confidence", "number"): confidence_column(draw.random(n)),
        ("label", "category"): level_column(labels.tolist()),
    }
    for i in range(10):
        ready[f"feature.n{i:02d}", "number"] = NumberColumn(draw.standard_normal(n))
    ids = [f"case-{i}" for i in range(n)]
    context = RoutingContext(lifecycle="live", seed=b"s" * 32)
    times = []
    for _ in range(5):
        columns = Columns(n, ready=dict(ready), external_ids=ids)
        began = time.perf_counter()
        route(policy, context, columns)
        times.append(time.perf_counter() - began)
    return {"seconds": median(times), "records": n}


def write_reviews(path: str, count: str) -> dict[str, Any]:
    """Reviews of the first cases, some by each of 1,000 reviewers."""
    with Path(path).open("w", encoding="utf-8") as file:
        file.write("external_id,reviewer,label,saw_ai,active_seconds\n")
        per_case = 5
        for number in range(int(count)):
            case, seat = divmod(number, per_case)
            label = "deny" if (number * 7919) % 3 else "approve"
            file.write(f"case-{case},rev-{(case * per_case + seat) % 1000},{label},false,30\n")
    return {"lines": int(count)}


def import_reviews(path: str) -> dict[str, Any]:
    from django.core.management import call_command

    began = time.perf_counter()
    with open(os.devnull, "w") as nothing:  # noqa: PTH123
        call_command(
            "import_reviews", path, use_case=SLUG, json=True, stdout=nothing, stderr=nothing
        )
    return {"seconds": time.perf_counter() - began}


def vacuum() -> dict[str, Any]:
    """As autovacuum would between one load and the next."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")
    return {}


STEPS: dict[str, Callable[..., dict[str, Any]]] = {
    step.__name__: step
    for step in (
        prepare,
        write_file,
        ingest,
        save_loop,
        bulk_history,
        raw_copy,
        over_http,
        single,
        routing,
        write_reviews,
        import_reviews,
        vacuum,
    )
}


def main(name: str, *arguments: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    django.setup()
    from apps.common.memory import collect_rarely

    collect_rarely()  # as every process of the platform
    document = STEPS[name](*arguments)
    memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**document, "memory_mib": memory_mib}))


if __name__ == "__main__":
    main(*sys.argv[1:])
