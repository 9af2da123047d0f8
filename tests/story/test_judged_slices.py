"""All stored leads, a thousand in one row of the answer: each comes back as it was stored, whatever its texts hold."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import polars as pl

from sync.snapshots import Snapshots
from sync.store.leads import JUDGED, NEW_LEADS
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


def test_every_stored_lead_comes_back_once_in_its_order_with_values_and_verdict(store: Store) -> None:
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
    rows = [*odd, *(_lead(number) for number in range(3, 2_500))]
    with store.transaction():
        store.leads.remember_leads(pl.DataFrame(rows, schema=dict(NEW_LEADS)))
    found, values = store.leads.judged_after("", 2_200)
    rest, more = store.leads.judged_after(found["lead_id"][-1], 2_200)

    assert [found.height, rest.height] == [2_200, 300]
    assert store.leads.judged_after("L99999", 10)[0].is_empty()
    assert found.schema == pl.Schema(JUDGED)
    whole = pl.concat([found, rest])
    assert whole["lead_id"].to_list() == [row["lead_id"] for row in rows]
    first = whole.head(3)
    assert first["temperature"].to_list() == ["warm, or so", None, "hot"]
    assert first["score"].to_list() == [10, None, 10]
    assert first["spent_rejection"].to_list()[:2] == [ODD, None]
    assert first["returned_on"].to_list() == [date(2026, 5, 1), None, None]
    assert first["temperature_since"].to_list() == [None, None, date(2026, 1, 2)]
    lead = pl.concat([SNAPSHOTS.decode_lines(values, 2_200), SNAPSHOTS.decode_lines(more, 300)])
    assert lead["company"].to_list()[:4] == ["Shop 0", "Shop 1", 'a\nb "c"', "Shop 3"]
    assert lead["forms"].to_list()[3:] == list(range(3, 2_500))
