"""What became of records is asked of their CRM where somebody tells of an end, and not again and again."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from sync.removals import MANY, follow_told
from sync.store.inbox import HINTS

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


class _Salesforce:
    """Lists what went; here nothing did."""

    def __init__(self) -> None:
        self.asked = 0

    def removed(self, object_name: str, since: datetime) -> Any:
        self.asked += 1
        return SimpleNamespace(frame=pl.DataFrame(schema={"_id": pl.String(), "merged_into": pl.String()}))


def _told(records: list[str]) -> pl.DataFrame:
    rows = [
        {"crm": "salesforce", "object": "Lead", "record_id": record, "happened_at": NOW, "gone": True}
        for record in records
    ]
    return pl.DataFrame(rows, schema=dict(HINTS))


def _work(port: _Salesforce, linked: list[str], noted: list[str]) -> Any:
    identity = SimpleNamespace(
        linked=lambda crm, name, ids: [(one, f"L{one}") for one in ids if one in linked],
        fates=lambda leads: pl.DataFrame(
            {"record_id": noted, "fate": ["gone"] * len(noted)},
            schema={"record_id": pl.String(), "fate": pl.String()},
        ),
    )
    return SimpleNamespace(
        objects={"salesforce": "Lead"}, crms={"salesforce": port}, store=SimpleNamespace(identity=identity)
    )


RECORDS = [f"00Q{number:012}AAA" for number in range(MANY)]


@pytest.mark.parametrize(
    ("records", "linked", "noted", "asked"),
    [
        (RECORDS[:1], RECORDS[:1], [], 1),
        # Whoever nobody has met may go without a question.
        (RECORDS[:1], [], [], 0),
        # Noted before, perhaps before it was known that it was merged.
        (RECORDS[:1], RECORDS[:1], RECORDS[:1], 1),
        (RECORDS, RECORDS, RECORDS[1:], 1),
        # Somebody deletes in bulk, and the first drain has listed all of it.
        (RECORDS, RECORDS, RECORDS, 0),
    ],
)
def test_a_crm_is_asked_what_became_of_records_that_nobody_knows_about_yet(
    records: list[str], linked: list[str], noted: list[str], asked: int
) -> None:
    port = _Salesforce()
    assert follow_told(_work(port, linked, noted), _told(records)).is_empty()
    assert port.asked == asked
