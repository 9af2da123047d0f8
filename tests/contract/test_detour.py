"""The proxy that stands for the vendors' own addresses: it leads to the pretend CRMs, and nowhere else."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from bench.detour import Detour, authority, detour
from connectors.sandbox.serving import Serving, sandbox


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with sandbox() as running:
        yield running


@pytest.fixture
def way(serving: Serving, tmp_path: Path) -> Iterator[Detour]:
    with detour(serving.hubspot_url, serving.salesforce_url, tmp_path) as running:
        yield running


@pytest.fixture
def client(way: Detour) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.proxies = {"https": way.url}
        session.verify = str(way.ca_file)
        yield session


@pytest.mark.usefixtures("many_open_files")
def test_it_leads_on_in_a_process_with_a_thousand_open_files(client: requests.Session) -> None:
    assert client.get("https://login.salesforce.com/services/data/", timeout=60).status_code == 200


@pytest.mark.parametrize(
    ("address", "status", "told"),
    [
        ("https://api.hubapi.com/crm/v3/objects/contacts", 401, "INVALID_AUTHENTICATION"),
        ("https://login.salesforce.com/services/data/", 200, "/services/data/v66.0"),
        ("https://leadpact-sandbox.my.salesforce.com/services/data/v66.0/limits", 401, "INVALID_SESSION_ID"),
    ],
)
def test_each_address_of_a_vendor_leads_to_its_pretend_crm(
    client: requests.Session, address: str, status: int, told: str
) -> None:
    # Twice: the connection is kept open, as with the vendor.
    for _ in range(2):
        answer = client.get(address, timeout=60)
        assert (answer.status_code, told in answer.text) == (status, True)


def test_a_long_body_goes_through_in_both_directions(client: requests.Session, serving: Serving) -> None:
    token = serving.ready["hubspot_token"]
    rows = [{"properties": {"email": f"n{n}@way.example", "message": "ü" * 20_000}} for n in range(100)]
    made = client.post(
        "https://api.hubapi.com/crm/v3/objects/contacts/batch/create",
        json={"inputs": rows},
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    )
    assert made.status_code == 201
    read = client.get(
        "https://api.hubapi.com/crm/v3/objects/contacts",
        params={"limit": "100", "properties": "message"},
        headers={"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"},
        timeout=60,
    )
    assert {len(row["properties"]["message"]) for row in read.json()["results"]} == {20_000}


def test_nobody_else_is_reached_and_the_attempt_is_remembered(client: requests.Session, way: Detour) -> None:
    with pytest.raises(requests.exceptions.ProxyError):
        client.get("https://example.com/", timeout=60)
    assert way.refused == ["example.com"]


def test_a_client_that_does_not_trust_the_authority_sends_nothing(way: Detour) -> None:
    with requests.Session() as stranger:
        stranger.trust_env = False
        stranger.proxies = {"https": way.url}
        with pytest.raises(requests.exceptions.SSLError):
            stranger.get("https://api.hubapi.com/", timeout=60)


def test_the_certificates_are_made_once_and_only_their_owner_reads_the_key(tmp_path: Path) -> None:
    first = authority(tmp_path / "new").read_bytes()
    assert authority(tmp_path / "new").read_bytes() == first
    assert (tmp_path / "new" / "host.pem").stat().st_mode & 0o077 == 0
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=first.decode())
    assert context.cert_store_stats()["x509_ca"] == 1
