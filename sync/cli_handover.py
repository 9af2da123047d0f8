"""The command that lists what sales were handed: handovers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from mapping.qualification.handover import EXPLORATION
from sync.app import opened
from sync.cli_context import Context, wanted_time
from sync.errors import WrongUse
from sync.handover_told import Which, listed, timing


@click.command()
@click.option("--open", "only_open", is_flag=True, help="Only what is not answered yet.")
@click.option("--overdue", is_flag=True, help="Only what nobody has touched in time.")
@click.option("--flagged", is_flag=True, help="Only what looks handed over too early or too late.")
@click.option("--since", callback=wanted_time, help="Only what was handed over since this time.")
@click.pass_obj
def handovers(
    context: Context, only_open: bool, overdue: bool, flagged: bool, since: datetime | None
) -> None:
    """What marketing handed to sales: due by, first touch, answer, and what looks too early or too late."""
    chosen: list[Which] = []
    chosen += ["open"] if only_open else []
    chosen += ["overdue"] if overdue else []
    chosen += ["flagged"] if flagged else []
    if len(chosen) > 1:
        raise WrongUse("--open, --overdue and --flagged are three lists", fix="ask for one of them")
    with opened(context.settings()) as app:
        work = app.memory()
        rows = listed(work, chosen[0] if chosen else "all", since)
        numbers = timing(work, since, None)
    context.screen.table(
        (
            "lead",
            "cycle",
            "state",
            "owner",
            "handed over",
            "due by",
            "first touch",
            "worked",
            "answer",
            "looks",
        ),
        [_cells(row) for row in rows],
    )
    context.screen.say(_sentence(numbers))
    _show_explored(context, numbers["explored"])
    context.screen.document({"handovers": rows, "timing": numbers})


def _show_explored(context: Context, explored: dict[str, Any]) -> None:
    """Those whom chance handed over are told apart, where there are any."""
    if explored["drawn"]:
        context.screen.say(
            f"apart from them {explored['drawn']} drawn to explore below the line: {explored['handed_over']} handed"
            f" over, {explored['accepted']['count']} accepted, {explored['rejected']['count']} rejected"
        )


def _cells(row: dict[str, Any]) -> tuple[Any, ...]:
    drawn = ["exploration"] if row["handed_by"] == EXPLORATION else []
    suspected = [f"{one['flag'].replace('_', ' ')}: {one['evidence']}" for one in row["flags"]]
    looks = "; ".join([*drawn, *suspected])
    return (
        row["email"] or row["lead"],
        row["cycle"],
        row["state"],
        row["owner"],
        row["handed_over_at"],
        row["owner_due_at"],
        row["first_touch_at"],
        worked(row["work_seconds"]),
        row["reason"],
        looks,
    )


def worked(seconds: float | None) -> str:
    """A length of working time for people: ``1 h 40 min``."""
    if seconds is None:
        return ""
    hours, minutes = divmod(int(seconds) // 60, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _sentence(numbers: dict[str, Any]) -> str:
    met = numbers["met"]
    median, late = worked(numbers["median_work_seconds"]), worked(numbers["p90_work_seconds"])
    touches = f"; first touch after {median} (median), {late} (nine of ten)" if median else ""
    return (
        f"{numbers['handed_over']} handed over; {met['count']} of {met['of']} touched in time{touches};"
        f" {numbers['accepted']['count']} accepted, {numbers['rejected']['count']} rejected,"
        f" {numbers['recycled']['count']} recycled, {numbers['waiting']['count']} wait"
    )
