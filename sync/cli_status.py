"""The command that says how things stand: status."""

from __future__ import annotations

import sys
from datetime import timedelta

import click

from sync.app import opened
from sync.cli_context import Context, age
from sync.errors import CrmAway
from sync.mails.words_alerts import fix_of, said
from sync.remaining import Left
from sync.screen import Screen
from sync.status import Status, as_document, status_of


@click.command()
@click.pass_obj
def status(context: Context) -> None:
    """Connections, freshness, backlog, quota, last runs."""
    with opened(context.settings()) as app:
        found = status_of(app.memory())
    _show(context.screen, found)
    context.screen.document(as_document(found))
    sys.exit(CrmAway.exit_code if found.away else 0)


def _show(screen: Screen, found: Status) -> None:
    approved = f"first approved {found.approved.isoformat()}" if found.approved else "no run may write yet"
    screen.say(f"mode {found.mode}; {approved}")
    for one in found.connections:
        screen.say(
            f"{one.crm}: " + (f"cannot be used: {one.problem}" if one.problem else f"account {one.account}")
        )
    for alert in found.alerts:
        screen.say(
            f"alert {alert.number}, {alert.kind}, for {age(found.at - alert.opened)}: {said(alert.found, 'en')};"
            f" {fix_of(alert.found, 'en')}"
        )
    for log in found.read_to:
        screen.say(f"{log.crm} {log.object}: read {age(found.at - log.moved_at)} ago, by run {log.run}")
    if not found.read_to:
        screen.say("no sync has ended yet")
    _show_answers(screen, found)
    _show_logs(screen, found)
    _show_backlog(screen, found)
    for budget in found.budgets:
        screen.say(
            f"{budget.crm} {budget.name}: {budget.used} of {budget.limit} calls used"
            f" ({budget.used / max(budget.limit, 1):.0%}), heard {age(found.at - budget.heard)} ago"
        )
    for crm, room in found.rooms.items():
        if room is not None and found.backfills:
            guess = "" if room.others.sure else ", by less than a day"
            screen.say(
                f"{crm}: a backfill may make {room.now} calls now; all others have used {room.others.now}, and"
                f" {room.others.expected} are expected{guess}"
            )
    for window in found.held_windows:
        screen.say(
            f"{window.crm} {window.name}: refused a call; nobody calls for {window.seconds:.0f} s more"
        )
    _show_past(screen, found)


def _show_past(screen: Screen, found: Status) -> None:
    for row in found.runs:
        numbers, written = row.numbers, "to be written" if row.command == "plan" else "written"
        screen.say(
            f"run {row.run} {row.command}: {row.state}, {age(found.at - row.started)} ago; {numbers.written} {written},"
            f" {numbers.held} held, {numbers.refused} refused" + (f"; {row.note}" if row.note else "")
        )
    for deed in found.deeds:
        screen.say(
            f"{deed.who or 'somebody'} {deed.what} {age(found.at - deed.at)} ago"
            + (f" ({deed.details})" if deed.details else "")
        )


def _show_answers(screen: Screen, found: Status) -> None:
    for lane in found.answers:
        screen.say(
            f"lane {lane.lane}: {lane.leads} changes of the last day reached the other CRM, half of them within"
            f" {_seconds(lane.p50)} and 95 of 100 within {_seconds(lane.p95)}"
        )
    for one in found.inbox:
        since = f", the oldest for {age(found.at - one.oldest)}" if one.oldest else ""
        screen.say(f"{one.crm} told of {one.records} records that wait to be read{since}")
        if one.parked:
            screen.say(
                f"{one.parked} records of {one.crm} could not be worked on, and wait for something new"
            )
    if found.inbox_left.records:
        screen.say(f"{found.inbox_left.records} records are left in the inbox{_long(found.inbox_left)}")


def _seconds(length: float) -> str:
    """With a digit, as long as one says something."""
    return f"{length:.1f} s" if length < 120 else age(timedelta(seconds=length))


def _long(left: Left) -> str:
    if left.seconds is None:
        return ", nobody knows yet for how long"
    return f", for about {age(timedelta(seconds=left.seconds))} at the pace so far, and as the calls last"


def _show_logs(screen: Screen, found: Status) -> None:
    for log in found.logs:
        broken = f"; it broke off: {log.problem}" if log.problem else ""
        screen.say(
            f"{log.name}: heard {age(found.at - log.heard_at)} ago, {log.events} events so far{broken}"
        )
    for gap in found.gaps:
        if gap.records is not None:
            then = f"its {gap.records} records are read again"
        elif gap.read_at is None:
            then = "it is being read again; `leadpact jobs` shows by which job"
        else:
            then = f"it was read again by run {gap.by_run}"
        screen.say(
            f"{gap.name} does not tell what happened from {gap.begins_at.isoformat()} to"
            f" {gap.ends_at.isoformat()}: {gap.why}; {then}"
        )


def _show_backlog(screen: Screen, found: Status) -> None:
    backlog = found.backlog
    waiting = (
        (backlog.held, "held for a person", backlog.oldest_held, "leadpact held"),
        (backlog.refused, "refused by a CRM", backlog.oldest_refused, "leadpact refused"),
        (backlog.intents, "writes whose end is not known", backlog.oldest_intent, "leadpact sync"),
    )
    for count, what, oldest, command in waiting:
        since = f", the oldest for {age(found.at - oldest)}; `{command}`" if oldest else ""
        screen.say(f"{count} {what}{since}")
    if backlog.claims:
        screen.say(f"{backlog.claims} leads are in work now")
    for one, left in zip(found.backfills, found.left, strict=True):
        screen.say(
            f"backfill {one.backfill} of {one.started.isoformat()}: {one.slices_done} of {one.slices} slices,"
            f" {one.records_done} of {one.records} records, {left.records} left{_long(left)}; the same command goes on"
            " with it"
        )
    for unread in found.unread:
        screen.say(f"{unread}; {unread.fix}")
    if found.other_policy:
        screen.say(
            f"{found.other_policy} leads were judged by another policy; `leadpact rescore` judges them anew"
        )
