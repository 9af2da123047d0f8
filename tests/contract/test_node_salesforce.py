"""jsforce on the pretend Salesforce: what it makes of the answers, held against what is there."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bench.detour import detour
from connectors.crm import FieldSpec
from connectors.salesforce.package import PERMISSION_SET, package_zip
from connectors.sandbox.remote import records
from connectors.sandbox.salesforce import seed
from connectors.sandbox.serving import Serving, sandbox

KEY = "Key__c"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture(scope="module")
def session(node: Callable[..., Any], serving: Serving, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One run of all jobs, in the order in which they stand in the script; nobody else may be called."""
    spec = FieldSpec(KEY, "Key", "text", length=32, unique=True)
    package = package_zip("Lead", [spec], {f"Lead.{KEY}": True}, "66.0")
    more = {
        "key": KEY,
        "package": base64.b64encode(package).decode(),
        "permissionSet": PERMISSION_SET,
        "username": seed.USERS[0][2],
        "password": seed.PASSWORD,
    }
    with detour(serving.hubspot_url, serving.salesforce_url, tmp_path_factory.mktemp("detour")) as way:
        told = node("salesforce.mjs", serving.ready, environ=way.environ(), proxy=way.url, **more)
        assert way.refused == []
    return told


@pytest.fixture
def job(session: Any) -> Callable[[str], Any]:
    def result(name: str) -> Any:
        assert "failed" not in session[name], session[name]["failed"]
        return session[name]["result"]

    return result


def test_both_ways_to_log_in_lead_to_the_same_user(job: Any) -> None:
    told = job("login")
    assert (told["organization"], told["user"]) == (seed.ORG_ID, seed.INTEGRATION_USER)
    assert (told["wrong"], told["leads"]) == ("invalid_client", 0)
    assert told["badly"].startswith("INVALID_LOGIN")
    assert told["expired"] == "INVALID_SESSION_ID"


def test_a_field_is_deployed_by_the_clients_own_multipart_body(job: Any) -> None:
    assert job("deploy") == {"status": "Succeeded", "visible": True}


def test_a_lead_is_made_read_changed_and_deleted_by_jsforce(job: Any) -> None:
    assert job("record") == {"missing": "REQUIRED_FIELD_MISSING", "gone": "ENTITY_IS_DELETED"}


def test_collections_of_any_length_are_written_in_part_or_whole(job: Any, serving: Serving) -> None:
    told = job("collections")
    assert (told["made"], told["distinct"], told["one"], told["dropped"]) == (450, 450, True, True)
    assert told["mixed"] == ["", "INVALID_EMAIL_ADDRESS", ""]
    assert told["rolled"] == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "REQUIRED_FIELD_MISSING"]
    assert told["titles"] == ["CEO", None, "CTO"]
    held = [values for _, values in records(serving.salesforce_url, "Lead") if not values["IsDeleted"]]
    assert sum(values["City"] == "Essen" for values in held) == 449


def test_an_upsert_finds_what_is_there_even_under_an_odd_key(job: Any, serving: Serving) -> None:
    assert job("upsert") == {"first": [True, True], "again": [False, True], "single": True}
    held = {values[KEY]: values for _, values in records(serving.salesforce_url, "Lead") if values[KEY]}
    assert {"k1", "k2", "k3", "k/9 ü"} <= set(held)
    assert held["k2"]["City"] == "Kiel"


def test_every_way_to_page_through_a_query_gives_everything_once(job: Any) -> None:
    told = job("query")
    assert (told["seen"], told["distinct"], told["fetched"]) == (449, 449, 449)
    assert told["withDeleted"] == 450
    assert told["built"] == ["L0019", "L0018", "L0017", "L0016"]
    assert (told["owner"], told["groups"], told["wrong"]) == (True, 1, "INVALID_FIELD")


def test_descriptions_and_limits_are_understood(job: Any) -> None:
    assert job("changes") == {"lastName": 80, "global": True, "daily": 100_000, "usage": True}


def test_a_lead_is_converted_by_soap_and_a_deleted_one_is_not(job: Any) -> None:
    told = job("convert")
    assert (told["success"], told["converted"], told["opportunity"]) == (True, True, None)
    assert told["account"] == "Analytical"
    assert told["late"] == "CANNOT_UPDATE_CONVERTED_LEAD"
    assert told["gone"] == [False, "ENTITY_IS_DELETED"]


def test_bulk_jobs_go_both_ways_with_every_letter_kept(job: Any) -> None:
    told = job("bulk")
    assert (told["loaded"], told["unprocessed"]) == (2_000, 0)
    (failed,) = told["failed"]
    assert failed.startswith("REQUIRED_FIELD_MISSING")
    assert sorted(told["created"]) == ["false", "true"]
    assert (told["rows"], told["distinct"]) == (2_002, 2_002)
    assert told["streets"] == ["", told["text"]]
