"""Many conditions asked at once: the answers of each alone, whichever way is quicker."""

from __future__ import annotations

import random

import polars as pl
import pytest

from mapping.lead import FieldType, LeadField
from mapping.qualification.columns import columns_for
from mapping.qualification.conditions import Condition, compile_condition
from mapping.qualification.questions import Questions

FIELDS = {name: LeadField(name, FieldType.TEXT, "") for name in ("job_title", "company")}
COLUMNS = columns_for({**FIELDS, "forms": LeadField("forms", FieldType.INTEGER, "")}, {})
TITLES = ("Head of Marketing", "HEAD OF\nMARKETING", "CMO", "Inhaberin", "Student", "", None)
CONDITIONS = (
    "job_title ILIKE '%head of%marketing%' OR job_title ILIKE '%cmo%'",
    "job_title NOT ILIKE 'student'",
    "coalesce(job_title, 'student') ILIKE '%student%'",
    "coalesce(job_title, '') NOT LIKE '%CMO%'",
    "job_title ILIKE '%inhaber%' AND forms > 1",
    "company LIKE 'A%'",
    "forms > 1",
    "TRUE",
)


def conditions(*texts: str) -> list[Condition]:
    return [compile_condition(text, COLUMNS) for text in texts]


def leads(height: int, titles: tuple[str | None, ...] = TITLES) -> dict[str, pl.Series]:
    rng = random.Random(height)
    return {
        "lead_id": pl.Series("lead_id", [str(number) for number in range(height)], dtype=pl.String),
        "job_title": pl.Series("job_title", rng.choices(titles, k=height), dtype=pl.String),
        "company": pl.Series("company", rng.choices(("A", "B", None), k=height), dtype=pl.String),
        "forms": pl.Series("forms", rng.choices((0, 2, None), k=height), dtype=pl.Int64),
    }


#: So many leads share a few titles that each title is searched once; or too few to care; or hardly any share.
@pytest.mark.parametrize(
    ("height", "titles"),
    [
        (0, TITLES),
        (1, TITLES),
        (50, TITLES),
        (5_000, TITLES),
        (5_000, (None,)),
        (5_000, tuple(f"CMO {number}" for number in range(4_000))),
    ],
)
def test_asked_together_each_gives_what_it_gives_alone(height: int, titles: tuple[str | None, ...]) -> None:
    given = leads(height, titles)
    asked = conditions(*CONDITIONS)
    answers = Questions(asked).answers(given)
    frame = pl.DataFrame(list(given.values()))
    for condition, answer in zip(asked, answers, strict=True):
        alone = frame.with_columns(condition.expression.alias("answer"))["answer"]
        assert answer.to_list() == alone.to_list(), condition.text


def test_a_condition_that_stands_twice_is_answered_in_both_places() -> None:
    answers = Questions(conditions("forms > 1", "TRUE", "forms > 1")).answers(leads(10))
    assert answers[0].to_list() == answers[2].to_list()
    assert answers[1].to_list() == [True] * 10


def test_nothing_asked_is_nothing_answered() -> None:
    assert Questions([]).answers(leads(3)) == []


@pytest.mark.parametrize("height", [1, 50, 5_000])
def test_answers_that_other_questions_have_given_are_taken_and_nothing_else_changes(height: int) -> None:
    given = leads(height)
    half = Questions(conditions(*CONDITIONS[::2]))
    whole = Questions(conditions(*CONDITIONS))
    before = whole.answers(given)
    taken = whole.answers(given | half.by_text(given))
    assert all(one.equals(other) for one, other in zip(before, taken, strict=True))
    # Taken, and not worked out again: another answer that stands there is believed.
    turned = {name: ~answer for name, answer in half.by_text(given).items()}
    found = whole.answers(given | turned)
    for place, (one, other) in enumerate(zip(before, found, strict=True)):
        assert other.equals(one if place % 2 else ~one)
