"""Cells as rows: packed by content, and which are in force on which day."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import date
from typing import NamedTuple

from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.audit import ledger
from apps.metrics.cells.families import axes_of
from apps.metrics.domain.packing import pack
from apps.metrics.domain.tables import Table
from apps.metrics.models import CellBlob, DayCells


class Built(NamedTuple):
    """The cells of some decisions: how many, and family -> table name -> table."""

    rows: int
    tables: Mapping[str, Mapping[str, Table]]


class Packed(NamedTuple):
    """One family's cells of one day as bytes, and their hash."""

    day: date
    family: str
    hash: str
    data: bytes


def packed(day: date, built: Built) -> list[Packed]:
    """The families of a day, packed."""
    found = []
    for family, tables in built.tables.items():
        data = pack(tables, axes_of(family, tables))
        found.append(Packed(day, family, hashlib.sha256(data).hexdigest(), data))
    return found


def keep_blobs(cells: Iterable[Packed]) -> None:
    """Store what is not stored yet; in the order of the hashes, so that two never wait for each
    other."""
    wanted = {one.hash: one.data for one in cells}
    known = set(CellBlob.objects.filter(hash__in=wanted).values_list("hash", flat=True))
    for key in sorted(wanted.keys() - known):
        try:
            with transaction.atomic():
                CellBlob(hash=key, data=wanted[key]).save()
        except IntegrityError:
            continue  # another worker has stored the same content meanwhile


def day_store(use_case: str, day: date, built: Built, basis: str) -> bool:
    """Put a day's cells in force, in the caller's transaction; what is equal stays as it is.

    Returns: whether anything has changed.
    """
    rows = {row.family: row for row in DayCells.objects.filter(use_case_id=use_case, day=day)}
    cells = packed(day, built) if built.rows else []
    gone = rows.keys() - {one.family for one in cells}
    changed = bool(gone)
    for family in gone:
        rows[family].delete()
    keep_blobs(cells)
    head, now = ledger.head(), timezone.now()
    for one in cells:
        row = rows.get(one.family)
        if row is not None and (row.blob_id, row.basis) == (one.hash, basis):
            continue
        changed = True
        row = row or DayCells(use_case_id=use_case, day=day, family=one.family)
        row.blob_id, row.basis, row.rows = one.hash, basis, built.rows
        row.tree_size = 0 if head is None else head.tree_size
        row.built_at = now
        row.save()
    return changed
