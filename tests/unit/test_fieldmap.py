"""The declared map: what it asks for, what it reads, what it refuses, and what it says to a CRM."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

import polars as pl
import pytest

from mapping.fieldmap import FieldMap, FieldRule, MapProblems, ValueMap, compile_map, render_problem
from mapping.lead import LEAD_FIELDS, FieldType

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
INDUSTRY = ValueMap(
    "industry",
    {
        "E-Commerce": {"hubspot": ["RETAIL", "INTERNET"], "salesforce": ["Retail"]},
        "Handwerk": {"hubspot": ["CRAFTS"]},
    },
)
STAGE = ValueMap(
    "stage",
    {
        "lead": {"hubspot": ["lead"], "salesforce": ["Open - Not Contacted"]},
        "mql": {"hubspot": ["marketingqualifiedlead"], "salesforce": ["Working - Contacted"]},
    },
)
RULES = [
    FieldRule("email", "email", "Email", if_both_changed="salesforce"),
    FieldRule("job_title", "jobtitle", {"Lead": "Title"}),
    FieldRule("industry", "industry", "Industry"),
    FieldRule("annual_revenue", "annualrevenue", "AnnualRevenue", currency={"salesforce": "CurrencyIsoCode"}),
    FieldRule("employees", "numemployees", "NumberOfEmployees", direction="to_salesforce"),
    FieldRule("country", "country", "CountryCode"),
    FieldRule("phone", "phone", "Phone"),
    FieldRule("email_opt_out", "hs_email_optout", "HasOptedOutOfEmail"),
    FieldRule("visits", "hs_analytics_num_visits"),
    FieldRule("hubspot_stage", "lifecyclestage"),
    FieldRule("salesforce_stage", None, {"Lead": "Status"}),
    FieldRule("tier", "tier", "Tier__c", type=FieldType.TEXT, label="Customer tier"),
]


def compiled(rules: list[FieldRule] | None = None, **settings: object) -> FieldMap:
    given = {
        "default_region": "DE",
        "default_currency": {"hubspot": "EUR", "salesforce": "EUR"},
        **settings,
    }
    maps = {"industry": INDUSTRY, "stage": STAGE}
    return compile_map(RULES if rules is None else rules, maps, LEAD_FIELDS, **given)  # type: ignore[arg-type]


def slab(
    columns: Mapping[str, list[str | None]], absent: list[list[str] | None] | None = None
) -> pl.DataFrame:
    """A frame as a connector hands it over."""
    height = len(next(iter(columns.values())))
    times = pl.Series([NOON] * height, dtype=pl.Datetime("us", "UTC"))
    return pl.DataFrame(
        {
            "_id": [str(100 + row) for row in range(height)],
            "_modified_at": times,
            "_created_at": times,
            "_archived": [False] * height,
            "_absent": pl.Series(absent or [None] * height, dtype=pl.List(pl.String())),
            **{name: pl.Series(values, dtype=pl.String()) for name, values in columns.items()},
        }
    )


def test_each_object_is_asked_for_its_own_fields() -> None:
    assert compiled().asked("salesforce", "Contact") == (
        *("Email", "Industry", "AnnualRevenue", "CurrencyIsoCode", "NumberOfEmployees", "CountryCode"),
        *("Phone", "HasOptedOutOfEmail", "Tier__c"),
    )
    assert {"Title", "Status"} <= set(compiled().asked("salesforce", "Lead"))
    assert "hs_analytics_num_visits" in compiled().asked("hubspot", "contacts")


def test_only_what_the_direction_allows_is_writable_and_never_what_a_crm_observed() -> None:
    to_hubspot = dict(compiled().writable("hubspot", "contacts"))
    to_leads = dict(compiled().writable("salesforce", "Lead"))
    assert to_hubspot["job_title"] == "jobtitle"
    assert not {"employees", "visits", "hubspot_stage"} & set(to_hubspot)
    assert to_leads["employees"] == "NumberOfEmployees"
    assert "salesforce_stage" not in to_leads
    assert "job_title" not in dict(compiled().writable("salesforce", "Contact"))


def test_a_slab_is_read_into_typed_columns() -> None:
    frame = slab(
        {
            "email": ["Anna@Firma.de"],
            "industry": ["INTERNET"],
            "annualrevenue": ["25000000.0"],
            "country": ["Schweiz"],
            "phone": ["044 668 18 00"],
            "hs_email_optout": ["true"],
            "lifecyclestage": ["marketingqualifiedlead"],
        }
    )
    result = compiled().read(frame, "hubspot", "contacts")
    row = result.frame.row(0, named=True)
    assert result.frame.columns[:5] == ["_id", "_modified_at", "_created_at", "_archived", "_unread"]
    assert dict(list(result.frame.schema.items())[5:]) == compiled().columns("hubspot")
    assert (row["_id"], row["_modified_at"]) == ("100", NOON)
    assert (row["email"], row["industry"]) == ("anna@firma.de", "E-Commerce")
    assert (row["annual_revenue"], row["annual_revenue_currency"]) == (Decimal("25000000.00"), "EUR")
    assert (row["country"], row["phone"]) == ("CH", "+41446681800")
    assert (row["email_opt_out"], row["hubspot_stage"]) == (True, "mql")
    assert result.problems.is_empty()


def read_three(absent: list[list[str] | None] | None = None, **columns: list[str | None]) -> pl.DataFrame:
    rules = [FieldRule("email", "email"), FieldRule("company", "company")]
    return compiled(rules).read(slab(columns, absent), "hubspot", "contacts").frame


def test_a_blank_that_was_returned_is_a_null_and_nothing_is_unread() -> None:
    frame = read_three(email=["a@b.de", None, " "], company=["A", None, "C"])
    assert frame["email"].to_list() == ["a@b.de", None, None]
    assert frame["_unread"].to_list() == [None, None, None]


def test_a_field_that_was_not_returned_is_unread_in_every_row() -> None:
    frame = read_three(company=["A", None, "C"])
    assert frame["email"].to_list() == [None, None, None]
    assert frame["_unread"].to_list() == [["email"]] * 3


def test_a_text_that_cannot_be_read_is_unread_in_its_row_alone() -> None:
    frame = read_three(email=["a@b.de", "ada", None], company=["A", None, "C"])
    assert frame["email"].to_list() == ["a@b.de", None, None]
    assert frame["_unread"].to_list() == [None, ["email"], None]


def test_a_field_that_one_record_came_without_is_unread_in_its_row_alone() -> None:
    frame = read_three(
        [None, ["email", "unmapped"], []], email=["a@b.de", None, None], company=["A", "B", "C"]
    )
    assert frame["_unread"].to_list() == [None, ["email"], None]


def test_a_row_with_a_problem_still_lacks_what_every_row_lacks() -> None:
    frame = read_three([None, None, ["company"]], company=["A", "B", None])
    assert frame["_unread"].to_list() == [["email"], ["email"], ["company", "email"]]


def test_a_field_that_the_object_does_not_have_is_unread_and_not_reported() -> None:
    rules = [FieldRule("job_title", None, {"Lead": "Title"}), FieldRule("email", None, "Email")]
    result = compiled(rules).read(slab({"Email": ["a@b.de"]}), "salesforce", "Contact")
    assert result.frame["_unread"].to_list() == [["job_title"]]
    assert result.not_returned == ()
    leads = compiled(rules).read(slab({"Email": ["a@b.de"]}), "salesforce", "Lead")
    assert leads.not_returned == ("job_title",)


def test_problems_name_the_record_the_field_and_the_reason() -> None:
    frame = slab({"email": ["a@b.de", "ada"], "numemployees": ["12.5", None]})
    problems = compiled().read(frame, "hubspot", "contacts").problems
    assert problems.columns == ["crm", "object", "record_id", "field", "source", "problem", "got"]
    assert set(problems.select("record_id", "field", "source", "problem", "got").iter_rows()) == {
        ("101", "email", "email", "not_an_email: not an e-mail address", "ada"),
        ("100", "employees", "numemployees", "not_whole: not a whole number", "12.5"),
    }
    sentences = {render_problem(row) for row in problems.iter_rows(named=True)}
    assert "hubspot contacts 101, email: not an e-mail address (got 'ada')" in sentences


def test_a_result_never_shows_personal_data_by_itself() -> None:
    result = compiled().read(slab({"email": ["ada"], "jobtitle": ["Geheimagentin"]}), "hubspot", "contacts")
    assert "ada" not in repr(result)
    assert "Geheim" not in repr(result)


def test_an_empty_slab_is_read_into_empty_typed_columns() -> None:
    result = compiled().read(slab({"email": [], "annualrevenue": []}), "hubspot", "contacts")
    assert result.frame.height == 0
    assert dict(list(result.frame.schema.items())[5:]) == compiled().columns("hubspot")


@pytest.mark.parametrize(
    ("amount", "code", "expected"),
    [
        ("100", "USD", (Decimal(100), "USD", None)),
        ("100", " chf", (Decimal(100), "CHF", None)),
        ("100", None, (Decimal(100), "EUR", None)),
        ("$ 100", "EUR", (Decimal(100), "USD", None)),
        (None, "USD", (None, None, None)),
        ("100", "Taler", (None, None, ["annual_revenue"])),
        ("viel", "USD", (None, None, ["annual_revenue"])),
    ],
)
@pytest.mark.parametrize("height", [1, 50])
def test_an_amount_knows_its_currency(
    amount: str | None, code: str | None, expected: tuple[object, ...], height: int
) -> None:
    rules = [FieldRule("annual_revenue", None, "AnnualRevenue", currency={"salesforce": "CurrencyIsoCode"})]
    frame = slab({"AnnualRevenue": [amount] * height, "CurrencyIsoCode": [code] * height})
    read = compiled(rules).read(frame, "salesforce", "Lead").frame
    row = read.row(height - 1, named=True)
    assert (row["annual_revenue"], row["annual_revenue_currency"], row["_unread"]) == expected


def test_an_amount_whose_currency_was_not_returned_is_unread() -> None:
    rules = [FieldRule("annual_revenue", None, "AnnualRevenue", currency={"salesforce": "CurrencyIsoCode"})]
    read = compiled(rules).read(slab({"AnnualRevenue": ["100"]}), "salesforce", "Lead").frame
    assert read["annual_revenue"].to_list() == [None]
    assert read["_unread"].to_list() == [["annual_revenue"]]


def said(
    field: str, value: object, crm: str, fields: FieldMap | None = None, **more: object
) -> tuple[object, bool]:
    """What is written for a value, and whether the CRM has no word for it."""
    known = fields or compiled()
    object_name = "contacts" if crm == "hubspot" else "Lead"
    frame = pl.DataFrame({field: [value], **{name: [other] for name, other in more.items()}})
    frame = frame.cast({name: kind for name, kind in known.columns(crm).items() if name in frame.columns})
    text = known.to_crm(crm, object_name, field)
    return frame.select(text, unsayable=known.cannot_say(crm, object_name, field)).row(0)


@pytest.mark.parametrize(
    ("field", "value", "crm", "text"),
    [
        ("industry", "E-Commerce", "hubspot", "RETAIL"),
        ("industry", "E-Commerce", "salesforce", "Retail"),
        ("industry", None, "salesforce", None),
        ("employees", 1200, "salesforce", "1200"),
        ("country", "DE", "hubspot", "Germany"),
        ("country", "DE", "salesforce", "DE"),
        ("email_opt_out", False, "hubspot", "false"),
        ("email_opt_out", None, "hubspot", None),
        ("tier", "Gold", "salesforce", "Gold"),
    ],
)
def test_a_value_is_said_in_the_words_of_the_crm(
    field: str, value: object, crm: str, text: str | None
) -> None:
    assert said(field, value, crm) == (text, False)


def test_a_choice_without_a_word_in_the_crm_cannot_be_said() -> None:
    assert said("industry", "Handwerk", "salesforce") == (None, True)
    assert said("industry", "Handwerk", "hubspot") == ("CRAFTS", False)


@pytest.mark.parametrize(
    ("value", "currency", "expected"),
    [
        (Decimal("25000000.00"), "EUR", ("25000000", False)),
        (Decimal("0.50"), "EUR", ("0.5", False)),
        (Decimal("0.00"), None, ("0", False)),
        (Decimal("100.00"), "USD", (None, True)),
        (None, "USD", (None, False)),
    ],
)
def test_an_amount_is_written_only_in_the_currency_of_the_crm(
    value: Decimal | None, currency: str | None, expected: tuple[str | None, bool]
) -> None:
    assert said("annual_revenue", value, "hubspot", annual_revenue_currency=currency) == expected


def test_a_country_is_said_as_the_rule_wants() -> None:
    rules = [
        FieldRule("country", "country", "Country", country_as={"hubspot": "german", "salesforce": "code"})
    ]
    assert said("country", "CH", "hubspot", compiled(rules)) == ("Schweiz", False)
    assert said("country", "CH", "salesforce", compiled(rules)) == ("CH", False)


def test_yes_and_no_can_have_words_of_their_own() -> None:
    words = ValueMap("budget", {"true": {"hubspot": ["Vorhanden"]}, "false": {"hubspot": ["Fehlt"]}})
    rules = [FieldRule("has_budget", "budget_status", "HasBudget__c", values="budget")]
    fields = compile_map(rules, {"budget": words}, LEAD_FIELDS)
    read = fields.read(slab({"budget_status": ["vorhanden", "Fehlt", "?"]}), "hubspot", "contacts").frame
    assert read["has_budget"].to_list() == [True, False, None]
    assert read["_unread"].to_list() == [None, None, ["has_budget"]]
    assert said("has_budget", True, "hubspot", fields) == ("Vorhanden", False)


def test_a_text_with_a_value_map_keeps_words_the_map_does_not_know() -> None:
    words = ValueMap("lead_source", {"Messe": {"hubspot": ["TRADE_SHOW"], "salesforce": ["Trade Show"]}})
    fields = compile_map(
        [FieldRule("lead_source", "source", "LeadSource")], {"lead_source": words}, LEAD_FIELDS
    )
    read = fields.read(slab({"source": ["TRADE_SHOW", "Podcast"]}), "hubspot", "contacts").frame
    assert read["lead_source"].to_list() == ["Messe", "Podcast"]
    assert said("lead_source", "Messe", "salesforce", fields) == ("Trade Show", False)
    assert said("lead_source", "Podcast", "salesforce", fields) == ("Podcast", False)


def test_notes_keep_their_lines_and_names_do_not() -> None:
    rules = [
        FieldRule("description", "notes"),
        FieldRule("company", "company"),
        FieldRule("story", "story", type=FieldType.TEXT, lines=True),
    ]
    text = "first\r\nsecond"
    frame = slab({name: [text] for name in ("notes", "company", "story")})
    row = compiled(rules).read(frame, "hubspot", "contacts").frame.row(0, named=True)
    assert (row["description"], row["company"]) == ("first\nsecond", "first second")
    assert row["story"] == "first\nsecond"


def test_every_problem_of_a_map_is_told_at_once_with_a_fix() -> None:
    rules = [
        FieldRule("emial", "email"),
        FieldRule("email", "email", "Email"),
        FieldRule("first_name", "Email".lower()),
        FieldRule("last_name", None, {"Lead": "LastName"}),
        FieldRule("last_name", None, "LastName"),
        FieldRule("city"),
        FieldRule("street", "", "Street"),
        FieldRule("may_email", "x"),
        FieldRule("company", "company", direction="to_salesforce"),
        FieldRule("employees", "numemployees", type=FieldType.TEXT),
        FieldRule("industry", "industry", values="branche"),
        FieldRule("need", "need", currency={"hubspot": "c"}, country_as="code"),
        FieldRule("Not A Name", "z", type=FieldType.TEXT),
    ]
    clash = ValueMap("v", {"a": {"hubspot": ["1"]}, "b": {"hubspot": ["1", ""], "sap": ["x"]}})
    with pytest.raises(MapProblems) as raised:
        compile_map(rules, {"v": clash}, LEAD_FIELDS)
    told = [(problem.rule, problem.what) for problem in raised.value.problems]
    assert all(problem.fix for problem in raised.value.problems)
    for expected in [
        ("emial", "the lead has no such field"),
        ("last_name", "has two rules"),
        ("first_name", "hubspot field email is written by email too"),
        ("city", "no CRM field is named"),
        ("street", "its hubspot field has no name"),
        ("may_email", "is worked out on every lead and cannot be mapped"),
        ("company", "is to be written to salesforce, which has no field for it"),
        ("employees", "is integer, not text"),
        ("industry", "there is no value map branche"),
        ("need", "has a currency but is not money"),
        ("need", "has country_as but is not a country"),
        ("Not A Name", "is not a name for a field"),
        ("values.v", "hubspot word 1 is claimed by a and b"),
        ("values.v", "b names an unknown CRM sap"),
        ("values.v", "b has an empty word"),
    ]:
        assert expected in told
    assert "did you mean email?" in str(raised.value)


def test_one_crm_field_may_serve_two_lead_fields_when_only_one_writes_it() -> None:
    rules = [
        FieldRule("lead_source", "source", "LeadSource"),
        FieldRule("source_detail", "source", "Detail__c", direction="to_salesforce"),
    ]
    assert compile_map(rules, {}, LEAD_FIELDS).asked("hubspot", "contacts") == ("source",)


def test_two_objects_may_use_one_field_name_for_different_things() -> None:
    rules = [
        FieldRule("job_title", None, {"Lead": "Title", "Contact": "Role__c"}),
        FieldRule("salutation", None, {"Contact": "Title"}),
    ]
    assert compile_map(rules, {}, LEAD_FIELDS).writable("salesforce", "Contact") == (
        ("job_title", "Role__c"),
        ("salutation", "Title"),
    )


def test_a_stage_map_may_only_name_stages() -> None:
    odd = ValueMap("stage", {"lead": {"hubspot": ["lead"]}, "warm": {"hubspot": ["warm"]}})
    with pytest.raises(MapProblems, match=r"has the word warm"):
        compile_map([FieldRule("hubspot_stage", "lifecyclestage")], {"stage": odd}, LEAD_FIELDS)
