"""The blocks that dashboards are made of: tiles, figures with a sentence and a table, notes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any, NamedTuple

import plotly.graph_objects as go
from dash import dcc, html

from apps.common.errors import NotPermitted, PlatformError
from dashboards.filters import Filter
from dashboards.words import percent, small

MOST_ROWS = 50
LONG_CELL = 32
CONFIG: Any = {"displayModeBar": False, "responsive": True}
Rows = Sequence[Sequence[Any]]
_numbers = count(1)


class Told(NamedTuple):
    """A cell, and what it rests on: said when it is pointed at."""

    words: str
    rests_on: str


def tile(name: str, value: str, below: str = "", tone: str = "") -> html.Div:
    """One figure: its name, its value, what it rests on."""
    return html.Div(
        [html.Dt(name), html.Dd([value, html.Small(below)])],
        className=f"tile {f'is-{tone}' if tone else ''}".strip(),
    )


def estimate_tile(name: str, one: Mapping[str, Any], write: Any = percent, tone: str = "") -> Any:
    return tile(name, write(one.get("value")), small(one, write), tone)


def tiles(*found: Any) -> html.Dl:
    return html.Dl(list(found), className="tiles panel")


def table(head: Sequence[str], rows: Rows, caption: str) -> html.Div:
    """A table that a screen reader can walk through; numbers to the right."""
    return html.Div(
        html.Table(
            [
                html.Caption(caption, className="visually-hidden"),
                html.Thead(html.Tr([html.Th(name, scope="col") for name in head])),
                html.Tbody([_row(row) for row in rows]),
            ]
        ),
        className="scroll",
        tabIndex=0,
        role="region",
        **{"aria-label": caption},
    )


def _row(row: Sequence[Any]) -> html.Tr:
    first, *others = row
    return html.Tr([html.Th(first, scope="row"), *map(_cell, others)])


def _cell(cell: Any) -> html.Td:
    """Words read from the left and wrap; figures stand in a column, to the right."""
    if isinstance(cell, Told):
        return html.Td(cell.words, title=cell.rests_on)
    long = isinstance(cell, str) and len(cell) > LONG_CELL
    return html.Td(cell, className="words") if long else html.Td(cell)


def chart(
    title: str,
    figure: go.Figure,
    sentence: str,
    head: Sequence[str],
    rows: Rows,
    *,
    more: Any = None,
    wide: bool = False,
) -> html.Section:
    """A chart, the sentence that says what it shows, and the numbers behind it."""
    number = next(_numbers)
    return html.Section(
        [
            html.Div(
                [
                    html.H2(title),
                    html.Div(
                        [
                            _button("PNG", "png", f"Picture of: {title}"),
                            _button("CSV", "csv", f"Numbers of: {title}"),
                        ],
                        className="chart-tools",
                    ),
                ],
                className="panel-head",
            ),
            html.Figure(
                [
                    html.Div(
                        dcc.Graph(
                            figure=figure,
                            config=CONFIG,
                            id=f"chart-{number}",
                            style={"height": f"{figure.layout.height}px"},
                        ),
                        role="img",
                        **{"aria-label": sentence},
                    ),
                    html.Figcaption(sentence, className="note"),
                ]
            ),
            html.Details([html.Summary("Numbers"), _numbers_of(head, rows, title)]),
            *([more] if more is not None else []),
        ],
        className="panel chart is-wide" if wide else "panel chart",
        **{"aria-label": title},
    )


def _numbers_of(head: Sequence[str], rows: Rows, title: str) -> html.Div:
    """The table as its words, which charts.js lays out when somebody opens it or takes it along: Dash
    would handle each cell as a component of its own, a thousand of them for seconds."""
    words = [[str(cell) for cell in row] for row in (head, *rows)]
    return html.Div(**{"data-numbers": json.dumps([title, *words], ensure_ascii=False)})


def _button(text: str, what: str, says: str) -> html.Button:
    return html.Button(
        text,
        className="button is-plain is-small",
        type="button",
        **{"data-take": what, "aria-label": says},
    )


def listed(title: str, head: Sequence[str], rows: Rows, note: str = "", empty: str = "") -> Any:
    """A panel with a table, or with what to do where it would be empty."""
    shown = rows[:MOST_ROWS]
    body = table(head, shown, title) if rows else html.Div(html.P(empty), className="empty")
    if len(rows) > MOST_ROWS:
        note = f"The first {MOST_ROWS} of {len(rows):,} rows. {note}".strip()
    parts = [html.Div(html.H2(title), className="panel-head"), body]
    if note:
        parts.append(html.P(note, className="note"))
    return html.Section(parts, className="panel is-flush is-wide", **{"aria-label": title})


def folded(title: str, head: Sequence[str], rows: Rows, note: str = "", empty: str = "") -> Any:
    """As ``listed``, the rows laid out when somebody opens them: what few want, and pages of it.
    Paper has them all."""
    if not rows:
        return listed(title, head, rows, note, empty)
    parts = [
        html.Div(html.H2(title), className="panel-head"),
        html.Details(
            [html.Summary(f"{len(rows):,} rows"), _numbers_of(head, rows, title)],
            className="is-folded",
        ),
    ]
    if note:
        parts.append(html.P(note, className="note"))
    return html.Section(parts, className="panel chart is-wide", **{"aria-label": title})


def charts(*found: Any) -> html.Div:
    return html.Div([one for one in found if one is not None], className="charts")


def verdict(text: str, body: str, tone: str) -> html.Div:
    """A plain finding: good, warn or bad."""
    return html.Div([html.Strong(text), html.P(body)], className=f"verdict is-{tone}")


def note(text: str) -> html.P:
    return html.P(text, className="note")


def behind(wanted: Filter, text: str = "The decisions behind these figures", **more: str) -> html.P:
    """The way down to the decisions."""
    return html.P(html.A(text, href=f"/decisions/?{wanted.listed(**more)}"), className="note")


def period(wanted: Filter) -> html.P:
    """What the page is of, in words."""
    names = ", ".join(one.name for one in wanted.use_cases[:3])
    if len(wanted.use_cases) > 3:
        names = f"{len(wanted.use_cases)} use cases"
    parts = [names, wanted.period]
    parts += [f"version {wanted.version}"] if wanted.version else []
    parts += [wanted.group.replace("=", ": ")] if wanted.group else []
    return html.P(" · ".join(parts), className="lead")


def empty(text: str, what: str) -> html.Div:
    return html.Div([html.Strong(text), html.P(what)], className="panel empty")


def undivided(wanted: Filter, what: str) -> html.P | None:
    """Which figures are of the whole use case, where only a part of it was asked for."""
    asked = [("model version", wanted.version), ("group", wanted.group)]
    names = " and ".join(name for name, value in asked if value)
    return note(f"{what} are of every {names}: they are not counted apart.") if names else None


def nothing(wanted: Filter) -> Any:
    """What to say where there is no use case, or no decision in the period; None where there is."""
    if not wanted.use_cases:
        return empty("No use case.", "There is none whose figures you may see: ask a risk lead.")
    return None


def refused(problem: PlatformError) -> html.Div:
    """What is wrong with what was asked for."""
    head = "You may not see this" if isinstance(problem, NotPermitted) else "This cannot be shown"
    return html.Div(
        [html.Strong(head), html.P(str(problem))], className="verdict is-bad", role="alert"
    )
