"""Bulk API 2.0 of the pretend Salesforce, as a client with a token sees it."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

LEAD = {"LastName": "Lovelace", "Company": "Engines"}


def load(api: Any, count: int) -> list[str]:
    ids: list[str] = api.side.load("Lead", [{**LEAD, "LastName": f"Nr {n}"} for n in range(count)])
    return ids


def ask(api: Any, soql: str, **more: Any) -> str:
    body = {"operation": "query", "query": soql, **more}
    answer = api.call("POST", "jobs/query", body)
    assert answer.status == 200, answer.body
    assert json.loads(answer.body)["state"] == "UploadComplete"
    return str(json.loads(answer.body)["id"])


def finish(api: Any, path: str) -> dict[str, Any]:
    while True:
        told: dict[str, Any] = api.json("GET", path)
        if told["state"] not in ("UploadComplete", "InProgress"):
            return told


def rows_of(text: str, delimiter: str = ",") -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def result(api: Any, soql: str, **more: Any) -> list[list[str]]:
    job = ask(api, soql, **more)
    assert finish(api, f"jobs/query/{job}")["state"] == "JobComplete"
    return rows_of(api.call("GET", f"jobs/query/{job}/results").body.decode())


def ingest(api: Any, text: str, operation: str = "insert", **more: Any) -> tuple[str, dict[str, Any]]:
    made = api.json("POST", "jobs/ingest", {"object": "Lead", "operation": operation, **more})
    assert made["state"] == "Open"
    assert made["contentUrl"] == f"services/data/v66.0/jobs/ingest/{made['id']}/batches"
    upload = api.call("PUT", f"jobs/ingest/{made['id']}/batches", text.encode(), content_type="text/csv")
    assert (upload.status, upload.body) == (201, b"")
    api.json("PATCH", f"jobs/ingest/{made['id']}", {"state": "UploadComplete"})
    return made["id"], finish(api, f"jobs/ingest/{made['id']}")


def outcomes(api: Any, job: str, kind: str) -> list[list[str]]:
    return rows_of(api.call("GET", f"jobs/ingest/{job}/{kind}").body.decode())


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status, json.loads(answer.body)[0]["errorCode"]


@pytest.mark.parametrize(
    "value",
    ["plain", 'a "quoted" word', "comma, semicolon; pipe|", "two\nlines", "Zoë 😀", "#N/A", "'", "a\tb"],
)
@pytest.mark.parametrize("delimiter", ["COMMA", "TAB", "PIPE", "SEMICOLON", "CARET", "BACKQUOTE"])
def test_a_value_comes_out_as_it_is(api: Any, value: str, delimiter: str) -> None:
    api.side.load("Lead", [{**LEAD, "Description": value, "City": None}])
    job = ask(api, "SELECT Description, City FROM Lead", columnDelimiter=delimiter, lineEnding="CRLF")
    finish(api, f"jobs/query/{job}")
    answer = api.call("GET", f"jobs/query/{job}/results")
    assert answer.content_type == "text/csv; charset=UTF-8"
    assert answer.body.endswith(b'""\r\n')
    mark = {"COMMA": ",", "TAB": "\t", "PIPE": "|", "SEMICOLON": ";", "CARET": "^", "BACKQUOTE": "`"}[
        delimiter
    ]
    assert rows_of(answer.body.decode(), mark) == [["Description", "City"], [value, ""]]


def test_every_kind_of_value_has_its_text(api: Any) -> None:
    api.side.load("Lead", [{**LEAD, "AnnualRevenue": 2500, "DoNotCall": True, "NumberOfEmployees": 7}])
    soql = "SELECT AnnualRevenue, DoNotCall, NumberOfEmployees, CreatedDate, Owner.Name FROM Lead"
    head, row = result(api, soql)
    assert head == ["AnnualRevenue", "DoNotCall", "NumberOfEmployees", "CreatedDate", "Owner.Name"]
    assert row[:4] == ["2500.0", "true", "7", "2026-11-18T10:30:40.000Z"]
    assert row[4]


def test_a_job_needs_looks_or_time(api: Any) -> None:
    api.side.limits({"bulk_polls": 2})
    first = ask(api, "SELECT Id FROM Lead")
    states = [api.json("GET", f"jobs/query/{first}")["state"] for _ in range(3)]
    assert states == ["InProgress", "InProgress", "JobComplete"]
    second = ask(api, "SELECT Id FROM Lead")
    api.clock.moment += timedelta(seconds=61)
    assert api.json("GET", f"jobs/query/{second}")["state"] == "JobComplete"


def test_pages_follow_the_locator_and_its_last_text_is_null(api: Any) -> None:
    ids = load(api, 7)
    job = ask(api, "SELECT Id FROM Lead ORDER BY Id")
    finish(api, f"jobs/query/{job}")
    found, locator, sizes = [], "", []
    while locator != "null":
        answer = api.call("GET", f"jobs/query/{job}/results?maxRecords=3&locator={locator}")
        found += [row[0] for row in rows_of(answer.body.decode())[1:]]
        sizes.append(answer.headers["Sforce-NumberOfRecords"])
        locator = answer.headers["Sforce-Locator"]
    assert (found, sizes) == (ids, ["3", "3", "1"])


def test_result_pages_come_five_at_a_time(api: Any) -> None:
    ids = load(api, 12)
    api.side.limits({"bulk_page_rows": 2})
    job = ask(api, "SELECT Id FROM Lead ORDER BY Id")
    finish(api, f"jobs/query/{job}")
    first = api.json("GET", f"jobs/query/{job}/resultPages")
    assert (len(first["resultPages"]), first["done"]) == (5, False)
    second = api.json("GET", first["nextRecordsUrl"])
    assert (len(second["resultPages"]), second["done"], second["nextRecordsUrl"]) == (1, True, None)
    urls = [each["resultUrl"] for each in first["resultPages"] + second["resultPages"]]
    pages = [rows_of(api.call("GET", url).body.decode())[1:] for url in urls]
    assert [row[0] for page in pages for row in page] == ids


def test_a_result_stays_as_it_was(api: Any) -> None:
    (record,) = load(api, 1)
    job = ask(api, "SELECT LastName FROM Lead")
    finish(api, f"jobs/query/{job}")
    before = api.call("GET", f"jobs/query/{job}/results").body
    api.call("DELETE", f"sobjects/Lead/{record}")
    assert api.call("GET", f"jobs/query/{job}/results").body == before


def test_query_all_gives_deleted_records_too(api: Any) -> None:
    record, _ = load(api, 2)
    api.call("DELETE", f"sobjects/Lead/{record}")
    assert len(result(api, "SELECT Id FROM Lead")) == 2
    assert len(result(api, "SELECT Id FROM Lead", operation="queryAll")) == 3


@pytest.mark.parametrize(
    "soql",
    [
        "SELECT Status, COUNT(Id) FROM Lead GROUP BY Status",
        "SELECT COUNT() FROM Lead",
        "SELECT MAX(CreatedDate) FROM Lead",
        "SELECT Id FROM Lead LIMIT 5 OFFSET 5",
        "SELECT Address FROM Lead",
        "SELECT FIELDS(ALL) FROM Lead LIMIT 200",
        "SELECT TYPEOF Owner WHEN User THEN Id END FROM Lead",
        "SELECT Id, (SELECT Id FROM Tasks) FROM Lead",
        "SELECT Nothing FROM Lead",
        "SELECT Id FROM Nothing",
        "",
    ],
)
def test_a_query_that_bulk_does_not_take_makes_no_job(api: Any, soql: str) -> None:
    assert api.call("POST", "jobs/query", {"operation": "query", "query": soql}).status == 400
    assert api.json("GET", "jobs/query")["records"] == []


def test_results_need_the_version_and_the_end_of_their_job(api: Any) -> None:
    job = ask(api, "SELECT Id FROM Lead")
    assert refusal(api.call("GET", f"jobs/query/{job}/results")) == (400, "INVALIDJOBSTATE")
    finish(api, f"jobs/query/{job}")
    for name in ("results", "resultPages"):
        assert api.call("GET", f"/services/data/v67.0/jobs/query/{job}/{name}").status == 409
    assert api.call("GET", f"/services/data/v57.0/jobs/query/{job}/resultPages").status == 404
    assert refusal(api.call("PATCH", f"jobs/query/{job}", {"state": "Aborted"})) == (400, "INVALIDJOBSTATE")


def test_a_job_can_be_aborted_and_then_deleted(api: Any) -> None:
    job = ask(api, "SELECT Id FROM Lead")
    assert refusal(api.call("DELETE", f"jobs/query/{job}")) == (400, "API_ERROR")
    assert api.json("PATCH", f"jobs/query/{job}", {"state": "Aborted"})["state"] == "Aborted"
    assert api.json("GET", f"jobs/query/{job}")["state"] == "Aborted"
    assert api.call("DELETE", f"jobs/query/{job}").status == 204
    assert refusal(api.call("GET", f"jobs/query/{job}")) == (404, "NOT_FOUND")


def test_jobs_survive_a_restart_and_go_after_seven_days(api: Any, tmp_path: Path) -> None:
    load(api, 3)
    job = ask(api, "SELECT Id FROM Lead")
    finish(api, f"jobs/query/{job}")
    api.restart(tmp_path)
    assert len(rows_of(api.call("GET", f"jobs/query/{job}/results").body.decode())) == 4
    api.clock.moment += timedelta(days=7, seconds=1)
    api.log_in()
    assert refusal(api.call("GET", f"jobs/query/{job}/results")) == (404, "NOT_FOUND")


def test_every_call_costs_one_and_jobs_are_counted(api: Any) -> None:
    before = api.json("GET", "limits")
    result(api, "SELECT Id FROM Lead")  # made, looked at twice, fetched
    ingest(api, "LastName,Company\nA,B\n")  # made, filled, closed, looked at twice
    after = api.json("GET", "limits")
    used = {name: before[name]["Remaining"] - after[name]["Remaining"] for name in before}
    assert {name: count for name, count in used.items() if count} == {
        "DailyApiRequests": 10,
        "DailyBulkV2QueryJobs": 1,
        "DailyBulkApiBatches": 1,
    }
    api.side.limits({"daily_bulk_queries": 1})
    refused = api.call("POST", "jobs/query", {"operation": "query", "query": "SELECT Id FROM Lead"})
    assert refusal(refused) == (400, "LIMIT_EXCEEDED")


def test_rows_are_inserted_and_told_in_another_order(api: Any) -> None:
    text = "LastName,Company,City\n" + "".join(f"Nr {n},ACME,\n" for n in range(40))
    job, told = ingest(api, text)
    assert (told["state"], told["numberRecordsProcessed"], told["numberRecordsFailed"]) == (
        "JobComplete",
        40,
        0,
    )
    head, *rows = outcomes(api, job, "successfulResults")
    assert head == ["sf__Id", "sf__Created", "LastName", "Company", "City"]
    assert [row[2] for row in rows] != [f"Nr {n}" for n in range(40)]
    assert {row[2] for row in rows} == {f"Nr {n}" for n in range(40)}
    assert all(api.get(row[0])["LastName"] == row[2] for row in rows[:5])


def test_a_job_is_complete_even_if_every_row_failed(api: Any) -> None:
    job, told = ingest(api, "LastName\nA\nB\n")
    assert (told["state"], told["numberRecordsFailed"]) == ("JobComplete", 2)
    rows = outcomes(api, job, "failedResults")
    assert rows[0] == ["sf__Id", "sf__Error", "LastName"]
    assert rows[1][:2] == ["", "REQUIRED_FIELD_MISSING:Required fields are missing: [Company]:Company --"]


@pytest.mark.parametrize(
    ("column", "cell", "error"),
    [
        ("Email", "no address", "INVALID_EMAIL_ADDRESS:Email: invalid email address: no address:Email --"),
        (
            "AnnualRevenue",
            "much",
            "INVALID_FIELD:Failed to deserialize field at col 1. Due to, 'much' is not a valid value for the type "
            "xsd:double:AnnualRevenue --",
        ),
        ("OwnerId", "x", "MALFORMED_ID:Owner ID: id value of incorrect type: x:OwnerId --"),
    ],
)
def test_a_bad_value_fails_its_row_alone(api: Any, column: str, cell: str, error: str) -> None:
    first, second = load(api, 2)
    job, _ = ingest(api, f"Id,{column}\n{first},{cell}\n{second},\n", "update")
    assert [row[1] for row in outcomes(api, job, "failedResults")[1:]] == [error]
    assert [row[0] for row in outcomes(api, job, "successfulResults")[1:]] == [second]


def test_an_empty_cell_is_ignored_and_na_clears(api: Any) -> None:
    first, second = api.side.load("Lead", [{**LEAD, "City": "Köln"}, {**LEAD, "City": "Bonn"}])
    ingest(api, f"Id,City\n{first},\n{second},#N/A\n", "update")
    assert (api.get(first)["City"], api.get(second)["City"]) == ("Köln", None)


def test_an_upsert_goes_by_the_external_id(keyed: Any) -> None:
    known = keyed.create({**LEAD, "Key__c": "k1"})
    text = "Key__c,LastName,Company\nk1,Byron,ACME\nk2,New,ACME\n"
    job, _ = ingest(keyed, text, "upsert", externalIdFieldName="Key__c")
    rows = {row[2]: row[:2] for row in outcomes(keyed, job, "successfulResults")[1:]}
    assert rows["k1"] == [known, "false"]
    assert rows["k2"][1] == "true"
    assert keyed.get(known)["LastName"] == "Byron"


def test_records_are_deleted_by_id(api: Any) -> None:
    first, second = load(api, 2)
    ingest(api, f"Id\n{first}\n", "delete")
    assert [each["Id"] for each in api.query("SELECT Id FROM Lead")] == [second]


def test_a_relation_is_found_by_a_field(api: Any) -> None:
    owner = api.query("SELECT Id, Username FROM User WHERE IsActive = true ORDER BY Id")[-1]
    (record,) = load(api, 1)
    job, told = ingest(api, f"Id,User:Owner.Id\n{record},{owner['Id']}\n", "update")
    assert told["numberRecordsFailed"] == 0, outcomes(api, job, "failedResults")
    assert api.get(record)["OwnerId"] == owner["Id"]


@pytest.mark.parametrize(
    ("text", "more", "said"),
    [
        ("LastName,Nothing\nA,B\n", {}, "Field name not found : Nothing"),
        ("LastName,lastname\nA,B\n", {}, "Duplicate field name"),
        ("LastName,Company\r\nA,B\r\n", {}, "LineEnding is invalid"),
        ("LastName,Company\nA,B\n", {"lineEnding": "CRLF"}, "LineEnding is invalid"),
        ("LastName;Company\nA;B\n", {}, "Field name not found"),
        ('LastName,Company\nA, "B"\n', {}, "outside of quotes"),
        ('LastName,Company\nA,"B" \n', {}, "outside of quotes"),
        ('LastName,Company\nA,"B\n', {}, "closing an opened quote"),
        ("LastName,Company\nA\n", {}, "Record 1 has 1 fields"),
        ("", {}, "no header"),
    ],
)
def test_a_file_that_cannot_be_read_fails_the_job(api: Any, text: str, more: Any, said: str) -> None:
    _, told = ingest(api, text, **more)
    assert told["state"] == "Failed"
    assert said in told["errorMessage"]
    assert api.query("SELECT Id FROM Lead") == []


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ('"LastName","Company"\r\n"two\r\nlines","B"\r\n', {"lineEnding": "CRLF"}),
        ("LastName|Company\ntwo,words|B\n", {"columnDelimiter": "PIPE"}),
        ('LastName,Company\n"say ""no""",B\n', {}),
        ("LastName,Company\nwithout an end,B", {}),
    ],
)
def test_quotes_delimiters_and_line_endings_are_read(api: Any, text: str, more: Any) -> None:
    _, told = ingest(api, text, **more)
    assert (told["state"], told["numberRecordsFailed"], told["numberRecordsProcessed"]) == (
        "JobComplete",
        0,
        1,
    )
    wanted = {"two\r\nlines", "two,words", 'say "no"', "without an end"}
    assert api.query("SELECT LastName FROM Lead")[0]["LastName"] in wanted


def test_a_failed_job_keeps_what_it_wrote_and_names_the_rest(api: Any) -> None:
    api.side.limits({"bulk_fails_after": 2})
    job, told = ingest(api, "LastName,Company\nA,X\nB,X\nC,X\n")
    assert (told["state"], told["numberRecordsProcessed"]) == ("Failed", 2)
    assert {row[2] for row in outcomes(api, job, "successfulResults")[1:]} == {"A", "B"}
    for name in ("unprocessedrecords", "unprocessedRecords"):
        assert outcomes(api, job, name) == [["LastName", "Company"], ["C", "X"]]


def test_a_locked_row_fails_alone(api: Any) -> None:
    first, second = load(api, 2)
    api.side.limits({"row_locks": 1})
    job, _ = ingest(api, f"Id,City\n{first},X\n{second},X\n", "update")
    (failed,) = outcomes(api, job, "failedResults")[1:]
    assert failed[1].startswith("UNABLE_TO_LOCK_ROW:unable to obtain exclusive access")
    assert failed[1].endswith(":--")
    assert len(outcomes(api, job, "successfulResults")) == 2


def test_a_job_is_filled_once_and_closed_once(api: Any) -> None:
    made = api.json("POST", "jobs/ingest", {"object": "Lead", "operation": "insert"})["id"]
    put = [
        api.call("PUT", f"jobs/ingest/{made}/batches", b"LastName\nA\n", content_type="text/csv")
        for _ in range(2)
    ]
    assert [each.status for each in put] == [201, 400]
    assert refusal(put[1])[1] == "INVALIDJOBSTATE"
    closed = [api.call("PATCH", f"jobs/ingest/{made}", {"state": "UploadComplete"}).status for _ in range(2)]
    assert closed == [200, 400]
    late = api.call("PUT", f"jobs/ingest/{made}/batches", b"LastName\nA\n", content_type="text/csv")
    assert refusal(late) == (400, "INVALIDJOBSTATE")


def test_an_aborted_job_wrote_nothing(api: Any) -> None:
    made = api.json("POST", "jobs/ingest", {"object": "Lead", "operation": "insert"})["id"]
    api.call("PUT", f"jobs/ingest/{made}/batches", b"LastName,Company\nA,B\n", content_type="text/csv")
    assert api.json("PATCH", f"jobs/ingest/{made}", {"state": "Aborted"})["state"] == "Aborted"
    assert outcomes(api, made, "unprocessedrecords")[1:] == [["A", "B"]]
    assert api.query("SELECT Id FROM Lead") == []


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"object": "Nothing", "operation": "insert"}, "INVALIDENTITY"),
        ({"object": "Lead", "operation": "upsert"}, "API_ERROR"),
        ({"object": "Lead", "operation": "upsert", "externalIdFieldName": "City"}, "API_ERROR"),
        ({"object": "Lead", "operation": "hardDelete"}, "FEATURENOTENABLED"),
        ({"object": "Lead", "operation": "insert", "contentType": "JSON"}, "API_ERROR"),
        ({"object": "Lead", "operation": "insert", "columnDelimiter": "DOT"}, "API_ERROR"),
    ],
)
def test_an_impossible_job_is_refused(api: Any, wanted: Any, code: str) -> None:
    assert refusal(api.call("POST", "jobs/ingest", wanted)) == (400, code)


def test_one_multipart_request_is_a_whole_job(api: Any) -> None:
    told = json.dumps({"object": "Lead", "operation": "insert"})
    body = (
        '--x\r\nContent-Type: application/json\r\nContent-Disposition: form-data; name="job"\r\n\r\n'
        f'{told}\r\n--x\r\nContent-Type: text/csv\r\nContent-Disposition: form-data; name="content"; '
        'filename="content"\r\n\r\nLastName,Company\nZoë,ACME\n\r\n--x--\r\n'
    ).encode()
    made = json.loads(
        api.call("POST", "jobs/ingest", body, content_type="multipart/form-data; boundary=x").body
    )
    assert made["state"] == "UploadComplete"
    assert finish(api, f"jobs/ingest/{made['id']}")["numberRecordsProcessed"] == 1
    assert api.query("SELECT LastName FROM Lead")[0]["LastName"] == "Zoë"


@pytest.mark.shared
def test_a_job_looks_like_a_recorded_one(keyed: Any, shared_data: Path) -> None:
    kept = json.loads(
        (shared_data / "crm_fixtures/salesforce/bulk2_job_partial_failure.json").read_text("utf-8")
    )
    text = "Key__c,LastName,Company\nk1,Byron,ACME\nk2,,ACME\n"
    job, told = ingest(keyed, text, "upsert", externalIdFieldName="Key__c")
    recorded = kept["response"]["body"]
    assert {name: type(value) for name, value in told.items()} == {
        name: type(value) for name, value in recorded.items()
    }
    failed = (shared_data / "crm_fixtures/salesforce/bulk2_failed_results.csv").read_bytes()
    ours = keyed.call("GET", f"jobs/ingest/{job}/failedResults").body
    assert ours.split(b",")[:2] == failed.split(b",")[:2]
    assert not ours.endswith(b"\n")


def test_switches_for_what_is_not_documented(api: Any) -> None:
    load(api, 1)
    api.side.limits({"bulk_charset": False, "bulk_moments": "+0000", "bulk_empty_header": False})
    job = ask(api, "SELECT CreatedDate FROM Lead")
    finish(api, f"jobs/query/{job}")
    answer = api.call("GET", f"jobs/query/{job}/results")
    assert answer.content_type == "text/csv"
    assert answer.body == b'"CreatedDate"\n"2026-11-18T10:30:40.000+0000"\n'
    empty = ask(api, "SELECT Id FROM Contact WHERE LastName = 'nobody'")
    finish(api, f"jobs/query/{empty}")
    assert api.call("GET", f"jobs/query/{empty}/results").body == b""


def test_a_job_fails_when_the_days_batches_are_gone(api: Any) -> None:
    api.side.limits({"daily_bulk_batches": 0})
    job, told = ingest(api, "LastName,Company\nA,B\n")
    assert (told["state"], told["errorMessage"][:14]) == ("Failed", "LIMIT_EXCEEDED")
    assert outcomes(api, job, "unprocessedrecords")[1:] == [["A", "B"]]


@pytest.mark.parametrize("wanted", ["0", "-1", "x", "²", "9" * 5_000, "1.5"])
def test_a_page_size_is_a_whole_number(api: Any, wanted: str) -> None:
    load(api, 2)
    job = ask(api, "SELECT Id FROM Lead")
    finish(api, f"jobs/query/{job}")
    assert refusal(api.call("GET", f"jobs/query/{job}/results?maxRecords={wanted}")) == (400, "API_ERROR")


@pytest.mark.parametrize("locator", ["x", "Zz", "LTE", "OTk5", "%00", "é"])
def test_a_foreign_locator_is_refused(api: Any, locator: str) -> None:
    load(api, 2)
    job = ask(api, "SELECT Id FROM Lead")
    finish(api, f"jobs/query/{job}")
    for name in ("results", "resultPages"):
        answer = api.call("GET", f"jobs/query/{job}/{name}?locator={locator}")
        assert refusal(answer) == (400, "INVALID_QUERY_LOCATOR")


@pytest.mark.parametrize("wanted", [[], {}, 7, None, "x"])
@pytest.mark.parametrize("name", ["operation", "query", "columnDelimiter", "lineEnding", "contentType"])
def test_nonsense_is_refused_and_never_breaks_the_server(api: Any, name: str, wanted: Any) -> None:
    body = {"operation": "query", "query": "SELECT Id FROM Lead", name: wanted}
    assert api.call("POST", "jobs/query", body).status == 400
    body = {"operation": "insert", "object": "Lead", name: wanted}
    wanted_status = 200 if name == "query" else 400
    assert api.call("POST", "jobs/ingest", body).status == wanted_status


def test_jobs_are_listed_by_kind(api: Any) -> None:
    job = ask(api, "SELECT Id FROM Lead")
    other, _ = ingest(api, "LastName,Company\nA,B\n")
    for kind, wanted in (("query", job), ("ingest", other)):
        told = api.json("GET", f"jobs/{kind}")
        assert ([each["id"] for each in told["records"]], told["done"]) == ([wanted], True)
        assert told["nextRecordsUrl"] is None


def test_an_upload_survives_a_restart(api: Any, tmp_path: Path) -> None:
    made = api.json("POST", "jobs/ingest", {"object": "Lead", "operation": "insert"})["id"]
    api.call("PUT", f"jobs/ingest/{made}/batches", b"LastName,Company\nA,B\n", content_type="text/csv")
    api.restart(tmp_path)
    api.json("PATCH", f"jobs/ingest/{made}", {"state": "UploadComplete"})
    api.restart(tmp_path)
    assert finish(api, f"jobs/ingest/{made}")["numberRecordsProcessed"] == 1
    api.restart(tmp_path)
    assert outcomes(api, made, "successfulResults")[1][2:] == ["A", "B"]


def test_a_job_left_open_for_a_day_is_given_up(api: Any) -> None:
    made = api.json("POST", "jobs/ingest", {"object": "Lead", "operation": "insert"})["id"]
    api.clock.moment += timedelta(hours=24, seconds=1)
    api.log_in()
    assert api.json("GET", f"jobs/ingest/{made}")["state"] == "Aborted"


def test_a_field_that_goes_fails_the_query_job(api: Any) -> None:
    job = ask(api, "SELECT City FROM Lead")
    api.side.limits({"hidden_fields": {"Lead": ["City"]}})
    told = finish(api, f"jobs/query/{job}")
    assert (told["state"], told["errorMessage"][:13]) == ("Failed", "INVALID_FIELD")
    assert refusal(api.call("GET", f"jobs/query/{job}/results")) == (400, "INVALIDJOBSTATE")


def test_hundreds_of_columns_are_no_trouble(api: Any) -> None:
    api.deploy(
        api.package(
            {f"C{n}__c": "<type>Text</type><length>9</length>" for n in range(400)},
            api.granting([f"C{n}__c" for n in range(400)]),
        )
    )
    api.grant()
    api.side.load("Lead", [{**LEAD, "C399__c": "last"}])
    names = ", ".join(f"C{n}__c" for n in range(400))
    head, row = result(api, f"SELECT Id, {names} FROM Lead")
    assert (len(head), row[-1]) == (401, "last")
