"""Each signal names its source, edition and scope, in `check` and in the document alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from mapping.lead import LEAD_FIELDS
from mapping.qualification.signals import SIGNALS, Signal

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "policy.md").read_text("utf-8")
#: What a CRM says of a lead's standing is no signal of what the lead did.
STANDINGS = {"hubspot_stage", "salesforce_stage"}


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.name)
def test_a_signal_names_source_edition_and_scope(signal: Signal) -> None:
    for said in (signal.source, signal.edition, signal.scope):
        assert len(said.split()) >= 2
        assert said in signal.sentence()
    vendor = signal.source + signal.edition
    assert "HubSpot" in vendor or "Salesforce" in vendor or "of your own" in vendor
    # What the vendors' reference does not state is not made up.
    assert "not stated" in signal.edition
    assert "read" in signal.scope


@pytest.mark.parametrize("signal", SIGNALS, ids=lambda signal: signal.name)
def test_the_document_says_of_a_signal_what_check_says(signal: Signal) -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| {signal.name} |"))
    assert row.endswith(f"| {signal.source} | {signal.edition} | {signal.scope} |")
    assert {name.strip("`") for name in row.split(" | ")[1].split(", ")} == signal.fields


def test_everything_that_a_crm_observes_belongs_to_one_signal() -> None:
    named = [name for signal in SIGNALS for name in signal.fields]
    assert len(named) == len(set(named))
    observed = {name for name, field in LEAD_FIELDS.items() if field.behaviour}
    assert observed - STANDINGS == set(named)
