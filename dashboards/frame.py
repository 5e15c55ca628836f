"""A dashboard's page: the platform's own frame and filters around what Dash draws."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, dcc, html
from django.conf import settings
from django.template.loader import render_to_string

from apps.common.errors import NotPermitted, PlatformError
from dashboards.bridge import asking, page_request, refusal_recorded
from dashboards.filters import Filter, form_of, read_filter
from dashboards.look import THEMES
from dashboards.parts import refused

SUITES = re.compile(r'"/dashboards/[a-z-]+/(_dash-component-suites/)')
SHARED = r'"/dashboards/executive/\1'
Draw = Callable[[Filter, str], Any]


class Page(Dash):  # type: ignore[misc]
    """A Dash app whose index is a Django template, under a strict Content-Security-Policy."""

    heading = lead = slug = ""
    several = False

    def interpolate_index(self, **kwargs: Any) -> str:
        request = page_request()
        context = {
            "heading": self.heading,
            "lead": self.lead,
            "form": form_of(asking(), request.GET, several=self.several),
            "query": request.GET.urlencode(),
            "entry": kwargs["app_entry"],
            "config": kwargs["config"],
            "scripts": SUITES.sub(SHARED, kwargs["scripts"]),
            "renderer": kwargs["renderer"].replace(
                "<script ", f'<script nonce="{request.csp_nonce}" ', 1
            ),
        }
        return render_to_string("dashboards/page.html", context, request=request)


def page(slug: str, heading: str, lead: str, draw: Draw, *, several: bool = False) -> Page:
    """A dashboard.

    ``draw`` makes its content from a filter and a theme; ``several``: it also shows all use cases
    at once, where none is chosen.
    """
    prefix = f"/dashboards/{slug}/"
    app = Page(
        f"dashboards.{slug}",
        requests_pathname_prefix=prefix,
        routes_pathname_prefix=prefix,
        csrf_token_name=settings.CSRF_COOKIE_NAME,
        update_title=None,
        add_log_handler=False,
        use_async=False,  # the database is asked as from any other view
        title=heading,
        assets_folder="",
        assets_ignore=".*",
    )
    app.server.secret_key = settings.SECRET_KEY
    app.heading, app.lead, app.slug, app.several = heading, lead, slug, several
    app.layout = html.Div(
        [
            dcc.Location(id="at", refresh=False),
            dcc.Store(id="theme"),
            html.Div(id="content", className="dashboard", children=html.P("Reading the figures …")),
        ]
    )
    # Dash serves the scripts that it has listed. Another page may be the first that a process writes.
    app._generate_scripts_html()
    app.clientside_callback(
        ClientsideFunction("oversight", "theme"), Output("theme", "data"), Input("at", "href")
    )

    @app.callback(  # type: ignore[untyped-decorator]
        Output("content", "children"), Input("at", "search"), Input("theme", "data")
    )
    def content(search: str | None, theme: str | None) -> Any:
        """The content, for the one who asks: the body says only what is wanted."""
        try:
            wanted = read_filter(asking(), search or "", several=several)
            return draw(wanted, theme if theme in THEMES else "light")
        except PlatformError as problem:
            if isinstance(problem, NotPermitted):
                refusal_recorded(problem)
            return refused(problem)

    return app
