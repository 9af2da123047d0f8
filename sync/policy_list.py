"""Everybody whom another policy would move, as a spreadsheet: from where to where, and the rule that does it."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from mapping.qualification.diffing import SAMPLE
from sync.errors import WrongUse
from sync.work import CRMS, Work

#: The columns of the file. Nobody is named: the ids lead to the records.
COLUMNS = ("lead", *CRMS, *(name for name in SAMPLE if name != "lead_id"))


def write_moved(work: Work, moved: pl.DataFrame, path: Path) -> None:
    """One row a lead that would stand elsewhere, in the form that the spreadsheets of ``sync.language`` expect.

    ``moved`` has the columns of ``SAMPLE``. Only its owner can read the file; one that is there is replaced. Raises
    WrongUse where it cannot be written.
    """
    # Loaded here: no other command about policies needs the reports.
    from sync.reports.document import Column, Table
    from sync.reports.spreadsheets import MARK, as_csv, write_file

    rows = _with_records(work, moved).select(COLUMNS).rows()
    table = Table(path.stem, tuple(Column(name, name) for name in COLUMNS), tuple(rows))
    try:
        write_file(path, MARK + as_csv(table, work.language), private=True)
    except OSError as problem:
        raise WrongUse(f"{path} cannot be written: {problem.strerror}") from problem


def _with_records(work: Work, moved: pl.DataFrame) -> pl.DataFrame:
    """Add each lead's records, a column a CRM; several of one lead with a blank between them."""
    links = work.store.leads.links_of_leads(moved["lead_id"]).sort("record_id")
    found = moved
    for crm in CRMS:
        records = (
            links.filter(pl.col("crm") == crm)
            .group_by("lead_id")
            .agg(pl.col("record_id").str.join(" ").alias(crm))
        )
        found = found.join(records, on="lead_id", how="left", maintain_order="left")
    return found.rename({"lead_id": "lead"})
