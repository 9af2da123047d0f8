"""Which records are one lead."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.pairs import RECORD_KEYS, Pairing, pair
from sync.slices import lead_name

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
ANNA = {"email_key": "anna@shop.de", "name_key": "anna berg", "company_key": "shop"}


def _name(crm: str, record: str) -> str:
    return f"lead of {crm} {record}"


def _h(record: str, **known: Any) -> dict[str, Any]:
    return {"crm": "hubspot", "object": "contacts", "record_id": record, "created_at": START, **known}


def _s(record: str, **known: Any) -> dict[str, Any]:
    return {"crm": "salesforce", "object": "Lead", "record_id": record, "created_at": START, **known}


def _frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    whole = [{name: row.get(name) for name in RECORD_KEYS} for row in rows]
    return pl.DataFrame(whole, schema=dict(RECORD_KEYS))


def _pair(*rows: dict[str, Any], known: list[dict[str, Any]] | None = None) -> Pairing:
    return pair(_frame(list(rows)), _frame(known or []), _name)


def _leads(pairing: Pairing) -> dict[str, str]:
    return dict(pairing.assigned.select("record_id", "lead_id").iter_rows())


def _held(pairing: Pairing) -> dict[str, list[str]]:
    return dict(pairing.ambiguous.select("record_id", "others").iter_rows())


def _together(pairing: Pairing, one: str, other: str) -> bool:
    leads = _leads(pairing)
    return one in leads and leads[one] == leads.get(other)


def _flag(pairing: Pairing, name: str) -> dict[str, bool]:
    return dict(pairing.assigned.select("record_id", name).iter_rows())


ROLE = {"email_key": "info@shop.de", "is_role": True}
MAIL = {"email_key": "anna@shop.de", "is_role": False}


@pytest.mark.parametrize(
    ("hubspot", "salesforce", "one_lead"),
    [
        # The name agrees, whatever the company
        ({**MAIL, "name_key": "anna berg"}, {**MAIL, "name_key": "anna berg"}, True),
        (
            {**MAIL, "name_key": "anna berg", "company_key": "shop"},
            {**MAIL, "name_key": "anna berg", "company_key": "other"},
            True,
        ),
        # Two people who share an address stay two, even in one company
        ({**MAIL, "name_key": "anna berg"}, {**MAIL, "name_key": "otto berg"}, False),
        (
            {**MAIL, "name_key": "anna berg", "company_key": "shop"},
            {**MAIL, "name_key": "otto lang", "company_key": "shop"},
            False,
        ),
        # The company agrees and no name contradicts: none is known, or one word of it
        ({**MAIL, "company_key": "shop"}, {**MAIL, "name_key": "anna berg", "company_key": "shop"}, True),
        (
            {**MAIL, "name_key": "berg", "company_key": "shop"},
            {**MAIL, "name_key": "anna berg", "company_key": "shop"},
            True,
        ),
        # One word of a name is too little where nothing else agrees: it could be a relative
        ({**MAIL, "name_key": "berg"}, {**MAIL, "name_key": "anna berg"}, False),
        # An address and nothing else: enough when it is the person's own
        (MAIL, {**MAIL, "name_key": "anna berg", "company_key": "shop"}, True),
        (MAIL, MAIL, True),
        ({**MAIL, "company_key": "shop"}, {**MAIL, "name_key": "anna berg", "company_key": "quarry"}, False),
        # A role address names nobody
        (ROLE, {**ROLE, "name_key": "anna berg"}, False),
        (ROLE, ROLE, False),
        ({**ROLE, "company_key": "shop"}, {**ROLE, "company_key": "shop"}, True),
        ({**ROLE, "name_key": "anna berg"}, {**ROLE, "name_key": "anna berg"}, True),
        # No address, no match
        ({"name_key": "anna berg", "company_key": "shop"}, {"name_key": "anna berg", "company_key": "shop"}, False),
        ({**MAIL, "name_key": "anna berg"}, {"email_key": "a@b.de", "name_key": "anna berg"}, False),
    ],
)  # fmt: skip
def test_an_address_makes_one_lead_where_name_or_company_agrees(
    hubspot: Mapping[str, Any], salesforce: Mapping[str, Any], one_lead: bool
) -> None:
    pairing = _pair(_h("1", **hubspot), _s("00Q1", **salesforce))
    assert _together(pairing, "1", "00Q1") is one_lead
    assert not _held(pairing)


def test_a_cross_id_comes_before_an_address() -> None:
    pairing = _pair(_h("1", cross_id="00Q2", **ANNA), _s("00Q1", **ANNA), _s("00Q2", name_key="someone else"))
    assert _together(pairing, "1", "00Q2")
    assert dict(pairing.assigned.select("record_id", "how").iter_rows()) == {
        "1": "cross_id",
        "00Q2": "cross_id",
        "00Q1": "alone",
    }


@pytest.mark.parametrize("side", ["hubspot", "salesforce"])
def test_one_cross_id_is_enough(side: str) -> None:
    hubspot = _h("1", cross_id="00Q1" if side == "hubspot" else None)
    salesforce = _s("00Q1", cross_id="1" if side == "salesforce" else None)
    assert _together(_pair(hubspot, salesforce), "1", "00Q1")


def test_cross_ids_that_contradict_each_other_wait_for_a_person() -> None:
    pairing = _pair(_h("1", cross_id="00Q1"), _h("2"), _s("00Q1", cross_id="2"))
    assert _held(pairing) == {
        "1": ["salesforce:00Q1"],
        "2": ["salesforce:00Q1"],
        "00Q1": ["hubspot:1", "hubspot:2"],
    }
    assert not _leads(pairing)


@pytest.mark.parametrize(
    "rows",
    [
        [_h("1", **ANNA), _s("00Q1", **ANNA), _s("00Q2", **ANNA)],
        [_h("1", **ANNA), _h("2", **ANNA), _s("00Q1", **ANNA)],
        [_h("1", **ANNA), _h("2", **ANNA), _s("00Q1", **ANNA), _s("00Q2", **ANNA)],
    ],
    ids=["two in Salesforce", "two in HubSpot", "two in both"],
)
def test_several_plausible_counterparts_are_held_and_not_guessed(rows: list[dict[str, Any]]) -> None:
    pairing = _pair(*rows)
    assert set(_held(pairing)) == {row["record_id"] for row in rows}
    assert not _leads(pairing)


def test_two_copies_of_a_person_in_one_crm_alone_stay_two_leads() -> None:
    pairing = _pair(_s("00Q1", **ANNA), _s("00Q2", **ANNA))
    assert len(set(_leads(pairing).values())) == 2
    assert not _held(pairing)


COMPLETE = [_h("1", lead_id="L1", **ANNA), _s("00Q1", lead_id="L1", **ANNA)]


@pytest.mark.parametrize(
    ("second", "other"),
    [
        (_h("2", **ANNA), "salesforce:00Q1"),
        (_s("00Q2", **ANNA), "hubspot:1"),
        (_h("2", cross_id="00Q1"), "salesforce:00Q1"),
        (_s("00Q2", cross_id="1"), "hubspot:1"),
    ],
    ids=["HubSpot", "Salesforce", "HubSpot by cross-id", "Salesforce by cross-id"],
)
def test_a_second_record_for_a_complete_lead_is_held(second: dict[str, Any], other: str) -> None:
    pairing = _pair(second, known=COMPLETE)
    assert _held(pairing) == {second["record_id"]: [other]}
    assert _leads(pairing) == {"1": "L1", "00Q1": "L1"}


def test_another_person_at_the_address_of_a_complete_lead_is_a_lead_of_its_own() -> None:
    other = _s("00Q2", email_key="anna@shop.de", name_key="otto lang")
    pairing = _pair(other, known=COMPLETE)
    assert _leads(pairing)["00Q2"] == "lead of salesforce 00Q2"


def test_whoever_is_the_only_match_of_a_held_record_is_held_with_it() -> None:
    # Without its name the contact agrees with the new lead; the new lead agrees with the known one as well.
    known = [
        _h("1", lead_id="L1", email_key="anna@shop.de", name_key="anna berg", company_key="quarry"),
        _s("00Q1", lead_id="L1", email_key="anna@shop.de", name_key="anna berg", company_key="quarry"),
    ]
    contact = _h("2", email_key="anna@shop.de", company_key="shop")
    lead = _s("00Q2", email_key="anna@shop.de", name_key="anna berg", company_key="shop")
    pairing = _pair(contact, lead, known=known)
    assert set(_held(pairing)) == {"2", "00Q2"}


def test_a_new_record_joins_the_lead_that_waits_for_it() -> None:
    pairing = _pair(_s("00Q1", **ANNA), known=[_h("1", lead_id="L1", **ANNA)])
    assert _leads(pairing) == {"1": "L1", "00Q1": "L1"}


@pytest.mark.parametrize(
    "rows",
    [
        # Their addresses have become the same, or one names the other: two leads they remain
        [_h("1", lead_id="L1", **ANNA), _s("00Q2", lead_id="L2", **ANNA)],
        [_h("1", lead_id="L1", cross_id="00Q2"), _s("00Q2", lead_id="L2")],
        # Their names have become different: one lead it remains
        [
            _h("1", lead_id="L1", **ANNA),
            _s("00Q2", lead_id="L1", email_key="other@shop.de", name_key="otto lang"),
        ],
    ],
)
def test_a_link_never_moves_by_itself(rows: list[dict[str, Any]]) -> None:
    pairing = _pair(*rows)
    assert _leads(pairing) == {row["record_id"]: row["lead_id"] for row in rows}
    assert set(pairing.assigned["how"]) == {"known"}


def test_a_known_contact_with_two_new_candidates_keeps_its_lead_and_gets_no_third_record() -> None:
    pairing = _pair(_h("1", lead_id="L1", **ANNA), _s("00Q1", **ANNA), _s("00Q2", **ANNA))
    assert set(_held(pairing)) == {"00Q1", "00Q2"}
    assert _flag(pairing, "awaited") == {"1": True}


def test_nobody_is_awaited_where_nothing_is_held() -> None:
    pairing = _pair(_h("1", **ANNA), _s("00Q1", **ANNA), _h("2", email_key="otto@shop.de"))
    assert set(_flag(pairing, "awaited").values()) == {False}


def test_a_role_address_known_from_memory_still_names_nobody() -> None:
    remembered = _h("1", lead_id="L1", email_key="info@shop.de")
    pairing = _pair(_s("00Q1", **ROLE, name_key="anna berg"), known=[remembered])
    assert not _together(pairing, "1", "00Q1")


@pytest.mark.parametrize(
    ("hubspot_age", "salesforce_age", "named_after"),
    [
        (timedelta(days=2), timedelta(days=1), "hubspot 1"),
        (timedelta(days=1), timedelta(days=2), "salesforce 00Q1"),
    ],
)
def test_a_lead_is_named_after_its_older_record(
    hubspot_age: timedelta, salesforce_age: timedelta, named_after: str
) -> None:
    pairing = _pair(
        _h("1", **ANNA | {"created_at": START - hubspot_age}),
        _s("00Q1", **ANNA | {"created_at": START - salesforce_age}),
    )
    assert set(_leads(pairing).values()) == {f"lead of {named_after}"}


@pytest.mark.parametrize("seconds_later", [0.0, -0.9, 5.0])
@pytest.mark.parametrize("origin", ["hubspot", "salesforce"])
def test_a_copy_that_we_made_takes_the_name_of_its_origin(origin: str, seconds_later: float) -> None:
    # Salesforce cuts its times to whole seconds: a copy may seem older than what it was made from.
    made = (START + timedelta(milliseconds=950), START + timedelta(milliseconds=950, seconds=seconds_later))
    if origin == "hubspot":
        rows = [_h("1", created_at=made[0]), _s("00Q1", cross_id="1", created_at=made[1])]
    else:
        rows = [_s("00Q1", created_at=made[0]), _h("1", cross_id="00Q1", created_at=made[1])]
    first = "hubspot 1" if origin == "hubspot" else "salesforce 00Q1"
    rows = [{**row, "created_at": row["created_at"]} for row in rows]
    assert set(_leads(_pair(*rows)).values()) == {f"lead of {first}"}


def test_the_same_record_always_gives_the_same_lead_id() -> None:
    # As they are remembered, from the first version on.
    assert lead_name("hubspot", "101") == "La4pwmzbsqzt2r"
    assert lead_name("salesforce", "00QgK0000000001UAA") == "Llkvngbag3t4ti"
    assert len({lead_name(crm, "101") for crm in ("hubspot", "salesforce")}) == 2


class TestTakenAddresses:
    """HubSpot keeps one contact an address: a second lead cannot have one made there."""

    def test_another_lead_has_the_contact(self) -> None:
        pairing = _pair(_h("1", **ANNA), _s("00Q1", email_key="anna@shop.de", name_key="otto lang"))
        assert _flag(pairing, "address_taken") == {"1": False, "00Q1": True}

    def test_only_the_oldest_of_several_gets_one(self) -> None:
        rows = [
            _s("00Q3", email_key="x@shop.de", name_key="otto lang", created_at=START),
            _s("00Q1", email_key="x@shop.de", name_key="anna berg", created_at=START + timedelta(1)),
            _s("00Q2", email_key="x@shop.de", name_key="ida stein", created_at=START + timedelta(2)),
        ]
        taken = _flag(_pair(*[{**_s(row["record_id"]), **row} for row in rows]), "address_taken")
        assert taken == {"00Q3": False, "00Q1": True, "00Q2": True}

    def test_who_was_created_at_the_same_instant_is_told_apart_by_id(self) -> None:
        rows = [_s(f"00Q{n}", email_key="x@shop.de", name_key=f"person {n}x") for n in (3, 1, 2)]
        assert _flag(_pair(*rows), "address_taken") == {"00Q1": False, "00Q2": True, "00Q3": True}

    def test_a_lead_with_a_contact_of_its_own_needs_none(self) -> None:
        pairing = _pair(_h("1", **ANNA), _s("00Q1", **ANNA))
        assert set(_flag(pairing, "address_taken").values()) == {False}


_records = st.lists(
    st.fixed_dictionaries(
        {
            "crm": st.sampled_from(["hubspot", "salesforce"]),
            "age": st.integers(0, 3),
            "email_key": st.sampled_from([None, "anna@shop.de", "info@shop.de"]),
            "name_key": st.sampled_from([None, "anna berg", "otto lang", "berg"]),
            "company_key": st.sampled_from([None, "shop", "quarry"]),
            "lead": st.sampled_from([None, None, "L1", "L2"]),
            "cross": st.sampled_from([None, None, None, 0, 1, 2]),
        }
    ),
    max_size=7,
)


def _rows(drawn: list[dict[str, Any]]) -> list[dict[str, Any]]:
    linked: set[tuple[str | None, str]] = set()
    rows = []
    for number, one in enumerate(drawn):
        lead = one["lead"] if (one["lead"], one["crm"]) not in linked else None
        linked.add((lead, one["crm"]))
        keys = {name: one[name] for name in ("email_key", "name_key", "company_key")}
        other = [n for n, row in enumerate(drawn) if row["crm"] != one["crm"]]
        cross = str(other[one["cross"]]) if one["cross"] is not None and one["cross"] < len(other) else None
        role = None if one["email_key"] is None else one["email_key"].startswith("info")
        make = _h if one["crm"] == "hubspot" else _s
        known = {"lead_id": lead, "cross_id": cross, "is_role": role, **keys}
        rows.append({**make(str(number)), **known, "created_at": START + timedelta(hours=one["age"])})
    return rows


@settings(max_examples=25, deadline=None)
@given(_records, st.randoms(use_true_random=False))
def test_the_order_in_which_records_come_does_not_matter(drawn: list[dict[str, Any]], random: Any) -> None:
    rows = _rows(drawn)
    shuffled = rows[:]
    random.shuffle(shuffled)
    one, other = _pair(*rows), _pair(*shuffled)
    order = ["crm", "record_id"]
    assert one.assigned.sort(order).rows() == other.assigned.sort(order).rows()
    assert one.ambiguous.drop("why").sort(order).rows() == other.ambiguous.drop("why").sort(order).rows()


@settings(max_examples=25, deadline=None)
@given(_records)
def test_every_record_has_one_lead_or_is_held_and_no_lead_has_two_records_in_a_crm(
    drawn: list[dict[str, Any]],
) -> None:
    rows = _rows(drawn)
    pairing = _pair(*rows)
    placed = [*pairing.assigned["record_id"], *pairing.ambiguous["record_id"]]
    assert sorted(placed) == sorted(row["record_id"] for row in rows)
    assert pairing.assigned.select("lead_id", "crm").is_duplicated().sum() == 0
    leads = _leads(pairing)
    assert all(leads[row["record_id"]] == row["lead_id"] for row in rows if row["lead_id"])


PHONE = {"phone_key": "+493012345678", "name_key": "anna berg"}


@pytest.mark.parametrize(
    ("h", "s", "linked", "held"),
    [
        # One number and one name, and nothing against it
        ({**PHONE, "email_key": "anna@shop.de"}, PHONE, True, False),
        (PHONE, {**PHONE, "company_key": "shop"}, True, False),
        # A slip in the address is no other address
        ({**PHONE, "email_key": "anna@shop.de"}, {**PHONE, "email_key": "ana@shop.de"}, True, False),
        # Another address is for a person to look at
        ({**PHONE, "email_key": "anna@shop.de"}, {**PHONE, "email_key": "berg@mail.de"}, False, True),
        # Another company, another name, or no name: two people on one line
        ({**PHONE, "company_key": "shop"}, {**PHONE, "company_key": "bank"}, False, False),
        (PHONE, {**PHONE, "name_key": "bernd winter"}, False, False),
        (PHONE, {"phone_key": PHONE["phone_key"]}, False, False),
        # One name under one company's mail domain: likely, and never certain
        (
            {"name_key": "anna berg", "email_key": "anna@shop.de", "is_role": False},
            {"name_key": "anna berg", "email_key": "a.berg@shop.de", "is_role": False},
            False,
            True,
        ),
        (
            {"name_key": "anna berg", "email_key": "anna@gmail.com", "is_role": False},
            {"name_key": "anna berg", "email_key": "a.berg@gmail.com", "is_role": False},
            False,
            False,
        ),
    ],
)
def test_one_name_and_one_number_or_mail_domain_link_only_where_no_address_speaks_against_it(
    h: dict[str, Any], s: dict[str, Any], linked: bool, held: bool
) -> None:
    pairing = _pair(_h("1", **h), _s("a", **s))
    assert _together(pairing, "1", "a") == linked
    assert set(_held(pairing)) == ({"1", "a"} if held else set())


@pytest.mark.parametrize(
    ("known", "new", "linked", "held"),
    [
        # A lead of one CRM still wants its counterpart, whenever that turns up
        ([_h("1", lead_id="L", **PHONE)], PHONE, True, False),
        ([_h("1", lead_id="L", **PHONE, **MAIL)], {**PHONE, "email_key": "berg@mail.de"}, False, True),
        ([_h("1", lead_id="L", **MAIL, name_key="anna berg")],
         {"name_key": "anna berg", "email_key": "a.berg@shop.de", "is_role": False}, False, True),
        ([_h("1", lead_id="L", **PHONE)], {**PHONE, "name_key": "bernd winter"}, False, False),
        # A lead that has both of its records makes the new one a second one, whatever its address
        ([_h("1", lead_id="L", **PHONE, **MAIL), _s("b", lead_id="L", **PHONE, **MAIL)], PHONE, False, True),
        ([_h("1", lead_id="L", **PHONE, **MAIL), _s("b", lead_id="L", **PHONE, **MAIL)],
         {**PHONE, "email_key": "berg@mail.de"}, False, True),
        ([_h("1", lead_id="L", **PHONE, **MAIL), _s("b", lead_id="L", **PHONE, **MAIL)],
         {**PHONE, "name_key": "bernd winter"}, False, False),
    ],
)  # fmt: skip
def test_a_record_that_turns_up_later_is_compared_by_number_and_mail_domain_with_who_is_known(
    known: list[dict[str, Any]], new: dict[str, Any], linked: bool, held: bool
) -> None:
    pairing = _pair(_s("a", **new), known=known)
    assert (_leads(pairing).get("a") == "L") == linked
    assert set(_held(pairing)) == ({"a"} if held else set())


def test_a_number_that_many_share_says_nothing_about_a_person() -> None:
    many = [_h(str(number), **PHONE) for number in range(6)]
    pairing = _pair(*many, _s("a", **PHONE))
    assert not _held(pairing)
    assert len(set(_leads(pairing).values())) == 7


def test_two_records_with_one_name_and_number_are_held_and_an_address_goes_first() -> None:
    mailed = _pair(_h("1", **PHONE, **MAIL), _s("a", **PHONE, **MAIL), _s("b", **PHONE))
    assert _together(mailed, "1", "a")
    assert not _together(mailed, "1", "b")
    twice = _pair(_h("1", **PHONE), _s("a", **PHONE), _s("b", **PHONE))
    assert set(_held(twice)) == {"1", "a", "b"}
