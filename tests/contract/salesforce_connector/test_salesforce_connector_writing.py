"""Writing through the Salesforce connector into the pretend Salesforce, over real HTTP, faults included."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from connectors.crm import FieldSpec, Write
from connectors.errors import NeedsPerson
from connectors.salesforce.crm import SalesforceCrm

FIELDS = ["LastName", "Company", "Email", "AnnualRevenue", "DoNotCall", "Status"]


def a_lead(number: int, **more: Any) -> dict[str, Any]:
    return {"LastName": f"Nr {number}", "Company": "ACME", **more}


def test_a_written_record_reads_as_written(org: Any, crm: SalesforceCrm) -> None:
    values = {"LastName": "Zoë", "Company": "ACME", "AnnualRevenue": "25000000.50", "DoNotCall": "true"}
    (created,) = crm.write("Lead", [Write("a", None, values)])
    assert (created.outcome, created.created, created.stored) == (
        "written",
        True,
        # The field has no digits after the point: what was sent is not what is stored.
        {**values, "AnnualRevenue": "25000001"},
    )
    (updated,) = crm.write("Lead", [Write("b", created.record_id, {"AnnualRevenue": None, "City": "Köln"})])
    assert (updated.outcome, updated.created, updated.record_id) == ("written", False, created.record_id)
    assert updated.stored == {"AnnualRevenue": None, "City": "Köln"}
    frame = org.joined(crm.fetch("Lead", [*FIELDS, "City"], [str(created.record_id)]))
    assert frame.select("LastName", "AnnualRevenue", "DoNotCall", "City").rows() == [
        ("Zoë", None, "true", "Köln")
    ]


def test_our_writes_name_us_and_leave_the_owner_alone(org: Any, crm: SalesforceCrm) -> None:
    org.control("limits", assignment_rule=True)
    (record,) = org.load([a_lead(1)])
    owner = org.joined(crm.fetch("Lead", ["OwnerId"], [record]))["OwnerId"][0]
    crm.write("Lead", [Write("a", record, {"City": "Köln"})])
    assert org.joined(crm.fetch("Lead", ["OwnerId"], [record]))["OwnerId"][0] == owner
    assert {request["client"] for request in org.requests() if "/services/data/" in request["path"]} == {
        "client=leadpact"
    }


def test_one_bad_record_leaves_the_others_written(org: Any, crm: SalesforceCrm) -> None:
    ids = org.load([a_lead(n) for n in range(3)])
    results = crm.write(
        "Lead",
        [
            Write("a", ids[0], {"City": "Köln"}),
            Write("b", ids[1], {"Email": "planted-not-an-address"}),
            Write("c", ids[2], {"City": "x" * 41}),
            Write("d", None, {"LastName": "No company"}),
            Write("e", "00Q000000000000AAA", {"City": "Bonn"}),
        ],
    )
    assert [result.trace for result in results] == ["a", "b", "c", "d", "e"]
    assert [result.outcome for result in results] == ["written", *["refused"] * 4]
    assert [result.code for result in results[1:4]] == [
        "INVALID_EMAIL_ADDRESS",
        "STRING_TOO_LONG",
        "REQUIRED_FIELD_MISSING",
    ]
    assert results[4].code
    assert "planted" not in results[1].message
    assert results[3].fields == ("Company",)


def test_a_converted_record_is_refused_with_salesforces_code(org: Any, crm: SalesforceCrm) -> None:
    (record,) = org.load([a_lead(1)])
    org.control("people", action="convert", id=record)
    (result,) = crm.write("Lead", [Write("a", record, {"City": "Köln"})])
    assert (result.outcome, result.code) == ("refused", "CANNOT_UPDATE_CONVERTED_LEAD")


def test_a_locked_row_is_written_in_the_end(org: Any, crm: SalesforceCrm) -> None:
    ids = org.load([a_lead(n) for n in range(3)])
    org.control("limits", row_locks=2)
    results = crm.write("Lead", [Write(record, record, {"City": "Köln"}) for record in ids])
    assert {result.outcome for result in results} == {"written"}


KEY = FieldSpec("Leadpact_Id__c", "Leadpact id", "text", length=32, unique=True)


def test_an_upsert_creates_once_and_updates_after_that(org: Any, crm: SalesforceCrm) -> None:
    crm.add_fields("Lead", [KEY])
    write = Write("a", None, a_lead(1), (KEY.name, "lead-1"))
    (first,) = crm.write("Lead", [write])
    (second,) = crm.write("Lead", [write])
    assert (first.created, second.created) == (True, False)
    assert first.record_id == second.record_id


@pytest.mark.parametrize("drop", ["before", "after"])
def test_an_upsert_whose_connection_broke_is_done_once(org: Any, crm: SalesforceCrm, drop: str) -> None:
    crm.add_fields("Lead", [KEY])
    org.control("faults", match={"method": "PATCH", "path": "composite/sobjects"}, drop=drop)
    (result,) = crm.write("Lead", [Write("a", None, a_lead(1), (KEY.name, "lead-1"))])
    assert result.outcome == "written"
    assert org.changed(crm, None)[0].height == 1


@pytest.mark.parametrize(
    ("fault", "there"),
    [({"drop": "before"}, 0), ({"drop": "after"}, 1), ({"truncate": 5}, 1)],
)
def test_a_create_whose_connection_broke_is_unknown(
    org: Any, crm: SalesforceCrm, fault: dict[str, Any], there: int
) -> None:
    crm.describe("Lead")
    org.control("faults", match={"method": "POST", "path": "composite/sobjects$"}, **fault)
    (result,) = crm.write("Lead", [Write("a", None, a_lead(1))])
    assert result.outcome == "unknown"
    assert org.changed(crm, None)[0].height == there


def test_a_revoked_token_is_replaced_in_the_middle_of_the_work(org: Any, crm: SalesforceCrm) -> None:
    ids = org.load([a_lead(n) for n in range(4_100)])
    reading = crm.changes("Lead", ["LastName"], None)
    first = next(reading.slabs)
    org.control("people", action="revoke_tokens")
    assert first.frame.height + org.joined(reading.slabs).height == len(ids)
    org.control("people", action="revoke_tokens")
    (result,) = crm.write("Lead", [Write("a", ids[0], {"City": "Köln"})])
    assert result.outcome == "written"


def test_a_proxys_error_page_is_waited_out(org: Any, crm: SalesforceCrm) -> None:
    (record,) = org.load([a_lead(1)])
    org.control("faults", match="composite/sobjects", html=503, times=2)
    assert org.joined(crm.fetch("Lead", FIELDS, [record])).height == 1


def test_a_used_up_day_needs_a_person(org: Any) -> None:
    org.control("limits", daily=0)
    with pytest.raises(NeedsPerson) as used_up:
        org.connect().describe("Lead")
    assert used_up.value.code == "REQUEST_LIMIT_EXCEEDED"
    assert "24 hours" in used_up.value.fix


def test_a_wrong_secret_needs_a_person(org: Any) -> None:
    crm = org.connect(client_secret="planted-wrong-secret")
    with pytest.raises(NeedsPerson) as refused:
        crm.account()
    assert "planted" not in f"{refused.value} {refused.value.fix}"


def test_threads_share_one_connector_and_one_new_token(org: Any, crm: SalesforceCrm) -> None:
    ids = org.load([a_lead(n) for n in range(40)])
    crm.describe("Lead")
    org.control("people", action="revoke_tokens")
    org.forget_requests()

    def work(place: int) -> tuple[str | None, int]:
        mine = ids[place * 5 : place * 5 + 5]
        results = crm.write("Lead", [Write(record, record, {"City": f"City {place}"}) for record in mine])
        stored = {result.stored["City"] for result in results}
        return stored.pop(), org.joined(crm.fetch("Lead", FIELDS, mine)).height

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [(f"City {place}", 5) for place in range(8)]
    assert sum("oauth2/token" in request["path"] for request in org.requests()) == 1


def test_nothing_we_log_holds_a_secret_or_a_value(
    org: Any, crm: SalesforceCrm, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="connectors")
    (record,) = org.load([a_lead(1)])
    org.control("limits", row_locks=50)
    crm.write("Lead", [Write("a", record, {"City": "planted-city", "Email": "planted@"})])
    org.control("limits", row_locks=0)
    org.control("faults", match="composite/sobjects/Lead$", status=400, times=-1)
    crm.write("Lead", [Write("a", record, {"City": "planted-city"})])
    text = "\n".join(
        entry.getMessage() for entry in caplog.records if entry.name.startswith("connectors.salesforce")
    )
    assert text
    assert "planted" not in text
    assert "salesforce-sandbox-secret" not in text
    assert "00D" not in text
