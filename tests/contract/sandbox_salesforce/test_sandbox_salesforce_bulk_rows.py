"""What a job of Bulk API 2.0 writes is what the same rows would write one by one."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

LEAD = {"LastName": "Lovelace", "Company": "Engines"}
#: What an admin may ask of a record that needs every column of it to be looked at, and refuses none of these.
LOOKING = {
    "a rule that never holds": {
        "validation_rules": [{"object": "Lead", "when": {"Rating": "Ice", "Fax": None}, "message": "no"}]
    },
    "a duplicate rule that lets everything pass": {"duplicate_rule": "alert"},
}


def job(api: Any, text: str, operation: str = "update", object_name: str = "Lead") -> None:
    key = {"externalIdFieldName": "Id"} if operation == "upsert" else {}
    made = api.json("POST", "jobs/ingest", {"object": object_name, "operation": operation, **key})["id"]
    api.call("PUT", f"jobs/ingest/{made}/batches", text.encode(), content_type="text/csv")
    api.json("PATCH", f"jobs/ingest/{made}", {"state": "UploadComplete"})
    while api.json("GET", f"jobs/ingest/{made}")["state"] in ("UploadComplete", "InProgress"):
        pass


def told(api: Any) -> list[tuple[str, str]]:
    """What became of the rows, sorted: the id that each was sent with, and the code of its error or nothing."""
    (made,) = (each["id"] for each in api.json("GET", "jobs/ingest")["records"])
    found = []
    for kind in ("successfulResults", "failedResults"):
        text = api.call("GET", f"jobs/ingest/{made}/{kind}").body.decode()
        for row in list(csv.reader(io.StringIO(text, newline="")))[1:]:
            found.append((row[2], "" if kind == "successfulResults" else row[1].partition(":")[0]))
    return sorted(found)


def held(api: Any) -> tuple[Any, Any]:
    """The leads as the file has them, and what was noted of each change but its number."""
    db = api.side.org.store.db
    noted = "SELECT sequence, object, record, type, origin, user, at, body FROM _change ORDER BY number"
    return db.execute("SELECT * FROM Lead ORDER BY Id").fetchall(), db.execute(noted).fetchall()


@pytest.mark.parametrize("rule", LOOKING)
def test_a_job_writes_the_same_whether_it_looks_at_few_columns_or_at_all(api: Any, rule: str) -> None:
    people = [{**LEAD, "LastName": f"Nr {n}", "City": "Bonn", "Email": f"{n}@example.org"} for n in range(5)]
    a, b, c, d, e = api.side.load("Lead", people)
    api.call("DELETE", f"sobjects/Lead/{d}")
    text = "Id,FirstName,LastName,City,DoNotCall,Email,AnnualRevenue\n"
    text += f"{a},Ada,,Köln,true,,5\n{b},,Byron,#N/A,false,new@example.org,\n{c},,#N/A,Ulm,,,\n"
    text += f"{d},Eve,,,,,\n{e},,,Bonn,#N/A,,\n{a},Ida,,Bonn,,,5.5\n"
    api.side.keep("before")
    job(api, text)
    few = (told(api), *held(api))
    api.side.go_back("before")
    api.side.limits(LOOKING[rule])
    job(api, text)
    assert (told(api), *held(api)) == few
    assert [code for _, code in few[0] if code] == [
        *("REQUIRED_FIELD_MISSING", "ENTITY_IS_DELETED", "INVALID_TYPE_ON_FIELD_IN_RECORD")
    ]
    assert api.get(a)["Name"] == "Ida Nr 0"


def test_a_record_that_two_rows_name_is_told_as_one_change_of_both(api: Any) -> None:
    (record,) = api.side.load("Lead", [LEAD])
    job(api, f"Id,City,Title\n{record},Bonn,\n{record},,CTO\n")
    _, noted = held(api)
    assert [(row[2], row[3]) for row in noted] == [(record, "UPDATE")]
    body = json.loads(noted[0][7])
    assert (body["City"], body["Title"]) == ("Bonn", "CTO")


def test_a_cell_that_is_no_value_fails_each_row_that_has_it(api: Any) -> None:
    ids = api.side.load("Lead", [LEAD] * 3)
    job(api, "Id,NumberOfEmployees\n" + "".join(f"{each},many\n" for each in ids))
    assert told(api) == [(each, "INVALID_FIELD") for each in ids]


def test_a_record_that_is_not_there_is_told_before_a_flag_that_cannot_be_cleared(api: Any) -> None:
    gone, here = api.side.load("Lead", [LEAD] * 2)
    api.call("DELETE", f"sobjects/Lead/{gone}")
    job(api, f"Id,DoNotCall\n{gone},#N/A\n{here},#N/A\n")
    assert told(api) == [(gone, "ENTITY_IS_DELETED"), (here, "INVALID_TYPE_ON_FIELD_IN_RECORD")]


def test_a_unique_value_is_refused_to_whoever_comes_second(keyed: Any) -> None:
    people = [{**LEAD, "Key__c": key} for key in ("held", "given", None, None, None, None)]
    ids = keyed.side.load("Lead", people)
    # The second gives its value up before the third takes it, the first only after the fourth has asked for it.
    cells = ["passed", "Given", "held", "NEW", "new", "#N/A", "HELD"]
    rows = zip([*ids[1:], ids[0], ids[3]], cells, strict=True)
    job(keyed, "Id,Key__c\n" + "".join(f"{record},{cell}\n" for record, cell in rows))
    refused = sorted((ids[place], "DUPLICATE_VALUE") for place in (3, 5))
    assert [each for each in told(keyed) if each[1]] == refused
    found = {each["Id"]: each["Key__c"] for each in keyed.query("SELECT Id, Key__c FROM Lead")}
    assert [found[each] for each in ids] == [None, "passed", "Given", "HELD", "NEW", None]


def test_who_listens_to_changes_of_a_job_hears_of_its_rows_in_their_order(api: Any) -> None:
    action = {"action": "outbound_message", "object": "Lead", "fields": [], "url": "http://127.0.0.1:9/"}
    ids = api.side.load("Lead", [LEAD] * 4)
    api.side.people({**action, "on": "created_or_edited"})
    mails = ("", "ada@example.org", "", "eve@example.org")
    rows = zip(reversed(ids), mails, strict=True)
    job(api, "Id,City,Email\n" + "".join(f"{each},Bonn,{mail}\n" for each, mail in rows))
    heard = api.side.org.store.db.execute("SELECT record FROM _outbound_note ORDER BY number")
    assert [record for (record,) in heard] == list(reversed(ids))


def test_a_row_that_creates_takes_a_unique_value_that_a_row_above_gave_up(keyed: Any) -> None:
    (record,) = keyed.side.load("Lead", [{**LEAD, "Key__c": "a"}])
    job(keyed, f"Id,LastName,Company,Key__c\n{record},,,c\n,Byron,Engines,a\n", "upsert")
    leads = keyed.query("SELECT LastName, Key__c FROM Lead ORDER BY Key__c")
    assert [(each["LastName"], each["Key__c"]) for each in leads] == [("Byron", "a"), ("Lovelace", "c")]


def test_a_row_names_somebody_by_the_address_that_a_row_before_gave_them(api: Any) -> None:
    names = {"Boss": "old@example.org", "One": None, "Two": None}
    boss, one, two = api.side.load("Contact", [{"LastName": n, "Email": email} for n, email in names.items()])
    text = (
        f"Id,Email,ReportsTo.Email\n{boss},new@example.org,\n{one},,new@example.org\n{two},,old@example.org\n"
    )
    job(api, text, object_name="Contact")
    assert told(api) == [(boss, ""), (one, ""), (two, "INVALID_FIELD")]
    found = api.query("SELECT Id, ReportsToId FROM Contact WHERE ReportsToId <> NULL")
    assert [(each["Id"], each["ReportsToId"]) for each in found] == [(one, boss)]
