"""Changes field by field as the rows of the journal."""

from __future__ import annotations

import polars as pl

from sync.store.journal import INTENTS
from sync.store.writes import as_writes


def intent(
    lead: str, field: str, after: str | None, why: str = "w", kind: str = "set"
) -> dict[str, str | None]:
    said = {
        "lead_id": lead,
        "crm": "hubspot",
        "object": "contacts",
        "record_id": None if kind == "create" else lead,
    }
    return {**said, "field": field, "crm_field": field, "before": None, "after": after, "why": why, "lane": "live",
            "kind": kind}  # fmt: skip


def rows_of(*intents: dict[str, str | None]) -> list[dict[str, str | None]]:
    names = ["lead_id", "fields", "after", "before", "why", "kind"]
    return as_writes(pl.DataFrame(list(intents), schema=dict(INTENTS))).select(names).to_dicts()


def test_a_write_is_one_row_even_where_its_changes_stand_apart() -> None:
    found = rows_of(intent("b", "city", "Bonn"), intent("a", "city", "Ulm"), intent("b", "name", None))
    assert [(row["lead_id"], row["fields"], row["after"]) for row in found] == [
        ("b", '{"city","name"}', '{"Bonn",NULL}'),
        ("a", '{"city"}', '{"Ulm"}'),
    ]


def test_what_all_fields_of_a_write_say_alike_is_said_once() -> None:
    alike, apart = rows_of(
        intent("a", "city", "Ulm"), intent("a", "name", "Ada"),
        intent("b", "city", "Bonn"), intent("b", "name", "Eva", why="another"),
    )  # fmt: skip
    assert (alike["why"], alike["before"]) == ('{"w"}', "{NULL}")
    assert (apart["why"], apart["before"]) == ('{"w","another"}', "{NULL}")


def test_what_creates_a_record_stands_apart_from_what_is_set_on_it() -> None:
    kinds = [
        row["kind"] for row in rows_of(intent("a", "city", "Ulm", kind="create"), intent("a", "name", "x"))
    ]
    assert kinds == ['{"create"}', '{"set"}']


def test_quotes_and_backslashes_stay_what_they_are() -> None:
    [row] = rows_of(intent("a", "city", 'a "b" \\ c'), intent("a", "name", "NULL"))
    assert row["after"] == '{"a \\"b\\" \\\\ c","NULL"}'
