"""HubSpot's own Node client on the pretend HubSpot: what it makes of the answers, held against what is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from connectors.sandbox.hubspot.oauth import CLIENT_ID, CODE, REDIRECT
from connectors.sandbox.remote import records
from connectors.sandbox.serving import Serving, sandbox


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture(scope="module")
def session(node: Callable[..., Any], serving: Serving) -> Any:
    """One run of all jobs, in the order in which they stand in the script."""
    app = {"hubspot_client_id": CLIENT_ID, "hubspot_code": CODE, "hubspot_redirect": REDIRECT}
    return node("hubspot.mjs", serving.ready, **app)


@pytest.fixture
def job(session: Any) -> Callable[[str], Any]:
    def result(name: str) -> Any:
        assert "failed" not in session[name], session[name]["failed"]
        return session[name]["result"]

    return result


def test_a_contact_is_made_read_changed_and_archived_by_the_node_client(job: Any) -> None:
    told = job("contact")
    assert told["again"]["category"] == "CONFLICT"
    assert told["again"]["message"].endswith(f"Existing ID: {told['id']}")


def test_a_batch_that_fails_in_part_says_which_part(job: Any, serving: Serving) -> None:
    told = job("batch")
    assert told["made"] == ["bo@node.example", "cy@node.example"]
    assert told["conflict"]["category"] == "CONFLICT"
    assert told["conflict"]["context"]["objectWriteTraceId"] == ["t1"]
    assert told["notFound"] == [{"category": "OBJECT_NOT_FOUND", "context": {"ids": ["999999"]}}]
    assert told["missing"] == [{"ids": ["999999"]}]
    held = {values["email"]: values for _, values in records(serving.hubspot_url, "contacts")}
    assert held["bo@node.example"]["city"] == "Bonn"


def test_the_clients_own_loop_over_the_list_ends_with_everybody_once(job: Any) -> None:
    # 101 of this job, and one that the batch before it left.
    assert job("pages") == {"all": 102, "distinct": 102}


def test_a_search_is_paged_and_sorted_as_the_client_spells_it(job: Any) -> None:
    assert job("search") == {"total": 101, "distinct": 101, "pages": 5}


def test_properties_are_made_enforced_listed_and_archived(job: Any) -> None:
    told = job("properties")
    assert {"email", "lifecyclestage", "node_grade"} <= set(told["names"])
    assert told["wrong"] == {"status": 400, "code": "INVALID_OPTION"}


def test_a_contact_and_a_company_are_linked_and_parted(job: Any) -> None:
    told = job("associations")
    # Numbers here, where records have text (HubSpot reference, section 6.2).
    assert told["to"] == [int(told["firm"])]
    assert {1, 279} <= {each["typeId"] for each in told["types"]}
    assert told["after"] == 0


def test_owners_and_pipelines_are_understood(job: Any) -> None:
    assert job("owners") == {"count": 4, "same": True}
    told = job("pipelines")
    assert told["same"]
    assert {"lead", "marketingqualifiedlead"} <= set(told["stages"])


def test_a_token_is_renewed_and_works(job: Any) -> None:
    told = job("tokens")
    assert (told["expiresIn"], told["read"], told["wrong"]) == (1800, 1, 400)
    assert told["hub"] > 0


def test_a_search_refused_for_the_second_is_asked_again_by_the_client_itself(job: Any) -> None:
    # Everybody that the jobs before it made and left.
    assert job("limit") == {"answered": 8, "total": 103}
