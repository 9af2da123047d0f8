"""People, bulk rows and state on the HubSpot side of the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.hubspot.side import HubSpotSide
from connectors.sandbox.side import ControlRefused

CONTACTS = "/crm/v3/objects/contacts"
START = datetime(2026, 3, 1, 8, tzinfo=UTC)
Call = Callable[..., tuple[int, Any]]


@pytest.fixture
def ada(side: HubSpotSide) -> str:
    (id_,) = side.load(
        "contacts", [{"email": "ada@acme.test", "lifecyclestage": "customer", "_created": START}]
    )
    return id_


def do(side: HubSpotSide, action: str, id_: str, **more: Any) -> dict[str, Any]:
    return dict(side.people({"action": action, "object": "contacts", "id": id_, **more}))


def history(call: Call, id_: str, name: str) -> list[dict[str, Any]]:
    _, body = call("GET", f"{CONTACTS}/{id_}", propertiesWithHistory=name)
    return list(body["propertiesWithHistory"][name])


def test_a_persons_edit_is_stamped_and_signed(side: HubSpotSide, call: Call, clock: Any, ada: str) -> None:
    clock.advance(hours=1)
    do(side, "edit", ada, properties={"city": "Bonn"}, user="selin.sales@leadpact.example")
    (row,) = history(call, ada, "city")
    assert row == {
        "value": "Bonn",
        "timestamp": "2026-03-01T09:00:00Z",
        "sourceType": "CRM_UI",
        "sourceId": "userId:48200003",
        "updatedByUserId": 48200003,
    }
    assert call("GET", f"{CONTACTS}/{ada}")[1]["updatedAt"] == "2026-03-01T09:00:00Z"


def test_a_person_who_moves_a_stage_back_clears_it_first(side: HubSpotSide, call: Call, ada: str) -> None:
    do(side, "edit", ada, properties={"lifecyclestage": "lead"})
    assert [row["value"] for row in history(call, ada, "lifecyclestage")] == ["lead", "", "customer"]


def test_people_may_set_what_the_api_may_only_read(side: HubSpotSide, ada: str) -> None:
    done = do(side, "edit", ada, properties={"hs_email_quarantined": "true"})
    assert done["properties"]["hs_email_quarantined"] == "true"


def test_people_create_merge_delete_restore_and_erase(side: HubSpotSide, call: Call, ada: str) -> None:
    made = side.people({"action": "create", "properties": {"email": "bo@acme.test"}})["id"]
    assert (
        call("GET", f"{CONTACTS}/{made}", properties="hs_object_source")[1]["properties"]["hs_object_source"]
        == "CRM_UI"
    )
    one = do(side, "merge", ada, other=made)["id"]
    assert call("GET", f"{CONTACTS}/{made}")[1]["id"] == one
    assert do(side, "delete", one)["archived"] is True
    assert call("GET", f"{CONTACTS}/{one}")[0] == 404
    assert do(side, "restore", one)["archived"] is False
    assert call("GET", f"{CONTACTS}/ada@acme.test", idProperty="email")[1]["id"] == one
    do(side, "gdpr_delete", one)
    assert side.state({"object": "contacts"})["total"] == 0


def test_a_restore_fails_when_the_address_has_gone_to_another(
    side: HubSpotSide, call: Call, ada: str
) -> None:
    do(side, "delete", ada)
    call("POST", CONTACTS, {"properties": {"email": "ada@acme.test"}})
    with pytest.raises(ControlRefused, match="email"):
        do(side, "restore", ada)


@pytest.mark.parametrize("who", [{"id": "171600000001"}, {"email": "ADA@acme.test"}])
def test_an_unsubscribed_contact_is_opted_out(side: HubSpotSide, call: Call, ada: str, who: Any) -> None:
    side.people({"action": "unsubscribe", **who})
    names = "hs_email_optout,hs_email_optout_146200001"
    values = call("GET", f"{CONTACTS}/{ada}", properties=names)[1]["properties"]
    assert values["hs_email_optout"] == values["hs_email_optout_146200001"] == "true"


@pytest.mark.parametrize(
    ("signals", "expected"),
    [
        (
            [
                {"signal": "form", "name": "Demo"},
                {"signal": "form", "name": "Price"},
                {"signal": "form", "name": "Demo"},
            ],
            {
                "num_conversion_events": "3",
                "num_unique_conversion_events": "2",
                "first_conversion_event_name": "Demo",
                "first_conversion_date": "2026-03-01T08:00:00Z",
                "recent_conversion_event_name": "Demo",
                "recent_conversion_date": "2026-03-03T08:00:00Z",
            },
        ),
        (
            [{"signal": "visit", "pages": 3}, {"signal": "visit"}],
            {
                "hs_analytics_num_visits": "2",
                "hs_analytics_num_page_views": "4",
                "hs_analytics_average_page_views": "2",
                "hs_analytics_first_timestamp": "2026-03-01T08:00:00Z",
                "hs_analytics_last_visit_timestamp": "2026-03-02T08:00:00Z",
            },
        ),
        (
            [{"signal": "mail_open"}],
            {"hs_email_open": "1", "hs_email_last_open_date": "2026-03-01T08:00:00Z"},
        ),
        (
            [{"signal": "mail_click"}],
            {"hs_email_click": "1", "hs_email_last_click_date": "2026-03-01T08:00:00Z"},
        ),
        (
            [{"signal": "social_click"}, {"signal": "social_click", "name": "twitter"}],
            {
                "hs_social_linkedin_clicks": "1",
                "hs_social_twitter_clicks": "1",
                "hs_social_facebook_clicks": "0",
                "hs_social_num_broadcast_clicks": "2",
            },
        ),
        (
            [{"signal": "meeting"}],
            {"notes_last_contacted": "2026-03-01T08:00:00Z", "num_contacted_notes": "1", "num_notes": "1"},
        ),
    ],
)
def test_signals_move_the_calculated_properties(
    side: HubSpotSide, call: Call, clock: Any, ada: str, signals: Any, expected: Any
) -> None:
    clock.advance(days=30)
    for day, signal in enumerate(signals):
        do(side, "act", ada, at=(START + timedelta(days=day)).isoformat(), **signal)
    _, body = call("GET", f"{CONTACTS}/{ada}", properties=",".join(expected))
    assert {name: body["properties"][name] for name in expected} == expected
    # The record changed when HubSpot computed it, not when the visitor came
    assert body["updatedAt"] == "2026-03-31T08:00:00Z"


def test_three_visits_in_a_week_can_be_seen_in_the_history(
    side: HubSpotSide, call: Call, clock: Any, ada: str
) -> None:
    for day in (0, 2, 5):
        do(side, "act", ada, signal="visit", at=(START + timedelta(days=day)).isoformat())
    rows = history(call, ada, "hs_analytics_num_visits")
    assert [(row["value"], row["timestamp"][:10]) for row in rows] == [
        ("3", "2026-03-06"),
        ("2", "2026-03-03"),
        ("1", "2026-03-01"),
    ]
    assert {row["sourceType"] for row in rows} == {"CALCULATED"}


@pytest.mark.parametrize(
    "wanted",
    [
        {"action": "dance"},
        {"action": "edit", "id": "1", "properties": {"city": "Bonn"}},
        {"action": "edit", "object": "butterflies", "id": "1"},
        {"action": "edit", "id": "171600000001", "properties": {"nope": "x"}},
        {"action": "edit", "id": "171600000001", "properties": {"lifecyclestage": "Lead"}},
        {"action": "edit", "id": "171600000001"},
        {"action": "restore", "id": "171600000001"},
        {"action": "merge", "id": "171600000001", "other": "171600000001"},
        {"action": "act", "id": "171600000001", "signal": "wave"},
        {"action": "act", "id": "171600000001", "signal": "form", "at": "yesterday"},
        {"action": "act", "id": "171600000001", "signal": "social_click", "name": "myspace"},
        {"action": "unsubscribe", "email": "nobody@acme.test"},
    ],
)
def test_what_nobody_can_do_is_refused(side: HubSpotSide, ada: str, wanted: Any) -> None:
    with pytest.raises(ControlRefused):
        side.people(wanted)


def test_loaded_rows_keep_their_times_and_values(side: HubSpotSide, call: Call) -> None:
    row = {
        "email": "ADA@acme.test",
        "numberofemployees": 12,
        "hs_email_optout": True,
        "recent_conversion_date": START,
        "city": None,
        "_created": START - timedelta(days=9),
        "_modified": START - timedelta(days=1),
    }
    (id_,) = side.load("contacts", [row])
    names = (
        "email,numberofemployees,hs_email_optout,recent_conversion_date,city,hs_email_domain,hs_object_source"
    )
    _, body = call("GET", f"{CONTACTS}/{id_}", properties=names)
    assert body["createdAt"] == "2026-02-20T08:00:00Z"
    assert body["updatedAt"] == "2026-02-28T08:00:00Z"
    assert body["properties"] == {
        "createdate": "2026-02-20T08:00:00Z",
        "lastmodifieddate": "2026-02-28T08:00:00Z",
        "hs_object_id": id_,
        "email": "ada@acme.test",
        "hs_email_domain": "acme.test",
        "hs_object_source": "IMPORT",
        "numberofemployees": "12",
        "hs_email_optout": "true",
        "recent_conversion_date": "2026-03-01T08:00:00Z",
        "city": None,
    }
    assert call("POST", CONTACTS, {"properties": {"email": "ada@acme.test"}})[0] == 409


def test_a_true_is_never_taken_for_a_one(side: HubSpotSide) -> None:
    rows = [{"lastname": "A", "numberofemployees": 1}, {"lastname": "B", "hs_email_optout": True}]
    side.load("contacts", rows)
    values = [record["properties"] for record in side.state({})["records"]]
    assert (values[0]["numberofemployees"], values[1]["hs_email_optout"]) == ("1", "true")


def test_a_loaded_past_is_told_newest_first(side: HubSpotSide, call: Call) -> None:
    past = [(START - timedelta(days=2), "1"), (START - timedelta(days=1), "2")]
    row = {"lastname": "X", "hs_analytics_num_visits": 2, "_history": {"hs_analytics_num_visits": past}}
    (id_,) = side.load("contacts", [row])
    assert [row["value"] for row in history(call, id_, "hs_analytics_num_visits")] == ["2", "1"]


@pytest.mark.parametrize(
    ("object_name", "row", "named"),
    [
        ("contacts", {"lastname": "X", "nope": "1"}, "nope"),
        ("butterflies", {"name": "X"}, "butterflies"),
        ("contacts", {"lifecyclestage": "Lead"}, "lifecyclestage"),
        ("contacts", {"email": "nonsense"}, "email"),
        ("contacts", {"lastname": "X", "_created": datetime(2026, 1, 1)}, "_created"),  # noqa: DTZ001
        ("contacts", {"email": "ada@acme.test"}, "same e-mail address"),
    ],
)
def test_rows_that_cannot_be_are_refused_whole(
    side: HubSpotSide, ada: str, object_name: str, row: Any, named: str
) -> None:
    with pytest.raises(ControlRefused, match=named):
        side.load(object_name, [{"lastname": "Fine"}, row])
    assert side.state({})["total"] == 1


def test_very_many_rows_are_loaded_and_found(side: HubSpotSide, call: Call) -> None:
    ids = side.load("contacts", ({"lastname": f"N{n}", "email": f"n{n}@x.test"} for n in range(60_001)))
    assert len(set(ids)) == 60_001
    body: dict[str, Any] = {
        "filterGroups": [{"filters": [{"propertyName": "email", "operator": "EQ", "value": "n59999@x.test"}]}]
    }
    assert call("POST", f"{CONTACTS}/search", body)[1]["results"][0]["id"] == ids[59_999]
    window = [{"propertyName": "hs_object_id", "operator": "GT", "value": ids[100]}]
    body = {"filterGroups": [{"filters": window}], "sorts": [{"propertyName": "hs_object_id"}], "limit": 2}
    _, found = call("POST", f"{CONTACTS}/search", body)
    assert (found["total"], [row["id"] for row in found["results"]]) == (59_900, ids[101:103])


def test_state_tells_everything_page_by_page(side: HubSpotSide, ada: str) -> None:
    side.load("contacts", [{"lastname": f"N{n}"} for n in range(4)])
    do(side, "delete", ada)
    first = side.state({"object": "contacts", "limit": "2"})
    rest = side.state({"object": "contacts", "after": first["records"][-1]["id"]})
    assert first["account"]["portalId"] == 146100001
    assert (first["total"], len(first["records"]), len(rest["records"])) == (5, 2, 3)
    assert first["records"][0]["archived"] is True
    assert side.state({"id": ada})["records"][0]["properties"]["email"] == "ada@acme.test"
    assert side.state({"object": "companies"})["total"] == 0


def test_everything_survives_a_restart(
    side: HubSpotSide, call: Call, clock: Any, ada: str, tmp_path: Path
) -> None:
    do(side, "edit", ada, properties={"city": "Bonn"})
    body = {
        "name": "key",
        "label": "Key",
        "type": "string",
        "fieldType": "text",
        "groupName": "contactinformation",
    }
    call("POST", "/crm/v3/properties/contacts", body)
    again = HubSpotSide(tmp_path, clock)
    assert again.state({}) == side.state({})
    (later,) = again.load("contacts", [{"lastname": "X", "key": "1"}])
    assert int(later) == int(ada) + 1
    again.close()


def test_a_reset_forgets_records_properties_and_switches(side: HubSpotSide, call: Call, ada: str) -> None:
    body = {
        "name": "key",
        "label": "Key",
        "type": "string",
        "fieldType": "text",
        "groupName": "contactinformation",
    }
    call("POST", "/crm/v3/properties/contacts", body)
    side.limits({"empty": "absent"})
    side.reset(3)
    assert side.state({})["total"] == 0
    assert call("GET", "/crm/v3/properties/contacts/key")[0] == 404
    assert side.limits({})["empty"] == "null"
    assert side.load("contacts", [{"lastname": "X"}]) == [ada]


def test_a_visit_that_is_told_late_counts_but_does_not_turn_back_time(
    side: HubSpotSide, call: Call, clock: Any, ada: str
) -> None:
    clock.advance(days=9)
    for day in (5, 1):
        do(side, "act", ada, signal="visit", at=(START + timedelta(days=day)).isoformat())
    rows = history(call, ada, "hs_analytics_num_visits")
    assert [row["value"] for row in rows] == ["2", "1"]
    _, body = call("GET", f"{CONTACTS}/{ada}", properties="hs_analytics_last_visit_timestamp")
    assert body["properties"]["hs_analytics_last_visit_timestamp"] == "2026-03-06T08:00:00Z"
