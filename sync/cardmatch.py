"""Who of a file is known already: in either CRM, or in our memory. The rules are those of ``sync.pairs``.

An address with a name or company that agrees is the same person. An address that somebody else has, more than one
record that fits in a CRM, and records of two leads are held: a person looks at them, nothing is guessed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from connectors.crm import RECORD_ID
from sync.cards import ROW_KEY
from sync.pairs import same_person
from sync.read import typed_records
from sync.slices import lead_name
from sync.store.journal import HELD
from sync.store.persons import name_of_address
from sync.work import CRMS, Work

#: The CRM of what is held about a row of a file: it is in none yet.
FILE = "file"


@dataclass(frozen=True, slots=True)
class Unsure:
    """A row that is held. ``others``: the records it may be, as CRM:ID."""

    where: str
    row_key: str
    why: str
    others: tuple[str, ...] = ()


@dataclass
class Matched:
    """The file's people: ``people`` have a ``lead_id``; ``records``: CRM to the typed records they have there.

    ``unsure``: rows that are held. ``forgotten``: rows about persons who were erased, left alone.
    """

    people: pl.DataFrame
    records: dict[str, pl.DataFrame | None]
    unsure: list[Unsure] = field(default_factory=list)
    forgotten: int = 0


def match(work: Work, people: pl.DataFrame) -> Matched:
    """Find everybody's records. Reads both CRMs, writes nothing."""
    barred = work.store.persons.barred()
    if barred is not None:
        kept = [email is None or name_of_address(email) not in barred for email in people["email"]]
        kept_people = people.filter(pl.Series("kept", kept, dtype=pl.Boolean))
    else:
        kept_people = people
    known = _Known(work, kept_people)
    by_lead: dict[str, str] = {}
    rows, unsure, owners = [], [], []
    for where, row_key in kept_people.select("_id", ROW_KEY).iter_rows():
        found, why = known.of(where, row_key)
        leads = sorted({known.leads[one] for one in found if one in known.leads})
        lead = leads[0] if leads else lead_name("import", row_key)
        why = why or ("its records are of more than one lead" if len(leads) > 1 else "")
        why = why or ("another row is the same lead" if lead in by_lead else "")
        if why:
            unsure.append(Unsure(where, row_key, why, tuple(sorted(f"{crm}:{one}" for crm, one in found))))
            continue
        by_lead[lead] = where
        rows.append((where, lead))
        owners += [(crm, record, lead) for crm, record in found]
    ids = pl.DataFrame(rows, schema={"_id": pl.String(), "lead_id": pl.String()}, orient="row")
    return Matched(
        kept_people.join(ids, on="_id", how="inner", maintain_order="left"),
        {crm: known.records_of(crm, owners) for crm in CRMS},
        unsure,
        people.height - kept_people.height,
    )


class _Known:
    """The records that may belong to somebody of the file, and which of them do."""

    def __init__(self, work: Work, people: pl.DataFrame) -> None:
        self._records = {crm: _read(work, crm, ids) for crm, ids in _ids(work, people).items()}
        there = pl.concat(
            [
                frame.select(crm=pl.lit(crm), object=pl.lit(work.objects[crm]), record_id=RECORD_ID)
                for crm, frame in self._records.items()
            ]
        )
        links = work.store.leads.links_of_records(there) if not there.is_empty() else there.clear()
        self.leads: dict[tuple[str, str], str] = {}
        if not links.is_empty():
            self.leads = {
                (crm, record): lead
                for crm, record, lead in links.select("crm", "record_id", "lead_id").iter_rows()
            }
        self._former = work.store.former.met(people["_email_key"])
        self._agreeing, self._clashing = self._edges(people)
        self._apart: dict[str, set[tuple[str, str]]] = {}
        for crm, row_key, other_crm, other in work.store.identity.apart().iter_rows():
            if crm == FILE:
                self._apart.setdefault(row_key, set()).add((other_crm, other))
        live = set(there.select("crm", "record_id").iter_rows())
        self._before: dict[str, list[tuple[str, str]]] = {}
        for row_key, crm, record in work.store.imports.by_key(people[ROW_KEY]).iter_rows():
            if (crm, record) in live:
                self._before.setdefault(row_key, []).append((crm, record))

    def of(self, where: str, row_key: str) -> tuple[list[tuple[str, str]], str]:
        """The records of a row as (CRM, id), and why nobody can say, where that is so."""
        told_apart = self._apart.get(row_key, set())
        candidates = dict.fromkeys([*self._agreeing.get(where, ()), *self._before.get(row_key, ())])
        found = [one for one in candidates if one not in told_apart]
        leads = {self.leads[one] for one in found if one in self.leads}
        found += [one for one, lead in self.leads.items() if lead in leads and one not in found]
        crms = [crm for crm, _ in found]
        if any(crms.count(crm) > 1 for crm in CRMS):
            return found, "more than one record has this address and a matching name or company"
        clashing = [one for one in self._clashing.get(where, ()) if one not in told_apart]
        if not found and clashing:
            return clashing, "somebody with another name and company has this address"
        return found, ""

    def _edges(
        self, people: pl.DataFrame
    ) -> tuple[dict[str, list[tuple[str, str]]], dict[str, list[tuple[str, str]]]]:
        """Records with a row's address: those that agree about the person, and those that do not."""
        agreeing: dict[str, list[tuple[str, str]]] = {}
        clashing: dict[str, list[tuple[str, str]]] = {}
        keys = {"_is_role": "is_role", "_name_key": "name_key", "_company_key": "company_key"}
        mine = (
            people.select("_id", "_email_key", *keys).rename(keys).filter(pl.col("_email_key").is_not_null())
        )
        for crm, frame in self._records.items():
            theirs = frame.select(
                "_email_key", record_id=RECORD_ID, is_role=pl.lit(value=False),
                name_key="_name_key", company_key="_company_key",
            )  # fmt: skip
            before = self._former.filter(pl.col("crm") == crm).select("record_id", "also")
            had = theirs.join(before, on="record_id", how="inner").with_columns(_email_key="also")
            theirs = pl.concat([theirs, had.select(theirs.columns)])
            joined = mine.join(theirs, on="_email_key", how="inner", suffix="_s")
            if joined.is_empty():
                continue
            told = joined.with_columns(same=same_person())
            for where, record, same in told.select("_id", "record_id", "same").iter_rows():
                (agreeing if same else clashing).setdefault(where, []).append((crm, record))
        return agreeing, clashing

    def records_of(self, crm: str, owners: Iterable[tuple[str, str, str]]) -> pl.DataFrame | None:
        mine = [(record, lead) for name, record, lead in owners if name == crm]
        if not mine:
            return None
        ids = pl.DataFrame(mine, schema={RECORD_ID: pl.String(), "lead_id": pl.String()}, orient="row")
        return self._records[crm].join(ids, on=RECORD_ID, how="inner", maintain_order="left")


def _ids(work: Work, people: pl.DataFrame) -> dict[str, list[str]]:
    """Every record that has one of the addresses now, by memory or had it before, and its counterparts."""
    addresses = people["email"].drop_nulls().unique().sort()
    links = [work.store.leads.links_by_email(people["_email_key"]).select("crm", "record_id")]
    links.append(work.store.imports.by_key(people[ROW_KEY]).select("crm", "record_id"))
    links.append(work.store.former.met(people["_email_key"]).select("crm", "record_id"))
    for crm in CRMS:
        source = work.field_map.rules["email"].source(crm, work.objects[crm])
        if source is not None and not addresses.is_empty():
            for slab in work.crms[crm].find(work.objects[crm], (source,), source, addresses.to_list()):
                links.append(slab.frame.select(crm=pl.lit(crm), record_id=RECORD_ID))
    named = pl.concat(links).unique()
    objects = pl.col("crm").replace_strict(dict(work.objects), return_dtype=pl.String)
    leads = work.store.leads.links_of_records(named.with_columns(object=objects))
    if not leads.is_empty():
        more = work.store.leads.links_of_leads(leads["lead_id"]).select("crm", "record_id")
        named = pl.concat([named, more]).unique()
    return {crm: named.filter(pl.col("crm") == crm)["record_id"].sort().to_list() for crm in CRMS}


def _read(work: Work, crm: str, ids: list[str]) -> pl.DataFrame:
    """The named records that are still there, typed, with their keys of identity."""
    asked = work.field_map.asked(crm, work.objects[crm])
    frames = []
    if ids:
        for slab in work.crms[crm].fetch(work.objects[crm], asked, ids):
            frames.append(typed_records(work, crm, slab.frame.filter(~pl.col("_archived"))))
    if frames:
        return pl.concat(frames, how="diagonal_relaxed").unique(RECORD_ID, maintain_order=True)
    keys = ("_email_key", "_name_key", "_company_key")
    return pl.DataFrame(schema={RECORD_ID: pl.String(), **{name: pl.String() for name in keys}})


def held_of_file(unsure: Iterable[Unsure], source: str) -> pl.DataFrame:
    """What is held of a file, as ``HELD``: where the row stands and which records it may be."""
    rows: list[dict[str, Any]] = [
        {
            "held_key": f"import:{one.row_key}",
            "kind": "import",
            "lead_id": None,
            "crm": FILE,
            "object": "row",
            "record_id": one.row_key,
            "field": "",
            "details": json.dumps(
                {"row": one.where, "source": source, "others": list(one.others), "why": one.why},
                ensure_ascii=False,
            ),
        }
        for one in unsure
    ]
    return pl.DataFrame(rows, schema=dict(HELD))
