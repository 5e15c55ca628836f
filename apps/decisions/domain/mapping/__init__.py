"""Mappings: how the columns of a file become decisions, reviews or outcomes.

A mapping is a TOML file. It says where each member of a record comes from; it holds no code.

``records``
    ``"decisions"``, ``"reviews"`` or ``"outcomes"``.
``missing``
    Optional list of cell texts that mean "not known", besides the empty cell.
``once``
    Optional ``{key = "COLUMN"}``: one record for each distinct cell of that column. Later rows of
    the same key are passed over and counted as repeats. The keys seen are held in memory.

Every other member stands where it stands in the record (``external_id``, ``output.label``,
``subject.ref``, ``reviewed_at``, ...) and is a **source**:

``"COLUMN"`` or ``{column = "COLUMN", ...}``
    The cell, with, in this order: ``default`` (taken for an empty cell, and then final);
    then at most one of ``values`` (a table from cell text to value; another text is a fault of
    the row), a threshold (one of ``above``, ``at_least``, ``below``, ``at_most``, with ``then``
    and ``else``) or ``offset`` and ``scale`` ((cell + offset) x scale, in exact decimals);
    then ``cast`` (``number``, ``text``, ``boolean``, ``date``, ``time``) and ``zone`` (``"UTC"`` or
    ``"+02:00"``, for times written without one); then ``prefix``, text put in front.
``{constant = VALUE}``
    The same in every record.
``{one_minus = "LABEL"}``
    In ``output.scores`` alone: 1 minus the score of another label.
``{max_of = "scores"}``
    As ``output.confidence`` alone: the largest score.

A member that takes its type from the record (confidence, scores, times, ...) is cast to it without
being told. A member whose cell is empty is left out. ``output = false`` says that no model has
spoken. No nested member can be named ``column``, ``constant``, ``one_minus`` or ``max_of``.

``features`` and ``subject.attributes`` are tables of their own:

``columns``
    A list of columns, or ``"others"``: every column that nothing else uses.
``rename``
    Table from the feature's name to its column.
``types``
    Table from the feature's name to its cast, where the use case's own type is not to be used.
``more``
    Table from the feature's name to a source.
"""

from apps.decisions.domain.mapping.document import (
    Mapping,
    mapping_from_header,
    mapping_from_tables,
    mapping_from_toml,
)
from apps.decisions.domain.mapping.row_mapper import MappedRow, RowMapper, mapped_rows

__all__ = [
    "MappedRow",
    "Mapping",
    "RowMapper",
    "mapped_rows",
    "mapping_from_header",
    "mapping_from_tables",
    "mapping_from_toml",
]
