"""The report as one file of HTML that needs nothing else: no script, no font and no picture from anywhere."""

from __future__ import annotations

from importlib.resources import files

from jinja2 import Environment

from sync.reports.charts import drawn
from sync.reports.document import Cell, Column, Document, names_owners
from sync.reports.funnel import Rate, Spread
from sync.reports.voice import Voice


def as_page(document: Document, voice: Voice, *, with_names: bool = False) -> str:
    """The whole page. ``with_names``: it names single leads, and says so at its top."""
    template = files("sync.reports").joinpath("page.html.j2").read_text(encoding="utf-8")
    # Everything is escaped but the drawings: they are made here, and words in them are escaped by who draws them.
    environment = Environment(autoescape=True)
    charts = {section.key: drawn(section.chart, voice) for section in document.sections if section.chart}

    def shown(column: Column, cell: Cell) -> tuple[str, str]:
        return _shown(voice, column, cell)

    return environment.from_string(template).render(
        document=document,
        charts=charts,
        shown=shown,
        made=voice.say("report.made", made=voice.moment(document.made), zone=voice.zone.key),
        privacy=voice.say(_privacy(document, with_names=with_names)),
        words={name: voice.say(f"report.{name}") for name in ("contents", "notes", "warning")},
    )


def _privacy(document: Document, *, with_names: bool) -> str:
    """Which sentence at the top says whom the page names."""
    if with_names:
        return "report.with_names"
    return "report.with_owners" if names_owners(document) else "report.personal"


def _shown(voice: Voice, column: Column, cell: Cell) -> tuple[str, str]:
    """A cell as on a terminal; of a rate or a time what stands in brackets apart, for a line of its own."""
    text = voice.cell(column, cell)
    if isinstance(cell, Rate | Spread) and " (" in text:
        first, _, rest = text.partition(" (")
        return first, rest.removesuffix(")")
    return text, ""
