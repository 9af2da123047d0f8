"""The ladder by example: what is known of a lead, where it stood, and where it stands now."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from mapping.lead import DERIVED_FIELDS, LEAD_FIELDS, columns_of
from mapping.qualification.judge import judge
from mapping.qualification.policy import Policy, load_policy
from mapping.qualification.wording import WHY

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
FIELDS = {**LEAD_FIELDS, **DERIVED_FIELDS}
#: Warmth in one field: 0 to 9 visits give 10 points each step, so that a row can say how warm a lead is.
TABLE: dict[str, Any] = {
    "policy": {
        "interest": "forms > 0",
        "never": "rejection_reason ILIKE '%never%'",
        "fit": [{"name": "Marketing", "when": "job_title = 'CMO'", "points": 20}],
        "engagement": [
            *({"name": f"Visit {n}", "when": f"visits >= {n}", "points": 10} for n in range(1, 10)),
            {"name": "Bounces", "when": "mails_bounced > 0", "points": -20},
        ],
        "temperature": {
            "hot": {"total": 60, "fit_at_least": 20},
            "wavering": {"total": 30},
            "drop_tolerance": 5,
        },
        "gates": [
            {"stage": "mql", "name": "Reachable", "when": "may_email OR may_call"},
            {"stage": "sql", "name": "Budget", "when": "has_budget"},
            {"stage": "sql", "name": "Need", "when": "has_need"},
        ],
    },
    "nurture": [
        {"name": "Price", "when": "has_budget IS NULL", "track": "price-guide", "format": "white paper"},
        {"name": "Warm", "when": "temperature = 'wavering'", "track": "stories"},
        {"name": "Back", "when": "TRUE", "track": "win-back", "stages": ["former_customer"]},
    ],
}
POLICY = load_policy(TABLE, fields=FIELDS, vocabularies={})

#: A lead with interest, contact data, an open door and nothing unknown to the score; cold until it visits.
ANSWERED = {
    "has_contact_data": True,
    "forms": 1,
    "job_title": "CMO",
    "visits": 0,
    "mails_bounced": 0,
    "may_email": True,
    "may_call": False,
}
HOT, WAVERING, COLD = {"visits": 5}, {"visits": 2}, {"visits": 0}
YES, NO = {"sales_accepted": True}, {"sales_accepted": False, "rejection_reason": "too early"}
NEVER = {"sales_accepted": False, "rejection_reason": "Never: a competitor"}
STRUCK_OFF, LEFT = {"salesforce_stage": "disqualified"}, {"salesforce_stage": "former_customer"}
READY = {"has_budget": True, "has_need": True}


def verdict(policy: Policy = POLICY, **values: Any) -> dict[str, Any]:
    """The verdict on one lead that has these values; everything else is unknown."""
    columns = {**columns_of(FIELDS), "lead_id": pl.String()}
    columns |= {f"prev_{name}": pl.String() for name in ("stage", "highest_stage", "temperature")}
    columns |= {"prev_cycle": pl.Int32(), "prev_score": pl.Int32()}
    lead = pl.DataFrame({name: [values.get(name)] for name in columns}, schema=columns)
    return judge(lead, policy, NOW).row(0, named=True)


def answered(before: str | None, *more: dict[str, Any]) -> dict[str, Any]:
    """The verdict on an answered lead that stood in ``before``, with more known of it."""
    known: dict[str, Any] = {**ANSWERED, "prev_stage": before, "prev_cycle": 1 if before else None}
    for part in more:
        known |= part
    return verdict(**known)


@pytest.mark.parametrize(
    ("before", "more", "stage", "why"),
    [
        # Interest without contact data, contact data without interest: not yet leads
        (None, {"has_contact_data": False}, "visitor", "no_contact_data"),
        (None, {"has_contact_data": None}, "visitor", "contact_data_unknown"),
        (None, {"forms": 0}, "prospect", "no_interest"),
        (None, {"forms": None}, "prospect", "interest_unknown"),
        ("prospect", {"forms": 0, **HOT}, "prospect", "no_interest"),
        ("visitor", {"forms": 0}, "prospect", "no_interest"),
        ("visitor", {"forms": None}, "visitor", "interest_unknown"),
        # Answering makes a lead, as warm as it is
        ("prospect", COLD, "lead", "cold"),
        ("prospect", WAVERING, "nurture", "wavering"),
        ("prospect", HOT, "mql", "hot_gates_passed"),
        ("visitor", COLD, "lead", "cold"),
        # Interest, once expressed, stays expressed; contact data can go
        ("lead", {"forms": 0}, "lead", "cold"),
        ("lead", {"has_contact_data": False}, "visitor", "no_contact_data"),
        ("mql", {"has_contact_data": None, **HOT}, "mql", "contact_data_unknown"),
        # Cold waits, wavering goes to nurture, hot goes to sales
        (None, COLD, "lead", "cold"),
        (None, WAVERING, "nurture", "wavering"),
        (None, HOT, "mql", "hot_gates_passed"),
        ("lead", WAVERING, "nurture", "wavering"),
        ("lead", HOT, "mql", "hot_gates_passed"),
        ("nurture", HOT, "mql", "hot_gates_passed"),
        ("nurture", COLD, "lead", "cold"),
        # Hot without fit is not hot
        (None, {"visits": 9, "job_title": "Student"}, "nurture", "wavering"),
        # A gate that is missed, or not known yet
        (None, {**HOT, "may_email": False}, "lead", "gate_missed"),
        (None, {**HOT, "may_email": None}, "lead", "gate_unknown"),
        ("nurture", {**HOT, "may_email": None}, "nurture", "gate_unknown"),
        ("mql", {**HOT, "may_email": None}, "mql", "gate_unknown"),
        ("mql", {**HOT, "may_email": False}, "lead", "gate_lost"),
        # Neither marketing's nor HubSpot's word makes an MQL
        ("lead", {"hubspot_stage": "mql"}, "lead", "cold"),
        (None, {"hubspot_stage": "lead", "forms": 0}, "prospect", "no_interest"),
    ],
)
def test_marketings_part_of_the_ladder(
    before: str | None, more: dict[str, Any], stage: str, why: str
) -> None:
    found = answered(before, more)
    assert (found["stage"], found["stage_why"]) == (stage, why)


@pytest.mark.parametrize(
    ("before", "more", "stage", "why"),
    [
        # Accepted, with every gate
        ("mql", {**HOT, **YES, **READY}, "sql", "accepted"),
        ("mql", {**HOT, "salesforce_stage": "sql", **READY}, "sql", "accepted"),
        ("mql", {**HOT, **YES, "has_budget": True}, "mql", "accepted_gate_unknown"),
        ("mql", {**HOT, **YES, **READY, "has_need": False}, "mql", "accepted_gate_missed"),
        ("mql", {**COLD, **YES}, "mql", "accepted_gate_unknown"),
        ("mql", {**HOT, **READY}, "mql", "hot_gates_passed"),
        # HubSpot does not speak for sales
        ("mql", {**HOT, "hubspot_stage": "sql", **READY}, "mql", "hot_gates_passed"),
        # A score never takes back what sales accepted
        ("sql", COLD, "sql", "taken_by_sales"),
        ("sql", {**COLD, "has_contact_data": False}, "sql", "taken_by_sales"),
        ("opportunity", COLD, "opportunity", "taken_by_sales"),
        ("sql", {**YES, "has_budget": False}, "sql", "taken_by_sales"),
        # Rejected, and not for good
        ("mql", {**HOT, **NO}, "nurture", "rejected"),
        ("sql", {**HOT, **NO}, "nurture", "rejected"),
        ("opportunity", NO, "nurture", "rejected"),
        ("mql", {**HOT, "sales_accepted": False}, "nurture", "rejected"),
        ("nurture", {**HOT, **NO}, "nurture", "rejection_stands"),
        ("lead", {**HOT, **NO}, "nurture", "rejection_stands"),
        # Rejected for good needs a reason
        ("mql", {**HOT, **NEVER}, "disqualified", "rejected_for_good"),
        ("lead", {**COLD, **NEVER}, "disqualified", "rejected_for_good"),
        ("mql", {**STRUCK_OFF, "rejection_reason": "closed"}, "disqualified", "rejected_for_good"),
        ("mql", {**HOT, **STRUCK_OFF}, "nurture", "rejected"),
        ("nurture", {**HOT, **STRUCK_OFF}, "nurture", "rejection_stands"),
        ("disqualified", HOT, "disqualified", "struck_off"),
        ("disqualified", {**HOT, "salesforce_stage": "lead"}, "disqualified", "struck_off"),
        ("disqualified", {**YES, **READY}, "sql", "accepted"),
        # Facts: Salesforce first
        ("lead", {"salesforce_stage": "opportunity"}, "opportunity", "salesforce_says"),
        ("mql", {"hubspot_stage": "opportunity"}, "opportunity", "hubspot_says"),
        ("sql", {"salesforce_stage": "customer"}, "customer", "salesforce_says"),
        ("prospect", {"hubspot_stage": "customer"}, "customer", "hubspot_says"),
        ("customer", {**LEFT, "hubspot_stage": "customer"}, "former_customer", "salesforce_says"),
        ("customer", {"salesforce_stage": "opportunity"}, "customer", "bought"),
        ("customer", {**HOT, **NEVER}, "customer", "bought"),
        ("former_customer", {"salesforce_stage": "customer"}, "customer", "salesforce_says"),
        ("former_customer", HOT, "former_customer", "bought"),
        # An opportunity that Salesforce took back is not kept alive by HubSpot's memory of it
        ("opportunity", {"salesforce_stage": "nurture", "hubspot_stage": "opportunity"}, "nurture", "returned"),
        ("opportunity", {"hubspot_stage": "opportunity", **NO}, "nurture", "rejected"),
        # Met for the first time further along
        (None, {"salesforce_stage": "sql"}, "sql", "salesforce_says"),
        (None, {"salesforce_stage": "disqualified"}, "disqualified", "salesforce_says"),
        (None, {"hubspot_stage": "customer", "has_contact_data": False}, "customer", "hubspot_says"),
        (None, {"hubspot_stage": "disqualified"}, "lead", "cold"),
        (None, {"hubspot_stage": "sql"}, "lead", "cold"),
        (None, {"salesforce_stage": "sql", **NO}, "nurture", "rejection_stands"),
    ],
)  # fmt: skip
def test_sales_part_of_the_ladder(before: str | None, more: dict[str, Any], stage: str, why: str) -> None:
    found = answered(before, more)
    assert (found["stage"], found["stage_why"]) == (stage, why)


@pytest.mark.parametrize(
    ("visits", "stage", "why"),
    [
        (5, "mql", "hot_gates_passed"),  # 70 points
        (4, "mql", "hot_gates_passed"),  # 60: on the line
        (3, "nurture", "cooled"),  # 50: more than the tolerance below
        (0, "lead", "cooled"),
    ],
)
def test_an_mql_that_cools_goes_back_unless_sales_took_it(visits: int, stage: str, why: str) -> None:
    found = answered("mql", {"visits": visits, "prev_temperature": "hot"})
    assert (found["stage"], found["stage_why"]) == (stage, why)
    assert found["cycle"] == (1 if stage == "mql" else 2)


@pytest.mark.parametrize(
    ("before", "more", "cycle"),
    [
        (None, HOT, 1),
        ("lead", HOT, 3),
        ("mql", {**HOT, **NO}, 4),
        ("sql", NO, 4),
        ("opportunity", {"salesforce_stage": "nurture"}, 4),
        ("mql", {**HOT, **NEVER}, 3),
        ("disqualified", {**YES, **READY}, 4),
        ("lead", WAVERING, 3),
        ("nurture", {**HOT, **NO}, 3),
    ],
)
def test_each_way_back_begins_another_cycle(before: str | None, more: dict[str, Any], cycle: int) -> None:
    assert answered(before, {"prev_cycle": 3 if before else None}, more)["cycle"] == cycle


@pytest.mark.parametrize(
    ("before", "highest", "more", "now"),
    [
        (None, None, HOT, "mql"),
        (None, None, WAVERING, "lead"),
        (None, None, {"has_contact_data": False}, "visitor"),
        (None, None, {"salesforce_stage": "disqualified"}, "prospect"),
        (None, None, {"salesforce_stage": "former_customer"}, "customer"),
        ("mql", "sql", {**HOT, **NO}, "sql"),
        ("mql", None, {**HOT, **NO}, "mql"),
        ("lead", "opportunity", HOT, "opportunity"),
        ("sql", "sql", {"salesforce_stage": "opportunity"}, "opportunity"),
        ("lead", "mql", {"has_contact_data": False}, "mql"),
    ],
)
def test_the_highest_stage_is_kept(
    before: str | None, highest: str | None, more: dict[str, Any], now: str
) -> None:
    assert answered(before, {"prev_highest_stage": highest}, more)["highest_stage"] == now


@pytest.mark.parametrize(
    ("before", "more", "track"),
    [
        (None, WAVERING, "price-guide"),
        (None, {**WAVERING, "has_budget": True}, "stories"),
        ("mql", {**HOT, **NO, "has_budget": True}, None),  # hot, known budget: no track of ours fits
        (None, COLD, None),
        (None, HOT, None),
        ("customer", {"salesforce_stage": "former_customer"}, "win-back"),
    ],
)
def test_a_track_follows_the_open_question(
    before: str | None, more: dict[str, Any], track: str | None
) -> None:
    assert answered(before, more)["nurture_track"] == track


def test_the_policy_says_which_crm_is_believed_about_which_stage() -> None:
    table = {**TABLE, "policy": {**TABLE["policy"], "stages": {"sql": ["hubspot"], "customer": []}}}
    policy = load_policy(table, fields=FIELDS, vocabularies={})
    trusted = {**ANSWERED, **HOT, **READY}
    assert verdict(policy, **trusted, hubspot_stage="sql")["stage"] == "sql"
    assert verdict(policy, **trusted, salesforce_stage="sql")["stage"] == "mql"
    assert verdict(policy, **trusted, salesforce_stage="customer")["stage"] == "mql"


def test_a_word_that_is_no_stage_is_no_evidence() -> None:
    assert answered("lead", {"salesforce_stage": "Working - Contacted"})["stage"] == "lead"


def test_gates_are_answered_one_by_one() -> None:
    found = answered(None, {"may_email": None, "has_budget": False})
    assert [found["_g0"], found["_g1"], found["_g2"]] == [None, False, None]


@pytest.mark.parametrize("code", sorted(WHY))
def test_every_reason_can_be_said_in_both_languages(code: str) -> None:
    assert set(WHY[code]) == {"en", "de"}
