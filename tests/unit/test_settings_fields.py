"""The tables that marketing and sales edit: fields, values and stages."""

from __future__ import annotations

from pathlib import Path

import pytest

from mapping.lead import FieldType
from mapping.rules import FieldRule
from sync.settings import Settings, WrongConfig, load_settings


def load(folder: Path, text: str) -> Settings:
    (folder / "leadpact.toml").write_text(text, encoding="utf-8")
    return load_settings(folder / "leadpact.toml", {})


def test_a_rule_is_the_maps_own_rule(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        """
        [fields.job_title]
        hubspot = "jobtitle"
        salesforce = { Lead = "Title", Contact = "Title" }
        if_both_changed = "salesforce"
        if_emptied = "clear"
        direction = "to_hubspot"

        [fields.annual_revenue]
        hubspot = "annualrevenue"
        currency = { salesforce = "CurrencyIsoCode" }
        decimal_comma = true

        [fields.country]
        hubspot = "country"
        country_as = { hubspot = "german" }
        """,
    )
    assert found.fields == (
        FieldRule(
            "job_title",
            hubspot="jobtitle",
            salesforce={"Lead": "Title", "Contact": "Title"},
            if_both_changed="salesforce",
            if_emptied="clear",
            direction="to_hubspot",
        ),
        FieldRule(
            "annual_revenue",
            hubspot="annualrevenue",
            currency={"salesforce": "CurrencyIsoCode"},
            decimal_comma=True,
        ),
        FieldRule("country", hubspot="country", country_as={"hubspot": "german"}),
    )
    assert found.custom_fields == {}


def test_a_field_of_your_own_needs_a_type(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        "[fields.shop_system]\ntype = 'choice'\nlabel = 'Shop system'\nhubspot = 'shop_system'\n"
        "[fields.orders]\ntype = 'integer'\nsalesforce = 'Orders__c'\n",
    )
    added = found.custom_fields
    assert (added["shop_system"].type, added["shop_system"].meaning) == (FieldType.CHOICE, "Shop system")
    assert (added["orders"].type, added["orders"].meaning) == (FieldType.INTEGER, "orders")
    assert all(field.custom for field in added.values())


def test_one_word_may_stand_alone(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        '[values.industry]\n"E-Commerce" = { hubspot = ["RETAIL", "INTERNET"], salesforce = "Retail" }\n',
    )
    assert found.values == {
        "industry": {"E-Commerce": {"hubspot": ["RETAIL", "INTERNET"], "salesforce": ["Retail"]}}
    }


@pytest.mark.parametrize(
    ("text", "line", "says", "fix"),
    [
        ("[fields.emial]\nhubspot = 'email'", 1, "the lead has no field emial", "did you mean email?"),
        ("[fields.email]\nif_both_chnged = 'newest'", 2, "unknown key if_both_chnged", "if_both_changed"),
        ("[fields.email]\nlead = 'phone'", 2, "unknown key lead", ""),
        ("[fields.email]\nif_emptied = 'erase'", 2, "'ignore' or 'clear'", ""),
        ("[fields.email]\ndirection = 3", 2, "'read_only'", ""),
        ("[fields.email]\nhubspot = 3", 2, "must be a field's name", ""),
        ("[fields.email]\nsalesforce = ['Email']", 2, "must be a field's name", ""),
        ("[fields.email]\nsalesforce.Lead = 1", 2, "must be a field's name", ""),
        ("[fields.shop]\ntype = 'word'", 2, "must be one of text, email", ""),
        ("[fields.email]\nlabel = 1", 2, "must be a text", ""),
        ("[fields.employees]\ndecimal_comma = 'yes'", 2, "must be true or false", ""),
        ("[fields.employees]\nday_first = 1", 2, "must be true or false", ""),
        ("[fields.country]\ncountry_as = 'french'", 2, "country_as", ""),
        ("fields = 1", 1, "fields must be a table", "[fields.NAME]"),
        ("[fields]\nemail = 'email'", 2, "fields.email must be a table", "[fields.email]"),
        ("[values]\nindustry = 1", 2, "values.industry must be a table", ""),
        ("[values.industry]\nRetail = 'RETAIL'", 2, "the words of each CRM", ""),
        ("[values.industry]\nRetail = { hubspto = 'RETAIL' }", 2, "unknown key hubspto", "hubspot"),
        ("[values.industry]\nRetail = { hubspot = 1 }", 2, "must be texts", ""),
        ("[values.industry]\nRetail = { hubspot = ['A', 1] }", 2, "must be texts", ""),
        ("stages = 1", 1, "stages must be a table", ""),
        ("[stages]\nmqll = 'x'", 2, "unknown key mqll", "mql"),
        ("[stages]\nmql = 1", 2, "stages.mql must be a text", ""),
        ("[stages]\nmql = ' '", 2, "stages.mql must be a text", ""),
    ],
)
def test_a_wrong_table_is_named_with_its_line(
    tmp_path: Path, text: str, line: int, says: str, fix: str
) -> None:
    with pytest.raises(WrongConfig) as caught:
        load(tmp_path, text)
    (one,) = caught.value.problems
    assert one["where"] == f"leadpact.toml:{line}"
    assert says in one["problem"]
    assert fix in one["fix"]


@pytest.mark.parametrize("name", ["email_consent", "call_consent_at", "post_consent_wording"])
def test_a_field_of_your_own_is_not_taken_for_a_standing_of_consent(tmp_path: Path, name: str) -> None:
    own = f"[fields.{name}]\nhubspot = 'their_own'\ntype = 'text'\n"
    with pytest.raises(WrongConfig) as wrong:
        load(tmp_path, own)
    (one,) = wrong.value.problems
    assert one["where"] == "leadpact.toml:3"
    assert f"{name} is a field of Leadpact's own" in one["problem"]
    assert f"my_{name}" in one["fix"]
    renamed = load(tmp_path, own.replace(name, f"my_{name}"))
    assert renamed.custom_fields[f"my_{name}"].opt_out is False
    assert load(tmp_path, own.replace("type = 'text'\n", "")).custom_fields.keys() == {name}
