"""Nothing ran while a handover's time went by: somebody is told as soon as a sync has looked, and once."""

from __future__ import annotations

from typing import Any

from sync.run import Asked, perform

SANA = "sana.okafor@leadpact-sandbox.example"
INES = "ines.takahashi@leadpact-sandbox.example"
HOT = {
    **{"industry": "RETAIL", "annualrevenue": "40000000", "jobtitle": "Head of Marketing"},
    **{"num_conversion_events": "3", "recent_conversion_date": "2026-11-19T10:00:00Z", "country": "Germany"},
    **{"hs_analytics_num_visits": "7", "hs_analytics_last_visit_timestamp": "2026-11-19T08:00:00Z"},
}
ROUTES = f"""escalate_to = "{INES}"

[[handover.routes]]
name = "Everybody"
to = "{SANA}"

[locale]"""
HOUR = 3600


def test_an_escalation_that_no_sync_was_there_for_comes_late_and_once(furnished: Any) -> None:
    house = furnished
    house.rewrite("leadpact.toml", "\n[locale]", ROUTES)
    users = house.look("salesforce", "state", object="User", limit="100")["records"]
    names = {row["Id"]: row["Email"] for row in users}
    contact, _ = house.couple("late@shop-late.example", hubspot=HOT)
    house.sync()

    def tasks() -> list[str]:
        rows = house.look("salesforce", "state", object="Task", limit="100")["records"]
        return sorted(names[row["OwnerId"]] for row in rows)

    (cycle,) = house.explain("late@shop-late.example")["handover"]["cycles"]
    assert tasks() == [SANA]
    assert cycle["state"] == "open"
    house.later(4 * HOUR)
    # What a push tells of is read again, and that is one lead alone: it escalates nothing.
    with house.app() as app:
        perform(app.work(), Asked("sync", names={"hubspot": [contact]}, waiting=False))
    assert tasks() == [SANA]
    (cycle,) = house.explain("late@shop-late.example")["handover"]["cycles"]
    assert cycle["state"] == "overdue"

    for _ in range(3):
        house.sync()
        assert tasks() == [INES, SANA]
        house.later(HOUR)
    with house.app() as app:
        work = app.memory()
        assert work.store.handovers.to_escalate(app.clock()) == []
