"""What check says about the people whom routes name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest

from mapping.qualification.routing import Route, Target
from sync.calendars import Days
from sync.check_routing import of_people
from sync.owners import Owners
from sync.routing_rules import RoutingRules
from sync.store.routing import OWNERS

PEOPLE: tuple[dict[str, Any], ...] = (
    {"crm": "salesforce", "owner_id": "S1", "email": "ada@x.example"},
    {"crm": "salesforce", "owner_id": "S2", "email": "ines@x.example"},
    {"crm": "salesforce", "owner_id": "S3", "email": "gone@x.example", "active": False},
    {"crm": "salesforce", "owner_id": "S4", "email": "twin@x.example"},
    {"crm": "salesforce", "owner_id": "S5", "email": "twin@x.example"},
    {"crm": "salesforce", "owner_id": "Q1", "email": "", "name": "New Leads", "queue": True},
    {"crm": "hubspot", "owner_id": "H1", "email": "ada@x.example"},
    {"crm": "hubspot", "owner_id": "H4", "email": "twin@x.example"},
)


def _said(rules: RoutingRules) -> list[tuple[str, str, str]]:
    """(where, severity, what) of every problem."""
    plain = {"name": "A. B.", "active": True, "queue": False, "ours": False}
    owners = Owners(pl.DataFrame([{**plain, **one} for one in PEOPLE], schema=dict(OWNERS)), rules.same)
    found = of_people(rules, owners, lambda path: f"at {path}")
    return [(one["where"], one["severity"], one["problem"]) for one in found]


@pytest.mark.parametrize(
    ("target", "severity", "says"),
    [
        (Target("ada@x.example"), None, ""),
        (Target("new leads", queue=True), None, ""),
        (Target("nobody@x.example"), "error", "no user with the address nobody@x.example"),
        (Target("gone@x.example"), "error", "no longer active"),
        (Target("ines@x.example"), "warning", "HubSpot has no owner with the address ines@x.example"),
        (Target("other", queue=True), "error", "no queue other"),
        (Target("ada@x.example", queue=True), "error", "no queue ada@x.example"),
        (Target("new leads"), "error", "no user with the address new leads"),
        (Target("twin@x.example"), "warning", "two active users"),
    ],
)
def test_an_owner_who_is_not_there_is_named_with_the_line_of_the_route(
    target: Target, severity: str | None, says: str
) -> None:
    told = _said(RoutingRules((Route("first", ()), Route("r", (target,))), ZoneInfo("Europe/Berlin")))
    if severity is None:
        assert told == []
        return
    ((where, how, what),) = told
    assert how == severity
    assert says in what
    assert where in ("at handover.routes[1].to", "at handover.routes")


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"escalate_to": "nobody@x.example"}, "at handover.escalate_to"),
        ({"absent": {"nobody@x.example": Days()}}, "at handover.absent"),
        ({"same": {"ada@x.example": "nobody@x.example"}}, "at handover.same_owner"),
        ({"same": {"nobody@x.example": "ines@x.example"}}, "at handover.same_owner"),
    ],
)
def test_a_name_that_nobody_has_is_told_with_its_line(changed: dict[str, Any], where: str) -> None:
    rules = replace(RoutingRules((), ZoneInfo("Europe/Berlin")), **changed)
    ((at, severity, what),) = _said(rules)
    assert (at, severity) == (where, "warning")
    assert "nobody@x.example" in what


def test_the_owner_of_a_named_account_is_looked_for_too() -> None:
    route = Route("big", (Target("ada@x.example"),), accounts={"big.example": "nobody@x.example"})
    ((where, severity, what),) = _said(RoutingRules((route,), ZoneInfo("Europe/Berlin")))
    assert (where, severity) == ("at handover.routes[0].to", "error")
    assert "nobody@x.example" in what
