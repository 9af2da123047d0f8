"""What the Salesforce reference leaves open (section 14): the connector copes with either way.

The ways of Bulk results are tried in ``test_salesforce_connector_bulk.py``, those of the log of deletions in
``test_salesforce_connector_beyond.py``.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.crm import RECORD_ID, Write
from connectors.errors import NeedsPerson
from connectors.quota import MemoryLedger, Quota
from connectors.salesforce.crm import SalesforceCrm
from connectors.salesforce.grants import JwtBearer

NOON = datetime.fromisoformat("2026-11-22T12:00:30Z")
USER = "integration@leadpact-sandbox.example"


@pytest.mark.parametrize("longest", [180, 300])
def test_an_assertion_is_short_enough_for_either_limit(org: Any, longest: int) -> None:
    org.control("limits", jwt_longest_s=longest)
    made = org.control("people", action="app", make_key=True)
    grant = JwtBearer(
        client_id="leadpact-sandbox",
        username=USER,
        audience="https://leadpact-sandbox.my.salesforce.com",
        private_key=Path(made["key_file"]).read_text("ascii"),
        clock=lambda: NOON,
    )
    assert org.connect(grant=grant).account().account_id.startswith("00D")


@pytest.mark.parametrize("status", [404, 400])
def test_a_deleted_record_is_known_by_its_code_whatever_the_status(
    org: Any, crm: SalesforceCrm, status: int
) -> None:
    org.control("limits", deleted_status=status)
    (lead,) = org.load([{"LastName": "Byron", "Company": "ACME"}])
    org.act("delete", id=lead)
    row = Write("row", lead, {"City": "Bonn"}, unless_changed_since=NOON + timedelta(hours=1))
    plain = Write("plain", lead, {"City": "Bonn"})
    assert [(one.outcome, one.code) for one in crm.write("Lead", [row, plain])] == [
        ("refused", "ENTITY_IS_DELETED")
    ] * 2
    assert org.joined(crm.fetch("Lead", ("City",), [lead]))[RECORD_ID].to_list() == []


@pytest.mark.parametrize("own", [None, 6])
def test_an_apps_own_budget_is_kept_where_the_header_tells_it(org: Any, own: int | None) -> None:
    org.control("limits", per_app_calls=own)
    ledger = MemoryLedger(lambda: 0.0)
    quota = Quota("salesforce", {}, ledger=ledger, clock=lambda: NOON, sleep=org.slept.append)
    crm = org.connect(quota=quota)

    def eight_times() -> None:
        for _ in range(8):
            crm.lead_steps()

    if own is None:
        eight_times()
    else:
        with pytest.raises(NeedsPerson):
            eight_times()
    # Nobody had to be refused to know.
    assert [call["status"] for call in org.requests()].count(403) == 0


def test_a_picklist_that_an_admin_restricts_takes_only_its_values(org: Any, crm: SalesforceCrm) -> None:
    writes = [Write("a", None, {"LastName": "L", "Company": "A", "Industry": "Space travel"})]
    assert [one.outcome for one in crm.write("Lead", writes)] == ["written"]
    org.control("limits", restricted_picklists={"Lead": ["Industry"]})
    (result,) = org.connect().write("Lead", writes)
    assert (result.outcome, result.code) == ("refused", "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST")
