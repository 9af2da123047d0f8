"""Whoever must not be profiled gets no score, in no place: facts alone move them, and the reasons say so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

EMAIL = "anna@sommer-versand.de"


@pytest.fixture
def objected(furnished: Any, begin: Callable[..., Any]) -> tuple[Any, str, str]:
    """Anna, hot and synced; since then her config bars everybody in Salesforce City `Bonn` from scoring."""
    return furnished, *begin(_objected)


def _objected(house: Any) -> tuple[str, str]:
    contact, lead = house.couple(EMAIL, {"annualrevenue": "60000000", "country": "Germany", "city": "Köln"})
    house.sync()
    assert house.record("salesforce", lead)["Leadpact_Score__c"] is not None
    path = house.folder / "leadpact.toml"
    path.write_text(
        path.read_text("utf-8") + "\n[privacy]\nno_scoring = \"city = 'Bonn'\"\n", encoding="utf-8"
    )
    house.later(3600)
    house.edit("hubspot", contact, city="Bonn")
    return contact, lead


def test_score_and_temperature_go_from_both_crms_and_the_reasons_say_why(objected: Any) -> None:
    house, contact, lead = objected
    house.sync()
    there, here = house.record("salesforce", lead), house.record("hubspot", contact)
    for name in ("Score", "Fit", "Engagement", "Coverage", "Temperature"):
        assert there[f"Leadpact_{name}__c"] is None, name
        assert not here.get(f"leadpact_{name.lower()}"), name
    assert "nicht bewertet" in there["Leadpact_Reasons__c"]
    assert there["Leadpact_Stage__c"] == here["leadpact_stage"]


def test_it_is_written_once_and_both_crms_agree(objected: Any) -> None:
    house, _, _ = objected
    house.sync()
    house.later(3600)
    mark = house.mark()
    house.sync()
    house.run("rescore", from_memory=True)
    assert house.wrote_nothing(mark)
    agreed = house.command("--json", "agree")
    assert (agreed.code, agreed.document["agreed"], agreed.document["linked"]) == (0, 1, 1)


def test_explain_shows_no_points_and_looks_for_no_way_to_more(objected: Any) -> None:
    house, _, _ = objected
    house.sync()
    told = house.explain(EMAIL)
    assert told["score"] == {"total": None, "fit": None, "engagement": None}
    assert (told["temperature"], told["points"], told["smallest_change"]) == (None, [], None)
    assert "not scored" in house.command("explain", EMAIL).out


def test_a_fact_still_moves_the_stage(objected: Any) -> None:
    house, contact, lead = objected
    house.sync()
    house.later(3600)
    house.edit("hubspot", contact, lifecyclestage="customer")
    house.sync()
    assert house.record("salesforce", lead)["Leadpact_Stage__c"] == "customer"
    assert house.record("salesforce", lead)["Leadpact_Score__c"] is None


def test_who_withdraws_the_objection_is_scored_again(objected: Any) -> None:
    house, contact, lead = objected
    house.sync()
    house.later(3600)
    house.edit("hubspot", contact, city="Köln")
    house.sync()
    assert house.record("salesforce", lead)["Leadpact_Score__c"] is not None


@pytest.mark.parametrize("condition", ["score > 5", "nobody_knows", "city = "])
def test_a_condition_that_asks_for_the_score_or_is_none_is_refused(furnished: Any, condition: str) -> None:
    house = furnished
    path = house.folder / "leadpact.toml"
    path.write_text(path.read_text("utf-8") + f'\n[privacy]\nno_scoring = "{condition}"\n', encoding="utf-8")
    told = house.command("sync")
    assert told.code == 2
    assert "privacy.no_scoring" in told.err
