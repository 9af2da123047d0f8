"""What opportunities say of a lead: counted, and the one that says most."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as some

from mapping.qualification.deals import ACCOUNT, BOTH, CONTACT_ROLE, DEAL_FIELDS, DEALS, told_by_deals

JULY = datetime(2026, 7, 1, tzinfo=UTC)
NOBODY: dict[str, Any] = {**dict.fromkeys(DEAL_FIELDS), "deals_open": 0, "deals_won": 0, "deals_lost": 0}
Deal = tuple[str, str, date | None, str]  #: id, outcome, the day it closes, what joins it to the lead
#: Of opportunities by their id: what sales said about a loss.
REASONS = {"x": " went to a competitor ", "y": "no budget", "z": " "}


def told(*deals: Deal) -> dict[str, Any]:
    rows = [
        ("it", key, f"Deal {key}", outcome, JULY, closes, by, REASONS.get(key))
        for key, outcome, closes, by in deals
    ]
    frame = pl.DataFrame(rows, schema=dict(DEALS), orient="row")
    (row,) = told_by_deals(pl.Series(["it"]), frame).drop("lead_id").iter_rows(named=True)
    return dict(row)


MAY, JUNE = date(2026, 5, 2), date(2026, 6, 3)
RULES: list[tuple[list[Deal], dict[str, Any]]] = [
    ([], {}),
    ([("a", "open", MAY, CONTACT_ROLE)], {"deals_open": 1, "deals_by": CONTACT_ROLE, "deal": "Deal a (a)"}),
    (
        [("a", "won", MAY, ACCOUNT), ("b", "won", JUNE, ACCOUNT)],
        {"deals_won": 2, "last_deal_won_on": JUNE, "deals_by": ACCOUNT, "deal": "Deal b (b)"},
    ),
    # An open one says more than a closed one, however old it is.
    (
        [("a", "open", None, ACCOUNT), ("b", "lost", JUNE, CONTACT_ROLE)],
        {"deals_open": 1, "deals_lost": 1, "last_deal_lost_on": JUNE, "deals_by": BOTH, "deal": "Deal a (a)"},
    ),
    # What was said of the latest loss, and never of an older one.
    (
        [("x", "lost", JUNE, ACCOUNT), ("y", "lost", MAY, ACCOUNT)],
        {
            **{"deals_lost": 2, "last_deal_lost_on": JUNE, "deals_by": ACCOUNT, "deal": "Deal x (x)"},
            "last_loss_reason": "went to a competitor",
        },
    ),
    (
        [("x", "lost", MAY, ACCOUNT), ("z", "lost", JUNE, ACCOUNT), ("y", "won", JUNE, ACCOUNT)],
        {
            **{"deals_lost": 2, "deals_won": 1, "last_deal_lost_on": JUNE, "last_deal_won_on": JUNE},
            **{"deals_by": ACCOUNT, "deal": "Deal y (y)"},
        },
    ),
    # Met by a role and by the account it is one, and the role is what counts.
    (
        [("a", "open", MAY, ACCOUNT), ("a", "open", MAY, CONTACT_ROLE)],
        {"deals_open": 1, "deals_by": CONTACT_ROLE, "deal": "Deal a (a)"},
    ),
]


@pytest.mark.parametrize(("deals", "says"), RULES)
def test_what_opportunities_say(deals: list[Deal], says: dict[str, Any]) -> None:
    assert told(*deals) == {**NOBODY, **says}


OUTCOMES = some.sampled_from(["open", "won", "lost"])
ONE = some.tuples(
    some.sampled_from("abcdef"),
    OUTCOMES,
    some.none() | some.dates(),
    some.sampled_from([CONTACT_ROLE, ACCOUNT]),
)


@given(some.lists(ONE, unique_by=lambda deal: deal[0]), some.randoms(use_true_random=False))
def test_every_opportunity_counts_once_and_their_order_says_nothing(deals: list[Deal], chance: Any) -> None:
    found = told(*deals)
    assert found["deals_open"] + found["deals_won"] + found["deals_lost"] == len(deals)
    assert (found["deal"] is None) == (not deals)
    chance.shuffle(deals)
    assert told(*deals) == found
