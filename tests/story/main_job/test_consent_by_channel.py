"""E-mail, calls and post: what somebody said about each, with its proof, in either CRM, and what both make of it."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from mapping.consent import told
from sync.explaining import find_lead

WORDING = "Ja, ich möchte Angebote erhalten."
STATED = "2026-10-01T08:00:00Z"
#: By channel and CRM: the field that says no, and the one that holds the standing.
FLAGS = {
    ("email", "hubspot"): "hs_email_optout",
    ("email", "salesforce"): "HasOptedOutOfEmail",
    ("call", "hubspot"): "leadpact_call_opt_out",
    ("call", "salesforce"): "DoNotCall",
    ("post", "hubspot"): "leadpact_post_opt_out",
    ("post", "salesforce"): "Leadpact_Post_Opt_Out__c",
}
CHANNELS = ("email", "call", "post")
CALLS = 'salesforce = "DoNotCall"\ndirection = "read_only"\n'
OFF = re.compile("^# ", re.MULTILINE)


def standing(channel: str, crm: str, what: str = "") -> str:
    """The CRM's field that holds a channel's standing, or what belongs to its proof."""
    if crm == "hubspot":
        return "_".join(filter(None, ("leadpact", channel, "consent", what)))
    return "_".join(filter(None, ("Leadpact", channel.title(), "Consent", what.title()))) + "__c"


@pytest.fixture
def asking(house: Any, begin: Callable[..., Any]) -> Any:
    """A house whose CRMs hold a standing with its proof for each channel: what the config offers, switched on."""
    begin(_asking)
    return house


def _asking(house: Any) -> None:
    path = house.folder / "fields.toml"
    before, offered = path.read_text(encoding="utf-8").split("# [fields.email_consent]", 1)
    offered, after = offered.split("# --- What they did", 1)
    switched_on = "\n" + OFF.sub("", "# [fields.email_consent]" + offered)
    path.write_text(f"{before}{switched_on}# --- What they did{after}", encoding="utf-8")
    house.rewrite("fields.toml", CALLS, 'hubspot = "leadpact_call_opt_out"\nsalesforce = "DoNotCall"\n')
    made = house.command("setup", "--apply")
    assert made.code == 0, made.err


def _said(channel: str, crm: str, word: str, **proof: str) -> dict[str, str]:
    """A record's fields for a standing."""
    return {standing(channel, crm): word} | {
        standing(channel, crm, what): text for what, text in proof.items()
    }


def _proof(source: str = "Formular Newsletter") -> dict[str, str]:
    return {"at": STATED, "source": source, "wording": WORDING}


def _email(number: int) -> str:
    return f"p{number}@shop{number}.example"


def _told(house: Any, number: int) -> list[dict[str, Any]]:
    """What ``explain`` tells of the consent of so many people, without all else; of the first one all of it."""
    with house.app() as app:
        work = app.memory()
        leads = [find_lead(work, _email(one)) for one in range(number)]
        newest = [work.store.leads.verdicts(lead, None, 1)[0]["inputs"] for lead in leads]
    consents = [dict(told(json.loads(inputs)["lead"])) for inputs in newest]
    assert house.explain(_email(0))["consent"] == consents[0]
    return consents


#: HubSpot's word and proof, Salesforce's word and proof, what stands, and whose proof.
TABLE = [
    ("", {}, "", {}, "unknown", None),
    ("pending", {}, "", {}, "pending", None),
    ("", {}, "Pending", {}, "pending", None),
    ("confirmed", _proof(), "", {}, "confirmed", "Formular Newsletter"),
    ("", {}, "Confirmed", _proof("Messe"), "confirmed", "Messe"),
    # The one that forbids more counts
    ("confirmed", _proof(), "Pending", {}, "pending", None),
    ("pending", {}, "Confirmed", _proof(), "pending", None),
    # A confirmation without its time or its words proves nothing, and nothing is put together from two records
    ("confirmed", {}, "", {}, "unknown", None),
    ("confirmed", {"at": STATED}, "Confirmed", {"wording": WORDING}, "unknown", None),
    ("confirmed", {"at": STATED}, "Confirmed", _proof("Messe"), "confirmed", "Messe"),
]


def test_the_standing_that_forbids_more_counts_with_its_own_proof_in_every_channel(asking: Any) -> None:
    house = asking
    people = [(channel, row) for channel in CHANNELS for row in TABLE]
    for number, (channel, (h, h_proof, s, s_proof, _, _)) in enumerate(people):
        about = {"lastname": f"Sommer{number}", "company": f"Shop {number}"}
        in_hubspot = _said(channel, "hubspot", h, **h_proof) if h else {}
        in_salesforce = _said(channel, "salesforce", s, **s_proof) if s else {}
        house.couple(_email(number), about, in_hubspot, in_salesforce)
    mark = house.mark()
    house.sync()

    consents = _told(house, len(people))
    for consent, (channel, (*said, stands, source)) in zip(consents, people, strict=True):
        found = consent[channel]
        proof = (source, WORDING) if source else (None, None)
        assert (found["standing"], found["source"], found["wording"]) == (stands, *proof), (channel, said)
    written = " ".join(call["body"] for calls in house.writes(mark).values() for call in calls)
    assert "onsent" not in written, "a consent counts where it was given, and is never written anywhere"


#: Every way in which somebody withdraws: the channel, the CRM, and which of its fields says so.
WAYS = list(itertools.product(CHANNELS, ("hubspot", "salesforce"), ("flag", "standing")))
OTHER = {"hubspot": "salesforce", "salesforce": "hubspot"}
CONFIRMED = {"hubspot": "confirmed", "salesforce": "Confirmed"}
WITHDRAWN = {"hubspot": "withdrawn", "salesforce": "Withdrawn"}


@pytest.fixture
def withdrawing(asking: Any) -> tuple[Any, list[dict[str, str]]]:
    """For each of ``WAYS`` somebody outside the scope who had confirmed in both CRMs: the house, and their records."""
    people = []
    for number, (channel, _, _) in enumerate(WAYS):
        about = {"lastname": f"Sommer{number}", "company": f"Shop {number}", "country": "France"}
        both = [_said(channel, crm, CONFIRMED[crm], **_proof()) for crm in OTHER]
        people.append(dict(zip(OTHER, asking.couple(_email(number), about, *both), strict=True)))
    asking.sync()
    asking.later(3_600)
    return asking, people


def _flag(channel: str, crm: str, value: bool) -> dict[str, Any]:
    # Salesforce's own flags are checkboxes; the one that setup makes is a list of two words.
    plain = (channel, crm) in (("email", "salesforce"), ("call", "salesforce"))
    return {FLAGS[channel, crm]: value if plain else str(value).lower()}


def test_a_withdrawal_in_any_field_of_any_channel_holds_in_all_four_whatever_the_scope_and_for_good(
    withdrawing: tuple[Any, list[dict[str, str]]],
) -> None:
    house, people = withdrawing
    for ids, (channel, crm, said_in) in zip(people, WAYS, strict=True):
        if said_in == "standing":
            house.edit(crm, ids[crm], **{standing(channel, crm): WITHDRAWN[crm]})
        elif channel == "email":
            house.unsubscribe(crm, ids[crm])
        else:
            house.edit(crm, ids[crm], **_flag(channel, crm, value=True))
    house.sync()
    _withdrawn_everywhere(house, people)

    # Nobody is brought back: neither by a cleared flag nor by a new confirmation in the other CRM.
    house.later(3_600)
    for ids, (channel, crm, _) in zip(people, WAYS, strict=True):
        other = OTHER[crm]
        if (channel, other) != ("email", "hubspot"):
            house.edit(other, ids[other], **_flag(channel, other, value=False))
        house.edit(other, ids[other], **_said(channel, other, CONFIRMED[other], **_proof("Telefon")))
    house.sync()
    _withdrawn_everywhere(house, people)
    house.later(3_600)
    mark = house.mark()
    house.sync()
    assert house.wrote_nothing(mark)


def _withdrawn_everywhere(house: Any, people: list[dict[str, str]]) -> None:
    for consent, ids, way in zip(_told(house, len(people)), people, WAYS, strict=True):
        channel = way[0]
        for crm, record in ids.items():
            held = house.record(crm, record)
            assert str(held[FLAGS[channel, crm]]).lower() == "true", (way, crm)
            assert held[standing(channel, crm)] == WITHDRAWN[crm], (way, crm)
        assert consent[channel]["standing"] == "withdrawn", way


def test_a_withdrawal_on_a_card_holds_in_both_crms_and_a_consent_on_one_is_never_written(asking: Any) -> None:
    house = asking
    both = [_said("email", crm, CONFIRMED[crm], **_proof()) for crm in OTHER]
    people = [
        # what HubSpot and Salesforce say, what the card says
        (both[0], {}, "withdrawn", True),
        (both[0], both[1], "withdrawn", True),
        ({}, {}, "withdrawn", True),
        (both[0], {}, "confirmed", False),
        ({}, {}, "confirmed", False),
        (_said("email", "hubspot", "pending"), {}, "confirmed", False),
    ]
    lines, met = ["Email;Last name;Company;Consent"], []
    for number, (h, s, word, _) in enumerate(people):
        about = {"lastname": f"Sommer{number}", "company": f"Shop {number}"}
        met.append(dict(zip(OTHER, house.couple(_email(number), about, h, s), strict=True)))
        lines.append(f"{_email(number)};Sommer{number};Shop {number};{word}")
    house.sync()
    held = [{crm: house.record(crm, ids[crm]) for crm in ids} for ids in met]
    file = house.folder / "cards.csv"
    file.write_text("\n".join([*lines, ""]), encoding="utf-8")

    done = house.command(
        "import", str(file), "--source", "Messe", "--map", "Consent=email_consent", "--approve"
    )

    assert done.code == 0, done.err
    for ids, before, (_, _, word, withdraws) in zip(met, held, people, strict=True):
        for crm, record in ids.items():
            now, name = house.record(crm, record), standing("email", crm)
            assert now.get(name) == (WITHDRAWN[crm] if withdraws else before[crm].get(name)), (crm, word)
            assert (str(now.get(FLAGS["email", crm])).lower() == "true") is withdraws, (crm, word)
