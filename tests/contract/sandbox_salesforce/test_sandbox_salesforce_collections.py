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


@pytest.mark.parametrize("second", [{"Key__c": 17}, {"key__c": "17"}, {"Key__c": " 17"}])
def test_a_unique_value_goes_to_one_record_of_a_call_however_it_is_written(keyed: Any, second: Any) -> None:
    one, other = keyed.side.load("Lead", [LEAD] * 2)
    told = patch(keyed, [{"id": one, "Key__c": "17"}, {"id": other, **second}])
    assert [each["success"] for each in told] == [True, False]
    assert told[1]["errors"][0]["statusCode"] == "DUPLICATE_VALUE"


def test_a_unique_value_may_go_from_one_record_to_another_in_one_call(keyed: Any) -> None:
    one, other = keyed.side.load("Lead", [{**LEAD, "Key__c": "17"}, LEAD])
    patch(keyed, [{"id": one, "Key__c": "18"}, {"id": other, "Key__c": "17"}])
    assert [keyed.get(each)["Key__c"] for each in (one, other)] == ["18", "17"]


def test_records_of_two_types_are_changed_in_one_call(api: Any) -> None:
    (lead,) = api.side.load("Lead", [LEAD])
    (contact,) = api.side.load("Contact", [{"LastName": "Byron"}])
    patch(
        api, [{"id": lead, "City": "Bonn"}, {"attributes": {"type": "Contact"}, "id": contact, "Title": "x"}]
    )
    assert (api.get(lead)["City"], api.get(contact, "Contact")["Title"]) == ("Bonn", "x")
