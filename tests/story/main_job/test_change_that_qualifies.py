"""What is missing can be done: the smallest change that `explain` names does qualify the lead when it is made."""

from __future__ import annotations

import re
from typing import Any

#: A shop whose revenue nobody knows; Head of Marketing, and interested.
NEARLY = {
    **{"industry": "RETAIL", "jobtitle": "Head of Marketing", "country": "Germany"},
    **{"num_conversion_events": "3", "recent_conversion_date": "2026-11-19T10:00:00Z"},
    **{"hs_analytics_num_visits": "7", "hs_analytics_last_visit_timestamp": "2026-11-19T08:00:00Z"},
}
EMAIL = "anna@sommer.example"


def test_the_smallest_change_that_is_told_qualifies_the_lead_when_it_is_made(furnished: Any) -> None:
    house = furnished
    contact, lead = house.couple(EMAIL, hubspot=NEARLY)
    house.sync()
    before = house.explain(EMAIL)
    assert before["stage"] not in ("mql", "sql")
    change = before["smallest_change"]
    assert (change["what"], change["stage"]) == ("is_decision_maker = True", "mql")
    assert before["to_qualify"] == change
    assert "smallest change: is_decision_maker = True -> mql" in house.command("explain", EMAIL).out
    house.later(3_600)

    house.edit("hubspot", contact, leadpact_is_decision_maker="true")
    house.later(60)
    house.sync()

    after = house.explain(EMAIL)
    assert (after["stage"], after["temperature"], after["score"]["total"]) == (
        change["stage"],
        change["temperature"],
        change["score"],
    )
    assert house.record("salesforce", lead)["Leadpact_Stage__c"] == "mql"
    assert sum(point["points"] for point in after["points"]) == after["score"]["total"]
    _is_the_same_to_the_byte_when_asked_again(house, before)


def _is_the_same_to_the_byte_when_asked_again(house: Any, before: dict[str, Any]) -> None:
    """What was told of a time is told again of it later, although the lead and the policy have changed since."""
    at = before["decided_at"]
    told = house.command("--json", "explain", EMAIL, "--at", at).out
    house.rewrite("policy.toml", "points = ", "points = 1")
    assert re.search(r"^points = 1\d", (house.folder / "policy.toml").read_text("utf-8"), re.MULTILINE)
    house.run("rescore", approve=True)
    house.later(3_600)
    again = house.command("--json", "explain", EMAIL, "--at", at)
    assert again.out == told
    document = again.document
    assert document["reproduced"] is True
    assert (document["stage"], document["score"], document["points"]) == (
        before["stage"],
        before["score"],
        before["points"],
    )
    assert sum(point["points"] for point in document["points"]) == document["score"]["total"]
