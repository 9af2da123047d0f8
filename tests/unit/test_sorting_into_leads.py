"""Pairing looks at few records and comes to what it would come to if it looked at all of them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mapping.freemail import ROLE_NAMES
from mapping.own import CROSS_ID
from sync.candidates import TO_PAIR
from sync.pairs import RECORD_KEYS, Pairing, pair
from sync.read import Gathered, record_keys
from sync.shelf import Shelf
from sync.slices import Sorted, lead_name, sort_into_leads
from sync.snapshots import Snapshots
from sync.store.identity import ALSO, APART
from sync.store.leads import LEADS, LINKS, RECORDS
from sync.work import CRMS, Work

OBJECTS = {"hubspot": "contacts", "salesforce": "Lead"}
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SCHEMA = {
    **dict.fromkeys(TO_PAIR, pl.String()),
    "_created_at": pl.Datetime("us", "UTC"),
    "crm": pl.String(),
    "was": pl.String(),
}

#: A record: its number, when it was made, who it says it is, which record of the other CRM it names, and the lead
#: it is linked to. ``was``: the address that memory has of it, which may be older than its own.
_record = st.fixed_dictionaries(
    {
        "crm": st.sampled_from(CRMS),
        "number": st.integers(0, 9),
        "made": st.integers(0, 3),
        "email": st.sampled_from([None, "ada@shop.de", "bo@shop.de", "info@shop.de"]),
        "was": st.sampled_from([None, "ada@shop.de", "bo@shop.de"]),
        "first_name": st.sampled_from([None, "Ada"]),
        "last_name": st.sampled_from([None, "Berg", "Thal"]),
        "company": st.sampled_from([None, "Shop GmbH"]),
        "names": st.sampled_from([None, None, 0, 1, 2]),
        "lead": st.sampled_from([None, None, "L0", "L1", "L2", "L3"]),
        "read": st.sampled_from([True, True, True, False]),
    }
)


def _ids(crm: str, number: int) -> str:
    return f"{number}" if crm == "hubspot" else f"00Q{number}"


def _world(drawn: list[dict[str, Any]]) -> pl.DataFrame:
    """The records as rows: each id once, and each lead with one record a CRM at most. What was not read is linked."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    taken: set[tuple[str, str]] = set()
    for one in drawn:
        crm, other = one["crm"], "salesforce" if one["crm"] == "hubspot" else "hubspot"
        lead = None if (crm, one["lead"]) in taken else one["lead"]
        key = (crm, _ids(crm, one["number"]))
        if key in rows or (lead is None and not one["read"]):
            continue
        taken.add((crm, str(lead)))
        rows[key] = {
            **{
                name: one[name]
                for name in ("crm", "email", "first_name", "last_name", "company", "was", "read")
            },
            "_id": key[1],
            "lead_id": lead,
            "_created_at": START + timedelta(days=one["made"]),
            CROSS_ID: None if one["names"] is None else _ids(other, one["names"]),
        }
    return pl.DataFrame(list(rows.values()), schema={**SCHEMA, "read": pl.Boolean()})


class Memory:
    """The links of a world, asked like a store's."""

    def __init__(self, world: pl.DataFrame) -> None:
        linked = world.filter(pl.col("lead_id").is_not_null())
        self._links = linked.select(
            "lead_id",
            "crm",
            object=pl.col("crm").replace_strict(OBJECTS, return_dtype=pl.String),
            record_id="_id",
            email_key="was",
            name_key=pl.lit("ada berg"),
            company_key=pl.lit(None, dtype=pl.String),
            phone_key=pl.lit(None, dtype=pl.String),
        ).select(*LINKS)

    def some_links(self) -> bool:
        return not self._links.is_empty()

    def links_of_records(self, records: pl.DataFrame) -> pl.DataFrame:
        return self._links.join(records.select(*RECORDS).unique(), on=list(RECORDS), how="semi").select(
            *RECORDS, "lead_id"
        )

    def links_of_leads(self, lead_ids: pl.Series) -> pl.DataFrame:
        return self._links.filter(pl.col("lead_id").is_in(lead_ids.implode()))

    def links_by_email(self, email_keys: pl.Series) -> pl.DataFrame:
        return self._links.filter(pl.col("email_key").is_in(email_keys.drop_nulls().implode()))

    def links_by_phone(self, phone_keys: pl.Series, _: int) -> pl.DataFrame:
        return self._links.filter(pl.col("phone_key").is_in(phone_keys.drop_nulls().implode()))

    def links_by_name_and_domain(self, asked: pl.DataFrame, _: int) -> pl.DataFrame:
        domain = pl.col("email_key").str.extract("@(.+)$")
        wanted = asked.select("name_key", "domain").drop_nulls().unique()
        named = self._links.with_columns(domain=domain)
        return named.join(wanted, on=["name_key", "domain"], how="semi").select(*LINKS)

    def of(self, _: pl.Series) -> pl.DataFrame:
        return pl.DataFrame(schema=dict(LEADS))


@contextmanager
def _sorted(world: pl.DataFrame, in_memory: int, slice_leads: int) -> Iterator[Sorted]:
    journal = SimpleNamespace(open_held=list, refused=list)
    nobody = SimpleNamespace(any=lambda: False)
    identity = SimpleNamespace(
        second_addresses=lambda _: pl.DataFrame(schema=dict(ALSO)),
        apart=lambda: pl.DataFrame(schema=dict(APART)),
    )
    former = SimpleNamespace(met=lambda _: pl.DataFrame(schema=dict(ALSO)))
    store = SimpleNamespace(
        leads=Memory(world), journal=journal, outside=nobody, identity=identity, former=former
    )
    snapshots = Snapshots({"email": pl.String()})
    asked = {
        "store": store,
        "objects": OBJECTS,
        "slice_leads": slice_leads,
        "handover": None,
        "lead_snapshots": lambda: snapshots,
    }
    work = cast(Work, SimpleNamespace(**asked))
    with tempfile.TemporaryDirectory() as folder:
        shelf, new = Shelf(Path(folder), in_memory), [pl.DataFrame(schema=dict(RECORD_KEYS))]
        for crm in CRMS:
            read = world.filter("read", pl.col("crm") == crm).select(*TO_PAIR)
            for one in read.iter_slices(2):
                shelf.put(crm, one.filter(pl.col("lead_id").is_not_null()))
                unknown = one.filter(pl.col("lead_id").is_null()).drop("lead_id")
                shelf.wait(crm, unknown)
                new.append(record_keys(unknown, crm, OBJECTS[crm]))
        yield sort_into_leads(work, Gathered(shelf, pl.concat(new)))
        shelf.clear()


def _paired_at_once(world: pl.DataFrame) -> tuple[Pairing, pl.DataFrame]:
    """What pairing comes to with every record that was read and all that memory has of their leads."""
    parts = [
        record_keys(world.filter("read", pl.col("crm") == crm).select(*TO_PAIR), crm, OBJECTS[crm])
        for crm in CRMS
    ]
    read = pl.concat(parts)
    memory = Memory(world)
    local = pl.col("email_key").str.extract("^([^@]+)", 1)
    known = memory.links_of_leads(world["lead_id"].drop_nulls()).with_columns(is_role=local.is_in(ROLE_NAMES))
    missing = [pl.lit(None, dtype=t).alias(n) for n, t in RECORD_KEYS.items() if n not in known.columns]
    return pair(read, known.with_columns(missing).select(*RECORD_KEYS), lead_name), read


#: A lead in Salesforce alone, whose address another lead's contact has: that one was not read in this run.
_ADA = dict.fromkeys(("was", "first_name", "last_name", "company", "names"))
_TAKEN = [
    {
        **_ADA,
        "crm": "hubspot",
        "number": 0,
        "made": 0,
        "email": None,
        "was": "ada@shop.de",
        "lead": "L1",
        "read": False,
    },
    {**_ADA, "crm": "salesforce", "number": 0, "made": 0, "email": "ada@shop.de", "lead": "L0", "read": True},
]


@settings(max_examples=20)
@given(
    drawn=st.lists(_record, max_size=14),
    in_memory=st.sampled_from([0, 2_000, 1_000_000]),
    slice_leads=st.sampled_from([1, 2, 50]),
)
@example(drawn=_TAKEN, in_memory=0, slice_leads=1)
def test_records_are_sorted_as_if_all_had_been_paired_at_once(
    drawn: list[dict[str, Any]], in_memory: int, slice_leads: int
) -> None:
    world = _world(drawn)
    whole, read = _paired_at_once(world)
    here = whole.assigned.join(read, on=["crm", "record_id"], how="semi")
    wanted = {(r["crm"], r["record_id"]): (r["lead_id"], r["address_taken"]) for r in here.to_dicts()}
    # Whether an address is taken is asked of leads without a contact only: others get no second one anyway.
    have = set(world.filter(pl.col("crm") == "hubspot")["lead_id"].drop_nulls())
    with _sorted(world, in_memory, slice_leads) as ordered:
        found: dict[tuple[str, str], tuple[str, bool]] = {}
        leads: list[str] = []
        awaited: set[str] = set()
        for part in ordered.slices:
            leads += part.lead_ids.to_list()
            flags = {(r["crm"], r["record_id"]): r for r in part.assigned.to_dicts()}
            awaited |= set(part.assigned.filter("awaited")["lead_id"])
            for crm in CRMS:
                frame = part.shelf.take(crm)
                for row in [] if frame is None else frame.to_dicts():
                    assert (crm, row["_id"]) not in found
                    taken = flags[crm, row["_id"]]["address_taken"] and row["lead_id"] not in have
                    found[crm, row["_id"]] = (row["lead_id"], taken)
        assert found == wanted
        assert leads == sorted({lead for lead, _ in wanted.values()})
        assert awaited == set(here.filter("awaited")["lead_id"])
        order = ["crm", "record_id"]
        held = ordered.pairing.ambiguous.sort(order)
        assert held.equals(whole.ambiguous.sort(order))
        assert set(ordered.keys.select(order).rows()) == set(read.select(order).rows())


def test_a_slice_is_the_same_object_while_it_is_worked_on() -> None:
    world = _world([{**_BASE, "number": number, "lead": f"L{number}"} for number in range(4)])
    with _sorted(world, 0, 1) as ordered:
        first = ordered.slices[0]
        assert [part is first for part in ordered.slices] == [True, False, False, False]
        assert ordered.slices[0] is first
        assert [len(part.lead_ids) for part in ordered.slices[1:3]] == [1, 1]


_BASE: dict[str, Any] = {
    "crm": "hubspot",
    "made": 0,
    "email": "ada@shop.de",
    "was": None,
    "first_name": None,
    "last_name": "Berg",
    "company": None,
    "names": None,
    "read": True,
}
