"""Who gets a lead: the turns of a route in both CRMs, somebody who leaves, two workers, and runs that die."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl
import pytest

from sync.run import Asked, perform
from sync.store.routing import ROUTED

HOT = {
    **{
        "industry": "RETAIL",
        "annualrevenue": "40000000",
        "jobtitle": "Head of Marketing",
        "country": "Germany",
    },
    **{"num_conversion_events": "3", "recent_conversion_date": "2026-11-19T10:00:00Z"},
    **{"hs_analytics_num_visits": "7", "hs_analytics_last_visit_timestamp": "2026-11-19T08:00:00Z"},
}
SANA = "sana.okafor@leadpact-sandbox.example"
MATEO = "mateo.lindqvist@leadpact-sandbox.example"
INES = "ines.takahashi@leadpact-sandbox.example"
INTEGRATION = "integration@leadpact-sandbox.example"
SVEN = "76500002"  #: Sana in HubSpot, which knows her by another address
QUEUE = "a queue"
ROUTES = f"""escalate_to = "{INES}"

[handover.same_owner]
"sven.sales@leadpact.example" = "{SANA}"

[[handover.routes]]
name = "Key accounts"
accounts = "shop-key.example"
to = "{INES}"

[[handover.routes]]
name = "Germany"
countries = "DE"
to = ["{SANA}", {{ owner = "{MATEO}", capacity = 50 }}]

[locale]"""


class Sales:
    """The house, by who has which lead."""

    def __init__(self, house: Any) -> None:
        self.house = house
        users = house.look("salesforce", "state", object="User", limit="100")["records"]
        self.ids = {row["Email"]: row["Id"] for row in users}
        self.names = {row["Id"]: row["Email"] for row in users}
        self.records: dict[str, tuple[str, str]] = {}

    def lead(self, *names: str, **salesforce: Any) -> None:
        """Hot leads in both CRMs."""
        for name in names:
            email = f"{name}@shop-{name}.example"
            self.records[name] = self.house.couple(email, hubspot=HOT, salesforce=salesforce)

    def owner(self, name: str) -> str:
        """Who has a lead in Salesforce."""
        return str(self.names.get(self.house.record("salesforce", self.records[name][1])["OwnerId"], QUEUE))

    def owners(self) -> dict[str, str]:
        return {name: self.owner(name) for name in self.records}

    def in_hubspot(self, name: str) -> str | None:
        return self.house.record("hubspot", self.records[name][0]).get("hubspot_owner_id") or None

    def tasks(self) -> list[tuple[str, str]]:
        """(lead, whose task) of every task, in order."""
        rows = self.house.look("salesforce", "state", object="Task", limit="100")["records"]
        leads = {lead: name for name, (_, lead) in self.records.items()}
        return sorted((leads[row["WhoId"]], self.names[row["OwnerId"]]) for row in rows)

    def ledger(self, name: str) -> dict[str, Any]:
        """What ``explain`` tells of the handover."""
        return dict(self.house.explain(f"{name}@shop-{name}.example")["handover"])


@pytest.fixture
def sales(furnished: Any) -> Sales:
    furnished.rewrite("leadpact.toml", "\n[locale]", ROUTES)
    return Sales(furnished)


def test_a_lead_goes_to_who_is_next_and_stays_with_whom_a_person_chose(
    sales: Sales, mail_server: Callable[..., Any]
) -> None:
    house, mails = sales.house, mail_server()
    notify = (
        f'smtp_host = "127.0.0.1"\nsmtp_port = {mails.port}\nencryption = "none"\nsender = "us@example.com"'
    )
    house.rewrite("leadpact.toml", "\n[locale]", f"\n[notify]\n{notify}\n\n[locale]")
    sales.lead("one", "two", "key")
    sales.lead("queued", OwnerId=_queue(house))
    sales.lead("hers", OwnerId=sales.ids[INES])
    house.sync()
    first = sales.owners()
    assert (first["key"], first["hers"]) == (INES, INES)
    turns = Counter(first[name] for name in ("one", "two", "queued"))
    assert set(turns) == {SANA, MATEO}
    assert sales.tasks() == sorted(first.items())
    assert Counter(str(mail["To"]) for mail in mails.taken) == Counter(first.values())
    for task in house.look("salesforce", "state", object="Task", limit="10")["records"]:
        assert task["ActivityDate"] == "2026-11-20"
        assert f"/{task['WhoId']}\n" in task["Description"]
        assert "12:00" in task["Subject"]
    for name, owner in first.items():
        assert (sales.in_hubspot(name) == SVEN) == (owner == SANA)
    house.later(60)
    mark = house.mark()
    house.sync()
    assert house.wrote_nothing(mark)
    assert house.command("check").code == 0

    mails.taken.clear()
    _is_told_before_the_time_is_up(sales)
    assert {str(mail["To"]) for mail in mails.taken} == {INES}
    due = sales.ledger("one")["cycles"][0]["due_at"]
    _a_person_decides(sales, next(name for name, owner in first.items() if owner == SANA))
    _mateo_leaves(sales, [name for name, owner in first.items() if owner == MATEO])
    assert sales.ledger("one")["cycles"][0]["due_at"] == due
    assert house.command("--json", "agree").document["unexplained"] == 0


def _queue(house: Any) -> str:
    (queue,) = house.look("salesforce", "state", object="Group", limit="10")["records"]
    return str(queue["Id"])


def _is_told_before_the_time_is_up(sales: Sales) -> None:
    """Escalated once, to the person whom the config names; who is the owner has a task already."""
    sales.house.later(95 * 60)
    sales.house.sync()
    before = [name for name, owner in sales.owners().items() if owner != INES]
    tasks = sales.tasks()
    assert [name for name, owner in tasks if owner == INES] == sorted([*before, "hers", "key"])
    sales.house.later(60)
    sales.house.sync()
    assert sales.tasks() == tasks
    events = [event["what"] for event in sales.ledger("one")["events"]]
    assert events == ["qualified", "handed_over", "routed", "told", "escalated", "told"]


def _a_person_decides(sales: Sales, name: str) -> None:
    """Nobody takes back a lead that a person gave to somebody."""
    sales.house.edit("salesforce", sales.records[name][1], OwnerId=sales.ids[INES])
    for _ in range(2):
        sales.house.later(60)
        sales.house.sync()
        assert sales.owner(name) == INES
    ledger = sales.ledger(name)
    assert ledger["cycles"][0]["owner"] == INES
    assert "owner_changed" in [event["what"] for event in ledger["events"]]


def _mateo_leaves(sales: Sales, his: list[str]) -> None:
    """Salesforce refuses somebody who left; then everybody is read again, and their leads go to whoever is next."""
    house = sales.house
    wanted = {"object": "User", "id": sales.ids[MATEO], "fields": {"IsActive": False}}
    house.control("salesforce", "people", {"action": "edit", **wanted})
    sales.lead("late", "later")
    house.later(600)
    assert house.sync().numbers.refused == 1
    house.later(60)
    assert house.sync().numbers.refused == 0
    assert his
    assert {sales.owner(name) for name in (*his, "late", "later")} == {SANA}
    assert MATEO not in [owner for _, owner in sales.tasks()]
    (problem,) = [
        one for one in house.command("--json", "check").document["problems"] if MATEO in one["problem"]
    ]
    assert problem["where"].startswith("leadpact.toml:")


@pytest.mark.parametrize("point", ["after intents", "after tasks"])
def test_a_run_that_dies_gives_nothing_away_twice(sales: Sales, point: str) -> None:
    house = sales.house
    sales.lead("one", "two", "three")

    class Died(Exception):
        """The process is gone."""

    def stop(at: str) -> None:
        if at == point:
            raise Died

    with house.app(at_point=stop) as app, pytest.raises(Died):
        perform(app.work(), Asked("sync", approve=True))
    dead = sales.owners()
    house.later(1000)
    house.sync()
    owners = sales.owners()
    assert sorted(Counter(owners.values()).values()) == [1, 2]
    assert sales.tasks() == sorted(owners.items())
    if point == "after tasks":
        assert owners == dead
    with house.app() as app:
        given = app.memory().store.routing
        for name in sales.records:
            (lead,) = app.store.leads.named(f"{name}@shop-{name}.example")
            (row,) = given.of_lead(lead)
            assert (row["owner"], row["settled"]) == (owners[name], True)
    if point == "after intents":
        _is_taken_back(sales)
    else:
        _late_leads_go_to_somebody_else(sales)


def _late_leads_go_to_somebody_else(sales: Sales) -> None:
    """One sync finds them late, the next gives them away; the promise stays, and the new owner has a time too."""
    house, before = sales.house, sales.owners()
    house.rewrite("leadpact.toml", 'when_overdue = "keep"', 'when_overdue = "reassign"')
    due = sales.ledger("one")["cycles"][0]["due_at"]
    house.later(2 * 3600)
    for _ in range(3):
        house.sync()
        house.later(60)
    after = sales.owners()
    assert all({before[name], after[name]} == {SANA, MATEO} for name in before)
    assert sales.tasks() == sorted(after.items())
    cycle = sales.ledger("one")["cycles"][0]
    assert (cycle["state"], cycle["reassigned"], cycle["due_at"]) == ("reassigned", 1, due)
    assert cycle["owner_due_at"] > due


def _is_taken_back(sales: Sales) -> None:
    """An undo gives both CRMs' owners back, and nobody gives the leads away again."""
    house = sales.house
    (run,) = (one["run"] for one in house.command("--json", "runs").document["runs"] if one["written"])
    assert house.command("undo", str(run)).code == 0
    for _ in range(2):
        assert set(sales.owners().values()) == {INTEGRATION}
        assert {sales.in_hubspot(name) for name in sales.records} == {None}
        house.later(60)
        house.sync()


def test_three_workers_share_the_turns_and_the_leads(sales: Sales) -> None:
    """The records are made with their owner."""
    house = sales.house
    house.sync()
    known = {"firstname": "Anna", "lastname": "Sommer", "company": "Sommer Versand GmbH", **HOT}
    rows = [{"email": f"lead{number}@shop-lead{number}.example", **known} for number in range(6)]
    contacts = house.load("hubspot", *rows)

    def work(names: list[str]) -> None:
        with house.app() as app:
            perform(app.work(), Asked("sync", names={"hubspot": names}))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, [contacts[:4], contacts[2:], contacts]))
    house.later(1000)
    house.sync()
    with house.app() as app:
        routing = app.memory().store.routing
        stale = routing.standing().version - 1
        given = pl.DataFrame([dict.fromkeys(ROUTED)], schema=dict(ROUTED))
        assert not routing.reserve(given, {}, stale, 1, app.clock())
    made = house.records("salesforce").values()
    assert Counter(sales.names[row["OwnerId"]] for row in made) == {SANA: 3, MATEO: 3}
    sales.records = {row["Email"]: ("", row["Id"]) for row in made}
    assert sales.tasks() == sorted((row["Email"], sales.names[row["OwnerId"]]) for row in made)
    _a_plan_of_many_slices_is_applied_as_it_is(sales)


def _a_plan_of_many_slices_is_applied_as_it_is(sales: Sales) -> None:
    house, known = sales.house, set(sales.house.records("salesforce"))
    person = {"firstname": "Ben", "lastname": "Winter", "company": "Winter Versand GmbH", **HOT}
    house.load(
        "hubspot", *({"email": f"new{number}@shop-new{number}.example", **person} for number in range(4))
    )
    plan = str(house.folder / "plan.json")
    sliced = {"LEADPACT_SYNC__SLICE_LEADS": "1"}
    planned = house.command("--json", "plan", "--out", plan, environ=sliced).document["changes"]
    owners = [change["after"] for change in planned if change["field"] == "owner_in_salesforce"]
    assert Counter(sales.names[owner] for owner in owners) == {SANA: 2, MATEO: 2}
    assert house.command("apply", plan, environ=sliced).code == 0
    made = [row for number, row in house.records("salesforce").items() if number not in known]
    assert sorted(row["OwnerId"] for row in made) == sorted(owners)
