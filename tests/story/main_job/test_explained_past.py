"""What a lead was told to be, and why, at any time: from what was stored then, with the policy of then."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

DAY = 86_400
PARTS = """
ask_below = 10

[policy.caps]
"Fresh" = 10

[policy.grid]
fit = [25, 10]
engagement = [20, 10]
"""


@pytest.fixture
def twice(furnished: Any, begin: Callable[..., Any]) -> Any:
    """A head of marketing, judged on two days: with a grid and caps, and then under another policy."""
    begin(_twice)
    return furnished


def _twice(house: Any) -> None:
    policy = (house.folder / "policy.toml").read_text(encoding="utf-8")
    head, _, rest = policy.partition("[policy.rates]")
    rest = re.sub(r'(name = "(?:Asked to be contacted|Filled in a form)"\n)', r'\1cap = "Fresh"\n', rest)
    (house.folder / "policy.toml").write_text(f"{head}{PARTS}\n[policy.rates]{rest}", encoding="utf-8")
    hubspot = {"jobtitle": "Head of Marketing", "num_conversion_events": "2", "company": "Shop"}
    asked = {"recent_conversion_date": "2026-11-19T08:00:00Z", "recent_conversion_event_name": "Kontakt"}
    house.couple(
        "anna@sommer.de", {}, hubspot={**hubspot, **asked}, salesforce={"Title": "Head of Marketing"}
    )
    house.sync()
    house.later(DAY)
    house.rewrite("policy.toml", '"Fresh" = 10', '"Fresh" = 25')
    house.run("rescore", approve=True)


def test_a_past_verdict_is_told_as_it_was_and_comes_out_the_same_again(twice: Any) -> None:
    now = twice.explain("anna@sommer.de")
    first = min(one["at"] for one in now["history"] if one["what"] == "verdict")
    then = twice.command("--json", "explain", "anna@sommer.de", "--at", first).document

    assert (now["reproduced"], then["reproduced"]) == (True, True)
    assert now["policy"] != then["policy"]
    for told, most in ((then, 10), (now, 25)):
        assert sum(point["points"] for point in told["points"]) == told["score"]["total"]
        assert told["score"]["engagement"] <= most
        assert any(f"höchstens {most}" in point["rule"] for point in told["points"])
    assert (then["grade"], now["grade"]) == ("B2", "B1")
    assert {record["crm"] for record in then["records"]} == {"hubspot", "salesforce"}
    assert all(one["at"] <= first for one in then["history"])


def test_both_crms_show_the_grade_and_a_second_sync_writes_nothing(twice: Any) -> None:
    grade = twice.explain("anna@sommer.de")["grade"]
    (contact,) = twice.records("hubspot").values()
    (lead,) = twice.records("salesforce").values()
    assert (contact["leadpact_grade"], lead["Leadpact_Grade__c"]) == (grade, grade)
    mark = twice.mark()
    twice.sync()
    assert twice.wrote_nothing(mark)
    assert twice.command("--json", "agree").document["unexplained"] == 0


def test_a_policy_that_could_not_be_declared_today_still_explains_what_it_decided(twice: Any) -> None:
    """It is of an earlier version of Leadpact, which took equal labels and questions of any length."""
    looks = '{"cold": "gleich", "hot": "Gleich"}'
    question = {"name": "x" * 300, "when": "forms > 0", "track": "t"}
    with psycopg.connect(twice.database) as connection:
        connection.execute(
            "UPDATE policy_version SET declared = jsonb_set(jsonb_set(declared::jsonb, '{policy,labels}', %s),"
            " '{nurture}', %s)::text",
            [looks, json.dumps([question])],
        )
    first = min(one["at"] for one in twice.explain("anna@sommer.de")["history"] if one["what"] == "verdict")
    then = twice.command("--json", "explain", "anna@sommer.de", "--at", first)
    assert (then.code, then.document["grade"]) == (0, "B2")
