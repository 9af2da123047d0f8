"""A mirror that knows the pretend Salesforce from its events alone shows what the organisation holds."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import fastavro
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.salesforce.pubsub.changes import EventSchema, Kind
from connectors.sandbox.clock import SandboxClock
from connectors.sandbox.salesforce.conversion import convert, merge, undelete
from connectors.sandbox.salesforce.given import Writer
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.pubsub.events import Event
from connectors.sandbox.salesforce.pubsub.feed import Feed
from connectors.sandbox.salesforce.pubsub.shapes import shape_of
from connectors.sandbox.salesforce.records import Records
from connectors.sandbox.salesforce.refusals import RowRefused
from connectors.sandbox.salesforce.seed import FIRST_SELLER

WATCHED = ("Lead", "Contact", "Account", "Opportunity")
PERSON = Writer(user=FIRST_SELLER, api=False)
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "FirstName": st.sampled_from([None, "Ada", "Eva"]),
        "LastName": st.sampled_from(["Byron", "Lovelace"]),
        "City": st.sampled_from([None, "Bonn", "London"]),
        "Title": st.sampled_from([None, "Countess"]),
        "NumberOfEmployees": st.sampled_from([None, 0, 12]),
        "HasOptedOutOfEmail": st.booleans(),
    },
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["create", "update", "update", "delete", "undelete", "merge", "convert"]),
        st.integers(0, 5),
        VALUES,
        st.sampled_from(["commit", "commit", "go on", "roll back"]),
    ),
    max_size=25,
)


class Mirror:
    """Records by id as the events tell them."""

    def __init__(self) -> None:
        self.records: dict[str, dict[str, Any]] = {}
        self.gone: set[str] = set()

    def apply(self, event: Event, schema: EventSchema) -> None:
        change = schema.read(event.payload)
        record: Any = fastavro.schemaless_reader(io.BytesIO(event.payload), schema._parsed, None)
        told = _flat(record)
        for each in change.record_ids:
            if change.kind is Kind.DELETED:
                self.gone.add(each)
                continue
            self.gone.discard(each)
            if change.kind is Kind.UPDATED:
                # Only named fields: null stands for "did not change" everywhere else.
                known = self.records[each]
                known.update({name: told.get(name) for name in change.fields or ()})
            else:
                self.records[each] = {name: value for name, value in told.items() if value is not None}


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """The values of an event under the names that records have."""
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict) and name != "ChangeEventHeader":
            prefix = "" if name == "Name" else name.removesuffix("Address")
            flat.update({prefix + part: each for part, each in value.items()})
        else:
            flat[name] = value
    return flat


def step(org: Org, what: str, number: int, values: dict[str, Any]) -> None:
    """One act of a person; what the organisation refuses is not done."""
    leads = [row["Id"] for row in org.store.rows("SELECT Id FROM Lead ORDER BY Id")]
    records, lead = Records(org), leads[number % len(leads)] if leads else ""
    sobject = org.full.objects["Lead"]
    if what == "create" or not leads:
        records.create("Lead", {"LastName": "Byron", "Company": "Engines", **values}, PERSON)
    elif what == "update":
        records.update("Lead", lead, values, PERSON)
    elif what == "delete":
        records.delete("Lead", lead, PERSON)
    elif what == "undelete":
        undelete(org, sobject, lead, PERSON)
    elif what == "merge":
        merge(org, sobject, lead, [leads[(number + 1) % len(leads)]], PERSON)
    else:
        convert(org, lead, {}, PERSON)


def play(org: Org, steps: list[tuple[str, int, dict[str, Any], str]]) -> None:
    db = org.store.db
    is_open = False
    for what, number, values, end in steps:
        if not is_open:
            db.execute("BEGIN")
            org.begin()
        db.execute("SAVEPOINT act")
        try:
            step(org, what, number, values)
        except RowRefused:
            db.execute("ROLLBACK TO act")
        db.execute("RELEASE act")
        is_open = end == "go on"
        if not is_open:
            db.execute("COMMIT" if end == "commit" else "ROLLBACK")
    if is_open:
        db.execute("COMMIT")


@settings(max_examples=30)
@given(STEPS, st.integers(1, 7), st.booleans())
def test_the_events_alone_tell_what_the_organisation_holds(
    steps: list[tuple[str, int, dict[str, Any], str]], at_a_time: int, merged: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        org = Org(Path(folder), SandboxClock(None))
        org.change_switches({"cdc_merge": merged})
        feed = Feed(org.file, org.now, lambda: org.seen)
        play(org, steps)
        mirror, place = Mirror(), 0
        shapes = {name: shape_of(org.seen.objects[name]) for name in WATCHED}
        schemas = {shape.schema_id: EventSchema(shape.schema_json) for shape in shapes.values()}
        while events := feed.after(place, WATCHED, at_a_time):
            for event in events:
                mirror.apply(event, schemas[event.schema_id])
            place = events[-1].number
        held = {(name, row["Id"]): row for name in WATCHED for row in org.store.rows(f"SELECT * FROM {name}")}
        assert {record for record in mirror.records if record not in mirror.gone} == {
            record for (_, record), row in held.items() if not row["IsDeleted"]
        }
        for (name, record), row in held.items():
            if not row["IsDeleted"]:
                wanted = ("FirstName", "LastName", "City", "Title", "NumberOfEmployees", "HasOptedOutOfEmail")
                for field in (*wanted, "Status", "ConvertedContactId", "AccountId", "StageName"):
                    if field in shapes[name].places:
                        assert mirror.records[record].get(field) == row[field], (name, field)
        feed.close()
        org.store.close()
