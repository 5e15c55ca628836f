"""A real server with data of its own, and Chromium, watched for errors and foreign requests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.databases import copy_sqlite

ROOT = Path(__file__).resolve().parents[2]
ARTEFACTS = ROOT / "test-artefacts" / "screenshots"
AXE = next(Path(axe_playwright_python.__file__).parent.rglob("axe.min.js"))
CHROMIUM = shutil.which("chromium")
PASSWORD = "a-long-pass-phrase-9"
WEB_ALONE = (
    *("-m", "gunicorn", "hitl_platform.wsgi", "--threads", "4", "--no-control-socket"),
    "--bind",
)
UP = ("manage.py", "up", "--port")  # with worker and scheduler


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_it_answers(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 120  # the machine may be busy
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"the server does not answer: {log.read_text()[-2000:]}")


def own_environment(folder: Path) -> dict[str, str]:
    """Embedded, on a folder of its own, whatever database the suite runs on."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {
        **kept,
        "DATA_DIR": str(folder),
        "DJANGO_SETTINGS_MODULE": "hitl_platform.settings",
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server keeps its data."""
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="module")
def address(folder: Path, migrated: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    if CHROMIUM is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI=true, but there is no Chromium")
        pytest.skip("left out: no Chromium on this machine")
    environment, log = own_environment(folder), folder / "server.log"
    seed = getattr(request.module, "SEED", "tests/browser/seed.py")
    copy_sqlite(migrated, folder / "platform.sqlite3")
    subprocess.run([sys.executable, seed], cwd=ROOT, env=environment, check=True)
    port = free_port()
    made = f"127.0.0.1:{port}"
    whole = getattr(request.module, "WITH_WORKER", False)
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, *(UP if whole else WEB_ALONE), str(port) if whole else made],
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=output,
        )
        try:
            wait_until_it_answers(f"http://{made}/accounts/login/", server, log)
            yield f"http://{made}"
        finally:
            server.terminate()
            server.wait(30)


@pytest.fixture(scope="module")
def browser(address: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@dataclass
class Watched:
    """A page, and everything it said or asked for that it should not have."""

    page: Page
    address: str
    faults: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.faults.append(f"exception: {error}"))
        self.page.on("request", self._request)

    def _console(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.faults.append(f"{message.type} on {self.page.url}: {message.text}")

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self.address, f"blob:{self.address}", "data:")):
            self.faults.append(f"foreign request: {request.url}")

    def go(self, path: str) -> int:
        answer = self.page.goto(self.address + path)
        assert answer is not None
        return answer.status

    def sign_in(self, login: str, password: str = PASSWORD) -> None:
        self.go("/accounts/login/")
        self.page.get_by_label("Login or e-mail").fill(login)
        self.page.get_by_label("Password", exact=True).fill(password)
        with self.page.expect_navigation():  # a click alone does not wait for what it leads to
            self.page.locator("main").get_by_role("button", name="Sign in").click()

    def serious_violations(self, *rules: str) -> list[str]:
        """What axe finds against WCAG 2.2 A and AA (or ``rules``) that is serious or critical."""
        if not self.page.evaluate("typeof axe === 'object'"):
            self.page.evaluate(AXE.read_text())
        wanted = rules or ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")
        # Without preload: axe would insert style elements, which the policy rightly refuses.
        found = self.page.evaluate(
            # a chart is a drawing of thousands of nodes, told in words and numbers beside it
            "wanted => axe.run({exclude: ['.main-svg']}, {runOnly: wanted, preload: false})",
            list(wanted),
        )
        return [
            f"{violation['id']}: {violation['nodes'][0]['target']}"
            for violation in found["violations"]
            if violation["impact"] in {"serious", "critical"}
        ]

    def overflows(self) -> bool:
        wide: bool = self.page.evaluate("document.documentElement.scrollWidth > innerWidth")
        return wide

    def shoot(self, name: str) -> None:
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        # Hiding the caret would leave style attributes, which htmx copies and the policy refuses.
        path = ARTEFACTS / f"{name}.png"
        self.page.screenshot(path=path, full_page=True, caret="initial")


@pytest.fixture(scope="module")
def states(browser: Browser, address: str) -> dict[str, Any]:
    """Signed-in sessions by login, made when first asked for."""
    return {}


@pytest.fixture
def stranger(browser: Browser, address: str) -> Iterator[Watched]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield from watched_page(context, address)


@pytest.fixture
def visit(browser: Browser, address: str, states: dict[str, Any]) -> Iterator[Any]:
    """``visit("ada")``: a watched page of that person."""
    contexts: list[BrowserContext] = []
    opened: list[Watched] = []

    def make(login: str) -> Watched:
        size = {"width": 1280, "height": 900}
        context = browser.new_context(viewport=size, storage_state=states.get(login))  # type: ignore[arg-type]
        contexts.append(context)
        watched = Watched(context.new_page(), address)
        if login not in states:
            watched.sign_in(login)
            states[login] = context.storage_state()
        watched.watch()
        opened.append(watched)
        return watched

    yield make
    faults = [fault for watched in opened for fault in watched.faults]
    for context in contexts:
        context.close()
    assert faults == []


def watched_page(context: BrowserContext, address: str) -> Iterator[Watched]:
    watched = Watched(context.new_page(), address)
    watched.watch()
    yield watched
    context.close()
    assert watched.faults == []
