"""The pretend Salesforce over real HTTP, with the client that the product uses and no line of it changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import exceptions as refused
from simple_salesforce.api import Salesforce
from simple_salesforce.format import format_soql

from connectors.sandbox.serving import Serving, sandbox

ADA = {"LastName": "Lovelace", "Company": "Engines", "Email": "ada@engines.example"}


class Loopback(HTTPAdapter):
    """Sends what is meant for Salesforce to a port of this machine."""

    def __init__(self, target: str) -> None:
        self.target = target
        super().__init__()

    def send(self, request: Any, *args: Any, **more: Any) -> Any:
        parts = urlsplit(request.url)
        request.url = urlunsplit(("http", self.target, parts.path, parts.query, ""))
        if more.get("timeout") is None:
            more["timeout"] = (5, 60)
        return super().send(request, *args, **more)


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with sandbox(tmp_path_factory.mktemp("sandbox")) as running:
        yield running


@pytest.fixture
def session(serving: Serving) -> Iterator[requests.Session]:
    requests.post(f"{serving.salesforce_url}/_sandbox/reset", json={}, timeout=60).raise_for_status()
    made = requests.Session()
    made.trust_env = False
    made.mount("https://", Loopback(urlsplit(serving.salesforce_url).netloc))
    with made:
        yield made


@pytest.fixture
def client(session: requests.Session) -> Any:
    """Direct mode: a token of our own, and the instance that came with it."""
    form = {"grant_type": "client_credentials"}
    answer = session.post(
        "https://leadpact-sandbox.my.salesforce.com/services/oauth2/token",
        data=form,
        auth=("leadpact-sandbox", "salesforce-sandbox-secret"),
    ).json()
    return Salesforce(
        session_id=answer["access_token"],
        instance_url=answer["instance_url"],
        session=session,
        version="66.0",
    )


def first_error(error: Any) -> dict[str, Any]:
    found: dict[str, Any] = error.content[0]
    return found


def test_the_client_logs_in_by_itself(session: requests.Session) -> None:
    client = Salesforce(
        consumer_key="leadpact-sandbox",
        consumer_secret="salesforce-sandbox-secret",
        domain="leadpact-sandbox.my",
        session=session,
        version="66.0",
    )
    assert client.query("SELECT COUNT() FROM Lead")["totalSize"] == 0


def test_a_record_lives_through_the_client(client: Any) -> None:
    made = client.Lead.create(ADA)
    assert (made["success"], made["errors"]) == (True, [])
    assert client.Lead.update(made["id"], {"City": "Zürich", "Email": None}) == 204
    record = client.Lead.get(made["id"])
    assert (record["City"], record["Email"], record["Name"]) == ("Zürich", None, "Lovelace")
    assert client.Lead.delete(made["id"]) == 204
    with pytest.raises(refused.SalesforceResourceNotFound) as caught:
        client.Lead.get(made["id"])
    assert first_error(caught.value)["errorCode"] == "ENTITY_IS_DELETED"


def test_the_clients_quoting_survives_the_round_trip(client: Any) -> None:
    name = 'O\'Neil \\ "100%"_ Zoë\n日本'
    client.Lead.create({**ADA, "Street": name})
    found = client.query(format_soql("SELECT Street FROM Lead WHERE Street = {}", name))
    assert [each["Street"] for each in found["records"]] == [name]
    like = client.query(format_soql("SELECT Id FROM Lead WHERE Street LIKE '%{:like}%'", '100%"_'))
    assert like["totalSize"] == 1


def test_the_client_pages_through_a_long_answer(client: Any, serving: Serving) -> None:
    records = [{"attributes": {"type": "Lead"}, **ADA, "LastName": f"L{n}"} for n in range(200)]
    for _ in range(3):
        results = client.restful("composite/sobjects", method="POST", json={"records": records})
        assert all(each["success"] for each in results)
    headers = {"Sforce-Query-Options": "batchSize=200"}
    seen = [each["Id"] for each in client.query_all_iter("SELECT Id FROM Lead ORDER BY Id", headers=headers)]
    assert len(set(seen)) == len(seen) == 600
    assert seen == sorted(seen)


def test_the_clients_errors_are_those_of_the_real_thing(client: Any) -> None:
    with pytest.raises(refused.SalesforceMalformedRequest) as caught:
        client.query("SELECT Foo FROM Lead")
    assert first_error(caught.value)["errorCode"] == "INVALID_FIELD"
    with pytest.raises(refused.SalesforceMalformedRequest) as caught:
        client.Lead.create({"LastName": "x"})
    assert first_error(caught.value)["fields"] == ["Company"]


def test_a_revoked_token_is_an_expired_session(client: Any, serving: Serving) -> None:
    url = f"{serving.salesforce_url}/_sandbox/people"
    requests.post(url, json={"action": "revoke_tokens"}, timeout=60).raise_for_status()
    with pytest.raises(refused.SalesforceExpiredSession):
        client.query("SELECT Id FROM Lead")


def test_the_client_sees_how_much_of_the_budget_is_used(client: Any, serving: Serving) -> None:
    requests.post(
        f"{serving.salesforce_url}/_sandbox/limits", json={"daily": 2}, timeout=60
    ).raise_for_status()
    client.query("SELECT Id FROM Lead")
    assert client.api_usage["api-usage"].used == 1
    client.query("SELECT Id FROM Lead")
    with pytest.raises(refused.SalesforceRefusedRequest) as caught:
        client.query("SELECT Id FROM Lead")
    assert first_error(caught.value)["errorCode"] == "REQUEST_LIMIT_EXCEEDED"


def test_the_client_asks_what_changed(client: Any, serving: Serving) -> None:
    made = client.Lead.create(ADA)
    serving.clock.advance(120)
    now = serving.clock.now()
    updated = client.Lead.updated(now - timedelta(days=1), now)
    assert updated["ids"] == [made["id"]]
    client.Lead.delete(made["id"])
    serving.clock.advance(120)
    now = serving.clock.now()
    deleted = client.Lead.deleted(now - timedelta(days=1), now)
    assert [each["id"] for each in deleted["deletedRecords"]] == [made["id"]]


def test_describe_and_limits_through_the_client(client: Any) -> None:
    fields = {each["name"]: each for each in client.Lead.describe()["fields"]}
    assert (fields["LastName"]["length"], fields["Company"]["nillable"]) == (80, False)
    assert "Lead" in {each["name"] for each in client.describe()["sobjects"]}
    assert client.limits()["DailyApiRequests"]["Max"] == 100_000


def test_the_file_of_the_org_is_in_the_folder(tmp_path: Path) -> None:
    with sandbox(tmp_path) as running:
        assert requests.get(f"{running.salesforce_url}/services/data/", timeout=60).status_code == 200
    assert (tmp_path / "salesforce.sqlite").exists()
