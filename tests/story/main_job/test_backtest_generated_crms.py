"""The cause and effect built into generated people are found again through the pretend CRMs.

The people are loaded into both, synced as anybody would be, and their past is read back over HTTP by the command:
HubSpot's property history, and Salesforce's field history. A usual run plays one seed; ``LEADPACT_TEST_BACKTEST_SEEDS``
says how many, and then there are enough people to tell an effect from chance.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from connectors.sandbox.csvload import load_rows
from connectors.sandbox.generate import Mix, Person, generate
from mapping.qualification.backtest_rates import Lift, lift_of
from sync.setup import create_missing

SEEDS = int(os.environ.get("LEADPACT_TEST_BACKTEST_SEEDS", "1"))
PEOPLE = 300 if SEEDS == 1 else 1_000
AFTER, HORIZON = 10, 180
#: Everybody is in both CRMs and worked: what is found is then about the policy, and not about the mix.
MIX = Mix(both=1.0, hubspot_only=0.0, duplicates=0.0, shared_email=0.0, worked=1.0)
TRACKED = ("Status", "Title", "Industry", "AnnualRevenue", "Country")
#: Before the first of them was met.
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Parts(NamedTuple):
    """What both parts of a backtest come to together."""

    leads: int
    outcomes: int
    areas: list[tuple[float, float, float]]  #: ROC AUC of the tested part with its interval
    deciles: list[tuple[int, int]]  #: leads and outcomes of each of the tested part, the best first
    lifts: list[tuple[float, float]]  #: the ends of the interval of each seed's lifts


def _load(house: Any, people: list[Person]) -> None:
    """The people into both CRMs, with what each would have written down meanwhile."""
    load_rows(house.url("hubspot"), "contacts", [one.hubspot for one in people if one.hubspot])
    rows = [one for one in people if one.salesforce]
    leads = load_rows(house.url("salesforce"), "Lead", [one.salesforce for one in rows if one.salesforce])
    house.control("salesforce", "limits", {"history": {"Lead": list(TRACKED)}})
    load_rows(house.url("salesforce"), "LeadHistory", list(_history(leads, rows)))


def _history(leads: list[str], people: list[Person]) -> Iterator[Mapping[str, Any]]:
    """Salesforce's field history: tracked since long ago, and the day on which sales closed each lead."""
    for field in TRACKED:
        yield {"LeadId": leads[0], "Field": field, "DataType": "Text", "_created": LONG_AGO}
    for lead, person in zip(leads, people, strict=True):
        if person.truth.decided_at is None or person.salesforce is None:
            continue
        yield {
            **{"LeadId": lead, "Field": "Status", "DataType": "DynamicEnum"},
            # Of any type, and kept as JSON.
            **{"OldValue": '"Working - Contacted"', "NewValue": json.dumps(person.salesforce["Status"])},
            "_created": person.truth.decided_at,
        }


def _backtest(house: Any, source: str) -> Parts:
    reached = "customer" if source == "hubspot" else "opportunity"
    asked = ("--source", source, "--reached", reached, "--after", str(AFTER), "--horizon", str(HORIZON))
    told = house.command("--json", "policy", "backtest", *asked, "--test-share", "0.95")
    assert told.code == 0, told.err
    test = told.document["test"]
    area = (test["roc_auc"], test["roc_auc_low"], test["roc_auc_high"])
    deciles = [(one["leads"], one["outcomes"]) for one in test["lift_by_decile"]]
    lifts = [(one["lift_low"], one["lift_high"]) for one in test["lift_by_decile"]]
    return Parts(test["leads"], test["outcomes"], [area], deciles, lifts)


def _played(begun: Any, effect: float) -> dict[str, Parts]:
    """Every seed through both CRMs, the numbers of each source added up."""
    found: dict[str, Parts] = {}
    for seed in range(SEEDS):
        house = begun(seed, effect)
        for source in ("hubspot", "salesforce"):
            new = _backtest(house, source)
            print(f"seed {seed}, effect {effect:g}, {source}: {new}")  # noqa: T201 - shown by pytest -rP
            found[source] = _added(found[source], new) if source in found else new
    return found


def _added(one: Parts, other: Parts) -> Parts:
    pairs = zip(one.deciles, other.deciles, strict=True)
    both = [(a + c, b + d) for (a, b), (c, d) in pairs]
    return Parts(
        one.leads + other.leads,
        one.outcomes + other.outcomes,
        one.areas + other.areas,
        both,
        one.lifts + other.lifts,
    )


def _lifts(parts: Parts) -> list[Lift]:
    return [lift_of(outcomes, leads, parts.outcomes, parts.leads) for leads, outcomes in parts.deciles]


def _with_fields(house: Any) -> None:
    with house.app() as app:
        create_missing(app.work())


@pytest.fixture
def begun(house: Any, begin: Any) -> Any:
    """Makes both CRMs hold the people of a seed and nobody else, synced."""
    house.environ["LEADPACT_GUARDS__MAX_STAGE_MOVES"] = "5000"

    def make(seed: int, effect: float) -> Any:
        begin(_with_fields)
        _load(house, list(generate(PEOPLE, seed, house.serving.clock.now(), effect, mix=MIX)))
        house.sync()
        return house

    return make


def test_the_effect_is_found_in_the_history_of_both_crms(begun: Any) -> None:
    found = _played(begun, 1.0)
    for source, parts in found.items():
        assert parts.leads > PEOPLE * SEEDS / 2, source
        lifts = _lifts(parts)
        if SEEDS < 10:
            # So few people show the direction, and no more.
            assert parts.areas[0][0] > 0.5, source
            continue
        assert sum(area > 0.5 for area, _, _ in parts.areas) >= 9, source
        top, bottom = lifts[0], lifts[-1]
        assert top.low is not None
        assert top.low > 1.0, source
        assert bottom.high is not None
        assert bottom.high < 1.0, source


def test_without_an_effect_none_is_found(begun: Any) -> None:
    found = _played(begun, 0.0)
    for source, parts in found.items():
        assert parts.outcomes > 0, source
        if SEEDS < 10:
            area, low, high = parts.areas[0]
            assert low <= 0.5 <= high, (source, area)
            continue
        assert sum(low <= 0.5 <= high for _, low, high in parts.areas) >= 8, source
        # Each interval holds 95 %: of a hundred some 95 hold what is true.
        inside = sum(low <= 1.0 <= high for low, high in parts.lifts)
        assert 0.9 <= inside / len(parts.lifts) <= 0.99, (source, inside)
