"""Queries for what hangs on a record: its children, its parents of several kinds, values as people read them."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from connectors.sandbox.salesforce import seed

ADA = {"LastName": "Ada", "Company": "Engines", "AnnualRevenue": 1_250_000, "Status": "Working - Contacted"}


@pytest.fixture
def family(api: Any) -> dict[str, str]:
    """A lead of a seller with two tasks and a campaign, and a lead of the queue with nothing."""
    campaign = api.create({"Name": "Fair"}, "Campaign")
    ada = api.create({**ADA, "OwnerId": seed.FIRST_SELLER})
    bob = api.create({"LastName": "Bob", "Company": "Pure", "OwnerId": seed.QUEUE})
    for subject in ("Mail", "Call"):
        api.create({"Subject": subject, "WhoId": ada, "Status": "Completed"}, "Task")
    api.create({"CampaignId": campaign, "LeadId": ada, "Status": "Responded"}, "CampaignMember")
    return {"ada": ada, "bob": bob, "campaign": campaign}


def refused(api: Any, soql: str, version: str = "v66.0", resource: str = "query") -> dict[str, Any]:
    answer = api.call("GET", f"/services/data/{version}/{resource}?q={quote(soql)}")
    assert answer.status == 400, answer.body
    error: dict[str, Any] = json.loads(answer.body)[0]
    return error


def test_children_come_as_a_result_of_their_own_and_none_as_null(api: Any, family: dict[str, str]) -> None:
    soql = "SELECT LastName, (SELECT Subject FROM Tasks ORDER BY Subject) FROM Lead ORDER BY LastName"
    ada, bob = api.query(soql)
    assert (ada["Tasks"]["totalSize"], ada["Tasks"]["done"]) == (2, True)
    assert [each["Subject"] for each in ada["Tasks"]["records"]] == ["Call", "Mail"]
    assert ada["Tasks"]["records"][0]["attributes"]["type"] == "Task"
    assert bob["Tasks"] is None


@pytest.mark.parametrize(
    ("inside", "subjects"),
    [
        ("SELECT Subject FROM Tasks WHERE Subject = 'Mail'", ["Mail"]),
        ("SELECT Subject FROM Tasks ORDER BY Subject LIMIT 1", ["Call"]),
        ("SELECT Subject FROM tasks t WHERE t.Subject LIKE 'c%'", ["Call"]),
        ("SELECT Subject FROM Tasks ORDER BY Subject DESC LIMIT 1 OFFSET 1", ["Call"]),
    ],
)
def test_each_list_of_children_has_its_own_conditions_and_limits(
    api: Any, family: dict[str, str], inside: str, subjects: list[str]
) -> None:
    (ada,) = api.query(f"SELECT Id, ({inside}) FROM Lead WHERE LastName = 'Ada'")
    assert [each["Subject"] for each in ada["Tasks"]["records"]] == subjects


def test_children_have_parents_and_children_too(api: Any, family: dict[str, str]) -> None:
    soql = (
        "SELECT Name, (SELECT Lead.LastName, HasResponded FROM CampaignMembers) FROM Campaign "
        "WHERE Id IN (SELECT CampaignId FROM CampaignMember WHERE HasResponded = true)"
    )
    (fair,) = api.query(soql)
    (member,) = fair["CampaignMembers"]["records"]
    assert (member["Lead"]["LastName"], member["HasResponded"]) == ("Ada", True)
    parent = api.create({"Name": "All fairs"}, "Campaign")
    assert api.call("PATCH", f"sobjects/Campaign/{family['campaign']}", {"ParentId": parent}).status == 204
    deep = (
        "SELECT Name, (SELECT Name, (SELECT LeadId FROM CampaignMembers) FROM ChildCampaigns) FROM Campaign "
        f"WHERE Id = '{parent}'"
    )
    (whole,) = api.query(deep)
    (child,) = whole["ChildCampaigns"]["records"]
    assert child["CampaignMembers"]["records"][0]["LeadId"] == family["ada"]
    assert refused(api, deep, "v57.0")["errorCode"] == "MALFORMED_QUERY"


def test_deleted_children_are_only_in_query_all(api: Any, family: dict[str, str]) -> None:
    (task,) = api.query("SELECT Id FROM Task WHERE Subject = 'Mail'")
    api.call("DELETE", f"sobjects/Task/{task['Id']}")
    soql = "SELECT Id, (SELECT Subject FROM Tasks) FROM Lead WHERE LastName = 'Ada'"
    assert api.query(soql)[0]["Tasks"]["totalSize"] == 1
    assert api.query(soql, "queryAll")[0]["Tasks"]["totalSize"] == 2


def test_children_come_on_every_page(api: Any, family: dict[str, str]) -> None:
    api.side.load("Lead", [{"LastName": f"L{n:03}", "Company": "x"} for n in range(250)])
    soql = quote("SELECT Id, (SELECT Id FROM Tasks) FROM Lead ORDER BY LastName DESC, Id")
    page = api.json("GET", f"query?q={soql}", sforce_query_options="batchSize=200")
    rest = api.json("GET", page["nextRecordsUrl"])
    records = page["records"] + rest["records"]
    assert len(records) == 252
    assert [each["Tasks"]["totalSize"] for each in records if each["Tasks"]] == [2]


def test_a_parent_of_several_kinds_is_shown_by_its_own_fields(api: Any, family: dict[str, str]) -> None:
    soql = (
        "SELECT LastName, TYPEOF Owner WHEN User THEN Username, IsActive WHEN Group THEN DeveloperName END "
        "FROM Lead ORDER BY LastName"
    )
    ada, bob = api.query(soql)
    assert ada["Owner"]["attributes"]["type"] == "User"
    assert (ada["Owner"]["Username"], ada["Owner"]["IsActive"]) == (seed.USERS[1][2], True)
    assert bob["Owner"] == {
        "attributes": {"type": "Group", "url": f"/services/data/v66.0/sobjects/Group/{seed.QUEUE}"},
        "DeveloperName": "New_Leads",
    }


def test_a_kind_without_a_branch_takes_the_fields_of_else(api: Any, family: dict[str, str]) -> None:
    soql = "SELECT TYPEOF Owner WHEN User THEN Username ELSE Name, Type END FROM Lead WHERE LastName = 'Bob'"
    assert api.query(soql)[0]["Owner"]["Name"] == "New Leads"
    (task,) = api.query("SELECT TYPEOF What WHEN Campaign THEN Name END FROM Task WHERE Subject = 'Mail'")
    assert task["What"] is None


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("FORMAT(AnnualRevenue)", "$1,250,000"),
        ("FORMAT(CreatedDate)", "11/18/2026, 10:30 AM"),
        ("FORMAT(LastName)", "Ada"),
        ("toLabel(Status)", "Working - Contacted"),
    ],
)
def test_a_value_can_be_asked_for_as_people_read_it(
    api: Any, family: dict[str, str], expression: str, shown: str
) -> None:
    soql = f"SELECT AnnualRevenue, CreatedDate, LastName, {expression} shown FROM Lead WHERE LastName = 'Ada'"
    (ada,) = api.query(soql)
    assert (ada["shown"], ada["AnnualRevenue"]) == (shown, 1_250_000)


def test_functions_of_functions_group_rows(api: Any, family: dict[str, str]) -> None:
    hour = "HOUR_IN_DAY(convertTimezone(CreatedDate))"
    (row,) = api.query(f"SELECT {hour} h, COUNT(Id) n FROM Lead GROUP BY {hour}")
    assert (row["h"], row["n"]) == (10, 2)
    (row,) = api.query("SELECT WEEK_IN_YEAR(CreatedDate) w FROM Lead GROUP BY WEEK_IN_YEAR(CreatedDate)")
    assert row["w"] == 46
    (row,) = api.query("SELECT FORMAT(MAX(AnnualRevenue)) most FROM Lead")
    assert row["most"] == "$1,250,000"


@pytest.mark.parametrize(
    ("soql", "code", "said"),
    [
        ("SELECT (SELECT Id FROM Chores) FROM Lead", "INVALID_TYPE", "relationship 'Chores' in FROM part"),
        ("SELECT (SELECT Id FROM Tasks ALL ROWS) FROM Lead", "MALFORMED_QUERY", "ALL ROWS"),
        ("SELECT (SELECT COUNT(Id) FROM Tasks) FROM Lead", "MALFORMED_QUERY", "aggregate"),
        ("SELECT (SELECT Id FROM Tasks), (SELECT Id FROM Tasks) FROM Lead", "MALFORMED_QUERY", "Tasks"),
        ("SELECT Status, (SELECT Id FROM Tasks) FROM Lead GROUP BY Status", "MALFORMED_QUERY", "Grouped"),
        (
            "SELECT (SELECT Foo FROM Tasks) FROM Lead",
            "INVALID_FIELD",
            "No such column 'Foo' on entity 'Task'",
        ),
        ("SELECT TYPEOF ConvertedContact WHEN Contact THEN Id END FROM Lead", "MALFORMED_QUERY", "TYPEOF"),
        ("SELECT TYPEOF Owner WHEN Account THEN Id END FROM Lead", "INVALID_TYPE", "Account"),
        ("SELECT TYPEOF Boss WHEN User THEN Id END FROM Lead", "INVALID_FIELD", "Boss"),
        ("SELECT TYPEOF Owner WHEN User THEN Foo END FROM Lead", "INVALID_FIELD", "Foo"),
        ("SELECT TYPEOF Owner WHEN User THEN Id WHEN User THEN Id END FROM Lead", "MALFORMED_QUERY", "User"),
        (
            "SELECT Id FROM Lead WHERE Id IN (SELECT (SELECT Id FROM Tasks) FROM Lead)",
            "MALFORMED_QUERY",
            "semi",
        ),
        ("SELECT Id FROM Lead WHERE AnnualRevenue > USD5000", "INVALID_FIELD", "currency"),
        ("SELECT convertCurrency(AnnualRevenue) FROM Lead", "MALFORMED_QUERY", "CONVERTCURRENCY"),
        (
            "SELECT Id FROM Lead ORDER BY DISTANCE(Address, GEOLOCATION(1, 2), 'mi')",
            "MALFORMED_QUERY",
            "DISTANCE",
        ),
        ("SELECT Id FROM LeadHistory WHERE OldValue = 'a'", "INVALID_FIELD", "can not be filtered"),
    ],
)
def test_what_cannot_be_nested_is_refused(api: Any, soql: str, code: str, said: str) -> None:
    error = refused(api, soql)
    assert error["errorCode"] == code
    assert said in error["message"]


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT Id, (SELECT Id FROM Tasks) FROM Lead",
        "SELECT TYPEOF Owner WHEN User THEN Id END FROM Lead",
    ],
)
def test_bulk_takes_neither_children_nor_a_choice_of_kinds(api: Any, soql: str) -> None:
    answer = api.call("POST", "jobs/query", {"operation": "query", "query": soql})
    assert (answer.status, json.loads(answer.body)[0]["errorCode"]) == (400, "API_ERROR")


def test_describe_names_the_lists_of_children(api: Any) -> None:
    found = api.json("GET", "sobjects/Lead/describe")["childRelationships"]
    named = {each["relationshipName"]: each for each in found if each["relationshipName"]}
    assert {"CampaignMembers", "Events", "Histories", "Tasks"} <= set(named)
    assert (named["CampaignMembers"]["cascadeDelete"], named["Tasks"]["cascadeDelete"]) == (True, False)


def parents(count: int) -> list[str]:
    """Names of the parents of parents of a lead, each one another relationship."""
    kinds = ("CreatedBy", "LastModifiedBy", "Manager")
    paths = [f"CreatedBy.{a}.{b}.{c}.Id" for a in kinds for b in kinds for c in kinds]
    paths += [f"LastModifiedBy.{a}.{b}.{c}.Id" for a in kinds for b in kinds for c in kinds]
    known: set[str] = set()
    wanted = []
    for path in paths:
        parts = path.split(".")[:-1]
        known |= {".".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
        if len(known) <= count:
            wanted.append(path)
    return wanted


def test_a_query_reaches_55_parents_and_no_more(api: Any, family: dict[str, str]) -> None:
    within = f"SELECT {', '.join(parents(55))} FROM Lead"
    assert len(api.query(within)) == 2
    beyond = f"SELECT {', '.join(parents(60))} FROM Lead"
    error = refused(api, beyond)
    assert (error["errorCode"], "55" in error["message"]) == ("MALFORMED_QUERY", True)


def test_a_query_has_at_most_20_lists_of_children_of_different_names(
    api: Any, family: dict[str, str]
) -> None:
    lists = ", ".join("(SELECT Id FROM Tasks)" for _ in range(21))
    error = refused(api, f"SELECT {lists} FROM Lead")
    assert (error["errorCode"], "20" in error["message"]) == ("MALFORMED_QUERY", True)
