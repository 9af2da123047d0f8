"""The command policy backtest: the policy against what really happened."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from mapping.qualification.backtest import Backtest, Measured, backtest, judge_cases, lift_reached
from mapping.qualification.backtest_explore import to_explore
from mapping.qualification.backtest_rates import Rate
from sync.backtest_sources import SOURCES, Asked, policy_and_past
from sync.cli_context import Context
from sync.errors import WrongUse
from sync.screen import Screen

_FILE = click.Path(path_type=Path, dir_okay=False)


def _spreadsheet_options() -> tuple[Any, ...]:
    return (
        click.option("--policy", "instead", type=_FILE, help="Take this policy file."),
        click.option("--csv", type=_FILE, help="Leads of the past as a spreadsheet: one row a lead."),
        click.option(
            "--outcome", metavar="COLUMN", help="Whether the lead reached the outcome; blank: open."
        ),
        click.option("--time", metavar="COLUMN", help="The time at which the row was true."),
        click.option("--worked", metavar="COLUMN", help="Whether sales worked the lead."),
        click.option("--rep", metavar="COLUMN", help="Who in sales."),
        click.option(
            "--won", multiple=True, metavar="WORD", help="What means reached, beside yes, true and 1."
        ),
        click.option(
            "--trust", multiple=True, metavar="COLUMN", help="Keep it although it looks like the outcome."
        ),
    )


def _choice(name: str, words: Sequence[str], text: str) -> Any:
    """One of some words, the first where nothing is said."""
    return click.option(f"--{name}", type=click.Choice(words), default=words[0], show_default=True, help=text)


def _days(name: str, default: int, least: int, text: str) -> Any:
    """A number of days, at most ten years."""
    return click.option(
        f"--{name}",
        f"{name}_days",
        type=click.IntRange(least, 3650),
        default=default,
        show_default=True,
        metavar="DAYS",
        help=text,
    )


def _history_options() -> tuple[Any, ...]:
    return (
        _choice("source", SOURCES, "Without --csv: Leadpact's own history, or the one that a CRM keeps."),
        _choice(
            "reached", ("opportunity", "customer"), "Without --csv: the stage that counts as the outcome."
        ),
        _days("after", 14, 0, "Without --csv: judge each lead so long after it was first known."),
        _days("horizon", 180, 1, "Without --csv: so long it has from then on to reach the outcome."),
        click.option(
            "--test-share",
            type=click.FloatRange(0.0, 1.0, min_open=True, max_open=True),
            default=0.2,
            show_default=True,
            help="The last part, by time, that is held out.",
        ),
    )


def source_options(command: Any) -> Any:
    """What both commands take: where the past comes from, and how it is looked at."""
    for option in reversed((*_spreadsheet_options(), *_history_options())):
        command = option(command)
    return command


def asked_of(given: dict[str, Any]) -> Asked:
    """The options, checked together. Raises WrongUse."""
    if given["csv"] is not None and given["outcome"] is None:
        raise WrongUse("--csv needs --outcome", fix="name the column that says what became of each lead")
    alone = [name for name in ("outcome", "time", "worked", "rep", "won", "trust") if given[name]]
    if given["csv"] is None and alone:
        raise WrongUse(f"--{alone[0]} belongs to --csv", fix="name the file, too")
    return Asked(**given)


@click.command("backtest")
@source_options
@click.option(
    "--min-lift",
    type=click.FloatRange(0.0),
    metavar="X",
    help="End with 1 unless the top decile reaches this lift, and not by chance.",
)
@click.option("--fail-on-drift", is_flag=True, help="End with 1 where rates moved more than chance explains.")
@click.option(
    "--reps",
    type=click.IntRange(1),
    metavar="N",
    help="How many in sales share the MQLs, where nobody names them.",
)
@click.option(
    "--explore-share",
    type=click.FloatRange(0.0, 1.0, min_open=True),
    metavar="X",
    help="Name this share of the unworked leads below the line, drawn at random, to hand over and learn from.",
)
@click.pass_obj
def backtest_policy(
    context: Context,
    /,
    min_lift: float | None,
    fail_on_drift: bool,
    reps: int | None,
    explore_share: float | None,
    **given: Any,
) -> None:
    """How right the policy would have been: past leads judged by what was known then, against what became of them.

    Without --csv, from Leadpact's own history. Nothing is written.
    """
    test_share = given.pop("test_share")
    asked = asked_of(given)
    policy, past = policy_and_past(asked, context.config, os.environ)
    judged = judge_cases(past.cases, policy)
    found = backtest(judged, policy, test_share=test_share, reps=reps)
    found.warnings[:0] = past.warnings
    reached = min_lift is None or lift_reached(found, min_lift)
    show_backtest(context.screen, found)
    if not reached:
        context.screen.say(f"the top decile does not reach a lift of {min_lift:g}, or may have by chance")
    document = {**found.as_json(), "policy": policy.version, "lift_reached": reached}
    if explore_share is not None:
        document["explore"] = to_explore(judged, explore_share)
        _show_explored(context.screen, document["explore"])
    context.screen.document(document)
    sys.exit(0 if reached and not (fail_on_drift and found.drift) else 1)


def _show_explored(screen: Screen, leads: list[str]) -> None:
    screen.say(f"to hand over although they are below the line, and to learn from: {len(leads)} leads")
    for lead in leads:
        screen.say(f"  {lead}")


def show_backtest(screen: Screen, found: Backtest) -> None:
    """The whole result for people."""
    apart = found.apart
    screen.say(
        f"{found.leads} leads, {found.outcomes} of them reached the outcome;"
        f" apart from them {apart.unworked} that nobody worked, {apart.open} still open,"
        f" {apart.before} that had reached it before"
    )
    where = "at random" if found.split_at is None else f"from {found.split_at:%Y-%m-%d} on"
    screen.say(f"tested on {found.test.rate.leads} of them, {where}")
    show_measured(screen, found.test)
    _show_below(screen, found)
    pace, timing = found.pace, found.timing
    if pace.a_week is not None:
        shared = (
            ""
            if pace.a_rep_and_week is None
            else f", {pace.a_rep_and_week:.1f} for each of {pace.reps} in sales"
        )
        screen.say(f"MQLs a week, worked or not: {pace.a_week:.1f}{shared}; {pace.busiest} in the busiest")
    if timing.median is not None:
        screen.say(
            f"from handover to outcome: {timing.median:.0f} days in the middle,"
            f" {timing.slowest_tenth:.0f} for the slowest tenth; {timing.never} reached it without a handover"
        )
    for text in found.warnings:
        screen.say(f"note: {text}")


def _show_below(screen: Screen, found: Backtest) -> None:
    """What leads below the line are worth, where chance has handed some over."""
    below = found.below
    if below.drawn:
        screen.say(
            f"below the line: {below.drawn} drawn at random to explore; of {below.rate.leads} that were worked and are"
            f" decided, {_share(below.rate)} reached the outcome; {below.open} still open, {below.unworked} not worked"
        )


def show_measured(screen: Screen, part: Measured) -> None:
    """One part's numbers for people."""
    roc = part.roc
    screen.say(f"of all: {_share(part.rate)}")
    if roc.area is not None:
        screen.say(f"ROC AUC {roc.area:.3f} ({roc.low:.3f} to {roc.high:.3f}); PR AUC {part.pr or 0:.3f}")
    mqls = f"at the MQL line: {part.precision.leads} MQLs, precision {_share(part.precision)}"
    screen.say(f"{mqls}; recall {_share(part.recall)}")
    rows = []
    for one in part.deciles:
        lift = one.lift
        shown = "" if lift.lift is None else f"{lift.lift:.2f} ({lift.low:.2f} to {lift.high:.2f})"
        rows.append((one.decile, one.rate.leads, one.rate.outcomes, _share(one.rate), shown))
    screen.table(("decile", "leads", "outcomes", "rate", "lift"), rows)
    screen.table(
        ("temperature", "leads", "outcomes", "rate"),
        [(name, rate.leads, rate.outcomes, _share(rate)) for name, rate in part.bands],
    )


def _share(rate: Rate) -> str:
    """``12.5 % (10.1 to 15.3)``."""
    if rate.rate is None:
        return "-"
    return f"{rate.rate * 100:.1f} % ({rate.low * 100:.1f} to {rate.high * 100:.1f})"
