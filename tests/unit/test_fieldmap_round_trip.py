"""What is written to a CRM and read back is what was meant, for every type and both CRMs."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapping.fieldmap import FieldMap, FieldRule, ValueMap, compile_map
from mapping.lead import LEAD_FIELDS, FieldType, dtype_of
from mapping.values.countries import country_names

WORDS = {
    "E-Commerce": {"hubspot": ["RETAIL", "INTERNET"], "salesforce": ["Retail"]},
    "Größe XL": {"hubspot": ["größe"], "salesforce": ["XL"]},
}
LETTERS = st.characters(codec="utf-8", exclude_categories=("C", "M", "Z"))
WORD = st.text(LETTERS, min_size=1, max_size=8)
LABEL = st.text("abcdefghij0123456789", min_size=1, max_size=8)
FROM, TO = (datetime.fromisoformat(day) for day in ("2000-01-01", "2100-01-01"))

VALUES: dict[FieldType, st.SearchStrategy[Any]] = {
    FieldType.EMAIL: st.builds("{}.{}@{}.de".format, LABEL, LABEL, LABEL),
    FieldType.PHONE: st.builds("+4922{}".format, st.integers(1_000_000, 99_999_999)),
    FieldType.COUNTRY: st.sampled_from(sorted(country_names("code"))),
    FieldType.CHOICE: st.sampled_from(sorted(WORDS)),
    FieldType.URL: st.builds("https://{}.de/{}".format, LABEL, LABEL),
    FieldType.MONEY: st.decimals(-(10**12), 10**15, places=2),
    FieldType.INTEGER: st.integers(-(2**63) + 1, 2**63 - 1),
    FieldType.NUMBER: st.decimals(-(10**12), 10**13, places=4),
    FieldType.BOOLEAN: st.booleans(),
    FieldType.DATE: st.dates(date(1900, 1, 1), date(2200, 1, 1)),
    FieldType.DATETIME: st.datetimes(FROM, TO, timezones=st.just(UTC)).map(
        lambda at: at.replace(microsecond=0)
    ),
}


def one_field(kind: FieldType, decimal_comma: bool | None, country_as: Any) -> FieldMap:
    rule = FieldRule(
        "thing",
        "thing",
        "Thing__c",
        type=kind,
        values="words" if kind is FieldType.CHOICE else None,
        country_as=country_as if kind is FieldType.COUNTRY else None,
    )
    currency = {"hubspot": "EUR", "salesforce": "EUR"}
    return compile_map(
        [rule],
        {"words": ValueMap("words", WORDS)},
        LEAD_FIELDS,
        default_region="DE",
        default_currency=currency,
        decimal_comma=decimal_comma,
    )


def there_and_back(fields: FieldMap, kind: FieldType, values: list[Any], crm: str) -> pl.DataFrame:
    leads = pl.DataFrame({"thing": pl.Series(values, dtype=dtype_of(kind))})
    if kind is FieldType.MONEY:
        leads = leads.with_columns(thing_currency=pl.lit("EUR"))
    name = fields.asked(crm, "Lead")[0]
    texts = leads.select(fields.to_crm(crm, "Lead", "thing").alias(name))
    at = pl.lit(datetime(2026, 11, 22, tzinfo=UTC), dtype=pl.Datetime("us", "UTC"))
    slab = texts.with_columns(
        _id=pl.int_range(pl.len()).cast(pl.String),
        _modified_at=at,
        _created_at=at,
        _archived=pl.lit(False),
        _absent=pl.lit(None, dtype=pl.List(pl.String)),
    )
    return fields.read(slab, crm, "Lead").frame


@pytest.mark.parametrize("crm", ["hubspot", "salesforce"])
@pytest.mark.parametrize("kind", list(FieldType))
@settings(max_examples=25, deadline=None)
@given(data=st.data(), country_as=st.sampled_from(["code", "english", "german"]))
def test_what_is_written_is_read_back(
    kind: FieldType, crm: str, data: st.DataObject, country_as: Any
) -> None:
    values = data.draw(
        st.lists(st.none() | VALUES.get(kind, st.lists(WORD, min_size=1).map(" ".join)), max_size=40)
    )
    fields = one_field(kind, None, country_as)
    if kind is FieldType.PHONE:  # only what is a number already; the tables of the library decide
        values = there_and_back(fields, kind, values, crm)["thing"].to_list()
    cleaned = there_and_back(fields, kind, values, crm)
    meant = [Decimal(value) if isinstance(value, Decimal) else value for value in values]
    if kind is FieldType.TEXT:  # what comes out of a CRM is cleaned once; from then on it stays as it is
        meant = there_and_back(fields, kind, values, crm)["thing"].to_list()
        cleaned = there_and_back(fields, kind, meant, crm)
    assert cleaned["thing"].to_list() == meant
    assert cleaned["_unread"].null_count() == len(values)


@pytest.mark.parametrize(
    ("kind", "places"), [(FieldType.MONEY, 2), (FieldType.NUMBER, 4), (FieldType.NUMBER, 3)]
)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_number_survives_where_a_comma_is_the_decimal_sign(
    kind: FieldType, places: int, data: st.DataObject
) -> None:
    number = data.draw(st.decimals(-2000, 2000, places=places))
    fields = one_field(kind, True, None)
    assert there_and_back(fields, kind, [number], "hubspot")["thing"].to_list() == [number]
