"""The demonstration: loads once, proves itself, serves, stops clean, and never eats real data."""

from __future__ import annotations

import http.cookiejar
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from apps.common.errors import BadInput, Conflict
from apps.web.management.commands import demo, up
from apps.web.management.supervisor import Supervisor
from fixtures.people import PASSWORD
from fixtures.use_cases import SCENARIOS

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = ("DATABASE_URL", "DJANGO_SETTINGS_MODULE", "PORT", "DEMO_SCALE", "LOG_LEVEL")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    small = {"DATA_DIR": str(folder), "DEMO_SCALE": "0.01", "PYTHONUNBUFFERED": "1"}
    return {**kept, **small, **more}


def manage(folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=environment(folder, **more),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


class Running:
    """``manage.py demo`` as a person starts it; what it says is kept."""

    def __init__(self, folder: Path) -> None:
        self.port, self.said = free_port(), ""
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "demo", "--port", str(self.port)],
            cwd=ROOT,
            env=environment(folder),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said += line
        self.process.stdout.close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def wait_until_it_says(self, words: str) -> None:
        deadline = time.monotonic() + 180
        while words not in self.said:
            assert self.process.poll() is None, self.said
            assert time.monotonic() < deadline, self.said
            time.sleep(0.1)

    def end(self) -> int:
        code = self.process.wait(timeout=90)
        self.reader.join(timeout=30)
        return code

    def programs(self) -> dict[str, int]:
        """Name -> main process of each program that the demonstration started."""
        listed = subprocess.run(
            ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(self.process.pid)],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        found = {}
        for line in listed.splitlines():
            pid, args = line.split(maxsplit=1)
            for name, word in (
                ("web", "gunicorn"),
                ("worker", " worker "),
                ("scheduler", " beat "),
            ):
                if word in args:
                    found[name] = int(pid)
        return found


@contextmanager
def running(folder: Path) -> Iterator[Running]:
    started = Running(folder)
    try:
        started.wait_until_it_says("Ctrl-C stops it")
        yield started
    finally:
        if started.process.poll() is None:
            started.process.send_signal(signal.SIGTERM)
        started.end()


def nothing_is_left_of(programs: dict[str, int]) -> bool:
    """Whether no process lives in the sessions that the programs led, once the killed are gone."""
    deadline = time.monotonic() + 10
    while any(living(session) for session in programs.values()):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def living(session: int) -> list[str]:
    """Processes of a session; one that ended and waits for its parent to notice does not count."""
    command = ["ps", "-o", "stat=", "-s", str(session)]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return [state for state in listed.split() if not state.startswith("Z")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the demonstration in it: its first load was killed on the way."""
    made = tmp_path_factory.mktemp("demonstration")
    kill_after(made, "use case 3 of")
    done = manage(made, "demo", "--no-serve")
    assert done.returncode == 0, done.stderr
    assert "use case 3 of 14: diagnosis-support, there already" in done.stderr
    assert re.search(r"^use case 14 of 14: .* decisions loaded$", done.stderr, re.MULTILINE)
    assert re.search(r"^verified all [0-9]+ records: sound$", done.stderr, re.MULTILINE)
    assert "no figures of" not in done.stderr
    return made


def kill_after(folder: Path, words: str) -> None:
    """Begin to load, and let the power go once it has said so much."""
    begun = subprocess.Popen(
        [sys.executable, "manage.py", "demo", "--no-serve"],
        cwd=ROOT,
        env=environment(folder),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert begun.stderr is not None
    for line in begun.stderr:
        if words in line:
            break
    begun.kill()
    begun.wait(timeout=30)
    begun.stderr.close()
    assert not demo.is_complete(folder)


# --- Served ---------------------------------------------------------------------------------


def sign_in(address: str, login: str) -> urllib.request.OpenerDirector:
    cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    browser = urllib.request.build_opener(cookies)
    page = browser.open(f"{address}/accounts/login/").read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token
    form = {"csrfmiddlewaretoken": token[1], "login": login, "password": PASSWORD}
    request = urllib.request.Request(
        f"{address}/accounts/login/",
        data=urllib.parse.urlencode(form).encode(),
        headers={"Referer": address},
    )
    assert browser.open(request).url == f"{address}/"
    return browser


def test_it_serves_signs_in_seals_what_happens_and_stops_clean(folder: Path) -> None:
    with running(folder) as started:
        assert "there already" in started.said
        assert "decisions loaded" not in started.said
        assert "computed the figures" not in started.said
        programs = started.programs()
        assert set(programs) == {"web", "worker", "scheduler"}
        browser = sign_in(started.address, "auditor")
        page = browser.open(f"{started.address}/use-cases/").read().decode()
        assert all(f"/use-cases/{s.slug}/" in page for s in SCENARIOS)
        wait_for_record(browser, started.address, "Signed in")
        started.process.send_signal(signal.SIGINT)
        assert started.end() == 0, started.said
    assert nothing_is_left_of(programs)
    assert manage(folder, "verify_audit", "--full").returncode == 0


def wait_for_record(browser: urllib.request.OpenerDirector, address: str, words: str) -> None:
    """The worker seals the sign-in, so that the trail shows it."""
    deadline = time.monotonic() + 60
    query = urllib.parse.urlencode({"type": "access_event"})
    while True:
        page = browser.open(f"{address}/audit/?{query}").read().decode().lower()
        if words.lower().replace(" ", "_") in page or words.lower() in page:
            return
        assert time.monotonic() < deadline, "the sign-in was not sealed"
        time.sleep(0.5)


def test_a_killed_worker_is_named_and_takes_the_others_with_it(folder: Path) -> None:
    with running(folder) as started:
        programs = started.programs()
        os.kill(programs["worker"], signal.SIGKILL)
        assert started.end() == 1
        assert f"worker (process {programs['worker']}) was ended by SIGKILL" in started.said
    assert nothing_is_left_of(programs)


# --- Refusals -------------------------------------------------------------------------------


def test_a_second_one_on_the_same_folder_is_refused(folder: Path) -> None:
    import fcntl

    with (folder / "up.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        done = manage(folder, "up", "--port", str(free_port()))
    assert done.returncode == 1
    assert f"already runs on {folder}" in done.stderr


def test_a_port_that_is_taken_is_refused_before_anything_starts(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = manage(folder, "up", PORT=str(port))
    assert done.returncode == 1
    assert f"127.0.0.1:{port} cannot be served" in done.stderr


@pytest.mark.parametrize("port", ["", "80a", "0", "65536", "-1"])
def test_a_port_that_is_none_is_refused(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", port)
    if port == "":
        assert up.chosen_port() == 8000
    else:
        with pytest.raises(BadInput, match=re.escape(f"PORT={port!r}")):
            up.chosen_port()


@pytest.mark.parametrize("scale", ["many", "0", "-1", "nan", "inf", "1001"])
def test_a_scale_that_is_none_is_refused(scale: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEMO_SCALE", scale)
    with pytest.raises(BadInput, match=f"DEMO_SCALE='{scale}'"):
        demo.chosen_scale()


def test_a_real_installation_is_not_taken_for_a_demonstration(
    db: None, make_person: Any, tmp_path: Path
) -> None:
    make_person("ada", "administrator")
    with pytest.raises(Conflict, match="not a demonstration"):
        demo.claim_folder(tmp_path, 1.0)
    assert not (tmp_path / demo.MARK).exists()


def installation(folder: Path, *, marked: bool, database: Path | None = None) -> dict[str, Any]:
    """A folder with a database in it or elsewhere; returns the database's settings."""
    folder.mkdir()
    database = database or folder / "platform.sqlite3"
    database.write_text("")
    if marked:
        (folder / demo.MARK).write_text("{}")
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(database)}


def test_reset_deletes_a_demonstration(tmp_path: Path) -> None:
    database = installation(tmp_path / "var", marked=True)
    demo.delete_demonstration(tmp_path / "var", database)
    assert not (tmp_path / "var").exists()


def test_reset_keeps_a_folder_without_the_demonstrations_mark(tmp_path: Path) -> None:
    database = installation(tmp_path / "var", marked=False)
    with pytest.raises(Conflict, match="not a demonstration's folder"):
        demo.delete_demonstration(tmp_path / "var", database)
    assert (tmp_path / "var" / "platform.sqlite3").exists()


def test_reset_keeps_a_database_that_lies_elsewhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.sqlite3"
    database = installation(tmp_path / "var", marked=True, database=elsewhere)
    with pytest.raises(Conflict, match="lies outside"):
        demo.delete_demonstration(tmp_path / "var", database)
    assert (tmp_path / "var" / demo.MARK).exists()


def test_reset_leaves_postgresql_to_its_owner(tmp_path: Path) -> None:
    database = installation(tmp_path / "var", marked=True)
    database["ENGINE"] = "django.db.backends.postgresql"
    with pytest.raises(Conflict, match="drop that one yourself"):
        demo.delete_demonstration(tmp_path / "var", database)
    assert (tmp_path / "var" / demo.MARK).exists()


# --- The supervisor -------------------------------------------------------------------------

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def supervise(**programs: list[str]) -> tuple[int, list[str], bool]:
    """(exit code, what was said, whether it became ready)."""
    port, said, ready = free_port(), [], []
    server = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    supervisor = Supervisor({"server": server, **programs}, said.append, folder=ROOT / "docs")
    health = urllib.request.Request(f"http://127.0.0.1:{port}/")

    def on_ready() -> None:
        ready.append(True)
        supervisor.stop_requests += "until_stopped" in programs

    return supervisor.run(health, on_ready), said, bool(ready)


def test_programs_that_live_are_ended_when_asked_to() -> None:
    assert supervise(until_stopped=SLEEP) == (0, [], True)


def test_a_program_that_ends_is_named_with_its_exit_code() -> None:
    code, said, _ready = supervise(
        other=SLEEP,
        broken=[sys.executable, "-c", "import time; time.sleep(1); raise SystemExit(3)"],
    )
    assert code == 1
    assert len(said) == 1
    assert re.fullmatch(
        r"broken \(process [0-9]+\) ended with exit code 3: stopping the others", said[0]
    )


def test_a_program_that_does_not_end_is_killed_and_named() -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    said: list[str] = []
    program = {"deaf": [sys.executable, "-c", deaf]}
    supervisor = Supervisor(program, said.append, folder=ROOT, stop_timeout_s=0.5)
    supervisor._start()
    time.sleep(1)  # until it has closed its ears
    supervisor._stop()
    assert said == ["deaf did not end when told to: killed"]
    assert supervisor.children["deaf"].returncode == -signal.SIGKILL
