"""``decisions/batch/`` and how every batch is answered: line by line, written while it is taken in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from django.http import StreamingHttpResponse
from rest_framework.renderers import JSONRenderer

from apps.accounts.callers import Caller
from apps.api.operations import ApiView, RawBody, operation
from apps.api.problems import record_refusal
from apps.api.raw_bodies import IN_MEMORY, PIECE, BatchParser
from apps.api.renderers import LINES, LinesRenderer
from apps.api.v1.decision_access import use_case_to_send_to
from apps.api.v1.decision_documents import BatchDocument, BatchLine, DecisionBody
from apps.common.errors import BadInput, FieldError, NotPermitted
from apps.registry.models import UseCase
from apps.workflow.batch import EMPTY, Counts, take_batch
from apps.workflow.taken import Taken

ERRORS_A_LINE = 20  # a line may have a thousand faults; these are enough to see what it is
JSON = "application/json"


class Doors:
    """Which use cases a caller may send to, asked once a batch; what was refused is recorded."""

    def __init__(self, request: Any, action: str) -> None:
        self.request, self.action = request, action
        self.refused: set[str] = set()
        self._found: dict[str, UseCase | BadInput] = {}

    def __call__(self, slug: str) -> UseCase:
        if slug not in self._found:
            self._found[slug] = self._ask(slug)
        found = self._found[slug]
        if isinstance(found, BadInput):
            raise found
        return found

    def _ask(self, slug: str) -> UseCase | BadInput:
        try:
            return use_case_to_send_to(self.request.user, slug, self.action)
        except NotPermitted as refusal:
            self.refused.add(slug)
            return BadInput(str(refusal), "/use_case")
        except BadInput as fault:
            return fault

    def record_refusals(self) -> None:
        """After the batch's own transaction."""
        for slug in sorted(self.refused):
            record_refusal(self.request, "permission_refused", self.action, slug)


class BatchAnswer:
    """The answer as it grows, in a temporary file: ``each_line`` tells every line, else faults."""

    def __init__(self, *, each_line: bool) -> None:
        self.each_line = each_line
        self.file: IO[bytes] = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 (the response closes it)

    def restart(self) -> None:
        self.file.seek(0)
        self.file.truncate()
        self._separator = b""
        if not self.each_line:
            self.file.write(b'{"rejected":[')

    def line(self, line: int, taken: Taken | tuple[FieldError, ...]) -> None:
        errors = taken.errors if isinstance(taken, Taken) else taken
        if errors:
            self._write({"line": line, "errors": _faults(errors)})
        elif self.each_line and isinstance(taken, Taken):
            told = ("id", "external_id", "lane", "status", "final_output")
            self._write({"line": line, **{name: getattr(taken, name) for name in told}})

    def _write(self, entry: dict[str, Any]) -> None:
        text = json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode()
        if self.each_line:
            self.file.write(text + b"\n")
        else:
            self.file.write(self._separator + text)
            self._separator = b","

    def response(self, counts: Counts) -> StreamingHttpResponse:
        summary: dict[str, Any] = {"accepted": counts.accepted, "duplicates": counts.duplicates}
        if counts.lanes is not None:
            summary["lanes"] = dict(sorted(counts.lanes.items()))
        if self.each_line:
            self._write({**summary, "rejected": counts.rejected})
        else:
            self.file.write(b"]," + json.dumps(summary, separators=(",", ":")).encode()[1:])
        size = self.file.tell()
        return StreamingHttpResponse(
            _content(self.file),
            content_type=LINES if self.each_line else JSON,
            headers={"Content-Length": str(size)},
        )


def _content(file: IO[bytes]) -> Iterator[bytes]:
    """The file from its beginning; at the end of it, or of the reader's interest, it is closed."""
    with file:
        file.seek(0)
        while piece := file.read(PIECE):
            yield piece


def _faults(errors: tuple[FieldError, ...]) -> list[dict[str, str]]:
    shown = errors[:ERRORS_A_LINE]
    return [{"pointer": error.pointer, "detail": error.detail} for error in shown]


def batch_answer(
    request: Any, raw: Any, action: str, take: Callable[[IO[bytes], Doors, BatchAnswer], Counts]
) -> StreamingHttpResponse:
    """Run ``take`` over the lines of ``raw`` and answer as the request accepts it."""
    if not hasattr(raw, "seek"):  # a request without a body has nothing to parse
        raise BadInput(EMPTY)
    doors = Doors(request, action)
    answer = BatchAnswer(each_line=request.accepted_renderer.media_type == LINES)
    try:
        counts = take(raw, doors, answer)
    except BaseException:
        answer.file.close()
        raise
    finally:
        doors.record_refusals()
    return answer.response(counts)


class DecisionBatchView(ApiView):
    actions = {"POST": "decision.submit"}
    parser_classes = [BatchParser]
    renderer_classes = [JSONRenderer, LinesRenderer]

    @operation(
        "Send many decisions in",
        returns=BatchDocument,
        raw=RawBody(LINES, DecisionBody),
        lines=BatchLine,
        keyed=True,
        problems={409, 503},
    )
    def post(self, caller: Caller, raw: Any) -> StreamingHttpResponse:
        """One decision a line, of one use case or several, at most 50,000 lines and 64 MiB. A bad
        line stops no other; the good ones are committed together."""

        def take(source: IO[bytes], doors: Doors, answer: BatchAnswer) -> Counts:
            return take_batch(actor=caller.actor, source=source, find=doors, told=answer)

        return batch_answer(self.request, raw, "decision.submit", take)
