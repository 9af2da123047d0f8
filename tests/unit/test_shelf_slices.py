"""Sorting what was read into slices loses no record, invents none and keeps the newest reading, on disk or not."""

from __future__ import annotations

import stat
from pathlib import Path

import polars as pl
import pytest

from sync import shelf as shelves
from sync.shelf import Shelf

RECORDS, SLICES = 60, 4


def _frame(numbers: range | list[int], value: str) -> pl.DataFrame:
    return pl.DataFrame({"_id": [f"r{n:03}" for n in numbers], "value": [f"{value}{n}" for n in numbers]})


def _places(numbers: range) -> pl.DataFrame:
    # Neither sorted by record nor by slice, as pairs come.
    shuffled = sorted(numbers, key=lambda n: (n * 7919) % 61)
    rows = [(f"r{n:03}", f"L{n}", n % SLICES) for n in shuffled]
    return pl.DataFrame(
        rows, schema={"_id": pl.String, "lead_id": pl.String, "slice": pl.Int64}, orient="row"
    )


def _sorted(folder: Path, in_memory: int) -> list[Shelf]:
    shelf = Shelf(folder, in_memory)
    for start in range(0, RECORDS, 10):
        shelf.put("hubspot", _frame(range(start, start + 10), "h"))
        shelf.put("salesforce", _frame(range(start, start + 10), "s"))
    # Read a second time while the run went on, and one that is nobody's.
    shelf.put("hubspot", _frame([3, 59, 999], "again"))
    return shelf.sliced({"hubspot": _places(range(RECORDS)), "salesforce": _places(range(RECORDS))}, SLICES)


@pytest.mark.parametrize("in_memory", [1_000, 25, 0])
def test_every_record_is_in_the_slice_of_its_lead_once(tmp_path: Path, in_memory: int) -> None:
    for number, part in enumerate(_sorted(tmp_path, in_memory)):
        for crm, value in (("hubspot", "h"), ("salesforce", "s")):
            taken = part.take(crm)
            assert taken is not None
            wanted = [n for n in range(RECORDS) if n % SLICES == number]
            assert sorted(taken["_id"]) == [f"r{n:03}" for n in wanted]
            assert dict(taken.select("_id", "lead_id").iter_rows()) == {f"r{n:03}": f"L{n}" for n in wanted}
            newest = {3: "again3", 59: "again59"} if crm == "hubspot" else {}
            assert dict(taken.select("_id", "value").iter_rows()) == {
                f"r{n:03}": newest.get(n, f"{value}{n}") for n in wanted
            }


@pytest.mark.parametrize("in_memory", [1_000, 25])
def test_records_without_a_lead_are_left_out(tmp_path: Path, in_memory: int) -> None:
    shelf = Shelf(tmp_path, in_memory)
    shelf.put("hubspot", _frame(range(RECORDS), "h"))
    parts = shelf.sliced({"hubspot": _places(range(0))}, 2)
    taken = [part.take("hubspot") for part in parts]
    assert all(frame is None or frame.is_empty() for frame in taken)


def test_slices_on_disk_are_few_files_that_only_their_owner_reads(tmp_path: Path) -> None:
    parts = _sorted(tmp_path, 0)
    files = [path for path in tmp_path.rglob("slice-*/*") if path.is_file()]
    assert len(files) == len(parts) * 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_counterpart_fetched_later_joins_its_slice(tmp_path: Path) -> None:
    part = _sorted(tmp_path, 0)[0]
    part.put("hubspot", _frame([500], "late").with_columns(lead_id=pl.lit("L0")))
    taken = part.take("hubspot")
    assert taken is not None
    assert taken.filter(pl.col("_id") == "r500")["lead_id"].to_list() == ["L0"]
    assert shelves.ROWS_BEING_SORTED > shelves.ROWS_IN_MEMORY
