"""Writing bundles: same content, same bytes; nothing that does not prove itself is written."""

import io
import json
import zipfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from apps.audit.domain.checkpoint import Checkpoint, open_note, parse_verifier_key, sign_note
from apps.audit.domain.ed25519_keys import load_public_key, public_key_bytes
from apps.audit.domain.merkle import root_at
from apps.exports.domain.bundle import BundleContent, View, write_bundle
from tests.unit.bundle_workshop import (
    ATTACKER_KEY,
    CHOSEN,
    LEAVES,
    LEDGER_KEY,
    ORIGIN,
    RETIRED_KEY,
    SIZE,
    Request,
    make,
    named,
    signer,
    unpack,
)
from tests.unit.merkle_reference import MemoryLog


def content_for(log: MemoryLog, size: int = SIZE) -> BundleContent:
    body = Checkpoint(ORIGIN, size, root_at(size, log.read)).body()
    return BundleContent(
        checkpoint_note=sign_note(body, ORIGIN, LEDGER_KEY),
        earlier_sizes=[8],
        keys=[named(LEDGER_KEY)],
        filters={},
        readme="",
        verifier=b"",
    )


class Pipe(io.RawIOBase):
    """A file that can neither seek nor tell, as a network stream."""

    def __init__(self) -> None:
        super().__init__()
        self.content = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(memoryview(data))  # type: ignore[arg-type]
        self.content += piece
        return len(piece)


def records() -> list[tuple[int, bytes]]:
    return [(i, LEAVES[i]) for i in CHOSEN]


def test_the_same_content_makes_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    # The workbook has a date in it; the bundle itself has none.
    workbook = make(tmp_path / "a")
    assert zipfile.ZipFile(io.BytesIO(workbook)).infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)
    log = MemoryLog(LEAVES[:SIZE])
    outputs = []
    for out in (io.BytesIO(), io.BytesIO(b"longer than nothing" * 9000)):
        write_bundle(out, records(), log.read, content_for(log), signer(LEDGER_KEY))
        outputs.append(out.getvalue()[: out.tell()])
    pipe = Pipe()
    write_bundle(pipe, records(), log.read, content_for(log), signer(LEDGER_KEY))  # type: ignore[arg-type]
    assert outputs[0] == outputs[1] == bytes(pipe.content)


def test_the_members_are_these_in_this_order(tmp_path: Path) -> None:
    assert list(unpack(make(tmp_path))) == [
        "records.jsonl",
        "proof.json",
        "checkpoint.txt",
        "consistency.json",
        "records.csv",
        "records.xlsx",
        "records.parquet",
        "payloads.jsonl",
        "public_key.pem",
        "verify.py",
        "README.txt",
        "manifest.json",
        "manifest.sig",
    ]


def test_a_records_line_holds_the_leafs_own_bytes(tmp_path: Path) -> None:
    lines = unpack(make(tmp_path))["records.jsonl"].split(b"\n")
    assert lines[1] == b'{"leaf_index":3,"record":' + LEAVES[3] + b"}"
    assert len(lines) == len(CHOSEN) + 1


def test_the_manifest_describes_every_member_and_is_signed(tmp_path: Path) -> None:
    members = unpack(make(tmp_path))
    manifest = json.loads(members["manifest.json"])
    described = manifest["members"]
    assert {"manifest.json", "manifest.sig", *described} == set(members)
    for name, entry in described.items():
        assert entry["sha256"] == sha256(members[name]).hexdigest()
        assert entry["size"] == len(members[name])
    views = {name for name, entry in described.items() if entry["role"] == "view"}
    assert views == {"records.csv", "records.xlsx", "records.parquet"}
    # Of the chosen records only leaf 36 has note 36 % 7 = 1, the formula.
    assert described["records.csv"]["neutralised_cells"] == 1
    assert (manifest["records"], manifest["tree_size"]) == (len(CHOSEN), SIZE)
    assert manifest["filter"] == {"use_case": "loan-approval", "from": None}
    digest = sha256(members["manifest.json"]).hexdigest()
    opened = open_note(members["manifest.sig"].decode(), [named(LEDGER_KEY)])
    assert opened.text == f"hitl-platform/bundle-manifest/v1\n{digest}\n"


def test_the_keys_are_published_newest_first(tmp_path: Path) -> None:
    members = unpack(make(tmp_path))
    expected = [public_key_bytes(key) for key in (LEDGER_KEY, RETIRED_KEY)]
    blocks = members["public_key.pem"].split(b"-----END PUBLIC KEY-----\n")[:-1]
    assert [load_public_key(b + b"-----END PUBLIC KEY-----\n") for b in blocks] == expected
    keys = [parse_verifier_key(line) for line in json.loads(members["manifest.json"])["keys"]]
    assert [(key.name, key.public_key) for key in keys] == [(ORIGIN, key) for key in expected]


def test_proof_json_is_json_with_the_multiproof(tmp_path: Path) -> None:
    proof = json.loads(
        unpack(make(tmp_path, replace(Request(), size=8, chosen=(2, 5))))["proof.json"]
    )
    assert [(level, index) for level, index, _ in proof["nodes"]] == [
        (1, 0),
        (0, 3),
        (0, 4),
        (1, 3),
    ]
    assert proof["tree_size"] == 8
    assert proof["root"] == root_at(8, MemoryLog(LEAVES[:8]).read).hex()


def test_nodes_are_read_in_batches() -> None:
    leaves = [b"%d" % i for i in range(20_000)]
    log = MemoryLog(leaves)
    content = content_for(log, len(leaves))
    log.reads.clear()
    # Every fourth leaf: beside each remain its neighbour and the next pair, 10,000 nodes in all.
    chosen = ((i, leaves[i]) for i in range(0, 20_000, 4))
    assert write_bundle(io.BytesIO(), chosen, log.read, content, signer(LEDGER_KEY)) == 5000
    batches = [len(read) for read in log.reads]
    assert max(batches) == 2000
    assert len(batches) == 5 + 2  # five of the multiproof; a proof and a root for size 8


def failing(records: list[tuple[int, bytes]], content: BundleContent) -> bytes:
    log, out = MemoryLog(LEAVES[:SIZE]), io.BytesIO()
    with pytest.raises((ValueError, LookupError)):
        write_bundle(out, records, log.read, content, signer(LEDGER_KEY))
    return out.getvalue()


@pytest.mark.parametrize(
    "wrong",
    [
        [(3, LEAVES[4])],
        [(4, LEAVES[4]), (3, LEAVES[3])],
        [(3, LEAVES[3]), (3, LEAVES[3])],
        [(37, LEAVES[37])],
    ],
)
def test_records_that_are_not_the_trees_make_no_bundle(wrong: list[tuple[int, bytes]]) -> None:
    written = failing(wrong, content_for(MemoryLog(LEAVES[:SIZE])))
    assert not zipfile.is_zipfile(io.BytesIO(written))


def test_what_a_verifier_would_refuse_is_not_written(tmp_path: Path) -> None:
    log = MemoryLog(LEAVES[:SIZE])
    content = content_for(log)
    view = View(tmp_path / "x")
    for wrong, named_in_error in [
        (replace(content, views={"../x": view}), "unknown views"),
        (replace(content, earlier_sizes=[38]), "between 1 and 37"),
        (replace(content, earlier_sizes=[0]), "between 1 and 37"),
        (replace(content, keys=[named(ATTACKER_KEY)]), "no known key"),
        (replace(content, filters={"x": 1.5, "y": object()}), "no form for"),
    ]:
        with pytest.raises(ValueError, match=named_in_error):
            write_bundle(io.BytesIO(), records(), log.read, wrong, signer(LEDGER_KEY))


def test_a_manifest_signed_by_another_than_the_newest_key_is_refused() -> None:
    log = MemoryLog(LEAVES[:SIZE])
    content = replace(content_for(log), keys=[named(RETIRED_KEY), named(LEDGER_KEY)])
    with pytest.raises(ValueError, match="no known key"):
        write_bundle(io.BytesIO(), records(), log.read, content, signer(LEDGER_KEY))


def test_a_node_that_is_not_stored_stops_the_export() -> None:
    log = MemoryLog(LEAVES[:SIZE])
    content = content_for(log)
    del log.nodes[0, 10]
    with pytest.raises(LookupError, match=r"\(0, 10\)"):
        write_bundle(io.BytesIO(), records(), log.read, content, signer(LEDGER_KEY))


def test_records_out_of_order_are_named_before_anything_is_proven() -> None:
    log = MemoryLog(LEAVES[:SIZE])
    content = content_for(log)
    log.reads.clear()
    with pytest.raises(ValueError, match="leaf 3 comes after leaf 4"):
        swapped = [(4, LEAVES[4]), (3, LEAVES[3])]
        write_bundle(io.BytesIO(), swapped, log.read, content, signer(LEDGER_KEY))
    assert log.reads == []
