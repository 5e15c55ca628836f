"""Making an evidence bundle: sealed, streamed, recorded, and only then under its name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from django.conf import settings
from django.db import transaction

from apps.accounts.callers import Caller
from apps.audit import keys, ledger, sealing
from apps.audit.domain.checkpoint import sign_note
from apps.audit.events import Event, record_event
from apps.common.errors import BadInput, Conflict, LedgerBroken, NotPermitted
from apps.common.saving import refuse_unstorable
from apps.exports import formats as table
from apps.exports.domain.bundle import BundleContent, View, write_bundle
from apps.exports.formats.selection import Selection
from apps.exports.selectors import (
    EXPORT_MADE,
    ExportFilter,
    check_filter,
    described,
    earlier_sizes,
    matching_leaves,
    read_records,
)
from apps.exports.spool import Spool
from apps.exports.verifier import verifier_source
from apps.registry.access import require_right
from apps.registry.models import DecisionRight

ACTION, RIGHT = "audit.export", "export"
LONGEST_PURPOSE = 500
READ, SHOWN = 0.4, 0.8  # of the work: what is done when records are read, and when views are made
TOLD_EVERY = 1_000
T = TypeVar("T")
README = Path(__file__).with_name("bundle_readme.txt")


@dataclass(frozen=True, slots=True)
class ExportResult:
    """A bundle that was made. ``root`` and ``sha256`` (of the file) in hexadecimal."""

    path: Path
    records: int
    tree_size: int
    root: str
    sha256: str
    formats: tuple[str, ...]
    filters: Mapping[str, Any]


def export_audit(
    *,
    caller: Caller,
    filters: ExportFilter,
    out: Path,
    formats: Sequence[str] = table.DEFAULT,
    purpose: str = "",
    payloads: bool = False,
    progress: Callable[[float], None] = lambda share: None,
) -> ExportResult:
    """Write the bundle of the records that ``filters`` describes to ``out``.

    What is pending is sealed first. The export is itself a record; the file takes its name only
    after that record is written, so that no bundle goes out unrecorded. On any failure there is no
    file. ``progress`` is told how far it is, 0 to 1. Raises NotPermitted, BadInput, NotFound,
    Conflict (``out`` cannot be written), and LedgerBroken when the records do not lead to the
    signed checkpoint.
    """
    require_export(caller, filters.use_case)
    names = checked_formats(formats)
    check_purpose(purpose)
    if payloads:
        raise Conflict("payloads were asked for, but no payload content is stored here")
    check_filter(filters)
    with _workshop(out) as folder:
        sealing.seal_all()
        bundle = folder / "bundle.zip"
        result = _make(filters, names, folder, bundle, out, progress)
        _record(caller, result, purpose)
        bundle.replace(out)
        _flush_folder(out.parent)
    return result


def require_export(caller: Caller, use_case: str | None) -> None:
    """Whether the caller may export this use case; without one, whether it may export every one.

    A bundle never leaves out in silence what its maker may not see: it is refused instead.
    """
    if use_case is not None:
        require_right(caller, ACTION, use_case)
        return
    caller.require(ACTION)
    allowed = caller.visible(ACTION)
    if allowed is not None:
        where = ", ".join(sorted(allowed))
        words = f"{caller.actor.name} may export {where} alone: name the use case"
        raise NotPermitted(words, action=ACTION)
    held = DecisionRight.objects.filter(right=RIGHT).order_by("use_case_id")
    for slug in held.values_list("use_case_id", flat=True).distinct():
        require_right(caller, ACTION, slug)


def checked_formats(names: Sequence[str]) -> tuple[str, ...]:
    """In the table's order: the order in which they were asked for is no difference."""
    for name in names:
        if name not in table.FORMATS:
            allowed = ", ".join(table.FORMATS)
            raise BadInput(f"{name!r} is not a format; allowed: {allowed}", "/formats")
    return tuple(name for name in table.FORMATS if name in names)


def check_purpose(purpose: str) -> None:
    refuse_unstorable(purpose=purpose)
    if len(purpose) > LONGEST_PURPOSE:
        words = f"{len(purpose)} characters; at most {LONGEST_PURPOSE} are allowed"
        raise BadInput(words, "/purpose")


@contextmanager
def _workshop(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` that goes whatever happens, so that the last step is a rename."""
    if out.is_dir():
        raise BadInput(f"{str(out)!r} is a folder; name a file", "/out")
    try:
        with TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
            yield Path(folder)
    except OSError as error:
        raise Conflict(f"{str(out)!r} cannot be written: {error.strerror or error}") from error


def _make(
    wanted: ExportFilter,
    names: Sequence[str],
    folder: Path,
    bundle: Path,
    out: Path,
    progress: Callable[[float], None],
) -> ExportResult:
    head = ledger.checked_head()
    leaves = matching_leaves(wanted)
    asked = described(wanted)
    try:
        records = read_records(leaves, head.tree_size)
        total = leaves.filter(index__lt=head.tree_size).count()
        spool = Spool(folder / "records", _told(records, total, READ, progress))
        count = _write(spool, asked, names, head, bundle, progress)
    except (ValueError, LookupError) as error:
        raise LedgerBroken(
            f"the records do not lead to the checkpoint of {head.tree_size} leaves: {error}; "
            "no bundle was made: run manage.py verify_audit --full"
        ) from error
    with bundle.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    return ExportResult(
        out, count, head.tree_size, head.root_hash.hex(), digest, tuple(names), asked
    )


def _write(
    spool: Spool,
    asked: Mapping[str, Any],
    names: Sequence[str],
    head: ledger.Head,
    bundle: Path,
    progress: Callable[[float], None],
) -> int:
    known = tuple(reversed(keys.known_keys()))
    selection = Selection(spool, asked, head, known[0])
    content = BundleContent(
        checkpoint_note=head.note,
        earlier_sizes=earlier_sizes(head.tree_size),
        keys=known,
        filters=asked,
        readme=README.read_text(encoding="utf-8"),
        verifier=verifier_source(),
        views=_views(selection, names, bundle.parent, progress),
    )
    private = keys.signing_key()
    with bundle.open("wb") as file:
        return write_bundle(
            file,
            _told(spool.leaves(), spool.count, 1 - SHOWN, progress, begins=SHOWN),
            ledger.read_nodes,
            content,
            lambda text: sign_note(text, settings.LEDGER_ORIGIN, private),
        )


def _views(
    selection: Selection,
    names: Sequence[str],
    folder: Path,
    progress: Callable[[float], None],
) -> dict[str, View]:
    made = {}
    for place, name in enumerate(names):
        member, write = table.FORMATS[name]
        if write is not None:
            progress(READ + (SHOWN - READ) * place / len(names))
            made[member] = write(selection, folder / member)
    return made


def _told(
    rows: Iterable[T],
    total: int,
    share: float,
    progress: Callable[[float], None],
    *,
    begins: float = 0.0,
) -> Iterator[T]:
    """``rows``, with word of the ``share`` of the whole work that they are."""
    for done, row in enumerate(rows):
        if done % TOLD_EVERY == 0:
            progress(begins + share * done / max(total, 1))
        yield row


def _record(caller: Caller, result: ExportResult, purpose: str) -> None:
    """Who took what out; later bundles prove their consistency with the size named here."""
    detail = {
        "filter": dict(result.filters),
        "formats": list(result.formats),
        "records": result.records,
        "tree_size": result.tree_size,
        "root": result.root,
        "sha256": result.sha256,
        "purpose": purpose,
    }
    use_case = result.filters["use_case"] or ""
    event = Event(EXPORT_MADE, caller.actor, ACTION, result.path.name, use_case, detail)
    with transaction.atomic(durable=True):
        record_event(event)


def _flush_folder(folder: Path) -> None:
    """The new name survives a power cut, as the record of it does."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
