"""`check` names the line of every condition that this account can never answer: no field of it feeds what is asked."""

from __future__ import annotations

from typing import Any

#: Each condition stands on a line of its own, with a word that is nowhere else in the file.
ASKED = """
[[policy.fit]]
name = "Clicks on LinkedIn"
when = "linkedin_clicks > 17"
points = 3

[[policy.engagement]]
name = "Called lately"
when = "visits > 8118 OR linkedin_clicks > 18"
points = 3
half_life_days = 30
since = "last_visit_at"

[[policy.gates]]
stage = "mql"
name = "Known on LinkedIn"
when = "linkedin_clicks > 19"

[[policy.evidence]]
stage = "customer"
name = "Clicked much"
when = "linkedin_clicks > 20"

[[nurture]]
name = "Which post?"
when = "linkedin_clicks > 21"
track = "posts"
exit = "linkedin_clicks > 22 AND visits > 1"
"""
NEVER, IN_PART = "can never fire here", "is judged without a part of it"


def test_a_condition_on_a_field_that_is_not_mapped_is_told_with_its_line_and_what_it_is(
    furnished: Any,
) -> None:
    policy = furnished.folder / "policy.toml"
    policy.write_text(policy.read_text(encoding="utf-8") + ASKED, encoding="utf-8")
    lines = policy.read_text(encoding="utf-8").splitlines()

    found = furnished.command("--json", "check").document["problems"]

    told = {
        one["where"]: (one["severity"], one["problem"])
        for one in found
        if "linkedin_clicks" in one["problem"]
    }
    because = "no CRM field feeds linkedin_clicks"
    expected = {
        "linkedin_clicks > 17": f"the rule “Clicks on LinkedIn” {NEVER}: {because}",
        "linkedin_clicks > 18": f"the rule “Called lately” {IN_PART}: {because}",
        "linkedin_clicks > 19": f"the gate “Known on LinkedIn” {NEVER}: {because}",
        "linkedin_clicks > 20": f"the evidence “Clicked much” {NEVER}: {because}",
        "linkedin_clicks > 21": f"the nurture track “Which post?” {NEVER}: {because}",
        "linkedin_clicks > 22": f"the exit of nurture track “Which post?” {NEVER}: {because}",
    }
    for words, problem in expected.items():
        (number,) = [place for place, line in enumerate(lines, start=1) if words in line]
        where = next((key for key in told if key.endswith(f"policy.toml:{number}")), "")
        assert told.pop(where, None) == ("warning", problem), (words, number, told)
    assert told == {}


def test_a_field_that_only_another_account_has_is_told_the_same_way(furnished: Any) -> None:
    furnished.rewrite(
        "fields.toml",
        '[fields.sales_contacts]\nhubspot = "num_contacted_notes"',
        '[fields.sales_contacts]\nhubspot = "calls_of_another_account"',
    )
    policy = furnished.folder / "policy.toml"
    rule = '[[policy.engagement]]\nname = "Talked to"\nwhen = "sales_contacts > 2"\npoints = 5\n\n'
    text = policy.read_text(encoding="utf-8")
    policy.write_text(
        text.replace("[[policy.engagement]]", rule + "[[policy.engagement]]", 1), encoding="utf-8"
    )
    line = next(
        place
        for place, each in enumerate(policy.read_text(encoding="utf-8").splitlines(), start=1)
        if "sales_contacts > 2" in each
    )
    told = furnished.command("check")
    assert f"policy.toml:{line}: warning: the rule “Talked to” can never fire here" in told.out
    assert "this account has no HubSpot calls_of_another_account for sales_contacts" in told.out
    # What `init` writes asks for nothing that its own field map does not feed.
    assert "the nurture track" not in told.out


def test_what_setup_creates_is_missed_once_and_not_by_every_rule_that_asks_for_it(house: Any) -> None:
    told = house.command("check").out
    assert told.count("of Leadpact's own fields are missing") == 2
    assert NEVER not in told
    assert IN_PART not in told
