"""Pages of queries and a session of upserts: the pretend Salesforce and our reading beside what was recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.salesforce.rows import Layout, shape
from connectors.salesforce.schema import described_from

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def recorded(shared_data: Path) -> Any:
    def read(name: str) -> Any:
        path = shared_data / "crm_fixtures" / "salesforce" / f"{name}.json"
        return json.loads(path.read_text("utf-8").replace("vxx.0", "v66.0"))

    return read


def kinds(value: Any) -> Any:
    """The keys and kinds of a JSON value, without its contents."""
    if isinstance(value, dict):
        return {key: kinds(each) for key, each in value.items()}
    if isinstance(value, list):
        return [kinds(each) for each in value]
    return type(value).__name__


@pytest.mark.parametrize(("name", "first"), [("query_page1", True), ("query_page2", False)])
def test_a_page_of_a_query_tells_whether_another_follows(
    api: Any, recorded: Any, name: str, first: bool
) -> None:
    for n in range(201):
        api.create({"LastName": f"L{n}", "Company": "Engines"})
    page = api.json("GET", "query?q=SELECT+Id,LastName+FROM+Lead", sforce_query_options="batchSize=200")
    if not first:
        page = json.loads(api.call("GET", page["nextRecordsUrl"]).body)
    kept = recorded(name)["response"]["body"]
    assert (set(page), page["done"]) == (set(kept), kept["done"])
    assert set(page["records"][0]["attributes"]) == set(kept["records"][0]["attributes"])
    lead = described_from(api.json("GET", "sobjects/Lead/describe"))
    layout = Layout(shape(lead, ["LastName"], lambda _name: lead))
    # Recorded without Id, which we always ask for.
    with_id = {**kept, "records": [{**each, "Id": "00Q000000000001AAA"} for each in kept["records"]]}
    for body in (page, with_id):
        read = layout.page(json.dumps(body).encode())
        assert (read.done, read.next_url) == (body["done"], body.get("nextRecordsUrl"))
        assert len(read.records) == len(body["records"])


def test_a_recorded_session_of_upserts_has_the_same_shapes(api: Any, recorded: Any) -> None:
    """What it wrote, by the key Id and without one, each answered as then."""
    seen = 0
    for exchange in recorded("upsert_collections_session")["interactions"]:
        asked, kept = exchange["request"], exchange["response"]
        if asked["method"] == "GET":
            continue
        url = asked["url"].partition(".com")[2]
        answer = api.call(asked["method"], url, asked["body"])
        assert (answer.status, kinds(json.loads(answer.body))) == (kept["status"], kinds(kept["body"]))
        seen += 1
    assert seen == 3
