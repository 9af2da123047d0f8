"""Tell people of handovers: a task in Salesforce and, where a mail server is configured, a mail.

A notice is a row before anybody is told. Its task carries a mark and is looked up by it first, so that a run that died
between the task and its memory makes no second one. Its mail goes by the outbox, like every other (``notices_mails``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import polars as pl

from connectors.crm import RECORD_ID, Write, Written
from connectors.errors import ConnectorError
from sync.notice_words import About, mark_of, notice_text
from sync.notices_about import abouts_of, records_of
from sync.notices_mails import tell_by_mail
from sync.owners import Owners, owners_of
from sync.routing_rules import RoutingRules
from sync.store.notices import Notice
from sync.work import Work

TASK = "Task"
#: What is read of a task to know it again.
_READ = ("WhoId", "Description", "OwnerId", "IsClosed")


def tell(work: Work, run: int, now: datetime, *, fresh: bool) -> None:
    """Make the tasks and send the mails that are due. ``fresh``: both CRMs were just read, so that what looks untouched
    is. What a CRM or a mail server does not take now waits for the next run, and nothing else stops for it.
    """
    rules = work.routing
    if rules is None or work.mode != "full":
        return
    if fresh:
        _escalate(work, rules, run, now)
    try:
        _tasks(work, rules, now)
        tell_by_mail(work, now)
    except ConnectorError as away:
        work.store.notices.wait(f"{away.crm or 'a CRM'}: {away.code or type(away).__name__}")


def _escalate(work: Work, rules: RoutingRules, run: int, now: datetime) -> None:
    """Before the time is up somebody is told: whom the config names, else the owner, who has a task already."""
    for row in work.store.handovers.to_escalate(now):
        recipient = rules.escalate_to or row["owner"]
        if recipient is None:
            continue
        named = bool(rules.escalate_to) and rules.escalate_to != row["owner"]
        with work.store.transaction():
            if work.store.handovers.escalated(row["lead_id"], row["cycle"], recipient, run, now):
                work.store.notices.escalate(
                    row, recipient, now, task=rules.tasks and named, mail=rules.mail is not None
                )


def _tasks(work: Work, rules: RoutingRules, now: datetime) -> None:
    with work.store.transaction():
        due = work.store.notices.take_tasks()
        if not due:
            return
        open_ones = _open(work, due, now)
        owners = owners_of(work, rules.same, now)
        people = _with_people(work, open_ones, owners, now)
        records = records_of(work, [notice.lead_id for notice, _ in people])
        there = _made_before(work, list(records.values()))
        abouts = abouts_of(work, rules, [notice for notice, _ in people], records)
        writes, waiting = [], {}
        for number, (notice, owner) in enumerate(people):
            record = records.get(notice.lead_id)
            if record is None:
                continue
            write = _write(
                work, notice, owner, record, there, abouts[notice.lead_id, notice.kind], str(number)
            )
            if write is None:
                known = there[mark_of(notice.lead_id, notice.cycle, notice.kind)]
                work.store.notices.task_made(notice, known[RECORD_ID], known["OwnerId"], now)
            else:
                writes.append(write)
                waiting[write.trace] = (notice, owner)
        work.at_point("before tasks")
        for one in work.crms["salesforce"].write(TASK, writes) if writes else ():
            _ended(work, *waiting[one.trace], one, now)
        work.at_point("after tasks")


def _open(work: Work, due: list[Notice], now: datetime) -> list[Notice]:
    """Without those that sales were quicker than."""
    for notice in due:
        if notice.over:
            work.store.notices.task_made(notice, notice.task_id, notice.task_owner, now)
    return [notice for notice in due if not notice.over]


def _with_people(work: Work, due: list[Notice], owners: Owners, now: datetime) -> list[tuple[Notice, str]]:
    """Each with the Salesforce user it is for; who is none gets no task."""
    found = []
    for notice in due:
        person = owners.by_key.get(notice.recipient)
        if person is None or person.queue or person.salesforce is None:
            work.store.notices.task_refused(notice, "no active user of Salesforce has this address", now)
        else:
            found.append((notice, person.salesforce))
    return found


def _made_before(work: Work, records: list[str]) -> dict[str, dict[str, str | None]]:
    """Mark to the task that carries it, of tasks with these records."""
    found = {}
    for slab in work.crms["salesforce"].find(TASK, _READ, "WhoId", records) if records else ():
        rows = slab.frame
        if "Description" not in rows.columns:
            continue
        for row in rows.filter(~pl.col("_archived")).iter_rows(named=True):
            mark = (row["Description"] or "").rstrip().rpartition("\n")[2]
            found[mark] = {RECORD_ID: row[RECORD_ID], "OwnerId": row["OwnerId"], "IsClosed": row["IsClosed"]}
    return found


def _write(
    work: Work,
    notice: Notice,
    owner: str,
    record: str,
    there: Mapping[str, Mapping[str, str | None]],
    about: About,
    trace: str,
) -> Write | None:
    """What makes the task, or moves it to its new owner; None where it is there and is to stay as it is."""
    mark = mark_of(notice.lead_id, notice.cycle, notice.kind)
    subject, text = notice_text(about, work.language)
    due = notice.due_at.astimezone(ZoneInfo(about.zone)).date().isoformat()
    known = there.get(mark)
    if known is None:
        values: dict[str, str | None] = {
            **{"Subject": subject, "Description": f"{text}\n\n{mark}", "ActivityDate": due},
            **{"WhoId": record, "OwnerId": owner, "Priority": "High"},
        }
        return Write(trace, None, values)
    ours = notice.task_owner is not None and known["OwnerId"] == notice.task_owner
    if known["OwnerId"] == owner or known["IsClosed"] == "true" or not ours:
        return None
    return Write(trace, known[RECORD_ID], {"OwnerId": owner, "Subject": subject, "ActivityDate": due})


def _ended(work: Work, notice: Notice, owner: str, one: Written, now: datetime) -> None:
    """``unknown`` waits: the next run looks whether the task is there."""
    if one.outcome == "written":
        work.store.notices.task_made(notice, one.record_id, owner, now)
        told = (
            "a task in Salesforce"
            if notice.kind == "handover"
            else "a task in Salesforce, before the time is up"
        )
        work.store.handovers.note(notice.lead_id, notice.cycle, "told", "routing", told, None, now)
    elif one.outcome == "refused":
        work.store.notices.task_refused(notice, f"Salesforce refused the task: {one.code}", now)
