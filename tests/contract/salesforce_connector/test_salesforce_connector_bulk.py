"""Large readings and writings of the Salesforce connector go by bulk jobs of the pretend Salesforce."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from connectors.crm import ABSENT, ARCHIVED, CREATED_AT, MODIFIED_AT, RECORD_ID, FieldSpec, Write
from connectors.errors import NeedsPerson, RetryLater
from connectors.salesforce.crm import SalesforceCrm

NOON = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)
FIELDS = [
    "LastName",
    "Email",
    "AnnualRevenue",
    "DoNotCall",
    "City",
    "Description",
    "LastActivityDate",
    "Owner.Name",
]
ODD = ["plain", 'say "no"', "two\nlines", "a,b;c", "😀", "#N/A", None, " x ", '"', "\r\n."]


def loaded(org: Any, count: int) -> list[str]:
    """The ids of so many new leads, with every odd text there is."""
    rows = [
        {
            "LastName": f"Nr {n}",
            "Company": "ACME",
            "Email": f"p{n}@example.com",
            "AnnualRevenue": n * 1000,
            "DoNotCall": n % 2 == 0,
            "Description": ODD[n % len(ODD)],
        }
        for n in range(count)
    ]
    ids: list[str] = org.load(rows)
    return ids


def paths(org: Any) -> list[str]:
    return [f"{each['method']} {each['path'].partition('/v')[2][5:]}" for each in org.requests()]


@pytest.fixture
def crm(org: Any) -> Iterator[SalesforceCrm]:
    """A connector to which 80 rows to read, or more than 20 to write, are many already."""
    connector = org.connect(bulk_from_rows=80, bulk_above_writes=20)
    yield connector
    connector.close()


def everything(crm: SalesforceCrm, fields: Sequence[str] = FIELDS, since: Any = None) -> pl.DataFrame:
    frames = [slab.frame for slab in crm.changes("Lead", fields, since).slabs]
    assert all(0 < frame.height <= 10_000 for frame in frames)
    return pl.concat(frames).sort(RECORD_ID)


def people(count: int, **more: str | None) -> list[Write]:
    return [Write(f"t{n}", None, {"LastName": f"Nr {n}", "Company": "ACME", **more}) for n in range(count)]


def jobs_in(org: Any, kind: str) -> int:
    return sum(path == f"POST jobs/{kind}" for path in paths(org))


def test_a_bulk_reading_is_the_same_as_one_page_by_page(org: Any, crm: SalesforceCrm) -> None:
    loaded(org, 5_200)
    org.control("limits", bulk_page_rows=700)
    fast = everything(crm)
    slow_crm = org.connect(bulk_from_rows=None)
    slow = everything(slow_crm)
    slow_crm.close()
    assert fast.equals(slow)
    assert fast.columns == [RECORD_ID, MODIFIED_AT, CREATED_AT, ARCHIVED, ABSENT, *FIELDS]
    assert jobs_in(org, "query") == 1
    assert sum("/results?" in path for path in paths(org)) == 8


@pytest.mark.parametrize(
    "switches", [{"bulk_moments": "+0000"}, {"bulk_charset": False}, {"bulk_empty_header": False}]
)
def test_what_is_not_documented_may_be_either_way(org: Any, crm: SalesforceCrm, switches: Any) -> None:
    ids = loaded(org, 90)
    org.control("limits", **switches)
    frame = everything(crm)
    assert frame[RECORD_ID].to_list() == sorted(ids)
    assert frame[MODIFIED_AT][0] == NOON


def test_few_records_make_no_job_and_no_call_more(org: Any, crm: SalesforceCrm) -> None:
    loaded(org, 70)
    everything(crm)
    assert jobs_in(org, "query") == 0
    assert sum(path.startswith("GET query") for path in paths(org)) == 2  # LeadStatus and the one page


def test_a_version_without_parallel_pages_is_read_one_by_one(org: Any) -> None:
    ids = loaded(org, 90)
    org.control("limits", bulk_page_rows=40)
    crm = org.connect(bulk_from_rows=80, api_version="57.0")
    assert everything(crm)[RECORD_ID].to_list() == sorted(ids)
    crm.close()


def test_many_changes_come_by_a_job_with_those_deleted(org: Any, crm: SalesforceCrm) -> None:
    org.control("clock", now=NOON.replace(second=0).isoformat())
    cursor = crm.changes("Lead", FIELDS, None).cursor
    ids = loaded(org, 90)
    org.control("people", action="delete", object="Lead", id=ids[7])
    frame = everything(crm, FIELDS, cursor)
    assert frame[RECORD_ID].to_list() == sorted(ids)
    assert frame.filter(ARCHIVED)[RECORD_ID].to_list() == [ids[7]]
    assert jobs_in(org, "query") == 1
    assert crm.changes("Lead", FIELDS, cursor).cursor == cursor


def test_looks_become_rarer(org: Any, crm: SalesforceCrm) -> None:
    loaded(org, 90)
    org.control("limits", bulk_polls=12)
    everything(crm)
    assert org.slept == sorted(org.slept)
    assert (org.slept[0], org.slept[-1], len(org.slept)) == (0.5, 20.0, 12)


@pytest.mark.parametrize(
    "fault",
    [
        {"match": "/jobs/query/", "drop": "after", "times": 3},
        {"match": "/results", "drop": "before", "times": 3},
        {"match": "/results", "truncate": 500, "times": 2},
        {"match": "/resultPages", "status": 503, "times": 2},
        {"match": "/jobs/query", "html": 503, "times": 2},
    ],
)
def test_a_broken_connection_does_not_lose_a_record(
    org: Any, crm: SalesforceCrm, fault: dict[str, Any]
) -> None:
    ids = loaded(org, 90)
    crm.describe("Lead")
    org.control("limits", bulk_page_rows=20)
    org.control("faults", **fault)
    assert everything(crm)[RECORD_ID].to_list() == sorted(ids)


def test_a_token_that_dies_meanwhile_is_renewed(org: Any, crm: SalesforceCrm) -> None:
    ids = loaded(org, 90)
    reading = crm.changes("Lead", FIELDS, None)
    slabs = reading.slabs
    org.control("people", action="revoke_tokens")
    assert sum(slab.frame.height for slab in slabs) == len(ids)


def test_where_bulk_is_refused_the_records_come_page_by_page(org: Any, crm: SalesforceCrm) -> None:
    ids = loaded(org, 90)
    org.control("limits", daily_bulk_queries=0)
    assert everything(crm)[RECORD_ID].to_list() == sorted(ids)


def test_compound_fields_come_page_by_page(org: Any, crm: SalesforceCrm) -> None:
    loaded(org, 90)
    assert everything(crm, ["LastName", "Address"]).height == 90
    assert jobs_in(org, "query") == 0


def test_a_job_that_somebody_stopped_is_left_for_later(org: Any, crm: SalesforceCrm) -> None:
    loaded(org, 90)
    body = '{"id":"750gK0000000001AAA","state":"Aborted"}'
    org.control("faults", match="/jobs/query/750", status=200, body=body, times=1)
    with pytest.raises(RetryLater, match="ended as Aborted"):
        everything(crm)


def test_a_job_that_cannot_be_looked_at_is_stopped(org: Any, crm: SalesforceCrm) -> None:
    loaded(org, 90)
    org.control("faults", match="/jobs/query/750", status=503, times=6)
    with pytest.raises(RetryLater):
        everything(crm)
    assert paths(org)[-1].startswith("PATCH jobs/query/750")


def test_a_page_with_fewer_records_than_it_says_is_noticed(org: Any, crm: SalesforceCrm) -> None:
    loaded(org, 90)
    org.control("faults", match="/results", status=200, body='"Id"\n', times=-1)
    with pytest.raises(RetryLater):
        everything(crm)


def test_more_fields_than_an_address_holds_are_one_job(org: Any, crm: SalesforceCrm) -> None:
    wide = [FieldSpec(f"A_field_with_quite_a_long_name_{n:03}__c", f"Field {n}", "text") for n in range(340)]
    crm.add_fields("Lead", wide)
    loaded(org, 90)
    frame = everything(crm, ["LastName", *(spec.name for spec in wide)])
    assert (frame.height, frame.width) == (90, 5 + 341)
    assert frame[ABSENT].null_count() == 90
    assert jobs_in(org, "query") == 1


def test_many_new_records_are_one_job_and_come_back_in_order(org: Any, crm: SalesforceCrm) -> None:
    writes = people(300, City="Köln")
    random.Random(1).shuffle(writes)
    results = crm.write("Lead", writes)
    assert [result.trace for result in results] == [write.trace for write in writes]
    assert {(result.outcome, result.created) for result in results} == {("written", True)}
    held = org.leads()
    assert [held[str(result.record_id)]["LastName"] for result in results] == [
        write.values["LastName"] for write in writes
    ]
    assert results[0].stored == writes[0].values
    assert jobs_in(org, "ingest") == 1


@pytest.mark.parametrize("value", ODD)
def test_a_text_arrives_as_it_is(org: Any, crm: SalesforceCrm, value: str | None) -> None:
    results = crm.write("Lead", people(25, Description=value))
    assert {result.outcome for result in results} == {"written"}
    assert {each["Description"] for each in org.leads().values()} == {value}


def test_values_of_every_type_arrive(org: Any, crm: SalesforceCrm) -> None:
    values = {
        "AnnualRevenue": "25000000",
        "DoNotCall": "true",
        "NumberOfEmployees": "12",
        "Email": "zoë@x.example",
    }
    crm.write("Lead", people(25, **values))
    (kept,) = {(each["AnnualRevenue"], each["DoNotCall"], each["Email"]) for each in org.leads().values()}
    assert kept == (25_000_000, True, "zoë@x.example")


def test_only_named_fields_change_and_none_clears(org: Any, crm: SalesforceCrm) -> None:
    ids = loaded(org, 40)
    writes = [
        Write(f"t{n}", record, {"City": "Köln"} if n % 2 else {"Email": None}) for n, record in enumerate(ids)
    ]
    assert {result.outcome for result in crm.write("Lead", writes)} == {"written"}
    held = org.leads()
    assert [(held[one]["City"], held[one]["Email"]) for one in ids[:2]] == [
        (None, None),
        ("Köln", "p1@example.com"),
    ]


def test_refused_rows_say_why_and_the_others_are_written(org: Any, crm: SalesforceCrm) -> None:
    ids = loaded(org, 60)
    writes = [
        Write(f"t{n}", one, {"Email": f"p{n}" if n % 3 == 0 else f"new{n}@x.example"})
        for n, one in enumerate(ids)
    ]
    results = crm.write("Lead", writes)
    assert [result.outcome for result in results] == ["refused", "written", "written"] * 20
    assert results[0].code == "INVALID_EMAIL_ADDRESS"
    assert results[0].fields == ("Email",)
    assert results[9].message == "Email: invalid email address: …"


def test_an_upsert_by_key_says_which_are_new(org: Any, crm: SalesforceCrm) -> None:
    crm.add_fields("Lead", [FieldSpec("Key__c", "Key", "text", unique=True)])
    first = [
        Write(f"t{n}", None, {"LastName": "L", "Company": "C"}, ("Key__c", f"Key {n}")) for n in range(50)
    ]
    assert {result.created for result in crm.write("Lead", first[:30])} == {True}
    again = crm.write("Lead", first)
    assert [result.created for result in again] == [False] * 30 + [True] * 20
    assert len(org.leads()) == 50


def test_two_writes_to_one_record_keep_their_order(org: Any, crm: SalesforceCrm) -> None:
    ids = loaded(org, 30)
    writes = [Write(f"a{n}", one, {"City": "first"}) for n, one in enumerate(ids)]
    writes += [Write(f"b{n}", one, {"City": "second"}) for n, one in enumerate(ids)]
    assert len(crm.write("Lead", writes)) == 60
    assert {each["City"] for each in org.leads().values()} == {"second"}
    assert jobs_in(org, "ingest") == 2


def test_locked_rows_are_written_in_a_second_try(org: Any, crm: SalesforceCrm) -> None:
    ids = loaded(org, 30)
    org.control("limits", row_locks=5)
    results = crm.write("Lead", [Write(f"t{n}", one, {"City": "x"}) for n, one in enumerate(ids)])
    assert {result.outcome for result in results} == {"written"}


def test_rows_that_a_failed_job_left_are_refused_and_the_rest_is_written(
    org: Any, crm: SalesforceCrm
) -> None:
    org.control("limits", bulk_fails_after=10)
    results = crm.write("Lead", people(40))
    assert sorted({(result.outcome, result.code) for result in results}) == [
        ("refused", "JOB_FAILED"),
        ("written", ""),
    ]
    assert sum(result.outcome == "written" for result in results) == 10 == len(org.leads())


def test_a_job_that_did_nothing_raises(org: Any, crm: SalesforceCrm) -> None:
    org.control("limits", bulk_fails_after=0)
    with pytest.raises(RetryLater, match="ended as Failed"):
        crm.write("Lead", people(40))


def test_a_field_that_has_gone_needs_a_person(org: Any, crm: SalesforceCrm) -> None:
    crm.describe("Lead")
    org.control("limits", hidden_fields={"Lead": ["City"]})
    with pytest.raises(NeedsPerson) as caught:
        crm.write("Lead", people(40, City="x"))
    assert caught.value.code == "INVALID_FIELD"
    assert "City" not in crm.describe("Lead").fields


@pytest.mark.parametrize(
    "path", ["/ingest$", "/batches", "/ingest/750", "/successfulResults", "/failedResults"]
)
@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_dropped_connection_writes_nothing_twice(
    org: Any, crm: SalesforceCrm, path: str, drop: str
) -> None:
    crm.describe("Lead")
    org.control("faults", match=path, drop=drop, times=1)
    results = crm.write("Lead", people(40))
    assert {result.outcome for result in results} == {"written"}
    assert len(org.leads()) == 40


def test_a_job_that_can_no_longer_be_asked_is_unknown(org: Any, crm: SalesforceCrm) -> None:
    crm.describe("Lead")
    org.control("faults", match="Results", status=503, times=-1)
    results = crm.write("Lead", people(40))
    assert {result.outcome for result in results} == {"unknown"}
    assert all("bulk job 750" in result.message for result in results)
    assert len(org.leads()) == 40


def test_a_close_that_nobody_can_ask_about_is_unknown(org: Any, crm: SalesforceCrm) -> None:
    crm.describe("Lead")
    org.control("faults", match={"method": "PATCH", "path": "/jobs/"}, drop="after", times=1)
    org.control("faults", match={"method": "GET", "path": "/jobs/"}, drop="before", times=-1)
    results = crm.write("Lead", people(40))
    assert {result.outcome for result in results} == {"unknown"}


def test_where_bulk_is_refused_the_writes_go_in_calls(org: Any, crm: SalesforceCrm) -> None:
    crm.describe("Lead")
    body = '[{"errorCode":"INVALIDENTITY","message":"Entity is not supported by the Bulk API."}]'
    org.control("faults", match="/jobs/ingest", status=400, body=body, times=-1)
    assert {result.outcome for result in crm.write("Lead", people(450))} == {"written"}
    assert len(org.leads()) == 450


def test_few_writes_make_no_job(org: Any, crm: SalesforceCrm) -> None:
    crm.write("Lead", people(20))
    assert jobs_in(org, "ingest") == 0


def test_assignment_rules_do_not_run(org: Any, crm: SalesforceCrm) -> None:
    ids = loaded(org, 30)
    owner = org.leads()[ids[0]]["OwnerId"]
    org.control("limits", assignment_rule=True)
    crm.write("Lead", [Write(f"t{n}", one, {"City": "x"}) for n, one in enumerate(ids)])
    assert {each["OwnerId"] for each in org.leads().values()} == {owner}


def test_a_reading_that_is_given_up_leaves_nothing_behind(org: Any, crm: SalesforceCrm) -> None:
    loaded(org, 90)
    org.control("limits", bulk_page_rows=5)
    slabs = crm.changes("Lead", FIELDS, None).slabs
    assert next(slabs).frame.height == 5
    slabs.close()  # type: ignore[attr-defined]
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("bulk-page")] == []
    assert sum("/results?" in path for path in paths(org)) <= 6


def test_when_the_days_batches_are_gone_a_person_is_asked(org: Any, crm: SalesforceCrm) -> None:
    org.control("limits", daily_bulk_batches=0)
    with pytest.raises(NeedsPerson) as caught:
        crm.write("Lead", people(40))
    assert caught.value.code == "LIMIT_EXCEEDED"
    assert org.leads() == {}
