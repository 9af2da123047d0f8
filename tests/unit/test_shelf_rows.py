"""What a CRM said is kept once where a typed column says the same, and comes back to the letter."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sync.shelf import Shelf, lead_order
from sync.shelf_filled import filled
from sync.shelf_rows import Narrow, narrowed, restored, size_of, together

TWINS = {
    "hubspot": {
        "raw:name": "name",
        "raw:forms": "forms",
        "raw:out": "out",
        "raw:money": "money",
        "raw:x": "x",
    }
}
SCHEMA: dict[str, pl.DataType] = {
    **{"_id": pl.String(), "lead_id": pl.String(), "name": pl.String(), "forms": pl.Int64()},
    **{"out": pl.Boolean(), "money": pl.Decimal(18, 2)},
    **{"raw:name": pl.String(), "raw:forms": pl.String(), "raw:out": pl.String(), "raw:money": pl.String()},
}
_TEXT = st.none() | st.sampled_from(["", "Ada", " Ada", "Ümit", "a name of more than twelve letters", "true"])
_RECORD = st.fixed_dictionaries(
    {
        **{"name": _TEXT, "raw:name": _TEXT, "raw:forms": _TEXT, "raw:out": _TEXT, "raw:money": _TEXT},
        **{"forms": st.none() | st.integers(-3, 3), "out": st.none() | st.booleans(), "money": st.none()},
    }
)


def _records(odd: list[dict[str, Any]], height: int) -> pl.DataFrame:
    """So many records that say everything twice alike, and these."""
    alike = {"name": "Ada", "raw:name": "Ada", "forms": 2, "raw:forms": "2", "out": True, "raw:out": "true"}
    rows = [*odd, *([alike] * height)]
    ids = [{"_id": str(place), "lead_id": f"L{place * 7919 % 1009:04}"} for place in range(len(rows))]
    return pl.DataFrame([dict.fromkeys(SCHEMA) | row | ids[at] for at, row in enumerate(rows)], schema=SCHEMA)


def _by_id(frames: list[pl.DataFrame]) -> pl.DataFrame:
    return pl.concat(frames).sort("_id")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(odd=st.lists(_RECORD, max_size=8), height=st.sampled_from([0, 5, 60]))
def test_every_cell_comes_back_as_it_was_put_in(
    tmp_path: Path, odd: list[dict[str, Any]], height: int
) -> None:
    records = _records(odd, height)
    shelf = Shelf(tmp_path, 0, TWINS)
    shelf.put("hubspot", records)
    taken = [part.take("hubspot") for part in shelf.slices(7)]
    shelf.clear()
    if records.is_empty():
        assert taken == [None]
    else:
        assert_frame_equal(_by_id([part for part in taken if part is not None]), records.sort("_id"))


@pytest.mark.parametrize(
    "columns", [("raw:name",), ("_id", "name"), ("raw:out", "lead_id", "nowhere"), ("raw:money", "raw:forms")]
)
def test_single_columns_are_asked_for_as_if_all_were_there(tmp_path: Path, columns: tuple[str, ...]) -> None:
    records = _records([{"raw:name": "Eva"}, {"name": "Eva", "raw:out": "on"}, {"raw:money": "1.00"}], 50)
    shelf = Shelf(tmp_path, 0, TWINS)
    shelf.put("hubspot", records)
    (found,) = shelf.frames("hubspot", columns)
    shelf.clear()
    there = [name for name in columns if name in SCHEMA]
    by_lead = records.sort("lead_id", maintain_order=True)
    assert_frame_equal(found, by_lead.select(there))


def test_what_is_said_twice_takes_less_room_on_disk(tmp_path: Path) -> None:
    def stored(twins: dict[str, dict[str, str]]) -> int:
        shelf = Shelf(tmp_path, 0, twins)
        shelf.put("hubspot", _records([], 3_000))
        size = sum(file.stat().st_size for file in tmp_path.glob("run-*/*"))
        shelf.clear()
        return size

    assert stored(TWINS) < 0.8 * stored({})


def test_more_fields_than_a_byte_counts_come_back(tmp_path: Path) -> None:
    names = [f"field_{number}" for number in range(300)]
    columns = {name: ["A", "B"] for name in names} | {f"raw:{name}": [" A", "B"] for name in names}
    records = pl.DataFrame({"_id": ["1", "2"], "lead_id": ["L1", "L2"], **columns})
    shelf = Shelf(tmp_path, 0, {"hubspot": {f"raw:{name}": name for name in names}})
    shelf.put("hubspot", records)
    taken = [part.take("hubspot") for part in shelf.slices(7)]
    shelf.clear()
    assert_frame_equal(_by_id([one for one in taken if one is not None]), records, check_column_order=False)


def _written(folder: Path, name: str, records: pl.DataFrame, step: int) -> Narrow:
    """The records as they are, on disk in pieces of so many rows."""
    path = folder / name
    places = pl.int_range(records.height, dtype=pl.get_index_type(), eager=True)
    with path.open("wb") as file:
        return narrowed(filled(records), places, TWINS["hubspot"], file, path, step)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    odd=st.lists(_RECORD, max_size=8),
    step=st.integers(1, 12),
    borders=st.lists(st.integers(0, 60), min_size=1, max_size=6),
)
def test_a_stretch_is_the_same_however_the_pieces_lie(
    tmp_path: Path, odd: list[dict[str, Any]], step: int, borders: list[int]
) -> None:
    records = _records(odd, 52).head(60)
    lies = _written(tmp_path, "run", records, step)
    # In the order of the slices and back again: a piece at hand is the right one either way.
    ordered = sorted({*borders, 0, records.height})
    stretches = list(pairwise(ordered))
    for start, end in [*stretches, *reversed(stretches)]:
        end = min(end, records.height)
        found = restored(lies, lies.part(start, max(end - start, 0)))
        assert_frame_equal(found, records.slice(start, max(end - start, 0)))
    assert_frame_equal(pl.concat(lies.pieces()), records)


def test_runs_that_lack_different_columns_come_back_together_in_order(tmp_path: Path) -> None:
    alike, unlike = _records([], 6), _records([{"name": "Eva", "raw:name": None}] * 5, 1)
    runs = [alike, alike, unlike, alike]
    lie = [_written(tmp_path, str(place), run, 4) for place, run in enumerate(runs)]
    assert lie[0].twins != lie[2].twins
    frames = together([(one, one.part(2, 3)) for one in lie])
    assert_frame_equal(pl.concat(frames), pl.concat([run.slice(2, 3) for run in runs]))


def test_no_rows_of_a_run_are_a_frame_without_rows(tmp_path: Path) -> None:
    records = _records([{"raw:name": "Eva"}], 9)
    lies = _written(tmp_path, "run", records, 4)
    for start in (0, 4, 10):
        assert_frame_equal(restored(lies, lies.part(start, 0)), records.clear())


def _large(height: int) -> pl.DataFrame:
    """Records of some 4 KB, of leads in no order."""
    return pl.DataFrame(
        {
            "_id": [str(place) for place in range(height)],
            "lead_id": [f"L{place * 7919 % 10_007:05}" for place in range(height)],
            "text": [f"{place:04}" * 1_000 for place in range(height)],
        }
    )


@pytest.mark.parametrize("runs", [4, 16])
def test_what_stays_at_hand_between_slices_does_not_grow_with_the_records(tmp_path: Path, runs: int) -> None:
    limit = 400_000
    shelf = Shelf(tmp_path, limit)
    for number in range(runs):
        shelf.put("hubspot", _large(110).with_columns(pl.col("_id") + f"-{number}"))
    for low, high in pairwise((0, 2_000, 4_000, 6_000)):
        shelf.stretch("hubspot", *(lead_order(pl.Series([f"L{at:05}"]))[0] for at in (low, high)))
        narrow = [run.rows for run in shelf._runs["hubspot"] if isinstance(run.rows, Narrow)]
        assert len(narrow) == runs
        assert sum(rows.at_hand for rows in narrow) <= limit // 2


def test_a_piece_of_large_rows_has_fewer_of_them(tmp_path: Path) -> None:
    for rows, step in ((_large(3_000), 250), (_large(3_000).select("_id", "lead_id"), 1_000)):
        with (tmp_path / "run").open("wb") as file:
            run = narrowed(
                filled(rows),
                pl.int_range(rows.height, dtype=pl.UInt32(), eager=True),
                {},
                file,
                Path(file.name),
            )
        assert run.step == pytest.approx(step, rel=0.05)


@pytest.mark.parametrize("offset", [0, 1, 39])
def test_large_texts_that_come_regularly_are_counted(offset: int) -> None:
    rows = pl.DataFrame({"text": ["x" * (30_000 if place % 40 == offset else 9) for place in range(8_000)]})
    assert size_of(rows) == pytest.approx(rows.estimated_size(), rel=0.5)
