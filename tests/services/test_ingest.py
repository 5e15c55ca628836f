"""``ingest``: a file of decisions goes in once, whole, and what does not is named."""

from __future__ import annotations

import json
import multiprocessing
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from apps.audit import sealing
from apps.audit.verification import verify
from apps.decisions.domain.envelope import ValidDecision
from apps.decisions.models import Decision, IngestRun, Payload
from apps.notifications.models import OutboxEvent
from apps.registry.models import AISystem, ModelVersion, UseCase
from apps.registry.services import use_case_update
from apps.reviews.models import ReviewTask
from apps.workflow import files, lines, read_ahead
from apps.workflow.arrivals import Arrival
from apps.workflow.ingest import DecisionIntake
from apps.workflow.rejections import LONGEST_ROW, RejectedFile
from tests.services.files import (
    CHUNK,
    cut_after,
    json_lines,
    pointers,
    rejections,
    run,
    small_chunks,
)
from tests.services.gates import LEAD, arrivals, body, gate

DECIDED = "2026-03-04T05:06:07.5+01:00"
EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples" / "recidivism"
MAP = """
records = "decisions"
external_id = "case"
model = {constant = "scorer"}
model_version = {constant = "1"}
kind = {constant = "label"}
[output]
label = {column = "verdict", values = {"+" = "approve", "-" = "deny"}}
confidence = "sure"
"""


@pytest.fixture
def case(db: None) -> UseCase:
    return gate(policy={"confidence_threshold": 0.5})


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with small_chunks(monkeypatch):
        yield


@pytest.fixture(params=["thread", "process"])
def reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read by a thread, as short files are, and by a process, as long ones are."""
    monkeypatch.setattr(read_ahead, "LONG_BYTES", 0 if request.param == "process" else 1 << 40)


def many(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [body(f"case-{n}", confidence=n % 10 / 10) for n in range(start, start + count)]


def external_ids() -> list[str]:
    return sorted(Decision.objects.values_list("external_id", flat=True))


def test_every_line_of_a_file_becomes_a_decision(case: UseCase, tmp_path: Path) -> None:
    path = json_lines(tmp_path / "d.jsonl", many(20))
    said = run("ingest", path)
    assert (said.code, said.counts) == (0, (20, 0, 0))
    assert external_ids() == sorted(f"case-{n}" for n in range(20))
    # 0.0 to 0.4 twice are below 0.5
    assert Decision.objects.filter(lane="review").count() == ReviewTask.objects.count() == 10
    assert not rejections(path)
    assert Decision.objects.first().submitted_by == "command:suite"


def test_the_use_case_is_added_to_bodies_that_lack_it(case: UseCase, tmp_path: Path) -> None:
    bodies = [{k: v for k, v in one.items() if k != "use_case"} for one in many(3)]
    path = json_lines(tmp_path / "d.jsonl", [*bodies, body("x", use_case="another")])
    assert run("ingest", path).counts == (3, 0, 1)
    assert pointers(path) == {4: ["/use_case"]}


def test_rejected_rows_are_named_and_the_others_go_in(
    case: UseCase, tmp_path: Path, reading: None
) -> None:
    path = json_lines(
        tmp_path / "d.jsonl",
        [
            body("a"),
            '{"external_id": "cut',
            "",
            body("b", label="maybe", amount="-3"),
            body("a", label="deny"),
            body("c", model="two words"),
            body("d"),
        ],
    )
    said = run("ingest", path)
    assert (said.code, said.counts) == (1, (2, 0, 4))
    assert said.document["rejected_file"] == f"{path}.rejected.jsonl"
    assert pointers(path) == {
        2: [""],
        4: ["/output/label", "/amount"],
        5: ["/external_id"],
        6: ["/model"],
    }
    first = rejections(path)[0]
    assert first["row"] == '{"external_id": "cut'
    assert "cut off" in first["errors"][0]["detail"]
    assert not AISystem.objects.filter(name="two words").exists()


def test_a_rejected_row_is_shown_up_to_a_bound(case: UseCase, tmp_path: Path) -> None:
    path = json_lines(tmp_path / "d.jsonl", [body("a", surplus="é" * 20_000)])
    assert run("ingest", path).code == 1
    assert len(rejections(path)[0]["row"]) == LONGEST_ROW


def test_a_file_that_came_to_its_end_is_all_duplicates_the_next_time(
    case: UseCase, tmp_path: Path, small: None
) -> None:
    path = json_lines(tmp_path / "d.jsonl", [*many(25), body("case-3", label="deny")])
    assert run("ingest", path).counts == (25, 0, 1)
    again = run("ingest", path)
    assert (again.code, again.counts) == (1, (0, 25, 1))
    assert again.document["resumed_after"] is None
    assert len(external_ids()) == 25
    assert [r["line"] for r in rejections(path)] == [26]


def test_the_file_of_rejected_rows_goes_when_nothing_is_rejected_any_more(
    case: UseCase, tmp_path: Path
) -> None:
    path = json_lines(tmp_path / "d.jsonl", [body("a", label="later")])
    assert run("ingest", path).code == 1
    use_case_update(actor=LEAD, slug="loan", reason="grows", labels=["approve", "deny", "later"])
    assert run("ingest", path).counts == (1, 0, 0)
    assert not Path(f"{path}.rejected.jsonl").exists()


def test_a_run_that_was_cut_off_goes_on_where_it_stopped(
    case: UseCase, tmp_path: Path, small: None, reading: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = {7, 15, 24, 33}
    bodies = [body(f"c{n}", label="no" if n in bad else "deny") for n in range(1, 41)]
    path = json_lines(tmp_path / "d.jsonl", bodies)
    with cut_after(monkeypatch, DecisionIntake, "take", 2):
        run("ingest", path)
    assert len(external_ids()) == 2 * CHUNK - 2
    said = run("ingest", path)
    assert (said.counts, said.document["resumed_after"]) == ((36, 0, 4), 2 * CHUNK)
    assert [r["line"] for r in rejections(path)] == sorted(bad)
    assert len(external_ids()) == 36
    assert not said.document["rejections_lost"]


def test_rejections_of_a_chunk_that_was_never_committed_are_not_listed_twice(
    case: UseCase, tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies = [body(f"c{n}", label="no" if n % 5 == 0 else "deny") for n in range(1, 41)]
    path = json_lines(tmp_path / "d.jsonl", bodies)
    with cut_after(monkeypatch, RejectedFile, "write", 2):
        run("ingest", path)
    with Path(f"{path}.rejected.jsonl").open("a") as file:
        file.write('{"line": 35, "err')  # what a kill leaves of an entry
    said = run("ingest", path)
    assert said.counts == (32, 0, 8)
    assert [r["line"] for r in rejections(path)] == [5, 10, 15, 20, 25, 30, 35, 40]


def test_a_resumed_run_says_when_its_earlier_rejections_are_gone(
    case: UseCase, tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies = [body("bad", label="no"), *many(30)]
    path = json_lines(tmp_path / "d.jsonl", bodies)
    with cut_after(monkeypatch, DecisionIntake, "take", 1):
        run("ingest", path)
    Path(f"{path}.rejected.jsonl").unlink()
    said = run("ingest", path)
    assert said.counts == (30, 0, 1)
    assert said.document["rejections_lost"]
    assert "cut or moved" in said.words


def test_another_mapping_another_content_and_past_are_other_runs(
    case: UseCase, tmp_path: Path
) -> None:
    path = json_lines(tmp_path / "d.jsonl", many(2))
    run("ingest", path)
    assert run("ingest", path, "--past").counts == (0, 2, 0)
    json_lines(path, many(3))
    assert run("ingest", path).counts == (1, 2, 0)
    assert IngestRun.objects.filter(kind="decisions", finished=True).count() == 3


def test_two_processes_do_not_take_in_the_same_file(
    case: UseCase, tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = json_lines(tmp_path / "d.jsonl", many(40))
    original, seen = files.FileRun._take, [0]

    def overtaken(self: Any, *args: Any) -> None:
        seen[0] += 1
        if seen[0] == 2:
            IngestRun.objects.update(line=39)
        original(self, *args)

    monkeypatch.setattr(files.FileRun, "_take", overtaken)
    with pytest.raises(CommandError, match="another process"):
        run("ingest", path)
    assert len(external_ids()) == CHUNK


def test_lines_are_held_to_the_use_case_as_it_is_now(
    case: UseCase, tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = json_lines(tmp_path / "d.jsonl", many(40))
    original, seen = DecisionIntake.take, [0]

    def changing(self: Any, *args: Any) -> Any:
        taken = original(self, *args)
        seen[0] += 1
        if seen[0] == 1:
            use_case_update(
                actor=LEAD, slug="loan", reason="more", labels=["approve", "deny", "later"]
            )
        return taken

    with monkeypatch.context() as patch:
        patch.setattr(DecisionIntake, "take", changing)
        with pytest.raises(CommandError, match="changed meanwhile"):
            run("ingest", path)
    assert run("ingest", path).counts == (40, 0, 0)


def test_a_dry_run_counts_and_writes_nothing(case: UseCase, tmp_path: Path, small: None) -> None:
    run("ingest", json_lines(tmp_path / "before.jsonl", many(2)))
    before = Decision.objects.count(), IngestRun.objects.count()
    bodies = [
        *many(12),
        body("case-1", label="deny"),
        body("new", model_version="2"),
        body("new", model_version="2"),
        body("new", model_version="3"),
        body("bad", label="no"),
        body("worse", model="a b"),
    ]
    path = json_lines(tmp_path / "d.jsonl", bodies)
    said = run("ingest", path, "--dry-run")
    # cases 2 to 11 and "new" are new; cases 0, 1 and the second "new" are there; four are refused
    assert (said.code, said.counts) == (1, (11, 3, 4))
    assert (Decision.objects.count(), IngestRun.objects.count()) == before
    assert ModelVersion.objects.count() == 1
    assert not Path(f"{path}.rejected.jsonl").exists()
    assert "line 17: /output/label" in said.words
    assert run("ingest", path).counts == (11, 3, 4)


def test_a_dry_run_refuses_undeclared_versions_as_the_run_does(db: None, tmp_path: Path) -> None:
    gate(models_mode="declared")
    path = json_lines(tmp_path / "d.jsonl", many(2))
    assert run("ingest", path, "--dry-run").counts == run("ingest", path).counts == (0, 0, 2)


def test_past_decisions_are_released_and_nobody_is_asked_or_told(
    case: UseCase, tmp_path: Path
) -> None:
    path = json_lines(tmp_path / "d.jsonl", many(20))
    assert run("ingest", path, "--past").counts == (20, 0, 0)
    assert set(Decision.objects.values_list("status", "past")) == {("released", True)}
    assert Decision.objects.filter(lane="review").count() == 10
    assert not ReviewTask.objects.exists()
    assert not OutboxEvent.objects.filter(decision__isnull=False).exists()


def test_csv_and_parquet_and_a_mapping_give_the_same_decisions(
    case: UseCase, tmp_path: Path
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    mapping = tmp_path / "map.toml"
    mapping.write_text(MAP)
    table = {"case": ["a", "b"], "verdict": ["+", "-"], "sure": [0.75, 0.25]}
    pq.write_table(pa.table(table), tmp_path / "d.parquet")
    rows = "".join(f"{c};{v};{s}\n" for c, v, s in zip(*table.values(), strict=True))
    (tmp_path / "d.csv").write_text("case;verdict;sure\n" + rows)
    assert run("ingest", tmp_path / "d.csv", "--map", str(mapping)).counts == (2, 0, 0)
    assert run("ingest", tmp_path / "d.parquet", "--map", str(mapping)).counts == (0, 2, 0)
    bodies = [{"case": c, "verdict": v, "sure": s} for c, v, s in zip(*table.values(), strict=True)]
    path = json_lines(tmp_path / "d.jsonl", bodies)
    assert run("ingest", path, "--map", str(mapping)).counts == (0, 2, 0)
    values = Decision.objects.order_by("external_id").values_list("label", "confidence")
    assert list(values) == [("approve", 0.75), ("deny", 0.25)]


def test_a_csv_whose_columns_bear_the_members_names_needs_no_mapping(
    case: UseCase, tmp_path: Path
) -> None:
    path = tmp_path / "d.csv"
    path.write_text(
        "external_id,model,model_version,kind,label,confidence,feature.region\n"
        'a,scorer,1,label,approve,0.8,"north, or\nso"\n'
        "b,scorer,1,label,approve,high,south\n"
    )
    assert run("ingest", path).counts == (1, 0, 1)
    assert pointers(path) == {4: ["/output/confidence"]}
    assert json.loads(Payload.objects.get().features) == {"region": "north, or\nso"}


def test_the_real_file_gives_its_thousand_people_once(
    db: None, tmp_path: Path, shared: Path
) -> None:
    document = json.loads((EXAMPLES / "use_case.json").read_text())["use_case"]
    models = document.pop("models")
    gate(policy={"confidence_threshold": 0.6}, models_mode=models, **document)
    path = tmp_path / "judgements.csv"
    path.write_bytes((shared / "data" / "recidivism-judgements.csv").read_bytes())
    words = ("--map", str(EXAMPLES / "decisions.toml"), "--past")
    said = run("ingest", path, *words, use_case="recidivism-risk")
    assert (said.code, said.counts, said.document["repeats"]) == (0, (1_000, 0, 0), 18_760)
    again = run("ingest", path, *words, use_case="recidivism-risk")
    assert (again.counts, again.document["repeats"]) == ((0, 1_000, 0), 18_760)


def test_one_record_a_key_survives_a_cut(
    case: UseCase, tmp_path: Path, small: None, reading: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    mapping = tmp_path / "map.toml"
    mapping.write_text(MAP.replace('"decisions"', '"decisions"\nonce = {key = "case"}', 1))
    path = tmp_path / "d.csv"
    # each of 20 cases on three rows, 20 rows apart; the later ones say something else
    rows = [f"c{n % 20},{'+' if n < 20 else '-'},0.9\n" for n in range(60)]
    path.write_text("case,verdict,sure\n" + "".join(rows))
    with cut_after(monkeypatch, DecisionIntake, "take", 1):
        run("ingest", path, "--map", str(mapping))
    said = run("ingest", path, "--map", str(mapping))
    assert (said.counts, said.document["repeats"]) == ((20, 0, 0), 40)
    assert set(Decision.objects.values_list("label", flat=True)) == {"approve"}


def test_chunks_are_bounded_by_their_size_too(
    case: UseCase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "CHUNK_BYTES", 3_000)
    path = json_lines(
        tmp_path / "d.jsonl", [body(f"c{n}", features={"t": "x" * 1_000}) for n in range(9)]
    )
    file = lines.record_file(path, "decisions", None)
    intake = DecisionIntake(case, past=False)
    reader = lines.LineReader(file, intake.check, schema=files.decision_schema(case))
    assert [len(chunk.records) for chunk in reader.chunks()] == [3, 3, 3]
    reader.close()


def test_what_stands_before_a_fault_of_the_file_is_taken_in(
    case: UseCase, tmp_path: Path, reading: None
) -> None:
    path = tmp_path / "d.csv"
    path.write_text(
        "external_id,model,model_version,kind,label\n"
        "a,scorer,1,label,approve\n"
        'b,scorer,1,label,"never closed\n' + "x" * 1_100_000
    )
    with pytest.raises(CommandError, match="line 3"):
        run("ingest", path)
    assert external_ids() == ["a"]


def test_no_reading_process_is_left_behind(
    case: UseCase, tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_ahead, "LONG_BYTES", 0)
    path = json_lines(tmp_path / "d.jsonl", many(500))
    with cut_after(monkeypatch, DecisionIntake, "take", 0):
        run("ingest", path)
    assert multiprocessing.active_children() == []
    assert run("ingest", path).counts == (500, 0, 0)
    assert multiprocessing.active_children() == []


def test_a_reading_process_that_dies_ends_the_run_and_the_next_goes_on(
    case: UseCase, tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = json_lines(tmp_path / "d.jsonl", many(60))
    original = DecisionIntake.check

    def dying(self: Any, line: int, body: dict[str, Any]) -> Any:
        if line == 35:
            os._exit(9)
        return original(self, line, body)

    with monkeypatch.context() as patch:
        patch.setattr(read_ahead, "LONG_BYTES", 0)
        patch.setattr(DecisionIntake, "check", dying)
        with pytest.raises(CommandError, match="reads the file"):
            run("ingest", path)
    assert len(external_ids()) == 30
    assert run("ingest", path).counts == (60, 0, 0)


def faulty_files(folder: Path) -> dict[str, tuple[Path, list[str], str]]:
    good = json_lines(folder / "good.jsonl", [body("a")])
    (folder / "d.xlsx").write_text("x")
    (folder / "empty.csv").write_text("")
    (folder / "bad.toml").write_text("records = ")
    (folder / "reviews.toml").write_text(
        'records = "reviews"\nexternal_id = "a"\nreviewer = "b"\nlabel = "c"\n'
    )
    (folder / "columns.toml").write_text(MAP)
    (folder / "d.csv").write_text("case,verdict\na,+\n")
    (folder / "binary.toml").write_bytes(b"\xff\xfe")
    maps = {name: ["--map", str(folder / f"{name}.toml")] for name in ("bad", "reviews", "binary")}
    return {
        "missing file": (folder / "none.jsonl", [], "there is no file"),
        "folder": (folder, [], "there is no file"),
        "unknown ending": (folder / "d.xlsx", [], "known are: .csv"),
        "empty csv": (folder / "empty.csv", [], "the file is empty"),
        "missing mapping": (good, ["--map", str(folder / "no.toml")], "there is no mapping"),
        "bad toml": (good, maps["bad"], "not TOML"),
        "mapping of reviews": (good, maps["reviews"], "decisions are wanted"),
        "mapping not text": (good, maps["binary"], "not text in UTF-8"),
        "column lacking": (
            folder / "d.csv",
            ["--map", str(folder / "columns.toml")],
            "no column 'sure'",
        ),
    }


@pytest.mark.parametrize(
    "fault",
    [
        "missing file",
        "folder",
        "unknown ending",
        "empty csv",
        "missing mapping",
        "bad toml",
        "mapping of reviews",
        "mapping not text",
        "column lacking",
    ],
)
def test_what_cannot_be_read_is_said_in_plain_words(
    case: UseCase, tmp_path: Path, fault: str
) -> None:
    path, words, message = faulty_files(tmp_path)[fault]
    with pytest.raises(CommandError, match=message):
        run("ingest", path, *words)
    assert not Decision.objects.exists()


@pytest.mark.parametrize("slug", ["none", "with\0nul"])
def test_an_unknown_use_case_is_said_in_plain_words(
    case: UseCase, tmp_path: Path, slug: str
) -> None:
    path = json_lines(tmp_path / "d.jsonl", [body("a")])
    with pytest.raises(CommandError, match=r"no use case|cannot be stored"):
        run("ingest", path, use_case=slug)


def test_without_a_policy_in_force_nothing_is_read(
    make_use_case: Any, db: None, tmp_path: Path
) -> None:
    make_use_case("bare")
    path = json_lines(tmp_path / "d.jsonl", [body("a")])
    with pytest.raises(CommandError, match="no policy in force"):
        run("ingest", path, use_case="bare")
    assert not IngestRun.objects.exists()


def test_for_people_the_counts_go_to_standard_output(
    case: UseCase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = json_lines(tmp_path / "d.jsonl", many(2))
    call_command("ingest", str(path), "--use-case", "loan")
    out, errors = capsys.readouterr()
    assert out == "accepted 2, duplicate 0, rejected 0\n"
    assert errors == ""  # no bar where nobody looks


def test_an_empty_file_of_json_lines_is_taken_in_at_once(case: UseCase, tmp_path: Path) -> None:
    path = json_lines(tmp_path / "d.jsonl", [])
    assert run("ingest", path).counts == (0, 0, 0)


def test_an_arrival_comes_from_the_reading_process_as_it_was_sent(case: UseCase) -> None:
    features = {"age": 41, "share": 0.25, "city": "Łódź", "member": True}
    (sent,) = arrivals(case, body("c-1", features=features, amount="12.50", decided_at=DECIDED))
    received = pickle.loads(pickle.dumps(sent, read_ahead.PROTOCOL))
    assert received == sent
    assert (type(received), type(received.valid)) == (Arrival, ValidDecision)


def test_what_was_ingested_is_sealed_and_verifies(committed_db: Any, tmp_path: Path) -> None:
    gate(policy={"confidence_threshold": 0.5})
    path = json_lines(tmp_path / "d.jsonl", many(30))
    assert run("ingest", path).counts == (30, 0, 0)
    sealing.seal_all()
    found = verify(full=True).findings
    assert [f for f in found if not f["table"].startswith("witness")] == []
