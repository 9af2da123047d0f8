"""One kind of mail left in HubSpot, and the legal basis it recorded: what travels, and what is only shown."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.crm import FieldSpec

EMAIL = "anna@sommer.example"
#: The number of a subscription type of the pretend account, and of another.
LEFT, KEPT = "146200001", "146200002"
BASIS = "Legitimate interest – prospect/lead"


@pytest.fixture
def mapped(furnished: Any) -> Any:
    """What the config offers, switched on for the account's own subscription type."""
    house = furnished
    path = house.folder / "fields.toml"
    before, offered = path.read_text(encoding="utf-8").split("# [fields.newsletter_opt_out]", 1)
    offered, after = offered.split("# What they agreed to", 1)
    on = ("# [fields.newsletter_opt_out]" + offered).replace(
        "hs_email_optout_4711", f"hs_email_optout_{LEFT}"
    )
    lines = (line.removeprefix("# ") for line in on.splitlines() if not line.startswith("# The legal"))
    path.write_text(before + "\n".join(lines) + "\n# What they agreed to" + after, encoding="utf-8")
    with house.app() as app:
        spec = FieldSpec("Newsletter_Opt_Out__c", "Wants no newsletter", "boolean")
        assert app.work().crms["salesforce"].add_fields("Lead", [spec]) == [spec.name]
    assert house.command("check").code == 0
    return house


def _leaves(house: Any, contact: str) -> None:
    wanted = {"action": "unsubscribe", "object": "contacts", "id": contact, "from": LEFT}
    house.control("hubspot", "people", wanted)


def test_a_kind_of_mail_that_somebody_left_is_left_in_salesforce_too_and_no_other_whatever_the_scope(
    mapped: Any,
) -> None:
    house = mapped
    contact, lead = house.couple(EMAIL, {"country": "France"})
    house.sync()
    assert house.explain(EMAIL)["scope"]["in"] is False
    assert house.record("salesforce", lead)["Newsletter_Opt_Out__c"] is False
    house.later(3_600)
    _leaves(house, contact)
    house.later(60)

    house.sync()

    assert house.record("salesforce", lead)["Newsletter_Opt_Out__c"] is True
    assert house.record("salesforce", lead)["HasOptedOutOfEmail"] is False
    assert house.record("hubspot", contact).get(f"hs_email_optout_{KEPT}") != "true"
    house.later(3_600)
    house.edit("salesforce", lead, Newsletter_Opt_Out__c=False)
    house.later(60)
    house.sync()
    assert house.record("salesforce", lead)["Newsletter_Opt_Out__c"] is True
    house.later(60)
    mark = house.mark()
    house.sync()
    assert house.wrote_nothing(mark)
    assert house.command("--json", "agree").document["unexplained"] == 0


def test_a_legal_basis_is_shown_and_is_no_consent(mapped: Any) -> None:
    house = mapped
    contact, lead = house.couple(EMAIL, hubspot={"hs_legal_basis": BASIS})
    house.sync()
    told = house.explain(EMAIL)["consent"]["email"]
    assert (told["standing"], told["legal_basis"]) == ("unknown", BASIS)
    assert f"legal basis, email: {BASIS}; that is no consent" in house.command("explain", EMAIL).out
    house.later(3_600)
    house.unsubscribe("hubspot", contact)
    house.later(60)
    house.sync()
    told = house.explain(EMAIL)["consent"]["email"]
    assert (told["standing"], told["legal_basis"]) == ("withdrawn", BASIS)
    assert house.record("salesforce", lead)["HasOptedOutOfEmail"] is True


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('type = "text"\nwithdrawal = true\nhubspot = "fax"\n', "only a boolean field of your own can be"),
        ('type = "boolean"\nwithdrawal = "yes"\nhubspot = "fax"\n', "withdrawal"),
    ],
)
def test_only_a_field_of_yes_and_no_is_a_withdrawal(house: Any, wrong: str, said: str) -> None:
    house.rewrite("fields.toml", "[fields.email_opt_out]", f"[fields.left]\n{wrong}\n[fields.email_opt_out]")
    told = house.command("check")
    assert told.code == 2
    assert "fields.toml:" in told.out + told.err
    assert said in told.out + told.err
