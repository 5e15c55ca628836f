"""Cells as tables: columns of texts and numbers. ``packing`` writes them as bytes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Numbers = Ints | Floats

NONE: Final = -1  # the code of a text that is not there
KEYS_AT_MOST: Final = 2**62


@dataclass(frozen=True, slots=True)
class Text:
    """A column of texts: ``codes``, shape (R,), into ``names``; NONE where there is none."""

    codes: Ints
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells by column: ``texts`` and ``numbers``, each of ``length`` rows."""

    texts: Mapping[str, Text]
    numbers: Mapping[str, Numbers]
    length: int

    def __len__(self) -> int:
        return self.length

    def ints(self, name: str) -> Ints:
        """The whole numbers of a column. Raises: ValueError where it holds others."""
        found: Ints = self._numbers(name, np.int64)
        return found

    def floats(self, name: str) -> Floats:
        """The numbers of a column that need not be whole. Raises: ValueError where they are."""
        found: Floats = self._numbers(name, np.float64)
        return found

    def _numbers(self, name: str, kind: type[Any]) -> Any:
        if name not in self.numbers:
            raise ValueError(f"there is no column {name!r}; there are {sorted(self.numbers)}")
        column = self.numbers[name]
        if column.dtype != kind:
            raise ValueError(f"column {name!r} holds {column.dtype}, not {np.dtype(kind)}")
        return column


def text_of(values: Sequence[str | None]) -> Text:
    """A column of texts, its names sorted. Parameters: ``values``, None where there is none."""
    names = tuple(sorted({value for value in values if value is not None}))
    at: dict[str | None, int] = {name: code for code, name in enumerate(names)}
    at[None] = NONE
    codes = np.fromiter((at[value] for value in values), np.int64, len(values))
    return Text(codes, names)


def table_of(
    texts: Mapping[str, Sequence[str | None]],
    ints: Mapping[str, Sequence[int] | Ints] | None = None,
    floats: Mapping[str, Sequence[float] | Floats] | None = None,
) -> Table:
    """A table of plain columns, its rows sorted.

    Parameters: ``texts``, ``ints``, ``floats``: column name -> R values.
    Returns: Table. Raises: ValueError: the columns differ in length, or a name stands twice.
    """
    columns: dict[str, Numbers] = {}
    for name, whole in (ints or {}).items():
        columns[name] = np.asarray(whole, dtype=np.int64)
    for name, values in (floats or {}).items():
        columns[name] = np.asarray(values, dtype=np.float64)
    return ordered(table_from({name: text_of(each) for name, each in texts.items()}, columns))


def table_from(texts: Mapping[str, Text], numbers: Mapping[str, Numbers]) -> Table:
    """A table of columns as they are, in their order.

    Raises: ValueError: the columns differ in length, or a name stands twice.
    """
    twice = sorted(set(texts) & set(numbers))
    if twice:
        raise ValueError(f"a text and a number have the same name: {twice}")
    sizes = {name: len(text.codes) for name, text in texts.items()}
    sizes |= {name: len(column) for name, column in numbers.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(f"the columns differ in length: {sizes}")
    return Table(dict(texts), dict(numbers), next(iter(sizes.values()), 0))


def empty_table(
    texts: Iterable[str], ints: Iterable[str] = (), floats: Iterable[str] = ()
) -> Table:
    """A table without a row. Parameters: the names of its columns by what they hold."""
    return table_of(dict.fromkeys(texts, ()), dict.fromkeys(ints, ()), dict.fromkeys(floats, ()))


def labels(table: Table, column: str) -> list[str | None]:
    """The texts of a column, row by row; None where there is none."""
    text = table.texts[column]
    return [None if code == NONE else text.names[code] for code in text.codes.tolist()]


def codes_by(table: Table, column: str, names: Sequence[str]) -> Ints:
    """A column's codes into ``names`` instead of its own; NONE where a text is not among them.

    Parameters: ``names``, each once. Returns: shape (R,).
    """
    at = {name: code for code, name in enumerate(names)}
    text = table.texts[column]
    codes = np.array([at.get(name, NONE) for name in text.names] + [NONE], dtype=np.int64)
    return codes[text.codes]


def where(table: Table, mask: Mask | Ints) -> Table:
    """The rows of a mask of shape (R,), or of row numbers, in their order."""
    whole = mask.dtype == np.bool_
    taken = int(np.count_nonzero(mask)) if whole else len(mask)
    if whole and taken == table.length:
        return table
    texts = {name: Text(text.codes[mask], text.names) for name, text in table.texts.items()}
    numbers: dict[str, Numbers] = {name: column[mask] for name, column in table.numbers.items()}
    return Table(texts, numbers, taken)


def ordered(table: Table) -> Table:
    """The same rows, sorted by texts, then by numbers, columns by name; unused names left out."""
    texts = {name: _used(table.texts[name]) for name in sorted(table.texts)}
    numbers = {name: _plain(table.numbers[name]) for name in sorted(table.numbers)}
    keys = [*(text.codes for text in texts.values()), *numbers.values()]
    found = Table(texts, numbers, table.length)
    if not keys or table.length < 2:
        return found
    order = np.lexsort(keys[::-1])
    if bool((order[1:] > order[:-1]).all()):
        return found
    return where(found, order.astype(np.int64))


def _used(text: Text) -> Text:
    """The names that occur, sorted, and the codes into them."""
    counts = np.bincount(text.codes[text.codes >= 0], minlength=len(text.names))
    kept = sorted(name for name, n in zip(text.names, counts.tolist(), strict=True) if n)
    if tuple(kept) == text.names:
        return text
    return _recoded(text, {name: code for code, name in enumerate(kept)}, tuple(kept))


def _recoded(text: Text, at: Mapping[str, int], names: tuple[str, ...]) -> Text:
    codes = np.array([at.get(name, NONE) for name in text.names] + [NONE], dtype=np.int64)
    return Text(codes[text.codes], names)


def _plain(column: Numbers) -> Numbers:
    """Without a negative zero, which is equal to zero but not the same bytes."""
    if column.dtype != np.float64:
        return column
    plain: Floats = np.asarray(column + 0.0, dtype=np.float64)
    return plain


def concat(tables: Sequence[Table]) -> Table:
    """One table of the rows of several, in their order.

    Definition: the names of a text column are united in sorted order, and its codes written anew.
    Parameters: ``tables``, at least one (see ``empty_table``), all of the same columns.
    Returns: Table. Raises: ValueError: there is none, or a column is missing in one.
    """
    if not tables:
        raise ValueError("there is no table to join; an empty one needs the names of its columns")
    first = tables[0]
    if len(tables) == 1:
        return first
    for table in tables[1:]:
        different = (table.texts.keys() ^ first.texts.keys()) | (
            table.numbers.keys() ^ first.numbers.keys()
        )
        if different:
            raise ValueError(f"not all tables have the columns {sorted(different)}")
    texts = {name: _joined([table.texts[name] for table in tables]) for name in first.texts}
    numbers: dict[str, Numbers] = {}
    for name in first.numbers:
        numbers[name] = np.concatenate([table.numbers[name] for table in tables])
    return table_from(texts, numbers)


def _joined(parts: Sequence[Text]) -> Text:
    if all(part.names == parts[0].names for part in parts):
        return Text(np.concatenate([part.codes for part in parts]), parts[0].names)
    names = tuple(sorted({name for part in parts for name in part.names}))
    at = {name: code for code, name in enumerate(names)}
    return Text(np.concatenate([_recoded(part, at, names).codes for part in parts]), names)


def collapse(table: Table, by: Collection[str], sums: Collection[str]) -> Table:
    """The rows that are alike in some columns as one, the others added up.

    Definition: GROUP BY ``by``, SUM of ``sums``; columns in neither are left out. Floats are added
    in the order of the rows (nan among ``by`` is equal to itself).
    Parameters: ``by``: texts and numbers; ``sums``: numbers.
    Returns: Table, its rows sorted. Raises: ValueError: there is no such column.
    """
    missing = sorted({*by, *sums} - table.texts.keys() - table.numbers.keys())
    if missing:
        raise ValueError(f"there is no column {missing}")
    keys, rest = groups_of(table, by)
    texts = {
        name: Text(table.texts[name].codes[keys], table.texts[name].names)
        for name in by
        if name in table.texts
    }
    numbers: dict[str, Numbers] = {
        name: table.numbers[name][keys] for name in by if name in table.numbers
    }
    for name in sums:
        numbers[name] = _sums(table.numbers[name], rest, len(keys))
    return ordered(Table(texts, numbers, len(keys)))


def groups_of(table: Table, by: Collection[str]) -> tuple[Ints, Ints]:
    """Which rows are alike in some columns.

    Parameters: ``by``, names of columns. Returns: the first row of each group, shape (G,), and the
    group of each row, shape (R,).
    """
    key = np.zeros(table.length, dtype=np.int64)
    size = 1
    for name in by:
        codes, n = _codes(table, name)
        if size * n > KEYS_AT_MOST:
            found, key = np.unique(key, return_inverse=True)
            size = len(found)
        key = key * n + codes
        size *= n
    if size <= _listed_at_most(table.length):
        return _groups_listed(key, size)
    _, first, group = np.unique(key, return_index=True, return_inverse=True)
    return first.astype(np.int64), group.astype(np.int64).reshape(-1)


def _listed_at_most(rows: int) -> int:
    """Up to so many possible keys a list of all of them costs less than sorting the rows."""
    return 16 * rows + 4_096


def _groups_listed(key: Ints, size: int) -> tuple[Ints, Ints]:
    """The same by a list of all keys 0..size-1, without sorting."""
    first = np.full(size, NONE, dtype=np.int64)
    first[key[::-1]] = np.arange(len(key) - 1, -1, -1)  # the last one written is the first row
    found = np.flatnonzero(first != NONE)
    at = np.zeros(size, dtype=np.int64)
    at[found] = np.arange(len(found))
    return first[found], at[key]


def _codes(table: Table, name: str) -> tuple[Ints, int]:
    """A column as codes 0..n-1, in the order of its values."""
    if name in table.texts:
        text = table.texts[name]
        return text.codes + 1, len(text.names) + 1
    column = table.numbers[name]
    if column.dtype == np.int64 and len(column):
        low, high = int(column.min()), int(column.max())
        if high - low < _listed_at_most(len(column)):
            return table.ints(name) - low, high - low + 1
    found, codes = np.unique(column, return_inverse=True)
    return codes.astype(np.int64).reshape(-1), max(1, len(found))


def _sums(column: Numbers, group: Ints, groups: int) -> Numbers:
    if column.dtype == np.float64:
        return np.bincount(group, weights=column, minlength=groups).astype(np.float64)
    found = np.zeros(groups, dtype=np.int64)
    np.add.at(found, group, column)
    return found
