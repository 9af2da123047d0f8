"""Objects of the pretend Salesforce are selected for Change Data Capture by a deployment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

SPACE = 'xmlns="http://soap.sforce.com/2006/04/metadata"'


def selecting(entity: str, channel: str = "ChangeEvents") -> dict[str, str]:
    """The one file of a package that selects an object."""
    text = f"<eventChannel>{channel}</eventChannel><selectedEntity>{entity}</selectedEntity>"
    name = f"platformEventChannelMembers/{channel}_{entity}.platformEventChannelMember"
    return {name: f"<PlatformEventChannelMember {SPACE}>{text}</PlatformEventChannelMember>"}


def deployed(api: Any, files: dict[str, str], **options: bool) -> Any:
    return api.deploy(api.package({}, "", files), **options)


def watched(api: Any) -> list[str]:
    found: list[str] = api.side.limits({})["cdc_objects"]
    return found


def test_a_member_selects_its_object_and_a_second_time_changes_nothing(api: Any, tmp_path: Path) -> None:
    api.side.limits({"cdc_objects": ["Contact"]})
    told = [deployed(api, selecting("LeadChangeEvent"))["details"]["componentSuccesses"][0] for _ in range(2)]
    assert [(one["fullName"], one["created"]) for one in told] == [
        ("ChangeEvents_LeadChangeEvent", True),
        ("ChangeEvents_LeadChangeEvent", False),
    ]
    assert watched(api) == ["Contact", "Lead"]
    api.restart(tmp_path)
    assert watched(api) == ["Contact", "Lead"]


def test_a_channel_of_ones_own_carries_what_its_members_name(api: Any) -> None:
    api.side.limits({"cdc_objects": [], "cdc_channels": {"Sales__chn": []}})
    assert deployed(api, selecting("LeadChangeEvent", "Sales__chn"))["success"] is True
    assert api.side.limits({})["cdc_channels"] == {"Sales__chn": ["Lead"]}


@pytest.mark.parametrize(
    ("entity", "channel", "said"),
    [
        ("LeadChangeEvent", "Nowhere__chn", "no PlatformEventChannel named Nowhere__chn"),
        ("UnicornChangeEvent", "ChangeEvents", "no entity named UnicornChangeEvent"),
        ("Lead", "ChangeEvents", "no entity named Lead"),
        ("CampaignChangeEvent", "ChangeEvents", "more than the allowed number of entities: 5"),
    ],
)
def test_a_member_that_cannot_be_leaves_everything_as_it_was(
    api: Any, entity: str, channel: str, said: str
) -> None:
    before = watched(api)
    result = deployed(api, selecting(entity, channel) | selecting("LeadChangeEvent"))
    (failure,) = result["details"]["componentFailures"]
    assert result["success"] is False
    assert said in failure["problem"]
    assert watched(api) == before


def test_with_an_add_on_there_is_room_for_more(api: Any) -> None:
    api.side.limits({"cdc_entities": None})
    assert deployed(api, selecting("CampaignChangeEvent"))["success"] is True
    assert "Campaign" in watched(api)


def test_what_is_only_checked_selects_nothing(api: Any) -> None:
    api.side.limits({"cdc_objects": []})
    assert deployed(api, selecting("LeadChangeEvent"), checkOnly=True)["success"] is True
    assert watched(api) == []
