"""Sorting what was read into slices loses no record, invents none and keeps the newest reading, on disk or not."""

from __future__ import annotations

import stat
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.shelf import Shelf, ShelfSlice, lead_order

RECORDS, AT_ONCE = 60, 16


def _frame(numbers: range | list[int], value: str) -> pl.DataFrame:
    # Neither sorted by record nor by lead, as a CRM sends them.
    shuffled = sorted(numbers, key=lambda n: (n * 7919) % 61)
    return pl.DataFrame(
        {
            "_id": [f"r{n:03}" for n in shuffled],
            "lead_id": [f"L{n * 7 % 100:03}" for n in shuffled],
            "value": [f"{value}{n}" for n in shuffled],
        }
    )


def _filled(folder: Path, in_memory: int) -> Shelf:
    shelf = Shelf(folder, in_memory)
    for start in range(0, RECORDS, 10):
        shelf.put("hubspot", _frame(range(start, start + 10), "h"))
        shelf.put("salesforce", _frame(range(start, start + 10), "s"))
    # Read a second time while the run went on.
    shelf.put("hubspot", _frame([3, 59], "again"))
    return shelf


def _taken(part: ShelfSlice | Shelf, crm: str) -> dict[str, tuple[str, str]]:
    frame = part.take(crm)
    assert frame is not None
    assert frame["_id"].is_unique().all()
    return {row["_id"]: (row["lead_id"], row["value"]) for row in frame.to_dicts()}


@pytest.mark.parametrize("in_memory", [1_000_000, 2_000, 0])
def test_every_record_is_in_the_slice_of_its_lead_once(tmp_path: Path, in_memory: int) -> None:
    parts = _filled(tmp_path, in_memory).slices(AT_ONCE)
    leads = sorted(f"L{n * 7 % 100:03}" for n in range(RECORDS))
    assert len(parts) == 4
    for number, part in enumerate(parts):
        mine = set(leads[number * AT_ONCE : (number + 1) * AT_ONCE])
        numbers = [n for n in range(RECORDS) if f"L{n * 7 % 100:03}" in mine]
        newest = {3: "again3", 59: "again59"}
        assert _taken(part, "salesforce") == {f"r{n:03}": (f"L{n * 7 % 100:03}", f"s{n}") for n in numbers}
        assert _taken(part, "hubspot") == {
            f"r{n:03}": (f"L{n * 7 % 100:03}", newest.get(n, f"h{n}")) for n in numbers
        }
        read = part.read("hubspot")
        assert read is not None
        assert set(read["lead_id"]) == mine


@pytest.mark.parametrize("in_memory", [1_000_000, 2_000, 0])
def test_pieces_of_all_records_have_the_columns_that_are_asked_for_and_there(
    tmp_path: Path, in_memory: int
) -> None:
    shelf = _filled(tmp_path, in_memory)
    whole = pl.concat(shelf.frames("salesforce", ("_id", "value", "not there")))
    assert whole.columns == ["_id", "value"]
    assert sorted(whole.rows()) == [(f"r{n:03}", f"s{n}") for n in range(RECORDS)]


def test_the_leads_of_a_crm_are_numbered_once_and_ascending(tmp_path: Path) -> None:
    shelf = _filled(tmp_path, 2_000)
    leads = pl.Series(sorted({f"L{n * 7 % 100:03}" for n in range(RECORDS)}))
    assert shelf.order_of_leads("hubspot").equals(lead_order(leads))
    assert shelf.order_of_leads("nowhere").is_empty()


def test_files_on_disk_are_few_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    five_readings = 5 * int(_frame(range(50, 60), "h").estimated_size())
    _filled(tmp_path, five_readings).slices(AT_ONCE)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    # Two runs of each CRM; what was read after the last of them stays in memory.
    assert len(files) == 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


@pytest.mark.parametrize("in_memory", [1_000_000, 0])
def test_a_counterpart_fetched_later_joins_its_slice_and_stays(tmp_path: Path, in_memory: int) -> None:
    shelf = _filled(tmp_path, in_memory)
    part = shelf.slices(AT_ONCE)[0]
    before = _taken(part, "hubspot")
    part.put("hubspot", _frame([500], "late").with_columns(lead_id=pl.lit("L000")))
    for _ in range(2):
        assert _taken(part, "hubspot") == {**before, "r500": ("L000", "late500")}
        read = part.read("hubspot")
        assert read is not None
        assert set(read["_id"]) == set(before)
        part.put_away()
    shelf.clear()
    assert list(tmp_path.iterdir()) == []


@given(st.lists(st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=13, max_size=13), min_size=1))
def test_leads_are_ordered_by_number_as_by_name(names: list[str]) -> None:
    ids = pl.Series("lead_id", ["L" + name for name in names])
    order = lead_order(ids)
    assert order.n_unique() == ids.n_unique()
    assert ids.gather(order.arg_sort()).to_list() == sorted(ids)
