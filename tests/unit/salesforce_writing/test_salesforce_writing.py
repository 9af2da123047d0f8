"""Writing to Salesforce: the exact bytes of each call, and one honest result for each write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import requests
import responses

from connectors.crm import Write, Written
from connectors.salesforce.crm import SalesforceCrm

DATA = "https://acme.my.salesforce.com/services/data/v66.0/"
COLLECTIONS = DATA + "composite/sobjects"
UPSERT = DATA + "composite/sobjects/Account/Key__c"
ONE, TWO = "0015500001QdQWaAAN", "0015500001QdQWbAAN"


def test_an_update_is_one_collections_call(wire: Any, crm: SalesforceCrm) -> None:
    wire.patch(COLLECTIONS, json=[wire.ok(ONE)])
    values = {"Name": "Zoë", "AnnualRevenue": "25000000.50", "Active__c": "true", "Site": None}
    # A short id goes out, and comes back, with its 18 characters.
    assert crm.write("Account", [Write("a", ONE[:15], values)]) == [Written("a", "written", ONE)]
    assert (
        wire.calls[2].request.body
        == (
            '{"allOrNone":false,"records":[{"attributes":{"type":"Account"},"id":"0015500001QdQWaAAN",'
            '"Name":"Zoë","AnnualRevenue":25000000.50,"Active__c":true,"Site":null}]}'
        ).encode()
    )


def test_a_write_with_a_key_is_an_upsert(wire: Any, crm: SalesforceCrm) -> None:
    wire.patch(UPSERT, json=[wire.ok(ONE, created=True), wire.ok(TWO, created=False)])
    writes = [
        Write("a", None, {"Name": "A"}, ("Key__c", "k1")),
        Write("b", None, {"Name": "B", "Key__c": "k2"}, ("Key__c", "k2")),
    ]
    assert crm.write("Account", writes) == [
        Written("a", "written", ONE, created=True),
        Written("b", "written", TWO, created=False),
    ]
    assert wire.calls[2].request.body == (
        b'{"allOrNone":false,"records":[{"attributes":{"type":"Account"},"Name":"A","Key__c":"k1"},'
        b'{"attributes":{"type":"Account"},"Name":"B","Key__c":"k2"}]}'
    )


def test_a_write_without_id_and_key_is_a_create(wire: Any, crm: SalesforceCrm) -> None:
    wire.post(COLLECTIONS, json=[wire.ok(ONE)])
    assert crm.write("Account", [Write("a", None, {"Name": "A"})]) == [
        Written("a", "written", ONE, created=True)
    ]


def test_four_hundred_and_one_records_are_three_calls(wire: Any, crm: SalesforceCrm) -> None:
    def answer(request: requests.PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        records = orjson.loads(request.body or b"")["records"]
        return 200, {}, orjson.dumps([wire.ok(record["id"]) for record in records])

    wire.add_callback(responses.PATCH, COLLECTIONS, callback=answer)
    writes = [Write(str(n), f"001550000{n:06d}", {"Name": "A"}) for n in range(401)]
    results = crm.write("Account", writes)
    # They go side by side: which of them arrives first is nobody's promise, who goes together is.
    calls = [[record["id"] for record in body["records"]] for body in wire.bodies(COLLECTIONS)]
    ids = [f"001550000{n:06d}AAA" for n in range(401)]
    assert sorted(calls) == [ids[:200], ids[200:400], ids[400:]]
    assert [result.trace for result in results] == [write.trace for write in writes]
    assert {result.outcome for result in results} == {"written"}


def test_results_belong_to_the_records_in_their_place(wire: Any, crm: SalesforceCrm) -> None:
    answer = wire.refused("DUPLICATES_DETECTED", "Use one of these records?", ("Name",))
    wire.patch(COLLECTIONS, json=[answer, wire.ok(TWO)])
    first, second = crm.write("Account", [Write("a", ONE, {"Name": "A"}), Write("b", TWO, {"Name": "B"})])
    assert first == Written(
        "a",
        "refused",
        ONE,
        code="DUPLICATES_DETECTED",
        message="Use one of these records?",
        fields=("Name",),
    )
    assert second == Written("b", "written", TWO)


def test_one_record_written_twice_is_written_in_order(wire: Any, crm: SalesforceCrm) -> None:
    wire.patch(COLLECTIONS, json=[wire.ok(ONE)])
    # The same record, once by each length of its id.
    crm.write("Account", [Write("a", ONE, {"Name": "first"}), Write("b", ONE[:15], {"Name": "second"})])
    sent = [[record["Name"] for record in body["records"]] for body in wire.bodies(COLLECTIONS)]
    assert sent == [["first"], ["second"]]


def test_one_refused_record_does_not_stop_the_others(wire: Any, crm: SalesforceCrm) -> None:
    wire.patch(COLLECTIONS, json=[wire.ok(TWO)])
    writes = [Write("a", ONE, {"Name": "far too long"}), Write("b", TWO, {"Name": "B"})]
    assert [result.outcome for result in crm.write("Account", writes)] == ["refused", "written"]


def test_the_value_a_record_was_refused_for_is_not_repeated(wire: Any, crm: SalesforceCrm) -> None:
    text = "Site: invalid email address: ada@example.com"
    wire.patch(COLLECTIONS, json=[wire.refused("INVALID_EMAIL_ADDRESS", text, ("Site",))])
    (result,) = crm.write("Account", [Write("a", ONE, {"Site": "ada@example.com"})])
    assert result.message == "Site: invalid email address: …"


def test_a_duplicate_of_another_unique_field_stays_refused(wire: Any, crm: SalesforceCrm) -> None:
    wire.patch(UPSERT, json=[wire.refused("DUPLICATE_VALUE")])
    wire.get(DATA + "query/", json={"done": True, "records": []})
    (result,) = crm.write("Account", [Write("a", None, {"Name": "A"}, ("Key__c", "k1"))])
    assert (result.outcome, result.code) == ("refused", "DUPLICATE_VALUE")


def test_a_field_that_salesforce_no_longer_knows_is_described_anew(
    wire: Any, crm: SalesforceCrm, describe: dict[str, Any]
) -> None:
    wire.patch(
        COLLECTIONS, json=[wire.refused("INVALID_FIELD", "No such column 'Site' on sobject of type Account")]
    )
    assert crm.write("Account", [Write("a", ONE, {"Site": "A"})])[0].code == "INVALID_FIELD"
    now = {**describe, "fields": [item for item in describe["fields"] if item["name"] != "Site"]}
    wire.replace(responses.GET, DATA + "sobjects/Account/describe", json=now)
    assert "Site" not in crm.describe("Account").fields


def test_what_is_stored_is_read_back(wire: Any, connect: Callable[..., SalesforceCrm]) -> None:
    wire.patch(COLLECTIONS, json=[wire.ok(ONE), wire.ok(TWO)])
    wire.post(
        DATA + "composite/sobjects/Account",
        json=[{"Id": ONE, "Name": "A", "AnnualRevenue": 12.0}, None],
    )
    writes = [Write("a", ONE, {"Name": "a ", "AnnualRevenue": "12.004"}), Write("b", TWO, {"Name": "B"})]
    first, second = connect(read_back=True).write("Account", writes)
    assert first.stored == {"Name": "A", "AnnualRevenue": "12"}
    # Deleted meanwhile: written all the same, and nothing is known about what is stored.
    assert (second.outcome, second.stored) == ("written", {})
    assert wire.bodies(DATA + "composite/sobjects/Account") == [
        {"ids": [ONE, TWO], "fields": ["Id", "AnnualRevenue", "Name"]}
    ]


def test_no_field_is_read_back_of_thousands_because_it_was_sent_to_one(
    wire: Any, connect: Callable[..., SalesforceCrm]
) -> None:
    wire.patch(UPSERT, json=[wire.ok(ONE, created=True)])
    wire.patch(COLLECTIONS, json=[{"success": True, "errors": []}] * 200)
    wire.post(DATA + "composite/sobjects/Account", json=[None])
    much = Write("much", None, {"Name": "A", "AnnualRevenue": "12"}, ("Key__c", "k1"))
    little = [Write(str(n), f"00155{n:010d}AAA", {"Name": "B"}) for n in range(2_000)]
    assert {one.outcome for one in connect(read_back=True).write("Account", [much, *little])} == {"written"}
    read = wire.bodies(DATA + "composite/sobjects/Account")
    assert sorted((len(each["ids"]), each["fields"]) for each in read) == [
        (1, ["Id", "AnnualRevenue", "Name"]),
        (2_000, ["Id", "Name"]),
    ]


def test_a_record_is_written_even_if_it_cannot_be_read_back(
    wire: Any, connect: Callable[..., SalesforceCrm]
) -> None:
    wire.patch(COLLECTIONS, json=[wire.ok(ONE)])
    wire.post(DATA + "composite/sobjects/Account", status=503)
    (result,) = connect(read_back=True).write("Account", [Write("a", ONE, {"Name": "A"})])
    assert (result.outcome, result.stored) == ("written", {})


def test_nothing_to_write_is_no_call_to_write(wire: Any, crm: SalesforceCrm) -> None:
    assert crm.write("Account", []) == []
