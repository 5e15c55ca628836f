"""The limits that people set: asked over windows of whole days that are over."""

from __future__ import annotations

from apps.metrics.alerts import alert_raise, open_alert, settled_at
from apps.metrics.domain.watching import Limit, broken_in_a_row, past_windows, sentence
from apps.metrics.first_reading import Window
from apps.metrics.looking import Looks
from apps.metrics.models import Alert, AlertLimit

LIMIT, UNREADABLE = "limit", "unreadable_limit"


def limits_check(looks: Looks) -> list[Alert]:
    """Raise an alert for each limit that is broken, and for each that leads to no figure."""
    limits = AlertLimit.objects.filter(use_case=looks.use_case, active=True).order_by("pk")
    return [alert for limit in limits if (alert := _check(looks, limit)) is not None]


def _check(looks: Looks, limit: AlertLimit) -> Alert | None:
    """What a person has resolved since the newest window ended was about that window already."""
    windows = past_windows(looks.now, limit.window_days, limit.in_a_row)
    settled = settled_at(looks.use_case, LIMIT, str(limit.pk))
    if settled is not None and settled >= windows[0][1]:
        return None
    if open_alert(looks.use_case, LIMIT, str(limit.pk)) is not None:
        return None
    asked = Limit(limit.metric, limit.op, limit.value, limit.smallest)
    try:
        figures = [looks.figure(limit.metric, Window(*window)) for window in windows]
    except KeyError as error:
        return _unreadable(looks, limit, str(error.args[0]))
    if not broken_in_a_row(asked, figures):
        return None
    return alert_raise(
        use_case=looks.use_case,
        kind=LIMIT,
        about=str(limit.pk),
        detail=sentence(asked, figures),
        value=figures[0].value,
        n=figures[0].n,
        limit=limit,
    )


def _unreadable(looks: Looks, limit: AlertLimit, why: str) -> Alert | None:
    """Once a limit: what watches nothing must not look as if all were well."""
    if settled_at(looks.use_case, UNREADABLE, str(limit.pk)) is not None:
        return None
    return alert_raise(
        use_case=looks.use_case,
        kind=UNREADABLE,
        about=str(limit.pk),
        detail=f"the limit on {limit.metric} leads to no figure: {why}",
        limit=limit,
    )
