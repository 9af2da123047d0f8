"""Setup selects the synced object for Change Data Capture where change events are listened to."""

from __future__ import annotations

from typing import Any

LISTENING = {"LEADPACT_SALESFORCE__PUBSUB": "true"}
OWN_CHANNEL = {**LISTENING, "LEADPACT_SALESFORCE__PUBSUB_TOPIC": "/data/Sales__chn"}


def watched(house: Any, **wanted: Any) -> list[str]:
    found: list[str] = house.control("salesforce", "limits", wanted)["cdc_objects"]
    return found


def test_setup_selects_leads_once_and_says_so(house: Any) -> None:
    watched(house, cdc_objects=[])
    shown = house.command("setup", environ=LISTENING)
    assert "--apply also selects Lead" in shown.out
    for environ in ({}, OWN_CHANNEL):
        assert "Change Data Capture" not in house.command("setup", "--apply", environ=environ).out
    assert watched(house) == []

    done = house.command("setup", "--apply", environ=LISTENING)
    assert done.code == 0
    assert "Lead is now selected for Change Data Capture" in done.out
    assert watched(house) == ["Lead"]
    again = house.command("setup", "--apply", environ=LISTENING)
    assert again.out.strip() == "Everything was there already."


def test_what_only_a_person_can_select_is_said_and_stops_no_setup(house: Any) -> None:
    house.command("setup", "--apply")
    watched(house, cdc_objects=[], cdc_entities=0)
    told = house.command("--json", "setup", "--apply", environ=LISTENING)
    assert told.code == 0
    assert "Setup, Change Data Capture" in told.document["watch_by_hand"]
    assert told.document["watched"] is False
