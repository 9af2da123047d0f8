"""The example policies, held against their golden leads: every move of the ladder, in five lines of business."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from mapping.qualification.declared import Policy
from mapping.qualification.golden import verdicts_of
from mapping.qualification.goldenread import read_golden
from mapping.qualification.wording import WHY
from sync.ourpolicy import VOCABULARIES
from sync.policy_files import Checked, check_golden, policy_in
from sync.tomlfile import read_toml

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "policies"
EXAMPLES = ("content-agency", "machine-builder", "software", "wholesale", "consumer")
#: Whether there is contact data follows from address and number, so a merged lead always has an answer; and
#: whoever objected to being scored is not moved by a policy at all.
NO_MOVE_OF_A_POLICY = {"not_taken_up", "contact_data_unknown", "not_scored"}
#: From where to where the ladder moves a lead. Whom sales does not take up in time goes from mql to nurture as well.
LADDER = {
    "visitor": {"prospect", "lead", "nurture", "mql"},
    "prospect": {"lead", "nurture", "mql"},
    "lead": {"visitor", "nurture", "mql", "sql", "disqualified"},
    "nurture": {"lead", "mql"},
    "mql": {"visitor", "lead", "nurture", "sql", "opportunity", "customer", "disqualified"},
    "sql": {"nurture", "opportunity", "customer", "disqualified"},
    "opportunity": {"visitor", "nurture", "customer", "disqualified"},
    "customer": {"former_customer"},
    "former_customer": {"customer"},
    "disqualified": {"sql", "customer"},
}


def no_config() -> Policy:
    raise AssertionError("an example names its own policy")


def checked(name: str) -> Checked:
    return check_golden(FOLDER / f"{name}.golden.toml", None, {}, no_config)


def moves_of(name: str) -> set[str]:
    policy = policy_in(FOLDER / f"{name}.toml", {})
    table = read_toml(FOLDER / f"{name}.golden.toml", name).data
    golden = read_golden(table, policy, vocabularies=VOCABULARIES)
    return {verdict["stage_why"] for verdict in verdicts_of(golden, policy)}


def test_every_example_has_golden_leads_and_no_other_file_lies_there() -> None:
    expected = {f"{name}{end}" for name in EXAMPLES for end in (".toml", ".golden.toml")}
    assert {path.name for path in FOLDER.glob("*.toml")} == expected


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_golden_lead_stands_where_the_example_says(name: str) -> None:
    found = checked(name)
    assert found.leads >= 40
    assert not found.failures


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_golden_leads_of_an_example_make_every_move_of_the_ladder(name: str) -> None:
    missing = set(WHY) - moves_of(name) - NO_MOVE_OF_A_POLICY
    # A gate on a fact that is either there or not is never unknown; the others show that move.
    assert missing <= {"gate_unknown"}


def test_the_examples_together_make_every_move() -> None:
    assert set.union(*map(moves_of, EXAMPLES)) == set(WHY) - NO_MOVE_OF_A_POLICY


def pairs_of(name: str) -> set[tuple[str, str]]:
    """From where to where the golden leads of an example move, those that stood somewhere before."""
    policy = policy_in(FOLDER / f"{name}.toml", {})
    table = read_toml(FOLDER / f"{name}.golden.toml", name).data
    golden = read_golden(table, policy, vocabularies=VOCABULARIES)
    stood = [one.before.get("prev_stage") for one in golden]
    came = [verdict["stage"] for verdict in verdicts_of(golden, policy)]
    return {(was, now) for was, now in zip(stood, came, strict=True) if was not in (None, now)}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_golden_leads_of_an_example_go_from_each_stage_to_each_that_follows(name: str) -> None:
    assert pairs_of(name) == {(was, now) for was, after in LADDER.items() for now in after}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_golden_lead_that_the_page_names_is_in_the_example(name: str) -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8").partition("## What the golden leads show")[2]
    named = set(re.findall(r"\| `([^`]+)` \|$", page, re.MULTILINE))
    assert len(named) >= 20
    assert named <= {lead["name"] for lead in read_toml(FOLDER / f"{name}.golden.toml", name).data["lead"]}


def test_golden_leads_are_judged_in_under_a_second() -> None:
    checked("consumer")  # the first of a process reads the list of domain endings
    began = time.process_time()
    checked("software")
    assert time.process_time() - began < 1


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_commented_line_by_line_of_thought(name: str) -> None:
    text = (FOLDER / f"{name}.toml").read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert text.count("\n# ") >= 8
