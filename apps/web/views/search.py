"""The search box of the frame: one exact hit opens at once, several are listed."""

from __future__ import annotations

from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from apps.web import search as finding
from apps.web.access import PageRequest, signed_in


@never_cache
@signed_in
def search(request: PageRequest) -> HttpResponse:
    text = request.GET.get("q", "")[:200]
    hits = finding.search(request.caller, text)
    exact = [hit for hit in hits if hit.exact]
    if len(exact) == 1:
        return HttpResponseRedirect(exact[0].address)
    context = {"q": text, "hits": hits, "current_page": "search"}
    return render(request, "web/search.html", context)
