"""What the desk's browser tests do beside the browser: look at the page, and behind the server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import ROOT, Watched, own_environment

THEMES = ("light", "dark")
WIDTHS = (1280, 400)


def assert_sound(watched: Watched, name: str) -> None:
    """No serious violation, nothing wider than the screen; a picture of each look is kept."""
    for theme in THEMES:
        watched.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        for width in WIDTHS:
            watched.page.set_viewport_size({"width": width, "height": 900})
            assert not watched.overflows(), f"{name} is wider than {width} px"
            watched.shoot(f"{name}-{theme}-{width}")
        rules = () if theme == "light" else ("color-contrast",)
        assert watched.serious_violations(*rules) == [], f"{name}, {theme}"
    watched.page.emulate_media(color_scheme="light")
    watched.page.set_viewport_size({"width": 1280, "height": 900})


def next_case(page: Page) -> None:
    page.keyboard.press("n")
    expect(page.locator("[data-form]")).to_be_visible()


def case_name(page: Page) -> str:
    return page.locator(".crumbs .code").inner_text()


# --- Behind the server ----------------------------------------------------------------------


def act_as_server(folder: Path, act: str, *words: str) -> Any:
    """Run one of ACTS in a process of its own on the server's data."""
    done = subprocess.run(
        [sys.executable, "tests/browser/desk_acts.py", act, *words],
        cwd=ROOT,
        env=own_environment(folder),
        check=True,
        capture_output=True,
    )
    return json.loads(done.stdout)


def answers_of(folder: Path, login: str, cases: list[str]) -> list[tuple[str, str]]:
    """(case, verdict) of what counts, made final where its ten seconds are over or not."""
    return [tuple(row) for row in act_as_server(folder, "answers", login, *cases)]


def lapse_leases(folder: Path, login: str) -> None:
    act_as_server(folder, "lapse", login)


def _answers(login: str, *cases: str) -> list[list[str]]:
    from apps.reviews.models import Review

    rows = Review.objects.filter(reviewer__username=login, final=True)
    found = dict(
        rows.filter(decision__external_id__in=cases).values_list("decision__external_id", "verdict")
    )
    return [[case, found[case]] for case in cases if case in found]


def _lapse(login: str) -> int:
    from datetime import timedelta

    from django.utils import timezone

    from apps.reviews.leases import leases_lapse
    from apps.reviews.models import Seat

    now = timezone.now()
    held = Seat.objects.filter(state="leased", holder__username=login)
    held.update(lease_expires_at=now - timedelta(minutes=1))
    return leases_lapse(now)


ACTS: dict[str, Callable[..., Any]] = {"answers": _answers, "lapse": _lapse}

if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hitl_platform.settings")
    django.setup()
    print(json.dumps(ACTS[sys.argv[1]](*sys.argv[2:])))
