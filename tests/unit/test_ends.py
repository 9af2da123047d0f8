"""How the changes of a slice end, looked up by numbers."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from sync.ends import Ends, by_lead, numbered, written_ids
from sync.plan import CHANGES


def change(lead: str, crm: str, field: str, after: str | None, record: str | None) -> dict[str, str | None]:
    said = {"lead_id": lead, "crm": crm, "field": field, "crm_field": field.title(), "after": after}
    return {**said, "object": "", "record_id": record, "why": "", "lane": "live", "kind": "set"}


def changes(*rows: Mapping[str, str | None]) -> pl.DataFrame:
    return numbered(pl.DataFrame(list(rows), schema=dict(CHANGES)))


APART = (
    change("b", "hubspot", "city", "Bonn", "h b"),
    change("a", "hubspot", "city", "Ulm", "h a"),
    change("b", "hubspot", "name", None, "h b"),
    change("a", "salesforce", "city", "Ulm", None),
)


def test_changes_of_a_lead_are_one_write_even_where_they_stand_apart() -> None:
    theirs = changes(*APART).filter(pl.col("crm") == "hubspot")
    assert list(by_lead(theirs)) == [
        ("b", "h b", {"City": "Bonn", "Name": None}),
        ("a", "h a", {"City": "Ulm"}),
    ]


def test_a_change_ends_as_was_heard_first_and_is_refused_where_nothing_was() -> None:
    rows = changes(*APART)
    ends = Ends(rows.height)
    ends.note(rows.filter(pl.col("field") == "name"), {"b": "ignored"})
    ends.note(rows.filter(pl.col("crm") == "hubspot"), {"b": "written"})
    assert ends.of(rows).to_list() == ["written", "refused", "ignored", "refused"]
    assert ends.left_of(rows).select("lead_id", "crm").rows() == [("a", "hubspot"), ("a", "salesforce")]


def test_two_changes_of_one_field_in_one_crm_end_together() -> None:
    rows = changes(*APART, change("a", "hubspot", "city", "Ulm", "another record"))
    ends = Ends(rows.height)
    ends.note(rows.head(2), {"a": "written"})
    assert ends.of(rows).to_list() == ["refused", "written", "refused", "refused", "written"]


def test_a_created_record_gives_its_id_to_the_changes_of_its_own_crm_alone() -> None:
    rows = changes(*APART, change("b", "salesforce", "city", "Bonn", None))
    new = {("a", "salesforce"): "s new", ("a", "hubspot"): "h new"}
    assert written_ids(rows, new).to_list() == ["h b", "h a", "h b", "s new", None]
