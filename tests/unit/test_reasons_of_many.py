"""The reasons of many leads at once are those of each alone, whether many say the same or nobody does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from mapping.identity import derive
from mapping.lead import DERIVED_FIELDS, LEAD_FIELDS, columns_of
from mapping.qualification.declared import Policy
from mapping.qualification.judge import judge
from mapping.qualification.policy import load_policy
from mapping.qualification.wording import ENOUGH, reasons

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
TABLE: dict[str, Any] = {
    "policy": {
        "interest": "forms > 0",
        "fit": [
            {"name": "Boss", "when": "job_title = 'CMO'", "points": 30},
            {"name": "Student", "when": "job_title = 'Student'", "points": -20},
        ],
        "engagement": [
            {
                "name": "Form",
                "when": "forms > 0",
                "points": 40,
                "half_life_days": 30,
                "since": "last_form_at",
            },
            {"name": "Visits", "when": "visits >= 3", "points": 30},
        ],
        "caps": {"engagement": 50},
        "temperature": {"hot": {"total": 60}, "wavering": {"total": 30}},
    }
}
POLICY = load_policy(TABLE, fields={**LEAD_FIELDS, **DERIVED_FIELDS}, vocabularies={})
UNCAPPED = load_policy(
    {"policy": {name: part for name, part in TABLE["policy"].items() if name != "caps"}},
    fields={**LEAD_FIELDS, **DERIVED_FIELDS},
    vocabularies={},
)


def people(number: int, ages: int) -> pl.DataFrame:
    """So many leads, alike in groups; ``ages``: in how many different ages their forms are."""
    place = pl.int_range(number, eager=True)
    values = {
        "lead_id": "lead" + place.cast(pl.String),
        "email": pl.Series(["a@b.example"]).new_from_index(0, number),
        "job_title": pl.Series(["CMO", "Student", None])[place % 3],
        "forms": place % 2,
        "visits": pl.Series([0, 4, None, 9, 9])[place % 5],
        "last_form_at": pl.Series([NOW])
        .new_from_index(0, number)
        .dt.offset_by("-" + (place % ages).cast(pl.String) + "d"),
    }
    whole = columns_of(LEAD_FIELDS) | {"in_hubspot": pl.Boolean(), "in_salesforce": pl.Boolean()}
    blank = {name: pl.Series([None], dtype=dtype).new_from_index(0, number) for name, dtype in whole.items()}
    return derive(pl.DataFrame(blank | {n: v.cast(whole.get(n, pl.String())) for n, v in values.items()}))


@pytest.mark.parametrize("lang", ["en", "de"])
@pytest.mark.parametrize("ages", [7, 400])
@pytest.mark.parametrize("policy", [POLICY, UNCAPPED], ids=["capped", "uncapped"])
def test_many_leads_are_told_what_each_is_told_alone(policy: Policy, ages: int, lang: Any) -> None:
    leads = people(ENOUGH + 500, ages)
    verdicts = judge(leads, policy, NOW)
    together = reasons(verdicts, policy, lang)
    apart = pl.concat([reasons(part, policy, lang) for part in verdicts.iter_slices(1_000)])
    assert together.to_list() == apart.to_list()
    assert together.null_count() == 0
    assert together.n_unique() > 10


def test_the_leads_of_this_test_are_of_every_kind() -> None:
    told = set(reasons(judge(people(400, 7), POLICY, NOW), POLICY))
    assert "nothing counted yet" in told
    assert any("-20 Student" in one and "40 Form today" in one for one in told)
    assert any("at most" in one for one in told)
