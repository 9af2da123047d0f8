"""Records that are changed in one call are read at once, and are what they would be one by one."""

from __future__ import annotations

from typing import Any

import pytest

LEAD = {"LastName": "Lovelace", "Company": "Engines"}
#: A rule that never holds, for which every column of a record is looked at.
LOOKING = [{"object": "Lead", "when": {"Rating": "Ice", "Fax": None}, "message": "no"}]


def patch(api: Any, records: list[dict[str, Any]], all_or_none: bool = False) -> list[Any]:
    body = {"allOrNone": all_or_none, "records": [{"attributes": {"type": "Lead"}, **one} for one in records]}
    told: list[Any] = api.json("PATCH", "composite/sobjects", body)
    return told


def noted(api: Any) -> Any:
    columns = "sequence, object, record, type, origin, user, at, body"
    return api.side.org.store.db.execute(f"SELECT {columns} FROM _change ORDER BY number").fetchall()


def leads(api: Any) -> Any:
    return api.side.org.store.db.execute("SELECT * FROM Lead ORDER BY Id").fetchall()


def test_a_call_changes_the_same_whether_it_looks_at_few_columns_or_at_all(api: Any) -> None:
    first, second, gone = api.side.load("Lead", [{**LEAD, "City": "Bonn"}] * 3)
    api.call("DELETE", f"sobjects/Lead/{gone}")
    records = [
        {"id": first, "firstname": "Ada", "city": "Köln"},
        {"Id": second, "LastName": None},
        {"Id": gone, "City": "Ulm"},
        {"Id": first[:15], "DoNotCall": True, "LastName": "Byron"},
        {"City": "Ulm"},
        {"id": second, "Nonsense": 1},
    ]
    api.side.keep("before")
    few = (patch(api, records), leads(api), noted(api))
    api.side.go_back("before")
    api.side.limits({"validation_rules": LOOKING})
    assert (patch(api, records), leads(api), noted(api)) == few
    assert [one["success"] for one in few[0]] == [True, False, False, True, False, False]
    assert api.get(first)["Name"] == "Ada Byron"


@pytest.mark.parametrize("all_or_none", [True, False])
def test_what_is_taken_back_with_a_call_was_never_noted(api: Any, all_or_none: bool) -> None:
    first, second = api.side.load("Lead", [LEAD] * 2)
    patch(api, [{"id": first, "City": "Bonn"}, {"id": second, "LastName": None}], all_or_none)
    assert [row[2] for row in noted(api)] == ([] if all_or_none else [first])
    assert api.get(first)["City"] == (None if all_or_none else "Bonn")
