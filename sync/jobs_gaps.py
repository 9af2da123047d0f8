"""The job that reads again what pulled logs could not tell, and has people told meanwhile."""

from __future__ import annotations

from sync.alerts import gap_mended, tell_gap
from sync.app import App
from sync.jobs_notify import SENDERS, recipients_of
from sync.pulllogs_gaps import ReadAgain, read_again
from sync.store.offsets import PullGap
from sync.work import Work

#: Sends what waits about alerts.
LETTERS = SENDERS["alerts"]


def see_to_gaps(app: App, work: Work) -> ReadAgain:
    """Tell of every log with a gap, read it again, and tell when that is done. Raises what a run raises.

    Whoever is told of a gap is told of its end as well: while the job cannot do its work, the alert lasts.
    """
    gaps = work.store.offsets.open_gaps()
    told = recipients_of(app.settings.notify)
    logs = sorted({one.name for one in gaps})
    if "gap" not in app.settings.alerts.muted:
        for log in logs:
            tell_gap(work, log, words_of([one for one in gaps if one.name == log]), told)
        work.store.jobs.enqueue(LETTERS)
    done = read_again(work)
    if done.closed:
        for log in logs:
            gap_mended(work, log, told)
        work.store.jobs.enqueue(LETTERS)
    return done


def words_of(gaps: list[PullGap]) -> str:
    """When and why, of the gaps of one log, the newest first."""
    begins, ends = min(one.begins_at for one in gaps), max(one.ends_at for one in gaps)
    return f"{begins.isoformat()} – {ends.isoformat()}: {gaps[0].why}"
