"""One person's data: everything Leadpact keeps shown (``export``), or erased with a certificate (``forget``).

Forgetting concerns what Leadpact keeps. The records in the CRMs are the CRMs': they are erased there, and a later
sync leaves alone whoever was forgotten here, by a salted hash.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from sync.errors import WrongUse
from sync.explaining import find_lead
from sync.fingerprint import fingerprint
from sync.running import running
from sync.saved import SavedPlan, load_plan, write_plan
from sync.shelf import sweep
from sync.store.persons import Record, name_of_address, name_of_record
from sync.work import Work

#: Fields whose values name a person so surely that they are searched for after erasing.
TELLING = ("email", "phone", "mobile_phone")
#: What cannot be erased from here, and when it goes by itself.
BEYOND_US = (
    "The records in HubSpot and Salesforce: they are erased there (HubSpot: delete permanently; Salesforce:"
    " delete and empty the recycle bin).",
    "PostgreSQL's write-ahead log: it goes with the server's next checkpoints and their recycling, within hours.",
    "Backups of the server, and files of `leadpact db backup`: until they are deleted by their own periods.",
)


def export(work: Work, key: str) -> dict[str, Any]:
    """Everything kept about the person a KEY names, table by table. Raises WrongUse where nobody is known so."""
    lead = find_lead(work, key)
    records = work.store.leads.records_of(lead)
    kept = work.store.persons.everything([lead], records)
    return {
        "lead": lead,
        "records": [f"{crm}:{record}" for crm, record in records],
        "kept": {table: [_plain(row) for row in rows] for table, rows in kept.items()},
    }


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row for people: JSON columns opened, days and times as text, our own numbering of the connection left out."""
    return {name: _opened(value) for name, value in row.items() if name != "connection_id"}


def _opened(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str) and value[:1] in "{[":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


@dataclass(slots=True)
class Certificate:
    """What was erased, and what was not. It names nobody: only the lead's id and numbers.

    ``erased``: table to rows. ``left``: table to rows that still hold an address, number or record id of the
    person; empty when all went well. ``plans``: saved plans that were cleaned, ``plans_left``: those that could
    not be. ``barred``: salted hashes kept so that the person is not taken in again.
    """

    leads: list[str]
    at: datetime
    erased: dict[str, int] = field(default_factory=dict)
    vacuumed: dict[str, str] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)
    plans: list[str] = field(default_factory=list)
    plans_left: list[str] = field(default_factory=list)
    barred: int = 0

    def as_json(self) -> dict[str, Any]:
        """The certificate as a document."""
        return {
            **asdict(self),
            "at": self.at.isoformat(),
            "not_erased_here": list(BEYOND_US),
            "still_personal_data": f"{self.barred} salted hashes, kept so that the person is not taken in again",
        }


def forget(work: Work, key: str, why: str = "") -> Certificate:
    """Erase the person a KEY names from everything Leadpact keeps, and never take them in again.

    An address that nobody has is barred all the same. ``why``, in words without a person's data, is kept with the
    run. Raises WrongUse for any other KEY that names nobody, and where another run is working on the person right
    now.
    """
    leads = _leads(work, key)
    persons, now = work.store.persons, work.clock()
    records = [record for lead in leads for record in work.store.leads.records_of(lead)]
    words = _words(work, key, leads, records)
    done = Certificate(leads, now)
    with running(work, "forget", now) as opened:
        opened.note = why
        _claim(work, leads, opened.run, now)
        with work.store.transaction():
            done.erased = persons.erase(leads, records)
            # What waits about others, or was decided about them, may name this person's records.
            for table in ("held", "apart", "decision"):
                mentioned = persons.erase_mentions(table, [*words, *(record for _, record in records)])
                if mentioned:
                    done.erased[table] = done.erased.get(table, 0) + mentioned
            named = work.store.jobs.forget_records(records)
            if named:
                done.erased["procrastinate_jobs"] = named
            done.barred = persons.bar(_names(key, words, records), now)
        _clean_plans(work, leads, records, words, done)
        sweep(work.spill_folder)
        done.vacuumed = persons.vacuum(done.erased)
        done.left = persons.mentions([*leads, *words, *(record for _, record in records if len(record) > 5)])
    return done


def _leads(work: Work, key: str) -> list[str]:
    found = work.store.leads.named(key)
    if not found and "@" not in key:
        find_lead(work, key)  # says what a KEY is
    if len(found) > 1 and "@" not in key:
        raise WrongUse(f"{len(found)} leads share this KEY", fix="name one of them by its lead id")
    return found


def _claim(work: Work, leads: Sequence[str], run: int, now: datetime) -> None:
    if leads:
        _, ours = work.store.runs.claim(pl.Series("lead_id", list(leads)), run, now, work.claim_seconds)
        if len(ours) < len(leads):
            raise WrongUse("another run is working on this person right now", fix="try again in a minute")


def _words(work: Work, key: str, leads: Sequence[str], records: Sequence[Record]) -> list[str]:
    """Addresses and numbers of the person, in every spelling that is kept."""
    kept = work.store.persons.everything(leads, records) if leads else {}
    stored = [
        *(row["lead_values"] for row in kept.get("lead", ())),
        *(row["record_values"] for row in kept.get("base", ())),
    ]
    words = {key.strip().lower()} if "@" in key else set()
    for text in stored:
        values = json.loads(text)
        words.update(str(values[name]).lower() for name in TELLING if values.get(name))
    for table in ("link", "former_address"):
        words.update(str(row["email_key"]) for row in kept.get(table, ()) if row.get("email_key"))
    return sorted(words)


def _names(key: str, words: Sequence[str], records: Sequence[Record]) -> list[str]:
    addresses = {word for word in [*words, key] if "@" in word}
    return [*map(name_of_address, sorted(addresses)), *(name_of_record(*record) for record in records)]


def _clean_plans(
    work: Work, leads: Sequence[str], records: Sequence[Record], words: Sequence[str], done: Certificate
) -> None:
    """Take the person out of the plans that were saved; one that cannot be cleaned is named."""
    persons = work.store.persons
    for path in persons.plans():
        if not Path(path).exists():
            persons.strike_plan(path)
            continue
        try:
            saved = load_plan(Path(path))
            cleaned = _without(saved, leads, records, words)
            if cleaned is not None:
                write_plan(Path(path), cleaned)
                done.plans.append(path)
        except WrongUse:
            done.plans_left.append(path)


def _without(
    saved: SavedPlan, leads: Sequence[str], records: Sequence[Record], words: Sequence[str]
) -> SavedPlan | None:
    """The plan without these leads; None where it does not hold them."""
    changes = saved.changes.filter(~pl.col("lead_id").is_in(list(leads)))
    gone = {(crm, record) for crm, record in records}
    names = {crm: [one for one in ids if (crm, one) not in gone] for crm, ids in saved.names.items()}
    cards = _cards_without(saved.cards, words)
    if changes.height == saved.changes.height and names == dict(saved.names) and cards == saved.cards:
        return None
    return replace(saved, changes=changes, names=names, fingerprint=fingerprint(changes), cards=cards)


def _cards_without(cards: Mapping[str, Any] | None, words: Sequence[str]) -> Mapping[str, Any] | None:
    """The rows of an import's file without those that hold one of the words."""
    if cards is None:
        return None
    kept = [
        row for row in cards["rows"] if not any(str(cell).strip().lower() in words for cell in row["cells"])
    ]
    return {**cards, "rows": kept}
