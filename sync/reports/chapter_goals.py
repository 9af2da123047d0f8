"""Goals against what came of them, told."""

from __future__ import annotations

from collections.abc import Sequence

from sync.reports.chapter_funnel import label
from sync.reports.document import Cell, Column, Section, Table
from sync.reports.goals import Standing
from sync.reports.voice import Voice


def goal_section(standings: Sequence[Standing], voice: Voice) -> Section:
    """Every goal with its numbers, its forecast while it runs, and what changed after its end."""
    if not standings:
        return Section("goals", voice.say("goals.title"), voice.say("goals.none"))
    tables = [_numbers(standings, voice)]
    corrected = [one for one in standings if one.frozen and one.corrected != (0, 0)]
    if corrected:
        tables.append(_corrections(corrected, voice))
    sentence = " ".join(_sentence(one, voice) for one in standings)
    notes = [voice.say("goals.note_frozen")] if any(one.frozen for one in standings) else []
    if any(one.state == "running" for one in standings):
        notes.append(voice.say("goals.note_forecast"))
    return Section("goals", voice.say("goals.title"), sentence, tuple(tables), tuple(notes))


def _sentence(one: Standing, voice: Voice) -> str:
    """One goal in words, the denominator of its rate named."""
    goal, told = one.goal, one.told
    parts = []
    if goal.number is not None:
        parts.append(
            voice.say("goal.number", counted=voice.count(told.counted), number=voice.count(goal.number))
        )
    else:
        parts.append(voice.say("goal.counted", counted=voice.count(told.counted)))
    if goal.rate is not None:
        parts.append(
            voice.say(
                "goal.rate",
                reached=voice.count(told.reached),
                counted=voice.count(told.counted),
                then=label(goal.then, voice),
                rate=voice.percent(told.rate.value or 0),
                wanted=voice.percent(goal.rate),
                low=voice.percent(told.rate.low),
                high=voice.percent(told.rate.high),
            )
        )
    if one.forecast is not None and goal.number is not None:
        middle, low, high = (voice.count(each) for each in one.forecast)
        key = "goal.forecast" if one.sure else "goal.forecast_few"
        parts.append(voice.say(key, middle=middle, low=low, high=high))
    return f"{goal.label}: {'; '.join(parts)}."


def _numbers(standings: Sequence[Standing], voice: Voice) -> Table:
    columns = (
        Column("goal", voice.say("col.goal")),
        Column("from", voice.say("col.from"), "date"),
        Column("to", voice.say("col.to"), "date"),
        Column("state", voice.say("col.state")),
        Column("wanted", voice.say("col.wanted"), "count"),
        Column("counted", voice.say("col.counted"), "count"),
        Column("missing", voice.say("col.missing"), "count"),
        Column("forecast", voice.say("col.forecast")),
        Column("then", voice.say("col.then")),
        Column("wanted_rate", voice.say("col.wanted_rate"), "percent"),
        Column("rate", voice.say("col.rate"), "rate", voice.say("of.counted")),
    )
    rows = tuple(_row(one, voice) for one in standings)
    return Table("goals", columns, rows)


def _row(one: Standing, voice: Voice) -> tuple[Cell, ...]:
    goal, told = one.goal, one.told
    forecast = None
    if one.forecast is not None:
        middle, low, high = (voice.count(each) for each in one.forecast)
        forecast = voice.say("cell.forecast", middle=middle, low=low, high=high)
        if not one.sure:
            forecast = voice.say("cell.unsure", text=forecast)
    return (
        goal.label,
        goal.first,
        goal.last,
        voice.say(f"state.{one.state.replace(' ', '_')}"),
        goal.number,
        told.counted,
        None if goal.number is None else max(0, goal.number - told.counted),
        forecast,
        label(goal.then, voice) if goal.rate is not None else None,
        None if goal.rate is None else float(goal.rate),
        told.rate if goal.rate is not None else None,
    )


def _corrections(standings: Sequence[Standing], voice: Voice) -> Table:
    """What would be counted differently today; the closed numbers above stay as they were told."""
    columns = (
        Column("goal", voice.say("col.goal")),
        Column("closed", voice.say("col.closed"), "date"),
        Column("counted_then", voice.say("col.counted_then"), "count"),
        Column("counted_change", voice.say("col.change"), "change"),
        Column("reached_then", voice.say("col.reached_then"), "count"),
        Column("reached_change", voice.say("col.change"), "change"),
    )
    rows = tuple(
        (
            one.goal.label,
            one.frozen.frozen_at.astimezone(voice.zone).date(),
            one.frozen.numbers.counted,
            one.corrected[0],
            one.frozen.numbers.reached,
            one.corrected[1],
        )
        for one in standings
        if one.frozen
    )
    return Table("goal_corrections", columns, rows, voice.say("table.corrections"))
