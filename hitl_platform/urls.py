"""Every address of the platform: programs under /api/v1/, people everywhere else."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponseRedirect
from django.templatetags.static import static
from django.urls import include, path

from apps.web import administration, health


def favicon(request: HttpRequest) -> HttpResponseRedirect:
    """Browsers ask for this address on pages that name no icon."""
    return HttpResponseRedirect(static("web/favicon.svg"))


urlpatterns = [
    path("api/v1/", include("apps.api.urls")),  # first: each decision that comes asks here
    path("", include("apps.web.urls")),
    path("accounts/", include("apps.web.sign_in_urls")),
    path("admin/", include(administration.replaced)),
    path("admin/", administration.prepare(admin.site).urls),
    path("healthz", health.healthz, name="healthz"),
    path("dashboards/", include("dashboards.urls")),
    path("favicon.ico", favicon, name="favicon"),
]
