"""The desk over HTTP: the production web server, and people who are signed in."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.desk_pace import Act, at_pace, in_ms, without_rest
from benchmarks.gate_steps import _wait_for

CONFIGURATION = Path(__file__).resolve().parents[1] / "docker" / "gunicorn.conf.py"
TOKEN = "b" * 32  # any secret does: it only has to be the same in cookie and header


class Browser:
    """A person's requests. Each has a connection of its own, as behind most proxies."""

    def __init__(self, person: Any, port: int) -> None:
        from django.test import Client

        client = Client(SERVER_NAME="localhost")
        client.force_login(person)
        session = client.cookies["sessionid"].value
        self.port, self.held = port, {}
        self.headers = {
            "Cookie": f"sessionid={session}; csrftoken={TOKEN}",
            "X-CSRFToken": TOKEN,
            "Content-Type": "application/json",
        }

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(method, path, sent, self.headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        assert answer.status == 200, (method, path, answer.status, content[:300])
        return content

    def claim(self) -> bytes:
        return self.ask("POST", "/api/v1/reviews/claim/", {})

    def hold(self, claimed: bytes) -> None:
        self.held = json.loads(claimed)

    def confirm(self) -> None:
        held = self.held
        said = {"lease": held["lease"], "shown_hash": held["shown_hash"], "verdict": "confirm"}
        self.ask("POST", f"/api/v1/reviews/{held['task']}/submit/", said)

    def page(self) -> bytes:
        return self.ask("GET", f"/desk/case/{self.held['task']}/")


def over_http(
    people: list[Any], seconds: float, acts: int, seat_done: Callable[[object], None]
) -> dict[str, Any]:
    """Claims and pages at the desk's pace; then each client claims and confirms without rest."""
    with _server() as port:
        browsers = [Browser(person, port) for person in people]

        def claim(number: int) -> Callable[[], object]:
            claimed = browsers[number].claim()
            return lambda: seat_done(json.loads(claimed)["task"])

        def decide(number: int) -> Callable[[], object]:
            browsers[number].hold(browsers[number].claim())
            return browsers[number].confirm

        without_rest(len(browsers), 2 * len(browsers), claim)  # both processes compile and connect
        claims = at_pace(len(browsers), seconds, claim)
        rate = without_rest(len(browsers), acts, decide)
        for browser in browsers:
            browser.hold(browser.claim())
        pages = at_pace(len(browsers), seconds, _paging(browsers))
    return {"claim": in_ms(claims), "page": in_ms(pages), "rate": rate}


def _paging(browsers: list[Browser]) -> Act:
    """The page of the case at hand."""

    def act(number: int) -> Callable[[], object]:
        content = browsers[number].page()

        def check() -> None:
            assert browsers[number].held["case"]["external_id"].encode() in content

        return check

    return act


@contextmanager
def _server() -> Iterator[int]:
    """The web server as in production, two processes of four threads, on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "hitl_platform.wsgi:application"]
    command += ["--config", str(CONFIGURATION), "--bind", f"127.0.0.1:{port}"]
    server = subprocess.Popen([*command, "--log-level", "error"], stdout=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield port
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(60)
