"""A stored verdict, worked out again from its stored inputs with its stored policy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl

from mapping.identity import derive
from mapping.lead import DERIVED_FIELDS, columns_of
from mapping.qualification.declared import Policy
from mapping.qualification.explain import Explanation, explain
from mapping.qualification.judge import MEMORY
from mapping.qualification.score import PREVIOUS_SCHEMA
from sync.snapshots import Snapshots
from sync.work import CRMS, Work

#: What a verdict and its repetition are compared in.
OUTCOME = (
    *("score", "fit", "engagement", "coverage", "temperature", "stage", "stage_why", "highest_stage"),
    *("cycle", "nurture_track"),
)
#: Verdicts whose inputs lack this are older than ``MEMORY``: the grid and what follows was not kept of them.
_KEPT_SINCE = "prev_stage_why"


def reevaluate(
    work: Work, policy: Policy, stored: Mapping[str, Any], links: pl.DataFrame, *, qualifying: bool = False
) -> Explanation:
    """The explanation of a stored verdict (a row of ``Leads.verdicts``), from nothing but its stored inputs.

    ``links`` (``lead_id, crm …``) say which CRMs have the lead, for verdicts that did not keep it yet.
    ``qualifying``: with what would make sales get the lead.
    """
    inputs = json.loads(stored["inputs"])
    fields = {name: one for name, one in policy.fields.items() if name not in DERIVED_FIELDS}
    lead = Snapshots(columns_of(fields)).decode(pl.Series([json.dumps(inputs["lead"], ensure_ascii=False)]))
    row = lead.with_columns(
        pl.lit("it").alias("lead_id"),
        *(
            pl.lit(_typed(inputs.get(name), dtype), dtype=dtype).alias(name)
            for name, dtype in PREVIOUS_SCHEMA.items()
        ),
    )
    there = set(links["crm"])
    has = {crm: pl.lit(bool(inputs.get(f"in_{crm}", crm in there))) for crm in CRMS}
    full = derive(row, in_hubspot=has["hubspot"], in_salesforce=has["salesforce"])
    unscored = stored["temperature"] is None
    return explain(
        full,
        policy,
        stored["decided_at"],
        work.language,
        unscored=unscored,
        qualifying=qualifying and not unscored,
    )


def reproduced(stored: Mapping[str, Any], again: Explanation) -> bool:
    """Whether the repetition says exactly what was stored."""
    kept = _KEPT_SINCE in json.loads(stored["inputs"])
    names = (*OUTCOME, *MEMORY) if kept else OUTCOME
    return all(again.verdict[name] == stored[name] for name in names)


def _typed(value: Any, dtype: pl.DataType) -> Any:
    return date.fromisoformat(value) if value is not None and dtype == pl.Date() else value
