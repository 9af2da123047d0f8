"""The benchmark of the core still runs, and both of its ways give the same."""

from __future__ import annotations

from pathlib import Path

from bench.measures import in_columns, record_by_record


def test_columns_and_single_records_give_equal_values_verdicts_and_changes(tmp_path: Path) -> None:
    columns = in_columns(1_000, tmp_path, phones=True)
    assert columns.digest
    assert columns.digest == record_by_record(1_000, tmp_path, phones=True).digest
