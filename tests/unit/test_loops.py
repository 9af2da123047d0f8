"""What is written over the same other value again and again is noise; anything else goes on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from sync.loops import TIMES, held_noise, noisy
from sync.plan import CHANGES
from sync.store.identity import WRITES

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def _changes(**known: str | None) -> pl.DataFrame:
    row = {
        **dict.fromkeys(CHANGES),
        **{"lead_id": "L1", "crm": "hubspot", "object": "contacts", "record_id": "7", "field": "job_title"},
        **{"before": "Inhaberin", "after": "Owner", "lane": "live", "kind": "set"},
        **known,
    }
    return pl.DataFrame([row], schema=dict(CHANGES))


def _writes(*pairs: tuple[str | None, str | None]) -> pl.DataFrame:
    rows = [
        ("L1", "hubspot", "job_title", before, after, NOW + timedelta(hours=place))
        for place, (before, after) in enumerate(pairs)
    ]
    return pl.DataFrame(rows, schema=dict(WRITES), orient="row")


AGAIN = ("Inhaberin", "Owner")


@pytest.mark.parametrize(
    ("change", "writes", "held"),
    [
        ({}, [AGAIN] * TIMES, True),
        ({}, [AGAIN] * (TIMES - 1), False),
        # Something else stands there, or is to stand there: somebody works on the record
        ({"before": "CEO"}, [AGAIN] * TIMES, False),
        ({"after": "CEO"}, [AGAIN] * TIMES, False),
        # Blanks flip like values
        ({"before": None}, [(None, "Owner")] * TIMES, True),
        ({"field": "city"}, [AGAIN] * TIMES, False),
        ({"crm": "salesforce"}, [AGAIN] * TIMES, False),
        ({"lead_id": "L2"}, [AGAIN] * TIMES, False),
        # Withdrawn consent is written however often somebody takes it back
        ({"lane": "consent"}, [AGAIN] * TIMES, False),
        ({"kind": "create"}, [AGAIN] * TIMES, False),
    ],
)
def test_the_same_write_over_the_same_value_is_noise(
    change: dict[str, str | None], writes: list[tuple[str | None, str | None]], held: bool
) -> None:
    assert (noisy(_changes(**change), _writes(*writes)).height == 1) is held


def test_noise_is_held_in_plain_words() -> None:
    (row,) = held_noise(noisy(_changes(), _writes(*[AGAIN] * 4)))
    assert (row["kind"], row["field"], row["record_id"]) == ("noisy", "job_title", "7")
    assert "noisy automation" in (row["details"] or "")
