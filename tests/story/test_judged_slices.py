"""All stored leads, block by block: each comes back once and as it was stored, whatever its texts hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from sync.snapshots import Snapshots
from sync.store.judged import JUDGED
from sync.store.leads import NEW_LEADS
from sync.store.store import Store

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
ODD = 'no,\x01 "budget"; Ärger | 10 % \\N'
SNAPSHOTS = Snapshots({"company": pl.String(), "forms": pl.Int64()})


def _lead(number: int, **more: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {
        **dict.fromkeys(NEW_LEADS),
        "lead_id": f"L{number:05}",
        "lead_values": f'{{"company":"Shop {number}","forms":{number}}}',
        **{"score": 10, "fit": 4, "engagement": 6, "coverage": 50, "cycle": 1},
        **{"temperature": "hot", "stage": "lead", "stage_why": "interest", "highest_stage": "lead"},
        **{"policy_version": "x", "decided_at": NOW},
    }
    return {**plain, **more}


def _remember(store: Store, rows: list[dict[str, Any]]) -> None:
    with store.transaction():
        store.leads.remember_leads(pl.DataFrame(rows, schema=dict(NEW_LEADS)))


def _read(parts: Iterable[tuple[pl.DataFrame, bytes]]) -> pl.DataFrame:
    """Verdicts and values beside each other, in the order of the ids."""
    whole = [stored.hstack(SNAPSHOTS.decode_lines(values, stored.height)) for stored, values in parts]
    return pl.concat(whole).sort("lead_id")


def test_every_stored_lead_comes_back_once_with_values_and_verdict(store: Store) -> None:
    store.use("1", "00D000000000001", NOW)
    odd = [
        _lead(0, temperature="warm, or so", spent_rejection=ODD, returned_on=date(2026, 5, 1)),
        _lead(1, temperature=None, score=None, fit=None, engagement=None, coverage=None),
        _lead(
            2,
            spent_rejection="",
            lead_values='{"company":"a\\nb \\"c\\""}',
            temperature_since=date(2026, 1, 2),
        ),
    ]
    rows = [*odd, *(_lead(number) for number in range(3, 12_000))]
    _remember(store, rows)
    parts = list(store.judged.slices(2_000))

    assert len(parts) > 1
    assert all(stored.height >= 2_000 for stored, _ in parts[:-1])
    assert parts[0][0].schema == pl.Schema(JUDGED)
    whole = _read(parts)
    assert whole["lead_id"].to_list() == [row["lead_id"] for row in rows]
    first = whole.head(3)
    assert first["temperature"].to_list() == ["warm, or so", None, "hot"]
    assert first["score"].to_list() == [10, None, 10]
    assert first["spent_rejection"].to_list() == [ODD, None, ""]
    assert first["returned_on"].to_list() == [date(2026, 5, 1), None, None]
    assert first["temperature_since"].to_list() == [None, None, date(2026, 1, 2)]
    assert whole["company"].to_list()[:4] == ["Shop 0", "Shop 1", 'a\nb "c"', "Shop 3"]
    assert whole["forms"].to_list()[3:] == list(range(3, 12_000))


def test_a_lead_that_is_changed_meanwhile_is_neither_missed_nor_told_twice(
    store: Store, another: Callable[..., Store]
) -> None:
    store.use("1", "00D000000000001", NOW)
    _remember(store, [_lead(number) for number in range(12_000)])
    slices = store.judged.slices(2_000)
    parts = [next(slices)]
    last = _lead(11_999, lead_values='{"company":"moved","forms":1}')
    other = another()
    other.use("1", "00D000000000001", NOW)
    _remember(other, [_lead(0, lead_values='{"company":"moved","forms":1}'), last, _lead(12_000)])
    whole = _read([*parts, *slices])

    assert whole["lead_id"].to_list() == [f"L{number:05}" for number in range(12_000)]
    assert whole["forms"].to_list() == list(range(12_000))
    again = _read(store.judged.slices(2_000))
    assert again.height == 12_001
    assert again.filter(pl.col("company") == "moved")["lead_id"].to_list() == ["L00000", "L11999"]


def test_another_pair_of_accounts_is_left_out_and_nothing_stored_is_no_slice(store: Store) -> None:
    store.use("1", "00D000000000001", NOW)
    _remember(store, [_lead(number) for number in range(10)])
    store.use("2", "00D000000000002", NOW)
    assert list(store.judged.slices(5)) == []
    _remember(store, [_lead(7)])
    assert _read(store.judged.slices(5))["lead_id"].to_list() == ["L00007"]


def test_a_reader_that_stops_early_leaves_the_connection_ready_for_other_work(store: Store) -> None:
    store.use("1", "00D000000000001", NOW)
    _remember(store, [_lead(number) for number in range(12_000)])
    slices = store.judged.slices(2_000)
    next(slices)
    slices.close()
    _remember(store, [_lead(12_000)])
    assert store.leads.count() == 12_001
