"""What would make sales get a lead: of every golden lead that they do not have, it is told, and it does."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from mapping.lead import STAGE_RANK, Stage
from mapping.qualification.explain import explain
from mapping.qualification.golden import golden_frame
from mapping.qualification.goldenread import read_golden
from mapping.qualification.judge import judge
from sync.ourpolicy import VOCABULARIES
from sync.policy_files import policy_in
from sync.tomlfile import read_toml

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "policies"
MQL = STAGE_RANK[Stage.MQL]


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.golden.toml")))
def test_the_change_that_is_told_to_qualify_a_golden_lead_qualifies_it_when_it_is_made(name: str) -> None:
    policy = policy_in(FOLDER / name.replace(".golden", ""), {})
    golden = read_golden(read_toml(FOLDER / name, name).data, policy, vocabularies=VOCABULARIES)
    leads = golden_frame(golden, policy)
    told = 0
    for place, one in enumerate(golden):
        lead = leads[place]
        found = explain(lead, policy, one.now, qualifying=True)
        if STAGE_RANK[Stage(found.verdict["stage"])] >= MQL:
            assert found.to_qualify is None
        elif found.to_qualify is not None:
            told += 1
            made = lead.with_columns(
                pl.lit(value).cast(lead.schema[column]).alias(column)
                for column, value in found.to_qualify.values.items()
                if column in lead.columns
            )
            after = judge(made, policy, one.now).row(0, named=True)
            assert after["stage"] == found.to_qualify.stage, one.name
            assert STAGE_RANK[Stage(after["stage"])] >= MQL
    assert told > 0
