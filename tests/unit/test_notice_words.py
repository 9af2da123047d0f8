"""What a notice about a handover says, in both languages, and how its task is found again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sync.notice_words import About, Language, mark_of, notice_text

ABOUT = About(
    kind="handover",
    due=datetime(2026, 11, 23, 9, 50, tzinfo=UTC),
    zone="Europe/Berlin",
    owner="sana@x.example",
    temperature="heiß",
    score=80,
    reasons="+25 Mid-size online shop",
    link="https://x.my.salesforce.com/00Q1",
)


@pytest.mark.parametrize(
    ("language", "kind", "subject", "opening"),
    [
        ("en", "handover", "New lead: first touch by 2026-11-23 10:50", "Marketing has handed"),
        ("de", "handover", "Neuer Lead: Erstkontakt bis 23.11.2026 10:50", "Das Marketing hat"),
        (
            "en",
            "escalation",
            "Nobody has touched this lead yet: due by 2026-11-23 10:50",
            "sana@x.example has",
        ),
        ("de", "escalation", "Noch kein Erstkontakt: fällig bis 23.11.2026 10:50", "Der Lead liegt bei"),
    ],
)
def test_a_notice_says_by_when_why_and_where(
    language: Language, kind: str, subject: str, opening: str
) -> None:
    said, text = notice_text(replace(ABOUT, kind=kind), language)
    assert said == subject
    assert text.startswith(opening)
    for part in ("Europe/Berlin", "80", "heiß", ABOUT.reasons, ABOUT.link):
        assert part is not None
        assert part in text


def test_what_is_not_known_is_not_said() -> None:
    _, text = notice_text(replace(ABOUT, temperature=None, reasons=None, owner=None, kind="escalation"), "en")
    assert "None" not in text
    assert "nobody in particular" in text


def test_a_task_is_marked_by_its_handover_alone() -> None:
    marks = {
        mark_of(lead, cycle, kind)
        for lead in ("L1", "L2")
        for cycle in (1, 2)
        for kind in ("handover", "escalation")
    }
    assert len(marks) == 8
    assert mark_of("L1", 1, "handover") in marks
    assert not any("L1" in mark.split()[-1] for mark in marks)
