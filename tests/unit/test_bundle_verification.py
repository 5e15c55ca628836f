"""A fresh bundle passes; each alteration fails and the finding says where."""

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from apps.audit.domain.canonical import canonical_json
from apps.audit.domain.checkpoint import sign_note
from apps.audit.domain.ed25519_keys import public_key_bytes, public_key_pem
from apps.exports.verifier import verifier_source, verify
from tests.unit.bundle_workshop import (
    ATTACKER_KEY,
    LEDGER_KEY,
    ORIGIN,
    RETIRED_KEY,
    Members,
    Request,
    claim_key,
    forged,
    make,
    pack,
    reseal,
    sign_manifest,
    unpack,
)

Change = Callable[[Members], Members]
Run = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make(tmp_path_factory.mktemp("bundle"))


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    path = tmp_path / "ledger.pem"
    path.write_bytes(public_key_pem(public_key_bytes(LEDGER_KEY)))
    return str(path)


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run_verifier(bundle: bytes, *options: str) -> tuple[int, str]:
        path = tmp_path / "bundle.zip"
        path.write_bytes(bundle)
        code = verify.main([str(path), *options])
        return code, capsys.readouterr().out

    return run_verifier


def replaced(name: str, old: bytes, new: bytes, members: Members) -> Members:
    assert old in members[name], "the alteration must change something"
    return {**members, name: members[name].replace(old, new, 1)}


def edit(name: str, old: bytes, new: bytes) -> Change:
    return lambda members: replaced(name, old, new, members)


def edit_lines(name: str, change: Callable[[list[bytes]], list[bytes]]) -> Change:
    def apply(members: Members) -> Members:
        lines = members[name].splitlines(keepends=True)
        return {**members, name: b"".join(change(lines))}

    return apply


def edit_manifest(change: Callable[[dict[str, Any]], object]) -> Change:
    def apply(members: Members) -> Members:
        manifest = json.loads(members["manifest.json"])
        change(manifest)
        return sign_manifest(members, manifest)

    return apply


def edit_consistency(change: Callable[[dict[str, Any]], object]) -> Change:
    def apply(members: Members) -> Members:
        value = json.loads(members["consistency.json"])
        change(value["proofs"][1])
        return {**members, "consistency.json": canonical_json(value)}

    return apply


def first_hex_digit_changed(lines: list[bytes]) -> list[bytes]:
    quote = lines[1].index(b'"') + 1
    digit = b"1" if lines[1][quote : quote + 1] == b"0" else b"0"
    return [lines[0], lines[1][:quote] + digit + lines[1][quote + 1 :], *lines[2:]]


def edit_sheet(old: bytes, new: bytes) -> Change:
    def apply(members: Members) -> Members:
        sheet = "xl/worksheets/sheet1.xml"
        parts = replaced(sheet, old, new, unpack(members["records.xlsx"]))
        return {**members, "records.xlsx": pack(parts)}

    return apply


def checkpoint_signed_by_attacker(members: Members) -> Members:
    text = members["checkpoint.txt"].decode().split("\n\n")[0] + "\n"
    return {**members, "checkpoint.txt": sign_note(text, ORIGIN, ATTACKER_KEY).encode()}


LINE_2 = "records.jsonl line 2 (leaf 3)"
# What an insider with the ledger's key could make: the manifest is true to the altered members.
RESEALED: dict[str, tuple[Change, str]] = {
    "record value": (edit("records.jsonl", b"3000", b"3001"), f"{LINE_2}: altered"),
    "record key": (edit("records.jsonl", b'"count":3000', b'"counts":3000'), LINE_2),
    "leaf index": (
        edit("records.jsonl", b'"leaf_index":3,', b'"leaf_index":2,'),
        "proof.json: nothing stands for leaf",
    ),
    "removed line": (edit_lines("records.jsonl", lambda lines: lines[:1] + lines[2:]), "line 2"),
    "removed last line": (edit_lines("records.jsonl", lambda lines: lines[:-1]), "6 records"),
    "added line": (
        edit_lines("records.jsonl", lambda x: [*x, x[-1].replace(b":36,", b":37,", 1)]),
        "records.jsonl line 8 (leaf 37)",
    ),
    "repeated line": (edit_lines("records.jsonl", lambda x: x[:1] + x), "out of order"),
    "swapped lines": (
        edit_lines("records.jsonl", lambda x: [x[1], x[0], *x[2:]]),
        "records.jsonl line 1 (leaf 3)",
    ),
    "space between tokens": (edit("records.jsonl", b'"count":3', b'"count": 3'), "canonical form"),
    "needless escape": (edit("records.jsonl", b"plain", b"pl\\u0061in"), "canonical form"),
    "order of keys": (
        edit("records.jsonl", b'"count":3000,"note":"two\\r\\nlines"', b'"note":"x","count":3000'),
        "canonical form",
    ),
    "duplicate key": (
        edit("records.jsonl", b'"count":3000', b'"count":1,"count":3000'),
        "records.jsonl line 2: not JSON of the kind used here: the key 'count' comes twice",
    ),
    "decimal number": (edit("records.jsonl", b"3000", b"3000.5"), "'count' is no text"),
    "unsafe number": (edit("records.jsonl", b"3000", b"9007199254740992"), "'count' is no text"),
    "not a number": (edit("records.jsonl", b"3000", b"NaN"), "'count' is no text"),
    "nested value": (edit("records.jsonl", b"3000", b"[3000]"), "'count' is no text"),
    "lone surrogate": (edit("records.jsonl", b"plain", b"\\ud800"), "records.jsonl"),
    "broken UTF-8": (edit("records.jsonl", b"plain", b"pl\xffin"), "records.jsonl line 1"),
    "deep nesting": (edit("records.jsonl", b"3000", b"[" * 100_000), "records.jsonl line 2"),
    "huge number": (edit("records.jsonl", b"3000", b"3" * 5000), "records.jsonl line 2"),
    "no newline at the end": (
        edit_lines("records.jsonl", lambda x: [*x[:-1], x[-1].rstrip(b"\n")]),
        "records.jsonl line 7: too long or cut off",
    ),
    "proof node": (edit_lines("proof.json", first_hex_digit_changed), "do not lead to the root"),
    "proof node removed": (edit_lines("proof.json", lambda x: [x[0], *x[2:]]), "nothing stands"),
    "proof node repeated": (edit_lines("proof.json", lambda x: [*x[:2], *x[1:]]), "proof.json"),
    "proof cut off": (edit_lines("proof.json", lambda x: x[:-1]), "proof.json: cut off"),
    "proof garbage": (edit_lines("proof.json", lambda x: [*x, b"x\n"]), "after its end"),
    "proof root": (edit("proof.json", b'"root":"', b'"root":"00'), "proof.json"),
    "checkpoint size": (edit("checkpoint.txt", b"\n37\n", b"\n38\n"), "not genuine"),
    "checkpoint key": (checkpoint_signed_by_attacker, "checkpoint.txt: not signed by any"),
    "checkpoint without signature": (edit("checkpoint.txt", b"\n\n", b"\n"), "not a signed note"),
    "consistency proof": (
        edit_consistency(lambda entry: entry["proof"].reverse()),
        "consistency.json, size 8: the proof does not lead",
    ),
    "consistency root": (
        edit_consistency(lambda entry: entry.update(root="00" * 32)),
        "consistency.json, size 8",
    ),
    "consistency hash": (
        edit_consistency(lambda entry: entry.update(root="zz")),
        "not a SHA-256",
    ),
    "csv cell": (edit("records.csv", b"3000", b"3001"), "records.csv row 3 (leaf 3), 'count'"),
    "csv formula": (edit("records.csv", b"'=1+1", b"=1+1"), "records.csv"),
    "csv column": (edit("records.csv", b"note", b"node"), "keys without a column"),
    "csv row removed": (edit_lines("records.csv", lambda x: x[:-1]), "records.csv row 8"),
    "csv row added": (edit_lines("records.csv", lambda x: [*x, x[-1]]), "more rows than records"),
    "csv cell added": (edit("records.csv", b"3000,", b"3000,,"), "6 cells"),
    "xlsx cell": (edit_sheet(b">3000<", b">3001<"), "records.xlsx row 3 (leaf 3), 'count'"),
    "xlsx text": (edit_sheet(b"plain", b"plane"), "records.xlsx row 2 (leaf 0), 'note'"),
    "xlsx formula": (edit_sheet(b"<v>3000", b"<f>1+2</f><v>3000"), "a formula"),
    "xlsx entities": (
        edit_sheet(b"<worksheet", b'<!DOCTYPE x [<!ENTITY a "aaaa">]><worksheet'),
        "does not begin with its root element",
    ),
    "xlsx cell far out": (edit_sheet(b'r="A2"', b'r="ZZZZZZZ2"'), "nowhere on the sheet"),
    "xlsx no zip": (lambda m: {**m, "records.xlsx": b"no zip"}, "records.xlsx: cannot be read"),
    "payload content": (edit("payloads.jsonl", b'"content":"VG', b'"content":"VH'), "commitment"),
    "payload salt": (edit("payloads.jsonl", b'"salt":"00', b'"salt":"01'), "commitment in leaf 4"),
    "payload part": (edit("payloads.jsonl", b"rationale", b"statement"), "'statement' does not"),
    "payload record": (edit("payloads.jsonl", b'"record":4', b'"record":6'), "leaf 6 is out of"),
    "payload base64": (edit("payloads.jsonl", b'"content":"', b'"content":"!'), "not base64"),
    "manifest count": (edit_manifest(lambda m: m.update(records=8)), "not as many"),
    "manifest root": (edit_manifest(lambda m: m.update(root="00" * 32)), "checkpoint.txt: not the"),
    "manifest tree size": (edit_manifest(lambda m: m.update(tree_size=36)), "checkpoint.txt: not"),
    "manifest format": (edit_manifest(lambda m: m.update(format="v9")), "unknown format 'v9'"),
    "manifest without origin": (edit_manifest(lambda m: m.pop("origin")), "'origin' is missing"),
    "manifest count of another kind": (edit_manifest(lambda m: m.update(records=True)), "kind"),
    "manifest keys": (edit_manifest(lambda m: m.update(keys=["x", 1])), "manifest.json"),
    "manifest cells": (
        edit_manifest(lambda m: m["members"]["records.csv"].update(neutralised_cells=0)),
        "records.csv: 1 neutralised cells",
    ),
    "manifest hash": (
        edit_manifest(lambda m: m["members"]["proof.json"].update(sha256="00" * 32)),
        "proof.json: its size and SHA-256",
    ),
    "manifest without a member": (
        edit_manifest(lambda m: m["members"].pop("README.txt")),
        "README.txt: not in the manifest",
    ),
    "member of a wrong kind": (
        edit_manifest(lambda m: m["members"].update({"README.txt": 7})),
        "'README.txt' is missing or not",
    ),
}
KEEP_MANIFEST = ("manifest", "member of")
# What anybody could do to the file: the manifest is left as it was.
UNSEALED: dict[str, tuple[Change, str]] = {
    "record value": (edit("records.jsonl", b"3000", b"3001"), f"{LINE_2}: altered"),
    "record value, the member": (
        edit("records.jsonl", b"3000", b"3001"),
        "records.jsonl: its size",
    ),
    "readme": (edit("README.txt", b"How", b"Now"), "README.txt: its size and SHA-256"),
    "verifier": (edit("verify.py", b"return 1", b"return 0"), "verify.py: its size"),
    "parquet": (edit("records.parquet", b"PAR1", b"PAR2"), "records.parquet: its size"),
    "manifest": (edit("manifest.json", b"loan", b"Loan"), "not the one that was signed"),
    "manifest broken": (edit("manifest.json", b"{", b"["), "manifest.json: not JSON"),
    "manifest a list": (lambda m: {**m, "manifest.json": b"[]"}, "not a JSON object"),
    "signature": (edit("manifest.sig", b"/v1", b"/v2"), "manifest.sig: the signature"),
    "signature line": (lambda m: {**m, "manifest.sig": b"x\n\nx\n"}, "no signature line"),
    "signature gone": (lambda m: {**m, "manifest.sig": b""}, "manifest.sig: not a signed note"),
    "extra member": (lambda m: {**m, "extra.txt": b"x"}, "'extra.txt': a member that no bundle"),
    "path escaping member": (lambda m: {**m, "../x": b"x"}, "'../x': a member that no bundle"),
    "unstated view": (lambda m: {**m, "summary.pdf": b"x"}, "summary.pdf: not in the manifest"),
    "missing member": (
        lambda m: {name: data for name, data in m.items() if name != "consistency.json"},
        "consistency.json: missing",
    ),
    "missing manifest": (
        lambda m: {name: data for name, data in m.items() if name != "manifest.json"},
        "manifest.json: missing",
    ),
}


def test_a_fresh_bundle_passes_in_a_bare_interpreter(bundle: bytes, tmp_path: Path) -> None:
    (tmp_path / "bundle.zip").write_bytes(bundle)
    (tmp_path / "verify.py").write_bytes(unpack(bundle)["verify.py"])
    command = [sys.executable, "-I", "-S", "-W", "error", "verify.py", "bundle.zip"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "PASS 7 records"
    assert "key came from the bundle itself" in done.stdout
    assert "records.parquet: its signed hash is right; its content was not compared" in done.stdout


def test_an_altered_bundle_fails_in_a_bare_interpreter(bundle: bytes, tmp_path: Path) -> None:
    altered = replaced("records.jsonl", b"3000", b"3001", unpack(bundle))
    (tmp_path / "bundle.zip").write_bytes(pack(altered))
    (tmp_path / "verify.py").write_bytes(verifier_source())
    command = [sys.executable, "-I", "-S", "verify.py", "bundle.zip"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("FAIL ")
    assert LINE_2 in done.stdout


@pytest.mark.parametrize("name", RESEALED)
def test_an_alteration_fails_though_its_manifest_is_signed(
    name: str, bundle: bytes, run: Run
) -> None:
    change, finding = RESEALED[name]
    altered = change(unpack(bundle))
    if not name.startswith(KEEP_MANIFEST):
        altered = reseal(altered)
    code, output = run(pack(altered))
    assert code == 1
    assert output.startswith("FAIL ")
    assert finding in output


@pytest.mark.parametrize("name", UNSEALED)
def test_an_alteration_fails_by_what_the_manifest_says(name: str, bundle: bytes, run: Run) -> None:
    change, finding = UNSEALED[name]
    code, output = run(pack(change(unpack(bundle))))
    assert code == 1
    assert finding in output


@pytest.mark.parametrize("name", ["record value", "csv cell", "payload content", "proof node"])
def test_an_alteration_resealed_with_another_key_fails_under_the_real_key(
    name: str, bundle: bytes, run: Run, key_file: str
) -> None:
    altered = pack(claim_key(RESEALED[name][0](unpack(bundle)), ATTACKER_KEY))
    code, output = run(altered, "--key", key_file)
    assert code == 1
    assert "made with another key" in output


def test_a_log_rewritten_with_another_key_passes_alone_and_fails_under_the_real_key(
    tmp_path: Path, run: Run, key_file: str
) -> None:
    rewritten = forged(tmp_path, "nothing happened")
    code, output = run(rewritten)
    assert code == 0
    assert "key came from the bundle itself" in output
    code, output = run(rewritten, "--key", key_file)
    assert code == 1
    assert "made with another key" in output


def test_naming_the_real_key_does_not_make_a_signature(
    tmp_path: Path, run: Run, key_file: str
) -> None:
    members = claim_key(unpack(forged(tmp_path, "nothing happened")), LEDGER_KEY)
    resigned = sign_manifest(members, json.loads(members["manifest.json"]), ATTACKER_KEY)
    code, output = run(pack(resigned), "--key", key_file)
    assert code == 1
    assert "manifest.sig: not signed by any of the keys to trust" in output


def test_under_the_right_key_nothing_is_said_about_trusting_the_bundle(
    bundle: bytes, run: Run, key_file: str
) -> None:
    code, output = run(bundle, "--key", key_file)
    assert code == 0
    assert "came from the bundle" not in output


def test_a_checkpoint_of_a_retired_key_is_vouched_for_by_the_new_one(
    tmp_path: Path, run: Run, key_file: str
) -> None:
    request = replace(Request(), checkpoint_key=RETIRED_KEY)
    assert run(make(tmp_path, request), "--key", key_file)[0] == 0


def test_shared_strings_are_compared_too(tmp_path: Path, run: Run) -> None:
    sound = make(tmp_path, replace(Request(), inline_strings=False))
    assert run(sound)[0] == 0
    members = unpack(sound)
    parts = replaced("xl/sharedStrings.xml", b"plain", b"plane", unpack(members["records.xlsx"]))
    code, output = run(pack(reseal({**members, "records.xlsx": pack(parts)})))
    assert code == 1
    assert "records.xlsx row 2 (leaf 0), 'note'" in output


@pytest.mark.parametrize(("size", "chosen"), [(0, ()), (1, (0,)), (37, ()), (37, range(37))])
def test_bundles_of_no_record_and_of_every_record_pass(
    size: int, chosen: tuple[int, ...], tmp_path: Path, run: Run
) -> None:
    made = make(tmp_path, replace(Request(), size=size, chosen=chosen))
    code, output = run(made)
    assert (code, output.splitlines()[0]) == (0, f"PASS {len(chosen)} records")


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.99])
def test_a_truncated_zip_fails(kept: float, bundle: bytes, run: Run) -> None:
    length = int(kept * len(bundle)) if isinstance(kept, float) else kept
    code, output = run(bundle[:length])
    assert code == 1
    assert "cannot be read" in output


def test_a_flipped_byte_anywhere_never_passes_as_another_content(bundle: bytes, run: Run) -> None:
    for position in range(0, len(bundle), 701):
        damaged = bytearray(bundle)
        damaged[position] ^= 0x10
        code, output = run(bytes(damaged))
        # A few bytes of a zip (times, permissions) mean nothing; the content then is as it was.
        assert output.startswith(("FAIL ", "PASS 7 records"))
        assert (code == 0) == output.startswith("PASS")
        if code == 0:
            assert unpack(bytes(damaged)) == unpack(bundle)


def test_a_member_that_comes_twice_fails(bundle: bytes, run: Run) -> None:
    out = io.BytesIO(bundle)
    with (
        zipfile.ZipFile(out, "a") as archive,
        pytest.warns(UserWarning, match="Duplicate name"),
    ):
        archive.writestr("records.jsonl", b"")
    code, output = run(out.getvalue())
    assert code == 1
    assert "records.jsonl: comes twice" in output


def test_a_member_of_an_absurd_size_fails(bundle: bytes, run: Run) -> None:
    changed = bytearray(bundle)
    # The uncompressed size in the central directory: 24 bytes into the entry of README.txt.
    entry = changed.rindex(b"README.txt") - 46
    changed[entry + 24 : entry + 28] = b"\xf0\xff\xff\xff"
    code, output = run(bytes(changed))
    assert code == 1
    assert "README.txt: an absurd size" in output


def test_an_earlier_bundle_of_the_same_log_is_confirmed(
    bundle: bytes, tmp_path: Path, run: Run
) -> None:
    for size in (20, 37):
        older = make(tmp_path, replace(Request(), size=size, chosen=(0, 4)))
        (tmp_path / "old.zip").write_bytes(older)
        assert run(bundle, "--against", str(tmp_path / "old.zip"))[0] == 0


def rewritten_leaves() -> list[bytes]:
    return [b'{"note":"rewritten"}', *Request().leaves[1:]]


@pytest.mark.parametrize(
    ("older", "finding"),
    [
        (Request(size=20, leaves=rewritten_leaves(), chosen=(4,)), "older root was another"),
        (Request(size=37, leaves=rewritten_leaves(), chosen=(4,)), "older root was another"),
        (Request(size=19, chosen=(4,)), "no proof from size 19"),
        (Request(size=50, chosen=(4,)), "no proof from size 50"),
        (Request(size=20, chosen=(4,), origin="other.example"), "of another log"),
        (
            Request(size=20, chosen=(4,), keys=(ATTACKER_KEY,), checkpoint_key=ATTACKER_KEY),
            "made with another key",
        ),
    ],
)
def test_an_earlier_bundle_that_does_not_fit_fails(
    older: Request, finding: str, bundle: bytes, tmp_path: Path, run: Run
) -> None:
    (tmp_path / "old.zip").write_bytes(make(tmp_path, older))
    code, output = run(bundle, "--against", str(tmp_path / "old.zip"))
    assert code == 1
    assert finding in output


def test_an_earlier_bundle_that_was_altered_fails(bundle: bytes, tmp_path: Path, run: Run) -> None:
    older = unpack(make(tmp_path, replace(Request(), size=20, chosen=(0, 3))))
    altered = reseal(replaced("records.jsonl", b"3000", b"3001", older))
    (tmp_path / "old.zip").write_bytes(pack(altered))
    code, output = run(bundle, "--against", str(tmp_path / "old.zip"))
    assert code == 1
    assert "old.zip does not verify" in output
    assert LINE_2 in output


@pytest.mark.parametrize("arguments", [[], ["a.zip", "b.zip"], ["a.zip", "--key", "absent.pem"]])
def test_wrong_usage_is_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        verify.main(arguments)
    assert stopped.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_key_file_without_keys_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in ("", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"):
        (tmp_path / "key.pem").write_text(text)
        with pytest.raises(SystemExit):
            verify.main(["a.zip", "--key", str(tmp_path / "key.pem")])
        assert "not Ed25519 keys in PEM" in capsys.readouterr().err


def test_a_bundle_that_does_not_exist_fails_without_a_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert verify.main(["absent.zip"]) == 1
    assert "FAIL absent.zip: cannot be read" in capsys.readouterr().out
