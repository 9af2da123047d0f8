"""Writing to Salesforce when locks, races and broken connections get in the way: nothing done twice or lost."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import requests
import responses

from connectors.crm import Write, Written
from connectors.errors import NeedsPerson, OurBug, RetryLater
from connectors.salesforce.crm import SalesforceCrm

DATA = "https://acme.my.salesforce.com/services/data/v66.0/"
COLLECTIONS = DATA + "composite/sobjects"
UPSERT = DATA + "composite/sobjects/Account/Key__c"
ONE, TWO = "0015500001QdQWaAAN", "0015500001QdQWbAAN"


def test_only_a_locked_row_is_sent_again(wire: Any, crm: SalesforceCrm, slept: list[float]) -> None:
    wire.patch(COLLECTIONS, json=[wire.ok(ONE), wire.refused("UNABLE_TO_LOCK_ROW")])
    wire.patch(COLLECTIONS, json=[wire.ok(TWO)])
    results = crm.write("Account", [Write("a", ONE, {"Name": "A"}), Write("b", TWO, {"Name": "B"})])
    assert [result.outcome for result in results] == ["written", "written"]
    assert [[record["id"] for record in body["records"]] for body in wire.bodies(COLLECTIONS)] == [
        [ONE, TWO],
        [TWO],
    ]
    assert len(slept) == 1


def test_a_create_that_met_a_lock_was_not_done_and_is_sent_again(wire: Any, crm: SalesforceCrm) -> None:
    wire.post(COLLECTIONS, json=[wire.refused("UNABLE_TO_LOCK_ROW")])
    wire.post(COLLECTIONS, json=[wire.ok(ONE)])
    assert crm.write("Account", [Write("a", None, {"Name": "A"})])[0].created


def test_a_row_that_stays_locked_is_refused_in_the_end(wire: Any, crm: SalesforceCrm) -> None:
    wire.patch(COLLECTIONS, json=[wire.ok(ONE), wire.refused("UNABLE_TO_LOCK_ROW")])
    wire.patch(COLLECTIONS, json=[wire.refused("UNABLE_TO_LOCK_ROW")])
    results = crm.write("Account", [Write("a", ONE, {"Name": "A"}), Write("b", TWO, {"Name": "B"})])
    assert [(result.outcome, result.code) for result in results] == [
        ("written", ""),
        ("refused", "UNABLE_TO_LOCK_ROW"),
    ]


def test_a_locked_create_whose_second_try_was_lost_is_unknown(wire: Any, crm: SalesforceCrm) -> None:
    wire.post(COLLECTIONS, json=[wire.ok(ONE), wire.refused("UNABLE_TO_LOCK_ROW")])
    wire.post(COLLECTIONS, body=requests.ReadTimeout())
    results = crm.write("Account", [Write("a", None, {"Name": "A"}), Write("b", None, {"Name": "B"})])
    assert [result.outcome for result in results] == ["written", "unknown"]


def test_an_upsert_that_lost_the_race_becomes_one_update(wire: Any, crm: SalesforceCrm) -> None:
    duplicate = "duplicate value found: Key__c duplicates value on record with id: 0015500001QdQWb"
    wire.patch(UPSERT, json=[wire.ok(ONE, created=True), wire.refused("DUPLICATE_VALUE", duplicate)])
    wire.get(DATA + "query/", json={"done": True, "records": [{"Id": TWO, "Key__c": "K2"}]})
    wire.patch(COLLECTIONS, json=[wire.ok(TWO)])
    writes = [Write(key, None, {"Name": "A"}, ("Key__c", key)) for key in ("k1", "k2")]
    assert crm.write("Account", writes) == [
        Written("k1", "written", ONE, created=True),
        Written("k2", "written", TWO),
    ]
    assert wire.bodies(COLLECTIONS)[0]["records"] == [
        {"attributes": {"type": "Account"}, "id": TWO, "Name": "A"}
    ]


@pytest.mark.parametrize("lost", [requests.ReadTimeout(), requests.ConnectionError("reset")])
def test_a_create_whose_answer_was_lost_is_unknown_and_never_repeated(
    wire: Any, crm: SalesforceCrm, lost: Exception
) -> None:
    wire.post(COLLECTIONS, body=lost)
    (result,) = crm.write("Account", [Write("a", None, {"Name": "A"})])
    assert (result.outcome, result.record_id) == ("unknown", None)
    assert len(wire.bodies(COLLECTIONS)) == 1


@pytest.mark.parametrize("body", [b"<html>fine</html>", b"", b"[", b"[]", b"[1]", b'{"a":1}', b"null"])
def test_a_create_whose_answer_says_nothing_is_not_reported_as_done(
    wire: Any, crm: SalesforceCrm, body: bytes
) -> None:
    wire.post(COLLECTIONS, body=body)
    (result,) = crm.write("Account", [Write("a", None, {"Name": "A"})])
    assert result.outcome == "unknown"
    assert len([call for call in wire.calls if call.request.url == COLLECTIONS]) == 1


@pytest.mark.parametrize(
    "write", [Write("a", ONE, {"Name": "A"}), Write("a", None, {"Name": "A"}, ("Key__c", "k"))]
)
def test_an_update_or_upsert_whose_answer_was_lost_is_repeated(
    wire: Any, crm: SalesforceCrm, write: Write
) -> None:
    url = COLLECTIONS if write.record_id else UPSERT
    wire.patch(url, body=requests.ReadTimeout())
    wire.patch(url, json=[wire.ok(ONE)])
    assert crm.write("Account", [write])[0].outcome == "written"


def test_an_update_that_never_gets_an_answer_is_unknown(wire: Any, crm: SalesforceCrm) -> None:
    wire.patch(COLLECTIONS, body=requests.ReadTimeout())
    assert crm.write("Account", [Write("a", ONE, {"Name": "A"})])[0].outcome == "unknown"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(403, "REQUEST_LIMIT_EXCEEDED", NeedsPerson), (403, "", NeedsPerson), (415, "", OurBug)],
)
def test_a_whole_call_that_fails_before_anything_is_written_is_raised(
    wire: Any, crm: SalesforceCrm, status: int, code: str, kind: type[Exception]
) -> None:
    wire.patch(
        COLLECTIONS, json=[{"errorCode": code, "message": "TotalRequests Limit exceeded."}], status=status
    )
    with pytest.raises(kind):
        crm.write("Account", [Write("a", ONE, {"Name": "A"})])


def test_a_service_that_cannot_be_reached_is_raised(
    wire: Any, crm: SalesforceCrm, slept: list[float]
) -> None:
    wire.post(COLLECTIONS, body=requests.ConnectTimeout())
    with pytest.raises(RetryLater):
        crm.write("Account", [Write("a", None, {"Name": "A"})])
    assert slept


def test_what_was_written_before_a_call_failed_is_never_lost(wire: Any, crm: SalesforceCrm) -> None:
    wire.patch(COLLECTIONS, json=[wire.ok(ONE)])
    body = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]
    wire.patch(COLLECTIONS, json=body, status=403)
    writes = [Write("a", ONE, {"Name": "A"}), Write("b", ONE, {"Name": "B"}), Write("c", ONE, {"Name": "C"})]
    results = crm.write("Account", writes)
    assert [(result.outcome, result.code) for result in results] == [
        ("written", ""),
        ("refused", "REQUEST_LIMIT_EXCEEDED"),
        ("refused", "REQUEST_LIMIT_EXCEEDED"),
    ]


def test_a_record_that_fails_its_whole_call_is_found_and_the_others_are_written(
    wire: Any, crm: SalesforceCrm
) -> None:
    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        records = orjson.loads(request.body or b"")["records"]
        if any(record["Name"] == "bad" for record in records):
            return 400, {}, orjson.dumps([{"errorCode": "MALFORMED_ID", "fields": ["Id"]}])
        return 200, {}, orjson.dumps([wire.ok(record["id"]) for record in records])

    wire.add_callback(responses.PATCH, COLLECTIONS, callback=answer)
    writes = [Write(str(n), f"001550000{n:06d}", {"Name": "bad" if n == 3 else "A"}) for n in range(5)]
    results = crm.write("Account", writes)
    assert [result.outcome for result in results] == ["written"] * 3 + ["refused"] + ["written"]
    assert results[3].code == "MALFORMED_ID"


def test_a_record_that_was_created_is_not_created_again_while_a_bad_one_is_looked_for(
    wire: Any, crm: SalesforceCrm
) -> None:
    wire.post(
        COLLECTIONS,
        json=[wire.ok(ONE), wire.refused("UNABLE_TO_LOCK_ROW"), wire.refused("UNABLE_TO_LOCK_ROW")],
    )
    wire.post(COLLECTIONS, json=[{"errorCode": "MALFORMED_ID", "message": ""}], status=400)
    wire.post(COLLECTIONS, json=[wire.ok(TWO)])
    wire.post(COLLECTIONS, json=[{"errorCode": "MALFORMED_ID", "message": ""}], status=400)
    results = crm.write("Account", [Write(name, None, {"Name": name}) for name in "abc"])
    assert [result.outcome for result in results] == ["written", "written", "refused"]
    sent = [[record["Name"] for record in body["records"]] for body in wire.bodies(COLLECTIONS)]
    assert sent == [["a", "b", "c"], ["b", "c"], ["b"], ["c"]]


def test_what_was_written_is_never_lost_while_a_bad_record_is_looked_for(
    wire: Any, crm: SalesforceCrm
) -> None:
    wire.post(COLLECTIONS, json=[{"errorCode": "MALFORMED_ID", "message": ""}], status=400)
    wire.post(COLLECTIONS, json=[wire.ok(ONE)])
    wire.post(COLLECTIONS, json=[{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": ""}], status=403)
    results = crm.write("Account", [Write(name, None, {"Name": name}) for name in "ab"])
    assert [(result.outcome, result.code) for result in results] == [
        ("written", ""),
        ("refused", "REQUEST_LIMIT_EXCEEDED"),
    ]


def test_a_lost_race_that_cannot_be_settled_stays_refused_and_the_rest_is_kept(
    wire: Any, crm: SalesforceCrm
) -> None:
    wire.patch(UPSERT, json=[wire.ok(ONE, created=True), wire.refused("DUPLICATE_VALUE")])
    wire.get(DATA + "query/", json=[{"errorCode": "QUERY_TOO_COMPLICATED"}], status=400)
    writes = [Write(key, None, {"Name": "A"}, ("Key__c", key)) for key in ("k1", "k2")]
    assert [result.outcome for result in crm.write("Account", writes)] == ["written", "refused"]


def test_an_address_that_is_not_there_is_not_searched_for_the_guilty_record(
    wire: Any, crm: SalesforceCrm
) -> None:
    wire.patch(UPSERT, json=[{"errorCode": "NOT_FOUND", "message": ""}], status=404)
    writes = [Write(str(n), None, {"Name": "A"}, ("Key__c", str(n))) for n in range(50)]
    assert {result.code for result in crm.write("Account", writes)} == {"NOT_FOUND"}
    assert len(wire.bodies(UPSERT)) == 1
