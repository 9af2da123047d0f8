"""Rows beside leads: what stands in one order already is given as the long way gives it."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sync.inorder import alike, ascending, beside, blanks, in_order, missing_among, with_new

_IDS = st.lists(st.sampled_from("abcdefgh"), max_size=8)


def _texts(values: list[str] | list[str | None]) -> pl.Series:
    return pl.Series("lead_id", values, dtype=pl.String)


@given(leads=st.lists(st.sampled_from("abcdefgh"), max_size=8, unique=True))
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_each_lead_has_its_own_row_beside_it(leads: list[str], share: float) -> None:
    there = leads[: round(len(leads) * share)]
    for order in (there, there[::-1], [*there, "z"]):
        rows = pl.DataFrame({"at": _texts([f"of {one}" for one in order]), "lead_id": _texts(order)})
        found = beside(_texts(leads).to_frame(), rows, "lead_id")
        wanted = [f"of {one}" if one in there else None for one in leads]
        assert_frame_equal(found, pl.DataFrame({"at": wanted}, schema={"at": pl.String()}))


def test_a_lead_without_a_record_has_nothing_beside_it() -> None:
    records = pl.DataFrame({"record_id": ["1", None]}, schema={"record_id": pl.String()})
    rows = pl.DataFrame({"record_id": ["1", None], "text": ["one", "nobody's"]})
    assert beside(records, rows, "record_id")["text"].to_list() == ["one", None]


@given(ids=_IDS)
def test_ids_come_in_order_and_each_once(ids: list[str]) -> None:
    assert in_order(_texts(ids)).to_list() == sorted(set(ids))
    assert ascending(_texts(ids)) == (ids == sorted(set(ids)))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (["a", "b"], ["a", "b"], True),
        ([], [], True),
        (["a", "b"], ["b", "a"], False),
        (["a"], ["a", "b"], False),
        (["a", None], ["a", None], False),
    ],
)
def test_columns_are_alike_in_texts_and_order(
    one: list[str | None], other: list[str | None], same: bool
) -> None:
    assert alike(_texts(one), _texts(other)) is same


@given(stored=_IDS, new=_IDS)
def test_a_link_that_is_stored_comes_before_a_new_one_of_its_record(
    stored: list[str], new: list[str]
) -> None:
    found = with_new(_links("stored", dict.fromkeys(stored)), _links("new", dict.fromkeys(new)))
    wanted = [(one, "stored") for one in dict.fromkeys(stored)]
    wanted += [(one, "new") for one in dict.fromkeys(new) if one not in stored]
    assert found.select("record_id", "lead_id").rows() == wanted


@given(linked=_IDS, have=_IDS)
def test_records_that_are_not_there_are_missing(linked: list[str], have: list[str]) -> None:
    found = missing_among(_links("lead", dict.fromkeys(linked)), _texts(have))
    assert found["record_id"].to_list() == [one for one in dict.fromkeys(linked) if one not in have]


def _links(lead: str, records: dict[str, None]) -> pl.DataFrame:
    rows = [(lead, "hubspot", record) for record in records]
    return pl.DataFrame(
        rows, schema=dict.fromkeys(("lead_id", "crm", "record_id"), pl.String()), orient="row"
    )


def test_blanks_are_nulls_of_their_types_each_to_be_changed_alone() -> None:
    schema = {
        "name": pl.String(),
        "company": pl.String(),
        "at": pl.Datetime("us", "UTC"),
        "fields": pl.List(pl.String()),
    }
    found = blanks(schema, 2)
    assert_frame_equal(found, pl.DataFrame({name: [None, None] for name in schema}, schema=schema))
    found["name"].scatter(0, "Ada")
    assert found["company"].to_list() == [None, None]
    assert_frame_equal(blanks(schema, 0), pl.DataFrame(schema=schema))
