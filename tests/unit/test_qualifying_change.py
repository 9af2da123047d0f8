"""What would change a golden lead's verdict is something to find out or do; what would make sales get it, does.

Every golden lead of every example is explained once, which is most of the time that both tests take.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from mapping.lead import STAGE_RANK, Stage
from mapping.qualification.declared import Policy
from mapping.qualification.explain import Explanation, explain
from mapping.qualification.facts import NEXT_STEPS
from mapping.qualification.golden import golden_frame
from mapping.qualification.goldenread import Golden, read_golden
from mapping.qualification.judge import judge
from sync.ourpolicy import VOCABULARIES
from sync.policy_files import policy_in
from sync.tomlfile import read_toml

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "policies"
MQL = STAGE_RANK[Stage.MQL]


@dataclass(frozen=True)
class Explained:
    """A golden lead, its one row, and the whole answer about it."""

    golden: Golden
    lead: pl.DataFrame
    found: Explanation


@dataclass(frozen=True)
class Example:
    policy: Policy
    leads: list[Explained]


@pytest.fixture(scope="module", params=sorted(path.name for path in FOLDER.glob("*.golden.toml")))
def example(request: pytest.FixtureRequest) -> Example:
    """An example policy with its golden leads."""
    name: str = request.param
    policy = policy_in(FOLDER / name.replace(".golden", ""), {})
    golden = read_golden(read_toml(FOLDER / name, name).data, policy, vocabularies=VOCABULARIES)
    leads = golden_frame(golden, policy)
    explained = [
        Explained(one, leads[place], explain(leads[place], policy, one.now, qualifying=True))
        for place, one in enumerate(golden)
    ]
    return Example(policy, explained)


def test_the_change_that_is_told_to_qualify_a_golden_lead_qualifies_it_when_it_is_made(
    example: Example,
) -> None:
    told = 0
    for one in example.leads:
        found, lead = one.found, one.lead
        if STAGE_RANK[Stage(found.verdict["stage"])] >= MQL:
            assert found.to_qualify is None
        elif found.to_qualify is not None:
            told += 1
            made = lead.with_columns(
                pl.lit(value).cast(lead.schema[column]).alias(column)
                for column, value in found.to_qualify.values.items()
                if column in lead.columns
            )
            after = judge(made, example.policy, one.golden.now).row(0, named=True)
            assert after["stage"] == found.to_qualify.stage, one.golden.name
            assert STAGE_RANK[Stage(after["stage"])] >= MQL
    assert told > 0


def is_done_or_found_out(what: str, values: dict[str, Any], lead: dict[str, Any]) -> bool:
    """One more step of the lead's own, an answer to what nobody knew, or a "no" that becomes a "yes"."""
    if what in NEXT_STEPS:
        count, _ = NEXT_STEPS[what]
        return count is None or count not in values or values[count] > (lead[count] or 0)
    return all(lead[name] is None or (lead[name] is False and values[name] is True)
               for name in values if not name.endswith("_currency"))  # fmt: skip


def test_the_smallest_change_of_a_golden_lead_is_something_to_find_out_or_to_do(example: Example) -> None:
    offered = 0
    for one in example.leads:
        change = one.found.smallest_change
        if change is not None:
            offered += 1
            lead = one.lead.row(0, named=True)
            for fact in change.facts:
                assert is_done_or_found_out(fact.what, dict(fact.values), lead), (one.golden.name, fact.what)
    assert offered >= len(example.leads) // 3
