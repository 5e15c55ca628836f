"""The dashboards in Chromium: drawn under the strict policy, in both themes, wide and narrow."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Watched

expect.set_options(timeout=30_000)  # the machine may be busy
pytestmark = pytest.mark.browser
SEED = "tests/browser/dashboards_seed.py"
DASHBOARDS = ("executive", "accuracy", "fairness", "drift", "people", "oversight", "trail")
CHARTS = {"executive": 2, "accuracy": 5, "fairness": 4, "drift": 4, "people": 1, "oversight": 3}


def drawn(watched: Watched, charts: int) -> None:
    """Every chart of the page is there."""
    expect(watched.page.locator("#content > *").nth(1)).to_be_visible()
    for number in range(charts):
        expect(watched.page.locator(".js-plotly-plot .main-svg").nth(3 * number)).to_be_attached()


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_is_drawn_accessible_and_fits(visit: Any, name: str) -> None:
    watched = visit("cora")
    for theme in ("light", "dark"):
        watched.page.emulate_media(color_scheme=theme)
        for width in (1280, 400):
            watched.page.set_viewport_size({"width": width, "height": 900})
            assert watched.go(f"/dashboards/{name}/") == 200
            drawn(watched, CHARTS.get(name, 0))
            assert not watched.overflows(), f"{name} is wider than {width} px"
            watched.shoot(f"dashboard-{name}-{theme}-{width}")
        rules = () if theme == "light" else ("color-contrast",)
        assert watched.serious_violations(*rules) == [], f"{name}, {theme}"


def test_a_view_can_be_sent_to_a_colleague(visit: Any) -> None:
    watched = visit("exe")
    watched.go("/dashboards/accuracy/")
    watched.page.get_by_label("Model version", exact=True).select_option("scorer 2")
    watched.page.get_by_role("button", name="Show").click()
    expect(watched.page.locator("#content")).to_contain_text("version scorer 2")
    address = watched.page.url
    other = visit("cora")
    other.page.goto(address)
    expect(other.page.locator("#content")).to_contain_text("version scorer 2")
    expect(other.page.get_by_label("Model version", exact=True)).to_have_value("scorer 2")


def test_the_numbers_of_a_chart_open_as_a_table_and_follow_the_filter(visit: Any) -> None:
    watched = visit("exe")
    watched.go("/dashboards/accuracy/")
    panel = watched.page.locator("section.chart").first
    panel.get_by_text("Numbers", exact=True).click()
    rows = panel.get_by_role("table").get_by_role("row")
    expect(rows.nth(1)).to_be_visible()
    assert rows.nth(0).get_by_role("columnheader").count() > 1
    before = panel.get_by_role("table").inner_text()
    watched.page.get_by_label("Model version", exact=True).select_option("scorer 2")
    watched.page.get_by_role("button", name="Show").click()
    expect(watched.page.locator("#content")).to_contain_text("version scorer 2")
    panel = watched.page.locator("section.chart").first
    if not panel.get_by_role("table").count():
        panel.get_by_text("Numbers", exact=True).click()
    expect(panel.get_by_role("table")).to_be_visible()
    assert panel.get_by_role("table").inner_text() != before


@pytest.mark.parametrize(("what", "begins"), [("CSV", b"\xef\xbb\xbf"), ("PNG", b"\x89PNG")])
def test_a_chart_is_taken_along(visit: Any, what: str, begins: bytes) -> None:
    watched = visit("exe")
    watched.go("/dashboards/executive/?use_case=loan-approval")
    drawn(watched, 2)
    with watched.page.expect_download() as download:
        watched.page.get_by_role(
            "button", name=f"{'Picture' if what == 'PNG' else 'Numbers'} of: Accuracy by process"
        ).click()
    assert download.value.suggested_filename == f"accuracy-by-process.{what.lower()}"
    assert download.value.path().read_bytes().startswith(begins)


def test_the_theme_switch_redraws_the_charts(visit: Any) -> None:
    watched = visit("exe")
    watched.go("/dashboards/executive/")
    drawn(watched, 2)
    ink = "() => document.querySelector('.js-plotly-plot').layout.template.layout.font.color"
    before = watched.page.evaluate(ink)
    watched.page.evaluate("document.documentElement.dataset.theme = 'dark'")
    expect(watched.page.locator("#content")).to_be_visible()
    watched.page.wait_for_timeout(200)
    deadline = 60
    while watched.page.evaluate(ink) == before and deadline:
        watched.page.wait_for_timeout(250)
        deadline -= 1
    assert watched.page.evaluate(ink) == "#e4e9ee"
    assert before == "#15202b"
