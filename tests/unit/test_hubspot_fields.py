"""Creating properties: what is sent for each kind, and what a refusal means."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
import responses

from connectors.crm import FieldSpec
from connectors.errors import NeedsPerson
from connectors.hubspot.crm import HubSpotCrm
from connectors.hubspot.fields import TYPES, definition
from connectors.quota import MemoryLedger, Quota
from connectors.retry import Retry
from connectors.session import open_session

BASE = "https://api.hubapi.com"
PROPERTIES = f"{BASE}/crm/v3/properties/contacts"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def connector() -> HubSpotCrm:
    seconds: list[float] = []
    ledger = MemoryLedger(lambda: sum(seconds))
    quota = Quota("hubspot", {}, ledger=ledger, clock=lambda: NOON, sleep=seconds.append)
    return HubSpotCrm("token", BASE, open_session(), quota, retry=Retry(sleep=seconds.append))


@pytest.fixture
def hubspot() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


def existing(**more: Any) -> dict[str, Any]:
    return {"name": "leadpact_band", "type": "string", "fieldType": "text", "label": "Band", **more}


BAND = FieldSpec("leadpact_band", "Band", "text")
CHOICE = FieldSpec("leadpact_band", "Band", "choice", options=(("hot", "Hot"), ("warm", "Warm")))


@pytest.mark.parametrize(
    ("spec", "kind", "field_type"),
    [
        (FieldSpec("f", "F", "text"), "string", "text"),
        (FieldSpec("f", "F", "long_text"), "string", "textarea"),
        (FieldSpec("f", "F", "number"), "number", "number"),
        (FieldSpec("f", "F", "boolean"), "bool", "booleancheckbox"),
        (FieldSpec("f", "F", "date"), "date", "date"),
        (FieldSpec("f", "F", "datetime"), "datetime", "date"),
        (CHOICE, "enumeration", "select"),
    ],
)
def test_every_kind_of_field_has_its_types(spec: FieldSpec, kind: str, field_type: str) -> None:
    body = definition(spec)
    assert (body["type"], body["fieldType"]) == (kind, field_type)
    assert len(TYPES) == 7


def test_a_boolean_has_its_two_options() -> None:
    options = definition(FieldSpec("f", "F", "boolean"))["options"]
    assert [option["value"] for option in options] == ["true", "false"]


def test_what_exists_is_left_alone(hubspot: responses.RequestsMock) -> None:
    hubspot.get(PROPERTIES, json={"results": [existing()]})
    assert connector().add_fields("contacts", [BAND]) == []


def test_a_property_made_by_somebody_else_meanwhile_is_taken_over(hubspot: responses.RequestsMock) -> None:
    hubspot.get(PROPERTIES, json={"results": []})
    hubspot.post(f"{PROPERTIES}/groups", status=201, json={})
    hubspot.post(PROPERTIES, status=409, json={"category": "CONFLICT"})
    hubspot.get(PROPERTIES, json={"results": [existing()]})
    assert connector().add_fields("contacts", [BAND]) == []


@pytest.mark.parametrize("found", [[], [existing(type="number", fieldType="number")]])
def test_a_name_that_is_taken_by_something_else_needs_a_person(
    hubspot: responses.RequestsMock, found: list[dict[str, Any]]
) -> None:
    hubspot.get(PROPERTIES, json={"results": []})
    hubspot.post(f"{PROPERTIES}/groups", status=201, json={})
    hubspot.post(PROPERTIES, status=409, json={"category": "CONFLICT"})
    hubspot.get(PROPERTIES, json={"results": found})
    with pytest.raises(NeedsPerson, match="leadpact_band"):
        connector().add_fields("contacts", [BAND])


@pytest.mark.parametrize("refused", ["groups", "property"])
def test_a_refusal_names_what_could_not_be_made(hubspot: responses.RequestsMock, refused: str) -> None:
    said = {"category": "VALIDATION_ERROR", "message": "limit of unique properties reached"}
    hubspot.get(PROPERTIES, json={"results": []})
    if refused == "groups":
        hubspot.post(f"{PROPERTIES}/groups", status=400, json=said)
    else:
        hubspot.post(f"{PROPERTIES}/groups", status=201, json={})
        hubspot.post(PROPERTIES, status=400, json=said)
    with pytest.raises(NeedsPerson, match="leadpact") as raised:
        connector().add_fields("contacts", [BAND])
    assert raised.value.fix
    assert raised.value.code == "VALIDATION_ERROR"


def test_options_that_people_added_stay_when_ours_are_added(hubspot: responses.RequestsMock) -> None:
    theirs = {"value": "icy", "label": "Icy", "displayOrder": 4, "hidden": True}
    found = existing(
        type="enumeration", fieldType="select", options=[theirs, {"value": "hot", "label": "Hot!"}]
    )
    hubspot.get(PROPERTIES, json={"results": [found]})
    hubspot.patch(f"{PROPERTIES}/leadpact_band", json={})
    assert connector().add_fields("contacts", [CHOICE]) == []
    sent = orjson.loads(hubspot.calls[-1].request.body or b"")
    assert [(o["value"], o["label"], o["hidden"]) for o in sent["options"]] == [
        ("icy", "Icy", True),
        ("hot", "Hot!", False),
        ("warm", "Warm", False),
    ]
