"""Several records at once that belong together: composite graphs and trees of records."""

from __future__ import annotations

import json
from typing import Any

import pytest

ROOT = "/services/data/v66.0/sobjects"


def node(name: str, reference: str, body: dict[str, Any], method: str = "POST") -> dict[str, Any]:
    return {"method": method, "url": f"{ROOT}/{name}", "referenceId": reference, "body": body}


def family(number: int, **more: Any) -> dict[str, Any]:
    """A graph that makes an account and a contact in it."""
    account = node("Account", "account", {"Name": f"Account {number}"})
    contact = node("Contact", "contact", {"LastName": "Ada", "AccountId": "@{account.id}", **more})
    return {"graphId": str(number), "compositeRequest": [account, contact]}


def test_each_graph_is_kept_whole_or_not_at_all(api: Any) -> None:
    graphs = [family(1), family(2, Email="not an address"), family(3)]
    answered = api.json("POST", "composite/graph", {"graphs": graphs})["graphs"]
    assert [each["isSuccessful"] for each in answered] == [True, False, True]
    names = [each["Name"] for each in api.query("SELECT Name FROM Account ORDER BY Name")]
    assert names == ["Account 1", "Account 3"]
    undone, wrong = answered[1]["graphResponse"]["compositeResponse"]
    assert (undone["httpStatusCode"], undone["body"][0]["errorCode"]) == (400, "PROCESSING_HALTED")
    assert wrong["body"][0]["errorCode"] == "INVALID_EMAIL_ADDRESS"
    assert [
        each["Account"]["Name"] for each in api.query("SELECT Account.Name FROM Contact ORDER BY Id")
    ] == names


def test_after_fourteen_failed_graphs_the_rest_is_not_tried(api: Any) -> None:
    graphs = [family(n, Email="no") for n in range(14)] + [family(99)]
    answered = api.json("POST", "composite/graph", {"graphs": graphs})["graphs"]
    assert [each["isSuccessful"] for each in answered] == [False] * 15
    assert api.query("SELECT Id FROM Account") == []


CHAIN = [node("Lead", f"n{n}", {"Title": f"@{{n{n - 1}.id}}"}) for n in range(16)]


@pytest.mark.parametrize(
    ("graphs", "code"),
    [
        ([], "JSON_PARSER_ERROR"),
        ([{"graphId": "1"}], "JSON_PARSER_ERROR"),
        ([family(1), family(1)], "JSON_PARSER_ERROR"),
        ([family(n) for n in range(76)], "LIMIT_EXCEEDED"),
        ([{"graphId": "1", "compositeRequest": [node("Lead", f"n{n}", {}) for n in range(501)]}], "LIMIT_EXCEEDED"),
        ([{"graphId": "1", "compositeRequest": CHAIN}], "LIMIT_EXCEEDED"),
        ([{"graphId": "1", "compositeRequest": [node("Lead", "a", {}), node("Lead", "a", {})]}], "JSON_PARSER_ERROR"),
        ([{"graphId": "1", "compositeRequest": [{**node("Lead", "a", {}), "url": "/services/data/v66.0/query"}]}],
         "INVALID_OPERATION"),
    ],
)  # fmt: skip
def test_a_graph_call_that_is_too_big_or_has_no_form_is_refused_whole(
    api: Any, graphs: list[Any], code: str
) -> None:
    answer = api.call("POST", "composite/graph", {"graphs": graphs})
    assert (answer.status, json.loads(answer.body)[0]["errorCode"]) == (400, code)
    assert api.query("SELECT Id FROM Account") == []


def test_graphs_came_with_version_50(api: Any) -> None:
    assert api.call("POST", "/services/data/v49.0/composite/graph", {"graphs": [family(1)]}).status == 404


def record(reference: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"attributes": {"type": kind, "referenceId": reference}, **more}


def test_a_tree_is_created_with_its_children(api: Any) -> None:
    contacts = {"records": [record("c1", "Contact", LastName="Ada"), record("c2", "Contact", LastName="Bob")]}
    answer = api.call(
        "POST", "composite/tree/Account", {"records": [record("a", "Account", Name="E", Contacts=contacts)]}
    )
    body = json.loads(answer.body)
    assert (answer.status, body["hasErrors"]) == (201, False)
    assert [each["referenceId"] for each in body["results"]] == ["a", "c1", "c2"]
    (account,) = api.query("SELECT Name, (SELECT LastName FROM Contacts ORDER BY LastName) FROM Account")
    assert [each["LastName"] for each in account["Contacts"]["records"]] == ["Ada", "Bob"]


def test_a_tree_with_one_wrong_record_creates_nothing(api: Any) -> None:
    contacts = {"records": [record("c1", "Contact", LastName="Ada", Email="no")]}
    tree = {"records": [record("a", "Account", Name="E", Contacts=contacts)]}
    answer = api.call("POST", "composite/tree/Account", tree)
    body = json.loads(answer.body)
    assert (answer.status, body["hasErrors"]) == (400, True)
    (wrong,) = body["results"]
    assert (wrong["referenceId"], wrong["errors"][0]["statusCode"]) == ("c1", "INVALID_EMAIL_ADDRESS")
    assert api.query("SELECT Id FROM Account") == []


@pytest.mark.parametrize(
    ("records", "code"),
    [
        ([{"Name": "no reference"}], "INVALID_INPUT"),
        ([record("a", "Account", Name="x"), record("a", "Account", Name="y")], "INVALID_INPUT"),
        ([record(f"a{n}", "Account", Name="x") for n in range(201)], "LIMIT_EXCEEDED"),
        ([record("a", "Account", Name="x", Cats={"records": []})], "INVALID_FIELD"),
        ("x", "JSON_PARSER_ERROR"),
    ],
)
def test_a_tree_that_has_no_form_is_refused_whole(api: Any, records: Any, code: str) -> None:
    answer = api.call("POST", "composite/tree/Account", {"records": records})
    assert (answer.status, json.loads(answer.body)[0]["errorCode"]) == (400, code)
