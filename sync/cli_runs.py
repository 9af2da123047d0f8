"""The commands that do a run at once: sync, rescore."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import click

from sync.app import opened
from sync.beside import beside_news
from sync.cli_context import Context
from sync.console import exit_code, show_outcome
from sync.newly_mapped import not_read_for_all, policy_news
from sync.rescored import rescore as rescore_all
from sync.run import Asked, perform
from sync.tally import outcome_document
from sync.work import Work


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
    sys.exit(exit_code(outcome))


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
    sys.exit(max(exit_code(one) for one in (judged, routed) if one is not None))
