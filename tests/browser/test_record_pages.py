"""Alerts, exports, keys, people and settings as people work with them: in Chromium, on a real server."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ROOT, own_environment
from tests.browser.test_pages_in_a_browser import assert_sound

SEED = "tests/browser/records_seed.py"
expect.set_options(timeout=15_000)  # the machine may be busy
pytestmark = pytest.mark.browser
PAGES = {
    "alerts": ("rita", "/alerts/"),
    "alerts-none": ("rita", "/alerts/?kind=team_loss"),
    "limits": ("rita", "/alerts/limits/"),
    "exports": ("cleo", "/audit/exports/"),
    "records-with-export": ("cleo", "/audit/?type=use_case"),
    "keys": ("ada", "/keys/"),
    "keys-all": ("cleo", "/keys/?state=all"),
    "people": ("ada", "/people/"),
    "settings-administrator": ("ada", "/settings/"),
    "settings-reviewer": ("rex", "/settings/"),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_and_fits_in_both_themes(visit: Any, name: str) -> None:
    login, path = PAGES[name]
    watched = visit(login)
    assert watched.go(path) == 200
    assert_sound(watched, f"record-{name}")


def test_an_alert_is_taken_up_and_resolved_and_tells_its_history(visit: Any) -> None:
    watched = visit("viv")
    page = watched.page
    watched.go("/alerts/?status=raised")
    page.get_by_role("link", name="Limit broken").click()
    expect(page.get_by_role("heading", name="What was found")).to_be_visible()
    assert_sound(watched, "record-alert")
    page.get_by_label("Note").fill("I compare the months")
    page.get_by_role("button", name="I look into it").click()
    expect(page.get_by_text("You look into it")).to_be_visible()
    page.get_by_label("What came of it").fill("the sample of one branch was too small")
    page.get_by_role("button", name="Resolve it").click()
    expect(page.get_by_text("The alert is resolved.")).to_be_visible()
    history = page.get_by_role("list").filter(has_text="I compare the months")
    expect(history.get_by_text("Viv", exact=False).or_(history.get_by_text("viv"))).to_have_count(2)
    assert_sound(watched, "record-alert-resolved")


def test_a_limit_with_a_fault_keeps_what_was_typed(visit: Any) -> None:
    watched = visit("rita")
    page = watched.page
    watched.go("/alerts/limits/")
    page.get_by_label("Figure").fill("nonsense.value")
    page.get_by_label("This value").fill("0.9")
    page.get_by_label("Reason", exact=True).last.fill("agreed")
    # Chromium notes an answer of 400 as an error of the console: nothing else may be there
    page.get_by_role("button", name="Set the limit").click()
    expect(page.get_by_text("is not a path such as")).to_be_visible()
    expect(page.get_by_label("This value")).to_have_value("0.9")
    assert_sound(watched, "record-limit-fault")
    assert len(watched.faults) == 1
    assert "status of 400" in watched.faults.pop()


def test_an_export_is_followed_without_a_reload_and_taken(
    visit: Any, folder: Path, tmp_path: Path
) -> None:
    watched = visit("cleo")
    page = watched.page
    watched.go("/audit/?type=person")
    page.get_by_label("What it is for").fill("who joined this year")
    page.get_by_role("button", name="Make the bundle").click()
    expect(page.get_by_text("waits for a worker")).to_be_visible()
    assert_sound(watched, "record-export-waits")
    program = (
        "import django; django.setup(); from apps.exports.jobs import export_jobs_run as run; run()"
    )
    subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=own_environment(folder), check=True
    )
    newest = page.locator("#exports tbody tr").first
    expect(newest.get_by_role("link", name="Download")).to_be_visible()
    expect(page.locator("#exports[hx-trigger]")).to_have_count(0)
    with page.expect_download() as taking:
        newest.get_by_role("link", name="Download").click()
    bundle = tmp_path / "bundle.zip"
    taking.value.save_as(bundle)
    (tmp_path / "verify.py").write_bytes(zipfile.ZipFile(bundle).read("verify.py"))
    command = [sys.executable, "-I", "-S", str(tmp_path / "verify.py"), str(bundle)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.startswith("PASS ")


def test_a_key_is_made_shown_once_and_revoked(visit: Any) -> None:
    watched = visit("ada")
    page = watched.page
    watched.go("/keys/")
    page.get_by_label("Name", exact=True).fill("scoring service")
    page.get_by_label("Reason", exact=True).last.fill("goes live")
    page.get_by_role("button", name="Make the key").click()
    secret = page.locator("[data-secret]")
    expect(secret).to_contain_text("hop_")
    assert_sound(watched, "record-key-made")
    page.get_by_role("link", name="I have copied it").click()
    row = page.get_by_role("row").filter(has_text="scoring service")
    row.get_by_text("Revoke", exact=True).click()
    row.get_by_label("Reason").fill("only a test")
    row.get_by_role("button", name="Revoke the key").click()
    expect(page.get_by_text("opens nothing any more")).to_be_visible()


def test_a_role_is_granted_and_revoked_on_the_persons_page(visit: Any) -> None:
    watched = visit("ada")
    page = watched.page
    watched.go("/people/?q=rex")
    page.get_by_role("link", name="Rex Vieira").click()
    expect(page.get_by_role("heading", name="Rex Vieira")).to_be_visible()
    assert_sound(watched, "record-person")
    form = page.locator("form").filter(has=page.get_by_role("button", name="Grant the role"))
    form.get_by_label("Role").select_option("auditor")
    form.get_by_label("Reason").fill("helps with the audit")
    form.get_by_role("button").click()
    expect(page.get_by_text("Rex Vieira is auditor from now on.")).to_be_visible()
    row = page.get_by_role("row").filter(has_text="Auditor")
    row.get_by_text("Revoke", exact=True).click()
    row.get_by_label("Reason").fill("the audit is over")
    row.get_by_role("button", name="Revoke the role").click()
    expect(page.get_by_text("Role auditor revoked in all use cases")).to_be_visible()


def test_settings_change_the_zone_the_theme_and_the_keys(visit: Any) -> None:
    watched = visit("rex")
    page = watched.page
    watched.go("/settings/")
    page.get_by_label("Time zone").fill("Asia/Tokyo")
    page.get_by_role("button", name="Keep it").click()
    expect(page.get_by_text("Times are shown in Asia/Tokyo from now on.")).to_be_visible()
    page.get_by_label("dark").check()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 21, 27)"
    expect(page.get_by_role("button", name="Theme: dark")).to_be_visible()
    page.get_by_role("button", name="Change the keys").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    dialog.get_by_role("button", name="Change the key for").first.click()
    page.keyboard.press("z")
    expect(dialog.get_by_text("“z” it is.")).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    watched.go("/settings/")
    expect(page.get_by_label("dark")).to_be_checked()


def resident_mib(folder: Path) -> int:
    """What the server's processes hold in memory, those that its log names."""
    pids = [int(one) for one in re.findall(r"pid: (\d+)", (folder / "server.log").read_text())]
    return sum(_kib(pid) for pid in pids) // 1024


def _kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status")
    found = re.search(r"VmRSS:\s+(\d+)", status.read_text()) if status.exists() else None
    return int(found[1]) if found else 0


def test_a_file_of_two_gigabytes_is_refused_and_the_server_goes_on(
    visit: Any, folder: Path, tmp_path: Path
) -> None:
    big = tmp_path / "big.bin"
    with big.open("wb") as file:
        file.truncate(2 * 1024**3)  # sparse: it takes no room on the disk
    watched = visit("ada")
    page = watched.page
    watched.go("/keys/")
    # No page has a file field; somebody gives one's form one all the same.
    page.evaluate(
        """() => {
            const form = document.querySelector("main form[method=post]");
            form.enctype = "multipart/form-data";
            form.noValidate = true;
            form.insertAdjacentHTML("beforeend", '<input type="file" name="big" id="big">');
        }"""
    )
    page.locator("#big").set_input_files(big)
    before = resident_mib(folder)
    assert before > 0
    with page.expect_navigation(timeout=120_000):
        page.evaluate("document.querySelector('#big').form.submit()")
    expect(page.get_by_text("That is too large")).to_be_visible()
    expect(page.get_by_text("a form takes at most 5,242,880")).to_be_visible()
    watched.shoot("record-too-large")
    assert resident_mib(folder) - before < 64
    assert watched.go("/keys/") == 200
    assert all("status of 413" in fault for fault in watched.faults)
    watched.faults.clear()
