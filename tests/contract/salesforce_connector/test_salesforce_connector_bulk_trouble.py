"""Bulk writes of the Salesforce connector when Salesforce answers in another way, or not in time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connectors.crm import FieldSpec, Write
from connectors.errors import NeedsPerson, RetryLater
from connectors.salesforce.crm import SalesforceCrm


@pytest.fixture
def crm(org: Any) -> Iterator[SalesforceCrm]:
    """A connector to which more than 20 writes are many already."""
    connector = org.connect(bulk_above_writes=20)
    yield connector
    connector.close()


def people(count: int, **more: str | None) -> list[Write]:
    return [Write(f"t{n}", None, {"LastName": f"Nr {n}", "Company": "ACME", **more}) for n in range(count)]


@pytest.mark.parametrize(
    "switches", [{"bulk_charset": False}, {"bulk_empty_header": False}, {"bulk_polls": 0}]
)
def test_results_of_writes_are_read_either_way(
    org: Any, crm: SalesforceCrm, switches: dict[str, Any]
) -> None:
    org.control("limits", **switches)
    results = crm.write("Lead", people(40, City="Zürich 😀"))
    assert {result.outcome for result in results} == {"written"}
    assert {each["City"] for each in org.leads().values()} == {"Zürich 😀"}


def test_a_job_that_never_ends_is_stopped_and_its_rows_may_come_again(org: Any, crm: SalesforceCrm) -> None:
    org.control("limits", bulk_polls=10_000)
    with pytest.raises(RetryLater, match="ended as Aborted"):
        crm.write("Lead", people(40))
    assert sum(org.slept) >= 6 * 3_600
    assert org.leads() == {}


def test_a_duplicate_that_a_rule_blocks_is_refused_alone(org: Any, crm: SalesforceCrm) -> None:
    crm.add_fields("Lead", [FieldSpec("Key__c", "Key", "text", unique=True)])
    values = {"LastName": "L", "Company": "C"}
    org.control("limits", duplicate_rule="block")
    org.load([{**values, "Email": "p7@example.com"}])
    writes = [
        Write(f"t{n}", None, {**values, "Email": f"p{n}@example.com"}, ("Key__c", f"k{n}")) for n in range(30)
    ]
    results = crm.write("Lead", writes)
    refused = [result for result in results if result.outcome != "written"]
    assert [(result.trace, result.code) for result in refused] == [("t7", "DUPLICATES_DETECTED")]


def test_what_the_budget_forbids_is_not_written_another_way(org: Any, crm: SalesforceCrm) -> None:
    crm.describe("Lead")
    body = '[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}]'
    org.control("faults", match="/jobs/ingest", status=403, body=body, times=-1)
    with pytest.raises(NeedsPerson, match="API calls of the last 24 hours"):
        crm.write("Lead", people(40))
    assert not any("composite" in each["path"] for each in org.requests())
