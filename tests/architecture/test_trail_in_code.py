"""What keeps the trail whole, seen from the code: migrations, schemas, checks, write paths."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.checks import run_checks
from django.core.management import call_command

from apps.audit.checks import tracked_models_can_be_recorded
from apps.audit.sources import sources
from apps.common.models import APPEND_ONLY, TRACKED

ROOT = Path(__file__).resolve().parents[2]
MANAGERS = {"objects", "_base_manager", "_default_manager"}
BULK = {
    "create",
    "update",
    "delete",
    "bulk_create",
    "bulk_update",
    "get_or_create",
    "update_or_create",
    "raw_delete",
    "_raw_delete",
    "_update",
}
QUERYSET = {"all", "filter", "exclude", "select_for_update"}
ONE_ROW = {"get", "first", "last", "latest", "earliest"}
# The one bulk writer of each database writes its own history rows, before the live ones.
BULK_WRITERS = ("apps/decisions/bulk/",)


def test_no_migration_is_missing(db: None) -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_no_record_schema_is_missing(db: None) -> None:
    out = io.StringIO()
    call_command("freeze_schemas", "--check", "--json", stdout=out)
    assert out.getvalue().strip() == '{"added": []}'


def test_every_tracked_model_can_be_recorded() -> None:
    assert len(TRACKED) >= 6
    assert tracked_models_can_be_recorded() == []


def test_the_system_checks_find_nothing(db: None) -> None:
    found = run_checks(databases=["default"])
    assert [one for one in found if not one.is_silenced()] == []


def test_every_tracked_and_sealed_table_is_a_source_of_records() -> None:
    described = {source.live or source.model for source in sources().values()}
    sealed = {model for model in APPEND_ONLY if model.sealed}
    assert described == set(TRACKED) | sealed


def product_modules() -> list[Path]:
    return sorted(
        path
        for folder in ("apps", "hitl_platform", "dashboards")
        for path in (ROOT / folder).rglob("*.py")
        if "migrations" not in path.parts
    )


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def guarded_names() -> set[str]:
    return {model.__name__ for model in (*TRACKED, *APPEND_ONLY)}


def accessors() -> set[str]:
    """``user.role_grants`` and its like: managers that reach tracked rows from elsewhere."""
    return {
        field.remote_field.get_accessor_name()
        for model in TRACKED
        for field in model._meta.concrete_fields
        if field.remote_field is not None and not field.remote_field.hidden
    }


def chain(node: ast.expr) -> tuple[str, list[str]]:
    """``Name.a.b(...).c(...)`` -> ("Name", ["a", "b", "c"]); ("", ...) when it starts otherwise."""
    words: list[str] = []
    while True:
        if isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Attribute):
            words.insert(0, node.attr)
            node = node.value
        else:
            return (node.id if isinstance(node, ast.Name) else ""), words


def bulk_writes(tree: ast.AST, guarded: set[str], reverse: set[str]) -> Iterator[int]:
    """Lines that write guarded rows past the save that records them."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        start, words = chain(node)
        managed = start in guarded and MANAGERS & set(words)
        # An attribute of that name may be a dict elsewhere: a queryset's word makes it a manager.
        managed = managed or (reverse & set(words) and QUERYSET & set(words))
        if managed and words[-1] in BULK and not ONE_ROW & set(words[:-1]):
            yield node.lineno


def raw_writes(tree: ast.AST, tables: set[str]) -> Iterator[int]:
    """Lines with SQL text that changes a guarded table."""
    pattern = re.compile(r"\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+\"?(\w+)", re.IGNORECASE)
    for node in ast.walk(tree):
        is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if is_text and tables & set(pattern.findall(node.value)):
            yield node.lineno


@pytest.mark.parametrize("path", product_modules(), ids=name_of)
def test_no_module_writes_tracked_rows_past_their_record(path: Path) -> None:
    if name_of(path).startswith(BULK_WRITERS):
        return
    tree = ast.parse(path.read_text())
    tables = {model._meta.db_table for model in TRACKED}
    tables |= {model.history.model._meta.db_table for model in TRACKED}
    assert list(bulk_writes(tree, guarded_names(), accessors())) == []
    assert list(raw_writes(tree, tables)) == []


@pytest.mark.parametrize(
    "line",
    [
        "RoleGrant.objects.create(role='x')",
        "RoleGrant.objects.filter(role='x').update(role='y')",
        "RoleGrant._base_manager.all().delete()",
        "UseCase.objects.bulk_create(rows)",
        "user.role_grants.all().delete()",
        "Leaf.objects.filter(index=1).exclude(index=2)._raw_delete('default')",
    ],
)
def test_a_write_past_the_record_would_be_found(line: str) -> None:
    assert list(bulk_writes(ast.parse(line), guarded_names(), accessors())) == [1]


@pytest.mark.parametrize(
    "line",
    [
        "digest.update(b'x')",
        "self.reviews.update(a=1)",
        "RoleGrant.objects.select_for_update().get(pk=1).delete(actor=a, reason=r)",
        "RepeatedEvent.objects.filter(minute=1).delete()",
        "RoleGrant.objects.filter(role='x').exists()",
        "user.role_grants.values_list('role')",
    ],
)
def test_an_ordinary_line_is_not_taken_for_one(line: str) -> None:
    assert list(bulk_writes(ast.parse(line), guarded_names(), accessors())) == []


def test_raw_sql_on_a_tracked_table_would_be_found() -> None:
    tree = ast.parse("""q('UPDATE "registry_usecase" SET slug = 1'); q('SELECT 1')""")
    assert list(raw_writes(tree, {"registry_usecase"})) == [1]
