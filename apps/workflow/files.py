"""A file of records taken in, chunk by chunk, so that a kill anywhere loses and repeats nothing.

Each chunk is one transaction that writes its rows and moves the file's mark and counts: after a
kill both are there or neither, and the next run goes on behind the mark. A file that came to its
end is read anew: what is there already is a duplicate then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any, Generic, Protocol, TypeVar

from django.db import transaction
from django.utils import timezone

from apps.common.actor import Actor, require_actor
from apps.common.errors import Conflict, NotFound
from apps.common.saving import refuse_unstorable
from apps.decisions.domain.readers import Progress
from apps.decisions.domain.schema import DecisionSchema
from apps.decisions.models import IngestRun
from apps.registry.models import UseCase
from apps.workflow.arrivals import decision_schema
from apps.workflow.lines import Chunk, LineReader, Packing, RecordFile
from apps.workflow.read_ahead import chunks_ahead, collecting_rarely
from apps.workflow.rejections import RejectedFile, Rejection
from apps.workflow.taken import Taken

T = TypeVar("T")
Told = Callable[[Progress], None]
SHOWN_IN_DRY_RUN = 20


class Intake(Protocol[T]):
    """What one kind of record does with its lines.

    ``variant`` tells apart two ways of taking in the same file; ``reads_all``: earlier lines bear
    on later ones, so a resumed run checks them again; ``packing``: None where records go to another
    process as they are.
    """

    variant: str
    reads_all: bool
    packing: Packing | None

    def check(self, line: int, body: dict[str, Any]) -> T:
        """The record of a line, without the database; BadInput names what is wrong with it."""

    def make_ready(self) -> None:
        """Before each chunk, outside its transaction."""

    def take(self, actor: Actor, records: Sequence[tuple[int, T]]) -> Sequence[Taken]:
        """Write records, in the caller's transaction, and say what became of each."""

    def preview(self, records: Sequence[tuple[int, T]]) -> Sequence[Taken]:
        """What would become of each; nothing is written."""


@dataclass(slots=True)
class Report:
    """What a run came to, the lines before a resumption included."""

    file: str
    use_case: str
    records: str
    dry_run: bool
    accepted: int = 0
    duplicates: int = 0
    rejected: int = 0
    repeats: int = 0
    resumed_after: int | None = None
    rejected_file: str | None = None
    rejections_lost: bool = False

    def document(self) -> dict[str, Any]:
        return asdict(self)

    def count(self, accepted: int, duplicates: int, rejected: int) -> None:
        self.accepted += accepted
        self.duplicates += duplicates
        self.rejected += rejected


def use_case_of(slug: str) -> UseCase:
    refuse_unstorable(use_case=slug)
    found = UseCase.objects.filter(slug=slug).first()
    if found is None:
        raise NotFound(f"there is no use case {slug!r}")
    return found


class FileRun(Generic[T]):
    """One pass over one file. ``tell`` hears of the progress after each chunk; ``show`` is given
    the first rejections of a dry run, which leaves no file of them."""

    def __init__(
        self, *, actor: Actor, file: RecordFile, use_case: UseCase, intake: Intake[T]
    ) -> None:
        self.actor = require_actor(actor)
        self.file, self.intake = file, intake
        self.slug = use_case.slug
        self.schema: DecisionSchema = decision_schema(use_case)
        self.rejected = RejectedFile(file.path)

    def run(self, tell: Told) -> Report:
        """Take the file in, or the rest of it."""
        identity = self.file.identity(self.slug, self.intake.variant)
        run = self._begun(identity)
        self.rejected.run = f"{self.file.records}-{identity[:16]}"
        report = self._report(run)
        report.rejections_lost = self.rejected.cut(run.line) < run.rejected
        with collecting_rarely(), closing(self._reader(run.line)) as reader:
            for chunk in self._chunks(reader, tell):
                self._take(run, chunk)
            report.repeats = reader.repeats
        self._finish(run)
        report.count(run.accepted, run.duplicates, run.rejected)
        report.rejected_file = str(self.rejected.path) if run.rejected else None
        return report

    def dry_run(self, tell: Told, show: Callable[[Rejection], None]) -> Report:
        """What ``run`` would come to, were the file new; nothing is written."""
        report = Report(str(self.file.path), self.slug, self.file.records, True)
        with closing(self._reader(0)) as reader:
            for chunk in self._chunks(reader, tell):
                taken = self.intake.preview(chunk.records)
                rejections = _rejections(chunk, taken)
                for rejection in rejections[: max(0, SHOWN_IN_DRY_RUN - report.rejected)]:
                    show(rejection)
                report.count(*_counts(taken), len(rejections))
            report.repeats = reader.repeats
        return report

    def _report(self, run: IngestRun) -> Report:
        resumed = run.line or None
        return Report(
            str(self.file.path), self.slug, self.file.records, False, resumed_after=resumed
        )

    def _reader(self, resume_after: int) -> LineReader[T]:
        return LineReader(
            self.file,
            self.intake.check,
            schema=self.schema,
            resume_after=resume_after,
            reads_all=self.intake.reads_all,
            packing=self.intake.packing,
        )

    @staticmethod
    def _chunks(reader: LineReader[T], tell: Told) -> Iterator[Chunk[T]]:
        with closing(chunks_ahead(reader)) as chunks:
            for chunk in chunks:
                yield chunk
                if chunk.progress is not None:
                    tell(chunk.progress)

    @transaction.atomic
    def _begun(self, identity: str) -> IngestRun:
        """The run of this file: a new one, the one that was cut off, or one begun anew."""
        key = {"use_case": self.slug, "kind": self.file.records, "file_hash": identity}
        run, _created = IngestRun.objects.get_or_create(
            **key, defaults={"updated_at": timezone.now()}
        )
        run = IngestRun.objects.select_for_update().get(pk=run.pk)
        if run.finished:
            run.line = run.accepted = run.duplicates = run.rejected = 0
            run.finished, run.updated_at = False, timezone.now()
            run.save()
        return run

    def _take(self, run: IngestRun, chunk: Chunk[T]) -> None:
        self.intake.make_ready()
        with transaction.atomic(durable=True):
            self._lock(run)
            taken = self.intake.take(self.actor, chunk.records) if chunk.records else []
            rejections = _rejections(chunk, taken)
            self.rejected.write(rejections)
            accepted, duplicates = _counts(taken)
            run.line = chunk.last
            run.accepted += accepted
            run.duplicates += duplicates
            run.rejected += len(rejections)
            run.updated_at = timezone.now()
            run.save()

    def _lock(self, run: IngestRun) -> None:
        """Nobody else takes this file in, and lines are held to the use case as it is now."""
        held = IngestRun.objects.select_for_update().get(pk=run.pk)
        if (held.line, held.finished) != (run.line, False):
            raise Conflict(f"{self.file.path} is being taken in by another process")
        if decision_schema(use_case_of(self.slug)) != self.schema:
            raise Conflict(f"{self.slug} was changed meanwhile: run the command again to go on")

    @transaction.atomic
    def _finish(self, run: IngestRun) -> None:
        self._lock(run)
        run.finished, run.updated_at = True, timezone.now()
        run.save()


def _counts(taken: Sequence[Taken]) -> tuple[int, int]:
    states = [one.state for one in taken]
    return states.count("accepted"), states.count("duplicate")


def _rejections(chunk: Chunk[T], taken: Sequence[Taken]) -> list[Rejection]:
    """Every line of the chunk that is not taken in, in the order of the file."""
    faults = dict(chunk.faults)
    faults.update((one.position, one.errors) for one in taken if one.state == "rejected")
    return [(line, faults[line], chunk.row_text(line)) for line in sorted(faults)]
