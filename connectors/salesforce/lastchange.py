"""Who last changed a record: every record shows its last change as a whole (Salesforce reference, section 2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import polars as pl

from connectors.crm import MODIFIED_AT, RECORD_ID, LastChange, Slab

Fetch = Callable[[str, Sequence[str], Sequence[str]], Iterator[Slab]]
MODIFIED_BY = "LastModifiedById"


def last_changes(
    fetch: Fetch, object_name: str, fields: Sequence[str], ids: Sequence[str]
) -> list[LastChange]:
    """One ``LastChange`` for each record that is there and each field, all fields of a record with the same."""
    found = _rows(fetch(object_name, (MODIFIED_BY,), ids), (RECORD_ID, MODIFIED_AT, MODIFIED_BY))
    if found.is_empty():
        return []
    users = found[MODIFIED_BY].drop_nulls().unique().to_list()
    names = dict(_rows(fetch("User", ("Name",), users), (RECORD_ID, "Name")).iter_rows()) if users else {}
    return [
        LastChange(record, field, at, names.get(user) or user or "")
        for record, at, user in found.iter_rows()
        for field in fields
    ]


def _rows(slabs: Iterator[Slab], columns: Sequence[str]) -> pl.DataFrame:
    """These columns of all slabs; one that this user may not see is null."""
    nothing = [pl.lit(None, dtype=pl.String).alias(name) for name in columns]
    frames = [
        slab.frame.with_columns(
            each for each, name in zip(nothing, columns, strict=True) if name not in slab.frame.columns
        ).select(columns)
        for slab in slabs
    ]
    return pl.concat(frames) if frames else pl.DataFrame(schema=dict.fromkeys(columns, pl.String()))
