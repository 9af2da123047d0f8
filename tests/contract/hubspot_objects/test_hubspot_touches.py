"""Activities, the Leads object and forms, and an account that lacks some of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest

from connectors.crm import RECORD_ID
from connectors.errors import NeedsPerson, RecordRefused
from connectors.hubspot.availability import SIGNALS
from connectors.hubspot.engagement import EDGES_SCHEMA, ENGAGEMENTS, TOUCH_SCHEMA, first_and_last
from connectors.hubspot.signals import EVENT_SCHEMA

VERSIONS = ("v3", "2026-03", "2026-09")


def day(number: int) -> datetime:
    return datetime(2026, 11, number, 10, tzinfo=UTC)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_touch_of_a_contact_comes_with_its_time_owner_and_direction(account: Any, version: Any) -> None:
    ada, bob = account.contacts("ada", "bob")
    call = account.activity(
        "calls",
        "2026-11-03T10:00:00Z",
        ada,
        hs_call_direction="OUTBOUND",
        hubspot_owner_id="76500002",
        hs_call_body="Ada said something private",
    )
    mail = account.activity("emails", "2026-11-05T10:00:00Z", ada, hs_email_direction="INCOMING_EMAIL")
    meeting = account.activity("meetings", "2026-11-07T10:00:00Z", bob)
    found = account.connect(version).touches([ada, bob, "999"])
    assert found.missing == ()
    assert dict(found.frame.schema) == dict(TOUCH_SCHEMA)
    assert sorted(found.frame.rows()) == sorted(
        [
            (ada, "calls", call, day(3), "76500002", "OUTBOUND"),
            (ada, "emails", mail, day(5), None, "INCOMING_EMAIL"),
            (bob, "meetings", meeting, day(7), None, None),
        ]
    )
    assert "private" not in str(found.frame.rows())


def test_the_first_and_the_last_touch_of_each_contact() -> None:
    rows = [
        ("1", "calls", "11", day(5), None, None),
        ("1", "notes", "12", day(2), None, None),
        ("1", "emails", "13", None, None, None),
        ("2", "tasks", "14", None, None, None),
        ("3", "meetings", "15", day(9), None, None),
    ]
    edges = first_and_last(pl.DataFrame(rows, schema=dict(TOUCH_SCHEMA), orient="row"))
    assert dict(edges.schema) == dict(EDGES_SCHEMA)
    assert edges.rows() == [
        ("1", 3, day(2), "notes", day(5), "calls"),
        ("2", 1, None, None, None, None),
        ("3", 1, day(9), "meetings", day(9), "meetings"),
    ]
    assert len(first_and_last(pl.DataFrame(schema=dict(TOUCH_SCHEMA)))) == 0


@pytest.mark.parametrize("status", ["403", "400", "404"])
def test_what_an_edition_lacks_is_named_and_the_rest_is_read(account: Any, status: str) -> None:
    [ada] = account.contacts("ada")
    call = account.activity("calls", "2026-11-03T10:00:00Z", ada)
    account.control("limits", objects_off=["emails", "communications", "leads"], objects_off_status=status)
    crm = account.connect()
    found = crm.touches([ada])
    assert set(found.missing) == {"emails", "communications"}
    assert found.frame["touch_id"].to_list() == [call]
    assert not crm.leads.available()
    assert crm.leads.of_contacts([ada]) is None
    assert crm.leads.pipelines() == []
    report = {one.name: one for one in crm.availability() if one.kind == "object"}
    assert {name for name, one in report.items() if not one.available} == {
        "emails",
        "communications",
        "leads",
    }
    assert all(report[name].code for name in ("emails", "leads"))


def test_a_revoked_token_is_no_missing_edition(account: Any) -> None:
    crm = account.connect()
    account.control("limits", token="revoked")
    with pytest.raises(NeedsPerson):
        crm.touches(["1"])
    with pytest.raises(NeedsPerson):
        crm.leads.available()


@pytest.mark.parametrize("version", VERSIONS)
def test_leads_hang_on_their_primary_contact(account: Any, version: Any) -> None:
    ada, bob = account.contacts("ada", "bob")
    crm = account.connect(version)
    assert crm.leads.available()
    lead = crm.leads.create(ada, "Ada, webshop", {"hs_lead_label": "WARM"})
    found = crm.leads.of_contacts([ada, bob])
    [row] = found.to_dicts()
    assert (row["contact_id"], row[RECORD_ID], row["hs_lead_name"]) == (ada, lead, "Ada, webshop")
    assert (row["hs_lead_label"], row["hs_pipeline_stage"]) == ("WARM", "new-stage-id")
    [pipeline] = crm.leads.pipelines()
    assert [stage.id for stage in pipeline.stages] == [
        "new-stage-id",
        "attempting-stage-id",
        "connected-stage-id",
        "qualified-stage-id",
        "unqualified-stage-id",
    ]
    assert [stage.id for stage in pipeline.stages if stage.closed] == [
        "qualified-stage-id",
        "unqualified-stage-id",
    ]
    account.call("DELETE", f"/crm/v4/objects/leads/{lead}/associations/contacts/{ada}", expect=204)
    assert len(crm.leads.of_contacts([ada])) == 0
    account.call("GET", f"/crm/v3/objects/leads/{lead}", expect=404)


def test_a_lead_of_nobody_or_with_an_unknown_label_is_refused(account: Any) -> None:
    [ada] = account.contacts("ada")
    crm = account.connect()
    with pytest.raises(RecordRefused):
        crm.leads.create("424242", "Nobody", {})
    with pytest.raises(RecordRefused) as refused:
        crm.leads.create(ada, "Ada", {"hs_lead_label": "LUKEWARM"})
    assert refused.value.code == "INVALID_OPTION"
    account.call("POST", "/crm/v3/objects/leads", {"properties": {"hs_lead_name": "Ada"}}, expect=400)


def test_forms_and_what_was_sent_through_them(account: Any) -> None:
    ada, bob = account.contacts("ada", "bob")
    for n, who in enumerate([ada, bob] * 40):
        at = f"2026-11-{1 + n // 4:02}T{n % 24:02}:00:00Z"
        account.people("act", id=who, signal="form", name="Webinar", at=at)
    crm = account.connect()
    forms = {form.name: form.id for form in crm.forms()}
    assert set(forms) == {"Contact us", "Webinar"}
    sent = list(crm.submissions(forms["Webinar"]))
    assert len(sent) == 80
    assert [one.at for one in sent] == sorted((one.at for one in sent), reverse=True)
    assert {one.email for one in sent} == {"ada@acme.test", "bob@acme.test"}
    assert "ada@" not in repr(sent)
    since = datetime(2026, 11, 15, tzinfo=UTC)
    recent = list(crm.submissions(forms["Webinar"], since))
    assert recent == [one for one in sent if one.at >= since]
    assert list(crm.submissions(forms["Contact us"])) == []


def test_single_visits_clicks_and_forms_come_from_the_histories_of_the_counters(account: Any) -> None:
    ada, bob = account.contacts("ada", "bob")
    for who, number, signal in (
        (ada, 2, "visit"),
        (ada, 5, "visit"),
        (bob, 3, "mail_click"),
        (ada, 6, "form"),
    ):
        account.control("clock", now=day(number).isoformat())
        account.people("act", id=who, signal=signal, at=day(number).isoformat(), **_pages(signal))
    account.control("clock", now="2026-11-22T08:00:00Z")
    crm = account.connect()
    found = crm.signals([ada, bob], ["visit", "page_view", "mail_click", "form"])
    assert found.missing == ()
    assert dict(found.frame.schema) == dict(EVENT_SCHEMA)
    rows = found.frame.select(RECORD_ID, "event", "at", "count").rows()
    assert sorted(rows) == sorted(
        [
            (ada, "visit", day(2), 1),
            (ada, "page_view", day(2), 3),
            (ada, "visit", day(5), 1),
            (ada, "page_view", day(5), 3),
            (bob, "mail_click", day(3), 1),
            (ada, "form", day(6), 1),
        ]
    )
    assert found.frame["at"].is_sorted()
    # Three visits in a week, asked of the events.
    recent = found.frame.filter((pl.col("event") == "visit") & (pl.col("at") > day(1)))
    assert recent["count"].sum() == 2


def _pages(signal: str) -> dict[str, int]:
    return {"pages": 3} if signal == "visit" else {}


def test_the_report_names_what_the_account_has_and_which_property_is_missing(account: Any) -> None:
    crm = account.connect()
    before = {one.name: one for one in crm.availability()}
    assert set(SIGNALS) <= set(before)
    assert {"companies", "leads", *ENGAGEMENTS} == {n for n, one in before.items() if one.kind == "object"}
    assert all(one.available for one in before.values())
    assert before["visits"].history == ("hs_analytics_num_visits", "hs_analytics_num_page_views")
    assert before["source"].history == before["lists"].history == ()
    schema = crm.describe("contacts")
    for one in before.values():
        assert set(one.has) <= set(schema.fields)
        assert not set(one.lacks) & set(schema.fields)
    account.control("limits", scopes=["crm.objects.contacts.read", "crm.schemas.contacts.read"])
    after = {one.name: one for one in account.connect().availability()}
    assert after["forms"].available
    assert not after["form_definitions"].available
    assert not after["lists"].available
    assert not after["leads"].available
    assert after["visits"].available
