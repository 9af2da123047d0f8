"""What somebody has to be told of: found by numbers, told once when it begins, and once more when it is over.

    facts    = facts_of(work, crons, zone)     numbers, from the memory alone
    found    = findings(facts, limits)         what is so, by the thresholds of [alerts] (pure)
    look_at(work, found, …)                    what is new is opened and what is over is cleared, in one transaction
                                               with the mails about it; then both stand in the log

An alert lasts until its number is well within its limit again, so that one that swings around it is told once.
What a gap in a change log is, whoever reads that log knows: see ``tell_gap``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

from sync.cron import Cron
from sync.freshness import LaneFreshness, told
from sync.mails.words_alerts import fix_of, said
from sync.plan import NAMES
from sync.sections_notify import AlertKind, AlertSettings
from sync.store.alerts import Alert
from sync.store.inbox import Waiting
from sync.store.jobs import JobRow
from sync.store.letters import Trouble
from sync.store.offsets import PullLog
from sync.store.standing import Backlog, Budget, Compared, ReadTo
from sync.work import CRMS, Work

#: What the numbers are looked up for; the schema is looked at by a job of its own, and gaps are told.
BY_NUMBERS: tuple[AlertKind, ...] = ("job", "freshness", "quota", "disagreement", "refused", "mail")
#: Lanes that somebody waits for.
LIVELY = ("consent", "handover", "live")
#: The answers of so long make a lane's freshness.
LATELY = timedelta(hours=1)
#: What a CRM said of its day longer ago is about another day.
A_DAY = timedelta(days=1)
#: How many comparisons before the newest tell what is usual, at least and at most.
USUAL = (3, 10)
#: Parked jobs that are told one by one.
MOST_JOBS = 20
#: An open alert is over only within this share of its limit.
WELL_WITHIN = 0.9

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is so. ``about`` tells it from others of its kind; ``values`` go into its sentence ``name``."""

    kind: AlertKind
    about: str
    name: str
    values: Mapping[str, Any]

    def as_stored(self) -> dict[str, Any]:
        return {"name": self.name, **self.values}


@dataclass(frozen=True, slots=True)
class Facts:
    """The numbers of one moment. ``due``: when the reading sync was due last, long enough ago to have ended."""

    at: datetime
    lanes: Sequence[LaneFreshness]
    inbox: Sequence[Waiting]
    read_to: Sequence[ReadTo]
    due: datetime | None
    backlog: Backlog
    budgets: Sequence[Budget]
    agreements: Sequence[Compared]
    parked: Sequence[JobRow]
    letters: Sequence[Trouble]
    logs: Sequence[PullLog] = ()


@dataclass(frozen=True, slots=True)
class Changed:
    """What a look came to: alerts that are new, and alerts that are over."""

    opened: tuple[Alert, ...] = ()
    cleared: tuple[Alert, ...] = ()

    @property
    def any(self) -> bool:
        return bool(self.opened or self.cleared)


def facts_of(work: Work, limits: AlertSettings, cron: Cron | None, zone: ZoneInfo) -> Facts:
    """Ask the memory. ``cron``: of the reading sync; None where it never comes by itself."""
    store, now = work.store, work.clock()
    ours = {(crm, work.reading(crm)) for crm in CRMS}
    late = timedelta(minutes=limits.freshness_minutes)
    # In mode observe nothing is remembered as read.
    writes = work.mode != "observe"
    return Facts(
        at=now,
        lanes=told(store.freshness.since(now - LATELY)),
        inbox=store.inbox.waiting(),
        read_to=[one for one in store.standing.read_to() if (one.crm, one.object) in ours],
        due=cron.last(now - late, zone) if cron and writes else None,
        backlog=store.standing.backlog(),
        budgets=store.standing.budgets(),
        agreements=store.standing.agreements(USUAL[1] + 1),
        parked=[row for row in store.jobs.listed(MOST_JOBS) if row.state == "parked"],
        letters=store.letters.in_trouble(),
        logs=store.offsets.all(),
    )


def findings(facts: Facts, limits: AlertSettings) -> list[Finding]:
    """What is beyond a limit. Pure."""
    found = [
        *_freshness(facts, limits),
        *_refused(facts, limits),
        *_quota(facts, limits),
        *_disagreement(facts, limits),
        *_jobs(facts),
        *_logs(facts, limits),
        *_letters(facts),
    ]
    muted = limits.muted
    return [one for one in found if one.kind not in muted]


def well_within(limits: AlertSettings) -> AlertSettings:
    """The limits below which an open alert is over."""
    names = ("freshness_minutes", "refused_hours", "quota_share", "agreed_drop")
    return limits.model_copy(update={name: getattr(limits, name) * WELL_WITHIN for name in names})


def _freshness(facts: Facts, limits: AlertSettings) -> Iterator[Finding]:
    limit = limits.freshness_minutes
    for lane in facts.lanes:
        if lane.lane in LIVELY and lane.p95 / 60 > limit:
            values = {"lane": lane.lane, "minutes": _whole(lane.p95 / 60), "limit": _whole(limit)}
            yield Finding("freshness", f"lane {lane.lane}", "freshness.lane", values)
    for one in facts.inbox:
        minutes = _minutes(facts.at, one.oldest) if one.oldest else 0.0
        if minutes > limit:
            values = {"crm": NAMES[one.crm], "records": one.records, "minutes": _whole(minutes)}
            yield Finding("freshness", f"inbox {one.crm}", "freshness.inbox", values)
    for log in facts.read_to:
        if facts.due is not None and log.moved_at < facts.due:
            values = {"crm": NAMES[log.crm], "minutes": _whole(_minutes(facts.at, log.moved_at))}
            yield Finding("freshness", f"reading {log.crm}", "freshness.late", values)


def _refused(facts: Facts, limits: AlertSettings) -> Iterator[Finding]:
    oldest = facts.backlog.oldest_refused
    hours = _minutes(facts.at, oldest) / 60 if oldest else 0.0
    if hours > limits.refused_hours:
        values = {"records": facts.backlog.refused, "hours": _whole(hours)}
        yield Finding("refused", "oldest", "refused.oldest", values)


def _quota(facts: Facts, limits: AlertSettings) -> Iterator[Finding]:
    for one in facts.budgets:
        if one.limit <= 0 or facts.at - one.heard > A_DAY:
            continue
        share = one.used / one.limit
        if share > limits.quota_share:
            numbers = {"used": one.used, "of": one.limit, "share": _whole(share * 100)}
            values = {"crm": NAMES.get(one.crm, one.crm), "budget": one.name, **numbers}
            yield Finding("quota", f"{one.crm} {one.name}", "quota.day", values)


def _disagreement(facts: Facts, limits: AlertSettings) -> Iterator[Finding]:
    if not facts.agreements:
        return
    newest, *before = facts.agreements
    if newest.unexplained > limits.unexplained:
        values = {"leads": newest.unexplained, "of": newest.linked}
        yield Finding("disagreement", "unexplained", "disagreement.unexplained", values)
    usual = [one.same / one.linked for one in before if one.linked]
    if newest.linked and len(usual) >= USUAL[0]:
        share, expected = newest.same / newest.linked, median(usual)
        if expected - share > limits.agreed_drop:
            values = {"share": _whole(share * 100), "before": _whole(expected * 100)}
            yield Finding("disagreement", "share", "disagreement.share", values)


def _jobs(facts: Facts) -> Iterator[Finding]:
    # The same trouble stays one alert: what is tried anew and parked again has another number each time.
    for name, job in {job.fold or str(job.id): job for job in facts.parked}.items():
        values = {"job": job.id, "what": job.what, "said": job.said, "fix": job.fix or "look at its place"}
        yield Finding("job", f"job {name}", "job.parked", values)
    for one in facts.inbox:
        if one.parked:
            values = {"crm": NAMES[one.crm], "records": one.parked}
            yield Finding("job", f"inbox {one.crm}", "job.inbox", values)


def _logs(facts: Facts, limits: AlertSettings) -> Iterator[Finding]:
    for log in facts.logs:
        minutes = _minutes(facts.at, log.heard_at)
        if log.problem and minutes > limits.freshness_minutes:
            values = {"log": log.name, "minutes": _whole(minutes), "said": log.problem}
            yield Finding("freshness", f"log {log.name}", "freshness.log", values)


def _letters(facts: Facts) -> Iterator[Finding]:
    for one in facts.letters:
        way = "webhook" if one.by_webhook else "mail"
        settings = "notify.alert_webhook" if one.by_webhook else "notify.smtp_host"
        values = {"letters": one.letters, "said": one.said, "fix": f"check {settings}"}
        yield Finding("mail", f"{one.state} {way}", f"mail.{one.state}", values)


def _minutes(now: datetime, then: datetime) -> float:
    return (now - then).total_seconds() / 60


def _whole(number: float) -> int:
    return round(number)


# --- what became of them -------------------------------------------------------------------------------------


def look_at(
    work: Work,
    found: Sequence[Finding],
    lasting: Sequence[Finding],
    kinds: Iterable[AlertKind],
    recipients: Sequence[str],
) -> Changed:
    """Open what is found and not open yet, and clear what is open, of these kinds, and not ``lasting``.

    In one transaction with a mail to each of ``recipients``, so that whatever happens each is told once.
    """
    watched = set(kinds)
    still = {(one.kind, one.about) for one in (*found, *lasting)}
    with work.store.transaction():
        # What swings between both limits lasts as well.
        over = [
            one
            for one in work.store.alerts.open()
            if one.kind in watched and (one.kind, one.about) not in still
        ]
        return _turn(work, found, over, recipients)


def _turn(work: Work, found: Sequence[Finding], over: Sequence[Alert], recipients: Sequence[str]) -> Changed:
    """Open and clear alerts, with a mail to each recipient, all of it or nothing."""
    alerts, now = work.store.alerts, work.clock()
    with work.store.transaction():
        opened = [alerts.raise_(one.kind, one.about, one.as_stored(), now) for one in found]
        cleared = [alerts.clear(one.kind, one.about, now) for one in over]
        changed = Changed(_numbered(work, opened), _numbered(work, cleared))
        _queue(work, changed, recipients)
        alerts.drop_old(now)
    _log_them(changed)
    return changed


def _numbered(work: Work, numbers: Iterable[int | None]) -> tuple[Alert, ...]:
    return tuple(work.store.alerts.of([number for number in numbers if number is not None]))


def _queue(work: Work, changed: Changed, recipients: Sequence[str]) -> None:
    if changed.any:
        for recipient in recipients:
            work.store.letters.queue("alerts", spelled(changed), recipient)


def spelled(changed: Changed) -> str:
    """Which alerts a mail is about: ``12+ 13+ 9-``."""
    return " ".join(
        [*(f"{one.number}+" for one in changed.opened), *(f"{one.number}-" for one in changed.cleared)]
    )


def spelled_out(work: Work, about: str) -> Changed:
    """The alerts that a mail is about, as they are now."""
    parts = about.split()
    opened, cleared = ([int(part[:-1]) for part in parts if part.endswith(sign)] for sign in ("+", "-"))
    return Changed(tuple(work.store.alerts.of(opened)), tuple(work.store.alerts.of(cleared)))


def _log_them(changed: Changed) -> None:
    for one in changed.opened:
        _log.warning(
            "alert %s, %s: %s; %s", one.number, one.kind, said(one.found, "en"), fix_of(one.found, "en")
        )
    for one in changed.cleared:
        _log.warning("alert %s, %s, is over: %s", one.number, one.kind, said(one.found, "en"))


# --- gaps ----------------------------------------------------------------------------------------------------


def tell_gap(work: Work, log: str, words: str, recipients: Sequence[str]) -> Changed:
    """A change log that is pulled has lost something. To be called by whoever reads it; may be called again.

    ``log`` names it, ``words`` say what is missing, without anybody's data. It lasts until ``gap_mended``.
    """
    finding = Finding("gap", log, "gap.log", {"log": log, "said": words})
    return look_at(work, [finding], [], (), recipients)


def gap_mended(work: Work, log: str, recipients: Sequence[str]) -> Changed:
    """The missing part was read again."""
    over = [one for one in work.store.alerts.open() if (one.kind, one.about) == ("gap", log)]
    return _turn(work, [], over, recipients)
