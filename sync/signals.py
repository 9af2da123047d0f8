"""What people did, beyond the counters of a record: how often within a week, and what their company's people did.

Both are read from HubSpot only where a condition asks for them. The history of a counter is read for leads whose
counter moved, for so many in one slice at most; the others wait, and are taken up by the next runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

import polars as pl

from connectors.crm import RECORD_ID
from connectors.errors import NeedsPerson, RecordRefused
from mapping.qualification.frequency import WEEKLY, in_week
from sync.store.beside import PARTIES
from sync.winners import HUBSPOT, KEPT
from sync.work import Work

CRM, PEOPLE, COMPANIES = "hubspot", "contacts", "companies"
#: Leads whose histories are read in one slice at most; 50 are one call (HubSpot reference, section 4.2).
MOST_HISTORIES = 2_500

#: The lead's fields that its company's people feed.
COMPANY_FIELDS: Mapping[str, pl.DataType] = {
    "company_people": pl.Int64(),
    "company_visits": pl.Int64(),
    "company_forms": pl.Int64(),
    "company_last_sign_at": pl.Datetime("us", "UTC"),
}
#: What is added up of each person.
_SIGNS = ("visits", "forms", "last_visit_at", "last_form_at")


class Events(Protocol):
    """Single events (``connectors.hubspot.signals.EVENT_SCHEMA``) and the kinds that the account does not count."""

    @property
    def frame(self) -> pl.DataFrame: ...

    @property
    def missing(self) -> tuple[str, ...]: ...


@runtime_checkable
class HasSignals(Protocol):
    """A CRM that tells when people did what, and whose company they are of."""

    def signals(self, ids: Sequence[str], events: Sequence[str]) -> Events: ...

    def companies_of(self, ids: Sequence[str]) -> pl.DataFrame: ...

    def links(self, object_name: str, to_object: str, ids: Sequence[str]) -> Iterator[pl.DataFrame]: ...


@dataclass(frozen=True, slots=True)
class SignalsRead:
    """``values``: ``lead_id`` and fields of the leads that were asked about. ``due``: leads that have to wait."""

    values: pl.DataFrame
    due: pl.Series


@dataclass(frozen=True, slots=True)
class CompaniesRead:
    """``values``: ``lead_id`` and ``COMPANY_FIELDS``. ``parties`` (``PARTIES``): the company of each lead.

    ``moved``: leads that did something new, so that the people of their company are to be looked at.
    """

    values: pl.DataFrame
    parties: pl.DataFrame
    moved: pl.Series


def can_see_companies(work: Work) -> bool:
    """Whether the token may read companies and who is of them."""
    if not isinstance(work.crms[CRM], HasSignals):
        return False
    try:
        work.crms[CRM].describe(COMPANIES)
    except (NeedsPerson, RecordRefused):
        return False
    return True


def read_weekly(work: Work, frame: pl.DataFrame, names: frozenset[str]) -> SignalsRead | None:
    """How often each lead did what within a week. ``frame``: ``sync.decide.lead_frame``; ``names``: of ``WEEKLY``."""
    crm = work.crms[CRM]
    counted = {
        name: WEEKLY[name] for name in sorted(names) if HUBSPOT + WEEKLY[name].counter in frame.columns
    }
    here = frame.filter(pl.col(HUBSPOT + "_id").is_not_null())
    if not counted or here.is_empty() or not isinstance(crm, HasSignals):
        return None
    now = {name: pl.col(HUBSPOT + one.counter) for name, one in counted.items()}
    moved = pl.any_horizontal(
        (now[name] > 1) & (now[name].ne_missing(pl.col(KEPT + one.counter)) | pl.col(KEPT + name).is_null())
        for name, one in counted.items()
    )
    open_ones = here.filter(moved.fill_null(value=False))
    asked = open_ones.head(MOST_HISTORIES)
    found, missing = _events(crm, asked[HUBSPOT + "_id"].to_list(), [one.event for one in counted.values()])
    wide = here.join(found, left_on=HUBSPOT + "_id", right_on=RECORD_ID, how="left", maintain_order="left")
    was_asked = pl.col("lead_id").is_in(asked["lead_id"].implode())
    few = {name: pl.when(now[name] <= 1).then(now[name]).otherwise(pl.col(KEPT + name)) for name in counted}
    values = wide.select(
        "lead_id",
        *(
            pl.lit(None, pl.Int64).alias(name)
            if one.event in missing
            else pl.when(was_asked & (now[name] > 1)).then("_n." + one.event).otherwise(few[name]).alias(name)
            for name, one in counted.items()
        ),
    )
    return SignalsRead(values, open_ones["lead_id"].slice(MOST_HISTORIES))


def _events(crm: HasSignals, ids: list[str], events: list[str]) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """``_id`` and ``_n.EVENT``: how many of each kind in the week up to the latest; and the kinds not counted here."""
    read = crm.signals(ids, events) if ids else None
    weekly = in_week(read.frame) if read is not None else pl.DataFrame()
    wide = pl.DataFrame({RECORD_ID: ids}, schema={RECORD_ID: pl.String()})
    for event in events:
        one = (
            weekly.filter(pl.col("event") == event).select(RECORD_ID, pl.col("count").alias("_n." + event))
            if not weekly.is_empty()
            else pl.DataFrame(schema={RECORD_ID: pl.String(), "_n." + event: pl.Int64()})
        )
        wide = wide.join(one, on=RECORD_ID, how="left", maintain_order="left")
    return wide, () if read is None else read.missing


def read_companies(work: Work, frame: pl.DataFrame) -> CompaniesRead | None:
    """What the people of each lead's company did, by HubSpot's associations. ``frame``: ``sync.decide.lead_frame``.

    The others' signs are those that are stored of them; people whom nobody has synced yet do not count.
    """
    crm = work.crms[CRM]
    here = frame.filter(pl.col(HUBSPOT + "_id").is_not_null())
    if here.is_empty() or not isinstance(crm, HasSignals) or not can_see_companies(work):
        return None
    ours = crm.companies_of(here[HUBSPOT + "_id"].to_list())
    mine = here.select("lead_id", pl.col(HUBSPOT + "_id").alias(RECORD_ID)).join(
        ours, on=RECORD_ID, how="left"
    )
    companies = mine["company_id"].drop_nulls().unique().sort().to_list()
    pairs = [pl.DataFrame(schema={"company_id": pl.String(), "record_id": pl.String()})]
    pairs += [
        part.select(company_id=RECORD_ID, record_id="other_id")
        for part in (crm.links(COMPANIES, PEOPLE, companies) if companies else ())
    ]
    people = pl.concat(pairs).unique()
    links = work.store.leads.links_of_records(
        people.select(crm=pl.lit(CRM), object=pl.lit(work.objects[CRM]), record_id="record_id")
    )
    # Those of the slice may not be linked yet: they are known by the frame.
    known = pl.concat(
        [links.select("record_id", "lead_id"), mine.select(record_id=RECORD_ID, lead_id="lead_id")]
    )
    members = people.join(known.unique("record_id"), on="record_id", how="inner")
    signs = _signs(work, here, members["lead_id"].unique())
    added = _added_up(members.join(signs, on="lead_id", how="left"))
    values = mine.join(added, on="company_id", how="left").select("lead_id", *COMPANY_FIELDS)
    parties = mine.drop_nulls("company_id").select(
        "lead_id", crm=pl.lit(CRM), object=pl.lit(COMPANIES), record_id="company_id"
    )
    return CompaniesRead(values, parties.select(*PARTIES), _did_something(here))


def _signs(work: Work, here: pl.DataFrame, lead_ids: pl.Series) -> pl.DataFrame:
    """``lead_id`` and ``_SIGNS`` of these leads: as read just now, else as stored."""
    read = here.select("lead_id", *(pl.coalesce(HUBSPOT + name, KEPT + name).alias(name) for name in _SIGNS))
    others = work.store.leads.of(lead_ids.filter(~lead_ids.is_in(read["lead_id"].implode())))
    values = work.lead_snapshots().decode(others["lead_values"]).select(*_SIGNS)
    return pl.concat([read, others.select("lead_id").hstack(values).select(read.columns)])


def _added_up(members: pl.DataFrame) -> pl.DataFrame:
    return members.group_by("company_id").agg(
        company_people=pl.col("lead_id").n_unique().cast(pl.Int64),
        company_visits=_known_sum("visits"),
        company_forms=_known_sum("forms"),
        company_last_sign_at=pl.max_horizontal(pl.col("last_visit_at").max(), pl.col("last_form_at").max()),
    )


def _known_sum(name: str) -> pl.Expr:
    """The sum of what is known; unknown where nobody's number is."""
    return pl.when(pl.col(name).is_not_null().any()).then(pl.col(name).sum())


def _did_something(here: pl.DataFrame) -> pl.Series:
    moved = pl.any_horizontal(
        pl.col(HUBSPOT + name).is_not_null() & pl.col(HUBSPOT + name).ne_missing(pl.col(KEPT + name))
        for name in _SIGNS
    )
    return here.filter(moved)["lead_id"]


def begin_with_all(work: Work, reading: str, wanted: frozenset[str], now: datetime) -> None:
    """The first time that a condition asks for these fields, everybody whom they may concern is looked at."""
    known: Mapping[str, Any] = work.store.runs.cursors().get((CRM, reading), {})
    if wanted <= set(known.get("fields", ())):
        return
    counters = sorted({WEEKLY[name].counter for name in wanted if name in WEEKLY})
    beside, run = work.store.beside, work.store.runs.latest()
    leads = beside.counted_more_than_once(counters) if counters else beside.of_crm(CRM)
    with work.store.transaction():
        beside.look_again(leads, "signals" if counters else "company", now)
        work.store.runs.move_cursor(CRM, reading, {"fields": sorted(wanted)}, run, now)


def note_weekly(work: Work, read: SignalsRead | None, lead_ids: pl.Series, now: datetime) -> None:
    """Remember who waits. Inside the remembering transaction."""
    if read is not None:
        work.store.beside.look_again(read.due.filter(read.due.is_in(lead_ids.implode())), "signals", now)


def note_companies(work: Work, read: CompaniesRead | None, lead_ids: pl.Series, now: datetime) -> None:
    """Remember whose company is which, and let colleagues of those who did something be looked at."""
    if read is None:
        return
    beside = work.store.beside
    asked = lead_ids.filter(lead_ids.is_in(read.values["lead_id"].implode()))
    parties = read.parties.filter(pl.col("lead_id").is_in(asked.implode()))
    beside.note(CRM, asked, parties)
    beside.changed(
        parties.filter(pl.col("lead_id").is_in(read.moved.implode())).drop("lead_id"), "company", now
    )
