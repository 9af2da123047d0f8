"""The smallest change as the terminal tells it. Of the golden leads: ``test_qualifying_change``."""

from __future__ import annotations

from typing import Any

import pytest

from sync.console import SHOWN_HISTORY, show_explanation
from sync.screen import Screen

#: A whole answer of ``explain`` with nothing in it but the parts that every lead has.
TOLD: dict[str, Any] = {
    "lead": "7", "email": None, "stage": "lead", "why": "cold", "temperature": "cold", "cycle": 1, "coverage": 80,
    "score": {"total": 10, "fit": 10, "engagement": 0}, "policy": "v1", "grade": None, "deals": None,
    "wanted": [], "company_lead": False, "reproduced": True, "scope": {"in": True, "because": []}, "consent": {},
    "points": [], "social": {"available": False, "points": None}, "gates": [], "missing": [],
    "smallest_change": None, "handover": {"cycles": []}, "records": [], "known_before_as": [],
    "former_addresses": [], "conflicts": [], "decisions": [], "held": [], "refused": [], "history": [],
}  # fmt: skip


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({}, "smallest change: no single fact and no two of them would change it"),
        (
            {
                "smallest_change": {
                    "what": "one more form",
                    "stage": "lead",
                    "temperature": "hot",
                    "score": 80,
                }
            },
            "smallest change: one more form -> lead, hot, score 80",
        ),
        ({}, "social signals: not available: no rule looks at one that a CRM feeds"),
        ({"social": {"available": True, "points": 7}}, "social signals: +7 points"),
        ({"social": {"available": True, "points": 0}}, "social signals: +0 points"),
    ],
)
def test_the_terminal_says_what_would_change_it_and_what_is_not_available(
    more: dict[str, Any], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show_explanation(Screen(as_json=False), {**TOLD, **more})
    assert sentence in capsys.readouterr().out.splitlines()


def test_nothing_is_looked_for_where_nobody_is_scored(capsys: pytest.CaptureFixture[str]) -> None:
    nobody = {"temperature": None, "score": {"total": None, "fit": None, "engagement": None}}
    show_explanation(Screen(as_json=False), {**TOLD, **nobody})
    said = capsys.readouterr().out
    assert "smallest change" not in said
    assert "social" not in said


def test_of_a_long_past_the_terminal_says_how_much_it_leaves_out(capsys: pytest.CaptureFixture[str]) -> None:
    verdict = {"what": "verdict", "at": "now", "stage": "lead", "temperature": "cold", "score": 1}
    show_explanation(Screen(as_json=False), {**TOLD, "history": [verdict] * (SHOWN_HISTORY + 2)})
    said = capsys.readouterr().out.splitlines()
    assert said.count("  now  verdict lead, cold, score 1") == SHOWN_HISTORY
    assert said[-1] == "  … and 2 more; --json has them all"
