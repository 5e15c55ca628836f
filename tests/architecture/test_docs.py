"""The documents say what the code does: settings, commands, permissions, findings, links."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.core.management import get_commands

from docs.generate_permissions import PAGE, document
from hitl_platform.settings import env

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def section(text: str, title: str) -> str:
    """What stands under a heading, up to the next one of its level or above."""
    found = re.search(rf"^(#+) {re.escape(title)}$", text, re.MULTILINE)
    assert found, f"no section {title!r}"
    rest = text[found.end() :]
    following = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: following.start()] if following else rest


def first_cells(text: str) -> list[str]:
    """The code in the first cell of each row of the tables in ``text``."""
    return re.findall(r"^\| `([^`]+)`", text, re.MULTILINE)


def test_the_readme_lists_every_setting_once() -> None:
    assert sorted(first_cells(section(README, "Settings"))) == sorted(set(env.names))


def test_the_readme_lists_every_command_of_the_platform_and_no_other() -> None:
    ours = {name for name, app in get_commands().items() if app.startswith("apps.")}
    listed = [cell.split()[0] for cell in first_cells(section(README, "Commands"))]
    assert sorted(listed) == sorted(ours)


def test_every_target_that_the_readme_names_is_in_the_makefile() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)", README))
    assert {"demo", "test", "bench"} <= named
    assert named <= targets


def test_the_permissions_page_is_the_permission_matrix() -> None:
    assert PAGE.read_text(encoding="utf-8") == document(), "run python -m docs.generate_permissions"


def finding_kinds() -> set[str]:
    """The third argument of each ``findings.add(table, record, kind, detail)``."""
    kinds = set()
    for path in (ROOT / "apps" / "audit").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr == "add" and len(node.args) == 4:
                assert isinstance(node.args[2], ast.Constant), f"{path}:{node.lineno}"
                kinds.add(node.args[2].value)
    return kinds


def test_the_trails_page_explains_every_kind_of_finding() -> None:
    page = (ROOT / "docs" / "audit-trail.md").read_text()
    listed = first_cells(section(page, "What a finding means, and what to do"))
    assert len(listed) == len(set(listed))
    assert set(listed) == finding_kinds()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_documents_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_of_this_repository_that_a_document_names_exists(page: Path) -> None:
    named = r"`((?:apps|docs|docker|fixtures|tests|hitl_platform|requirements)/[\w./-]+)`"
    for path in re.findall(named, page.read_text()):
        assert (ROOT / path).exists(), path


def test_decisions_are_numbered_without_a_gap() -> None:
    names = sorted(path.name for path in (ROOT / "docs" / "decisions").glob("*.md"))
    numbers = [int(name[:4]) for name in names]
    assert numbers == list(range(1, len(names) + 1))
