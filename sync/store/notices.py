"""Who is to be told of a handover, in the database: one row a handover and kind, with what became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import polars as pl
import psycopg

from sync.store.letters import HANDOVER, UNSURE_DAYS
from sync.store.tables import Tables

#: Tasks that are made in one go; the rest waits for the next run.
AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice that is due. ``kind``: handover or escalation. ``over``: sales have touched or answered the lead.
    ``explored``: it was handed over by chance, below the line.

    ``task_id``, ``task_owner``: the Salesforce task that was made for it, and whose it was made. ``made_at``: when
    this recipient was first to be told (aware).
    """

    number: int
    made_at: datetime
    lead_id: str
    cycle: int
    kind: str
    recipient: str = field(repr=False)
    due_at: datetime
    task_id: str | None
    task_owner: str | None
    temperature: str | None
    score: int | None
    owner: str | None = field(repr=False)
    over: bool
    explored: bool = False

    @property
    def letter(self) -> str:
        """What its mail is about, in the outbox: somebody else, or the same one anew, gets another mail."""
        return f"{self.number} {self.made_at.astimezone(UTC).isoformat()}"


class Notices(Tables):
    """The notices of one connection."""

    def queue(self, lead_ids: pl.Series, now: datetime, *, tasks: bool, mails: bool) -> None:
        """Whoever has one of these leads now is told, unless they were. Inside the remembering transaction."""
        if not lead_ids.is_empty():
            self._lay("asked", lead_ids.unique().to_frame("lead_id"))
            self._do("queue_notices", now=now, tasks=tasks, mails=mails)

    def escalate(self, row: dict[str, Any], recipient: str, now: datetime, *, task: bool, mail: bool) -> None:
        """Somebody is told that a handover (a row of ``handovers.to_escalate``) runs out of time."""
        named = {"lead": row["lead_id"], "cycle": row["cycle"], "due": row["owner_due_at"]}
        self._do("add_escalation", **named, recipient=recipient, now=now, task=task, mail=mail)

    def take_tasks(self) -> list[Notice]:
        """Notices without their task, ours alone until the transaction ends; at most ``AT_ONCE``."""
        return self._notices("take_task_notices", limit=AT_ONCE)

    def take_mails(self, now: datetime) -> list[Notice]:
        """Notices whose mail goes into the outbox now, in the caller's transaction; nobody else gets them."""
        return self._notices("take_mail_notices", now=now)

    def of_letter(self, about: str) -> Notice | None:
        """The notice that a mail in the outbox is about; None where it is gone, or another mail stands for it."""
        number = about.partition(" ")[0]
        found = self._notices("notice_of_number", number=int(number)) if number.isdecimal() else []
        return next((one for one in found if one.letter == about), None)

    def _notices(self, statement: str, **wanted: Any) -> list[Notice]:
        with psycopg.ClientCursor(self._connection, row_factory=psycopg.rows.dict_row) as cursor:
            cursor.execute(self._statements[statement].encode(), {"connection": self._id} | wanted)
            return [Notice(**row) for row in cursor.fetchall()]

    def task_made(self, notice: Notice, task: str | None, owner: str | None, now: datetime) -> None:
        """The task is there, and this owner's; or none is needed any more (None)."""
        self._task_ended(notice, task, owner, None, now)

    def task_refused(self, notice: Notice, problem: str, now: datetime) -> None:
        """There will be no task; ``problem`` says why, without naming anybody."""
        self._task_ended(notice, notice.task_id, notice.task_owner, problem, now)

    def _task_ended(
        self, notice: Notice, task: str | None, owner: str | None, problem: str | None, now: datetime
    ) -> None:
        key = {"lead": notice.lead_id, "cycle": notice.cycle, "kind": notice.kind}
        self._do("end_task_notice", **key, task=task, owner=owner, problem=problem, now=now)

    def mail_refused(self, notice: Notice, problem: str) -> None:
        """There will be no mail; ``problem`` says why, without naming anybody."""
        key = {"lead": notice.lead_id, "cycle": notice.cycle, "kind": notice.kind}
        self._do("note_mail_problem", **key, problem=problem)

    def wait(self, problem: str) -> None:
        """What is still to be made could not be made now."""
        self._do("delay_notices", problem=problem)

    def problems(self) -> list[tuple[str, int]]:
        """Why somebody was not told, and how often; a mail that was not tried yet is no problem."""
        wanted = {"what": HANDOVER, "days": UNSURE_DAYS}
        return self._do("notice_problems", **wanted).fetchall()
