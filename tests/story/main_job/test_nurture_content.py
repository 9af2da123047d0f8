"""What a lead in nurture is given stands in both CRMs, and follows the policy when it is worded otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

EMAIL = "wavering@shop.example"
HOUR = 3600


@pytest.fixture
def nurtured(furnished: Any, begin: Callable[..., Any]) -> tuple[Any, str, str]:
    """One linked person who leads marketing, filled in two forms and has not said what they need."""
    contact, lead = begin(_couple)
    return furnished, contact, lead


def _couple(house: Any) -> tuple[str, str]:
    said = {"num_conversion_events": "2", "recent_conversion_date": "2026-11-19T08:00:00Z"}
    pair: tuple[str, str] = house.couple(
        EMAIL, {"jobtitle": "Head of Marketing"}, hubspot=said, salesforce={"Title": "Head of Marketing"}
    )
    house.sync()
    return pair


def _shown(house: Any, contact: str, lead: str) -> list[tuple[Any, Any, Any]]:
    """Track, question and format, as HubSpot and as Salesforce shows them."""
    here, there = house.record("hubspot", contact), house.record("salesforce", lead)
    return [
        tuple(here[f"leadpact_nurture_{part}"] for part in ("track", "question", "format")),
        tuple(there[f"Leadpact_Nurture_{part}__c"] for part in ("Track", "Question", "Format")),
    ]


def test_track_question_and_format_stand_in_both_crms(nurtured: tuple[Any, str, str]) -> None:
    house, contact, lead = nurtured
    said = ("find-your-topic", "Open question: what do they need?", "checklist")
    assert _shown(house, contact, lead) == [said, said]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'format = "checklist"',
            'format = "worksheet"',
            ("find-your-topic", "Open question: what do they need?", "worksheet"),
        ),
        (
            "Open question: what do they need?",
            "Which topic is open?",
            ("find-your-topic", "Which topic is open?", "checklist"),
        ),
    ],
)
def test_other_words_for_a_track_reach_those_who_are_on_it_and_are_written_once(
    nurtured: tuple[Any, str, str], old: str, new: str, said: tuple[str, str, str]
) -> None:
    house, contact, lead = nurtured
    house.rewrite("policy.toml", old, new)
    house.run("rescore", from_memory=True, approve=True)
    assert _shown(house, contact, lead) == [said, said]
    house.later(HOUR)
    mark = house.mark()
    house.run("rescore", from_memory=True, approve=True)
    house.sync()
    assert house.wrote_nothing(mark), house.writes(mark)
