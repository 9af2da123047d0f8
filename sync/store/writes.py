"""Changes field by field as the rows of the journal, which has one a write of a record. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

#: Whose fields are written together: what a create writes stands apart from what is set.
_WRITE = ("lead_id", "crm", "object", "record_id", "is_new")
_IS_NEW = (pl.col("kind") == "create").alias("is_new")
#: Columns of the journal that list what each field has to say, and the column of a change that says it.
_LISTS: Mapping[str, str] = {"fields": "field", "crm_fields": "crm_field", "after": "after"}
#: The same, with a single entry where all fields say alike.
_SHORT_LISTS: Mapping[str, str] = {name: name for name in ("before", "why", "lane", "kind")}


def as_writes(intents: pl.DataFrame) -> pl.DataFrame:
    """``journal.INTENTS`` as rows of the journal: the lists are texts in PostgreSQL's spelling of an array."""
    listed = [_entry(intents, name).alias(f"_{name}") for name in {**_LISTS, **_SHORT_LISTS}.values()]
    all_of = {name: pl.col(f"_{source}").str.join(",") for name, source in _LISTS.items()}
    short = {
        name: pl.when((pl.col(f"_{source}") == pl.col(f"_{source}").first()).all())
        .then(pl.col(f"_{source}").first())
        .otherwise(pl.col(f"_{source}").str.join(","))
        for name, source in _SHORT_LISTS.items()
    }
    rows = (
        intents.with_columns(_IS_NEW)
        .select(*_WRITE, *listed)
        .group_by(*_WRITE, maintain_order=True)
        .agg(**all_of, **short)
    )
    lists = [pl.concat_str(pl.lit("{"), name, pl.lit("}")).alias(name) for name in (*all_of, *short)]
    return rows.select(*_WRITE[:-1], *lists)


def _entry(intents: pl.DataFrame, name: str) -> pl.Expr:
    """The values of a column as entries of an array."""
    value = pl.col(name)
    if intents[name].str.contains_any(["\\", '"']).any():
        value = value.str.replace_all("\\", "\\\\", literal=True).str.replace_all('"', '\\"', literal=True)
    return pl.concat_str(pl.lit('"'), value, pl.lit('"')).fill_null("NULL")


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
