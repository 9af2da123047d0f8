"""A decision that was kept on disk comes back as it was."""

from __future__ import annotations

import stat
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from mapping.qualification.handover import nothing
from sync.decide import Decided
from sync.fed import Fed
from sync.kept import Kept
from sync.plan import CHANGES
from sync.turned import Turned

WHEN = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
#: Columns of every kind that a slice of leads has, each value with its type.
KINDS: dict[str, tuple[pl.DataType, st.SearchStrategy[object]]] = {
    "text": (pl.String(), st.sampled_from(["", "0", "Jürgen 🦊", "שלום"])),
    "number": (pl.Float64(), st.sampled_from([0.0, -0.0, float("nan"), 1e300])),
    "count": (pl.Int32(), st.integers(-2, 2)),
    "money": (pl.Decimal(18, 2), st.sampled_from([Decimal("0.00"), Decimal("-1.10")])),
    "truth": (pl.Boolean(), st.booleans()),
    "moment": (pl.Datetime("us", "UTC"), st.just(WHEN)),
    "word": (pl.Enum(["cold", "hot"]), st.sampled_from(["cold", "hot"])),
    "list": (pl.List(pl.String()), st.lists(st.sampled_from(["a", "b"]), max_size=2)),
}


@st.composite
def _frames(draw: st.DrawFn) -> pl.DataFrame:
    """Frames in which columns are often nothing but nulls, and often say what another one says."""
    height = draw(st.integers(0, 6))
    columns: list[pl.Series] = []
    for number, kind in enumerate(draw(st.lists(st.sampled_from(list(KINDS)), max_size=12))):
        dtype, values = KINDS[kind]
        alike = [column for column in columns if column.dtype == dtype]
        held = draw(st.lists(st.none() | values, min_size=height, max_size=height))
        new = pl.Series(f"c{number}", held, dtype=dtype)
        columns.append(draw(st.sampled_from([new, *alike])).alias(new.name))
    return pl.DataFrame(columns)


@given(leads=_frames())
def test_frames_come_back_with_their_columns_types_and_rows(
    leads: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> None:
    changes = pl.DataFrame(schema=dict(CHANGES))
    kept = Kept(tmp_path_factory.mktemp("kept"), 2)
    kept.put(0, Decided(leads, changes, leads.clear()))
    back = kept.take(0)
    kept.clear()

    assert back is not None
    assert_frame_equal(back.leads, leads)
    assert back.leads.schema == leads.schema
    # Where a number has two spellings, it is the same one.
    spelled = pl.selectors.float().cast(pl.String)
    assert back.leads.select(spelled).equals(leads.select(spelled))
    assert_frame_equal(back.changes, changes)
    assert_frame_equal(back.conflicts, leads.clear())


@pytest.mark.parametrize("slices", [1, 2])
def test_everything_of_a_decision_comes_back(tmp_path: Path, slices: int) -> None:
    leads = pl.DataFrame({"lead_id": ["L1", "L2"], "city": ["Köln", None]})
    decided = Decided(
        leads,
        pl.DataFrame(schema=dict(CHANGES)),
        leads.clear(),
        moved=leads.head(1),
        unplanned=leads["lead_id"],
        loud=leads.tail(1),
        turned=Turned(leads, leads.clear(), {"city": "MailingCity"}),
        handed=nothing(),
        fed=Fed(tried=("opportunity",)),
    )
    kept = Kept(tmp_path, slices)
    kept.put(1, decided)
    for again in (True, False):
        back = kept.take(1, again=again)
        assert back is not None
        for one in fields(Decided):
            was, now = getattr(decided, one.name), getattr(back, one.name)
            same = was.equals(now) if isinstance(was, pl.DataFrame | pl.Series) else repr(was) == repr(now)
            assert same, one.name
    assert kept.take(1) is None
    assert kept.take(0) is None


def test_decisions_are_private_and_gone_with_the_run(tmp_path: Path) -> None:
    leads = pl.DataFrame({"lead_id": ["L1"]})
    kept = Kept(tmp_path / "spill", 2)
    for number in (0, 1):
        kept.put(number, Decided(leads, leads, leads))
    (folder,) = (tmp_path / "spill").iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    kept.take(0)
    assert len(list(folder.iterdir())) == 1
    kept.clear()
    assert list((tmp_path / "spill").iterdir()) == []


def test_the_decision_of_a_single_slice_needs_no_disk(tmp_path: Path) -> None:
    leads = pl.DataFrame({"lead_id": ["L1"]})
    decided = Decided(leads, leads, leads)
    kept = Kept(tmp_path / "spill", 1)
    kept.put(0, decided)
    assert kept.take(0) is decided
    assert not (tmp_path / "spill").exists()
