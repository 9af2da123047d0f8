"""The opportunities of a slice's leads: read by contact role, else by account, and heard of when they change.

A Lead has none before it is converted; then they are those of its Contact (Salesforce reference, section 6). An
opportunity belongs to the people who have a role in it; one that names nobody, to the people of its account.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

import polars as pl

from connectors.crm import ARCHIVED, RECORD_ID, Cursor
from connectors.errors import NeedsPerson
from mapping.qualification.deals import ACCOUNT, CONTACT_ROLE, DEALS, told_by_deals
from sync.store.beside import CHANGED, PARTIES
from sync.turned import CONTACT, Turned, can_see_contacts
from sync.work import Work

CRM, DEAL, ROLE, OF_ACCOUNT = "salesforce", "Opportunity", "OpportunityContactRole", "AccountId"
#: The lead field that says why the latest opportunity was lost.
LOSS_REASON = "last_loss_reason"
_ROLE_NAMES = ("ContactId", "OpportunityId")
#: The cursors of the two change logs.
READINGS: Mapping[str, str] = {DEAL: "Opportunity:deals", ROLE: "OpportunityContactRole:deals"}
_PEOPLE: Mapping[str, pl.DataType] = {name: pl.String() for name in ("lead_id", "contact", "account")}


@runtime_checkable
class HasDeals(Protocol):
    """A CRM that keeps opportunities."""

    def deals(
        self, object_name: str, ids: Sequence[str], loss_reason: str = ""
    ) -> Iterator[pl.DataFrame]: ...

    def roles(self, ids: Sequence[str]) -> Iterator[pl.DataFrame]: ...


@dataclass(frozen=True, slots=True)
class DealsRead:
    """``values``: ``lead_id`` and ``DEAL_FIELDS`` of every lead that was asked about. ``parties`` (``PARTIES``)."""

    values: pl.DataFrame
    parties: pl.DataFrame


def can_see_deals(work: Work) -> bool:
    """Whether the integration user may read opportunities and who takes part in them (``check`` says so)."""
    crm = work.crms[CRM]
    if not isinstance(crm, HasDeals):
        return False
    try:
        crm.describe(ROLE)
        return "IsWon" in crm.describe(DEAL).fields
    except NeedsPerson:
        return False


def loss_reason_of(work: Work) -> str:
    """The field of Opportunity that says why one was lost; empty where the config names none."""
    return "" if work.handover is None else work.handover.loss_reason


def read_deals(work: Work, records: pl.DataFrame | None, turned: Turned | None) -> DealsRead | None:
    """What the opportunities say of these Salesforce records; ask ``can_see_deals`` first.

    ``records``: typed, with ``lead_id``. ``turned``: the converted ones among them.
    """
    crm = work.crms[CRM]
    if records is None or records.is_empty() or not isinstance(crm, HasDeals):
        return None
    people = _people(work, records, turned)
    if people["contact"].null_count() < people.height:
        begin(work)  # before they are read, so that no change falls between
    why = loss_reason_of(work)
    by_role = _of(crm, CONTACT, people, "contact", CONTACT_ROLE, why)
    by_account = _of(crm, "Account", people, "account", ACCOUNT, why)
    unnamed = by_account.filter(~pl.col("deal_id").is_in(by_role["deal_id"].implode()))
    named = [frame[RECORD_ID] for frame in crm.roles(unnamed["deal_id"].unique().sort().to_list())]
    if named:
        unnamed = unnamed.filter(~pl.col("deal_id").is_in(pl.concat(named).implode()))
    deals = pl.concat([by_role, unnamed])
    return DealsRead(told_by_deals(people["lead_id"], deals), _parties(people, deals))


def _people(work: Work, records: pl.DataFrame, turned: Turned | None) -> pl.DataFrame:
    """``_PEOPLE``: the Contact and the account of each lead now; both null for a Lead that is not converted."""
    if work.objects[CRM] == CONTACT:
        pairs = records.select("lead_id", contact=RECORD_ID)
    elif turned is None:
        return records.select("lead_id", *(pl.lit(None, pl.String).alias(n) for n in ("contact", "account")))
    else:
        pairs = records.select("lead_id").join(
            turned.leads.select("lead_id", "contact").unique("lead_id"), on="lead_id", how="left"
        )
    ids = pairs["contact"].drop_nulls().unique().sort().to_list()
    slabs = work.crms[CRM].fetch(CONTACT, (OF_ACCOUNT,), ids) if ids and can_see_contacts(work) else ()
    found = [pl.DataFrame(schema={"contact": pl.String(), "account": pl.String()})]
    found += [
        slab.frame.select(contact=RECORD_ID, account=OF_ACCOUNT)
        for slab in slabs
        if OF_ACCOUNT in slab.frame.columns
    ]
    return pairs.join(pl.concat(found).unique("contact"), on="contact", how="left").select(*_PEOPLE)


def _of(crm: HasDeals, object_name: str, people: pl.DataFrame, name: str, by: str, why: str) -> pl.DataFrame:
    """``DEALS`` of the contacts, or of the accounts, of these people."""
    ids = people[name].drop_nulls().unique().sort().to_list()
    frames = [frame for frame in crm.deals(object_name, ids, why) if not frame.is_empty()] if ids else []
    if not frames:
        return pl.DataFrame(schema=dict(DEALS))
    owned = pl.concat(frames).join(
        people.select("lead_id", pl.col(name).alias(RECORD_ID)), on=RECORD_ID, how="inner"
    )
    return owned.rename({"opportunity_id": "deal_id"}).with_columns(by=pl.lit(by)).select(*DEALS)


def _parties(people: pl.DataFrame, deals: pl.DataFrame) -> pl.DataFrame:
    """``PARTIES``: whose change concerns which lead."""
    parts = [
        frame.select("lead_id", crm=pl.lit(CRM), object=pl.lit(name), record_id=column)
        for frame, name, column in (
            (people, CONTACT, "contact"),
            (people, "Account", "account"),
            (deals, DEAL, "deal_id"),
        )
    ]
    return pl.concat(parts).drop_nulls("record_id").unique().select(*PARTIES)


def begin(work: Work) -> dict[str, Cursor]:
    """Where to go on reading the change logs of opportunities and roles: from now on, the first time."""
    known = work.store.runs.cursors()
    cursors: dict[str, Cursor] = {}
    for name, reading in READINGS.items():
        before = known.get((CRM, reading))
        if before is not None:
            cursors[name] = before
        else:
            cursors[name] = cursor = work.crms[CRM].changes(name, (), None).cursor
            run = work.store.runs.latest()
            work.store.runs.move_cursor(CRM, reading, cursor, run, work.clock())
    return cursors


def hear_of_deals(work: Work) -> None:
    """Note which leads' opportunities have changed, so that they are looked at; then the logs' cursors move.

    What is noted stays noted until those leads were decided. No log is read before there is somebody to hear of;
    the first time, everybody who may be in an opportunity is looked at.
    """
    beside, now = work.store.beside, work.clock()
    if (CRM, READINGS[DEAL]) not in work.store.runs.cursors():
        _first_time(work, now)
        return
    since, run = begin(work), work.store.runs.latest()
    crm = work.crms[CRM]
    deals = crm.changes(DEAL, (OF_ACCOUNT,), since[DEAL])
    roles = crm.changes(ROLE, _ROLE_NAMES, since[ROLE])
    told = [pl.DataFrame(schema=dict(CHANGED))]
    told += [part for slab in deals.slabs for part in _named(slab.frame, {DEAL: RECORD_ID})]
    told += [
        part
        for slab in roles.slabs
        for part in _named(slab.frame, {CONTACT: "ContactId", DEAL: "OpportunityId"})
    ]
    changed = pl.concat(told).unique()
    met = changed.filter(pl.col("object") == DEAL)["record_id"].to_list()
    changed = pl.concat([changed, *_around(work, met)]).unique()
    with work.store.transaction():
        beside.changed(changed, "opportunity", now)
        for name, cursor in ((DEAL, deals.cursor), (ROLE, roles.cursor)):
            work.store.runs.move_cursor(CRM, READINGS[name], cursor, run, now)


def _first_time(work: Work, now: datetime) -> None:
    people = work.store.beside.may_have_deals(CRM)
    if people.is_empty():
        return
    begin(work)
    with work.store.transaction():
        work.store.beside.look_again(people, "opportunity", now)


def _named(frame: pl.DataFrame, columns: Mapping[str, str]) -> list[pl.DataFrame]:
    """``CHANGED``: the records that these columns of a slab name, by their object."""
    return [
        frame.select(crm=pl.lit(CRM), object=pl.lit(name), record_id=column).drop_nulls("record_id")
        for name, column in columns.items()
        if column in frame.columns
    ]


def _around(work: Work, deals: Sequence[str]) -> Iterator[pl.DataFrame]:
    """``CHANGED``: the accounts of these opportunities, and the contacts that take part in them."""
    crm = work.crms[CRM]
    if not deals or not isinstance(crm, HasDeals):
        return
    for slab in crm.fetch(DEAL, (OF_ACCOUNT,), deals):
        yield from _named(slab.frame.filter(~pl.col(ARCHIVED)), {"Account": OF_ACCOUNT})
    for frame in crm.roles(deals):
        yield from _named(frame, {CONTACT: "contact_id"})


def note_deals(work: Work, read: DealsRead | None, lead_ids: pl.Series) -> None:
    """Remember what stands beside these leads. Inside the remembering transaction."""
    if read is None:
        return
    asked = read.values.filter(pl.col("lead_id").is_in(lead_ids.implode()))["lead_id"]
    parties = read.parties.filter(pl.col("lead_id").is_in(asked.implode()))
    work.store.beside.note(CRM, asked, parties)
