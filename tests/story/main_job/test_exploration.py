"""A random share of the leads below the line is handed over, marked as an experiment, and counted apart."""

from __future__ import annotations

from typing import Any

from mapping.own import HANDED_BY
from sync.handover_draws import Exploring

#: Interested, to be reached, and far from hot.
COLD = {
    **{"num_conversion_events": "1", "recent_conversion_date": "2026-11-01T10:00:00Z"},
    "recent_conversion_event_name": "Whitepaper",
}
BY = ("leadpact_handed_over_by", "Leadpact_Handed_Over_By__c")
DAY = 24 * 3600
NUMBER = 40


def _on(house: Any, share: float, a_week: int = 1000, seed: int = 3) -> None:
    text = f"[handover]\nexplore_share = {share}\nexplore_seed = {seed}\nexplore_per_week = {a_week}"
    house.rewrite("leadpact.toml", "[handover]", text)


def _people(house: Any, number: int = NUMBER, **more: str) -> list[str]:
    """Leads that HubSpot alone knows; the ids of their contacts."""
    rows = [
        {"email": f"nr{one}@versand-{one}.de", "firstname": "Anna", "lastname": f"Nr{one}", **COLD, **more}
        for one in range(number)
    ]
    return list(house.load("hubspot", *rows))


def _night(house: Any) -> None:
    """What every night does: judge what is stored as of now."""
    house.run("rescore", from_memory=True, approve=True)


def _drawn(house: Any) -> set[str]:
    """The addresses of those that the ledger calls an exploration."""
    rows = house.command("--json", "handovers").document["handovers"]
    return {row["email"] for row in rows if row["handed_by"] == "exploration"}


def _by_lot(house: Any, share: float, seed: int = 3) -> set[str]:
    """The addresses of everybody stored whom the lot meets, worked out without the program's own way there."""
    lot = Exploring(share, seed)
    with house.app() as app:
        store = app.memory().store
        ids = store.leads.ids_after("", 1000)
        names = store.handovers.names(ids)
    return {names[lead] for lead in ids if lead in names and lot.place(lead) < share}


def test_without_a_share_nobody_below_the_line_is_handed_over(furnished: Any) -> None:
    house = furnished
    _people(house, 10)
    house.sync()
    _night(house)
    assert house.command("--json", "handovers").document["handovers"] == []
    assert house.records("salesforce") == {}


def test_a_share_of_them_is_handed_over_marked_in_both_crms_and_counted_apart(furnished: Any) -> None:
    house = furnished
    contacts = _people(house)
    house.sync()
    assert _drawn(house) == set()
    _on(house, 25)

    # From memory alone nobody gets a record; who was drawn is read by the next sync, and handed over.
    house.later(DAY)
    _night(house)
    assert _drawn(house) == set()
    wanted = _by_lot(house, 0.25)
    assert 3 <= len(wanted) <= 20
    planned = house.command("plan").out
    assert f"{len(wanted)} leads below the line are handed over to explore" in planned
    assert house.records("salesforce") == {}
    house.sync()

    assert _drawn(house) == wanted
    shown = {
        record["email"]: record
        for contact in contacts
        if (record := house.record("hubspot", contact)).get(BY[0])
    }
    assert set(shown) == wanted
    for record in shown.values():
        assert (record[BY[0]], record["leadpact_handover"]) == ("exploration", "open")
        assert record["leadpact_stage"] in ("lead", "nurture")
        assert record["lifecyclestage"] != "marketingqualifiedlead"
    leads = house.records("salesforce").values()
    assert {lead["Email"] for lead in leads} == wanted
    assert {lead[BY[1]] for lead in leads} == {"exploration"}

    told = house.command("--json", "handovers").document
    assert told["timing"]["handed_over"] == 0
    assert told["timing"]["explored"]["handed_over"] == len(wanted)
    assert {row["drawn_share"] for row in told["handovers"]} == {0.25}
    assert "drawn to explore below the line" in house.command("handovers").out
    events = house.explain(min(wanted))["handover"]["events"]
    assert [(one["what"], one["who"]) for one in events][:2] == [
        ("drawn", "chance"),
        ("handed_over", "policy"),
    ]
    assert events[0]["why"] == "exploration: one of 25.0 %, seed 3"
    assert "exploration, drawn below the line" in house.command("explain", min(wanted)).out

    # Neither another sync nor another night draws anybody else.
    house.later(DAY)
    _night(house)
    mark = house.mark()
    house.sync()
    assert house.wrote_nothing(mark)
    assert _drawn(house) == wanted
    assert house.command("--json", "agree").document["unexplained"] == 0


def test_the_same_plan_comes_again_and_another_seed_draws_others(furnished: Any) -> None:
    house = furnished
    _people(house)
    _on(house, 25)
    first, again = (_planned(house) for _ in range(2))
    assert first == again
    assert first
    house.rewrite("leadpact.toml", "explore_seed = 3", "explore_seed = 4")
    assert _planned(house) != first


def _planned(house: Any) -> set[str]:
    """The addresses of the Salesforce leads that a plan would make and mark."""
    changes = house.run("plan", write=False).changes
    drawn = set(changes.filter(changes["field"] == HANDED_BY.lead.name)["lead_id"])
    made = changes.filter((changes["field"] == "email") & (changes["crm"] == "salesforce"))
    return set(made.filter(made["lead_id"].is_in(drawn))["after"])


def test_the_week_has_room_for_so_many_and_the_next_one_for_as_many_more(furnished: Any) -> None:
    house = furnished
    _people(house)
    _on(house, 50, a_week=4)
    house.sync()
    first = _drawn(house)
    assert len(first) == 4
    house.later(DAY)
    _night(house)
    house.sync()
    assert _drawn(house) == first
    house.later(7 * DAY)
    _night(house)
    house.sync()
    assert len(_drawn(house)) == 8
    assert _drawn(house) > first
    told = house.command("--json", "policy", "backtest").document["warnings"]
    assert any("in 2 weeks as many leads were drawn to explore" in text for text in told)


#: Why somebody must not be drawn, by the word that their address begins with.
BARRED: dict[str, dict[str, str]] = {
    "customer": {"lifecyclestage": "customer"},
    "opportunity": {"lifecyclestage": "opportunity"},
    "no.interest": {
        "num_conversion_events": "0",
        "recent_conversion_date": "",
        "recent_conversion_event_name": "",
    },
    "no.consent": {},
    "sales.are.there": {"num_contacted_notes": "2"},
}


def test_nobody_is_drawn_who_must_not_be(furnished: Any) -> None:
    house = furnished
    ids = {}
    for number, (word, facts) in enumerate({**BARRED, "nothing": {}}.items()):
        about = {"email": f"{word}@handel-{number}.de", "lastname": f"Handel{number}"}
        (ids[word],) = _people(house, 1, **about, **facts)
    house.unsubscribe("hubspot", ids["no.consent"])
    _on(house, 50, seed=_seed_for_all(house))
    house.sync()
    assert {email.partition("@")[0] for email in _drawn(house)} == {"nothing"}


def _seed_for_all(house: Any) -> int:
    """A seed under which half of everybody means all of these few: found once they are stored."""
    house.sync()
    with house.app() as app:
        ids = app.memory().store.leads.ids_after("", 10)
    return next(seed for seed in range(1000) if all(Exploring(0.5, seed).place(lead) < 0.5 for lead in ids))


def test_whoever_is_out_of_scope_is_not_drawn(furnished: Any) -> None:
    house = furnished
    _people(house, 3)
    _on(house, 50, seed=_seed_for_all(house))
    house.rewrite("leadpact.toml", "leads = ", 'leads = "false" # ')
    _night(house)
    house.sync()
    assert _drawn(house) == set()


def test_whoever_is_not_to_be_scored_is_not_drawn(furnished: Any) -> None:
    house = furnished
    _people(house, 3)
    _on(house, 50, seed=_seed_for_all(house))
    house.environ["LEADPACT_PRIVACY__NO_SCORING"] = "email IS NOT NULL"
    house.later(DAY)
    _night(house)
    house.sync()
    assert _drawn(house) == set()
    del house.environ["LEADPACT_PRIVACY__NO_SCORING"]
    house.later(DAY)
    _night(house)
    house.sync()
    assert len(_drawn(house)) == 3


def test_sales_say_what_an_explored_lead_is_worth(furnished: Any) -> None:
    house = furnished
    _people(house, 3)
    _on(house, 50, seed=_seed_for_all(house))
    house.later(DAY)
    _night(house)
    house.sync()
    assert len(_drawn(house)) == 3
    first, second, _ = sorted(house.records("salesforce"))
    house.later(DAY)
    house.edit("salesforce", first, Leadpact_Sales_Accepted__c="true")
    house.edit(
        "salesforce", second, Leadpact_Sales_Accepted__c="false", Leadpact_Rejection_Reason__c="zu klein"
    )
    house.later(60)
    house.sync()
    rows = house.command("--json", "handovers").document["handovers"]
    assert sorted(row["state"] for row in rows) == ["accepted", "open", "rejected"]
    assert all(row["flags"] == [] for row in rows)
    document = house.command("--json", "report").document
    (section,) = [one for one in document["sections"] if one["key"] == "handover"]
    assert any("3 wurden zur Probe" in note and "1 wurden angenommen" in note for note in section["notes"])

    # Once their horizon is over they say what leads below the line are worth.
    house.later(200 * DAY)
    told = house.command("--json", "policy", "backtest").document
    below = told["below_the_line"]
    assert {name: below[name] for name in ("drawn", "open", "unworked", "leads", "outcomes")} == {
        **{"drawn": 3, "open": 0, "unworked": 1, "leads": 2, "outcomes": 0}
    }
    assert below["low"] < below["high"]
    assert told["apart"]["explored"] == 3
    assert "below the line: 3 drawn at random to explore" in house.command("policy", "backtest").out
