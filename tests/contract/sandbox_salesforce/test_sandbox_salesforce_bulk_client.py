"""simple-salesforce's own bulk2 client on the pretend Salesforce, with no line of it changed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceMalformedRequest

from connectors.sandbox.serving import Serving, sandbox

PEOPLE = [{"LastName": name, "Company": "ACME, Inc."} for name in ("Zoë", 'say "no"', "plain")]


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
def client(serving: Serving) -> Iterator[Any]:
    requests.post(f"{serving.salesforce_url}/_sandbox/reset", json={}, timeout=60).raise_for_status()
    limits = {"bulk_polls": 0}
    requests.post(f"{serving.salesforce_url}/_sandbox/limits", json=limits, timeout=60).raise_for_status()
    with requests.Session() as session:
        session.trust_env = False
        session.mount("https://", Loopback(urlsplit(serving.salesforce_url).netloc))
        yield Salesforce(
            consumer_key="leadpact-sandbox",
            consumer_secret="salesforce-sandbox-secret",
            domain="leadpact-sandbox.my",
            session=session,
            version="66.0",
        )


def last_names(pages: Any) -> list[str]:
    rows = [row for page in pages for row in csv.DictReader(io.StringIO(page, newline=""))]
    return [row["LastName"] for row in rows]


def test_it_inserts_and_reads_what_it_inserted(client: Any) -> None:
    (told,) = client.bulk2.Lead.insert(records=PEOPLE, wait=0.01)
    assert (told["numberRecordsTotal"], told["numberRecordsFailed"]) == (3, 0)
    pages = client.bulk2.Lead.query("SELECT Id, LastName FROM Lead", max_records=2, wait=0.01)
    assert sorted(last_names(pages)) == sorted(person["LastName"] for person in PEOPLE)


def test_it_is_told_which_rows_failed(client: Any) -> None:
    (told,) = client.bulk2.Lead.insert(records=[*PEOPLE, {"LastName": "x" * 81, "Company": "A"}], wait=0.01)
    assert told["numberRecordsFailed"] == 1
    failed = client.bulk2.Lead.get_failed_records(told["job_id"])
    assert "STRING_TOO_LONG:Last Name: data value too large" in failed
    assert "Zoë" in client.bulk2.Lead.get_successful_records(told["job_id"])
    assert client.bulk2.Lead.get_unprocessed_records(told["job_id"]).strip() in (
        "LastName,Company",
        "Company,LastName",
    )


def test_it_updates_and_deletes_by_id(client: Any) -> None:
    made = client.Lead.create(PEOPLE[0])["id"]
    client.bulk2.Lead.update(records=[{"Id": made, "City": "Köln"}], wait=0.01)
    assert client.Lead.get(made)["City"] == "Köln"
    client.bulk2.Lead.delete(records=[{"Id": made}], wait=0.01)
    assert client.query("SELECT Id FROM Lead")["totalSize"] == 0


def test_it_downloads_into_files(client: Any, tmp_path: Path) -> None:
    client.bulk2.Lead.insert(records=PEOPLE, wait=0.01)
    files = client.bulk2.Lead.download(
        "SELECT LastName FROM Lead", path=str(tmp_path), max_records=2, wait=0.01
    )
    assert [each["number_of_records"] for each in files] == [2, 1]


def test_it_is_refused_what_bulk_cannot_do(client: Any) -> None:
    with pytest.raises(SalesforceMalformedRequest, match="compound data"):
        list(client.bulk2.Lead.query("SELECT Address FROM Lead", wait=0.01))
