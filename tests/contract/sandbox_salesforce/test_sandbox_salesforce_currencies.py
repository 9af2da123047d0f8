"""Amounts in an org with several currencies, and in one with a single one."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from connectors.sandbox.side import ControlRefused

DEAL = {"StageName": "Prospecting", "CloseDate": "2026-12-31"}
RATES = {"USD": 1, "EUR": 0.5, "JPY": 150}


@pytest.fixture
def deals(api: Any) -> Any:
    """Deals of 1,000 dollars each, in three currencies."""
    api.create({"Name": "A", "Amount": 1000, **DEAL}, "Opportunity")
    api.side.limits({"currencies": RATES})
    api.create({"Name": "B", "Amount": 500, "CurrencyIsoCode": "EUR", **DEAL}, "Opportunity")
    api.create({"Name": "C", "Amount": 150_000, "CurrencyIsoCode": "JPY", **DEAL}, "Opportunity")
    return api


def names(api: Any, condition: str) -> str:
    found = api.query(f"SELECT Name FROM Opportunity WHERE {condition} ORDER BY Name")
    return "".join(each["Name"] for each in found)


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("Amount = USD1000", "ABC"),
        ("Amount > EUR499.99", "ABC"),
        ("Amount > EUR500", ""),
        ("Amount >= JPY150000 AND CurrencyIsoCode != 'USD'", "BC"),
        ("Amount IN (USD1000)", "ABC"),
        # A bare number is not converted
        ("Amount > 600", "AC"),
        ("Amount = 500", "B"),
    ],
)
def test_a_literal_with_a_currency_is_compared_after_conversion(
    deals: Any, condition: str, found: str
) -> None:
    assert names(deals, condition) == found


def test_amounts_are_converted_when_asked_for_and_when_summed(deals: Any) -> None:
    found = deals.query("SELECT Amount, convertCurrency(Amount) dollars FROM Opportunity ORDER BY Name")
    assert [(each["Amount"], each["dollars"]) for each in found] == [
        (1000.0, 1000.0), (500.0, 1000.0), (150_000.0, 1000.0),
    ]  # fmt: skip
    (total,) = deals.query("SELECT SUM(Amount) s, MAX(Amount) m, COUNT(Amount) n FROM Opportunity")
    assert (total["s"], total["m"], total["n"]) == (3000.0, 1000.0, 3)


def test_what_was_there_before_is_in_the_corporate_currency(deals: Any) -> None:
    found = deals.query("SELECT CurrencyIsoCode FROM Opportunity ORDER BY Name")
    assert [each["CurrencyIsoCode"] for each in found] == ["USD", "EUR", "JPY"]
    (org,) = deals.query("SELECT DefaultCurrencyIsoCode FROM Organization")
    assert org["DefaultCurrencyIsoCode"] == "USD"
    rates = deals.query("SELECT IsoCode, ConversionRate, IsCorporate FROM CurrencyType ORDER BY Id")
    assert {each["IsoCode"]: each["ConversionRate"] for each in rates} == RATES
    assert [each["IsoCode"] for each in rates if each["IsCorporate"]] == ["USD"]


def test_an_unknown_currency_is_refused(deals: Any) -> None:
    wrong = deals.call("POST", "sobjects/Opportunity", {"Name": "D", "CurrencyIsoCode": "XXX", **DEAL})
    assert json.loads(wrong.body)[0]["errorCode"] == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    answer = deals.call("GET", f"query?q={quote('SELECT Id FROM Opportunity WHERE Amount > XXX5')}")
    assert (answer.status, json.loads(answer.body)[0]["errorCode"]) == (400, "INVALID_FIELD")


def test_one_currency_alone_is_not_shown(api: Any) -> None:
    assert "CurrencyIsoCode" not in api.described()
    for soql in ("SELECT Id FROM CurrencyType", "SELECT convertCurrency(Amount) FROM Opportunity"):
        assert api.call("GET", f"query?q={quote(soql)}").status == 400


@pytest.mark.parametrize("rates", [{"EUR": 2}, {"USD": 1, "EUR": 0}, {"usd": 1}, {"USD": True}, ["USD"]])
def test_rates_begin_with_one_and_are_positive(api: Any, rates: Any) -> None:
    with pytest.raises(ControlRefused):
        api.side.limits({"currencies": rates})
