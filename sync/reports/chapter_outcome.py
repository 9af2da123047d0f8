"""The score against what came of it, and the nurture tracks, told."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sync.reports.document import Chart, Column, Section, Table
from sync.reports.outcome import Outcome, Track
from sync.reports.voice import Voice


def outcome_section(
    found: Outcome, bands: Sequence[str], label: Callable[[str], str], voice: Voice
) -> Section:
    """``bands``: the temperatures, coldest first; ``label``: what people call one."""
    notes = [voice.say("outcome.note")]
    if found.too_late:
        notes.append(voice.say("outcome.too_late", n=voice.count(found.too_late)))
    sentence = voice.say("outcome.sentence" if found.leads else "outcome.none", n=voice.count(found.leads))
    return Section(
        "outcome",
        voice.say("outcome.title"),
        sentence,
        _outcome_tables(found, bands, label, voice),
        tuple(notes),
        chart=_outcome_chart(found, voice),
    )


def _outcome_tables(
    found: Outcome, bands: Sequence[str], label: Callable[[str], str], voice: Voice
) -> tuple[Table, ...]:
    rate = Column("won", voice.say("col.won"), "rate", voice.say("of.leads_in_row"))
    span = Column("range", voice.say("col.range"))
    named = [(label(name), found.bands[name]) for name in reversed(bands) if name in found.bands]
    named += [(name, found.bands[name]) for name in sorted(found.bands) if name not in bands]
    warmth = [(name, rate_of, voice.span(rate_of)) for name, rate_of in named]
    tables = [
        Table(
            "outcome_by_temperature",
            (Column("temperature", voice.say("col.temperature")), rate, span),
            tuple(warmth),
        )
    ]
    if found.tenths:
        columns = (
            Column("tenth", voice.say("col.tenth"), "count"),
            Column("lowest", voice.say("col.lowest"), "count"),
            Column("highest", voice.say("col.highest"), "count"),
            rate,
            span,
        )
        rows = tuple(
            (one.number, one.lowest, one.highest, one.rate, voice.span(one.rate)) for one in found.tenths
        )
        tables.append(Table("outcome_by_tenth", columns, rows, voice.say("table.tenths")))
    return tuple(tables)


def _outcome_chart(found: Outcome, voice: Voice) -> Chart | None:
    bars = [
        {
            "group": voice.say("outcome.bar", low=one.lowest, high=one.highest),
            "rate": one.rate.value,
            "low": one.rate.low,
            "high": one.rate.high,
        }
        for one in found.tenths
    ]
    return Chart("rates", voice.say("outcome.chart"), "rate", "group", bars) if len(bars) > 1 else None


def track_section(found: Sequence[Track], voice: Voice) -> Section:
    """Each nurture track with what became of the stays on it."""
    if not found:
        return Section("nurture", voice.say("nurture.title"), voice.say("nurture.none"))
    columns = (
        Column("track", voice.say("col.track")),
        Column("entered", voice.say("col.entered"), "count"),
        Column("still", voice.say("col.still"), "count"),
        Column("became_mql", voice.say("col.became_mql"), "rate", voice.say("of.stays")),
        Column("other", voice.say("col.other_track"), "count"),
        Column("rejected", voice.say("col.rejected"), "count"),
        Column("ended", voice.say("col.ended"), "count"),
    )
    rows = tuple(
        (one.name, one.entered, one.still, one.rate, one.other, one.rejected, one.ended) for one in found
    )
    return Section(
        "nurture",
        voice.say("nurture.title"),
        voice.say("nurture.sentence"),
        (Table("nurture", columns, rows),),
        (voice.say("nurture.note"),),
    )
