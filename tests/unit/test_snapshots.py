"""Lead values as text and back."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from sync.fewsnapshots import FEW
from sync.snapshots import Snapshots

SCHEMA: dict[str, pl.DataType] = {
    "text": pl.String(),
    "whole": pl.Int64(),
    "truth": pl.Boolean(),
    "money": pl.Decimal(18, 2),
    "day": pl.Date(),
    "moment": pl.Datetime("us", "UTC"),
}
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text(st.characters(codec="utf-8"), max_size=20),
    "whole": st.integers(-(2**63), 2**63 - 1),
    "truth": st.booleans(),
    "money": st.integers(-(10**17), 10**17).map(lambda cents: Decimal(cents).scaleb(-2)),
    "day": st.dates(),
    "moment": st.datetimes(timezones=st.just(UTC)),
}
_rows = st.lists(
    st.fixed_dictionaries({name: st.none() | strategy for name, strategy in VALUES.items()}), max_size=5
)


@settings(max_examples=150, deadline=None)
@given(_rows)
def test_every_value_comes_back_as_it_was(rows: list[dict[str, Any]]) -> None:
    frame = pl.DataFrame(rows, schema=SCHEMA)
    texts = Snapshots(SCHEMA).encode(frame)
    assert_frame_equal(Snapshots(SCHEMA).decode(texts), frame)


@settings(max_examples=100, deadline=None)
@given(_rows)
def test_a_few_rows_are_spelled_and_read_as_among_many(rows: list[dict[str, Any]]) -> None:
    snapshots = Snapshots(SCHEMA)
    frame = pl.DataFrame(rows, schema=SCHEMA)
    blank = pl.DataFrame([dict.fromkeys(SCHEMA)] * (FEW + 1), schema=SCHEMA)
    texts = snapshots.encode(frame)
    assert snapshots.encode(pl.concat([frame, blank])).head(frame.height).to_list() == texts.to_list()
    among_many = snapshots.decode(pl.concat([texts, pl.Series([None] * (FEW + 1), dtype=pl.String)]))
    assert_frame_equal(snapshots.decode(texts), among_many.head(frame.height))


@pytest.mark.parametrize(
    "text",
    [
        *('{"whole":"seven"}', '{"day":"soon"}', '{"money":"much"}', '{"money":"NaN"}', '{"money":" 5"}'),
        *('{"money":"1_000"}', '{"day":"20240101"}', '{"moment":"2024-01-01"}', '{"whole":1.5}'),
        *('{"moment":"2024-01-01T10:00:00+02:00"}', '{"moment":"2024-01-01T10:00:00.5Z"}', "[]", "{"),
    ],
)
def test_a_value_that_is_not_what_the_schema_says_is_read_alike_among_few_and_many(text: str) -> None:
    snapshots = Snapshots(SCHEMA)

    def read(texts: list[str | None]) -> object:
        try:
            return snapshots.decode(pl.Series(texts, dtype=pl.String)).row(0)
        except pl.exceptions.PolarsError as error:
            return type(error)

    assert read([text]) == read([text, *[None] * (FEW + 1)])


def test_equal_values_give_equal_texts_however_they_came() -> None:
    snapshots = Snapshots(SCHEMA)
    one = pl.DataFrame({"whole": [1], "text": ["a"]}, schema={"whole": pl.Int64(), "text": pl.String()})
    other = pl.DataFrame([{"text": "a", "whole": 1}], schema=SCHEMA)
    assert snapshots.encode(one).to_list() == snapshots.encode(other).to_list() == ['{"text":"a","whole":1}']


def test_blanks_are_left_out_and_zero_false_and_empty_texts_are_not() -> None:
    frame = pl.DataFrame([{"text": "", "whole": 0, "truth": False}], schema=SCHEMA)
    assert json.loads(Snapshots(SCHEMA).encode(frame)[0]) == {"text": "", "whole": 0, "truth": False}


@settings(max_examples=50, deadline=None)
@given(_rows, st.sampled_from([(), ("text",), ("money", "text"), tuple(SCHEMA)]), st.sampled_from([1, FEW]))
def test_two_frames_that_share_columns_give_the_texts_that_each_gives_alone(
    rows: list[dict[str, Any]], names: tuple[str, ...], times: int
) -> None:
    frame, snapshots = pl.DataFrame(rows * times, schema=SCHEMA), Snapshots(SCHEMA)
    others = frame.select(names).reverse()
    ours, theirs = snapshots.encode_both(frame, others)
    assert ours.to_list() == snapshots.encode(frame).to_list()
    assert theirs.to_list() == snapshots.encode(frame.with_columns(others.get_columns())).to_list()


def test_amounts_are_text_and_times_are_utc() -> None:
    moment = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
    row = {"money": Decimal("0.10"), "day": date(2026, 1, 2), "moment": moment}
    texts = Snapshots(SCHEMA).encode(pl.DataFrame([row], schema=SCHEMA))
    assert texts[0] == '{"money":"0.10","day":"2026-01-02","moment":"2026-11-22T09:00:00Z"}'


def test_a_field_that_is_no_longer_known_is_passed_over() -> None:
    texts = pl.Series(['{"gone":{"deep":[1]},"text":"a"}'])
    assert Snapshots(SCHEMA).decode(texts)["text"].to_list() == ["a"]


def test_a_field_that_is_new_is_blank() -> None:
    wider = Snapshots({**SCHEMA, "new": pl.String()})
    assert wider.decode(pl.Series(['{"text":"a"}']))["new"].to_list() == [None]


def test_no_text_is_nothing_known() -> None:
    decoded = Snapshots(SCHEMA).decode(pl.Series([None], dtype=pl.String), "b.")
    assert decoded.columns == ["b." + name for name in SCHEMA]
    assert decoded.row(0) == (None,) * len(SCHEMA)


def test_no_rows_give_no_texts_and_back() -> None:
    snapshots = Snapshots(SCHEMA)
    assert snapshots.encode(pl.DataFrame(schema=SCHEMA)).to_list() == []
    assert_frame_equal(snapshots.decode(pl.Series([], dtype=pl.String)), pl.DataFrame(schema=SCHEMA))


def test_a_prefix_chooses_the_side() -> None:
    frame = pl.DataFrame({"h.text": ["a"], "s.text": ["b"]})
    assert Snapshots(SCHEMA).encode(frame, "s.").to_list() == ['{"text":"b"}']


def test_signs_that_json_escapes_are_escaped_in_whichever_row_they_stand() -> None:
    texts = ['say "no"', "a\\b", "two\nlines", "\x01", "plain", None, "Jürgen/Łukasz", "\x7f"]
    frame = pl.DataFrame({"text": pl.Series(texts, dtype=pl.String)})
    written = Snapshots(SCHEMA).encode(frame).to_list()
    assert written[0] == '{"text":"say \\"no\\""}'
    assert written[5] == "{}"
    assert [json.loads(text).get("text") for text in written] == texts


def test_parts_of_a_second_are_written_and_read_where_there_are_any() -> None:
    moments = [
        datetime(2026, 11, 22, 9, 0, tzinfo=UTC),
        datetime(2026, 11, 22, 9, 0, 0, 1200, tzinfo=UTC),
        None,
    ]
    frame = pl.DataFrame({"moment": pl.Series(moments, dtype=SCHEMA["moment"])})
    written = Snapshots(SCHEMA).encode(frame)
    assert written.to_list() == [
        '{"moment":"2026-11-22T09:00:00Z"}',
        '{"moment":"2026-11-22T09:00:00.001200Z"}',
        "{}",
    ]
    assert Snapshots(SCHEMA).decode(written)["moment"].to_list() == moments


def _beside(now: pl.DataFrame, texts: pl.Series, marks: pl.Series) -> pl.DataFrame:
    stored = pl.DataFrame([texts.alias("record_values"), marks.alias("record_mark")])
    shown = now.rename({name: f"h.{name}" for name in now.columns})
    snapshots = Snapshots(SCHEMA)
    apart = snapshots.apart(stored, shown, "h.")
    return snapshots.decode_beside(stored, shown, apart, prefix="bh.", beside="h.")


@settings(max_examples=60, deadline=None)
@given(_rows, _rows)
def test_what_still_stands_is_taken_over_and_what_changed_is_read(
    rows: list[dict[str, Any]], changed: list[dict[str, Any]]
) -> None:
    snapshots = Snapshots(SCHEMA)
    many = rows + [dict.fromkeys(SCHEMA) | {"whole": number} for number in range(4 * FEW)]
    now = pl.DataFrame(many, schema=SCHEMA)
    then = pl.DataFrame(changed + many[len(changed) :] if changed else many, schema=SCHEMA).head(now.height)
    texts = snapshots.encode(then)
    read = _beside(now, texts, snapshots.marks(then, texts))
    assert_frame_equal(read, snapshots.decode(texts, "bh."))


@pytest.mark.parametrize("rows", [3, 4 * FEW])
def test_a_text_is_read_where_no_mark_or_another_text_s_mark_stands_beside_it(rows: int) -> None:
    snapshots = Snapshots(SCHEMA)
    now = pl.DataFrame([dict.fromkeys(SCHEMA) | {"whole": number} for number in range(rows)], schema=SCHEMA)
    texts = snapshots.encode(now)
    marks = snapshots.marks(now, texts)
    others = texts.scatter([0, 2], ['{"whole":70}', None])
    read = _beside(now, others, marks.scatter(1, None))["bh.whole"].to_list()
    assert read == [70, 1, None, *range(3, rows)]


def test_a_mark_is_another_one_where_columns_or_their_types_are_others() -> None:
    frame = pl.DataFrame({"text": ["1"], "whole": [1]}, schema={"text": pl.String, "whole": pl.Int64})
    text = pl.Series(["{}"])
    schemas: list[dict[str, pl.DataType]] = [
        {"text": pl.String()},
        {"whole": pl.Int64()},
        {"text": pl.String(), "whole": pl.Int64()},
        {"text": pl.String(), "whole": pl.Decimal(18, 2)},
        {"words": pl.String(), "whole": pl.Int64()},
    ]
    assert len({Snapshots(schema).marks(frame, text)[0] for schema in schemas}) == len(schemas)
