"""A slab of few records reads as the same records do among many."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from mapping.fieldmap import FieldRule, compile_map
from mapping.lead import LEAD_FIELDS, FieldType
from mapping.values.cells import STILL_FEW

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
#: What each field of a record may say, good and bad.
SAID = {
    "Email": [None, "Anna@Firma.de ", "m@x.de", "kein", ""],
    "AnnualRevenue": [None, "1.5", "2 Mio USD", "auf Anfrage", "12 Mio €"],
    "CurrencyIsoCode": [None, "EUR", " chf ", "Taler"],
    "Phone": [None, "0221/1234567", "+43 1 58858-0", "n/a"],
    "Country": [None, "Österreich", "DE", "Nirgendwo"],
    "Title": [None, "Chef", " Chef\u00adin "],
    "LastVisit__c": [None, "2026-05-06T07:08:09.123Z", "1969-12-31T23:59:59.500Z", "gestern"],
    "Since__c": [None, "2026-05-06", "6.5.2026", "bald"],
}
RULES = [
    FieldRule("email", None, "Email"),
    FieldRule("annual_revenue", None, "AnnualRevenue", currency={"salesforce": "CurrencyIsoCode"}),
    FieldRule("phone", None, "Phone"),
    FieldRule("country", None, "Country"),
    FieldRule("job_title", None, "Title"),
    FieldRule("last_visit", None, "LastVisit__c", type=FieldType.DATETIME, label="Last visit"),
    FieldRule("since", None, "Since__c", type=FieldType.DATE, label="Customer since"),
    FieldRule("company", None, "Company"),
]
RECORDS = st.lists(
    st.tuples(*map(st.sampled_from, SAID.values()), st.sampled_from([None, ["Title"], ["Email", "Phone"]])),
    min_size=1,
    max_size=6,
)


@settings(deadline=None)
@given(records=RECORDS, unseen=st.sampled_from([[], ["Country"], ["CurrencyIsoCode"]]))
def test_few_records_are_read_as_they_are_among_many(
    records: list[tuple[object, ...]], unseen: list[str]
) -> None:
    fields = compile_map(RULES, {}, LEAD_FIELDS, default_region="DE", default_currency={"salesforce": "EUR"})
    typed = {**dict.fromkeys(SAID, pl.String()), "_absent": pl.List(pl.String())}
    few = pl.DataFrame(records, schema=typed, orient="row").drop(unseen)
    few = few.with_columns(
        _id=pl.lit("00Q"), _modified_at=NOW, _created_at=NOW, _archived=pl.lit(value=False)
    )
    times = STILL_FEW + 1
    one = fields.read(few, "salesforce", "Lead")
    many = fields.read(pl.concat([few] * times), "salesforce", "Lead")
    assert one.frame.schema == many.frame.schema
    assert pl.concat([one.frame] * times).equals(many.frame)
    assert one.not_returned == many.not_returned
    counted = [read.problems.group_by(pl.all()).len("times").sort(pl.all()) for read in (one, many)]
    assert counted[0].with_columns(pl.col("times") * times).equals(counted[1])
