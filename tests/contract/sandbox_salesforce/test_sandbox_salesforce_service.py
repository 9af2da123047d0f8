"""The pretend Salesforce as a service: sessions, the budget of calls, pages, and what changed."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from connectors.sandbox.salesforce import seed
from connectors.sandbox.side import Ask

ADA = {"LastName": "Lovelace", "Company": "Engines", "Email": "ada@engines.example"}

# Sessions


def test_client_credentials_open_a_session(api: Any) -> None:
    body = json.loads(api.token_call(api.credentials).body)
    assert {"access_token", "signature", "scope", "instance_url", "id", "token_type", "issued_at"} <= set(
        body
    )
    assert not {"refresh_token", "expires_in"} & set(body)
    assert body["id"].split("/")[-2:] == [seed.ORG_ID, seed.INTEGRATION_USER]
    assert body["issued_at"] == str(int(api.clock.moment.timestamp() * 1000))
    assert body["access_token"].startswith(f"{seed.ORG_ID[:15]}!")


def test_credentials_may_come_in_the_basic_header(api: Any) -> None:
    basic = base64.b64encode(b"leadpact-sandbox:salesforce-sandbox-secret").decode()
    answer = api.token_call({"grant_type": "client_credentials"}, authorization=f"Basic {basic}")
    assert answer.status == 200


@pytest.mark.parametrize(
    ("form", "host", "error"),
    [
        ({"client_secret": "wrong"}, "acme.my.salesforce.com", "invalid_client"),
        ({"client_id": "wrong"}, "acme.my.salesforce.com", "invalid_client_id"),
        ({"grant_type": "password"}, "acme.my.salesforce.com", "unsupported_grant_type"),
        ({"grant_type": "refresh_token"}, "acme.my.salesforce.com", "invalid_grant"),
        ({}, "login.salesforce.com", "invalid_grant"),
        ({"grant_type": ""}, "acme.my.salesforce.com", "unsupported_grant_type"),
    ],
)
def test_a_token_is_refused_with_an_oauth_error(
    api: Any, form: dict[str, str], host: str, error: str
) -> None:
    answer = api.token_call(api.credentials | form, host=host)
    body = json.loads(answer.body)
    assert (answer.status, body["error"], set(body)) == (400, error, {"error", "error_description"})


def test_a_session_dies_of_idleness_and_lives_while_it_is_used(api: Any) -> None:
    api.side.limits({"token_lifetime_s": 60})
    for _ in range(3):
        api.clock.moment += timedelta(seconds=59)
        assert api.call("GET", "limits").status == 200
    api.clock.moment += timedelta(seconds=60)
    answer = api.call("GET", "limits")
    assert (answer.status, json.loads(answer.body)) == (
        401,
        [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}],
    )


def test_an_admin_can_end_every_session_at_once(api: Any) -> None:
    assert api.side.people({"action": "revoke_tokens"}) == {"revoked": 1}
    assert api.call("GET", "limits").status == 401


def test_a_token_can_be_asked_about_and_revoked(api: Any) -> None:
    def post(what: str, **headers: str) -> Any:
        form = f"token={api.token}&client_id=leadpact-sandbox&client_secret=salesforce-sandbox-secret"
        return api.side.answer(Ask("POST", f"/services/oauth2/{what}", (), headers, form.encode()))

    bearer = {"authorization": f"Bearer {api.token}"}
    info = json.loads(post("userinfo", **bearer).body)
    assert (info["user_id"], info["organization_id"]) == (seed.INTEGRATION_USER, seed.ORG_ID)
    assert json.loads(post("introspect").body)["active"] is True
    assert post("revoke").status == 200
    assert json.loads(post("introspect").body) == {"active": False}
    assert (post("userinfo", **bearer).status, api.call("GET", "limits").status) == (401, 401)


def test_the_versions_need_no_session_and_count_as_no_call(api: Any) -> None:
    answer = api.side.answer(Ask("GET", "/services/data/", (), {}, b""))
    versions = json.loads(answer.body)
    assert [versions[0]["version"], versions[-1]["version"]] == ["31.0", "67.0"]
    assert (versions[0]["label"], versions[-2]["label"], versions[-1]["label"]) == (
        *("Summer '14", "Spring '26", "Summer '26"),
    )
    assert "Sforce-Limit-Info" not in answer.headers


# The budget


def test_every_answer_says_how_much_of_the_budget_is_used(api: Any) -> None:
    api.side.limits({"daily": 2})
    seen = [api.call("GET", path) for path in ("limits", "nowhere", "limits")]
    assert [each.headers["Sforce-Limit-Info"] for each in seen] == [
        *("api-usage=1/2", "api-usage=2/2", "api-usage=2/2"),
    ]
    assert seen[2].status == 403
    assert json.loads(seen[2].body)[0] == {
        "message": "TotalRequests Limit exceeded.",
        "errorCode": "REQUEST_LIMIT_EXCEEDED",
    }
    api.clock.moment += timedelta(hours=25)
    api.log_in()
    assert api.call("GET", "limits").status == 200


def test_limits_and_counts_are_told(api: Any) -> None:
    api.create(ADA)
    assert api.json("GET", "limits")["DailyApiRequests"] == {"Max": 100_000, "Remaining": 99_998}
    counts = api.json("GET", "limits/recordCount?sObjects=Lead,Contact,Foo")
    assert counts == {"sObjects": [{"count": 1, "name": "Lead"}, {"count": 0, "name": "Contact"}]}


@pytest.mark.parametrize(
    ("length", "header", "status"), [(16_300, 10, 414), (10_000, 7_000, 431), (10_000, 100, 400)]
)
def test_addresses_and_headers_have_a_longest_length(api: Any, length: int, header: int, status: int) -> None:
    answer = api.call("GET", f"query?q={'x' * length}{'y' * 60}", **{"x_long": "h" * header})
    assert answer.status == status


# Pages


def test_pages_never_overlap_whatever_is_written_in_between(api: Any) -> None:
    ids = api.side.load("Lead", [{**ADA, "LastName": f"L{n}"} for n in range(450)])
    soql = quote("SELECT Id FROM Lead ORDER BY Id")
    page = api.json("GET", f"query?q={soql}", sforce_query_options="batchSize=200")
    assert (page["totalSize"], page["done"], len(page["records"])) == (450, False, 200)
    assert page["nextRecordsUrl"].startswith("/services/data/v66.0/query/01g")
    assert page["nextRecordsUrl"].endswith("-200")
    api.call("DELETE", f"sobjects/Lead/{ids[0]}")
    api.create(ADA)
    seen = [each["Id"] for each in page["records"]]
    while not page["done"]:
        page = api.json("GET", page["nextRecordsUrl"])
        seen += [each["Id"] for each in page["records"]]
    assert seen == ids
    assert "nextRecordsUrl" not in page


def test_a_cursor_of_query_all_keeps_its_deleted_records_under_the_query_address(api: Any) -> None:
    ids = api.side.load("Lead", [{**ADA, "LastName": f"L{n}"} for n in range(201)])
    api.call("DELETE", f"sobjects/Lead/{ids[200]}")
    soql = quote("SELECT Id, IsDeleted FROM Lead ORDER BY Id")
    page = api.json("GET", f"queryAll?q={soql}", sforce_query_options="batchSize=5")
    assert page["nextRecordsUrl"].split("/")[4] == "query"
    assert [each["IsDeleted"] for each in api.json("GET", page["nextRecordsUrl"])["records"]] == [True]


def test_a_cursor_lives_two_days(api: Any) -> None:
    api.side.load("Lead", [{**ADA, "LastName": f"L{n}"} for n in range(201)])
    page = api.json("GET", "query?q=SELECT+Id+FROM+Lead", sforce_query_options="batchSize=200")
    api.clock.moment += timedelta(days=2, seconds=1)
    api.log_in()
    answer = api.call("GET", page["nextRecordsUrl"])
    assert (answer.status, json.loads(answer.body)[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")


# Changes


def changed(api: Any, kind: str = "updated", start: str = "2026-11-18T10:00:00Z") -> Any:
    end = quote(api.clock.moment.isoformat())
    return api.json("GET", f"sobjects/Lead/{kind}?start={quote(start)}&end={end}")


def test_updated_cuts_the_seconds_off_its_span(api: Any) -> None:
    record_id = api.create(ADA)
    assert changed(api) == {"ids": [], "latestDateCovered": "2026-11-18T10:30:00.000+0000"}
    api.clock.moment += timedelta(seconds=30)
    assert changed(api) == {"ids": [record_id], "latestDateCovered": "2026-11-18T10:31:00.000+0000"}


def test_a_late_commit_appears_behind_its_stamp_and_holds_the_cover_back(api: Any) -> None:
    early = api.create(ADA)
    api.side.limits({"late_commit_ms": 120_000})
    late = api.create({**ADA, "LastName": "Late"})
    api.side.people({"action": "edit", "object": "Lead", "id": early, "fields": {"City": "Paris"}})
    api.side.limits({"late_commit_ms": 0})
    api.clock.moment += timedelta(seconds=80)
    assert changed(api) == {"ids": [early], "latestDateCovered": "2026-11-18T10:30:40.000+0000"}
    assert api.call("GET", f"sobjects/Lead/{late}").status == 404
    api.clock.moment += timedelta(seconds=40)
    assert changed(api) == {"ids": [early, late], "latestDateCovered": "2026-11-18T10:32:00.000+0000"}
    found = api.query(f"SELECT City, SystemModstamp FROM Lead WHERE Id = '{early}'")[0]
    assert (found["City"], found["SystemModstamp"]) == ("Paris", "2026-11-18T10:30:40.000+0000")


def test_deleted_records_are_told_with_their_time(api: Any) -> None:
    record_id = api.create(ADA)
    api.call("DELETE", f"sobjects/Lead/{record_id}")
    api.clock.moment += timedelta(minutes=1)
    body = changed(api, "deleted")
    assert body["deletedRecords"] == [{"deletedDate": "2026-11-18T10:30:40.000+0000", "id": record_id}]
    assert changed(api, "deleted", "2026-11-01T00:00:00Z")[0]["errorCode"] == "INVALID_REPLICATION_DATE"


@pytest.mark.parametrize(
    "start", ["2026-10-01T00:00:00Z", "2026-11-18T10:30:00Z", "2026-11-19T00:00:00Z", "soon"]
)
def test_a_span_that_is_too_long_or_empty_is_refused(api: Any, start: str) -> None:
    assert isinstance(changed(api, "updated", start), list)
