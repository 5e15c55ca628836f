"""The actor travels with the message, through real workers and each broker; unnamed is refused."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.conf import settings as suite_settings

from apps.audit.models import PendingRecord
from apps.common.actor import HEADER, Actor
from apps.common.errors import ActorRequired
from apps.registry.models import AISystem
from tests.tasks import probe_tasks
from tests.tasks.workers import need_server, until, worker

ANN = Actor("person", "7", "ann")
MODULE = "tests.tasks.probe_tasks"
BROKERS = {
    "filesystem": ("filesystem://", 0),
    "Redis": ("redis://127.0.0.1:6379/0", 6379),
    "RabbitMQ": ("amqp://guest:guest@127.0.0.1:5672//", 5672),
}


@pytest.fixture
def queue() -> str:
    return f"hitl-suite-{uuid.uuid4().hex[:12]}"


@pytest.fixture(params=BROKERS)
def sender(request: Any, queue: str, tmp_path: Path) -> Iterator[Celery]:
    """An application that sends to a queue of the test's own, removed at the end."""
    url, port = BROKERS[request.param]
    if port:
        need_server(request.param, port)
    app = Celery("sender", broker=url, set_as_current=False)
    app.conf.task_default_queue = queue
    app.conf.broker_transport_options = folders(tmp_path) if not port else {}
    yield app
    with app.connection_for_write() as connection, connection.channel() as channel:
        channel.queue_delete(queue)
        if request.param == "RabbitMQ":
            channel.exchange_delete(queue)
        if request.param == "Redis":  # keeps an exchange as keys of these two kinds
            channel.client.delete(f"_kombu.binding.{queue}", f"_kombu.binding_permanent.{queue}")
    app.close()


def folders(data: Path) -> dict[str, Any]:
    """The folders that a worker with this DATA_DIR reads, written from the other side."""
    options = dict(suite_settings.CELERY_BROKER_TRANSPORT_OPTIONS)
    for name, value in options.items():
        if name.endswith(("_in", "_out", "_folder")):
            options[name] = str(data / "broker" / Path(value).name)
            Path(options[name]).mkdir(parents=True, exist_ok=True)
    return options


def test_the_actor_travels_through_a_real_worker_and_unnamed_messages_are_refused(
    committed_db: Any, sender: Celery, queue: str, tmp_path: Path
) -> None:
    task = sender.tasks[probe_tasks.register_system.name]
    with worker(tmp_path, sender.conf.broker_url, "-Q", queue, "-I", MODULE) as running:
        task.apply_async(args=["unnamed"])
        task.apply_async(
            args=["nobody"], headers={HEADER: {"kind": "person", "id": "", "name": ""}}
        )
        task.send("named", actor=ANN)
        until(
            lambda: AISystem.objects.filter(name="named").exists(), "the row of the named message"
        )
        until(lambda: running.said().count("raised unexpected: ActorRequired") == 2, "two refusals")
    row = AISystem.history.get(name="named")
    assert (row.history_user_kind, row.history_user_id, row.history_user_name) == (
        "person",
        "7",
        "ann",
    )
    assert AISystem.objects.count() == AISystem.history.count() == 1
    assert PendingRecord.objects.filter(record_type="ai_system").count() == 1


@pytest.mark.parametrize("nobody", [None, "ann", {"kind": "person", "id": "7", "name": "ann"}])
def test_sending_without_an_actor_is_refused_before_a_message_leaves(nobody: Any) -> None:
    with pytest.raises(ActorRequired):
        probe_tasks.register_system.send("x", actor=nobody)


def test_a_task_called_in_the_same_process_has_its_actor_too(db: None) -> None:
    probe_tasks.register_system.send("direct", actor=ANN)
    assert AISystem.history.get().history_user_name == "ann"


def test_a_task_called_without_the_header_in_the_same_process_is_refused(db: None) -> None:
    with pytest.raises(ActorRequired, match="carries no"):
        probe_tasks.register_system.delay("direct")
    assert AISystem.history.count() == 0
