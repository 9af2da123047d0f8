"""Time alone makes a lead ready for sales: it gets an owner in the same night, and nobody's own choice is undone."""

from __future__ import annotations

from typing import Any

import requests

from sync.jobs_kinds import Given, do

SANA = "sana.okafor@leadpact-sandbox.example"
INES = "ines.takahashi@leadpact-sandbox.example"
HOT = {
    **{"industry": "RETAIL", "annualrevenue": "40000000", "jobtitle": "Head of Marketing"},
    **{"num_conversion_events": "3", "recent_conversion_date": "2026-11-19T10:00:00Z", "country": "Germany"},
    **{"hs_analytics_num_visits": "7", "hs_analytics_last_visit_timestamp": "2026-11-19T08:00:00Z"},
}
ROUTES = f"""
[[handover.routes]]
name = "Everybody"
to = "{SANA}"

[locale]"""
#: Nobody is called in the first days after a form: a gate that opens by age alone.
LET_THEM_READ = """[[policy.gates]]
stage = "mql"
name = "Had time to read"
when = "last_form_at_days >= 4"

[[policy.gates]]
stage = "mql"
name = "Reachable"
"""
FOUR_DAYS = 4 * 24 * 3600


def test_a_lead_that_age_alone_hands_over_gets_its_owner_in_the_same_rescore(furnished: Any) -> None:
    house = furnished
    house.rewrite("leadpact.toml", "\n[locale]", ROUTES)
    house.rewrite("policy.toml", '[[policy.gates]]\nstage = "mql"\nname = "Reachable"\n', LET_THEM_READ)
    users = house.look("salesforce", "state", object="User", limit="100")["records"]
    ids = {row["Email"]: row["Id"] for row in users}
    _, free = house.couple("free@shop-free.example", hubspot=HOT)
    _, taken = house.couple("taken@shop-taken.example", hubspot=HOT)
    house.sync()
    assert house.explain("free@shop-free.example")["stage"] == "lead"

    house.later(FOUR_DAYS)
    # Nobody has told us yet that she took it: stored values still say that it has no owner.
    house.edit("salesforce", taken, OwnerId=ids[INES])
    told = house.command("--json", "rescore")

    assert told.code == 0, told.err
    assert told.document["written"] > 0
    assert told.document["owners"]["written"] > 0
    assert house.record("salesforce", free)["OwnerId"] == ids[SANA]
    assert house.record("salesforce", taken)["OwnerId"] == ids[INES]
    tasks = house.look("salesforce", "state", object="Task", limit="100")["records"]
    assert {(row["WhoId"], row["OwnerId"]) for row in tasks} == {(free, ids[SANA]), (taken, ids[INES])}
    (cycle,) = house.explain("free@shop-free.example")["handover"]["cycles"]
    assert (cycle["state"], cycle["owner"]) == ("open", SANA)

    house.later(60)
    again = house.command("--json", "rescore")
    assert again.code == 0
    assert (again.document["written"], again.document["owners"]) == (0, None)


def test_what_a_rescore_wrote_is_told_where_the_owners_have_to_wait(furnished: Any) -> None:
    house = furnished
    house.rewrite("leadpact.toml", "\n[locale]", ROUTES)
    house.rewrite("policy.toml", '[[policy.gates]]\nstage = "mql"\nname = "Reachable"\n', LET_THEM_READ)
    users = house.look("salesforce", "state", object="User", limit="100")["records"]
    sana = next(row["Id"] for row in users if row["Email"] == SANA)
    _, first = house.couple("first@shop-first.example", hubspot=HOT)
    house.sync()
    house.later(FOUR_DAYS)
    house.control("hubspot", "faults", {"match": {"path": "/batch/read"}, "times": -1, "status": 401})
    told = house.command("--json", "rescore")

    assert told.code == 4
    assert told.document["written"] > 0
    assert told.document["owners"] is None
    assert told.document["owners_stopped"]
    assert told.document["owners_stopped"] in told.err
    spoken = house.command("rescore")
    assert spoken.code == 4
    assert "0 written" in spoken.out
    assert "the next sync does that" in spoken.out
    with house.app() as app:
        work = app.work()
        done = do("rescore", Given(app, work, "backfill"))
        assert done.words.endswith("owners are left to a sync")
        assert [job.what for job in done.then] == ["incremental"]
    assert house.record("salesforce", first)["OwnerId"] != sana
    requests.delete(f"{house.url('hubspot')}/_sandbox/faults", timeout=60).raise_for_status()
    house.sync()
    assert house.record("salesforce", first)["OwnerId"] == sana
