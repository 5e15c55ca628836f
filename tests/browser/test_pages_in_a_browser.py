"""The pages as people meet them: in Chromium, on a real server, in both themes, wide and narrow."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import (
    format_hotp_value,
    hotp_value,
    yield_hotp_counters_from_time,
)
from playwright.sync_api import expect

from tests.browser.conftest import Watched

expect.set_options(timeout=15_000)  # the machine may be busy
pytestmark = pytest.mark.browser
PASSWORD = "a-long-pass-phrase-9"
NEW_PASSWORD = "another-long-phrase-7"
THEMES = ("light", "dark")
WIDTHS = (1280, 400)

PAGES = {
    "start": "/",
    "use-cases": "/use-cases/",
    "use-case": "/use-cases/loan-approval/",
    "decisions-empty": "/decisions/",
    "supervision-empty": "/supervision/",
    "stops": "/supervision/stops/",
    "command-empty": "/supervision/command/",
    "mandates-empty": "/supervision/mandates/",
    "policies-overview": "/policies/",
    "policies-empty": "/use-cases/loan-approval/policies/",
    "search-empty": "/search/?q=nothing-of-the-kind",
    "records": "/audit/",
    "records-empty": "/audit/?actor=nobody",
    "record": "/audit/12/",
    "trail-health": "/audit/health/",
    "models-empty": "/models/",
    "alerts-empty": "/alerts/",
    "limits-empty": "/alerts/limits/",
    "schedules-empty": "/reports/schedules/",
    "keys": "/keys/",
    "settings": "/settings/",
    "people": "/people/",
    "password-change": "/accounts/password/change/",
    "second-factor": "/accounts/2fa/",
    "sessions": "/accounts/sessions/",
    "sign-out": "/accounts/logout/",
    "admin": "/admin/",
    "admin-people": "/admin/accounts/user/",
    "admin-person-add": "/admin/accounts/user/add/",
    "admin-key-add": "/admin/accounts/servicekey/add/",
    "admin-use-case": "/admin/registry/usecase/loan-approval/change/",
    "admin-history": "/admin/registry/usecase/loan-approval/history/",
}
STRANGERS_PAGES = {
    "sign-in": "/accounts/login/",
    "password-reset": "/accounts/password/reset/",
    "password-reset-done": "/accounts/password/reset/done/",
    "bad-reset-link": "/accounts/password/reset/key/abc-def/",
    "inactive": "/accounts/inactive/",
}
FIGURES = [
    "Executive",
    "Accuracy",
    "Fairness",
    "Drift",
    "Reviewers and operations",
    "Oversight",
    "Report schedules",
]
NAVIGATION = {
    "ada": [
        "Start",
        "Use cases",
        "Decisions",
        "Supervision",
        "Policies",
        "AI models",
        "Alerts",
        *FIGURES,
        "Audit trail",
        "Trail health",
        "Audit health",
        "People and roles",
        "API keys",
        "Administration",
    ],
    "aud": [
        "Start",
        "Use cases",
        "Decisions",
        "Supervision",
        "Policies",
        "AI models",
        "Alerts",
        *FIGURES,
        "Audit trail",
        "Trail health",
        "Exports",
        "Audit health",
        "People and roles",
        "API keys",
    ],
    "rita": [
        "Start",
        "My queue",
        "Team board",
        "Use cases",
        "Decisions",
        "Supervision",
        "Policies",
        "AI models",
        "Alerts",
        *FIGURES,
        "People and roles",
    ],
    "rex": [
        "Start",
        "My queue",
        "Use cases",
        "Decisions",
        "Policies",
        "AI models",
    ],
}


def assert_sound(watched: Watched, name: str) -> None:
    """No serious violation, nothing wider than the screen; a picture of each look is kept."""
    for theme in THEMES:
        watched.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        for width in WIDTHS:
            watched.page.set_viewport_size({"width": width, "height": 900})
            assert not watched.overflows(), f"{name} is wider than {width} px"
            watched.shoot(f"{name}-{theme}-{width}")
        # The themes differ in colours alone: everything else is looked at once.
        rules = () if theme == "light" else ("color-contrast",)
        assert watched.serious_violations(*rules) == [], f"{name}, {theme}"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_and_fits_in_both_themes(visit: Any, name: str) -> None:
    watched = visit("ada")
    assert watched.go(PAGES[name]) == 200
    assert_sound(watched, name)


@pytest.mark.parametrize("name", STRANGERS_PAGES)
def test_a_strangers_page_is_accessible_and_fits_in_both_themes(
    stranger: Watched, name: str
) -> None:
    assert stranger.go(STRANGERS_PAGES[name]) == 200
    assert_sound(stranger, name)


@pytest.mark.parametrize("login", NAVIGATION)
def test_the_navigation_shows_what_the_role_opens_and_all_of_it_opens(
    visit: Any, login: str
) -> None:
    watched = visit(login)
    watched.go("/")
    links = watched.page.get_by_role("navigation", name="Pages").get_by_role("link")
    assert links.all_inner_texts() == NAVIGATION[login]
    for path in [link.get_attribute("href") for link in links.all()]:
        assert watched.go(path) == 200


def test_a_refused_page_says_whom_to_ask(visit: Any) -> None:
    watched = visit("rex")
    assert watched.go("/audit/") == 403
    expect(watched.page.get_by_text("Ask Ada Moreau.")).to_be_visible()
    assert_sound(watched, "refused")
    # Chromium itself notes every answer of 403; nothing else may be there.
    assert len(watched.faults) == 1
    assert "status of 403" in watched.faults.pop()


def test_an_unknown_address_is_answered_in_the_frame(visit: Any) -> None:
    watched = visit("rex")
    assert watched.go("/not/there/") == 404
    expect(watched.page.get_by_role("heading", name="There is no such page")).to_be_visible()
    assert_sound(watched, "not-found")
    assert len(watched.faults) == 1
    assert "status of 404" in watched.faults.pop()


def test_the_chosen_theme_is_kept_on_this_device(visit: Any) -> None:
    watched = visit("rex")
    watched.go("/")
    switch = watched.page.get_by_role("button", name="Theme")
    for label in ("Theme: light", "Theme: dark"):
        switch.click()
        assert switch.inner_text() == label
    watched.go("/use-cases/")
    background = "getComputedStyle(document.body).backgroundColor"
    assert watched.page.evaluate(background) == "rgb(15, 21, 27)"
    assert watched.page.evaluate("Object.keys(localStorage)") == ["human-oversight.theme"]


def test_the_keyboard_reaches_the_content_and_the_narrow_menu(visit: Any) -> None:
    watched = visit("rex")
    watched.page.set_viewport_size({"width": 400, "height": 900})
    watched.go("/")
    watched.page.keyboard.press("Tab")
    assert watched.page.evaluate("document.activeElement.textContent") == "Skip to the content"
    watched.page.keyboard.press("Tab")
    menu = watched.page.get_by_role("navigation", name="Pages")
    expect(menu).not_to_be_visible()
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert watched.page.evaluate(outline) == "solid"
    watched.page.keyboard.press("Enter")
    expect(menu).to_be_visible()
    watched.page.keyboard.press("Escape")
    expect(menu).not_to_be_visible()


def test_a_printed_page_is_its_content_alone(visit: Any) -> None:
    watched = visit("ada")
    watched.go("/audit/")
    watched.page.emulate_media(media="print")
    hidden = ["header.top", "nav.menu", "form.filters"]
    assert [watched.page.locator(part).is_visible() for part in hidden] == [False] * 3
    expect(watched.page.get_by_role("table")).to_be_visible()
    watched.shoot("records-print")


def test_verify_now_answers_with_the_result(visit: Any) -> None:
    watched = visit("aud")
    watched.go("/audit/health/")
    watched.page.get_by_role("button", name="Verify now").click()
    assert "checked: sound." in watched.page.get_by_role("status").inner_text()


def test_a_person_is_created_in_the_administration_and_found_on_the_people_page(visit: Any) -> None:
    watched = visit("ada")
    watched.go("/admin/accounts/user/add/")
    watched.page.get_by_label("Username").fill("newcomer")
    watched.page.get_by_label("Name:", exact=True).fill("Nina Comer")
    watched.page.get_by_role("button", name="Save", exact=True).click()
    expect(watched.page.get_by_text("This field is required.")).to_have_count(1)  # the reason
    watched.page.get_by_label("Reason").fill("joins the desk")
    with watched.page.expect_navigation():
        watched.page.get_by_role("button", name="Save", exact=True).click()
    watched.go("/people/?q=newcomer")
    expect(watched.page.get_by_role("rowheader", name="Nina Comer")).to_be_visible()


def test_sign_in_second_factor_sessions_and_password(browser: Any, stranger: Watched) -> None:
    """One person's whole way: each step is what the next one stands on."""
    page = stranger.page
    stranger.sign_in("tom", "wrong")
    assert "not correct" in page.get_by_role("alert").inner_text()
    stranger.sign_in("tom")
    expect(page.get_by_role("heading", name="Tom Factor")).to_be_visible()

    stranger.go("/accounts/2fa/")
    page.get_by_role("link", name="Turn on").click()
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    assert page.get_by_role("img", name="QR code").evaluate("image => image.naturalWidth") > 0
    assert_sound(stranger, "second-factor-on")
    secret = page.locator("#totp-secret").inner_text()
    page.get_by_label("Authenticator code").fill(code_of(secret))
    page.get_by_role("button", name="Turn on").click()
    recovery = page.locator(".codes li").first.inner_text()
    assert_sound(stranger, "recovery-codes")

    context = browser.new_context()
    other = Watched(context.new_page(), stranger.address)
    other.sign_in("tom")
    expect(other.page.get_by_role("heading", name="Second factor")).to_be_visible()
    other.page.get_by_label("Code from your app").fill("000000")
    other.page.get_by_role("button", name="Sign in").click()
    expect(other.page.get_by_text("Incorrect code.")).to_be_visible()
    other.page.get_by_label("Code from your app").fill(recovery)
    other.page.get_by_role("button", name="Sign in").click()
    expect(other.page.get_by_role("heading", name="Tom Factor")).to_be_visible()

    stranger.go("/accounts/sessions/")
    page.get_by_role("button", name="End the session").click()
    expect(page.get_by_text("Sessions ended: 1.")).to_be_visible()
    other.go("/")
    assert "/accounts/login/" in other.page.url
    context.close()

    stranger.go("/accounts/password/change/")
    page.get_by_label("Present password").fill(PASSWORD)
    page.get_by_label("New password", exact=True).fill(NEW_PASSWORD)
    page.get_by_label("New password, again").fill(NEW_PASSWORD)
    page.get_by_role("button", name="Change password").click()
    page.wait_for_url("**/accounts/login/**")
    stranger.sign_in("tom")
    assert "not correct" in page.get_by_role("alert").inner_text()
    stranger.sign_in("tom", NEW_PASSWORD)
    expect(page.get_by_role("heading", name="Second factor")).to_be_visible()
    assert_sound(stranger, "second-factor-asked")


def code_of(secret: str) -> str:
    counter = next(iter(yield_hotp_counters_from_time()))
    return format_hotp_value(hotp_value(secret, counter))
