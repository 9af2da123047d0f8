"""A picklist of ours that is there gets the values it lacks, and keeps what people made of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from connectors.crm import FieldSpec
from connectors.errors import NeedsPerson, RetryLater
from connectors.salesforce.crm import SalesforceCrm

BAND = "Leadpact_Band__c"


def band(*values: str) -> FieldSpec:
    return FieldSpec(BAND, "Band", "choice", options=tuple((value, value) for value in values))


def connect(org: Any) -> SalesforceCrm:
    """A connector that logs in at the pretend address itself."""
    connector: SalesforceCrm = org.connect(login_url=org.url)
    return connector


def deployments(org: Any) -> int:
    return sum(1 for one in org.requests() if one["method"] == "POST" and "deployRequest" in one["path"])


def values(crm: SalesforceCrm) -> list[str]:
    return [value for value, _ in crm.describe("Lead").fields[BAND].options]


def test_values_that_are_missing_are_added_once_behind_those_that_are_there(org: Any) -> None:
    connect(org).add_fields("Lead", [band("icy", "cold", "hot")])
    crm = connect(org)
    assert crm.add_fields("Lead", [band("cold", "hot", "unknown")]) == []
    assert values(crm) == ["icy", "cold", "hot", "unknown"]
    assert crm.describe("Lead").fields[BAND].updatable
    assert deployments(org) == 2
    assert connect(org).add_fields("Lead", [band("cold", "hot", "unknown")]) == []
    assert deployments(org) == 2


@pytest.mark.parametrize("restricted", [True, False])
def test_labels_change_only_where_the_spec_says_so_and_values_and_restriction_stay(
    org: Any, restricted: bool
) -> None:
    spec = replace(band("icy", "hot"), restricted=restricted)
    connect(org).add_fields("Lead", [spec])
    called = replace(spec, options=(("HOT", "heiß"), ("cold", "kalt")))
    crm = connect(org)
    crm.add_fields("Lead", [called])
    assert dict(crm.describe("Lead").fields[BAND].options)["hot"] == "hot"

    crm.add_fields("Lead", [replace(called, relabel=True)])
    info = crm.describe("Lead").fields[BAND]
    # A list that is not restricted takes every value: nothing is missing in it.
    added = (("cold", "kalt"),) if restricted else ()
    assert info.options == (("icy", "icy"), ("hot", "heiß"), *added)
    assert info.restricted is restricted
    sent = deployments(org)
    crm.add_fields("Lead", [replace(called, relabel=True)])
    assert deployments(org) == sent


def test_somebody_without_the_right_to_add_values_is_told_whom_to_ask(org: Any) -> None:
    connect(org).add_fields("Lead", [band("cold")])
    body = '[{"errorCode":"INSUFFICIENT_ACCESS","message":"no"}]'
    org.control("faults", match="deployRequest", status=403, body=body, times=-1)
    with pytest.raises(NeedsPerson) as refused:
        connect(org).add_fields("Lead", [band("cold", "hot")])
    assert "administrator" in refused.value.fix


def test_the_values_that_a_record_type_has_are_told_by_picklist(org: Any) -> None:
    connect(org).add_fields("Lead", [band("cold", "warm", "hot")])
    narrow = {"name": "Partner", "values": {BAND: ["cold", "hot"]}}
    org.control("limits", record_types={"Lead": [narrow, {"name": "Direct Sale"}]})
    crm = connect(org)
    partner, direct = (crm.values_of_type("Lead", one.id) for one in crm.describe("Lead").record_types)
    assert partner is not None
    assert direct is not None
    assert partner[BAND] == {"cold", "hot"}
    assert direct[BAND] == {"cold", "warm", "hot"}
    assert {"Status", "LeadSource"} <= partner.keys() & direct.keys()


def test_where_the_values_of_record_types_are_not_told_nothing_is_guessed(org: Any) -> None:
    crm = connect(org)
    assert crm.values_of_type("Lead", "012000000000999AAA") is None
    body = '[{"errorCode":"SERVER_UNAVAILABLE","message":"no"}]'
    org.control("faults", match="picklist-values", status=503, body=body, times=-1)
    with pytest.raises(RetryLater):
        crm.values_of_type("Lead", "012000000000000AAA")
