"""What a CRM's past can tell of a lead beyond its own fields, and what it cannot: that is named, and stays unknown.

Counters keep their history, so how often within a week is counted again as it would have been then. Whose company
somebody was of, and which opportunities a lead had, stood in associations: HubSpot and Salesforce keep no history of
them, and those of today may have come with the outcome.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import polars as pl

from mapping.fieldmap import FieldMap
from mapping.lead import DERIVED_FIELDS
from mapping.qualification.backtest_history import SALES_SAID, as_of
from mapping.qualification.deals import DEAL_FIELDS
from mapping.qualification.declared import Policy
from mapping.qualification.frequency import WEEKLY, in_week
from sync.plan import NAMES
from sync.signals import COMPANY_FIELDS

#: Why a field that no field of the map feeds is not there again.
_WHY: Mapping[str, str] = {
    **dict.fromkeys(DEAL_FIELDS, "nobody kept which opportunities a lead had when"),
    **dict.fromkeys(COMPANY_FIELDS, "nobody kept who was of a company when"),
}
_ELSE = "{crm} has no past of it"


@runtime_checkable
class KeepsCounters(Protocol):
    """A CRM whose counters have a past. ``counters``: property to kind of event; ``risen``: the single events."""

    def counters(self, events: Sequence[str]) -> dict[str, str]: ...

    def risen(self, history: pl.DataFrame, counters: Mapping[str, str]) -> pl.DataFrame: ...


@dataclass(frozen=True, slots=True)
class Weekly:
    """How often within a week, counted again. ``counters``: property to kind of event; ``names``: of ``WEEKLY``."""

    names: tuple[str, ...] = ()
    counters: Mapping[str, str] = field(default_factory=dict)
    crm: KeepsCounters | None = None

    @classmethod
    def of(cls, crm: object, policy: Policy, field_map: FieldMap) -> Weekly:
        """The fields that the policy reads, that nothing of the map feeds, and whose counter the account has."""
        asked = sorted((policy.needed() & WEEKLY.keys()) - field_map.rules.keys())
        if not asked or not isinstance(crm, KeepsCounters):
            return cls()
        counters = crm.counters([WEEKLY[name].event for name in asked])
        there = set(counters.values())
        return cls(tuple(name for name in asked if WEEKLY[name].event in there), counters, crm)

    def then(self, history: pl.DataFrame, moments: pl.DataFrame) -> pl.DataFrame:
        """A column for each of ``names``, in the order of ``moments`` (``_id, at``): what a run would have read then.

        ``history``: ``_id, property, at, value``, the whole past of the records, the newest value of a property first.
        Nothing that came after a record's moment counts.
        """
        if self.crm is None:
            return pl.DataFrame()
        source = {event: name for name, event in self.counters.items()}
        then = moments.select("_id", pl.col("at").alias("_moment"))
        risen = self.crm.risen(history, self.counters).join(
            then, on="_id", how="inner", maintain_order="left"
        )
        weekly = in_week(risen.filter(pl.col("at") <= pl.col("_moment")))
        stood = as_of(history, moments, list(self.counters))
        columns = []
        for name in self.names:
            event = WEEKLY[name].event
            mine = weekly.filter(pl.col("event") == event).select("_id", pl.col("count").alias("_n"))
            many = then.join(mine, on="_id", how="left", maintain_order="left")["_n"]
            counter = stood[source[event]].cast(pl.Float64, strict=False).cast(pl.Int64, strict=False)
            # One event, or none, is all of them; and a counter that is not known tells nothing.
            few = (counter <= 1) | counter.is_null()
            columns.append(counter.zip_with(few, many).alias(name))
        return pl.DataFrame(columns)


def not_replayed(
    policy: Policy, field_map: FieldMap, crm: str, object_name: str, replayed: Sequence[str] = ()
) -> list[str]:
    """A note for each reason, with the fields that the policy reads and that a CRM's past does not give.

    ``replayed``: fields that are counted again. The word of sales is not among them: no backtest shows it.
    """
    fields = {column.field for column in policy.lead_columns().values()}
    fields -= {*replayed, *SALES_SAID, *DERIVED_FIELDS}
    by_reason: dict[str, list[str]] = {}
    for name in sorted(fields):
        rule = field_map.rules.get(name)
        if rule is None or rule.source(crm, object_name) is None:
            said = _ELSE.format(crm=NAMES[crm])
            by_reason.setdefault(_WHY.get(name, said), []).append(name)
    return [f"not replayed: {', '.join(names)} ({why})" for why, names in by_reason.items()]
