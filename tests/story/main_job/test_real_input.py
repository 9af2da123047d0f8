"""The walk-through on real rows, through the command line: two tables that differ, two CRMs that agree.

AdventureWorks' prospective buyers and resellers stand in both pretend CRMs, about 60 % of them in both, with
typing errors and conflicting edits, the rest in one. Everything is drawn from a seed.
"""

from __future__ import annotations

import csv
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from connectors.sandbox.detached import attach
from connectors.sandbox.folder import serving_alone
from sync.app import data_folder, opened
from sync.initdir import write_config
from sync.settings import load_settings
from sync.store.embedded import EmbeddedServer

pytestmark = pytest.mark.shared

SEED = 4711
NOW = "2026-11-20T09:00:00+00:00"
HUBSPOT = {
    "EmailAddress": "email",
    "FirstName": "firstname",
    "LastName": "lastname",
    "Occupation": "jobtitle",
    "Company": "company",
    "Phone": "phone",
    "Street": "address",
    "City": "city",
    "PostalCode": "zip",
    "Country": "country",
    "AnnualRevenue": "annualrevenue",
}
SALESFORCE = {
    "EmailAddress": "Email",
    "FirstName": "FirstName",
    "LastName": "LastName",
    "Occupation": "Title",
    "Company": "Company",
    "Phone": "Phone",
    "Street": "Street",
    "City": "City",
    "PostalCode": "PostalCode",
    "Country": "Country",
    "AnnualRevenue": "AnnualRevenue",
}
STAND_IN = "[unbekannt]"

Row = dict[str, str]


@dataclass
class Walk:
    """What the walk-through came to: who was loaded where, and what every command said."""

    house: Any
    hubspot: list[tuple[int, Row]]  #: (person, row) in the order in which they were loaded
    salesforce: list[tuple[int, Row]]
    told: dict[str, Any] = field(default_factory=dict)  #: step to what was said
    requests_after_apply: dict[str, int] = field(default_factory=dict)

    def people_of(self, crm: str) -> dict[str, int]:
        """Record id to person: both CRMs give ids in the order of the rows."""
        rows = self.hubspot if crm == "hubspot" else self.salesforce
        ids = list(self.house.records(crm))[: len(rows)]
        return dict(zip(ids, (person for person, _ in rows), strict=True))

    @property
    def in_both(self) -> set[int]:
        return {person for person, _ in self.hubspot} & {person for person, _ in self.salesforce}


def _people(folder: Path) -> list[Row]:
    """Buyers and resellers as rows of one table, the resellers with their geography."""
    geography = {row["GeographyKey"]: row for row in _read(folder / "DimGeography.csv")}
    states = {row["StateProvinceCode"]: row["EnglishCountryRegionName"] for row in geography.values()}
    buyers = [
        {
            **{
                name: row[name]
                for name in ("EmailAddress", "FirstName", "LastName", "Occupation", "Phone", "City")
            },
            "Street": row["AddressLine1"],
            "PostalCode": row["PostalCode"],
            "Country": states.get(row["StateProvinceCode"], ""),
        }
        for row in _read(folder / "ProspectiveBuyer.csv")
    ]
    for row in buyers:
        if "." not in row["EmailAddress"].partition("@")[2]:
            # Some rows have an address that no CRM takes: consolidatedmessenger without its ending.
            row["EmailAddress"] += ".com"
    return buyers + [
        _reseller(row, geography[row["GeographyKey"]]) for row in _read(folder / "DimReseller.csv")
    ]


def _reseller(row: Row, place: Row) -> Row:
    """A company without a person: its mailbox, and the name of nobody."""
    mailbox = "".join(letter for letter in row["ResellerName"].lower() if letter.isalnum())
    return {
        "EmailAddress": f"info@{mailbox}-{row['ResellerKey']}.com",
        "FirstName": "",
        "LastName": "Purchasing",
        "Occupation": row["BusinessType"],
        "Phone": row["Phone"],
        "Company": row["ResellerName"],
        "Street": row["AddressLine1"],
        "City": place["City"],
        "PostalCode": place["PostalCode"],
        "Country": place["EnglishCountryRegionName"],
        "AnnualRevenue": row["AnnualRevenue"],
    }


def _read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [dict(row) for row in csv.DictReader(file)]


def _spread(people: list[Row]) -> tuple[list[tuple[int, Row]], list[tuple[int, Row]]]:
    """Each person into both CRMs or one. HubSpot keeps an address once, so a second owner is Salesforce's."""
    chance = random.Random(SEED)
    hubspot: list[tuple[int, Row]] = []
    salesforce: list[tuple[int, Row]] = []
    taken: set[str] = set()
    for person, row in enumerate(people):
        drawn = chance.random()
        address = row["EmailAddress"].casefold()
        if drawn < 0.8 and address not in taken:
            taken.add(address)
            hubspot.append((person, _as_marketing_has_it(row, chance)))
        elif drawn < 0.8:
            drawn = 1.0
        if drawn < 0.6 or drawn >= 0.8:
            salesforce.append((person, _as_sales_have_it(row, chance)))
    return hubspot, salesforce


def _as_marketing_has_it(row: Row, chance: random.Random) -> Row:
    """One letter swapped in some last names, addresses in capitals, blanks around values."""
    mine = dict(row)
    name = mine["LastName"]
    if chance.random() < 0.15 and len(name) >= 7 and mine["FirstName"]:
        place = chance.randrange(2, len(name) - 2)
        mine["LastName"] = name[:place] + name[place + 1] + name[place] + name[place + 2 :]
    if chance.random() < 0.1:
        mine["EmailAddress"] = mine["EmailAddress"].upper()
    if chance.random() < 0.1:
        mine["City"] = f" {mine['City']}  "
    return mine


def _as_sales_have_it(row: Row, chance: random.Random) -> Row:
    """Other titles, corrected towns, missing telephones; a company, because Salesforce demands one."""
    mine = {**row, "Company": row.get("Company") or STAND_IN}
    if chance.random() < 0.12:
        mine["Occupation"] = f"Senior {mine['Occupation']}"
    if chance.random() < 0.08:
        mine["City"] = f"{mine['City']} West"
    if chance.random() < 0.1:
        mine["Phone"] = ""
    return mine


def _write(path: Path, rows: list[tuple[int, Row]], mapping: dict[str, str]) -> str:
    """A CSV with the source's own headings; returns the ``--map`` for it."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(mapping), extrasaction="ignore")
        writer.writeheader()
        writer.writerows(row for _, row in rows)
    return ",".join(f"{column}={name}" for column, name in mapping.items())


@contextmanager
def _gone_at_the_end(sandbox: Path) -> Iterator[None]:
    """A server ends a moment after its last user: until then it writes into a folder that is going to be removed."""
    yield
    with serving_alone(sandbox, 60):
        return


@pytest.fixture(scope="module")
def walk(shared_data: Path, house_in: Any, forks: Any) -> Iterator[Walk]:
    """The whole walk-through, once: load, check, setup, plan, apply, agree, sync.

    ``apply`` ends with 1: a few people share an address and look alike, so they are held for a person.
    """
    people = _people(shared_data / "adventureworks")
    hubspot, salesforce = _spread(people)
    with tempfile.TemporaryDirectory(prefix="leadpact-walk-") as name:
        folder = Path(name) / "try"
        write_config(folder)
        with _gone_at_the_end(folder / "sandbox"), attach(folder / "sandbox") as crms:
            house = house_in(folder, crms)
            house.forks = forks
            walk = Walk(house, hubspot, salesforce)
            _configure(house)
            requests.post(f"{crms.hubspot_url}/_sandbox/clock", json={"now": NOW}, timeout=60)
            # Kept running, so that no command has to start and stop it.
            with closing(EmbeddedServer(data_folder(load_settings(house.config, {})) / "postgresql")):
                _carry_out(walk, folder)
                yield walk


def _configure(house: Any) -> None:
    """What a person changes in the config of ``init``: pretend CRMs, everybody in scope, room for the creates."""
    house.rewrite("leadpact.toml", 'mode = "observe"', 'mode = "full"')
    house.rewrite("leadpact.toml", "leads = ", "# leads = ")
    text = house.config.read_text(encoding="utf-8")
    house.config.write_text(text + '\n[sandbox]\ndir = "sandbox"\n', encoding="utf-8")


def _carry_out(walk: Walk, folder: Path) -> None:
    house = walk.house
    contacts, leads, plan = (str(folder / name) for name in ("contacts.csv", "leads.csv", "first.plan"))
    columns = _write(folder / "contacts.csv", walk.hubspot, HUBSPOT)
    fields = _write(folder / "leads.csv", walk.salesforce, SALESFORCE)
    steps: list[tuple[str, tuple[str, ...]]] = [
        ("load contacts", ("sandbox", "load", "hubspot", contacts, "--map", columns)),
        ("load leads", ("sandbox", "load", "salesforce", leads, "--map", fields)),
        ("check before", ("check",)),
        ("setup", ("setup", "--apply")),
        ("check", ("check",)),
        ("plan", ("plan", "--out", plan)),
        ("apply", ("apply", plan)),
        ("agree", ("agree",)),
    ]
    for step, arguments in steps:
        walk.told[step] = house.process("--json", *arguments)
    walk.requests_after_apply = house.mark()
    walk.told["sync"] = house.process("--json", "sync")


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ("load contacts", 0), ("load leads", 0), ("check before", 1), ("setup", 0), ("check", 0),
        ("plan", 0), ("apply", 1), ("agree", 0), ("sync", 0),
    ],
)  # fmt: skip
def test_every_step_ends_as_the_walk_through_says(walk: Walk, step: str, code: int) -> None:
    told = walk.told[step]
    assert told.code == code, told.err + told.out[-2000:]
    assert told.document is not None


def test_the_four_numbers_add_up_in_every_run(walk: Walk) -> None:
    assert len(walk.house.runs) == 3
    for numbers in walk.house.runs:
        parts = sum(numbers[name] for name in ("written", "unchanged", "held", "refused"))
        assert parts == numbers["targets"]


def test_about_sixty_per_cent_of_the_people_are_in_both_crms(walk: Walk) -> None:
    everybody = {person for person, _ in walk.hubspot} | {person for person, _ in walk.salesforce}
    assert 2_700 < len(everybody) == 2_760
    assert 0.55 < len(walk.in_both) / len(everybody) < 0.62


def test_the_plan_says_what_apply_then_does(walk: Walk) -> None:
    planned, done = walk.told["plan"].document, walk.told["apply"].document
    for name in ("targets", "written", "unchanged", "held"):
        assert planned[name] == done[name], name
    assert done["refused"] == 0
    assert done["held"] == len(walk.house.command("--json", "held").document["held"]) > 0
    assert done["written"] > 2_700


def test_both_crms_agree_about_every_linked_lead(walk: Walk) -> None:
    agreed = walk.told["agree"].document
    assert agreed["unexplained"] == 0
    assert agreed["agreed"] + sum(agreed["explained"].values()) == agreed["linked"]
    assert agreed["agreed"] >= 0.99 * agreed["linked"]


def test_the_second_sync_writes_nothing_by_the_request_logs(walk: Walk) -> None:
    writes = walk.house.writes(walk.requests_after_apply)
    assert walk.told["sync"].document["written"] == 0
    assert writes == {"hubspot": [], "salesforce": []}


def _linked(walk: Walk) -> list[tuple[int, int]]:
    """The person behind the HubSpot record and the one behind the Salesforce record of every linked lead."""
    with opened(load_settings(walk.house.config, {})) as app:
        leads = app.memory().store.leads
        links = leads.links_of_leads(leads.ids_after("", 100_000)).rows(named=True)
    people = {crm: walk.people_of(crm) for crm in ("hubspot", "salesforce")}
    by_lead: dict[str, dict[str, int]] = {}
    for row in links:
        found = people[row["crm"]].get(row["record_id"])
        if found is not None:
            by_lead.setdefault(row["lead_id"], {})[row["crm"]] = found
    return [(pair["hubspot"], pair["salesforce"]) for pair in by_lead.values() if len(pair) == 2]


def test_nobody_is_paired_with_another_person_and_nearly_everybody_with_themselves(walk: Walk) -> None:
    pairs = _linked(walk)
    wrong = [pair for pair in pairs if pair[0] != pair[1]]
    rows = dict(walk.salesforce)
    unlike = [
        (dict(walk.hubspot)[left], rows[right])
        for left, right in wrong
        if _name(dict(walk.hubspot)[left]) != _name(rows[right])
    ]
    assert unlike == []
    assert len(pairs) - len(wrong) >= 0.97 * len(walk.in_both)


def _name(row: Row) -> str:
    return f"{row['FirstName']} {row['LastName']}".casefold()


def test_two_people_who_share_an_address_and_not_a_name_stay_two(walk: Walk) -> None:
    owners = Counter(row["EmailAddress"].casefold() for _, row in walk.salesforce)
    by_address = {row["EmailAddress"].casefold(): (person, row) for person, row in walk.hubspot}
    shared = [
        (by_address[address][0], person)
        for person, row in walk.salesforce
        if (address := row["EmailAddress"].casefold()) in by_address
        and by_address[address][0] != person
        and _name(by_address[address][1])[:3] != _name(row)[:3]
    ]
    assert len(shared) > 20, "the rows hold people who share an address"
    assert not set(shared) & set(_linked(walk))
    assert max(owners.values()) > 1


def _explained(walk: Walk, key: str) -> Any:
    return walk.house.explain(key)


def _conflicted(walk: Walk) -> tuple[str, Row, Row]:
    """Somebody in both CRMs whose title differs, and whose address is nobody else's."""
    owners = Counter(row["EmailAddress"].casefold() for _, row in walk.salesforce)
    theirs = dict(walk.salesforce)
    for person, row in walk.hubspot:
        other = theirs.get(person)
        address = row["EmailAddress"].casefold()
        if other and owners[address] == 1 and other["Occupation"] != row["Occupation"] and row["FirstName"]:
            return address, row, other
    raise AssertionError("no conflict was drawn")


def test_three_different_leads_are_explained_and_their_points_add_up(walk: Walk) -> None:
    alone = next(row for person, row in walk.hubspot if person not in walk.in_both)
    reseller = next(row for person, row in walk.hubspot if person in walk.in_both and not row["FirstName"])
    keys = [_conflicted(walk)[0], alone["EmailAddress"].casefold(), reseller["EmailAddress"].casefold()]

    told = [_explained(walk, key) for key in keys]

    assert len({one["lead"] for one in told}) == 3
    for one in told:
        score = one["score"]
        assert sum(point["points"] for point in one["points"]) == score["total"]
        assert score["fit"] + score["engagement"] == score["total"]
        assert one["stage"] == "prospect", "nobody here has shown interest"
        assert one["history"]
    assert [len(one["records"]) for one in told] == [2, 1, 2]


def test_a_conflict_of_titles_is_explained_with_winner_loser_times_and_rule(walk: Walk) -> None:
    address, marketing, sales = _conflicted(walk)

    told = _explained(walk, address)

    (conflict,) = (one for one in told["conflicts"] if one["field"] == "job_title")
    assert (conflict["winner"], conflict["rule"]) == ("salesforce", "salesforce")
    assert conflict["hubspot_value"] == marketing["Occupation"]
    assert conflict["salesforce_value"] == sales["Occupation"]
    assert conflict["hubspot_at"].startswith("2026-11-20")
    assert conflict["salesforce_at"].startswith("2026-11-20")
    record = next(one["record"] for one in told["records"] if one["crm"] == "hubspot")
    assert walk.house.record("hubspot", record)["jobtitle"] == sales["Occupation"]
