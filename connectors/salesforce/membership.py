"""Putting leads and contacts into a campaign (Salesforce reference, section 6).

A person is in a campaign once: CampaignId and LeadId (or ContactId) are a unique pair, so who is in it already is
left as they are. Rows go in the order of the persons under one campaign, because members lock their parents
(Salesforce reference, section 5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import polars as pl

from connectors.crm import RECORD_ID, Write, Written
from connectors.errors import OurBug
from connectors.salesforce.campaigns import PERSON
from connectors.salesforce.errors import CRM
from connectors.salesforce.ids import eighteen

MEMBER = "CampaignMember"


def add_members(
    write: Callable[[str, Sequence[Write]], list[Written]],
    members: Callable[[str, Sequence[str]], Iterator[pl.DataFrame]],
    object_name: str,
    campaign_id: str,
    ids: Sequence[str],
    status: str | None = None,
) -> list[Written]:
    """Make the named leads or contacts members of a campaign; one result each (``trace`` is the person's id).

    ``record_id`` is the membership's. Who is a member already has no result. ``status`` None: the campaign's
    own default. Raises OurBug for an object that cannot be in a campaign, and what writing raises.
    """
    person = PERSON.get(object_name)
    if person is None:
        raise OurBug(f"salesforce: a {object_name} cannot be in a campaign", crm=CRM)
    campaign, wanted = eighteen(campaign_id), list(dict.fromkeys(map(eighteen, ids)))
    there: set[str] = set()
    for page in members(object_name, wanted):
        there.update(page.filter(pl.col("campaign_id") == campaign)[RECORD_ID].to_list())
    given = {} if status is None else {"Status": status}
    writes = [
        Write(one, None, {"CampaignId": campaign, person: one, **given})
        for one in sorted(wanted)
        if one not in there
    ]
    return write(MEMBER, writes) if writes else []
