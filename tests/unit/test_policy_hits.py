"""Every rule is read back with how often it holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from mapping.lead import DERIVED_FIELDS, LEAD_FIELDS, columns_of
from mapping.qualification.hits import Hits, hits
from mapping.qualification.judge import judge
from mapping.qualification.policy import load_policy

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
FIELDS = {**LEAD_FIELDS, **DERIVED_FIELDS}
POLICY = load_policy(
    {
        "policy": {
            "fit": [{"name": "Large", "when": "employees\n > 100", "points": 5}],
            "engagement": [
                {
                    "name": "Form",
                    "when": "forms > 0",
                    "points": 9,
                    "half_life_days": 2,
                    "since": "last_form_at",
                }
            ],
            "temperature": {"hot": {"total": 10}},
            "gates": [{"stage": "mql", "name": "Reachable", "when": "may_email"}],
        }
    },
    fields=FIELDS,
    vocabularies={},
)


def _verdicts(*rows: dict[str, Any]) -> pl.DataFrame:
    columns = {**columns_of(FIELDS), "lead_id": pl.String()}
    return judge(
        pl.DataFrame([{name: row.get(name) for name in columns} for row in rows], schema=columns), POLICY, NOW
    )


def test_true_and_unknown_answers_are_counted_per_rule_and_gate() -> None:
    long_ago = NOW - timedelta(days=90)
    verdicts = _verdicts(
        {"employees": 500, "forms": 1, "last_form_at": NOW, "may_email": True},
        {"employees": 5, "forms": 1, "last_form_at": long_ago, "may_email": False},
        {"employees": 900, "forms": 1},
        {},
    )
    assert hits(verdicts, POLICY) == [
        Hits("fit", "Large", "employees\n > 100", matched=2, unknown=1, leads=4),
        Hits("engagement", "Form", "forms > 0", matched=1, unknown=2, leads=4),
        Hits("gate", "Reachable", "may_email", matched=1, unknown=2, leads=4),
    ]


def test_a_count_is_written_as_the_language_writes_it() -> None:
    large = Hits("fit", "Large", "employees\n > 100", matched=412, unknown=3100, leads=9800)
    assert large.sentence() == "“Large” (employees > 100): matches 412 of 9,800; unknown for 3,100"
    assert (
        large.sentence("de") == "„Large“ (employees > 100): trifft auf 412 von 9.800 zu; unbekannt bei 3.100"
    )


def test_no_leads_have_no_hits() -> None:
    assert [(found.matched, found.unknown, found.leads) for found in hits(_verdicts(), POLICY)] == [
        (0, 0, 0)
    ] * 3


def test_a_policy_without_rules_and_gates_has_no_hits() -> None:
    bare = load_policy({"policy": {"temperature": {"hot": {"total": 10}}}}, fields=FIELDS, vocabularies={})
    columns = {**columns_of(FIELDS), "lead_id": pl.String()}
    assert hits(judge(pl.DataFrame(schema=columns), bare, NOW), bare) == []
