"""One record at a time on the HubSpot side of the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sandbox.hubspot.lifecycle import STAGES, is_backward
from connectors.sandbox.hubspot.side import HubSpotSide
from connectors.sandbox.side import Ask

CONTACTS = "/crm/v3/objects/contacts"
Call = Callable[..., tuple[int, Any]]


def read(call: Call, id_: str, *names: str) -> dict[str, Any]:
    status, body = call("GET", f"{CONTACTS}/{id_}", properties=",".join(names))
    assert status == 200
    return dict(body["properties"])


def codes(body: dict[str, Any]) -> list[str]:
    return [error["code"] for error in body["errors"]]


def test_a_new_contact_gets_what_hubspot_adds_and_its_email_in_lower_case(call: Call) -> None:
    status, body = call("POST", CONTACTS, {"properties": {"email": "ADA@Acme.test"}})
    assert status == 201
    given_back = body["properties"]
    assert given_back["email"] == "ada@acme.test"
    assert given_back["hs_email_domain"] == "acme.test"
    assert given_back["hs_object_source"] == "INTEGRATION"
    assert given_back["hs_pipeline"] == "contacts-lifecycle-pipeline"
    assert given_back["hs_all_contact_vids"] == given_back["hs_object_id"] == body["id"]
    assert given_back["lifecyclestage"] == "lead"
    assert given_back["hs_lifecyclestage_lead_date"].isdecimal()
    assert body["updatedAt"] == body["createdAt"] == "2026-03-01T08:00:00Z"
    assert body["archived"] is False
    assert body["url"].endswith(f"/record/0-1/{body['id']}")


def test_ids_are_too_long_for_32_bits_and_increase(call: Call, ada: str) -> None:
    _, body = call("POST", CONTACTS, {"properties": {"lastname": "Later"}})
    assert int(body["id"]) > int(ada) > 2**32


def test_a_second_contact_with_the_same_email_conflicts_and_names_the_first(call: Call, ada: str) -> None:
    status, body = call("POST", CONTACTS, {"properties": {"email": "Ada@acme.TEST"}})
    assert status == 409
    assert body["message"] == f"Contact already exists. Existing ID: {ada}"
    assert body["category"] == "CONFLICT"
    assert set(body) == {"status", "message", "correlationId", "category"}


def test_a_contact_needs_an_email_or_a_name(call: Call) -> None:
    status, body = call("POST", CONTACTS, {"properties": {"city": "Bonn"}})
    assert (status, body["category"]) == (400, "VALIDATION_ERROR")


def test_the_stamp_moves_with_a_change_and_stays_without_one(call: Call, clock: Any, ada: str) -> None:
    clock.advance(seconds=1)
    call("PATCH", f"{CONTACTS}/{ada}", {"properties": {"firstname": "Ada"}})
    assert read(call, ada)["lastmodifieddate"] == "2026-03-01T08:00:00Z"
    call("PATCH", f"{CONTACTS}/{ada}", {"properties": {"firstname": "Eva"}})
    assert read(call, ada)["lastmodifieddate"] == "2026-03-01T08:00:01Z"


def test_an_empty_text_clears_and_a_requested_empty_property_reads_as_null(call: Call, ada: str) -> None:
    call("PATCH", f"{CONTACTS}/{ada}", {"properties": {"firstname": ""}})
    found = read(call, ada, "firstname", "city", "no_such_property")
    assert found["firstname"] is None
    assert found["city"] is None
    assert "no_such_property" not in found


def test_empty_properties_can_be_absent_instead(side: HubSpotSide, call: Call, ada: str) -> None:
    side.limits({"empty": "absent"})
    assert "city" not in read(call, ada, "city")


def test_without_a_choice_the_default_properties_are_answered(call: Call, ada: str) -> None:
    assert set(call("GET", f"{CONTACTS}/{ada}")[1]["properties"]) == {
        "createdate",
        "email",
        "firstname",
        "hs_object_id",
        "lastmodifieddate",
        "lastname",
    }


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("nope", "x", "PROPERTY_DOESNT_EXIST"),
        ("hs_email_domain", "x", "READ_ONLY_VALUE"),
        ("num_conversion_events", "3", "READ_ONLY_VALUE"),
        ("hs_email_optout", "true", "READ_ONLY_VALUE"),
        ("createdate", "2026-01-01", "READ_ONLY_VALUE"),
        ("hs_lifecyclestage_lead_date", "2026-01-01", "READ_ONLY_VALUE"),
        # A label is not a value, and upper case is another value
        ("lifecyclestage", "Lead", "INVALID_OPTION"),
        ("hs_lead_status", "new", "INVALID_OPTION"),
        ("email", "not an address", "INVALID_EMAIL"),
        ("email", "ada@acme", "INVALID_EMAIL"),
        ("numberofemployees", "many", "INVALID_INTEGER"),
        ("numberofemployees", "NaN", "INVALID_INTEGER"),
        ("closedate", "asd000", "INVALID_LONG"),
        # A user id is not an owner id
        ("hubspot_owner_id", "48200001", "INVALID_OPTION"),
    ],
)
def test_a_value_that_is_not_valid_is_refused_with_its_code(
    call: Call, ada: str, name: str, value: str, code: str
) -> None:
    status, body = call("PATCH", f"{CONTACTS}/{ada}", {"properties": {name: value}})
    assert status == 400
    assert body["category"] == "VALIDATION_ERROR"
    assert codes(body) == [code]
    assert body["errors"][0]["context"] == {"propertyName": [name]}
    listed = orjson.loads(body["message"].removeprefix("Property values were not valid: "))
    assert [(row["name"], row["error"], row["isValid"]) for row in listed] == [(name, code, False)]


def test_every_bad_property_of_a_write_is_listed_and_nothing_is_written(call: Call, ada: str) -> None:
    wanted = {"firstname": "Eva", "nope": "1", "hs_email_domain": "x"}
    status, body = call("PATCH", f"{CONTACTS}/{ada}", {"properties": wanted})
    assert status == 400
    assert codes(body) == ["PROPERTY_DOESNT_EXIST", "READ_ONLY_VALUE"]
    assert read(call, ada, "firstname")["firstname"] == "Ada"


@pytest.mark.parametrize(
    ("name", "sent", "kept"),
    [
        ("closedate", "2026-05-06T07:08:09.123+02:00", "2026-05-06T05:08:09.123Z"),
        ("closedate", "1767225600000", "2026-01-01T00:00:00Z"),
        ("closedate", 1767225600000, "2026-01-01T00:00:00Z"),
        ("numberofemployees", 12, "12"),
        ("numberofemployees", "12.50", "12.50"),
        ("hubspot_owner_id", "76500002", "76500002"),
        ("firstname", " Ada ", " Ada "),
        ("firstname", True, "true"),
    ],
)
def test_values_come_back_as_texts(
    call: Call, ada: str, name: str, sent: bool | int | str, kept: str
) -> None:
    status, _ = call("PATCH", f"{CONTACTS}/{ada}", {"properties": {name: sent}})
    assert status == 200
    assert read(call, ada, name)[name] == kept


def test_a_date_is_kept_as_a_day_and_must_be_midnight_utc(call: Call, ada: str) -> None:
    wanted = {"name": "trial_end", "label": "Trial end", "type": "date", "fieldType": "date"}
    call("POST", "/crm/v3/properties/contacts", {**wanted, "groupName": "contactinformation"})
    for sent in ("2026-05-01", "1777593600000"):
        call("PATCH", f"{CONTACTS}/{ada}", {"properties": {"trial_end": sent}})
        assert read(call, ada, "trial_end")["trial_end"] == "2026-05-01"
    status, body = call("PATCH", f"{CONTACTS}/{ada}", {"properties": {"trial_end": "1777593600001"}})
    assert (status, codes(body)) == (400, ["INVALID_DATE"])


def test_a_leading_semicolon_adds_to_a_set(call: Call, ada: str) -> None:
    options = [{"label": v, "value": v} for v in "ABC"]
    wanted = {"name": "topics", "label": "Topics", "type": "enumeration", "fieldType": "checkbox"}
    body = {**wanted, "groupName": "contactinformation", "options": options}
    assert call("POST", "/crm/v3/properties/contacts", body)[0] == 201
    for sent, kept in (("A;B", "A;B"), (";C", "A;B;C"), ("C", "C")):
        call("PATCH", f"{CONTACTS}/{ada}", {"properties": {"topics": sent}})
        assert read(call, ada, "topics")["topics"] == kept


def test_a_null_is_refused_before_2026_09_and_clears_from_then_on(call: Call, ada: str) -> None:
    body = {"properties": {"firstname": None}}
    assert call("PATCH", f"{CONTACTS}/{ada}", body)[0] == 400
    assert call("PATCH", f"/crm/objects/2026-03/contacts/{ada}", body)[0] == 400
    assert call("PATCH", f"/crm/objects/2026-09/contacts/{ada}", body)[0] == 200
    assert read(call, ada, "firstname")["firstname"] is None


def test_a_backward_stage_write_is_ignored(call: Call, clock: Any, ada: str) -> None:
    call("PATCH", f"{CONTACTS}/{ada}", {"properties": {"lifecyclestage": "customer"}})
    clock.advance(seconds=1)
    status, body = call("PATCH", f"{CONTACTS}/{ada}", {"properties": {"lifecyclestage": "lead"}})
    assert (status, body["properties"]["lifecyclestage"]) == (200, "customer")
    found = read(call, ada, "lifecyclestage")
    assert (found["lifecyclestage"], found["lastmodifieddate"]) == ("customer", "2026-03-01T08:00:00Z")


def test_a_cleared_stage_can_be_set_to_any_other(call: Call, ada: str) -> None:
    for stage, kept in (("customer", "customer"), ("", None), ("subscriber", "subscriber")):
        call("PATCH", f"{CONTACTS}/{ada}", {"properties": {"lifecyclestage": stage}})
        assert read(call, ada, "lifecyclestage")["lifecyclestage"] == kept


def test_a_stage_leaves_its_dates_behind(call: Call, clock: Any, ada: str) -> None:
    clock.advance(hours=1)
    call("PATCH", f"{CONTACTS}/{ada}", {"properties": {"lifecyclestage": "marketingqualifiedlead"}})
    names = (
        "hs_lifecyclestage_lead_date",
        "hs_v2_date_exited_lead",
        "hs_v2_date_entered_marketingqualifiedlead",
    )
    found = read(call, ada, *names)
    assert [found[name] for name in names] == [
        "2026-03-01T08:00:00Z",
        "2026-03-01T09:00:00Z",
        "2026-03-01T09:00:00Z",
    ]


@given(st.sampled_from([s for s, _ in STAGES]), st.sampled_from([s for s, _ in STAGES]))
def test_one_of_two_stages_is_behind_the_other(first: Any, second: Any) -> None:
    order = tuple(s for s, _ in STAGES)
    ways = [is_backward(order, first, second), is_backward(order, second, first)]
    assert sum(ways) == (0 if first == second else 1)


def test_history_is_newest_first_and_tells_who(call: Call, clock: Any, ada: str) -> None:
    clock.advance(minutes=1)
    call("PATCH", f"{CONTACTS}/{ada}", {"properties": {"firstname": "Eva"}})
    _, body = call("GET", f"{CONTACTS}/{ada}", propertiesWithHistory="firstname,lifecyclestage")
    rows = body["propertiesWithHistory"]["firstname"]
    assert [(row["value"], row["timestamp"]) for row in rows] == [
        ("Eva", "2026-03-01T08:01:00Z"),
        ("Ada", "2026-03-01T08:00:00Z"),
    ]
    assert {row["sourceType"] for row in rows} == {"INTEGRATION"}
    assert len(body["propertiesWithHistory"]["lifecyclestage"]) == 1


def test_a_contact_is_found_by_email_also_by_a_secondary_one(call: Call, ada: str) -> None:
    call("PATCH", f"{CONTACTS}/{ada}", {"properties": {"hs_additional_emails": "ada@home.test"}})
    for email in ("ADA@acme.test", "ada@home.test"):
        assert call("GET", f"{CONTACTS}/{email}", idProperty="email")[1]["id"] == ada


def test_a_secondary_email_is_as_unique_as_the_first(call: Call, ada: str) -> None:
    call("PATCH", f"{CONTACTS}/{ada}", {"properties": {"hs_additional_emails": "ada@home.test"}})
    assert call("POST", CONTACTS, {"properties": {"email": "ada@home.test"}})[0] == 409
    _, other = call("POST", CONTACTS, {"properties": {"email": "bo@acme.test"}})
    assert call("PATCH", f"{CONTACTS}/{other['id']}", {"properties": {"email": "ada@acme.test"}})[0] == 409


def test_an_id_property_must_name_one_record(call: Call, ada: str) -> None:
    status, body = call("GET", f"{CONTACTS}/Ada", idProperty="firstname")
    assert (status, body["category"]) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("path", "status", "message", "category"),
    [
        (f"{CONTACTS}/77", 404, "resource not found", None),
        (f"{CONTACTS}/abc", 404, "Object not found.  objectId are usually numeric.", "OBJECT_NOT_FOUND"),
        ("/crm/v3/objects/butterflies", 400, "Unable to infer object type from: butterflies", None),
        ("/crm/v3/nowhere", 404, "resource not found", None),
    ],
)
def test_what_is_not_there_is_answered_as_hubspot_does(
    call: Call, path: Any, status: int, message: str, category: str | None
) -> None:
    found, body = call("GET", path)
    assert (found, body["message"], body.get("category")) == (status, message, category)
    assert body["status"] == "error"
    assert body["correlationId"]


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/crm/v3/objects/deals", "crm.objects.deals.read"),
        ("/crm/objects/2026-09/tickets/1", "crm.objects.tickets.read"),
        ("/crm/v3/properties/deals", "crm.schemas.deals.read"),
    ],
)
def test_an_object_that_the_app_was_not_given_is_refused_by_the_scope_it_needs(
    call: Call, path: Any, scope: str
) -> None:
    status, body = call("GET", path)
    assert (status, body["category"]) == (403, "MISSING_SCOPES")
    assert body["errors"][0]["context"]["requiredGranularScopes"] == [scope]


@pytest.mark.parametrize("sent", [b"", b"{", b"[]", b'{"properties": []}', b'{"properties": {"city": {}}}'])
def test_a_body_that_is_not_what_it_should_be_is_refused(side: HubSpotSide, sent: bytes) -> None:
    headers = {"authorization": "Bearer pat-eu1-leadpact-sandbox"}
    assert side.answer(Ask("POST", CONTACTS, (), headers, sent)).status == 400


@pytest.mark.parametrize("name", ["CONTACT", "contacts", "contact", "0-1"])
@pytest.mark.parametrize("family", ["/crm/v3/objects", "/crm/objects/2026-03", "/crm/objects/2026-09"])
def test_every_family_and_spelling_reaches_the_same_records(
    call: Call, ada: str, family: str, name: str
) -> None:
    assert call("GET", f"{family}/{name}/{ada}")[1]["id"] == ada


def test_companies_have_their_own_stamp_and_defaults(call: Call) -> None:
    _, body = call("POST", "/crm/v3/objects/companies", {"properties": {"name": "Acme", "annualrevenue": 5}})
    _, found = call("GET", f"/crm/v3/objects/companies/{body['id']}")
    assert set(found["properties"]) == {"createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name"}
    # Unlike an e-mail address, a domain may come twice (section 5.2)
    for _ in range(2):
        status, _ = call("POST", "/crm/v3/objects/companies", {"properties": {"domain": "acme.test"}})
        assert status == 201


def test_the_list_walks_every_record_by_the_id_of_the_next(call: Call) -> None:
    made = [call("POST", CONTACTS, {"properties": {"lastname": f"N{n}"}})[1]["id"] for n in range(25)]
    seen, after = [], "0"
    while after:
        _, page = call("GET", CONTACTS, after=after)
        seen += [row["id"] for row in page["results"]]
        after = page.get("paging", {}).get("next", {}).get("after")
        assert after is None or after == made[len(seen)]
    assert seen == made


def test_the_link_to_the_next_page_stays_on_this_server(side: HubSpotSide) -> None:
    rows = [{"lastname": "A"}, {"lastname": "B"}]
    side.load("contacts", rows)
    headers = {"authorization": "Bearer pat-eu1-leadpact-sandbox", "host": "127.0.0.1:8123"}
    body = orjson.loads(side.answer(Ask("GET", CONTACTS, (("limit", "1"),), headers, b"")).body)
    following = body["paging"]["next"]
    assert following["link"] == f"http://127.0.0.1:8123{CONTACTS}?limit=1&after={following['after']}"


@pytest.mark.parametrize("query", [{"limit": "101"}, {"limit": "0"}, {"limit": "x"}, {"after": "soon"}])
def test_a_page_that_cannot_be_is_refused(call: Call, query: Any) -> None:
    assert call("GET", CONTACTS, **query)[0] == 400


def test_pages_with_history_are_smaller(call: Call) -> None:
    assert call("GET", CONTACTS, limit="51", propertiesWithHistory="email")[0] == 400
    assert call("GET", CONTACTS, limit="50", propertiesWithHistory="email")[0] == 200


def test_a_record_reads_alike_alone_listed_searched_in_a_batch_and_with_its_past(call: Call) -> None:
    call(
        "POST",
        "/crm/v3/properties/contacts",
        {
            "name": "class",
            "label": "Class",
            "groupName": "contactinformation",
            "type": "string",
            "fieldType": "text",
        },
    )
    odd = {"class": 'a "b" \\ \n\x01\x7f ü 🙂', "lastname": "Who", "closedate": "1767225600000"}
    id_ = call("POST", CONTACTS, {"properties": odd})[1]["id"]
    names = [*odd, "num_conversion_events", "hs_all_contact_vids", "createdate", "firstname", "none_of_ours"]
    alone = call("GET", f"{CONTACTS}/{id_}", properties=",".join(names))[1]
    assert alone["properties"]["class"] == odd["class"]
    assert alone["properties"]["num_conversion_events"] == "0"
    assert alone["properties"]["closedate"] == "2026-01-01T00:00:00Z"
    past = call("GET", f"{CONTACTS}/{id_}", properties=",".join(names), propertiesWithHistory="class")[1]
    past.pop("propertiesWithHistory")
    listed = call("GET", CONTACTS, properties=",".join(names))[1]["results"]
    searched = call("POST", f"{CONTACTS}/search", {"properties": names})[1]["results"]
    inputs = [{"id": id_}]
    batch = call("POST", f"{CONTACTS}/batch/read", {"properties": names, "inputs": inputs})[1]["results"]
    assert [alone] == [past] == listed == searched == batch
    assert list(alone["properties"]) == list(batch[0]["properties"])
