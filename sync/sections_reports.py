"""The section ``[reports]`` of the config: how reports count, and which numbers they may show."""

from __future__ import annotations

from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from sync.section import Section, refuse


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        known = False
    else:
        known = True
    if not known:
        raise refuse("must be a time zone such as Europe/Berlin")
    return name


class ReportSettings(Section):
    """How reports count. ``time_zone``: in which a day and a month begin."""

    time_zone: Annotated[str, AfterValidator(_zone)] = "Europe/Berlin"
    #: Who is credited with a lead: the source that the CRMs knew first, or the last campaign before the purchase.
    attribution: Literal["first", "last"] = "first"
    #: Read campaigns, their members and their costs from Salesforce (Salesforce reference, section 6).
    salesforce_campaigns: bool = False
    #: Groups of fewer leads are not shown on their own, where a group is a person or a campaign.
    smallest_group: Annotated[int, Field(ge=1, le=1000)] = 5
