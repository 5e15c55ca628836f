"""How the house is built: layers, sizes, pins, commands."""

from __future__ import annotations

import ast
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands, load_command_class

ROOT = Path(__file__).resolve().parents[2]
FRAMEWORKS = {
    "django",
    "rest_framework",
    "celery",
    "dash",
    "plotly",
    "simple_history",
    "allauth",
    "pydantic",
    "redis",
    "psycopg",
    "hitl_platform",
}
LONGEST = 500
# A bundle carries this one file, to be run with nothing beside it: it cannot be taken apart.
STANDS_ALONE = {"apps/exports/verifier/verify.py"}


def product_modules() -> list[Path]:
    """Every Python module of the product; migrations are generated."""
    folders = ("apps", "hitl_platform", "dashboards")
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    return sorted(path for path in found if "migrations" not in path.parts)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imported(tree: ast.AST) -> Iterator[str]:
    """Top-level names of the packages that a module imports, wherever it does."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


DOMAIN = [path for path in product_modules() if "domain" in path.parts]


@pytest.mark.parametrize("path", DOMAIN, ids=name_of)
def test_the_pure_core_imports_no_framework(path: Path) -> None:
    assert not set(imported(ast.parse(path.read_text()))) & FRAMEWORKS


def test_every_app_has_its_place_in_the_layers() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract["type"] == "layers")
    placed = [part.strip() for line in layers for part in line.split("|")]
    packages = {f"apps.{path.parent.name}" for path in (ROOT / "apps").glob("*/__init__.py")}
    assert len(placed) == len(set(placed))
    assert set(placed) == packages | {"dashboards"}


def test_every_app_with_tables_or_tasks_is_installed() -> None:
    from django.apps import apps

    installed = {config.name for config in apps.get_app_configs()}
    for part in ("models", "tasks", "management"):
        for path in [*(ROOT / "apps").glob(f"*/{part}.py"), *(ROOT / "apps").glob(f"*/{part}")]:
            assert f"apps.{path.parent.name}" in installed


@pytest.mark.parametrize("path", product_modules(), ids=name_of)
def test_a_module_is_short_enough_to_be_read(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= LONGEST or name_of(path) in STANDS_ALONE


@pytest.mark.parametrize("path", product_modules(), ids=name_of)
def test_a_module_holds_no_unfinished_business(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b", text)


# --- Requirements ---------------------------------------------------------------------------

PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)(\[[a-z0-9,_-]+\])?==([0-9][^ ;\\]*)", re.IGNORECASE)


def pins(name: str) -> dict[str, tuple[str, int]]:
    """Package -> (version, number of hashes) of a locked requirements file."""
    found: dict[str, tuple[str, int]] = {}
    current = ""
    for line in (ROOT / "requirements" / name).read_text().splitlines():
        if pin := PIN.match(line):
            current = pin[1].lower()
            found[current] = (pin[3], 0)
        elif line.strip().startswith("--hash=sha256:"):
            version, hashes = found[current]
            found[current] = (version, hashes + 1)
        else:
            assert not line.strip() or line.lstrip().startswith("#"), line
    return found


@pytest.mark.parametrize("name", ["base.txt", "dev.txt", "uv.txt"])
def test_every_requirement_is_pinned_by_hash(name: str) -> None:
    found = pins(name)
    assert found
    assert [package for package, (_version, hashes) in found.items() if not hashes] == []


@pytest.mark.parametrize("path", sorted((ROOT / "requirements").iterdir()), ids=name_of)
def test_no_requirements_file_names_an_address(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"://|git\+|--(extra-)?index-url|--find-links|^-e ", text, re.MULTILINE)


def test_the_suite_runs_on_the_versions_of_the_product() -> None:
    product, suite = pins("base.txt"), pins("dev.txt")
    assert {name: suite.get(name) for name in product} == product


# --- Commands and entry points --------------------------------------------------------------

COMMANDS = sorted(name for name, app in get_commands().items() if str(app).startswith("apps."))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_each_of_its_arguments_says_what_it_is_for(name: str) -> None:
    command: Any = load_command_class(get_commands()[name], name)
    assert len(command.help) > 20
    assert command.help.endswith(".")
    actions = command.create_parser("manage.py", name)._actions
    assert [action.dest for action in actions if not action.help] == []


def test_there_are_commands() -> None:
    assert {"seal", "verify_audit", "create_api_key", "create_ledger_key"} <= set(COMMANDS)


def test_what_runs_before_a_change_lands_is_the_whole_suite() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    lines = script.read_text().splitlines()
    assert lines[-1] == "make test"
    assert "set -euo pipefail" in lines
    recipe = (ROOT / "Makefile").read_text().partition("\ntest: setup\n")[2].splitlines()[0]
    assert recipe.strip() == "$(BIN)/python tests/run.py"
