"""Each role's tour from the sign-in to its result: server, worker and scheduler as they are run."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import PASSWORD, Watched
from tests.browser.desk_acts import answers_of, case_name, next_case

SEED = "tests/browser/tours_seed.py"
WITH_WORKER = True
expect.set_options(timeout=30_000)  # the machine may be busy
pytestmark = pytest.mark.browser


def follow(watched: Watched, role: str, title: str) -> Page:
    """From the start page by the step of that title in the role's tour."""
    watched.go("/")
    tour = watched.page.get_by_role("region", name=f"Your job as {role}")
    with watched.page.expect_navigation():
        tour.get_by_role("link", name=title, exact=True).click()
    return watched.page


def send(address: str, secret: str, external_id: str, **more: Any) -> dict[str, Any]:
    """One decision as a program sends it; the answer says whether it may be acted on."""
    output = {"label": more.pop("label"), "confidence": more.pop("confidence", 0.9)}
    body = {"model": "scorer", "model_version": "2.3", "kind": "label", "output": output}
    return call(address, secret, "decisions/", {**body, "external_id": external_id, **more})


def call(address: str, secret: str, path: str, body: Any = None) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{address}/api/v1/{path}", data, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return dict(json.load(answer))


def until(page: Page, found: Locator) -> None:
    """Look again until it is there: what worker and scheduler do, they do in their own time."""
    deadline = time.monotonic() + 90
    while not found.is_visible() and time.monotonic() < deadline:
        page.wait_for_timeout(500)
        page.reload()
    expect(found).to_be_visible()


@pytest.fixture
def secret(folder: Path, address: str) -> str:
    return (folder / "sender.key").read_text()


def test_the_reviewer_answers_a_case_and_sees_the_day(visit: Any, folder: Path) -> None:
    watched = visit("rex")
    page = follow(watched, "reviewer", "Open your queue")
    expect(page.get_by_text("Waiting for you")).to_be_visible()
    follow(watched, "reviewer", "Take the next case")
    next_case(page)
    held = case_name(page)
    page.keyboard.press("c")
    expect(page.locator(".desk-toast", has_text=held)).to_contain_text("Confirmed")
    expect(page.locator(".desk-toast", has_text=held)).to_have_count(0)  # it is final
    assert answers_of(folder, "rex", [held]) == [(held, "confirm")]
    follow(watched, "reviewer", "See your day")
    done = page.locator(".figures div").filter(has_text="Done today")
    expect(done.locator("dd")).to_have_text("1")


def test_the_senior_reviewer_settles_what_was_escalated(visit: Any, folder: Path) -> None:
    watched = visit("sol")
    page = follow(watched, "senior reviewer", "Settle a disagreement")
    next_case(page)
    expect(page.get_by_text("The scratch may be older than the panel.")).to_be_visible()
    held = case_name(page)
    page.locator("[data-label-key='3']").check(force=True)
    page.locator("#rationale").fill("The photograph of the delivery shows none.")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".desk-toast", has_text=held)).to_be_visible()
    expect(page.locator(".desk-toast", has_text=held)).to_have_count(0)
    assert answers_of(folder, "sol", [held]) == [(held, "change")]
    follow(watched, "senior reviewer", "See who agrees with whom")
    expect(page.locator("#content")).to_contain_text("Visual inspection")


def test_the_risk_lead_changes_a_policy_that_another_approves(
    visit: Any, address: str, secret: str
) -> None:
    watched = visit("rita")
    page = follow(watched, "risk lead", "Look at your processes")
    expect(page.get_by_role("link", name="Alert response")).to_be_visible()
    follow(watched, "risk lead", "See what more or less review would give")
    expect(page.locator("#content > *").nth(1)).to_be_visible()
    follow(watched, "risk lead", "Change a policy")
    page.get_by_role("row").filter(has_text="Stock demand").get_by_role("link").first.click()
    page.get_by_role("button", name="Begin a draft").first.click()
    page.get_by_label("Confidence below this is reviewed").fill("0.5")
    page.get_by_role("button", name="Try it out").click()
    expect(page.locator("#what-if-found")).to_contain_text("3 of 3 would go another way.")
    page.get_by_label("What you changed").fill("the model is surer than we believed")
    with page.expect_navigation():
        page.get_by_role("button", name="Save the draft").click()
    page.get_by_label("Why").fill("fewer cases need a person")
    page.get_by_role("button", name="Propose", exact=True).click()
    expect(page.get_by_text("You proposed it.")).to_be_visible()
    proposed = page.url
    assert send(address, secret, "tour-before", **DEMAND)["lane"] == "review"

    other = visit("rob")
    follow(other, "risk lead", "Change a policy")
    other.page.goto(proposed)
    other.page.get_by_role("button", name="Approve").click()
    expect(other.page.locator(".lead .tag", has_text="in force")).to_be_visible()
    assert send(address, secret, "tour-after", **DEMAND)["lane"] != "review"
    follow(watched, "risk lead", "Watch the team board")
    expect(page.get_by_role("heading", name="Team board")).to_be_visible()
    follow(watched, "risk lead", "Know the stop")
    expect(page.get_by_role("heading", name="Running")).to_be_visible()


DEMAND = {"use_case": "demand", "label": "order", "confidence": 0.8}


def test_the_supervisor_reverses_a_release_and_stops_what_another_resumes(
    visit: Any, address: str, secret: str
) -> None:
    watched = visit("viv")
    page = follow(watched, "supervisor", "See what was released")
    expect(page.locator("tbody th a").first).to_be_visible()
    follow(watched, "supervisor", "Step in")
    case = page.locator("tbody th a").first
    named = case.inner_text()
    case.click()
    form = page.locator("#act-form")
    form.get_by_label("Reverse").check(force=True)
    form.get_by_label("Reason").fill("a test machine")
    form.get_by_role("button", name="Do it").click()
    expect(page.get_by_role("status")).to_contain_text(f"Case {named} is reversed.")

    follow(watched, "supervisor", "Stop a use case")
    running = page.get_by_role("listitem").filter(has_text="Alert response")
    running.get_by_text("Stop", exact=True).click()
    running.get_by_label("Reason").fill("the feed repeats itself")
    running.get_by_role("button", name="Stop Alert response").click()
    expect(page.get_by_text("Alert response is stopped")).to_be_visible()
    expect(page.get_by_text("You stopped it: another person lets it run again.")).to_be_visible()
    alert = {"use_case": "alert-response", "label": "ignore", "confidence": 0.99}
    assert send(address, secret, "tour-stopped", **alert)["lane"] == "blocked"

    other = visit("con")
    other.go("/supervision/stops/")
    stopped = other.page.get_by_role("listitem").filter(has_text="the feed repeats itself")
    stopped.get_by_text("Let it run again").click()
    stopped.get_by_label("Reason").fill("the feed is mended")
    stopped.get_by_role("button", name="Resume").click()
    expect(other.page.get_by_text("Alert response runs again.")).to_be_visible()
    assert send(address, secret, "tour-resumed", **alert)["lane"] != "blocked"


def test_the_commander_rules_and_issues_and_revokes_a_mandate(
    visit: Any, address: str, secret: str
) -> None:
    watched = visit("con")
    page = follow(watched, "commander", "Decide what waits for you")
    case = page.locator("tbody th a").first
    named = case.inner_text()
    case.click()
    page.locator("#act-form").get_by_label("Approve").check(force=True)
    page.locator("#act-form").get_by_label("Reason").fill("the pressure is in its range")
    page.get_by_role("button", name="Do it").click()
    expect(page.get_by_role("status")).to_contain_text(f"Case {named} is released.")

    move = {"use_case": "valve-setpoints", "label": "open", "amount": "700.00"}
    assert send(address, secret, "tour-uncovered", **move)["status"] == "pending"
    follow(watched, "commander", "Issue a mandate")
    page.locator("#new-use-case").select_option("valve-setpoints")
    page.get_by_role("button", name="State what it covers").click()
    page.get_by_label("Name").fill("Night shift")
    page.get_by_label("At most so many decisions").fill("5")
    end = datetime.now(UTC) + timedelta(hours=8)
    page.get_by_label("To", exact=True).fill(end.strftime("%Y-%m-%dT%H:%M"))
    page.get_by_label("Reason").fill("nobody is on the night shift")
    page.get_by_role("button", name="Issue the mandate").click()
    row = page.get_by_role("row").filter(has_text="Night shift")
    expect(row.get_by_text("in force")).to_be_visible()
    assert send(address, secret, "tour-covered", **move)["status"] == "released"
    page.reload()
    expect(row.get_by_text("1 of 5")).to_be_visible()
    row.get_by_text("Revoke", exact=True).click()
    row.get_by_label("Reason").fill("the shift is back")
    row.get_by_role("button", name="Revoke it").click()
    expect(page.get_by_role("row").filter(has_text="Night shift")).to_have_count(0)
    assert send(address, secret, "tour-revoked", **move)["status"] == "pending"


def test_the_compliance_officer_takes_a_bundle_that_proves_itself(
    visit: Any, tmp_path: Path
) -> None:
    watched = visit("cleo")
    page = follow(watched, "compliance officer", "Find a record")
    page.get_by_label("Type").first.select_option("use_case")
    page.get_by_role("button", name="Filter").click()
    page.locator("tbody th a").first.press("Enter")
    expect(page.get_by_text("Yes, the proof holds.")).to_be_visible()
    follow(watched, "compliance officer", "Verify the trail")
    page.get_by_role("button", name="Verify now").click()
    expect(page.get_by_role("status")).to_contain_text("checked: sound.")
    follow(watched, "compliance officer", "Export a bundle")
    assert take_bundle(page, "file 12 of the authority", tmp_path).startswith("PASS ")
    follow(watched, "compliance officer", "Read the gaps between groups")
    expect(page.locator("#content > *").nth(1)).to_be_visible()


def take_bundle(page: Page, purpose: str, folder: Path) -> str:
    """Ask for records, wait for the worker, take the bundle: what its own verifier says of it."""
    page.get_by_label("Type of record").select_option("use_case")
    page.get_by_label("What it is for").fill(purpose)
    page.get_by_role("button", name="Make the bundle").click()
    row = page.locator("#exports tbody tr").filter(has_text=purpose)
    with page.expect_download() as taking:
        row.get_by_role("link", name="Download").click(timeout=60_000)
    bundle = folder / "bundle.zip"
    taking.value.save_as(bundle)
    (folder / "verify.py").write_bytes(zipfile.ZipFile(bundle).read("verify.py"))
    command = [sys.executable, "-I", "-S", str(folder / "verify.py"), str(bundle)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_auditor_follows_a_decision_and_takes_evidence_along(
    visit: Any, tmp_path: Path
) -> None:
    watched = visit("aud")
    page = follow(watched, "auditor", "Read the trail")
    expect(page.locator("main").get_by_role("table")).to_be_visible()
    follow(watched, "auditor", "Follow one decision")
    page.locator("tbody th a").first.click()
    page.locator("[data-verify]").first.click()
    expect(page.get_by_text("Verified in this browser.")).to_be_visible()
    assert page.locator("#act").count() == 0
    follow(watched, "auditor", "Verify the trail")
    expect(page.get_by_role("heading", name="Trail health")).to_be_visible()
    follow(watched, "auditor", "Take evidence along")
    assert take_bundle(page, "audit of the year", tmp_path).startswith("PASS ")


def test_the_executive_goes_from_three_sentences_down_to_a_decision(visit: Any) -> None:
    watched = visit("exe")
    page = follow(watched, "executive", "Read three sentences")
    expect(page.locator("#content .sentences li")).to_have_count(3)
    page.get_by_role("link", name="The decisions behind these figures").click()
    page.locator("tbody th a").first.click()
    expect(page.get_by_role("heading", name="Its whole way")).to_be_visible()
    follow(watched, "executive", "Ask whether the team beats the better of two")
    expect(page.locator("#content > *").nth(1)).to_be_visible()
    follow(watched, "executive", "Ask what oversight does to bias")
    expect(page.locator("#content > *").nth(1)).to_be_visible()
    follow(watched, "executive", "See what is open")
    expect(page.get_by_role("heading", name="Alerts")).to_be_visible()


def test_the_ml_engineers_key_sends_a_decision_that_people_find(visit: Any, address: str) -> None:
    watched = visit("ada")
    page = follow(watched, "administrator", "Give a program its key")
    page.get_by_label("Name", exact=True).fill("tour gateway")
    page.get_by_label("Reason", exact=True).last.fill("goes live")
    page.get_by_role("button", name="Make the key").click()
    secret = page.locator("[data-secret]").inner_text()
    loan = {"use_case": "loan-approval", "label": "approve", "confidence": 0.7}
    sent = send(address, secret, "tour-loan", **loan)
    assert (sent["lane"], sent["status"]) == ("review", "pending")
    assert call(address, secret, f"decisions/{sent['id']}/")["external_id"] == "tour-loan"
    box = page.get_by_role("searchbox", name="Find a decision")
    box.fill("tour-loan")
    box.press("Enter")
    expect(page.get_by_role("heading", name="Case tour-loan")).to_be_visible()
    until(page, page.locator("[data-verify]").first)  # the worker has sealed it


def test_the_administrator_adds_a_person_who_signs_in_and_reviews(
    visit: Any, browser: Any, address: str
) -> None:
    watched = visit("ada")
    page = follow(watched, "administrator", "See who may do what")
    page.get_by_role("link", name="Create a person").click()
    page.get_by_label("Username").fill("nina")
    page.get_by_label("Name:", exact=True).fill("Nina Comer")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_label("Reason").fill("joins the desk")
    with page.expect_navigation():
        page.get_by_role("button", name="Save", exact=True).click()
    follow(watched, "administrator", "See who may do what")
    page.get_by_role("link", name="Nina Comer").click()
    form = page.locator("form").filter(has=page.get_by_role("button", name="Grant the role"))
    form.get_by_label("Role").select_option("reviewer")
    form.get_by_label("Reason").fill("joins the desk")
    form.get_by_role("button").click()
    expect(page.get_by_text("Nina Comer is reviewer from now on.")).to_be_visible()
    newcomer = visit("nina")
    follow(newcomer, "reviewer", "Open your queue")
    expect(newcomer.page.get_by_role("heading", name="My queue")).to_be_visible()
    follow(watched, "administrator", "Check the installation")
    until(page, page.get_by_text("alive", exact=True))
