"""Django's administration as this platform opens it: its own tables, its own sign-in."""

from __future__ import annotations

from django.contrib.admin import AdminSite
from django.urls import URLPattern, path
from django.views.generic import RedirectView

from apps.web.access import administration_door


def prepare(site: AdminSite) -> AdminSite:
    """Only tables whose writes are recorded, and nobody in without allauth and the matrix."""
    site.site_header = site.site_title = "Administration"
    site.index_title = "Administration"
    site.site_url = "/"
    site.enable_nav_sidebar = False
    site.login = administration_door(site.login)  # type: ignore[method-assign]
    for model in list(site._registry):
        if not model.__module__.startswith("apps."):
            site.unregister(model)
    return site


# The administration's own sign-out and password pages would save people without a record.
replaced: list[URLPattern] = [
    path("password_change/", RedirectView.as_view(pattern_name="account_change_password")),
    path("password_change/done/", RedirectView.as_view(pattern_name="account_change_password")),
    path("logout/", RedirectView.as_view(pattern_name="account_logout")),
]
