"""Fixtures of the whole suite."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import setup_databases, teardown_databases

from apps.accounts.models import User
from apps.accounts.services import person_create, role_grant
from apps.common.actor import Actor
from apps.registry.models import UseCase
from apps.registry.services import use_case_create
from tests import databases

SHARED = Path(__file__).resolve().parents[1].parent / "shared"
CI = os.environ.get("CI") == "true"
# A worker takes a file at a time, these first, so that none is left alone with a long one.
LONG = {"browser", "flows", "tasks"}


@pytest.hookimpl(trylast=True)  # after the order was drawn
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With ONLY_WITH_DATABASE, leave out what never sees the suite's database: for ``tests.run``."""
    if os.environ.get("ONLY_WITH_DATABASE"):
        left_out = [item for item in items if not sees_database(item)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if sees_database(item)]
    items.sort(key=lambda item: item.path.parent.name not in LONG)


def sees_database(item: pytest.Item) -> bool:
    fixtures = getattr(item, "fixturenames", ())
    return "django_db_setup" in fixtures or item.get_closest_marker("django_db") is not None


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Name what failed, for ``tests.run``; only the process that leads the workers hears of all."""
    listed = os.environ.get("FAILED_TESTS")
    if listed and not hasattr(config, "workerinput"):
        reports = [r for state in ("failed", "error") for r in terminalreporter.getreports(state)]
        names = dict.fromkeys(r.nodeid for r in reports if hasattr(r, "nodeid"))
        Path(listed).write_text("\n".join(names))


@pytest.fixture(autouse=True)
def own_ledger_files(tmp_path: Path, settings: Any) -> None:
    """Each test signs with a key of its own and has a witness of its own."""
    settings.LEDGER_KEY_FILE = tmp_path / "ledger.key"
    settings.LEDGER_RETIRED_KEYS_DIR = tmp_path / "retired-keys"
    settings.WITNESS_DIR = tmp_path / "witness"


@pytest.fixture(autouse=True)
def empty_cache() -> None:
    from django.core.cache import cache

    cache.clear()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database to copy, one for all workers: it takes longer than most files."""
    folder = tmp_path_factory.getbasetemp()
    return databases.migrated(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest,
    django_test_environment: None,
    django_db_modify_db_settings: None,
    django_db_blocker: Any,
) -> Iterator[None]:
    """The migrated database, for every test: pytest-django makes it only for its own marks."""
    copied = connection.vendor == "sqlite"
    if copied:
        name = connection.settings_dict["TEST"]["NAME"]
        databases.copy_sqlite(request.getfixturevalue("migrated"), name)
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False, aliases={"default"}, keepdb=copied)
    yield
    with django_db_blocker.unblock():
        teardown_databases(made, verbosity=0)
        databases.drop_roles()


@pytest.fixture
def committed_db(django_db_setup: None, django_db_blocker: Any) -> Iterator[Any]:
    """A fresh copy of the migrated database, where commits are real.

    On PostgreSQL the connection has the rights of the app role, no more.
    """
    with django_db_blocker.unblock(), databases.fresh_copy():
        yield connection


@pytest.fixture
def owner(committed_db: Any) -> Iterator[Any]:
    """A cursor with the owner's rights on the copy: what an attacker with all rights can do."""
    with databases.owner_cursor() as cursor:
        yield cursor


@pytest.fixture
def shared() -> Path:
    """The folder of real input beside the project."""
    if not SHARED.is_dir():
        if CI:
            pytest.fail("the folder ../shared is missing")
        pytest.skip("left out: reads real input from ../shared, which is not here")
    return SHARED


ACTOR = Actor.command("suite")


@pytest.fixture
def actor() -> Actor:
    return ACTOR


@pytest.fixture
def make_person() -> Any:
    def make(username: str, *roles: str, use_case: str = "", password: str | None = None) -> User:
        user = person_create(actor=ACTOR, username=username, password=password)
        for role in roles:
            role_grant(actor=ACTOR, user=user, role=role, use_case=use_case)
        return user

    return make


@pytest.fixture
def make_use_case() -> Any:
    def make(slug: str = "loan-approval", **data: Any) -> UseCase:
        defaults = {"labels": ["approve", "deny"], "lifecycle": "live"}
        return use_case_create(
            actor=ACTOR, reason="for the suite", slug=slug, **{**defaults, **data}
        )

    return make
