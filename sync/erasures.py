"""Whoever was erased in a CRM is forgotten here too, before anything else is read.

    forget_record(work, crm, record, why)     one person, whatever told of it (a push of HubSpot's, a person)
    follow_erasures(work)                     all that can be found: Salesforce's ``ShouldForget``, and contacts of
                                              HubSpot that answer neither as live nor as archived

Salesforce keeps a person's wishes in an Individual that leads and contacts name (Salesforce reference, section 6).
A privacy deletion in HubSpot leaves nothing behind; an archived contact can be asked for during 90 days (HubSpot
reference, section 4.6).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol, runtime_checkable

import polars as pl

from connectors.crm import ARCHIVED, RECORD_ID
from sync.errors import WrongUse
from sync.privacy import Certificate, forget
from sync.store.persons import name_of_address, name_of_record
from sync.turned import CONTACT, can_see_contacts
from sync.work import Work

INDIVIDUAL, INDIVIDUAL_ID, SHOULD_FORGET = "Individual", "IndividualId", "ShouldForget"
#: How long HubSpot answers for an archived record.
ARCHIVED_FOR = timedelta(days=90)
ERASED = "erased"
#: So many persons are forgotten before one run; each is searched for everywhere. The others follow before the next.
AT_A_TIME = 50


class _Fate(Protocol):
    """What became of a record, as a connector says it."""

    @property
    def record_id(self) -> str: ...

    @property
    def fate(self) -> str: ...


@runtime_checkable
class TellsFates(Protocol):
    """A CRM that says what became of records which are no longer there."""

    def fates(self, object_name: str, ids: Sequence[str]) -> Sequence[_Fate]: ...


def forget_record(
    work: Work, crm: str, record_id: str, why: str, addresses: Sequence[str] = ()
) -> Certificate:
    """Forget the person whose record was erased, or is to be.

    A record that no lead has, and these ``addresses``, are barred all the same: what is left of the person in the
    other CRM is not taken in. ``why`` is kept with the run and holds no person's data. Raises WrongUse while another
    run is working on the person.
    """
    key = f"{crm}:{record_id}"
    if work.store.leads.named(key):
        return forget(work, key, why)
    names = [name_of_record(crm, record_id), *map(name_of_address, addresses)]
    now = work.clock()
    done = Certificate([], now)
    done.barred = work.store.persons.bar(names, now)
    return done


@dataclass(slots=True)
class Erasures:
    """Who was forgotten. ``waiting``: how many are left to the next run; another one may be at them."""

    forgotten: list[Certificate] = field(default_factory=list)
    waiting: int = 0


def follow_erasures(work: Work) -> Erasures:
    """Forget everybody whom a CRM has erased, or is asked to forget, since this was last done."""
    done = Erasures()
    _as_salesforce_asks(work, done)
    _as_hubspot_did(work, done)
    return done


def _forget(work: Work, done: Erasures, crm: str, record: str, why: str, email: str | None = None) -> None:
    if len(done.forgotten) >= AT_A_TIME:
        done.waiting += 1
        return
    try:
        certificate = forget_record(work, crm, record, why, [email] if email else [])
    except WrongUse:
        done.waiting += 1
        return
    if certificate.leads:
        done.forgotten.append(certificate)


def _as_salesforce_asks(work: Work, done: Erasures) -> None:
    crm, object_name = work.crms["salesforce"], work.objects["salesforce"]
    if INDIVIDUAL_ID not in crm.describe(object_name).fields:
        return  # data protection is not switched on in this organisation
    runs = work.store.runs
    reading = crm.changes(INDIVIDUAL, (SHOULD_FORGET,), runs.cursors().get(("salesforce", INDIVIDUAL)))
    for slab in reading.slabs:
        if SHOULD_FORGET not in slab.frame.columns:
            continue
        asked = slab.frame.filter((pl.col(SHOULD_FORGET) == "true") & ~pl.col(ARCHIVED))
        for record, email in _persons(work, asked[RECORD_ID].to_list()):
            _forget(work, done, "salesforce", record, "Individual.ShouldForget in Salesforce", email)
    if not done.waiting:
        last = runs.newest(1)
        runs.move_cursor("salesforce", INDIVIDUAL, reading.cursor, last[0].run if last else 0, work.clock())


def _persons(work: Work, individuals: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """(record id, address) of the leads that these Individuals stand for, by themselves or by their Contacts."""
    if not individuals:
        return
    crm, object_name = work.crms["salesforce"], work.objects["salesforce"]
    for slab in crm.find(object_name, ("Email",), INDIVIDUAL_ID, individuals):
        yield from slab.frame.select(RECORD_ID, "Email").iter_rows()
    if can_see_contacts(work) and INDIVIDUAL_ID in crm.describe(CONTACT).fields:
        for slab in crm.find(CONTACT, ("Email",), INDIVIDUAL_ID, individuals):
            origins = work.store.turned.origins("salesforce", slab.frame[RECORD_ID].to_list())
            addresses = dict(slab.frame.select(RECORD_ID, "Email").iter_rows())
            yield from ((origin, addresses[contact]) for contact, origin in origins)


def _as_hubspot_did(work: Work, done: Erasures) -> None:
    crm, object_name = work.crms["hubspot"], work.objects["hubspot"]
    gone = {record: (lead, seen) for record, lead, seen in work.store.identity.gone("hubspot", object_name)}
    if not gone or not isinstance(crm, TellsFates):
        return
    now = work.clock()
    fates = {one.record_id: one.fate for one in crm.fates(object_name, list(gone))}
    for record, (lead, seen) in gone.items():
        fate = fates.get(record)
        # Seen so lately, an archived record would still answer; later nobody can tell the two apart.
        if fate == ERASED and seen is not None and now - seen < ARCHIVED_FOR:
            _forget(work, done, "hubspot", record, "the contact was deleted for good in HubSpot")
        elif fate is not None:
            told = "archived" if fate != ERASED else "away for more than 90 days"
            work.store.identity.note("hubspot", object_name, record, lead, "gone", told, now)
