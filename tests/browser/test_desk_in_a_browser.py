"""The desk as its people meet it: in Chromium, on a real server, by keyboard, blind, late, narrow."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watched
from tests.browser.desk_acts import (
    answers_of,
    assert_sound,
    case_name,
    lapse_leases,
    next_case,
)

expect.set_options(timeout=15_000)  # the machine may be busy
pytestmark = pytest.mark.browser
SEED = "tests/browser/desk_seed.py"
TRACES = ("0.8137", "81 %", "0.1111", "0.0752", "MARKER-", "below 0.99", "data-stands")
TEAM = {
    "desk-team": "/desk/team/",
    "desk-team-tasks": "/desk/team/tasks/",
    "desk-team-tasks-empty": "/desk/team/tasks/?case=none",
    "desk-team-people": "/desk/team/people/",
    "desk-team-known": "/desk/team/known/",
    "desk-team-known-enter": "/desk/team/known/enter/?of=loan-approval&case=old-3",
}


def test_a_reviewer_clears_ten_cases_by_keyboard_alone(visit: Any, folder: Path) -> None:
    watched = visit("rex")
    page: Page = watched.page
    watched.go("/desk/")
    page.keyboard.press("n")
    seen = []
    for n in range(10):
        expect(page.locator("[data-form]")).to_be_visible()
        seen.append(case_name(page))
        if n % 5 == 4:  # every fifth is changed: the label by its digit, a reason, and why
            chosen = page.locator("[data-label-key]:not([data-stands])")
            page.keyboard.press(str(chosen.get_attribute("data-label-key")))
            expect(page.locator("#rationale")).to_be_focused()
            page.keyboard.type("The statement shows more than the score.")
            page.keyboard.press("Shift+Tab")
            expect(page.locator("#reason-code")).to_be_focused()
            page.keyboard.press("b")  # the first reason that begins so
            expect(page.locator("#reason-code")).to_have_value("better_than_scored")
            page.keyboard.press("Control+Enter")
        else:
            page.keyboard.press("c")
        expect(page.locator(".crumbs .code")).not_to_have_text(seen[-1])
    assert len(set(seen)) == 10
    expect(page.locator(".desk-toast")).to_have_count(0, timeout=30_000)  # all are final
    answers = answers_of(folder, "rex", seen)
    assert [verdict for _case, verdict in answers] == (["confirm"] * 4 + ["change"]) * 2


def test_a_blind_case_holds_no_trace_before_the_first_answer(visit: Any) -> None:
    watched = visit("bea")
    page: Page = watched.page
    bodies: list[tuple[str, str]] = []
    page.on("response", lambda answer: bodies.append((answer.url, _text_of(answer))))
    watched.go("/desk/")
    next_case(page)
    page.keyboard.press("1")
    page.locator("#rationale").fill("half a thought")  # the draft keeps itself
    expect(page.locator("[data-saved]")).to_contain_text("Draft saved")
    page.reload()
    expect(page.locator("#rationale")).to_have_value("half a thought")
    htmx = "fetch(location.href, {headers: {'HX-Request': 'true'}}).then((answer) => answer.text())"
    partial = page.evaluate(htmx)
    everything = [("dom", page.content()), ("htmx", partial), *bodies]
    assert len(bodies) > 4
    assert [(url, t) for url, text in everything for t in TRACES if t in text] == []
    assert_sound(watched, "desk-case-blind")
    assert page.locator("[name=label][value=pay]").is_checked()
    page.get_by_role("button", name="Give my answer").click()
    expect(page.get_by_role("heading", name="Your first answer")).to_be_visible()
    told = page.content()
    assert [
        trace for trace in ("81 %", "MARKER-EXPLANATION", "MARKER-7.7") if trace not in told
    ] == []
    assert_sound(watched, "desk-case-revealed")


def _text_of(answer: Any) -> str:
    """A body, as far as it is text; of a redirect its headers."""
    kind = answer.headers.get("content-type", "")
    if answer.status in (204, 302) or not kind.startswith(("text/html", "application/json")):
        return str(answer.headers)
    return str(answer.text())


def test_a_late_verdict_meets_the_lapsed_lease_and_loses_no_word(visit: Any, folder: Path) -> None:
    watched = visit("lou")
    page: Page = watched.page
    watched.go("/desk/")
    next_case(page)
    held = case_name(page)
    page.keyboard.press("w")
    page.keyboard.type("The pay slip is of another person.")
    lapse_leases(folder, "lou")
    with page.expect_response(lambda answer: answer.url.endswith("/verdict/")) as late:
        page.keyboard.press("Control+Enter")
    assert late.value.status == 409
    expect(page.get_by_role("heading", name="Your hold on this case has ended")).to_be_visible()
    expect(page.get_by_text("The pay slip is of another person.")).to_be_visible()
    assert_sound(watched, "desk-lapsed")
    page.keyboard.press("n")
    expect(page.locator(".crumbs .code")).to_have_text(held)
    expect(page.locator("#rationale")).to_have_value("The pay slip is of another person.")
    _only_refusals(watched, 409)


def test_a_verdict_is_taken_back_within_ten_seconds(visit: Any, folder: Path) -> None:
    watched = visit("lou")
    page: Page = watched.page
    watched.go("/desk/")
    next_case(page)
    held = case_name(page)
    page.keyboard.press("c")
    expect(page.locator(".crumbs .code")).not_to_have_text(held)
    toast = page.locator(".desk-toast", has_text=held)
    expect(toast).to_contain_text("Confirmed")
    watched.shoot("desk-undo")
    page.keyboard.press("u")
    expect(page.locator(".crumbs .code")).to_have_text(held)
    expect(page.locator("[name=verdict][value=confirm]")).to_be_checked()
    assert answers_of(folder, "lou", [held]) == []
    page.keyboard.press("c")
    expect(page.locator(".crumbs .code")).not_to_have_text(held)
    # after ten seconds the page itself makes it final, and there is nothing to take back
    expect(page.locator(".desk-toast", has_text=held)).to_have_count(0, timeout=25_000)
    assert answers_of(folder, "lou", [held]) == [(held, "confirm")]


def test_two_browsers_of_one_person_hold_one_case_and_give_one_verdict(
    visit: Any, folder: Path
) -> None:
    first, second = visit("una"), visit("una")
    for watched in (first, second):
        watched.go("/desk/")
        next_case(watched.page)
    held = case_name(first.page)
    assert case_name(second.page) == held
    first.page.keyboard.press("c")
    expect(first.page.locator(".desk-toast", has_text=held)).to_be_visible()
    expect(first.page.locator(".desk-toast", has_text=held)).to_have_count(0, timeout=25_000)
    with second.page.expect_response(lambda answer: answer.url.endswith("/verdict/")) as late:
        second.page.keyboard.press("c")
    assert late.value.status == 409
    expect(second.page.get_by_role("heading", name="This case is settled")).to_be_visible()
    assert answers_of(folder, "una", [held]) == [(held, "confirm")]
    _only_refusals(second, 409)


def _only_refusals(watched: Watched, status: int) -> None:
    """Chromium itself notes each refused request; nothing else may be there."""
    assert watched.faults
    assert [fault for fault in watched.faults if f"status of {status}" not in fault] == []
    watched.faults.clear()


def test_the_queue_and_a_case_of_each_kind_are_accessible_and_fit(visit: Any) -> None:
    watched = visit("ivo")
    page: Page = watched.page
    watched.go("/desk/")
    assert_sound(watched, "desk-queue")
    for name in (
        "Invoice extraction",
        "Customer replies",
        "Control room set-points",
        "Demand forecast",
        "Visual inspection",
    ):
        watched.go("/desk/")
        page.get_by_role("button", name=f"Next case of {name}").click()
        expect(page.locator("[data-form]")).to_be_visible()
        assert_sound(watched, f"desk-case-{name.split()[0].lower()}")
        page.get_by_role("button", name="Put this case back in the queue").click()
        expect(page.get_by_text("The case is back in the queue.")).to_be_visible()


def test_a_label_case_and_its_keys_are_accessible_and_fit(visit: Any) -> None:
    watched = visit("sena")
    watched.go("/desk/")
    next_case(watched.page)
    assert_sound(watched, "desk-case-label")
    watched.page.set_viewport_size({"width": 1280, "height": 900})
    watched.page.keyboard.press("?")
    expect(watched.page.get_by_role("heading", name="Keys", exact=True)).to_be_visible()
    watched.shoot("desk-keys")
    assert watched.serious_violations() == []


@pytest.mark.parametrize("name", TEAM)
def test_a_team_page_is_accessible_and_fits_in_both_themes(visit: Any, name: str) -> None:
    watched = visit("rita")
    assert watched.go(TEAM[name]) == 200
    assert_sound(watched, name)


def test_a_lead_gives_a_case_to_somebody_and_it_is_in_their_queue(visit: Any) -> None:
    watched = visit("rita")
    page: Page = watched.page
    watched.go("/desk/team/tasks/?of=loan-approval&state=free")
    link = page.locator("tbody th a").last
    held = link.inner_text()
    link.click()
    page.get_by_text("Give, return or take back").click()
    page.get_by_label("Login of the person").fill("lou")
    page.get_by_label("Reason").fill("knows the branch")
    assert_sound(watched, "desk-team-task")
    page.get_by_role("button", name="Do it").click()
    expect(page.get_by_text("Seat 1 is Lou Anders’s now.")).to_be_visible()
    expect(page.get_by_role("cell", name="knows the branch")).to_be_visible()
    other = visit("lou")
    other.go("/desk/")
    expect(other.page.get_by_role("row", name=re.compile(held))).to_contain_text("given to you")


def test_a_lead_grants_a_skill_and_revokes_it(visit: Any) -> None:
    watched = visit("rita")
    page: Page = watched.page
    watched.go("/desk/team/people/")
    form = page.locator("form", has=page.get_by_role("button", name="Grant the skill"))
    form.get_by_label("Person").fill("ivo")
    form.get_by_label("Skill").fill("credit")
    form.get_by_label("Reason").fill("examined")
    form.get_by_role("button", name="Grant the skill").click()
    expect(page.get_by_text("Ivo Brandt holds the skill credit now.")).to_be_visible()
    row = page.get_by_role("row", name=re.compile("Ivo Brandt credit"))
    row.get_by_text("Revoke", exact=True).click()
    row.get_by_label("Reason").fill("entered by mistake")
    assert_sound(watched, "desk-team-revoke")
    row.get_by_role("button", name="Revoke the skill").click()
    expect(page.get_by_text("Ivo Brandt does not hold the skill credit any more.")).to_be_visible()


def test_a_known_answer_is_entered_looked_at_and_forgiven(visit: Any) -> None:
    watched = visit("rita")
    page: Page = watched.page
    watched.go("/desk/team/known/")
    finder = page.locator("form", has=page.get_by_role("button", name="Look at the case"))
    finder.get_by_label("Use case").select_option("loan-approval")
    finder.get_by_label("Case", exact=True).fill("old-2")
    finder.get_by_role("button").click()
    page.locator("label.desk-choice", has_text="deny").click()
    page.get_by_label("How it is known").fill("paid back in full")
    page.get_by_role("button", name="Enter the answer").click()
    expect(page.get_by_text("The answer of old-2 is known now")).to_be_visible()
    assert_sound(watched, "desk-team-known-one")
    page.get_by_label("Reason").fill("looked up the wrong account")
    page.get_by_role("button", name="Forgive: it was bad").click()
    expect(page.get_by_text("Forgiven: 0 comparisons")).to_be_visible()
