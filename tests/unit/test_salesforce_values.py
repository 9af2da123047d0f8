"""Ids, and values between Salesforce's JSON and the port's text."""

from __future__ import annotations

from decimal import Decimal

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.salesforce.ids import eighteen, may_exist
from connectors.salesforce.values import FEW, NotOfType, number_text, text_column, texts, to_json
from connectors.slabs import NOT_THERE


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("00Q4S000002sSac", "00Q4S000002sSacUAE"),
        ("0015500001QdQWa", "0015500001QdQWaAAN"),
        ("000000000000000", "000000000000000AAA"),
    ],
)
def test_a_short_id_gets_its_checksum(short: str, long: str) -> None:
    assert eighteen(short) == long
    assert eighteen(long) == long


@pytest.mark.parametrize("text", ["", "ada@example.com", "00Q", "00Q4S000002sSa/", "0" * 16])
def test_what_is_no_id_is_left_as_it_is(text: str) -> None:
    assert eighteen(text) == text
    assert not may_exist(text)


@pytest.mark.parametrize(
    ("record_id", "prefix", "may"),
    [
        ("00Q4S000002sSacUAE", "00Q", True),
        ("00Q4S000002sSacUAE", "", True),
        # The id of an account leads to no lead, and asking for it would fail the whole call.
        ("0015500001QdQWaAAN", "00Q", False),
        # A spreadsheet has changed the case.
        ("00q4s000002sSacUAE", "", False),
        ("00Q4S000002sSac", "00Q", False),
    ],
)
def test_only_ids_that_can_name_a_record_are_asked_for(record_id: str, prefix: str, may: bool) -> None:
    assert may_exist(record_id, prefix) is may


@pytest.mark.parametrize(
    ("sf_type", "value", "text"),
    [
        ("string", "Zoë", "Zoë"),
        ("string", None, None),
        ("boolean", True, "true"),
        ("boolean", False, "false"),
        ("boolean", None, None),
        ("currency", 25000000.0, "25000000"),
        ("currency", 12.5, "12.5"),
        ("currency", 1e16, "10000000000000000"),
        ("currency", 123456789012345678.0, "123456789012345680"),
        ("double", 1e-7, "0.0000001"),
        ("double", -0.0, "0"),
        ("int", 0, "0"),
        ("int", 250, "250"),
        ("percent", 0.1, "0.1"),
        ("datetime", "2013-05-07T22:07:19.000+0000", "2013-05-07T22:07:19.000Z"),
        ("datetime", None, None),
        ("date", "2013-05-07", "2013-05-07"),
        ("address", {"city": "Köln"}, '{"city":"Köln"}'),
        ("time", "22:15:30.000Z", "22:15:30.000Z"),
    ],
)
def test_a_value_becomes_text(sf_type: str, value: object, text: str | None) -> None:
    assert list(texts(sf_type, [value])) == [text]


@pytest.mark.parametrize(
    ("sf_type", "text", "sent"),
    [
        ("string", "Zoë", '"Zoë"'),
        ("string", None, "null"),
        # Salesforce keeps no empty text: an empty one clears.
        ("string", "", "null"),
        ("currency", "", "null"),
        ("boolean", "true", "true"),
        ("boolean", "FALSE", "false"),
        # A checkbox has no blank.
        ("boolean", None, "false"),
        ("currency", "25000000.50", "25000000.50"),
        # Digit for digit: as a float the last ones would be lost.
        ("currency", "1234567890123456.78", "1234567890123456.78"),
        ("double", "+5", "5"),
        ("double", ".5", "0.5"),
        ("int", "250.0", "250"),
        ("date", "2026-11-22", '"2026-11-22"'),
        ("datetime", "2026-11-22T08:15:00+01:00", '"2026-11-22T07:15:00.000Z"'),
        ("datetime", "2026-11-22T07:15:00.789Z", '"2026-11-22T07:15:00.000Z"'),
        ("multipicklist", "A;B", '"A;B"'),
        ("reference", "00Q4S000002sSacUAE", '"00Q4S000002sSacUAE"'),
    ],
)
def test_a_text_becomes_the_json_of_its_type(sf_type: str, text: str | None, sent: str) -> None:
    assert orjson.dumps(to_json(sf_type, text)).decode() == sent


@pytest.mark.parametrize(
    ("sf_type", "text"),
    [
        ("currency", "25.000.000"),
        ("currency", "1e5"),
        ("currency", "NaN"),
        ("currency", "12 345"),
        ("int", "1.5"),
        ("boolean", "yes"),
        ("date", "22.11.2026"),
        ("date", "2026-02-30"),
        ("date", "20261122"),
        # Without its offset nobody knows when that is.
        ("datetime", "2026-11-22T07:15:00"),
        ("datetime", "tomorrow"),
    ],
)
def test_a_text_of_another_type_is_refused_without_quoting_it(sf_type: str, text: str) -> None:
    with pytest.raises(NotOfType) as refused:
        to_json(sf_type, text)
    assert text not in str(refused.value)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-(10**12), max_value=10**12))
def test_an_amount_is_sent_without_losing_a_digit(amount: Decimal) -> None:
    sent = orjson.dumps(to_json("currency", format(amount, "f"))).decode()
    assert Decimal(sent) == amount


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_keeps_its_value_as_a_plain_decimal(value: float) -> None:
    text = number_text(value)
    assert float(text) == value
    assert "e" not in text
    assert not text.endswith(".0")


_stamp = st.datetimes().map(lambda at: at.strftime("%Y-%m-%dT%H:%M:%S.000+0000"))
_json_values = {
    "boolean": st.booleans(),
    "currency": st.one_of(
        st.floats(allow_nan=False, allow_infinity=False),
        st.integers(-(10**18), 10**18),
        st.integers(-(10**7), 10**7).map(lambda cents: cents / 100),
    ),
    "int": st.integers(-(2**31), 2**31),
    "datetime": st.one_of(_stamp, st.text(max_size=20)),
    "string": st.text(max_size=20),
    "address": st.one_of(
        st.text(max_size=5), st.dictionaries(st.text(max_size=3), st.integers(-90, 90), max_size=2)
    ),
}


@pytest.mark.parametrize("sf_type", sorted(_json_values))
@given(data=st.data())
def test_a_column_of_values_becomes_the_texts_that_each_becomes_alone(
    sf_type: str, data: st.DataObject
) -> None:
    some = data.draw(st.lists(st.one_of(st.none(), _json_values[sf_type]), min_size=1, max_size=8))
    # As where one record came without the field.
    some += data.draw(st.sampled_from([[], [NOT_THERE]]))
    values = some * (FEW // len(some) + 1)
    assert text_column(sf_type, values).to_list() == list(texts(sf_type, values))
