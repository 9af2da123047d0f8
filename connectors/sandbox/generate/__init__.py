"""Believable people and companies for the pretend CRMs: what ``demo``, benches and tests load.

Everything is made up from the data files in ``data/``, and the same for the same seed and moment:

- ``generate`` streams people as both CRMs know them, each with the truth that no CRM shows;
- ``campaign_costs`` and ``campaigns`` give what the channels cost, as rows of ours and of Salesforce;
- ``a_day_of_changes`` and ``newcomers`` give what people do in both CRMs on one day.

Who becomes a customer hangs on fit and engagement, by weights that are drawn per seed from the ranges
of ``data/effects.toml``. That file is read here and nowhere else, so that no policy can know them.
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
