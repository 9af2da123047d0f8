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
    assert len(named) >= 40
    assert [one for one in sorted(named) if not shows(name, one)] == []


def shows(example: str, golden: str) -> bool:
    """Whether an example has this golden lead; one that ends with … goes on in its own words."""
    names = [str(lead["name"]) for lead in read_toml(FOLDER / f"{example}.golden.toml", example).data["lead"]]
    return any(name.startswith(golden[:-1]) if golden.endswith("…") else name == golden for name in names)


#: What is true of leads, in the order in which it is told, and the golden leads that say so. What a policy has no say
#: in (the handover of both teams, costs, goals) is told by the ledger and the report.
SUBJECT = {
    "a lead has expressed interest and left contact data": ["A prospect becomes a lead by answering"],
    "a lead is a person or a company": [
        "A company without a person is a lead, and waits for a person to talk to"
    ],
    "a visitor has shown interest only": ["A visitor has shown interest only"],
    "a researched contact has data only": ["A researched contact whose answers nobody has read yet"],
    "so has a bought one": ["A bought address has contact data only"],
    "it becomes a lead by answering": [
        "A prospect becomes a lead by answering",
        "A prospect answers, and wavers",
    ],
    "interest comes online": [
        *("Interest comes online: a form", "Interest comes online: the newsletter"),
        *("Interest comes online: a white paper", "Interest comes online: a prize draw"),
        "Interest comes online: a survey",
    ],
    "interest comes offline": [
        "Interest comes offline: a card from …",
        "Interest comes offline: a recommendation",
    ],
    "few become MQLs: the right person": ["Hot, but not the right contact: …"],
    "few become MQLs: a possible fit": ["No possible fit: …"],
    "fewer become SQLs": ["Sales accepted, and knows all four"],
    "an SQL decides": ["Sales accepted, but it is not the one who decides"],
    "an SQL has a budget": ["Sales accepted, but there is no budget"],
    "an SQL has a need": ["Sales accepted, but there is no need"],
    "an SQL has a date": ["Sales accepted, but there is no date"],
    "an opportunity is close to a contract": ["Sales opens an opportunity"],
    "cold leads wait": ["A cold lead waits"],
    "wavering ones get content that suits them": [
        *("A wavering lead goes back to marketing", "Whose price question is answered gets something else"),
    ],
    "hot ones go to sales at once": ["A hot lead goes to sales at once"],
    "too early, a lead feels pushed": ["Handed over too early: it feels pushed, and sales gives it back"],
    "too late, somebody else has it": ["Handed over too late: somebody else has the order"],
    "former customers can be won back": [
        "A former customer can be won back",
        "A former customer who buys again",
    ],
}


@pytest.mark.parametrize("said", SUBJECT)
def test_what_is_true_of_leads_has_a_golden_lead_in_every_example_and_on_the_page(said: str) -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    for golden in SUBJECT[said]:
        assert [name for name in EXAMPLES if not shows(name, golden)] == []
    assert any(f"`{golden}`" in page for golden in SUBJECT[said])


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_ways_to_show_interest_differ_in_their_form_alone_and_each_makes_a_lead(name: str) -> None:
    policy = policy_in(FOLDER / f"{name}.toml", {})
    golden = read_golden(
        read_toml(FOLDER / f"{name}.golden.toml", name).data, policy, vocabularies=VOCABULARIES
    )
    online = [one for one in golden if one.name.startswith("Interest comes online: ")]
    forms = {one.facts["last_form_name"] for one in online}
    assert forms == {"Contact", "Newsletter", "White paper", "Prize draw", "Survey"}
    assert {verdict["stage"] for verdict in verdicts_of(online, policy)} == {"lead"}


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
