"""Believable people and companies for the pretend CRMs: what ``demo``, benches and tests load.

Everything is made up, from the data files in ``data/``, and the same for the same seed and moment.
"""

from connectors.sandbox.generate.costs import campaign_costs, campaigns
from connectors.sandbox.generate.day import PersonAct, a_day_of_changes, newcomers
from connectors.sandbox.generate.person import Mix, Person, Truth
from connectors.sandbox.generate.stream import generate

__all__ = [
    "Mix",
    "Person",
    "PersonAct",
    "Truth",
    "a_day_of_changes",
    "campaign_costs",
    "campaigns",
    "generate",
    "newcomers",
]
