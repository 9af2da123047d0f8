"""The numbers of the reports against small cases that were worked out by hand."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.reports.costrows import CostRow
from sync.reports.costs import (
    Spent,
    ahead,
    bought_by,
    by_month,
    channel_costs,
    cheapest_is_not_what_pays,
    converted,
    summed,
)
from sync.reports.funnel import Rate, funnel, funnels, maturity, spread
from sync.reports.intervals import at_most, poisson, quantile, wilson
from sync.reports.journeys import FACTS, HISTORY, Period, journeys, within
from sync.reports.outcome import outcome, tracks

BERLIN = ZoneInfo("Europe/Berlin")
T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _history(*rows: tuple[str, float, str], **more: list[Any]) -> pl.DataFrame:
    """(lead, days after T0, stage); further columns by name."""
    columns = {
        "lead_id": [lead for lead, _, _ in rows],
        "decided_at": [T0 + timedelta(days=days) for _, days, _ in rows],
        "stage": [stage for _, _, stage in rows],
        "score": more.get("score", [None] * len(rows)),
        "temperature": more.get("temperature", [None] * len(rows)),
        "nurture_track": more.get("nurture_track", [None] * len(rows)),
        "cycle": [1] * len(rows),
    }
    return pl.DataFrame(columns, schema=dict(HISTORY))


def _facts(**leads: dict[str, Any]) -> pl.DataFrame:
    rows = [{"lead_id": lead, "highest_stage": "lead", **known} for lead, known in leads.items()]
    return pl.DataFrame(rows, schema=dict(FACTS))


def _walked() -> pl.DataFrame:
    """One went all the way, one skipped SQL, one was an MQL when first seen; one was only researched, one rejected."""
    history = _history(
        *[
            ("all", 0, "lead"),
            ("all", 10, "mql"),
            ("all", 13, "sql"),
            ("all", 20, "opportunity"),
            ("all", 50, "customer"),
        ],
        *[("skip", 0, "prospect"), ("skip", 4, "lead"), ("skip", 8, "mql"), ("skip", 30, "opportunity")],
        *[("old", 0, "mql"), ("old", 5, "nurture")],
        *[("cold", 0, "prospect"), ("cold", 9, "disqualified")],
        *[("no", 0, "disqualified")],
    )
    form = T0 - timedelta(days=2)
    facts = _facts(
        all={"highest_stage": "customer", "channel": "Web", "interest_at": form},
        skip={"highest_stage": "opportunity", "channel": "Fair"},
        old={"highest_stage": "mql", "channel": "Web"},
        cold={"highest_stage": "disqualified", "channel": "Research"},
        no={"highest_stage": "disqualified", "channel": "Web", "interested": True},
    )
    return journeys(history, facts, BERLIN)


def test_a_journey_tells_when_interest_began_and_whether_anybody_knows() -> None:
    rows = {row["lead_id"]: row for row in _walked().iter_rows(named=True)}
    assert rows["all"]["first_interest"] == T0 - timedelta(days=2)
    assert rows["skip"]["first_interest"] == T0 + timedelta(days=4)
    assert (rows["old"]["first_interest"], rows["old"]["interest_known"]) == (T0, False)
    assert rows["cold"]["first_interest"] is None
    assert rows["all"]["cohort"] == date(2026, 2, 1)
    # A stage that was passed over, and one that a lead stood in when it was first seen, were entered by nobody.
    assert rows["skip"]["entered.sql"] is None
    assert rows["old"]["entered.mql"] is None
    assert rows["old"]["since.mql"] == T0


def test_the_funnel_counts_every_lead_that_got_at_least_so_far_and_names_its_denominators() -> None:
    found = funnel(_walked())
    # Whoever asked and was rejected was a lead; whoever was researched and rejected was none.
    assert found.reached == {"lead": 4, "mql": 3, "sql": 2, "opportunity": 2, "customer": 1}
    assert found.of_step_before("sql") == Rate(2, 3)
    assert found.of_leads("customer") == Rate(1, 4)
    # Interest to MQL: 12 days, and 4 from prospect to MQL; who was an MQL when first seen is not timed.
    assert (found.times["mql"].median, found.times["mql"].leads) == (8, 2)
    assert found.times["mql"].p90 == pytest.approx(11.2)
    assert (found.times["sql"].median, found.times["sql"].leads) == (3, 1)
    # Who skipped SQL took no time from there to the opportunity.
    assert (found.times["opportunity"].median, found.times["opportunity"].leads) == (7, 1)


def test_groups_below_the_smallest_size_are_counted_and_not_shown() -> None:
    found, hidden = funnels(_walked(), "channel", smallest=2)
    assert [(one.group, one.reached["lead"]) for one in found] == [("Web", 3)]
    assert hidden == 1


def test_a_month_begins_where_the_reader_lives() -> None:
    late = datetime(2026, 2, 28, 23, 30, tzinfo=UTC)  # in Berlin it is the first of March already
    rows = journeys(_history(("a", 0, "lead")), _facts(a={"interest_at": late}), BERLIN)
    assert rows["cohort"].to_list() == [date(2026, 3, 1)]
    march = Period(datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC), BERLIN)
    assert within(rows, march).height == 1


def test_how_old_a_lead_has_to_be_is_told_only_after_enough_customers() -> None:
    def bought(count: int) -> pl.DataFrame:
        steps = [
            step
            for n in range(count)
            for step in ((f"l{n}", 0, "lead"), (f"l{n}", 10.0 * (n + 1), "customer"))
        ]
        facts = _facts(**{f"l{n}": {"highest_stage": "customer", "interest_at": T0} for n in range(count)})
        return journeys(_history(*steps), facts, BERLIN)

    assert maturity(bought(4)).days is None
    # 10, 20, 30, 40, 50: nine of ten had bought by 46 days.
    assert maturity(bought(5)).days == pytest.approx(46)


# --- how sure a number is ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("successes", "of", "low", "high"),
    [
        (0, 0, 0.0, 1.0),
        (0, 10, 0.0, 0.2775),
        (1, 10, 0.0179, 0.4042),
        (5, 10, 0.2366, 0.7634),
        (10, 10, 0.7225, 1.0),
        (40, 2000, 0.0147, 0.0271),
    ],
)
def test_the_interval_of_a_rate(successes: int, of: int, low: float, high: float) -> None:
    assert wilson(successes, of) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [
        (0, 0.0, 3.6889),
        (1, 0.0253, 5.5716),
        (5, 1.6235, 11.6683),
        (10, 4.7954, 18.3904),
        (100, 81.364, 121.627),
    ],
)
def test_the_interval_of_a_count(count: int, low: float, high: float) -> None:
    assert poisson(count) == pytest.approx((low, high), abs=1e-3)


@given(count=st.integers(0, 300))
def test_what_is_outside_of_the_interval_is_implausible(count: int) -> None:
    low, high = poisson(count)
    assert low <= count <= high
    assert at_most(count, high) == pytest.approx(0.025, abs=1e-6)


@given(st.integers(0, 500), st.integers(0, 500))
def test_a_rate_lies_in_its_interval(successes: int, others: int) -> None:
    low, high = wilson(successes, successes + others)
    if successes + others:
        assert 0 <= low <= successes / (successes + others) <= high <= 1


@pytest.mark.parametrize(
    ("values", "share", "value"), [([], 0.5, None), ([7], 0.9, 7), ([1, 2, 3, 4], 0.5, 2.5)]
)
def test_a_quantile_lies_between_its_neighbours(
    values: list[float], share: float, value: float | None
) -> None:
    assert quantile(values, share) == value


def test_a_time_below_zero_is_left_out() -> None:
    assert spread([-3.0, 1.0, 3.0]).leads == 2


# --- costs ---------------------------------------------------------------------------------------------------


def _cost(
    channel: str, first: date, last: date, planned: str | None, spent: str | None, **more: Any
) -> CostRow:
    money = [None if each is None else Decimal(each) for each in (planned, spent)]
    return CostRow(
        channel,
        more.get("campaign"),
        first,
        last,
        more.get("kind", "media"),
        *money,
        more.get("currency", "EUR"),
        "x",
    )


def test_a_cost_falls_into_a_period_day_by_day_and_no_cent_is_lost() -> None:
    row = _cost("Web", date(2026, 3, 1), date(2026, 3, 31), "1000.00", "100.00")
    parts = [row.part(row.spent, date(2026, 3, day), date(2026, 3, day)) for day in range(1, 32)]
    assert sum(part for part in parts if part is not None) == Decimal("100.00")
    assert row.part(row.planned, date(2026, 3, 1), date(2026, 3, 15)) == Decimal("483.87")
    assert row.part(row.planned, date(2026, 1, 1), date(2026, 12, 31)) == Decimal("1000.00")
    assert row.part(row.planned, date(2026, 4, 1), date(2026, 4, 30)) == 0


def test_costs_are_converted_by_the_rate_of_their_day_and_else_stay_apart() -> None:
    rows = [
        _cost("Web", date(2026, 3, 1), date(2026, 3, 31), None, "100.00"),
        _cost("Web", date(2026, 3, 1), date(2026, 3, 31), None, "100.00", currency="USD"),
        _cost("Web", date(2026, 3, 1), date(2026, 3, 31), "50.00", None, currency="JPY"),
    ]
    found = converted(rows, "EUR", lambda day: {"USD": Decimal("0.86")} if day.year == 2026 else {})
    assert [row.spent for row in found.rows] == [Decimal("100.00"), Decimal("86.00")]
    assert found.apart == {"JPY": Spent(Decimal("50.00"), None)}


def test_months_and_kinds_add_up_to_the_period() -> None:
    rows = [
        _cost("Web", date(2026, 3, 1), date(2026, 4, 30), "610.00", "305.00"),
        _cost("Fair", date(2026, 4, 10), date(2026, 4, 12), "3000.00", None, kind="stand"),
    ]
    months = by_month(rows, date(2026, 3, 1), date(2026, 4, 30))
    assert months[date(2026, 3, 1)] == Spent(Decimal("310.00"), Decimal("155.00"))
    assert months[date(2026, 4, 1)] == Spent(Decimal("3300.00"), Decimal("150.00"))
    assert summed(rows, date(2026, 1, 1), date(2026, 12, 31), lambda row: row.kind)["stand"] == Spent(
        Decimal("3000.00")
    )


def _leads(channel: str, leads: int, mqls: int, customers: int) -> list[dict[str, Any]]:
    reached = [5] * customers + [2] * (mqls - customers) + [1] * (leads - mqls)
    return [
        {"channel": channel, "campaign": channel, "reached": rank, "first_interest": T0, "volume": None}
        for rank in reached
    ]


def _frame(*groups: list[dict[str, Any]]) -> pl.DataFrame:
    schema = {"channel": pl.String(), "campaign": pl.String(), "reached": pl.Int32()}
    return pl.DataFrame(
        [row for group in groups for row in group],
        schema={**schema, "first_interest": pl.Datetime("us", "UTC"), "volume": pl.Decimal(18, 2)},
    )


def test_what_a_lead_an_mql_and_a_customer_cost() -> None:
    leads = _frame(_leads("Fair", 40, 10, 4), _leads("Web", 100, 20, 0))
    spent = {"Fair": Spent(Decimal("9000"), Decimal("8000")), "Web": Spent(None, Decimal("1000"))}
    fair, web = channel_costs(leads, spent, mature_before=T0 + timedelta(days=1))
    assert [fair.per(what) for what in ("lead", "mql", "customer")] == [
        Decimal("200.00"),
        Decimal("800.00"),
        Decimal("2000.00"),
    ]
    assert (web.per("lead"), web.per("customer")) == (Decimal("10.00"), None)
    assert fair.mature == Rate(40, 40)


@pytest.mark.parametrize(
    ("fair", "web", "cheap", "pays", "sure"),
    [
        ((40, 10, 12), (100, 20, 1), "Web", "Fair", True),  # 8,000 for 12 customers, 8,000 for one
        ((40, 10, 2), (100, 20, 1), "Web", "Fair", False),  # two against one may be chance
        ((40, 10, 1), (100, 20, 8), None, None, None),  # the cheapest also pays best
        ((40, 10, 0), (100, 20, 0), None, None, None),  # nobody bought: nothing can be compared
    ],
)
def test_the_cheapest_channel_that_does_not_pay_is_named(
    fair: tuple[int, int, int],
    web: tuple[int, int, int],
    cheap: str | None,
    pays: str | None,
    sure: bool | None,
) -> None:
    groups = [_leads(name, n, max(mql, won), won) for name, (n, mql, won) in (("Fair", fair), ("Web", web))]
    spent = {name: Spent(None, Decimal("8000")) for name in ("Fair", "Web")}
    warned = cheapest_is_not_what_pays(channel_costs(_frame(*groups), spent, mature_before=None))
    if cheap is None:
        assert warned is None
    else:
        assert warned is not None
        assert (warned.cheapest_lead.channel, warned.cheapest_customer.channel, warned.sure) == (
            cheap,
            pays,
            sure,
        )


def test_the_next_thousand_euro_and_how_sure_that_is() -> None:
    found = bought_by(Decimal(1000), 10, Decimal(5000))
    assert found is not None
    assert (found.expected, found.too_few) == (2.0, False)
    assert (found.low, found.high) == pytest.approx((0.959, 3.678), abs=1e-3)
    few = bought_by(Decimal(1000), 1, Decimal(5000))
    assert few is not None
    assert few.too_few
    assert bought_by(Decimal(1000), 3, None) is None


def test_a_fair_that_is_still_to_come_gets_a_range_that_covers_each_earlier_one() -> None:
    today = date(2026, 3, 15)
    rows = [
        _cost("Fair", date(2025, 5, 1), date(2025, 5, 3), None, "5000.00", campaign="A"),
        _cost("Fair", date(2025, 9, 1), date(2025, 9, 3), None, "5000.00", campaign="B"),
        _cost("Fair", date(2026, 5, 1), date(2026, 5, 3), "8000.00", None, campaign="A 26", kind="stand"),
        _cost("Fair", date(2026, 5, 1), date(2026, 5, 3), "2000.00", None, campaign="A 26", kind="travel"),
    ]
    leads = _frame([{**row, "channel": "Fair"} for row in _leads("A", 10, 0, 0) + _leads("B", 40, 0, 0)])
    (one,) = ahead(rows, leads, today)
    assert one.row.planned == Decimal("10000.00")
    assert one.earlier == 2
    assert one.leads is not None
    # 50 leads for 10,000; alone A would have brought 20, B 80.
    assert (one.leads.expected, one.leads.low, one.leads.high) == (50.0, 20.0, 80.0)
    assert one.per_lead() == (Decimal("125.00"), Decimal("500.00"))


# --- score against outcome, tracks ---------------------------------------------------------------------------


def test_the_first_score_is_held_against_the_outcome_and_whom_sales_had_already_is_left_out() -> None:
    rows = [(f"l{n}", 0, "lead") for n in range(20)] + [("late", 0, "sql")]
    history = _history(
        *rows, score=[*range(20), 99], temperature=["hot" if n >= 15 else "cold" for n in range(20)] + ["hot"]
    )
    facts = _facts(
        **{f"l{n}": {"highest_stage": "customer" if n >= 16 else "lead"} for n in range(20)},
        late={"highest_stage": "sql"},
    )
    found = outcome(history, journeys(history, facts, BERLIN))
    assert (found.leads, found.too_late) == (20, 1)
    assert found.bands == {"cold": Rate(0, 15), "hot": Rate(4, 5)}
    best = found.tenths[0]
    assert (best.number, best.lowest, best.highest, best.rate) == (1, 18, 19, Rate(2, 2))
    assert [one.rate.numerator for one in found.tenths] == [2, 2, 0, 0, 0, 0, 0, 0, 0, 0]


def test_leads_with_one_score_stay_together() -> None:
    history = _history(*[(f"l{n}", 0, "lead") for n in range(12)], score=[5] * 12, temperature=["cold"] * 12)
    facts = _facts(**{f"l{n}": {} for n in range(12)})
    found = outcome(history, journeys(history, facts, BERLIN))
    assert [one.rate.denominator for one in found.tenths] == [12]


def test_what_a_nurture_track_came_to() -> None:
    history = _history(
        *[("a", 0, "nurture"), ("a", 5, "nurture"), ("a", 9, "mql")],
        *[("b", 0, "nurture"), ("b", 3, "nurture")],
        *[("c", 0, "nurture"), ("c", 3, "disqualified")],
        *[("d", 0, "nurture")],
        *[("e", 0, "nurture"), ("e", 3, "lead")],
        nurture_track=["price", "price", None, "price", "boss", "price", None, "price", "price", None],
    )
    price, boss = tracks(history)
    assert (
        price.name,
        price.entered,
        price.became_mql,
        price.other,
        price.rejected,
        price.ended,
        price.still,
    ) == (
        *("price", 5),
        *(1, 1, 1, 1, 1),
    )
    assert price.rate == Rate(1, 4)
    assert (boss.name, boss.still) == ("boss", 1)
