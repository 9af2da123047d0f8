"""The commands that plan, do or take back a run: plan, apply, sync, rescore, undo."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

import click

from sync.app import opened
from sync.beside import beside_news
from sync.cli_context import Context, wanted_time
from sync.cli_import import apply_import
from sync.console import show_changes, show_outcome, show_undone, stage_changes_told
from sync.errors import GuardStopped
from sync.explaining import find_lead
from sync.newly_mapped import not_read_for_all, policy_news
from sync.read import with_counterparts
from sync.rescored import rescore as rescore_all
from sync.run import Asked, perform
from sync.saved import load_plan, save_plan
from sync.tally import Outcome, outcome_document, stage_changes
from sync.undo import as_json as undone_as_json
from sync.undo import undo as take_back
from sync.work import CRMS, Work


def _exit_code(outcome: Outcome) -> int:
    if outcome.moved:
        return GuardStopped.exit_code
    return 1 if outcome.became else 0


@click.command()
@click.option(
    "--lead", "keys", multiple=True, metavar="KEY", help="Only this lead; may be given more than once."
)
@click.option("--limit", type=click.IntRange(1), help="At most this many leads.")
@click.option(
    "--since", callback=wanted_time, help="What changed since this time, instead of since the last sync."
)
@click.option("--out", type=click.Path(path_type=Path), help="Save the plan for `leadpact apply`.")
@click.pass_obj
def plan(
    context: Context, keys: tuple[str, ...], limit: int | None, since: datetime | None, out: Path | None
) -> None:
    """What a sync would change, per field, with reasons; writes nothing."""
    with opened(context.settings()) as app:
        work = app.work()
        names = with_counterparts(work, _records_of(work, keys)) if keys else None
        moment = {crm: {"since": since.isoformat()} for crm in CRMS} if since else None
        outcome = perform(
            work, Asked("plan", names=names, since=moment, write=False, collect=True, limit=limit)
        )
        if out is not None:
            whole = names is None and limit is None and since is None
            # Whoever is forgotten later has to be found in it.
            work.store.persons.note_plan(str(out.resolve()), work.clock())
            save_plan(out, outcome, app.accounts(), work.policy.version, whole=whole)
    show_changes(context.screen, outcome)
    show_outcome(context.screen, outcome, planned=True)
    moved = 0 if outcome.changes is None else stage_changes(outcome.changes)
    context.screen.say(stage_changes_told(moved))
    if out is not None:
        context.screen.say(f"saved to {out}; carry it out with `leadpact apply {out}`")
    context.screen.document({**outcome_document(outcome, with_changes=True), "stage_changes": moved})


def _records_of(work: Work, keys: tuple[str, ...]) -> dict[str, list[str]]:
    """The records that the KEYs name; a record that was never synced may be named as CRM:ID."""
    names: dict[str, list[str]] = {crm: [] for crm in CRMS}
    for key in keys:
        crm, colon, record = key.partition(":")
        if colon and crm in CRMS and not work.store.leads.named(key):
            names[crm].append(record)
            continue
        for crm_name, record_id in work.store.leads.records_of(find_lead(work, key)):
            names[crm_name].append(record_id)
    return names


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--changes", "with_changes", is_flag=True, help="List the changes in the JSON document.")
@click.pass_obj
def apply(context: Context, file: Path, with_changes: bool) -> None:
    """Carry out a saved plan; each lead that moved since is left alone and named."""
    saved = load_plan(file)
    if saved.cards is not None:
        apply_import(context, file, saved)
        return
    with opened(context.settings()) as app:
        work = app.work()
        if dict(saved.accounts) != app.accounts():
            raise GuardStopped(
                f"{file}: the plan was made for other accounts. Nothing was written", fix="make a new plan"
            )
        if saved.policy != work.policy.version:
            raise GuardStopped(
                f"{file}: the policy has changed since the plan was made. Nothing was written",
                fix="make a new plan",
            )
        asked = Asked(
            "apply",
            names=saved.names,
            approve=True,
            keep=saved.changes,
            now=saved.at,
            collect=with_changes,
            cursors=saved.cursors if saved.whole else None,
        )
        outcome = perform(work, asked)
    show_outcome(context.screen, outcome, planned=False)
    context.screen.document(outcome_document(outcome, with_changes=with_changes))
    sys.exit(_exit_code(outcome))


def _news(work: Work, before: str | None) -> Iterator[str]:
    for one in not_read_for_all(work):
        yield f"{one}; {one.fix}"
    yield policy_news(work, before)


@click.command()
@click.option("--approve", is_flag=True, help="Let the first writing run write.")
@click.option("--changes", "with_changes", is_flag=True, help="List the changes in the JSON document.")
@click.pass_obj
def sync(context: Context, approve: bool, with_changes: bool) -> None:
    """Incremental: read, decide, write under the guards, remember."""
    with opened(context.settings()) as app:
        work = app.work()
        _say_that_it_observes(context, work)
        before = work.store.standing.last_policy()
        outcome = perform(work, Asked("sync", approve=approve, collect=with_changes))
        # All of it while the CRMs and the memory are open: some of it is asked of them.
        news = [*_news(work, before), beside_news(work)]
    show_outcome(context.screen, outcome, planned=work.mode == "observe")
    _say_all(context, news)
    context.screen.document(outcome_document(outcome, with_changes=with_changes))
    sys.exit(_exit_code(outcome))


def _say_that_it_observes(context: Context, work: Work) -> None:
    if work.mode == "observe":
        context.screen.say("sync.mode is observe: nothing is written to a CRM.")


def _say_all(context: Context, sentences: Iterable[str | None]) -> None:
    for sentence in filter(None, sentences):
        context.screen.say(sentence)


@click.command()
@click.option("--changes", "with_changes", is_flag=True, help="List the changes in the JSON document.")
@click.pass_obj
def rescore(context: Context, with_changes: bool) -> None:
    """What time alone changed, from stored values, without reading the CRMs.

    A lead that this hands over to sales is then read in both CRMs, alone, and gets its owner as in a sync.
    """
    with opened(context.settings()) as app:
        work = app.work()
        _say_that_it_observes(context, work)
        done = rescore_all(work, collect=with_changes)
        news = beside_news(work) if done.judged.numbers.written and done.stopped is None else None
    judged, routed = done.judged, done.owners
    show_outcome(context.screen, judged, planned=work.mode == "observe")
    if routed is not None:
        context.screen.say(f"Run {routed.run} gave owners to leads that waited for one.")
        show_outcome(context.screen, routed, planned=False)
    if done.stopped is not None:
        context.screen.say(
            f"Run {judged.run} is done. The one that gives its leads an owner was stopped; the next sync does that."
        )
    _say_all(context, [news])
    document = outcome_document(judged, with_changes=with_changes)
    then = None if routed is None else outcome_document(routed, with_changes=with_changes)
    stopped = None if done.stopped is None else str(done.stopped)
    context.screen.document({**document, "owners": then, "owners_stopped": stopped})
    if done.stopped is not None:
        raise done.stopped
    sys.exit(max(_exit_code(one) for one in (judged, routed) if one is not None))


@click.command()
@click.argument("run", type=click.IntRange(1))
@click.pass_obj
def undo(context: Context, run: int) -> None:
    """Restores what a run changed, except what people have changed since.

    Mails, tasks and automations that the run may have started in a CRM are not undone. Records that it created
    are archived. An undo is a run of its own, and can be undone.
    """
    with opened(context.settings()) as app:
        done = take_back(app.work(), run)
    show_undone(context.screen, done, run)
    context.screen.document(undone_as_json(done))
    sys.exit(1 if done.left else 0)
