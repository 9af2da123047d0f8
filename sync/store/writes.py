"""Changes field by field as the rows of the journal, which has one a write of a record. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from sync.inorder import together

#: Whose fields are written together: what a create writes stands apart from what is set.
_WRITE = ("lead_id", "crm", "object", "record_id", "is_new")
_IS_NEW = (pl.col("kind") == "create").alias("is_new")
#: Columns of the journal that list what each field has to say, and the column of a change that says it.
_LISTS: Mapping[str, str] = {"fields": "field", "crm_fields": "crm_field", "after": "after"}
#: The same, with a single entry where all fields say alike.
_SHORT_LISTS: Mapping[str, str] = {name: name for name in ("before", "why", "lane", "kind")}


def as_writes(intents: pl.DataFrame) -> pl.DataFrame:
    """``journal.INTENTS`` as rows of the journal: the lists are texts in PostgreSQL's spelling of an array."""
    rows, number = _write_by_write(intents.with_columns(_IS_NEW))
    starts = _starts(number)
    short = {name: _alike(rows[source], number, starts) for name, source in _SHORT_LISTS.items()}
    whole = _arrays({name: rows[source] for name, source in _LISTS.items()}, number)
    return rows.select(_WRITE[:-1])[starts].with_columns(**whole, **short)


def _write_by_write(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """The changes with those of a write together, as the first of each stand, and the number of each one's write.

    A plan's stand so already; to group them by five texts would take as long as all the rest.
    """
    number = rows.select(pl.struct(_WRITE).rle_id()).to_series()
    firsts = rows.select(_WRITE)[_starts(number)]
    if firsts.unique().height < firsts.height:
        rows = together(rows, _WRITE)
        number = rows.select(pl.struct(_WRITE).rle_id()).to_series()
    return rows, number


def _starts(number: pl.Series) -> pl.Series:
    """Where each write begins."""
    return number.rle().struct.field("len").cum_sum().shift(1, fill_value=0)


def _alike(values: pl.Series, number: pl.Series, starts: pl.Series) -> pl.Series:
    """What each write's fields say as an array: once, where they all say alike."""
    first = values[starts]
    said = _arrays({"said": first}, pl.int_range(len(first), dtype=pl.UInt32(), eager=True))["said"]
    apart = number.filter(values.ne_missing(first[number])).unique()
    if apart.is_empty():
        return said
    theirs = number.is_in(apart.implode())
    listed = _arrays({"said": values.filter(theirs)}, number.filter(theirs))["said"]
    return said.scatter(apart.sort(), listed)


def _arrays(columns: Mapping[str, pl.Series], number: pl.Series) -> dict[str, pl.Series]:
    """The values of each write as an array; writes stand in the order of their numbers."""
    spelled = [_spelled(values).alias(name) for name, values in columns.items()]
    by_write = pl.DataFrame([number.alias("_write"), *spelled]).group_by("_write", maintain_order=True)
    listed = by_write.agg(*columns)
    # What is never blank is quoted where it is joined, and not value by value.
    marks = {name: "" if values.null_count() else '"' for name, values in columns.items()}
    texts = listed.select(
        pl.concat_str(
            pl.lit("{" + mark), pl.col(name).list.join(mark + "," + mark), pl.lit(mark + "}")
        ).alias(name)
        for name, mark in marks.items()
    )
    return {name: texts[name] for name in columns}


def _spelled(values: pl.Series) -> pl.Series:
    """The values as an array has them, but for the quotes of a column without blanks."""
    if values.str.contains_any(["\\", '"']).any():
        values = values.str.replace_all("\\", "\\\\", literal=True).str.replace_all('"', '\\"', literal=True)
    if not values.null_count():
        return values
    quoted = pl.concat_str(pl.lit('"'), values.name, pl.lit('"')).fill_null("NULL")
    return values.to_frame().select(quoted).to_series()


def as_ends(results: pl.DataFrame) -> pl.DataFrame:
    """``journal.RESULTS`` as one row a write: its record, its state, and as JSON the fields that ended otherwise.

    Otherwise is a field with another state, or of which the CRM says that it holds something else, or which waited for
    the id of a new record.
    """
    results = results.with_columns(_IS_NEW)
    whole = results.group_by(*_WRITE, maintain_order=True).agg(pl.col("state").first())
    first = results.select(pl.col("state").first().over(*_WRITE)).to_series()
    differs = results.select(
        *_WRITE,
        "field",
        state=pl.when(pl.col("state") != first).then("state"),
        after=pl.when(pl.col("kind") == "cross_id").then("after"),
        stored="stored",
    ).filter(pl.any_horizontal(pl.col("state", "after", "stored").is_not_null()))
    if differs.is_empty():
        return whole.with_columns(ends=pl.lit(None, pl.String()))
    # JSON would spell a zero byte, which PostgreSQL does not hold, in letters.
    named = differs.with_columns(pl.col("after", "stored").str.replace_all("\0", "", literal=True)).select(
        *_WRITE,
        _end=pl.concat_str(
            pl.struct("field").struct.json_encode().str.slice(9).str.head(-1),
            pl.lit(":"),
            pl.struct("state", "after", "stored").struct.json_encode(),
        ),
    )
    ends = named.group_by(*_WRITE).agg(ends=pl.col("_end").str.join(","))
    ends = ends.with_columns(ends=pl.concat_str(pl.lit("{"), "ends", pl.lit("}")))
    return whole.join(ends, on=_WRITE, how="left", nulls_equal=True, maintain_order="left")
