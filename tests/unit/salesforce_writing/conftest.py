"""A connector over a scripted Salesforce: what it sends is seen to the byte, what it gets is what the test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
import responses

from connectors.salesforce.crm import SalesforceCrm
from connectors.session import open_session

LOGIN = "https://acme.my.salesforce.com"


class Wire(responses.RequestsMock):
    """Answers as scripted. A call that nobody scripted fails the test, and so does an answer nobody asked for."""

    def bodies(self, url: str) -> list[Any]:
        """The decoded body of each call that went to ``url``, in order."""
        return [orjson.loads(call.request.body or b"") for call in self.calls if call.request.url == url]

    def ok(self, record_id: str, **more: Any) -> dict[str, Any]:
        """Salesforce's result for a record it has written."""
        return {"id": record_id, "success": True, "errors": [], **more}

    def refused(self, code: str, message: str = "", fields: tuple[str, ...] = ()) -> dict[str, Any]:
        """Salesforce's result for a record it has not written."""
        error = {"statusCode": code, "message": message, "fields": list(fields)}
        return {"success": False, "errors": [error]}


def a_field(name: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "label": name,
        "type": kind,
        "length": 0,
        "createable": True,
        "updateable": True,
        "nillable": True,
        **more,
    }


@pytest.fixture(scope="session")
def describe() -> dict[str, Any]:
    """What the organisation says an Account is."""
    return {
        "name": "Account",
        "keyPrefix": "001",
        "fields": [
            a_field("Id", "id", createable=False, updateable=False),
            a_field("Name", length=10),
            a_field("Site", length=80),
            a_field("AnnualRevenue", "currency"),
            a_field("NumberOfEmployees", "int"),
            a_field("Active__c", "boolean"),
            a_field("Founded__c", "date"),
            a_field("Key__c", length=32, externalId=True, unique=True),
        ],
    }


@pytest.fixture
def wire(describe: dict[str, Any]) -> Iterator[Wire]:
    """Salesforce's end: it has answered the login and the describe, and knows nothing else yet."""
    mock = Wire(assert_all_requests_are_fired=True)
    with mock:
        mock.post(
            f"{LOGIN}/services/oauth2/token",
            json={
                "access_token": "planted",
                "instance_url": LOGIN,
                "id": "https://login.salesforce.com/id/00D5500000Ab1cD/0055500000Ab1cD",
            },
        )
        mock.get(f"{LOGIN}/services/data/v66.0/sobjects/Account/describe", json=describe)
        yield mock


@pytest.fixture
def slept() -> list[float]:
    """The seconds the connector asked to wait, each time; nobody waits."""
    return []


@pytest.fixture
def connect(slept: list[float]) -> Callable[..., SalesforceCrm]:
    """``connect(read_back=False)`` gives the product's connector."""

    def connected(*, read_back: bool = False) -> SalesforceCrm:
        return SalesforceCrm(
            session=open_session(),
            login_url=LOGIN,
            client_id="id",
            client_secret="secret",
            read_back=read_back,
            sleep=slept.append,
        )

    return connected


@pytest.fixture
def crm(connect: Callable[..., SalesforceCrm]) -> SalesforceCrm:
    """The connector, which does not read back what it wrote."""
    return connect()
