"""The policy as people write it: what loads, what is refused and in which words, and the demo policy."""

from __future__ import annotations

import copy
import json
import tomllib
from datetime import UTC, datetime
from decimal import Decimal
from importlib import resources
from typing import Any

import polars as pl
import pytest

from mapping.lead import DERIVED_FIELDS, LEAD_FIELDS, FieldType, LeadField, Stage, columns_of
from mapping.qualification.judge import judge
from mapping.qualification.policy import Policy, PolicyProblems, load_policy

FIELDS = {**LEAD_FIELDS, **DERIVED_FIELDS}
NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
INDUSTRIES = [
    *(
        "E-Commerce",
        "Retail",
        "Wholesale",
        "Manufacturing",
        "Machinery",
        "Software",
        "Consumer Goods",
        "Media",
    ),
    *(
        "Services",
        "Education",
        "Health",
        "Finance",
        "Construction",
        "Logistics",
        "Food",
        "Public Sector",
        "Other",
    ),
]
DECLARED = """
[policy]
currency = "EUR"
score_step = 3

[policy.rates]
USD = [{ from = 2026-01-01, rate = "0.92" }, { from = 2025-01-01, rate = "0.95" }]

[[policy.fit]]
name = "Mid-size online shop"
when = "annual_revenue BETWEEN 20000000 AND 150000000 AND industry = 'E-Commerce'"
points = 25

[[policy.engagement]]
name = "Asked to be contacted"
when = "last_contact_request_days IS NOT NULL"
points = 30
half_life_days = 21
since = "last_contact_request"

[policy.temperature]
hot = { total = 65, fit_at_least = 20 }
wavering = { total = 35 }
drop_tolerance = 5

[policy.labels]
hot = "heiß"

[[policy.gates]]
stage = "mql"
name = "Reachable"
when = "may_email OR may_call OR may_post"

[[policy.gates]]
stage = "sql"
name = "Budget confirmed"
when = "has_budget"

[policy.stages]
customer = ["salesforce"]

[[nurture]]
name = "Open question: price"
when = "temperature = 'wavering' AND has_budget IS NULL"
track = "price-guide"
format = "white paper"
"""


def load(table: dict[str, Any]) -> Policy:
    return load_policy(table, fields=FIELDS, vocabularies={"industry": INDUSTRIES})


def declared(**changes: Any) -> dict[str, Any]:
    """The policy above, with changes given as ``{"policy.fit.0.points": 5}``; None takes a key out."""
    table = copy.deepcopy(tomllib.loads(DECLARED))
    for path, value in changes.items():
        *way, last = path.split(".")
        place: Any = table
        for step in way:
            place = place[int(step)] if step.isdigit() else place.setdefault(step, {})
        if value is None:
            del place[last]
        else:
            place[last] = value
    return table


def problems(table: dict[str, Any]) -> list[str]:
    with pytest.raises(PolicyProblems) as caught:
        load(table)
    return [str(problem) for problem in caught.value.problems]


def test_a_policy_is_read_as_it_is_written() -> None:
    policy = load(declared())
    fit, contact = policy.rules
    assert (fit.name, fit.group, fit.points, fit.half_life_days) == ("Mid-size online shop", "fit", 25, None)
    assert (contact.half_life_days, contact.since) == (Decimal(21), "last_contact_request")
    assert [band.name for band in policy.bands] == ["cold", "wavering", "hot"]
    assert [policy.label(band.name) for band in policy.bands] == ["cold", "wavering", "heiß"]
    assert [(gate.stage, gate.decided_by) for gate in policy.gates] == [
        (Stage.MQL, "marketing"),
        (Stage.SQL, "sales"),
    ]
    assert policy.tracks[0].stages == (Stage.NURTURE,)
    assert policy.believed[Stage.CUSTOMER] == ("salesforce",)
    assert policy.believed[Stage.OPPORTUNITY] == ("salesforce", "hubspot")
    assert policy.rates_at(NOW) == {"USD": Decimal("0.92")}
    assert policy.rates_at(datetime(2025, 6, 1, tzinfo=UTC)) == {"USD": Decimal("0.95")}


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        # Unknown keys, each with the nearest known
        ("policy.curency", "EUR", "policy.curency: there is no setting curency; did you mean currency?"),
        ("policy.fit.0.pionts", 5, "did you mean points?"),
        ("policy.temperature.drop_tolerence", 5, "did you mean drop_tolerance?"),
        ("policy.temperature.hot.totl", 5, "policy.temperature.hot.totl: there is no setting totl"),
        ("policy.labels.hott", "x", "did you mean hot?"),
        ("policy.labels.hot", "Cold", "two temperatures have the same label"),
        ("policy.stages.costumer", ["salesforce"], "did you mean customer?"),
        ("nurture.0.trak", "x", "nurture[0].trak: “Open question: price”: there is no setting trak"),
        ("nurture.0.name", "x" * 256, "x…”: expected at most 255 characters, which is what both CRMs can show"),
        ("nurture.0.track", "x" * 300, "expected at most 255 characters, which is what both CRMs can show, found 300"),
        ("nurture.0.format", "x" * 256, "nurture[0].format: “Open question: price”: expected at most 255"),
        # Conditions: named by their rule, with what was expected and the nearest
        (
            "policy.fit.0.when",
            "industry = 'E-Comerce'",
            "policy.fit[0].when: “Mid-size online shop”: 'E-Comerce' is not a word of industry",
        ),
        ("policy.fit.0.when", "anual_revenue > 5", "did you mean annual_revenue?"),
        ("policy.engagement.0.when", "last_form_at > 5", "use last_form_at_days"),
        ("policy.gates.1.when", "has_budgets", "policy.gates[1].when: “Budget confirmed”: there is no field"),
        ("policy.gates.0.when", "temperature = 'hot'", "there is no field temperature"),
        ("nurture.0.when", "temperature = 'warm'", "they are cold, hot, unknown, wavering"),
        ("policy.interest", "forms >", "policy.interest: expected a value, but the condition ends here"),
        ("policy.never", 5, "policy.never: expected a text, found 5"),
        ("policy.fit.0.when", None, "when is missing"),
        # Values
        ("policy.fit.0.name", None, "policy.fit[0].name: name is missing"),
        ("policy.fit.0.points", "25", "expected a whole number, found '25'"),
        ("policy.fit.0.points", 2.5, "expected a whole number, found 2.5"),
        ("policy.fit.0.points", True, "expected a whole number, found True"),
        ("policy.fit.0.points", 0, "changes nothing"),
        ("policy.fit.0.points", 5000, "from -1000 to 1000"),
        ("policy.engagement.0.half_life_days", 0, "expected a number above 0"),
        ("policy.engagement.0.half_life_days", None, "half_life_days is missing"),
        ("policy.engagement.0.since", None, "since (the date that ages) is missing"),
        ("policy.engagement.0.since", "last_contact_requests", "did you mean last_contact_request?"),
        ("policy.engagement.0.since", "forms", "expected a date field, found 'forms'"),
        ("policy.engagement.0.name", "Mid-size online shop", "two rules are named"),
        ("policy.score_step", 0, "expected a whole number from 1"),
        ("policy.currency", "euro", "three capital letters"),
        ("policy.gates.0.stage", "mqll", "expected mql or sql, found 'mqll'; did you mean mql?"),
        ("policy.gates.0.decided_by", "sale", "did you mean sales?"),
        ("policy.stages.customer", ["salesforse"], "did you mean salesforce?"),
        ("policy.stages.customer", "salesforce", "expected a list"),
        ("policy.temperature.hot.total", None, "total is missing"),
        ("policy.temperature.hot.total", 35, "two bands begin at the same total"),
        ("policy.temperature.cold", {"total": 0}, "cold is the lowest band"),
        ("policy.temperature", None, "policy.temperature: temperature is missing"),
        ("policy.temperature", {}, "expected at least one band above the lowest"),
        ("policy.rates.EUR", [{"from": "2026-01-01", "rate": 1}], "expected another currency than EUR"),
        ("policy.rates.USD", [{"from": "soon", "rate": 1}], "policy.rates.USD[0].from: expected the first day"),
        ("policy.rates.USD", [{"from": "2026-01-01", "rate": -1}], "expected a number above 0"),
        ("policy.rates.USD", 0.92, "each headed [[policy.rates.USD]]"),
        ("policy.fit", {"name": "x"}, "expected tables, each headed [[policy.fit]]"),
        ("policy", 5, "policy: expected a table, found 5"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_path(path: str, value: object, problem: str) -> None:
    assert any(problem in found for found in problems(declared(**{path: value})))


def test_every_problem_is_told_at_once() -> None:
    table = declared(**{"policy.fit.0.points": "x", "policy.gates.0.when": "maymail", "nurture.0.track": 5})
    found = problems(table)
    assert len(found) == 3
    assert [text.split(":")[0] for text in found] == [
        "policy.fit[0].points",
        "policy.gates[0].when",
        "nurture[0].track",
    ]


def test_problems_begin_with_where_the_policy_stands() -> None:
    with pytest.raises(PolicyProblems, match=r"^policy\.toml: policy\.currency"):
        load_policy(
            declared(**{"policy.currency": "x"}), fields=FIELDS, vocabularies={}, where="policy.toml: "
        )


def test_a_lead_field_cannot_take_a_name_of_the_verdict() -> None:
    fields = {**FIELDS, "score": LeadField("score", FieldType.INTEGER, "", custom=True)}
    with pytest.raises(PolicyProblems, match="score is a name of the verdict"):
        load_policy(declared(), fields=fields, vocabularies={"industry": INDUSTRIES})


def test_other_sections_of_the_config_are_not_the_policys_business() -> None:
    assert load({**declared(), "hubspot": {"anything": 1}}).version == load(declared()).version


def test_a_policy_without_rates_judges_its_own_currency_only() -> None:
    assert load(declared(**{"policy.rates": None})).rates_at(NOW) == {}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("policy.fit.0.points", 26),
        ("policy.fit.0.when", "annual_revenue > 1"),
        ("policy.engagement.0.half_life_days", 22),
        ("policy.temperature.drop_tolerance", 6),
        ("policy.gates.0.when", "may_email"),
        ("policy.rates.USD", [{"from": "2026-01-01", "rate": "0.93"}]),
        ("policy.stages.customer", ["hubspot"]),
        ("policy.interest", "forms > 1"),
        ("policy.never", "rejection_reason = 'no'"),
        ("nurture.0.track", "other"),
    ],
)
def test_whatever_can_change_a_verdict_changes_the_version(path: str, value: object) -> None:
    assert load(declared(**{path: value})).version != load(declared()).version


def test_a_question_may_be_as_long_as_both_crms_can_show_and_blanks_around_it_do_not_count() -> None:
    (track,) = load(declared(**{"nurture.0.name": f"  {'x' * 255}  "})).tracks
    assert len(track.name.strip()) == 255


def test_labels_do_not_change_the_version() -> None:
    assert load(declared(**{"policy.labels.hot": "glühend"})).version == load(declared()).version


def test_a_version_is_twelve_hexadecimal_digits_that_stay() -> None:
    assert load(declared()).version == load(declared()).version
    assert len(load(declared()).version) == 12
    assert int(load(declared()).version, 16) >= 0


def test_a_stored_policy_judges_as_the_one_that_was_stored() -> None:
    policy = load(declared())
    stored = json.loads(json.dumps(policy.as_table()))
    again = load(stored)
    assert again == policy
    assert again.version == policy.version


def test_bands_can_be_any_number_with_names_of_ones_own() -> None:
    bands = {"lowest": "ice", "mild": {"total": 10}, "warm": {"total": 20}, "fire": {"total": 25}}
    policy = load(
        declared(
            **{"policy.temperature": bands, "policy.labels": {}, "nurture.0.when": "temperature = 'mild'"}
        )
    )
    assert [band.name for band in policy.bands] == ["ice", "mild", "warm", "fire"]


# The demo policy, as `demo` and `init` hand it out


def demo() -> Policy:
    text = resources.files("sync").joinpath("templates/policy.toml").read_text(encoding="utf-8")
    return load(tomllib.loads(text))


def demo_verdict(**values: Any) -> dict[str, Any]:
    columns = {**columns_of(FIELDS), "lead_id": pl.String()}
    lead = pl.DataFrame({name: [values.get(name)] for name in columns}, schema=columns)
    return judge(lead, demo(), NOW).row(0, named=True)


SHOP: dict[str, Any] = {
    "industry": "E-Commerce",
    "annual_revenue": Decimal(45_000_000),
    "annual_revenue_currency": "EUR",
    "company": "Beispiel Shop GmbH",
    "job_title": "Head of Marketing",
    "country": "DE",
    "has_contact_data": True,
    "is_company_only": False,
    "may_email": True,
    "forms": 2,
    "last_form_at": NOW,
    "last_form_name": "Kontaktformular",
}


@pytest.mark.parametrize(
    ("more", "temperature", "stage"),
    [
        ({}, "hot", "mql"),
        ({"has_contact_data": False}, "hot", "visitor"),
        ({"forms": 0, "last_form_name": "Newsletter-Anmeldung"}, "wavering", "prospect"),
        ({"forms": 0, "last_form_name": "Newsletter-Anmeldung", "lead_source": "Messe DMEXCO"}, "wavering", "nurture"),
        ({"industry": "Machinery", "job_title": "Einkäufer", "last_form_name": "Newsletter-Anmeldung"}, "cold", "lead"),
        ({"last_form_name": "Newsletter-Anmeldung"}, "hot", "mql"),
        ({"may_email": False, "may_call": False, "may_post": False}, "hot", "lead"),
        ({"industry": "Machinery"}, "wavering", "nurture"),
        ({"may_email": None}, "hot", "lead"),
        ({"company": None}, "hot", "lead"),
        ({"job_title": "Werkstudent Marketing"}, "wavering", "nurture"),
        ({"job_title": "Student BWL", "company": None}, "wavering", "nurture"),
        ({"job_title": "auf Jobsuche", "industry": "Other"}, "cold", "lead"),
        ({"job_title": "Geschäftsführer"}, "hot", "mql"),
        ({"company": "Agentur für Inhalte"}, "wavering", "nurture"),
        ({"sales_accepted": True, "has_need": True, "has_budget": True, "is_decision_maker": True}, "hot", "mql"),
        ({"sales_accepted": False, "rejection_reason": "Wettbewerber"}, "hot", "disqualified"),
        ({"sales_accepted": False, "rejection_reason": "zu früh"}, "hot", "nurture"),
        ({"annual_revenue": Decimal(15_000_000)}, "wavering", "nurture"),
        ({"annual_revenue": Decimal(25_000_000), "annual_revenue_currency": "USD"}, "hot", "mql"),
        ({"salesforce_stage": "customer"}, "hot", "customer"),
    ],
)  # fmt: skip
def test_the_demo_policy_judges_as_its_comments_say(
    more: dict[str, Any], temperature: str, stage: str
) -> None:
    found = demo_verdict(**{**SHOP, **more})
    assert (found["temperature"], found["stage"]) == (temperature, stage)


def test_the_demo_policy_speaks_german() -> None:
    assert [demo().label(band.name) for band in demo().bands] == ["kalt", "schwankend", "heiß"]


def test_the_demo_policy_hands_over_only_with_a_date() -> None:
    asked = {"sales_accepted": True, "has_need": True, "has_budget": True, "is_decision_maker": True}
    assert demo_verdict(**{**SHOP, **asked, "purchase_date": NOW.date()})["stage"] == "sql"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("policy.labels.hot", "Cold"),
        ("nurture.0.name", "x" * 256),
        ("nurture.0.track", "x" * 300),
        ("nurture.0.format", "x" * 256),
    ],
)
def test_a_policy_that_has_decided_loads_as_it_was_however_it_would_look_today(path: str, value: str) -> None:
    table = declared(**{path: value})
    with pytest.raises(PolicyProblems):
        load(table)
    then = load_policy(table, fields=FIELDS, vocabularies={"industry": INDUSTRIES}, stored=True)
    assert value in (then.labels["hot"], then.tracks[0].name, then.tracks[0].track, then.tracks[0].format)


def test_a_stored_policy_that_cannot_judge_is_still_refused() -> None:
    table = declared(**{"policy.labels.hot": "Cold", "policy.fit.0.when": "nobody = 1"})
    with pytest.raises(PolicyProblems) as wrong:
        load_policy(table, fields=FIELDS, vocabularies={"industry": INDUSTRIES}, stored=True)
    assert [problem.path for problem in wrong.value.problems] == ["policy.fit[0].when"]
