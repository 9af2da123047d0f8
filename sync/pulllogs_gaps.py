"""What a log could not tell is read again by other means, by itself.

Every sync reads what changed since the one before it, whatever a log told meanwhile. So one that begins after the gap
was found has read all of it that a search shows; what was deleted or merged is asked for besides. Only where every
record changed and need not show it, the object is read from its beginning.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from connectors.crm import Cursor
from sync.pulllogs import MARGIN
from sync.removals import follow_since
from sync.run import Asked, perform
from sync.store.offsets import PullGap
from sync.tally import Outcome
from sync.work import CRMS, Work

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ReadAgain:
    """``gaps`` that were open; ``outcome`` of the run that read them, None where there was none.

    ``closed``: whether they are seen to; leads that another run worked on keep them open.
    """

    gaps: tuple[PullGap, ...] = ()
    outcome: Outcome | None = None
    closed: bool = False


def read_again(work: Work) -> ReadAgain:
    """Read what the logs could not tell. Raises what a run raises; then the gaps stay open."""
    gaps = tuple(work.store.offsets.open_gaps())
    if not gaps:
        return ReadAgain()
    for crm in sorted({one.crm for one in gaps}):
        follow_since(work, crm, min(one.begins_at for one in gaps if one.crm == crm) - MARGIN)
    whole = {one.crm for one in gaps if one.whole}
    outcome = perform(work, Asked("sync", since=_since(work, whole)))
    if outcome.busy:
        return ReadAgain(gaps, outcome)
    work.store.offsets.close_gaps([one.gap for one in gaps], outcome.run, work.clock(), read_whole=whole)
    for one in gaps:
        _log.warning(
            "what the log %s could not tell from %s to %s was read again by run %s",
            one.name,
            one.begins_at.isoformat(),
            one.ends_at.isoformat(),
            outcome.run,
            extra={"crm": one.crm},
        )
    return ReadAgain(gaps, outcome, closed=True)


def _since(work: Work, whole: set[str]) -> dict[str, Cursor | None] | None:
    """Where each CRM is read from, some from their beginning; None: each from its cursor, as always."""
    if not whole:
        return None
    kept = work.store.runs.cursors()
    return {crm: None if crm in whole else kept.get((crm, work.reading(crm))) for crm in CRMS}
