"""Who is to have one lead: what both CRMs show of its owner, and what it was given before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from mapping.qualification.routing import Desk, Route, Target
from sync.calendars import Days
from sync.giving import NOBODY, Giver, Outcome, Row
from sync.owners import Owners
from sync.routing_rules import RoutingRules
from sync.store.routing import OWNERS

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
#: Address to (Salesforce id, HubSpot id, active).
PEOPLE = {
    "ada@x.example": ("S-ada", "H-ada", True),
    "ben@x.example": ("S-ben", "H-ben", True),
    "ines@x.example": ("S-ines", None, True),
    "gone@x.example": ("S-gone", "H-gone", False),
}
QUEUE, US, MARKETING = "Q-new", "S-us", "H-mara"
RULES = RoutingRules(
    (Route("r", (Target("ada@x.example"), Target("ben@x.example"))),), ZoneInfo("Europe/Berlin")
)
BOTH = frozenset({"hubspot", "salesforce"})


def _owners() -> Owners:
    rows: list[dict[str, Any]] = [
        _one("salesforce", QUEUE, "", queue=True),
        _one("salesforce", US, "us@x.example", ours=True),
        _one("hubspot", MARKETING, "mara@x.example"),
    ]
    for email, (salesforce, hubspot, active) in PEOPLE.items():
        rows.append(_one("salesforce", salesforce, email, active=active))
        rows += [_one("hubspot", hubspot, email, active=active)] if hubspot else []
    return Owners(pl.DataFrame(rows, schema=dict(OWNERS)))


def _one(crm: str, number: str, email: str, **said: bool) -> dict[str, Any]:
    return {
        **{"crm": crm, "owner_id": number, "email": email, "name": "New Leads" if not email else "A. B."},
        **{"active": True, "queue": False, "ours": False, **said},
    }


def _outcome(rules: RoutingRules = RULES, *, may_write: bool = True, **said: Any) -> Outcome:
    owners = {"salesforce": said.pop("salesforce", US), "hubspot": said.pop("hubspot", MARKETING)}
    row = Row("L1", 1, "x.example", 0, owners, BOTH)
    return Giver(rules, _owners(), Desk(), NOW, may_write=may_write).outcome(replace(row, **said))


def _gave(owner: str = "ada@x.example", **said: Any) -> dict[str, Any]:
    """What a lead was given before; by a route unless it says otherwise."""
    salesforce, hubspot, _ = PEOPLE.get(owner, (QUEUE, None, True))
    return {
        **{"number": 1, "turn": 0, "owner": owner, "queue": owner not in PEOPLE, "settled": True},
        **{"salesforce_owner": salesforce, "hubspot_owner": hubspot or MARKETING, "before": US},
        **{"route": "r", "why": "next in turn", **said},
    }


@pytest.mark.parametrize(
    ("shown", "owner", "shows"),
    [
        ({}, "ada@x.example", {"salesforce": "S-ada", "hubspot": "H-ada"}),
        ({"salesforce": None}, "ada@x.example", {"salesforce": "S-ada", "hubspot": "H-ada"}),
        ({"salesforce": QUEUE}, "ada@x.example", {"salesforce": "S-ada", "hubspot": "H-ada"}),
        ({"salesforce": "S-gone"}, "ada@x.example", {"salesforce": "S-ada", "hubspot": "H-ada"}),
        # Whoever has it keeps it, and the other CRM follows.
        ({"salesforce": "S-ben"}, "ben@x.example", {"hubspot": "H-ben"}),
        ({"salesforce": "S-ines"}, "ines@x.example", {}),
        ({"hubspot": "H-ben"}, "ben@x.example", {"salesforce": "S-ben"}),
        ({"hubspot": "H-gone"}, "ada@x.example", {"salesforce": "S-ada", "hubspot": "H-ada"}),
        # What may not be written is not.
        ({"open_to": frozenset({"salesforce"})}, "ada@x.example", {"salesforce": "S-ada"}),
        ({"route": None}, NOBODY, {}),
        ({"known": False}, None, {}),
        # Somebody is at it already.
        ({"untouched": False, "salesforce": QUEUE}, None, {}),
    ],
)
def test_a_lead_that_nobody_was_given_goes_to_who_has_it_or_is_next(
    shown: dict[str, Any], owner: str | None, shows: dict[str, str]
) -> None:
    said = _outcome(**shown)
    assert (said.owner, dict(said.shows)) == (owner, shows)
    assert (said.row is None) == (owner in (None, NOBODY))


def test_without_the_right_to_write_owners_the_ledger_tells_who_has_it() -> None:
    assert _outcome(may_write=False, salesforce="S-ben").owner == "ben@x.example"
    assert _outcome(may_write=False).owner is None


@pytest.mark.parametrize(
    ("changed", "owner"),
    [
        ({"keep_owner": False}, "ada@x.example"),
        ({"nobody": frozenset({"ben@x.example"})}, "ada@x.example"),
        ({"absent": {"ben@x.example": Days(frozenset({date(2026, 11, 20)}))}}, "ada@x.example"),
        ({"absent": {"ben@x.example": Days(frozenset({date(2026, 11, 21)}))}}, "ben@x.example"),
    ],
)
def test_an_owner_is_kept_as_the_config_says(changed: dict[str, Any], owner: str) -> None:
    assert _outcome(replace(RULES, **changed), salesforce="S-ben").owner == owner


@pytest.mark.parametrize(
    ("gave", "shown", "owner", "shows"),
    [
        # Nothing has happened.
        ({}, {}, "ada@x.example", {}),
        # A person gave it to somebody else in Salesforce: HubSpot follows, unless a person set another one there.
        ({}, {"salesforce": "S-ben"}, "ben@x.example", {"hubspot": "H-ben"}),
        ({}, {"salesforce": "S-ben", "hubspot": MARKETING}, "ben@x.example", {}),
        # A person put it back, or took our change back: it waits for a person.
        ({}, {"salesforce": QUEUE}, NOBODY, {}),
        ({}, {"salesforce": US}, NOBODY, {}),
        # A person gave it to somebody else in HubSpot; marketing's own people are no owners of sales.
        ({}, {"hubspot": "H-ben"}, "ben@x.example", {"salesforce": "S-ben"}),
        ({}, {"hubspot": MARKETING}, "ada@x.example", {}),
        # Its time was up: somebody else, once for each time; touched meanwhile: nobody else.
        ({}, {"reassigned": 1}, "ben@x.example", {"salesforce": "S-ben", "hubspot": "H-ben"}),
        ({"turn": 1}, {"reassigned": 1}, "ada@x.example", {}),
        ({}, {"reassigned": 1, "untouched": False}, "ada@x.example", {}),
        # Whom a person chose is never taken away.
        ({"route": ""}, {"reassigned": 1}, "ada@x.example", {}),
        # A queue is nobody yet.
        ({"owner": "new leads"}, {"salesforce": QUEUE, "hubspot": MARKETING}, NOBODY, {}),
        (
            {"owner": "new leads"},
            {"salesforce": "S-ben", "hubspot": MARKETING},
            "ben@x.example",
            {"hubspot": "H-ben"},
        ),
        # A run that died: the same again, whatever it had done.
        ({"settled": False}, {"salesforce": US}, "ada@x.example", {"salesforce": "S-ada"}),
        ({"settled": False}, {"salesforce": "S-ada"}, "ada@x.example", {}),
        ({"settled": False}, {"salesforce": "S-ben"}, "ben@x.example", {"hubspot": "H-ben"}),
    ],
)
def test_a_lead_that_was_given_away_stays_unless_a_person_or_the_clock_says_otherwise(
    gave: dict[str, Any], shown: dict[str, Any], owner: str, shows: dict[str, str]
) -> None:
    before = {"salesforce": "S-ada", "hubspot": "H-ada"}
    said = _outcome(gave=_gave(**gave), **{**before, **shown})
    assert (said.owner, dict(said.shows)) == (owner, shows)


@pytest.mark.parametrize("route", ["r", ""])
def test_the_lead_of_somebody_who_left_goes_to_the_next(route: str) -> None:
    said = _outcome(gave=_gave("gone@x.example", route=route), salesforce="S-gone", hubspot="H-gone")
    assert said.owner == "ada@x.example"
    assert said.row is not None
    assert said.row["number"] == 2


@pytest.mark.parametrize(("untouched", "owner"), [(True, "ben@x.example"), (False, "ada@x.example")])
def test_the_untouched_lead_of_somebody_who_is_away_goes_to_the_next(untouched: bool, owner: str) -> None:
    rules = replace(RULES, absent={"ada@x.example": Days(frozenset({date(2026, 11, 20)}))})
    said = _outcome(rules, gave=_gave(), salesforce="S-ada", hubspot="H-ada", untouched=untouched)
    assert said.owner == owner


def test_where_everybody_else_is_away_a_late_lead_stays() -> None:
    rules = replace(RULES, absent={"ben@x.example": Days(frozenset({date(2026, 11, 20)}))})
    said = _outcome(rules, gave=_gave(), salesforce="S-ada", hubspot="H-ada", reassigned=1)
    assert (said.owner, said.row) == ("ada@x.example", None)


def test_a_person_is_the_same_in_both_crms_where_the_config_says_so() -> None:
    owners = replace(_owners(), same={"mara@x.example": "ines@x.example"})
    ines = owners.by_key["ines@x.example"]
    assert (ines.salesforce, ines.hubspot) == ("S-ines", MARKETING)
    assert owners.person("hubspot", MARKETING) == ines
    assert owners.person("salesforce", QUEUE) is None
    assert owners.person("salesforce", US) is None
    assert owners.gone == {"gone@x.example"}
