"""Which records a query finds, and in which shape they come back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox.salesforce import seed
from connectors.sandbox.salesforce.call import Call
from connectors.sandbox.salesforce.queries import run
from connectors.sandbox.salesforce.side import SalesforceSide
from connectors.sandbox.side import Ask

NOW = datetime(2026, 11, 18, 10, 30, tzinfo=UTC)  # a Wednesday


class Frozen:
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOW


def lead(name: str, company: str, age_days: float, **more: Any) -> dict[str, Any]:
    then = NOW - timedelta(days=age_days)
    return {"LastName": name, "Company": company, "_created": then, "_modified": then, **more}


LEADS = [
    lead("Ada", "Engines", 0.1, Email="Ada@engines.example", Rating="Hot", AnnualRevenue=1_000_000,
         NumberOfEmployees=10, HasOptedOutOfEmail=True, FirstName="Ada", OwnerId=seed.FIRST_SELLER),
    lead("Bob", "100% Pure", 1, Email="bob@pure.example", Rating="Cold", NumberOfEmployees=200,
         Status="Working - Contacted", FirstName="Robert 'Bob'", OwnerId=seed.FIRST_SELLER),
    lead("Cleo", "Müller AG", 8, Email="cleo@mueller.example", Rating="Warm", AnnualRevenue=250,
         NumberOfEmployees=0, Status="Closed - Not Converted", FirstName="Chloé", OwnerId=seed.QUEUE),
    lead("Dan", "Back\\slash_co", 20, Title="CTO\tand more", FirstName="DAN", City="Großstadt"),
    lead("Eve", "Engines", 330, Rating="Hot", AnnualRevenue=50_000, FirstName="eve", Description="long"),
]  # fmt: skip


@pytest.fixture(scope="module")
def side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SalesforceSide]:
    side = SalesforceSide(tmp_path_factory.mktemp("org"), Frozen())
    ids = side.load("Lead", LEADS)
    gone = side.load("Lead", [lead("Fay", "Gone", 2)])
    side.people({"action": "delete", "object": "Lead", "id": gone[0]})
    fair = side.load("Campaign", [{"Name": "Fair"}])[0]
    for each in ids[:2]:
        side.people(
            {"action": "create", "object": "CampaignMember", "fields": {"CampaignId": fair, "LeadId": each}}
        )
    yield side
    side.close()


def ask(side: SalesforceSide, soql: str, *, all_rows: bool = False) -> dict[str, Any]:
    call = Call(Ask("GET", "", (), {}, b""), side.org, "v66.0", "GET")
    return run(call, soql, all_rows)


def names(side: SalesforceSide, condition: str, *, all_rows: bool = False) -> str:
    soql = f"SELECT LastName FROM Lead WHERE {condition} ORDER BY LastName"
    return " ".join(each["LastName"] for each in ask(side, soql, all_rows=all_rows)["records"])


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        # Text compares without regard to case, in every script
        ("Email = 'ada@ENGINES.example'", "Ada"),
        ("FirstName = 'CHLOÉ'", "Cleo"),
        ("Company = 'MÜLLER ag'", "Cleo"),
        ("Company LIKE 'M_LLER AG'", "Cleo"),
        ("City = 'GROßSTADT'", "Dan"),
        ("City = 'Grossstadt'", ""),
        ("FirstName != 'eve'", "Ada Bob Cleo Dan"),
        ("FirstName <> 'eve'", "Ada Bob Cleo Dan"),
        ("FirstName IN ('ADA', 'dan')", "Ada Dan"),
        ("FirstName IN ('chloÉ', 'dan')", "Cleo Dan"),
        ("FirstName NOT IN ('ADA', 'dan')", "Bob Cleo Eve"),
        ("LastName > 'cleo'", "Dan Eve"),
        ("LastName >= 'cleo' AND LastName < 'EVE'", "Cleo Dan"),
        # Escapes
        (r"FirstName = 'Robert \'Bob\''", "Bob"),
        (r"Company = 'Back\\slash_co'", "Dan"),
        (r"Title = 'CTO\tand more'", "Dan"),
        (r"FirstName = 'Chlo\u00e9'", "Cleo"),
        (r"FirstName = '\"eve\"'", ""),
        # LIKE
        ("Company LIKE 'eng%'", "Ada Eve"),
        ("Company LIKE '%GINE_'", "Ada Eve"),
        ("Company LIKE '%'", "Ada Bob Cleo Dan Eve"),
        (r"Company LIKE '100\%%'", "Bob"),
        (r"Company LIKE '%\_%'", "Dan"),
        (r"Company LIKE 'back\\%'", "Dan"),
        ("Company LIKE '%ÜLL%'", "Cleo"),
        ("Email LIKE '%'", "Ada Bob Cleo"),
        ("(NOT Company LIKE 'eng%')", "Bob Cleo Dan"),
        # Empty fields: only null finds them, != passes them, and NOT turns false into true
        ("Email = null", "Dan Eve"),
        ("Email = ''", "Dan Eve"),
        ("Email != null", "Ada Bob Cleo"),
        ("Email != ''", "Ada Bob Cleo"),
        ("Email != 'bob@pure.example'", "Ada Cleo Dan Eve"),
        ("NOT Email = 'bob@pure.example'", "Ada Cleo Dan Eve"),
        ("NOT (Email = 'bob@pure.example' OR Email = null)", "Ada Cleo"),
        ("NOT (AnnualRevenue > 1000)", "Bob Cleo Dan"),
        ("Email NOT IN ('bob@pure.example')", "Ada Cleo Dan Eve"),
        ("Email IN ('bob@pure.example', null)", "Bob Dan Eve"),
        # Numbers
        ("AnnualRevenue = 250", "Cleo"),
        ("AnnualRevenue = 250.00", "Cleo"),
        ("AnnualRevenue = 2.5e2", "Cleo"),
        ("AnnualRevenue > 250", "Ada Eve"),
        ("AnnualRevenue >= 250", "Ada Cleo Eve"),
        ("AnnualRevenue != 250", "Ada Bob Dan Eve"),
        ("AnnualRevenue > -1", "Ada Cleo Eve"),
        ("AnnualRevenue = null", "Bob Dan"),
        ("NumberOfEmployees = 0", "Cleo"),
        ("NumberOfEmployees IN (10, 200)", "Ada Bob"),
        ("NumberOfEmployees <= 10", "Ada Cleo"),
        ("NumberOfEmployees < 10.5", "Ada Cleo"),
        # Booleans: null means false
        ("HasOptedOutOfEmail = TRUE", "Ada"),
        ("HasOptedOutOfEmail = false", "Bob Cleo Dan Eve"),
        ("HasOptedOutOfEmail != true", "Bob Cleo Dan Eve"),
        ("HasOptedOutOfEmail = null", "Bob Cleo Dan Eve"),
        ("HasOptedOutOfEmail != null", "Ada"),
        # Times
        ("CreatedDate > 2026-11-17T10:29:59Z", "Ada Bob"),
        ("CreatedDate >= 2026-11-17T12:30:00+02:00", "Ada Bob"),
        ("CreatedDate >= 2026-11-17T12:30:00+0200", "Ada Bob"),
        ("CreatedDate > 2026-11-17T10:30:00.000Z", "Ada"),
        ("CreatedDate = TODAY", "Ada"),
        ("CreatedDate = today", "Ada"),
        ("CreatedDate = YESTERDAY", "Bob"),
        ("CreatedDate < TODAY", "Bob Cleo Dan Eve"),
        ("CreatedDate <= TODAY", "Ada Bob Cleo Dan Eve"),
        ("CreatedDate > YESTERDAY", "Ada"),
        ("CreatedDate >= YESTERDAY", "Ada Bob"),
        ("CreatedDate != TODAY", "Bob Cleo Dan Eve"),
        ("CreatedDate = LAST_N_DAYS:1", "Ada Bob"),  # includes today
        ("CreatedDate = LAST_N_DAYS:0", "Ada"),
        ("CreatedDate = LAST_90_DAYS", "Ada Bob Cleo Dan"),
        ("CreatedDate = N_DAYS_AGO:8", "Cleo"),
        ("CreatedDate = THIS_WEEK", "Ada Bob"),  # weeks begin on Sunday
        ("CreatedDate = LAST_WEEK", "Cleo"),
        ("CreatedDate = LAST_N_WEEKS:3", "Cleo Dan"),  # does not include this week
        ("CreatedDate = N_WEEKS_AGO:1", "Cleo"),
        ("CreatedDate = THIS_MONTH", "Ada Bob Cleo"),
        ("CreatedDate = LAST_MONTH", "Dan"),
        ("CreatedDate = LAST_N_MONTHS:1", "Dan"),
        ("CreatedDate = THIS_QUARTER", "Ada Bob Cleo Dan"),
        ("CreatedDate = LAST_N_QUARTERS:4", "Eve"),
        ("CreatedDate = THIS_YEAR", "Ada Bob Cleo Dan"),
        ("CreatedDate = LAST_YEAR", "Eve"),
        ("CreatedDate = THIS_FISCAL_YEAR", "Ada Bob Cleo Dan"),
        ("CreatedDate = NEXT_N_DAYS:5", ""),
        ("CreatedDate = TOMORROW", ""),
        # Joining conditions
        ("Rating = 'Hot' AND Company = 'Engines'", "Ada Eve"),
        ("Rating = 'Hot' AND Company = 'Engines' AND FirstName = 'eve'", "Eve"),
        ("Rating = 'Warm' OR Rating = 'Cold'", "Bob Cleo"),
        ("(Rating = 'Hot' AND NumberOfEmployees = 10) OR Rating = 'Cold'", "Ada Bob"),
        ("Rating = 'Hot' AND (NumberOfEmployees = 10 OR Rating = 'Cold')", "Ada"),
        ("((Rating = 'Hot'))", "Ada Eve"),
        ("rating = 'hot' aNd company like 'E%'", "Ada Eve"),
        # Parents
        ("Owner.Name = 'sana okafor'", "Ada Bob"),
        ("Owner.Type = 'Queue'", "Cleo"),
        ("Owner.Name LIKE 'New%'", "Cleo"),
        ("CreatedBy.Alias = 'leadpact' AND Rating = 'Warm'", "Cleo"),
        ("ConvertedAccount.Name = null", "Ada Bob Cleo Dan Eve"),
        ("Lead.Rating = 'Warm'", "Cleo"),
        # Semi-joins
        ("Id IN (SELECT LeadId FROM CampaignMember)", "Ada Bob"),
        ("Id NOT IN (SELECT LeadId FROM CampaignMember)", "Cleo Dan Eve"),
        ("Id IN (SELECT LeadId FROM CampaignMember WHERE Campaign.Name = 'Fair' AND Status = 'Sent')", "Ada Bob"),
        ("OwnerId IN (SELECT Id FROM User WHERE Alias = 'sokaf') AND Rating = 'Hot'", "Ada"),
        ("OwnerId NOT IN (SELECT Id FROM User)", "Cleo"),
    ],
)  # fmt: skip
def test_a_condition_finds_the_records_that_salesforce_would_find(
    side: SalesforceSide, condition: str, found: str
) -> None:
    assert names(side, condition) == found


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("AnnualRevenue", "Bob Dan Cleo Eve Ada"),
        ("AnnualRevenue, LastName DESC", "Dan Bob Cleo Eve Ada"),
        ("AnnualRevenue NULLS LAST", "Cleo Eve Ada Bob Dan"),
        ("AnnualRevenue DESC NULLS FIRST", "Bob Dan Ada Eve Cleo"),
        ("AnnualRevenue DESC NULLS LAST", "Ada Eve Cleo Bob Dan"),
        ("FirstName ASC", "Ada Cleo Dan Eve Bob"),  # ADA, Chloé, DAN, eve, Robert: case does not matter
        ("Rating", "Dan Ada Eve Cleo Bob"),  # the setup order: Hot, Warm, Cold
        ("CreatedDate", "Eve Dan Cleo Bob Ada"),
        ("Owner.Name DESC, LastName", "Ada Bob Cleo Dan Eve"),
        ("CreatedDate DESC LIMIT 2", "Ada Bob"),
        ("CreatedDate DESC LIMIT 2 OFFSET 1", "Bob Cleo"),
        ("CreatedDate DESC LIMIT 0", ""),
        ("CreatedDate DESC OFFSET 4", "Eve"),
        ("CreatedDate DESC LIMIT 1 FOR VIEW", "Ada"),
        ("CreatedDate DESC LIMIT 1 FOR REFERENCE", "Ada"),
    ],
)
def test_records_come_in_the_order_asked_for(side: SalesforceSide, order: str, found: str) -> None:
    if order in ("AnnualRevenue", "AnnualRevenue NULLS LAST", "AnnualRevenue DESC NULLS FIRST"):
        order += ", LastName"
    if order == "AnnualRevenue DESC NULLS LAST" or order == "Rating":
        order += ", LastName"
    records = ask(side, f"SELECT LastName FROM Lead ORDER BY {order}")["records"]
    assert " ".join(each["LastName"] for each in records) == found


@pytest.mark.parametrize(
    ("soql", "rows"),
    [
        ("SELECT COUNT(Id) FROM Lead", [{"expr0": 5}]),
        ("SELECT COUNT(Id) n FROM Lead WHERE Rating = 'Hot'", [{"n": 2}]),
        ("SELECT COUNT(Email), COUNT(Id) FROM Lead", [{"expr0": 3, "expr1": 5}]),
        ("SELECT COUNT_DISTINCT(Company) c FROM Lead", [{"c": 4}]),
        ("SELECT MIN(AnnualRevenue) lo, MAX(AnnualRevenue) hi FROM Lead", [{"lo": 250.0, "hi": 1_000_000.0}]),
        ("SELECT SUM(NumberOfEmployees) s, AVG(NumberOfEmployees) a FROM Lead", [{"s": 210, "a": 70.0}]),
        ("SELECT MAX(CreatedDate) m FROM Lead", [{"m": "2026-11-18T08:06:00.000+0000"}]),
        (
            "SELECT Rating, COUNT(Id) n FROM Lead GROUP BY Rating ORDER BY COUNT(Id) DESC, Rating",
            [
                {"Rating": "Hot", "n": 2},
                {"Rating": None, "n": 1},
                {"Rating": "Warm", "n": 1},
                {"Rating": "Cold", "n": 1},
            ],
        ),
        ("SELECT Rating FROM Lead WHERE Rating != null GROUP BY Rating LIMIT 0", []),
        ("SELECT Company c, COUNT(Id) FROM Lead GROUP BY Company HAVING COUNT(Id) > 1", [{"c": "Engines", "expr0": 2}]),
        (
            "SELECT CALENDAR_YEAR(CreatedDate) y, COUNT(Id) n FROM Lead GROUP BY CALENDAR_YEAR(CreatedDate) "
            "ORDER BY CALENDAR_YEAR(CreatedDate)",
            [{"y": 2025, "n": 1}, {"y": 2026, "n": 4}],
        ),
        (
            "SELECT Owner.Name, COUNT(Id) n FROM Lead GROUP BY Owner.Name ORDER BY Owner.Name LIMIT 1",
            [{"Name": "Leadpact Integration", "n": 2}],
        ),
    ],
)  # fmt: skip
def test_aggregates_come_back_under_their_alias_or_a_number(
    side: SalesforceSide, soql: str, rows: list[dict[str, Any]]
) -> None:
    wanted = [{"attributes": {"type": "AggregateResult"}, **row} for row in rows]
    assert ask(side, soql) == {"totalSize": len(rows), "done": True, "records": wanted}


@pytest.mark.parametrize(
    ("soql", "total"),
    [
        ("SELECT COUNT() FROM Lead", 5),
        ("select count() from lead where rating = 'Hot'", 2),
        ("SELECT COUNT() FROM Lead LIMIT 3", 3),
        ("SELECT COUNT() FROM Opportunity", 0),
        ("SELECT COUNT() FROM Group WHERE Type = 'Queue'", 1),
        ("SELECT COUNT() FROM LeadStatus WHERE IsConverted = true", 1),
        ("SELECT COUNT() FROM User WHERE IsActive = true", 4),
    ],
)
def test_a_bare_count_is_the_size_of_an_empty_answer(side: SalesforceSide, soql: str, total: int) -> None:
    assert ask(side, soql) == {"totalSize": total, "done": True, "records": []}


def test_names_come_back_as_declared_whatever_their_case_in_the_query(side: SalesforceSide) -> None:
    record = ask(
        side, "sElEcT lastNAME, owner.name, toLabel(rating) FROM lead l WHERE l.email = 'ada@engines.example'"
    )
    url = f"/services/data/v66.0/sobjects/User/{seed.FIRST_SELLER}"
    owner = {"attributes": {"type": "Name", "url": url}, "Name": "Sana Okafor"}
    found = record["records"][0]
    assert found.pop("attributes")["type"] == "Lead"
    assert found == {"LastName": "Ada", "Owner": owner, "Rating": "Hot"}


def test_an_empty_parent_is_null_and_not_an_object_of_nulls(side: SalesforceSide) -> None:
    found = ask(side, "SELECT ConvertedContact.Account.Name, MasterRecord.Name FROM Lead LIMIT 1")["records"][
        0
    ]
    assert (found["ConvertedContact"], found["MasterRecord"]) == (None, None)


def test_parents_of_parents_nest(side: SalesforceSide) -> None:
    soql = "SELECT Lead.Owner.Name, Lead.CreatedBy.Manager.Name, Campaign.Name FROM CampaignMember ORDER BY Id LIMIT 1"
    found = ask(side, soql)["records"][0]
    assert found["Lead"]["Owner"]["Name"] == "Sana Okafor"
    assert found["Lead"]["CreatedBy"]["Manager"] is None
    assert found["Campaign"]["Name"] == "Fair"


def test_only_query_all_sees_the_recycle_bin(side: SalesforceSide) -> None:
    assert names(side, "IsDeleted = true") == ""
    assert names(side, "IsDeleted = true", all_rows=True) == "Fay"
    assert names(side, "Company LIKE '%'", all_rows=True) == "Ada Bob Cleo Dan Eve Fay"


@pytest.mark.parametrize(
    ("which", "has", "lacks"), [("STANDARD", "Email", "X__c"), ("ALL", "Description", "X__c")]
)
def test_fields_stands_for_every_field_of_its_kind(
    side: SalesforceSide, which: str, has: str, lacks: str
) -> None:
    record = ask(side, f"SELECT FIELDS({which}) FROM Lead LIMIT 1")["records"][0]
    assert has in record
    assert lacks not in record
    assert "Id" in record


def test_a_15_character_id_finds_the_record_of_its_18_characters(side: SalesforceSide) -> None:
    whole = ask(side, "SELECT Id FROM Lead WHERE LastName = 'Ada'")["records"][0]["Id"]
    assert names(side, f"Id = '{whole[:15]}'") == "Ada"
    assert names(side, f"Id IN ('{whole[:15]}', '{whole}')") == "Ada"


def test_mine_is_what_the_integration_user_owns(side: SalesforceSide) -> None:
    records = ask(side, "SELECT LastName FROM Lead USING SCOPE mine ORDER BY LastName")["records"]
    assert [each["LastName"] for each in records] == ["Dan", "Eve"]


def test_a_keyset_page_goes_on_after_the_last_id_of_the_same_second(
    side: SalesforceSide, tmp_path: Path
) -> None:
    org = SalesforceSide(tmp_path, Frozen())
    ids = org.load("Lead", [lead(f"L{n}", "Same second", 1) for n in range(10)])
    stamp = "2026-11-17T10:30:00Z"
    soql = (
        f"SELECT Id FROM Lead WHERE (SystemModstamp = {stamp} AND Id > '{ids[3]}') OR SystemModstamp > {stamp} "
        "ORDER BY SystemModstamp, Id LIMIT 4"
    )
    assert [each["Id"] for each in ask(org, soql)["records"]] == ids[4:8]
    org.close()
