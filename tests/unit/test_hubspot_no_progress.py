"""Lists of HubSpot that do not move on end with an error and not with a loop; what is lacking is told apart."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
import responses

from connectors.errors import ConnectorError, NeedsPerson, OurBug, RetryLater
from connectors.hubspot.crm import HubSpotCrm
from connectors.hubspot.errors import Refusal, lacks, translate
from connectors.quota import MemoryLedger, Quota
from connectors.retry import Retry
from connectors.session import open_session

BASE = "https://api.hubapi.com"
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
LIST = {"listId": "7", "name": "P", "objectTypeId": "0-1", "processingType": "MANUAL"}
AGAIN = {"next": {"after": "5"}}


def connector() -> HubSpotCrm:
    seconds: list[float] = []
    ledger = MemoryLedger(lambda: sum(seconds))
    quota = Quota("hubspot", {}, ledger=ledger, clock=lambda: NOON, sleep=seconds.append)
    return HubSpotCrm("token", BASE, open_session(), quota, retry=Retry(sleep=seconds.append))


@pytest.mark.parametrize(
    ("method", "path", "page", "read"),
    [
        (
            "POST",
            "/crm/v3/lists/search",
            {"lists": [LIST], "offset": 0, "hasMore": True, "total": 9},
            lambda crm: list(crm.lists.find()),
        ),
        (
            "GET",
            "/crm/v3/lists/7/memberships",
            {"results": [{"recordId": "1", "membershipTimestamp": "2026-01-01T00:00:00Z"}], "paging": AGAIN},
            lambda crm: list(crm.lists.members("7")),
        ),
        (
            "GET",
            "/marketing/v3/forms",
            {"results": [{"id": "f", "name": "F"}], "paging": AGAIN},
            lambda crm: crm.forms(),
        ),
        (
            "GET",
            "/form-integrations/v1/submissions/forms/f",
            {"results": [{"submittedAt": 1_767_225_600_000, "values": []}], "paging": AGAIN},
            lambda crm: list(crm.submissions("f")),
        ),
        (
            "GET",
            "/crm/v3/objects/contacts",
            {"results": [{"id": "1", "archivedAt": "2026-11-22T12:00:00Z"}], "paging": AGAIN},
            lambda crm: crm.removed("contacts", NOON),
        ),
    ],
)
def test_a_page_that_leads_to_itself_is_our_bug(
    method: str, path: str, page: Any, read: Callable[[HubSpotCrm], object]
) -> None:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        mock.get(f"{BASE}/crm/v3/properties/contacts", json={"results": []})
        mock.get(f"{BASE}/crm/v3/pipelines/contacts", status=403)
        mock.add(method, BASE + path, json=page)
        with pytest.raises(OurBug) as raised:
            read(connector())
    assert raised.value.code == "NO_PROGRESS"


def refusal(status: int, **said: Any) -> ConnectorError:
    return translate(status, {}, orjson.dumps(said), NOON)


@pytest.mark.parametrize(
    ("error", "is_lacking"),
    [
        (refusal(403, category="MISSING_SCOPES"), True),
        (refusal(404, message="resource not found"), True),
        (refusal(400, message="Unable to infer object type from: leads"), True),
        (refusal(401, category="INVALID_AUTHENTICATION"), False),
        (refusal(400, category="VALIDATION_ERROR", message="limit must be a number"), False),
        (refusal(409, category="CONFLICT"), False),
        (refusal(429, policyName="DAILY"), False),
        (refusal(500), False),
        (RetryLater("busy"), False),
        (NeedsPerson("no trusted connection"), False),
    ],
)
def test_only_what_the_account_does_not_have_is_lacking(error: ConnectorError, is_lacking: bool) -> None:
    assert lacks(error) is is_lacking
    if isinstance(error, Refusal):
        # Reading turns a refusal into a mistake of ours; what it said is still known.
        assert lacks(error.as_bug()) is is_lacking
