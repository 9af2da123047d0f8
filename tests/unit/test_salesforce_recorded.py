"""What real organisations answered: our reading of it is judged by these recordings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.crm import ABSENT, RECORD_ID, Write
from connectors.errors import RecordRefused
from connectors.salesforce.errors import answer_error
from connectors.salesforce.outgoing import Outgoing, Route
from connectors.salesforce.rows import Layout, shape, slabs
from connectors.salesforce.schema import Described, described_from
from connectors.salesforce.writing import saved

pytestmark = pytest.mark.shared


@pytest.fixture
def recordings(shared_data: Path) -> Path:
    return shared_data / "crm_fixtures" / "salesforce"


def answers(recordings: Path, name: str) -> list[tuple[str, str, Any]]:
    """Each call of a recorded session: method, address, body of the answer."""
    session = json.loads((recordings / name).read_text())["interactions"]
    return [(call["request"]["method"], call["request"]["url"], call["response"]["body"]) for call in session]


@pytest.fixture
def lead(recordings: Path) -> Described:
    return described_from(json.loads((recordings / "lead_describe.json").read_text())["response"]["body"])


def test_a_real_description_is_read(lead: Described) -> None:
    fields = lead.schema.fields
    assert lead.key_prefix == "00Q"
    assert (fields["LastName"].type, fields["LastName"].length, fields["LastName"].required) == (
        "text",
        80,
        True,
    )
    assert fields["Company"].required
    assert not fields["Status"].required
    assert not fields["IsUnreadByOwner"].required
    assert (fields["AnnualRevenue"].type, fields["AnnualRevenue"].length) == ("number", None)
    assert fields["Salutation"].options[:2] == (("Mr.", "Mr."), ("Ms.", "Ms."))
    assert not fields["Name"].creatable
    assert fields["Address"].type == "other"
    assert {info.type for info in fields.values()} <= {
        "text",
        "number",
        "boolean",
        "date",
        "datetime",
        "choice",
        "choices",
        "reference",
        "other",
    }
    assert "Owner" in lead.relations


def test_real_records_become_columns(recordings: Path, lead: Described) -> None:
    session = answers(recordings, "lead_sync_session.json")
    records = [
        body for method, url, body in session if method == "GET" and "/sobjects/Lead/" in url and "Id" in body
    ]
    assert len(records) > 5
    wanted = shape(lead, list(lead.schema.fields), lambda _name: lead)
    layout = Layout(wanted)
    page = layout.page(orjson.dumps({"totalSize": 1, "done": True, "records": records}))
    (slab,) = slabs(wanted, [layout.rows(page.records)])
    assert slab.frame[RECORD_ID].to_list() == [record["Id"] for record in records]
    for row, record in zip(slab.frame.to_dicts(), records, strict=True):
        assert set(row[ABSENT] or ()) == set(lead.schema.fields) - set(record)
        for name, value in record.items():
            if name not in lead.types:
                continue
            assert (row[name] is None) == (value is None), name
            if isinstance(value, str) and lead.types[name] not in ("datetime",):
                assert row[name] == value
            if isinstance(value, bool):
                assert row[name] == str(value).lower()


@pytest.mark.parametrize("name", ["lead_sync_session.json", "upsert_collections_session.json"])
def test_real_results_of_collections_are_understood(recordings: Path, name: str) -> None:
    seen = 0
    for method, url, body in answers(recordings, name):
        if "/composite/sobjects" not in url or method not in ("POST", "PATCH"):
            continue
        for result in body:
            key = "X__c" if not url.endswith("/composite/sobjects") else ""
            item = Outgoing(Write("a", None, {}), Route(method, "", key), {})
            written = saved(item, result)
            seen += 1
            assert written.outcome == ("written" if result["success"] else "refused")
            assert written.created is (
                result["success"] and (method == "POST" or result.get("created", False))
            )
            assert written.record_id == result.get("id")
            assert written.code in ("", "CANNOT_UPDATE_CONVERTED_LEAD")
    assert seen > 5


def test_results_in_place_of_errors_are_errors(recordings: Path) -> None:
    recorded = json.loads((recordings / "collections_create_all_or_none.json").read_text())["response"]
    error = answer_error(recorded["status"], recorded["body"])
    assert isinstance(error, RecordRefused)
    assert (error.code, error.fields) == ("REQUIRED_FIELD_MISSING", ("LastName",))
