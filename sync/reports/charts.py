"""The charts as SVG: drawn by Altair and vl-convert in this process, without a browser and without a network."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import altair as alt
import polars as pl
import vl_convert

from sync.reports.document import Chart
from sync.reports.voice import Language, Voice

WIDTH = 640
#: Letters of a word beside a bar; a longer one is cut there, and stands whole in the table.
LONGEST = 34
_BAR = 26  # pixels a bar, with the gap to the next one
#: Told apart by people who cannot tell red from green, and on a black-and-white print by their lightness.
_DARK, _LIGHT, _RULE = "#1f5f8b", "#e0a458", "#4a4a4a"
_FORMS: Mapping[Language, Literal["de-DE", "en-GB"]] = {"de": "de-DE", "en": "en-GB"}
_CONFIG: Mapping[str, Any] = {
    "font": "Arial, Helvetica, sans-serif",
    "background": "transparent",
    "view": {"stroke": None},
    # All drawings are equally wide, so that their letters are equally large on the page.
    "autosize": {"type": "fit", "contains": "padding"},
    "axis": {
        "labelFontSize": 12, "labelLimit": 260, "titleFontSize": 12, "titleFontWeight": "normal",
        "gridColor": "#e4e4e4", "domainColor": "#b5b5b5", "tickColor": "#b5b5b5", "labelColor": "#333333",
    },
    "legend": {"orient": "top", "title": None, "labelFontSize": 12},
}  # fmt: skip


def drawn(chart: Chart, voice: Voice) -> str:
    """The SVG of a chart, without a size of its own: it fills the width that it is given."""
    made = {"bars": _bars, "rates": _rates, "months": _months}[chart.kind](chart, voice)
    form = _FORMS[voice.language]
    svg = vl_convert.vegalite_to_svg(
        made.configure(**_CONFIG).to_dict(), format_locale=form, time_format_locale=form, allowed_base_urls=[]
    )
    # Its size stays as the proportion of its viewBox. The table beside it says what it shows, so it is hidden from
    # whoever has the page read aloud.
    return re.sub(
        r'<svg ([^>]*?)width="[\d.]+" height="[\d.]+"',
        r'<svg aria-hidden="true" focusable="false" \1',
        svg,
        count=1,
    )


def _words_axis(words: Sequence[str]) -> Any:
    """An axis with room for its words in whatever font the reader has: the widest usual one takes 8 pixels a letter."""
    room = min(LONGEST, max(map(len, words))) * 8 + 12
    return alt.Axis(minExtent=room, maxExtent=room, labelLimit=room)


def _bars(chart: Chart, voice: Voice) -> Any:
    data = pl.DataFrame(chart.rows).with_columns(
        pl.Series("_label", [voice.count(row[chart.x]) for row in chart.rows])
    )
    order = [row[chart.y] for row in chart.rows]
    y = alt.Y(chart.y, type="nominal", sort=order, title=None, axis=_words_axis(order))
    most = max(row[chart.x] for row in chart.rows)
    x = alt.X(
        chart.x,
        type="quantitative",
        title=None,
        axis=alt.Axis(format=",d", tickCount=5, tickMinStep=1),
        scale=alt.Scale(domain=[0, max(1, most) * 1.1], nice=False),
    )
    base = alt.Chart(data).encode(y=y, x=x)
    bars = base.mark_bar(color=_DARK)
    labels = base.mark_text(align="left", dx=5, fontSize=12, color="#222222").encode(text="_label:N")
    return (bars + labels).properties(width=WIDTH, height=_BAR * len(order) + 30)


def _rates(chart: Chart, voice: Voice) -> Any:
    data = pl.DataFrame(chart.rows)
    order = [row[chart.y] for row in chart.rows]
    y = alt.Y(chart.y, type="nominal", sort=order, title=None, axis=_words_axis(order))
    gap = "\u00a0" if voice.language == "de" else ""
    axis = alt.Axis(labelExpr=f"format(datum.value * 100, '.0f') + '{gap}%'", tickCount=6)
    highest = max((float(row["high"]) for row in chart.rows), default=1.0)
    end = min(1.0, max(0.05, math.ceil(highest * 20) / 20))
    # A little room behind the last number, or it is pushed against the one before.
    scale = alt.Scale(domain=[0, end * 1.04], nice=False)
    base = alt.Chart(data).encode(y=y)
    span = base.mark_rule(color=_RULE, strokeWidth=2).encode(
        x=alt.X("low", type="quantitative", title=None, axis=axis, scale=scale), x2="high"
    )
    points = base.mark_point(color=_DARK, filled=True, size=90, opacity=1).encode(
        x=alt.X(chart.x, type="quantitative", scale=scale)
    )
    return (span + points).properties(width=WIDTH, height=_BAR * len(order) + 30)


def _months(chart: Chart, voice: Voice) -> Any:
    order = list(dict.fromkeys(row[chart.color] for row in chart.rows))
    months = list(dict.fromkeys(voice.month(row[chart.x]) for row in chart.rows))
    data = pl.DataFrame(
        [
            {"month": voice.month(row[chart.x]), "amount": row[chart.y], "what": row[chart.color]}
            for row in chart.rows
        ]
    )
    angle = -40 if len(months) > 6 else 0
    return (
        alt.Chart(data)
        .mark_bar()
        .encode(
            x=alt.X("month", type="nominal", sort=months, title=None, axis=alt.Axis(labelAngle=angle)),
            xOffset=alt.XOffset("what", sort=order),
            y=alt.Y("amount", type="quantitative", title=None, axis=alt.Axis(format=",.0f", tickCount=5)),
            color=alt.Color(
                "what", type="nominal", sort=order, scale=alt.Scale(domain=order, range=[_LIGHT, _DARK])
            ),
        )
        .properties(width=WIDTH, height=260)
    )
