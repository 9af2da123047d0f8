"""What is counted again of HubSpot's past is what was known then; what cannot be replayed is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.hubspot.signals import COUNTERS, events_of
from mapping.fieldmap import FieldMap, compile_map
from mapping.lead import DERIVED_FIELDS, LEAD_FIELDS
from mapping.qualification.declared import Policy
from mapping.qualification.policy import load_policy
from mapping.rules import FieldRule
from sync.backtest_replay import Weekly, not_replayed

NOW = datetime(2026, 11, 1, 9, tzinfo=UTC)
VISITS = COUNTERS["visit"]


class Counting:
    """HubSpot's own counting, without an account behind it."""

    def __init__(self, lacking: Sequence[str] = ()) -> None:
        self.lacking = lacking

    def counters(self, events: Sequence[str]) -> dict[str, str]:
        return {COUNTERS[event]: event for event in events if event not in self.lacking}

    def risen(self, history: pl.DataFrame, counters: Mapping[str, str]) -> pl.DataFrame:
        return events_of([history], counters)


def policy(when: str) -> Policy:
    table = {
        "policy": {
            "interest": "TRUE",
            "fit": [{"name": "R", "when": when, "points": 10}],
            "temperature": {"hot": {"total": 10}},
        }
    }
    return load_policy(table, fields={**LEAD_FIELDS, **DERIVED_FIELDS}, vocabularies={})


def field_map() -> FieldMap:
    rules = [
        FieldRule("email", hubspot="email", salesforce="Email"),
        FieldRule("company", hubspot=None, salesforce="Company"),
    ]
    return compile_map(
        rules,
        {},
        LEAD_FIELDS,
        default_region="DE",
        default_currency={"hubspot": "EUR", "salesforce": "EUR"},
        decimal_comma=False,
    )


def visits(*days: float) -> pl.DataFrame:
    """A counter that rose by one on each of these days, in HubSpot's order: the newest first."""
    rows = [
        ("1", VISITS, NOW + timedelta(days=day), str(number + 1)) for number, day in enumerate(sorted(days))
    ]
    schema = {
        "_id": pl.String(),
        "property": pl.String(),
        "at": pl.Datetime("us", "UTC"),
        "value": pl.String(),
    }
    return pl.DataFrame(rows[::-1], schema=schema, orient="row")


def then(history: pl.DataFrame, day: float) -> int | None:
    weekly = Weekly.of(Counting(), policy("visits_in_week >= 3"), field_map())
    moments = pl.DataFrame(
        [("1", NOW + timedelta(days=day))],
        schema={"_id": pl.String(), "at": pl.Datetime("us", "UTC")},
        orient="row",
    )
    found = weekly.then(history, moments)["visits_in_week"]
    assert found.dtype == pl.Int64
    return None if found[0] is None else int(found[0])


def test_visits_in_a_week_are_those_of_the_week_before_the_latest_one_then() -> None:
    history = visits(0, 20, 21, 22, 40)
    assert [then(history, day) for day in (-1, 0, 19, 20, 21, 22, 39, 40)] == [None, 1, 1, 1, 2, 3, 3, 1]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 600), min_size=1, max_size=12, unique=True),
    st.integers(0, 600),
    st.lists(st.integers(601, 900), max_size=6, unique=True),
)
def test_what_comes_after_the_moment_changes_nothing(before: list[int], day: int, later: list[int]) -> None:
    """All in tenths of a day."""
    known = [one / 10 for one in before if one <= day]
    whole = visits(*(one / 10 for one in (*before, *later)))
    assert then(whole, day / 10) == then(visits(*known), day / 10)


def test_of_what_the_policy_reads_the_past_names_what_it_cannot_give() -> None:
    asks = policy(
        "deals_won > 0 OR company_visits >= 5 OR visits_in_week >= 3 OR company IS NOT NULL"
        " OR email IS NOT NULL OR may_email"
    )
    weekly = Weekly.of(Counting(), asks, field_map())
    assert weekly.names == ("visits_in_week",)
    assert not_replayed(asks, field_map(), "hubspot", "contacts", weekly.names) == [
        "not replayed: company (HubSpot has no past of it)",
        "not replayed: company_visits (nobody kept who was of a company when)",
        "not replayed: deals_won (nobody kept which opportunities a lead had when)",
    ]
    there = not_replayed(asks, field_map(), "salesforce", "Lead")
    assert there[-1] == "not replayed: visits_in_week (Salesforce has no past of it)"
    assert not any(one.startswith("not replayed: company (") for one in there)


def test_a_counter_that_the_account_lacks_is_not_replayed_but_named() -> None:
    asks = policy("visits_in_week >= 3")
    weekly = Weekly.of(Counting(lacking=["visit"]), asks, field_map())
    assert weekly.names == ()
    assert not_replayed(asks, field_map(), "hubspot", "contacts", weekly.names) == [
        "not replayed: visits_in_week (HubSpot has no past of it)"
    ]


def test_where_everything_is_replayed_nothing_is_said() -> None:
    assert not_replayed(policy("email IS NOT NULL"), field_map(), "hubspot", "contacts") == []
