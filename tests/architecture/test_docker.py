"""The container files name only what exists: commands, settings, paths, ports, secrets."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands
from gunicorn.config import KNOWN_SETTINGS

from hitl_platform.settings import env

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: s for name, s in SERVICES.items() if s["image"] == "hitl-platform"}
DOCKERFILE = (DOCKER / "Dockerfile").read_text().replace("\\\n", " ")
ENTRYPOINT = (DOCKER / "entrypoint.sh").read_text()
OF_THE_IMAGE = {"PATH", "PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}
OF_THE_PROXY = {"SITE_ADDRESS"}


def instructions(word: str) -> list[str]:
    return re.findall(rf"^{word}\s+(.+)$", DOCKERFILE, re.MULTILINE)


def assignments(text: str) -> set[str]:
    return set(re.findall(r"\b([A-Z][A-Z0-9_]+)=", text))


def volume_targets(service: dict[str, Any]) -> dict[str, str]:
    """Path in the container -> name of the volume or file mounted there."""
    return {v.split(":")[1]: v.split(":")[0] for v in service.get("volumes", [])}


def env_file() -> dict[str, str]:
    lines = (DOCKER / "platform.env.example").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_every_variable_that_the_image_sets_is_a_setting() -> None:
    named = assignments(" ".join(instructions("ENV") + instructions("RUN")))
    assert "DATA_DIR" in named
    assert named - OF_THE_IMAGE <= set(env.names)


def test_every_variable_of_the_environment_file_is_a_setting_or_the_proxys() -> None:
    assert set(env_file()) - OF_THE_PROXY <= set(env.names)
    assert "{$SITE_ADDRESS}" in (DOCKER / "Caddyfile").read_text()


def test_every_secret_given_as_a_file_is_a_setting_that_the_entry_point_reads() -> None:
    read = set(re.search(r"^for name in (.+); do$", ENTRYPOINT, re.MULTILINE)[1].split())  # type: ignore[index]
    assert read <= set(env.names)
    for name, service in OURS.items():
        given = service["environment"]
        assert {variable.removesuffix("_FILE") for variable in given} <= read, name
        for path in given.values():
            assert path.removeprefix("/run/secrets/") in service["secrets"], name


def test_every_secret_is_declared_and_made_by_the_script(tmp_path: Path) -> None:
    (tmp_path / "secrets.sh").write_text((DOCKER / "secrets.sh").read_text())
    command = ["sh", str(tmp_path / "secrets.sh")]
    subprocess.run(command, check=True)
    made = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    subprocess.run(command, check=True)
    assert {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()} == made
    declared = {name: entry["file"] for name, entry in COMPOSE["secrets"].items()}
    assert declared == {name: f"secrets/{name}" for name in made}
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    assert used == set(declared)
    assert len(made["secret_key"]) >= 50
    assert made["postgres_app"] in made["database_url_app"]


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_command_starts_something_that_exists(name: str) -> None:
    command = OURS[name].get("command") or yaml.safe_load(instructions("CMD")[-1])
    program, *words = command
    if name == "manage":
        program, words = "python", ["manage.py", program, *words]
    if program == "python":
        assert (ROOT / words[0]).is_file()
        if words[0] == "manage.py":
            assert words[1] in {*get_commands(), "help"}
    elif program == "celery":
        assert words[:2] == ["-A", "hitl_platform"]
        assert words[2] in {"worker", "beat"}
    else:
        assert [program, words[0]] == ["gunicorn", "hitl_platform.wsgi:application"]


def test_the_web_servers_configuration_uses_known_settings_and_the_exposed_port() -> None:
    found: dict[str, Any] = {}
    exec((DOCKER / "gunicorn.conf.py").read_text(), found)
    names = {name for name in found if not name.startswith("__")}
    assert names <= {setting.name for setting in KNOWN_SETTINGS}
    port = found["bind"].rpartition(":")[2]
    assert instructions("EXPOSE") == [port]
    assert SERVICES["web"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"reverse_proxy web:{port}" in (DOCKER / "Caddyfile").read_text()
    assert f"http://127.0.0.1:{port}/healthz" in (DOCKER / "health.py").read_text()


def test_every_file_that_is_copied_or_mounted_exists() -> None:
    ignored = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    for copied in instructions("COPY"):
        words = [word for word in copied.split() if not word.startswith("--")]
        if "--from=packages" in copied:
            continue
        for source in words[:-1]:
            assert (ROOT / source).exists(), source
            assert f"!{source}" in ignored
    mounted = {source for s in SERVICES.values() for source in volume_targets(s).values()}
    for source in mounted:
        if source.startswith("."):
            assert (DOCKER / source).is_file()
        else:
            assert source in COMPOSE["volumes"]


def test_the_image_runs_as_a_plain_user_on_a_supported_python() -> None:
    assert set(instructions("FROM")) == {"python:3.11-slim AS packages", "python:3.11-slim"}
    assert instructions("USER") == ["hitl"]
    users = re.findall(r"useradd --uid ([0-9]+)", DOCKERFILE)
    assert [int(uid) >= 10_000 for uid in users] == [True]
    started = DOCKERFILE.rindex("\nUSER ")
    assert started < DOCKERFILE.index("collectstatic") < DOCKERFILE.index("\nENTRYPOINT ")
    assert "--require-hashes -r /tmp/base.txt" in DOCKERFILE


def test_paths_of_the_image_are_those_that_volumes_keep() -> None:
    paths = dict(re.findall(r"\b([A-Z_]+)=(/srv/\S+)", " ".join(instructions("ENV"))))
    worker = volume_targets(OURS["worker"])
    assert str(Path(paths["LEDGER_KEY_FILE"]).parent) in worker
    assert paths["WITNESS_DIR"] in worker
    # A bundle is made by the worker and taken through the web server.
    exports = f"{paths['DATA_DIR']}/exports"
    assert volume_targets(OURS["web"])[exports] == worker[exports] == "exports"
    # A rotated key is linked into this folder: that takes the same file system.
    assert Path(paths["LEDGER_RETIRED_KEYS_DIR"]).parent == Path(paths["LEDGER_KEY_FILE"]).parent
    # Static files come with the image: a volume over them would keep those of an older one.
    for service in OURS.values():
        assert paths["DATA_DIR"] not in volume_targets(service)


def test_only_the_jobs_can_write_the_ledgers_key_and_only_the_worker_the_witness() -> None:
    writers: dict[str, set[str]] = {"keys": set(), "witness": set(), "exports": set()}
    for name, service in OURS.items():
        for volume in service["volumes"]:
            source, _target, *mode = volume.split(":")
            if mode != ["ro"]:
                writers[source].add(name)
    assert writers == {
        "keys": {"create-key", "rotate-key"},
        "witness": {"worker", "create-key"},
        "exports": {"worker"},
    }


def test_only_the_migrate_job_has_the_owners_address() -> None:
    assert {n for n, s in SERVICES.items() if "database_url_owner" in s.get("secrets", [])} == {
        "migrate"
    }


def test_every_running_service_waits_for_the_schema_and_has_a_health_check() -> None:
    checks = (DOCKER / "health.py").read_text()
    for name in ("web", "worker", "scheduler"):
        service = OURS[name]
        assert service["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
        # A check starts without the image's entry point, which alone reads secrets from files.
        checking = ["sh", "docker/entrypoint.sh", "python", "docker/health.py", name]
        assert service["healthcheck"]["test"] == ["CMD", *checking]
        assert f'"{name}": {name}' in checks
    assert SERVICES["redis"]["healthcheck"]["test"] == ["CMD", "redis-cli", "ping"]


def test_the_database_is_ready_only_after_its_roles_are_made() -> None:
    """While PostgreSQL's image runs the scripts of its first start it listens on no address."""
    words = SERVICES["postgres"]["healthcheck"]["test"]
    assert words[:4] == ["CMD", "pg_isready", "--host", "127.0.0.1"]
    # Without this right the image reads the script into its own shell, options and all.
    assert os.access(DOCKER / "roles.sh", os.X_OK)


def test_the_schedulers_health_check_looks_at_the_file_that_the_scheduler_writes() -> None:
    command = OURS["scheduler"]["command"]
    schedule = command[command.index("--schedule") + 1]
    assert f'BEAT_SCHEDULE = Path("{schedule}")' in (DOCKER / "health.py").read_text()
    assert "/tmp" in OURS["scheduler"]["tmpfs"]
    assert OURS["scheduler"]["read_only"] is True


def test_images_are_named_plainly_without_a_registry() -> None:
    for service in SERVICES.values():
        assert re.fullmatch(r"[a-z-]+(:[0-9.]+)?", service["image"])


def test_the_roles_are_those_that_the_grants_name() -> None:
    script = (DOCKER / "roles.sh").read_text()
    migrate = (DOCKER / "migrate.py").read_text()
    for role in ("hitl_app", "hitl_auditor"):
        assert f"CREATE ROLE {role} LOGIN" in script
        assert f'"{role}"' in migrate
    for role in ("owner", "app", "auditor"):
        assert "/run/secrets/$1" in script
        assert f"postgres_{role}" in SERVICES["postgres"]["secrets"]


def test_the_entry_point_reads_a_secret_from_its_file_and_hands_on_the_rest(
    tmp_path: Path,
) -> None:
    secret = "pa$$ 'w\"ord\\"
    (tmp_path / "key").write_text(secret + "\n")
    done = subprocess.run(
        [
            "sh",
            str(DOCKER / "entrypoint.sh"),
            "sh",
            "-c",
            'printf %s "$SECRET_KEY|$OTHER|$1"',
            "_",
            "a b",
        ],
        env={"PATH": os.environ["PATH"], "SECRET_KEY_FILE": str(tmp_path / "key"), "OTHER": "x"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{secret}|x|a b"


def test_a_secret_file_that_is_missing_stops_the_container(tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", str(DOCKER / "entrypoint.sh"), "echo", "started"],
        env={"PATH": os.environ["PATH"], "SECRET_KEY_FILE": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "started" not in done.stdout


def run_health(what: str, **environment: str) -> int:
    done = subprocess.run(
        ["sh", "docker/entrypoint.sh", sys.executable, "docker/health.py", what],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        timeout=30,
        check=False,
    )
    return done.returncode


class Site(BaseHTTPRequestHandler):
    """Answers as the web server does: to its own host, over the proxy's https."""

    def do_GET(self) -> None:
        asked = (self.path, self.headers["Host"], self.headers["X-Forwarded-Proto"])
        self.send_response(200 if asked == ("/healthz", "oversight.example.org", "https") else 400)
        self.end_headers()

    def log_message(self, format: str, *words: Any) -> None:
        """Nobody reads it."""


def test_the_web_servers_check_asks_as_the_proxy_does_and_tells_well_from_unwell(
    tmp_path: Path,
) -> None:
    with HTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        # the port is fixed in the container, where nobody else can hold it
        check = (DOCKER / "health.py").read_text()
        copy = tmp_path / "health.py"
        copy.write_text(check.replace("127.0.0.1:8000", f"127.0.0.1:{server.server_port}"))
        codes = [
            subprocess.run(
                [sys.executable, str(copy), "web"],
                env={"ALLOWED_HOSTS": hosts},
                capture_output=True,
                check=False,
            ).returncode
            for hosts in ("oversight.example.org,localhost", "another.example.org")
        ]
        server.shutdown()
    assert codes == [0, 1]


def test_the_workers_check_reads_the_brokers_address_from_its_file(tmp_path: Path) -> None:
    """Well by the entry point's reading; unwell where nothing listens at that address."""
    (tmp_path / "broker").write_text("memory://")
    assert run_health("worker", CELERY_BROKER_URL_FILE=str(tmp_path / "broker")) == 0
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, yet it does not listen
        address = f"redis://127.0.0.1:{taken.getsockname()[1]}/0"
        assert run_health("worker", CELERY_BROKER_URL=address) != 0
