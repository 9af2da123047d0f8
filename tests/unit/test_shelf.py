"""Where read records wait: whole, private, and gone when nobody needs them."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from sync.shelf import Shelf, ShelfSlice, sweep

ROOT = Path(__file__).resolve().parents[2]


def _records(*ids: str, title: str = "CEO", lead: str | None = None) -> pl.DataFrame:
    leads = [lead or f"L{record[-1]}" for record in ids]
    return pl.DataFrame({"_id": list(ids), "lead_id": leads, "title": [title] * len(ids)})


def _ids(shelf: Shelf | ShelfSlice, crm: str) -> list[str]:
    taken = shelf.take(crm)
    return [] if taken is None else sorted(taken["_id"])


@pytest.fixture(params=[100_000, 0], ids=["in memory", "on disk"])
def limit(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_what_was_put_in_comes_out(tmp_path: Path, limit: int) -> None:
    shelf = Shelf(tmp_path, limit)
    shelf.put("hubspot", _records("1", "2"))
    shelf.put("salesforce", _records("00Q1"))
    assert (_ids(shelf, "hubspot"), _ids(shelf, "salesforce")) == (["1", "2"], ["00Q1"])
    shelf.clear()


def test_the_newest_reading_of_a_record_wins(tmp_path: Path, limit: int) -> None:
    shelf = Shelf(tmp_path, limit)
    shelf.put("hubspot", _records("1", "2", title="old"))
    shelf.put("hubspot", _records("1", title="new"))
    taken = shelf.take("hubspot")
    assert taken is not None
    wanted = pl.DataFrame({"_id": ["1", "2"], "lead_id": ["L1", "L2"], "title": ["new", "old"]})
    assert_frame_equal(taken.sort("_id"), wanted)
    shelf.clear()


def test_slices_keep_the_records_of_a_lead_together(tmp_path: Path, limit: int) -> None:
    shelf = Shelf(tmp_path, limit)
    shelf.put("hubspot", _records("1", "2", "3"))
    shelf.put("salesforce", _records("00Q1", "00Q2"))
    first, second = shelf.slices(1)[:2]
    assert (_ids(first, "hubspot"), _ids(first, "salesforce")) == (["1"], ["00Q1"])
    assert (_ids(second, "hubspot"), _ids(second, "salesforce")) == (["2"], ["00Q2"])
    taken = second.take("salesforce")
    assert taken is not None
    assert taken["lead_id"].to_list() == ["L2"]
    shelf.clear()


def test_records_that_nobody_knows_wait_apart_until_they_have_a_lead(tmp_path: Path, limit: int) -> None:
    shelf = Shelf(tmp_path, limit)
    shelf.put("hubspot", _records("1"))
    shelf.wait("hubspot", _records("2").drop("lead_id"))
    shelf.wait("hubspot", _records("3").drop("lead_id"))
    assert _ids(shelf, "hubspot") == ["1"]
    leads = pl.DataFrame({"_id": ["3", "1"], "lead_id": ["L9", "L8"]})
    assert [frame["_id"].to_list() for frame in shelf.settle("hubspot", leads)] == [["2"]]
    assert _ids(shelf, "hubspot") == ["1", "3"]
    [part] = shelf.slices(10)
    taken = part.take("hubspot")
    assert taken is not None
    assert dict(taken.select("_id", "lead_id").iter_rows()) == {"1": "L1", "3": "L9"}
    assert list(shelf.settle("hubspot", leads)) == []
    shelf.clear()


def test_a_column_in_which_nobody_has_anything_comes_out_as_it_was(tmp_path: Path, limit: int) -> None:
    nothing = pl.Series("score", [None, None], dtype=pl.Int64())
    names = pl.Series("_unread", [None, None], dtype=pl.List(pl.String()))
    put = _records("1", "2").insert_column(1, nothing).with_columns(names)
    shelf = Shelf(tmp_path, limit)
    shelf.put("hubspot", put)
    shelf.wait("hubspot", put.drop("lead_id").with_columns(_id=pl.Series(["3", "4"])))
    leads = pl.DataFrame({"_id": ["3"], "lead_id": ["L3"]})
    [alone] = shelf.settle("hubspot", leads)
    assert_frame_equal(alone.drop("_id"), put.drop("_id", "lead_id").tail(1))
    [seen, *_] = shelf.frames("hubspot", ("_id", "score", "else"))
    assert seen.schema == {"_id": pl.String(), "score": pl.Int64()}
    for part in (*shelf.slices(10), *shelf.slices(1)[:1]):
        taken = part.take("hubspot")
        assert taken is not None
        assert_frame_equal(taken.filter(pl.col("_id") == "1"), put.head(1), check_column_order=False)
    shelf.clear()


def test_a_column_that_only_some_readings_fill_is_blank_in_the_others(tmp_path: Path, limit: int) -> None:
    shelf = Shelf(tmp_path, limit)
    shelf.put("hubspot", _records("1").with_columns(score=pl.lit(None, dtype=pl.Int64())))
    shelf.put("hubspot", _records("2").with_columns(score=pl.lit(7, dtype=pl.Int64())))
    for part in (*shelf.slices(10), *shelf.slices(1)):
        taken = part.take("hubspot")
        assert taken is not None
        assert set(taken.select("_id", "score").iter_rows()) <= {("1", None), ("2", 7)}
    shelf.clear()


def test_an_empty_shelf_has_nothing_and_makes_no_folder(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, 0)
    shelf.put("hubspot", _records())
    shelf.wait("hubspot", _records())
    assert shelf.take("hubspot") is None
    assert [part.take("hubspot") for part in shelf.slices(10)] == [None]
    assert list(tmp_path.iterdir()) == []


def test_files_and_folders_are_for_their_owner_only(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, 0)
    shelf.put("hubspot", _records("1", "2"))
    shelf.wait("hubspot", _records("3").drop("lead_id"))
    modes = {path.is_dir(): stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert modes == {True: 0o700, False: 0o600}
    shelf.clear()
    assert list(tmp_path.iterdir()) == []


def test_two_shelves_of_one_process_do_not_meet(tmp_path: Path) -> None:
    one, other = Shelf(tmp_path, 0), Shelf(tmp_path, 0)
    one.put("hubspot", _records("1"))
    other.put("hubspot", _records("2"))
    Shelf(tmp_path, 0)
    assert (_ids(one, "hubspot"), _ids(other, "hubspot")) == (["1"], ["2"])
    one.clear()
    assert _ids(other, "hubspot") == ["2"]
    other.clear()


HOLDER = """
import sys, pathlib, polars, sync.shelf
shelf = sync.shelf.Shelf(pathlib.Path(sys.argv[1]), 0)
shelf.put("hubspot", polars.DataFrame({"_id": ["1"], "lead_id": ["L1"]}))
print("holding", flush=True)
sys.stdin.read()
"""


def test_a_killed_run_is_swept_and_a_living_one_is_not(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"holding\n"
    sweep(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    holder.stdin.close()
    holder.stdout.close()
    Shelf(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_a_dead_run_of_the_same_process_id_left_is_swept_too(tmp_path: Path) -> None:
    left = tmp_path / f"run-{os.getpid()}"
    left.mkdir()
    (left / "0.arrow").write_bytes(b"personal")
    shelf = Shelf(tmp_path, 0)
    assert not left.exists()
    shelf.put("hubspot", _records("1"))
    assert _ids(shelf, "hubspot") == ["1"]
    shelf.clear()


def test_a_slice_has_its_records_in_the_order_of_their_leads(tmp_path: Path, limit: int) -> None:
    shelf = Shelf(tmp_path, limit)
    shelf.put("hubspot", _records("7", "3", "5"))
    shelf.put("hubspot", _records("6", "2", "4"))
    shelf.put("hubspot", _records("3", title="read again"))
    parts = [part.take("hubspot") for part in shelf.slices(4)]
    taken = [part.select("lead_id", "title").rows() for part in parts if part is not None]
    first, second = [*(("L" + one, "CEO") for one in "2345")], [("L6", "CEO"), ("L7", "CEO")]
    first[1] = ("L3", "read again")
    assert taken == [first, second]
    shelf.clear()
