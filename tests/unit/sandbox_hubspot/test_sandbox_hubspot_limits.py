"""Limits, switches, the token and the paths of the HubSpot side of the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.sandbox.hubspot.side import HubSpotSide
from connectors.sandbox.side import Ask, ControlRefused

CONTACTS = "/crm/v3/objects/contacts"
TOKEN = {"authorization": "Bearer pat-eu1-leadpact-sandbox"}


def ask(
    side: HubSpotSide, method: str = "GET", path: str = CONTACTS, headers: Any = None, body: bytes = b""
) -> tuple[int, Mapping[str, str], Any]:
    answer = side.answer(Ask(method, path, (), TOKEN if headers is None else headers, body))
    return answer.status, answer.headers, orjson.loads(answer.body) if answer.body else None


def search(side: HubSpotSide) -> tuple[int, Mapping[str, str], Any]:
    return ask(side, "POST", f"{CONTACTS}/search", body=b"{}")


def test_the_ten_second_window_rolls(side: HubSpotSide, clock: Any) -> None:
    side.limits({"ten_secondly": 2})
    assert [ask(side)[0] for _ in range(3)] == [200, 200, 429]
    clock.elapsed = 9.9
    status, headers, body = ask(side)
    assert (status, body["policyName"]) == (429, "TEN_SECONDLY_ROLLING")
    assert body["message"] == "You have reached your ten_secondly_rolling limit."
    assert body["errorType"] == "RATE_LIMIT"
    assert headers["X-HubSpot-RateLimit-Remaining"] == "0"
    assert "Retry-After" not in headers
    clock.elapsed = 10.0
    assert ask(side)[0] == 200


def test_a_refused_call_does_not_lengthen_the_wait(side: HubSpotSide, clock: Any) -> None:
    side.limits({"ten_secondly": 1})
    ask(side)
    for clock.elapsed in (3.0, 6.0, 9.0):
        assert ask(side)[0] == 429
    clock.elapsed = 10.0
    assert ask(side)[0] == 200


def test_retry_after_is_sent_only_when_switched_on(side: HubSpotSide) -> None:
    side.limits({"ten_secondly": 1, "retry_after": True})
    ask(side)
    assert ask(side)[1]["Retry-After"] == "10"


def test_headers_count_down(side: HubSpotSide) -> None:
    side.limits({"ten_secondly": 100, "daily": 1000})
    ask(side)
    _, headers, _ = ask(side)
    assert {name: value for name, value in headers.items() if name.startswith("X-HubSpot")} == {
        "X-HubSpot-RateLimit-Daily": "1000",
        "X-HubSpot-RateLimit-Daily-Remaining": "998",
        "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
        "X-HubSpot-RateLimit-Max": "100",
        "X-HubSpot-RateLimit-Remaining": "98",
    }


def test_search_has_a_window_of_its_own_and_no_headers(side: HubSpotSide, clock: Any) -> None:
    side.limits({"ten_secondly": 1, "secondly_search": 2})
    ask(side)
    answers = [search(side) for _ in range(3)]
    assert [status for status, _, _ in answers] == [200, 200, 429]
    assert all(not name.startswith("X-HubSpot") for _, headers, _ in answers for name in headers)
    assert answers[2][2]["policyName"] == "SECONDLY"
    assert answers[2][2]["message"] == "You have reached your secondly limit."
    clock.elapsed = 1.0
    assert search(side)[0] == 200


def test_the_day_ends_at_midnight_in_the_accounts_time_zone(side: HubSpotSide, clock: Any) -> None:
    side.limits({"daily": 2})
    clock.at = datetime(2026, 3, 1, 22, 59, tzinfo=UTC)
    assert [ask(side)[0], search(side)[0]] == [200, 200]
    status, headers, body = ask(side)
    assert (status, body["policyName"], body["message"]) == (
        429,
        "DAILY",
        "You have reached your daily limit.",
    )
    assert headers["X-HubSpot-RateLimit-Daily-Remaining"] == "0"
    clock.at += timedelta(minutes=1)
    assert ask(side)[0] == 200


def test_limits_can_be_switched_off(side: HubSpotSide) -> None:
    side.limits({"ten_secondly": None, "secondly_search": None, "daily": None})
    assert {ask(side)[0] for _ in range(300)} == {200}
    assert {search(side)[0] for _ in range(10)} == {200}
    assert not any(name.startswith("X-HubSpot") for name in ask(side)[1])


def test_limits_tell_what_is_in_force_and_survive_a_restart(
    side: HubSpotSide, clock: Any, tmp_path: Path
) -> None:
    assert side.limits({})["ten_secondly"] == 190
    side.limits({"ten_secondly": 100, "empty": "absent", "scopes": ["crm.objects.contacts.read"]})
    again = HubSpotSide(tmp_path, clock)
    assert again.limits({})["ten_secondly"] == 100
    assert again.limits({})["empty"] == "absent"
    assert list(again.limits({})["scopes"]) == ["crm.objects.contacts.read"]
    again.close()


def test_what_was_used_of_the_day_survives_a_restart(clock: Any, tmp_path: Path) -> None:
    first = HubSpotSide(tmp_path, clock)
    first.limits({"daily": 3})
    ask(first)
    first.close()
    again = HubSpotSide(tmp_path, clock)
    assert [ask(again)[0] for _ in range(3)] == [200, 200, 429]
    again.close()


@pytest.mark.parametrize(
    "wanted",
    [
        {"ten_secondy": 5},
        {"ten_secondly": "5"},
        {"ten_secondly": -1},
        {"ten_secondly": True},
        {"search_lag_ms": None},
        {"trace_id_update": 1},
        {"empty": "blank"},
        {"scopes": "all"},
        {"scopes": [1]},
        {"default_lifecycle": 3},
    ],
)
def test_a_limit_that_cannot_be_is_refused_and_changes_nothing(side: HubSpotSide, wanted: Any) -> None:
    before = side.limits({})
    with pytest.raises(ControlRefused, match=next(iter(wanted))):
        side.limits({"daily": 7, **wanted})
    assert side.limits({}) == before


def test_new_contacts_can_be_left_without_a_stage(side: HubSpotSide) -> None:
    side.limits({"default_lifecycle": None})
    _, _, body = ask(side, "POST", body=b'{"properties": {"lastname": "X"}}')
    assert "lifecyclestage" not in body["properties"]


@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer wrong"}, {"authorization": "pat-eu1-leadpact-sandbox"}]
)
def test_without_the_token_nothing_is_told(side: HubSpotSide, headers: Any) -> None:
    status, _, body = ask(side, headers=headers)
    assert (status, body["category"]) == (401, "INVALID_AUTHENTICATION")
    assert body["message"].startswith("Authentication credentials not found. This API supports OAuth 2.0")


@pytest.mark.parametrize(
    ("token", "category"), [("expired", "EXPIRED_AUTHENTICATION"), ("revoked", "INVALID_AUTHENTICATION")]
)
def test_the_token_can_expire_or_be_revoked(side: HubSpotSide, token: str, category: str) -> None:
    side.limits({"token": token})
    status, _, body = ask(side)
    assert (status, body["category"]) == (401, category)


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", CONTACTS, "crm.objects.contacts.read"),
        ("POST", f"{CONTACTS}/search", "crm.objects.contacts.read"),
        ("POST", f"{CONTACTS}/batch/read", "crm.objects.contacts.read"),
        ("POST", f"{CONTACTS}/batch/upsert", "crm.objects.contacts.write"),
        ("PATCH", f"{CONTACTS}/1", "crm.objects.contacts.write"),
        ("GET", "/crm/v3/objects/companies", "crm.objects.companies.read"),
        ("GET", "/crm/properties/2026-03/contacts", "crm.schemas.contacts.read"),
        ("POST", "/crm/v3/properties/contacts", "crm.schemas.contacts.write"),
        ("GET", "/crm/v3/owners/", "crm.objects.owners.read"),
    ],
)
def test_a_missing_scope_is_named(side: HubSpotSide, method: str, path: Any, scope: str) -> None:
    side.limits({"scopes": []})
    status, _, body = ask(side, method, path, body=b"{}")
    assert (status, body["category"]) == (403, "MISSING_SCOPES")
    assert body["errors"][0]["context"]["requiredGranularScopes"] == [scope]
    assert "scopes" in body["links"]
    side.limits({"scopes": [scope]})
    assert ask(side, method, path, body=b"{}")[0] != 403


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/crm/v3/owners/", 200),
        ("/crm/v3/owners", 200),
        ("/crm/owners/2026-03", 200),
        ("/crm/owners/2026-09/76500001", 200),
        ("/crm/v3/pipelines/contacts", 200),
        ("/crm/pipelines/2026-09/contacts/contacts-lifecycle-pipeline", 200),
        ("/crm/pipelines/2026-09/contacts/contacts-lifecycle-pipeline/stages", 200),
        ("/crm/v3/pipelines/contacts/other", 404),
        ("/crm/v3/owners/1", 404),
        ("/account-info/v3/details", 200),
        ("/crm/objects/2026-05/contacts", 404),
        ("/crm/v3/objects", 404),
        ("/crm/v3/objects/contacts/1/2/3", 404),
        ("/", 404),
    ],
)
def test_paths_of_every_family(side: HubSpotSide, path: str, status: int) -> None:
    assert ask(side, path=path)[0] == status


def test_a_method_that_a_path_does_not_have_is_refused(side: HubSpotSide) -> None:
    assert ask(side, "PUT")[0] == 405


def test_owners_are_listed_by_state_and_email(side: HubSpotSide) -> None:
    def owners(*query: tuple[str, str]) -> list[dict[str, Any]]:
        answer = side.answer(Ask("GET", "/crm/v3/owners/", query, TOKEN, b""))
        return list(orjson.loads(answer.body)["results"])

    here, gone = owners(), owners(("archived", "true"))
    assert len(here) > len(gone) == 1
    assert all(owner["userId"] and owner["id"] != str(owner["userId"]) for owner in here)
    assert gone[0]["userId"] is None
    assert gone[0]["userIdIncludingInactive"]
    assert owners(("email", here[1]["email"])) == [here[1]]
    assert owners(("limit", "1"), ("after", here[1]["id"])) == [here[1]]


def test_the_pipeline_tells_the_order_of_stages(side: HubSpotSide) -> None:
    _, _, body = ask(side, path="/crm/v3/pipelines/contacts")
    (pipeline,) = body["results"]
    assert pipeline["id"] == "contacts-lifecycle-pipeline"
    assert [stage["id"] for stage in pipeline["stages"]] == [
        "subscriber",
        "lead",
        "marketingqualifiedlead",
        "salesqualifiedlead",
        "opportunity",
        "customer",
        "evangelist",
        "other",
    ]
    assert [stage["displayOrder"] for stage in pipeline["stages"]] == list(range(8))


def test_the_account_tells_its_zone_and_currency(side: HubSpotSide) -> None:
    _, _, body = ask(side, path="/account-info/v3/details")
    assert (body["portalId"], body["timeZone"], body["companyCurrency"]) == (
        146100001,
        "Europe/Berlin",
        "EUR",
    )
    assert (body["utcOffset"], body["utcOffsetMilliseconds"]) == ("+01:00", 3_600_000)


@pytest.mark.parametrize(
    ("method", "path", "writes"),
    [
        ("GET", CONTACTS, False),
        ("POST", CONTACTS, True),
        ("POST", f"{CONTACTS}/search", False),
        ("POST", f"{CONTACTS}/batch/read", False),
        ("POST", f"{CONTACTS}/batch/update", True),
        ("POST", f"{CONTACTS}/batch/archive", True),
        ("POST", f"{CONTACTS}/merge", True),
        ("DELETE", f"{CONTACTS}/1", True),
        ("POST", "/crm/v3/properties/contacts", True),
        ("POST", "/crm/v3/properties/contacts/batch/read", False),
        ("POST", "/nowhere", False),
    ],
)
def test_it_is_known_which_calls_write(side: HubSpotSide, method: str, path: Any, writes: bool) -> None:
    assert side.is_write(Ask(method, path, (), TOKEN, b"")) is writes


def test_the_same_seed_gives_the_same_correlation_ids_and_orders(side: HubSpotSide) -> None:
    def run() -> list[Any]:
        side.reset(7)
        rows = [{"properties": {"lastname": f"N{n}"}} for n in range(20)]
        made = ask(side, "POST", f"{CONTACTS}/batch/create", body=orjson.dumps({"inputs": rows}))
        return [row["id"] for row in made[2]["results"]] + [ask(side, path="/")[2]["correlationId"]]

    assert run() == run()


LINKS = "/crm/v4/associations/contacts/companies/batch/read"


def read_links(side: HubSpotSide, path: str = LINKS) -> tuple[int, Mapping[str, str], Any]:
    return ask(side, "POST", path, body=b'{"inputs":[]}')


@pytest.mark.parametrize("path", [LINKS, LINKS.replace("/v4/associations/", "/associations/2026-03/")])
def test_association_calls_have_a_window_of_their_own_beside_that_of_all_calls(
    side: HubSpotSide, clock: Any, path: str
) -> None:
    side.limits({"ten_secondly": 4, "ten_secondly_associations": 2})
    answers = [read_links(side, path) for _ in range(3)]
    assert [status for status, _, _ in answers] == [200, 200, 429]
    refusal = answers[2][2]
    assert (refusal["policyName"], refusal["groupName"]) == ("TEN_SECONDLY_ROLLING", "associations")
    # The headers are those of all calls, of which two are left.
    assert answers[2][1]["X-HubSpot-RateLimit-Remaining"] == "2"
    assert [ask(side)[0] for _ in range(3)] == [200, 200, 429]
    assert "groupName" not in ask(side)[2]
    clock.elapsed = 10.0
    assert read_links(side, path)[0] == 200


def test_association_calls_have_a_day_of_their_own_that_survives_a_restart(
    clock: Any, tmp_path: Path
) -> None:
    side = HubSpotSide(tmp_path, clock, lambda: clock.elapsed)
    side.limits({"daily_associations": 2})
    assert [read_links(side)[0] for _ in range(3)] == [200, 200, 429]
    refusal = read_links(side)[2]
    assert (refusal["policyName"], refusal["groupName"]) == ("DAILY", "associations")
    assert ask(side)[0] == 200
    side.close()
    again = HubSpotSide(tmp_path, clock, lambda: clock.elapsed)
    again.limits({"daily_associations": 2})
    assert read_links(again)[0] == 429
    clock.advance(days=1)
    assert read_links(again)[0] == 200
    again.close()


def test_searching_lists_is_no_search(side: HubSpotSide) -> None:
    side.limits({"secondly_search": 0})
    assert search(side)[0] == 429
    assert ask(side, "POST", "/crm/v3/lists/search", body=b"{}")[0] == 200


def test_searches_are_counted_for_the_account_and_calls_for_each_app(side: HubSpotSide) -> None:
    form = (
        b"grant_type=refresh_token&client_id=leadpact-hubspot-sandbox"
        b"&client_secret=hubspot-sandbox-secret&refresh_token=eu1-leadpact-sandbox-refresh"
    )
    granted = orjson.loads(side.answer(Ask("POST", "/oauth/2026-09/token", (), {}, form)).body)
    app = {"authorization": f"Bearer {granted['access_token']}"}
    side.limits({"secondly_search": 2, "ten_secondly": 1, "oauth_ten_secondly": 1})
    assert search(side)[0] == 200
    assert ask(side, "POST", f"{CONTACTS}/search", app, b"{}")[0] == 200
    assert search(side)[0] == 429
    assert ask(side, "POST", f"{CONTACTS}/search", app, b"{}")[0] == 429
    assert [ask(side)[0], ask(side, headers=app)[0]] == [200, 200]
    assert [ask(side)[0], ask(side, headers=app)[0]] == [429, 429]


def test_an_account_that_is_being_moved_answers_nothing_and_says_when_to_come_back(side: HubSpotSide) -> None:
    side.limits({"moving_s": 3_600})
    status, headers, body = ask(side)
    assert (status, headers["Retry-After"], body["status"]) == (477, "3600", "error")
    side.limits({"moving_s": None})
    assert ask(side)[0] == 200


USAGE = "/account-info/v3/api-usage/daily/private-apps"


def test_the_account_tells_the_calls_of_its_day(side: HubSpotSide, clock: Any) -> None:
    side.limits({"daily": 500})
    ask(side)
    search(side)

    status, headers, body = ask(side, path=USAGE)

    (row,) = body["results"]
    assert status == 200
    assert (row["name"], row["fetchStatus"]) == ("private-apps-api-calls-daily", "SUCCESS")
    assert (row["currentUsage"], row["usageLimit"]) == (3, 500)
    assert headers["X-HubSpot-RateLimit-Daily-Remaining"] == "497"
    resets, collected = (datetime.fromisoformat(row[name]) for name in ("resetsAt", "collectedAt"))
    assert collected == clock.now().replace(microsecond=collected.microsecond)
    assert timedelta(0) < resets - collected <= timedelta(hours=25)


def test_without_a_daily_limit_there_is_no_usage_to_tell(side: HubSpotSide) -> None:
    side.limits({"daily": None})
    assert ask(side, path=USAGE)[2] == {"results": []}
