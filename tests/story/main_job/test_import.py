"""People met elsewhere: a trade fair's cards as a German spreadsheet writes them, both CRMs knowing some already."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sync.cards import Evidence, read_cards
from sync.errors import GuardStopped
from sync.headings import headings
from sync.importing import Source
from sync.importrun import import_people
from sync.spreadsheet import read_spreadsheet

HEADER = "Anrede;Vorname;Nachname;Firma;E-Mail-Adresse;Telefon;Funktion;Umsatz;Geplanter Kauf;Messestand"
CONSENT = ("--consent-wording", "Ja, schicken Sie mir Angebote.", "--consent-at", "03.11.2026")
CREATE_BOTH = {"LEADPACT_SCOPE__CREATE_IN_HUBSPOT": "true", "LEADPACT_SCOPE__CREATE_IN_SALESFORCE": "true"}
NEW, KNOWN, AMBIGUOUS = 298, 90, 12


def _card(number: int, company: str = "") -> str:
    name, firm = f"Müller{number:03}", company or f"Groß & Söhne {number:03} GmbH"
    return (
        f'Frau;Jörg;{name};"{firm}";joerg.mueller{number:03}@firma{number:03}.de;030 12345{number:03};'
        f"Leiter Einkauf;25.000.000,00;31.12.2026;A{number}"
    )


def _known(number: int, **more: str) -> dict[str, str]:
    return {
        "email": f"joerg.mueller{number:03}@firma{number:03}.de",
        "firstname": "Jörg",
        "lastname": f"Müller{number:03}",
        "company": f"Groß & Söhne {number:03} GmbH",
        **more,
    }


def _in_salesforce(number: int) -> dict[str, str]:
    known = _known(number)
    return {
        "Email": known["email"],
        "FirstName": known["firstname"],
        "LastName": known["lastname"],
        "Company": known["company"],
    }


def _write(house: Any, *lines: str, name: str = "messe.csv", encoding: str = "cp1252") -> Path:
    path: Path = house.folder / name
    path.write_bytes("\r\n".join([HEADER, *lines, ""]).encode(encoding))
    return path


def _campaign(house: Any, name: str = "Messe 2026") -> str:
    wanted = {"object": "Campaign", "rows": [{"Name": name}]}
    return str(house.control("salesforce", "load", wanted)["ids"][0])


@pytest.fixture
def fair(furnished: Any) -> tuple[Any, Path]:
    """400 cards: 60 known in HubSpot, 30 in Salesforce, 12 whose address two leads or somebody else have."""
    furnished.load("hubspot", *(_known(n) for n in range(60)))
    furnished.load("salesforce", *(_in_salesforce(n) for n in range(60, 90)))
    twice = [_in_salesforce(n) for n in range(90, 96)]
    furnished.load("salesforce", *twice, *twice)
    others = {"firstname": "Ute", "lastname": "Krause", "company": "Ganz Andere AG"}
    furnished.load("hubspot", *(_known(n, **others) for n in range(96, 102)))
    furnished.environ.update(CREATE_BOTH)
    furnished.environ["LEADPACT_GUARDS__MAX_CREATES"] = "1000"
    return furnished, _write(furnished, *(_card(n) for n in range(400)))


def test_a_fair_comes_in_without_duplicates_and_goes_out_by_undo(fair: tuple[Any, Path]) -> None:
    house, file = fair
    _campaign(house)
    before = {crm: set(house.records(crm)) for crm in ("hubspot", "salesforce")}
    asked = ("--json", "import", str(file), "--source", "Messe dmexco", "--campaign", "Messe 2026", *CONSENT)

    planned = house.command(*asked)
    assert planned.code == 0, planned.err
    assert {crm: set(house.records(crm)) for crm in before} == before, "a plan writes nothing"

    told = house.command(*asked, "--approve")
    people = told.document["people"]
    assert (people["new"], people["known"], people["held"]) == (NEW, KNOWN, AMBIGUOUS)
    assert told.document["targets"] == 2 * NEW + KNOWN + AMBIGUOUS
    assert told.document["held"] == AMBIGUOUS
    assert told.code == 1, "somebody became held"
    made = {crm: set(house.records(crm)) - before[crm] for crm in before}
    assert {crm: len(ids) for crm, ids in made.items()} == {"hubspot": NEW, "salesforce": NEW}
    assert told.document["members"] == NEW + 30

    addresses = [values["email"] for values in house.records("hubspot").values()]
    assert len(addresses) == len(set(addresses))
    contact = house.record("hubspot", sorted(made["hubspot"])[0])
    assert contact["leadpact_salesforce_id"] in made["salesforce"]
    assert contact["leadpact_stage"] == "lead", "a fair is expressed interest"
    assert contact["phone"].startswith("+4930")
    filled = next(iter(house.records("hubspot").values()))
    assert filled["jobtitle"] == "Leiter Einkauf"

    held = house.command("--json", "held").document["held"]
    assert sum(row["kind"] == "import" for row in held) == AMBIGUOUS

    again = house.command(*asked, "--approve").document
    assert (again["written"], again["people"]["new"], again["held"]) == (0, 0, AMBIGUOUS)
    assert again["people"]["known"] == NEW + KNOWN

    house.later(3_600)
    synced = house.command("--json", "sync", "--approve")
    assert synced.code in (0, 1), synced.err
    now = {crm: set(house.records(crm)) for crm in before}
    # Salesforce's 30 get a contact, and so does one each of the six pairs that share an address.
    assert len(now["hubspot"]) == len(before["hubspot"]) + NEW + 30 + 6

    undone = house.command("--json", "undo", str(told.document["run"]))
    assert undone.code in (0, 1), undone.err
    assert _live(house, made) == {"hubspot": set(), "salesforce": set()}


def _live(house: Any, made: dict[str, set[str]]) -> dict[str, set[str]]:
    """Those of the records that are still there, as the CRMs tell any client."""
    found: dict[str, set[str]] = {}
    with house.app() as app:
        work = app.work()
        for crm, ids in made.items():
            slabs = work.crms[crm].fetch(work.objects[crm], ("email", "Email"), sorted(ids))
            found[crm] = {
                one for slab in slabs for one in slab.frame.filter(~slab.frame["_archived"])["_id"].to_list()
            }
    return found


def test_a_saved_import_is_applied_once_and_who_moved_since_is_left(furnished: Any) -> None:
    house = furnished
    (contact,) = house.load("hubspot", _known(1))
    file = _write(house, _card(1), _card(2), name="klein.csv", encoding="utf-8-sig")
    plan = house.folder / "import.plan"
    assert house.command("import", str(file), "--source", "Messe", "--out", str(plan)).code == 0
    assert plan.stat().st_mode & 0o777 == 0o600
    house.edit("hubspot", contact, jobtitle="Geschäftsführerin")

    told = house.command("--json", "apply", str(plan))

    assert told.code == 3, "one of the two moved"
    assert house.record("hubspot", contact)["jobtitle"] == "Geschäftsführerin"
    assert len(house.records("salesforce")) == 1, "the other went where the source can be held"


def test_a_bought_address_stays_a_prospect_and_is_never_a_lead(furnished: Any) -> None:
    house = furnished
    file = _write(house, _card(1), name="liste.csv")
    told = house.command(
        "--json", "import", str(file), "--source", "Adressverlag", "--kind", "bought", "--approve"
    )
    assert told.code == 0, told.err
    house.later(3_600)
    house.command("sync", "--approve")
    (record,) = house.records("hubspot").values()
    assert record["leadpact_stage"] == "prospect"
    assert not record.get("lifecyclestage")
    assert house.records("salesforce") == {}

    lying = _write(house, _card(2), name="messe.csv")
    refused = house.command("import", str(lying), "--source", "Messeliste", "--kind", "bought", "--approve")
    assert refused.code == 2
    assert "policy.interest" in refused.err


def test_a_bad_row_is_named_with_its_line_and_the_good_ones_may_go(furnished: Any) -> None:
    house = furnished
    bad = _card(2).replace("joerg.mueller002@firma002.de", "kein at-zeichen")
    file = _write(house, _card(1), bad, "Frau;Jörg;zu wenig", _card(4).replace("31.12.2026", "bald"))
    stopped = house.command("import", str(file), "--source", "Messe", "--approve")
    assert stopped.code == 2
    for line in ("messe.csv:3", "messe.csv:4", "messe.csv:5"):
        assert line in stopped.err
    assert "kein at-zeichen" not in stopped.err, "what the cell holds is personal data"
    assert house.records("salesforce") == {}

    told = house.command("--json", "import", str(file), "--source", "Messe", "--skip-bad", "--approve")
    assert told.code == 1
    assert [one["where"] for one in told.document["left"]] == ["messe.csv:4", "messe.csv:3", "messe.csv:5"]
    assert told.document["people"]["new"] == 1


def test_consent_is_kept_with_its_words_and_shown_by_export(furnished: Any) -> None:
    house = furnished
    file = _write(house, _card(1), name="klein.csv")
    half = house.command("import", str(file), "--source", "Messe", "--consent-wording", "Ja!", "--approve")
    assert half.code == 2
    assert "without its time" in half.err

    house.command("import", str(file), "--source", "Messe", *CONSENT, "--approve")
    kept = house.command("--json", "export", "joerg.mueller001@firma001.de").document["kept"]

    (row,) = kept["imported"]
    assert row["consent_wording"] == "Ja, schicken Sie mir Angebote."
    assert row["consent_at"].startswith("2026-11-0")
    assert row["file_line"] == "klein.csv:2"


def test_a_held_row_is_given_to_a_record_or_to_somebody_new_and_the_next_import_carries_that_out(
    furnished: Any,
) -> None:
    house = furnished
    twice = house.load("salesforce", _in_salesforce(1), _in_salesforce(1))
    others = {"firstname": "Ute", "lastname": "Krause", "company": "Ganz Andere AG"}
    (ute,) = house.load("hubspot", _known(2, **others))
    file = _write(house, _card(1), _card(2), name="klein.csv")
    asked = ("--json", "import", str(file), "--source", "Messe", "--to", "salesforce", "--approve")
    assert house.command(*asked).document["people"]["held"] == 2
    rows = house.command("--json", "held").document["held"]
    number = {json.loads(row["details"])["row"]: str(row["held_id"]) for row in rows}

    assert house.command("resolve", number["klein.csv:2"], "--link", "salesforce:00Qnobody").code == 2
    linked = house.command("resolve", number["klein.csv:2"], "--link", f"salesforce:{twice[1]}")
    assert (linked.code, "next import" in linked.out) == (0, True), linked.err
    assert house.command("resolve", number["klein.csv:3"], "--separate").code == 0
    assert not [row for row in house.command("--json", "held").document["held"] if row["kind"] == "import"]

    told = house.command(*asked).document["people"]

    assert (told["held"], told["known"], told["new"]) == (0, 1, 1)
    assert house.record("salesforce", twice[1])["Title"] == "Leiter Einkauf"
    assert house.record("salesforce", twice[0])["Title"] is None
    assert house.record("hubspot", ute).get("jobtitle") is None


def test_an_import_stops_after_its_canary_where_an_automation_writes_over_it(furnished: Any) -> None:
    house = furnished
    contacts = house.load("hubspot", *(_known(number) for number in range(7)))
    sheet = read_spreadsheet(_write(house, *(_card(number) for number in range(7)), name="klein.csv"))
    meddled: list[str] = []

    def meddle(point: str) -> None:
        """A workflow of HubSpot's writes another title over what it is given."""
        if point == "after hubspot update" and not meddled:
            for contact in contacts:
                if house.record("hubspot", contact).get("jobtitle") == "Leiter Einkauf":
                    house.edit("hubspot", contact, jobtitle="Chef")
                    meddled.append(contact)

    with house.app({"LEADPACT_GUARDS__CANARY": "2"}, at_point=meddle) as app:
        work = app.work()
        columns = headings(sheet.header, {}, [*work.field_map.rules])
        cards = read_cards(sheet, columns, work.field_map, Evidence(), None)
        with pytest.raises(GuardStopped, match=r"canary.*jobtitle") as stop:
            import_people(work, cards, Source("Messe"), write=True, approve=True)

    assert len(meddled) == 2
    assert "Leiter" not in str(stop.value)
    assert sum(house.record("hubspot", contact).get("jobtitle") is None for contact in contacts) == 5
