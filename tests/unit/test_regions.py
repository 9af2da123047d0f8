"""A telephone number is read again by the country that the merge tells its record, where that makes it another one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import polars as pl
import pytest

from mapping.fieldmap import FieldRule, compile_map
from mapping.lead import LEAD_FIELDS
from sync.merge import Winner
from sync.regions import with_new_countries
from sync.work import Work

HUBSPOT_TELLS, SALESFORCE_TELLS = int(Winner.HUBSPOT), int(Winner.SALESFORCE)


@pytest.fixture
def work() -> Work:
    """As much of a run's work as reading a number asks for."""
    rules = [
        FieldRule("country", hubspot="country", salesforce="Country"),
        FieldRule("phone", hubspot="phone", salesforce="Phone"),
        FieldRule("mobile_phone", hubspot="mobilephone", salesforce="MobilePhone"),
    ]
    mapped = compile_map(rules, {}, LEAD_FIELDS, default_region="DE")
    objects = {"hubspot": "contacts", "salesforce": "Lead"}
    return cast(Work, SimpleNamespace(mode="full", field_map=mapped, objects=objects))


def read_again(
    work: Work, says: str | None, value: str | None, country: str | None, **more: Any
) -> dict[str, Any] | None:
    """HubSpot's contact ``says`` a number, read as ``value`` by now, and Salesforce tells it its country.

    What the contact holds then; None where nothing of it was read otherwise.
    """
    unread = more.get("unread")
    frame = pl.DataFrame(
        {
            "lead_id": ["a", "b"],
            "h._id": ["1", None],
            "s._id": ["9", "8"],
            "h.phone": [value, None],
            "h._unread": pl.Series([unread, None], dtype=pl.List(pl.String())),
            "bh._apart": [False, False],
        },
        schema_overrides={"h.phone": pl.String()},
    )
    merged = frame.with_columns(
        pl.Series("w.country", [more.get("winner", SALESFORCE_TELLS)] * 2, dtype=pl.UInt8()),
        pl.Series("m.country", [country, country], dtype=pl.String()),
    )
    words = {"_id": ["1"], "raw:country": [None], "raw:phone": [says]}
    theirs = pl.DataFrame(words, schema=dict.fromkeys(words, pl.String()))
    renewed = with_new_countries(work, frame, merged, {"hubspot": theirs, "salesforce": None})
    if renewed is None:
        return None
    assert renewed.columns == frame.columns
    assert renewed.row(1) == frame.row(1)
    return renewed.row(0, named=True)


@pytest.mark.parametrize(
    ("says", "value", "country", "means"),
    [
        # Read as a German number while its country was not known
        ("01 4020 5060", None, "FR", "+33140205060"),
        ("0171 1234567", "+491711234567", "CH", None),
        ("030 123456", "+4930123456", "AT", None),
        # The country was taken away: the map's own one counts again
        ("0171 1234567", None, None, "+491711234567"),
        # A code that no country has may be the way out of one
        ("+0033 1 40205060", None, "DE", "+33140205060"),
    ],
)
def test_a_number_without_its_country_is_read_by_the_one_it_is_told(
    work: Work, says: str, value: str | None, country: str | None, means: str | None
) -> None:
    told = read_again(work, says, value, country, unread=None if value else ["phone"])

    assert told is not None
    assert told["h.phone"] == means
    assert (told["h._unread"] or []) == ([] if means else ["phone"])
    assert told["bh._apart"]


@pytest.mark.parametrize(
    ("says", "value", "country"),
    [
        # It names its country
        ("+49 171 1234567", "+491711234567", "FR"),
        # It means the same there
        ("0171 1234567", "+491711234567", "DE"),
        # It says nothing there either
        ("call me", None, "FR"),
        ("   ", None, "FR"),
    ],
)
def test_nothing_is_made_anew_where_no_number_means_something_else(
    work: Work, says: str, value: str | None, country: str
) -> None:
    assert read_again(work, says, value, country, unread=["email"]) is None


def test_a_number_that_did_not_come_stays_unread(work: Work) -> None:
    assert read_again(work, None, None, "FR", unread=["phone"]) is None


def test_other_fields_that_could_not_be_read_stay_so(work: Work) -> None:
    told = read_again(work, "01 4020 5060", None, "FR", unread=["email", "phone"])

    assert told is not None
    assert told["h._unread"] == ["email"]


def test_only_the_record_that_is_told_its_country_is_looked_at(work: Work) -> None:
    assert read_again(work, "01 4020 5060", None, "FR", winner=HUBSPOT_TELLS) is None


def test_only_a_run_that_writes_fields_tells_a_country(work: Work) -> None:
    cast(Any, work).mode = "own_fields"

    assert read_again(work, "01 4020 5060", None, "FR") is None
