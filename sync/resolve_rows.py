"""Settle a held row of a file: whose it is, or that it is nobody's who is known.

    link_row(work, held, record)    the row is about this record's person
    separate_row(work, held)        the row is about none of those it looks like

The row itself is not kept here (it stands in the file), so the next import of that file carries the decision out.
"""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from sync.cardmatch import FILE
from sync.errors import WrongUse
from sync.resolve import Held, Record, Resolved
from sync.slices import lead_name
from sync.store.identity import Decision
from sync.store.imports import IMPORTED
from sync.work import CRMS, Work

#: What stands as the source and kind of a row that a person gave to a record, beside what an import says of it.
SETTLED = "settled by a person"


def link_row(work: Work, held: Held, record: Record, who: str) -> Resolved:
    """The row is about the person of this record. Raises WrongUse where that record is not there."""
    others = _others(held)
    crm, number = record
    if record not in others and not _is_there(work, record):
        raise WrongUse(f"{crm} has no record {number}", fix="name one of those that `leadpact held` lists")
    linked = {one: _lead_of(work, one) for one in {record, *others}}
    lead = linked[record] or lead_name(*record)
    # The counterpart of the record in the other CRM is the same person.
    rest = [one for one in others if one != record and linked[one] != lead]
    row = {
        **dict.fromkeys(IMPORTED),
        "lead_id": lead,
        "crm": crm,
        "record_id": number,
        "row_key": held["record_id"],
        "file_line": json.loads(held["details"])["row"],
        "source": SETTLED,
        "kind": SETTLED,
    }
    decision = _decide(work, held, "link", f"{crm}:{number}", rest, who)
    with work.store.transaction():
        work.store.identity.bring_together((FILE, held["record_id"]), record)
        rows = pl.DataFrame([row], schema=dict(IMPORTED))
        work.store.imports.remember(rows, work.store.runs.latest(), work.clock())
    return Resolved(decision, None)


def separate_row(work: Work, held: Held, who: str) -> Resolved:
    """The row is about somebody whom neither CRM knows yet."""
    others = _others(held)
    if not others:
        raise WrongUse(
            f"held {held['held_id']} contradicts another row of its file",
            fix="mend the file, and import it again",
        )
    answer = " ".join(f"{crm}:{number}" for crm, number in others)
    return Resolved(_decide(work, held, "separate", answer, others, who), None)


def _decide(work: Work, held: Held, kind: str, answer: str, apart: list[Record], who: str) -> int:
    about: dict[str, Any] = {
        name: held[name] for name in ("held_id", "lead_id", "crm", "object", "record_id", "field")
    }
    settled = Decision(**about, seen=held["details"], kind=kind, answer=answer, who=who)
    with work.store.transaction():
        decision = work.store.identity.decide(settled, work.clock())
        for one in apart:
            work.store.identity.keep_apart((FILE, held["record_id"]), one, decision)
    return decision


def _others(held: Held) -> list[Record]:
    found = []
    for text in json.loads(held["details"])["others"]:
        crm, _, number = text.partition(":")
        found.append((crm, number))
    return found


def _lead_of(work: Work, record: Record) -> str | None:
    crm, number = record
    return dict(work.store.identity.linked(crm, work.objects[crm], [number])).get(number)


def _is_there(work: Work, record: Record) -> bool:
    crm, number = record
    if crm not in CRMS:
        return False
    slabs = work.crms[crm].fetch(work.objects[crm], (), [number])
    return any(not slab.frame.filter(~pl.col("_archived")).is_empty() for slab in slabs)
