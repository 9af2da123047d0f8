"""The shared policy as values: rules, bands, gates, tracks, and who is believed about which stage."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal

import polars as pl

from mapping.lead import FieldType, LeadField, Stage, currency_column
from mapping.qualification.columns import Column, columns_for, derived_columns
from mapping.qualification.conditions import Condition
from mapping.qualification.questions import Questions

Group = Literal["fit", "engagement"]

#: Raised when the same policy and the same lead would get another verdict from a newer Leadpact.
MEANING = 1

#: What stands in place of a temperature while the policy asks for more data instead of judging.
NOT_KNOWN_YET = "unknown"
#: The age in whole days of the lead's last return to marketing; only a re-entry condition may name it.
RETURNED_DAYS = "returned_days"

#: Under which name a stored policy keeps its custom lead fields.
STORED_FIELDS = "custom_fields"

#: What the stages look at whatever the policy says.
EVIDENCE = (
    "has_contact_data",
    "sales_accepted",
    "rejection_reason",
    "hubspot_stage",
    "salesforce_stage",
)


@dataclass(frozen=True, slots=True)
class Rule:
    """Points for a lead that meets a condition.

    ``points`` are whole and may be negative. With ``half_life_days`` they halve every so many days since the
    date in ``since``, towards zero; a date still to come counts as today. ``cap`` names the rules that share
    an upper limit with this one.
    """

    name: str
    group: Group
    when: Condition
    points: int
    half_life_days: Decimal | None = None
    since: str | None = None
    cap: str | None = None


@dataclass(frozen=True, slots=True)
class Cap:
    """The most that some rules of one group may give together: the rules at ``places`` in the policy.

    A cap on a whole group (``whole``) comes after those on parts of it.
    """

    name: str
    group: Group
    most: int
    places: tuple[int, ...]
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the letters and numbers of A1 to C3 begin: points of fit for A and B, of engagement for 1 and 2."""

    fit: tuple[int, int]
    engagement: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A fact that moves a lead into ``stage`` by itself.

    OPPORTUNITY: a deal is open; CUSTOMER: one was won; FORMER_CUSTOMER: it went away; NURTURE: the deal was lost.
    """

    stage: Stage
    name: str
    when: Condition


@dataclass(frozen=True, slots=True)
class Reentry:
    """When a lead that came back to marketing may be handed over again: after so many days, or on new evidence."""

    after_days: int | None
    when: Condition | None


@dataclass(frozen=True, slots=True)
class Band:
    """A temperature: reached at ``total`` points, of which at least ``fit_at_least`` for fit.

    The lowest band has neither: a lead that reaches no other stands in it.
    """

    name: str
    total: int | None = None
    fit_at_least: int | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """Something that must be true before a lead may enter ``stage``, and which team finds it out."""

    stage: Stage
    name: str
    when: Condition
    decided_by: Literal["marketing", "sales"]


@dataclass(frozen=True, slots=True)
class Track:
    """Content for leads that are not to be called now: the first track whose condition is true is theirs.

    A lead for whom ``exit`` is true is done with it, whatever ``when`` says.
    """

    name: str
    when: Condition
    track: str
    format: str | None
    stages: tuple[Stage, ...]
    exit: Condition | None = None


@dataclass(frozen=True)  # no slots: what is made ready for judging is kept with the policy
class Policy:
    """One policy for marketing and sales, checked and ready to be asked. Made by ``load_policy``.

    ``rules`` are in the file's order, fit before engagement; ``bands`` from the coldest to the hottest.
    ``believed`` names, per stage, the CRMs whose word moves a lead there; Salesforce is always asked first.
    ``version`` is 12 hexadecimal digits over everything that can change a verdict or how it is explained;
    two policies of one version judge alike.
    """

    currency: str
    score_step: int
    interest: Condition
    never: Condition
    rules: tuple[Rule, ...]
    bands: tuple[Band, ...]
    drop_tolerance: int
    labels: Mapping[str, str]
    gates: tuple[Gate, ...]
    tracks: tuple[Track, ...]
    believed: Mapping[Stage, tuple[str, ...]]
    rates: Mapping[str, tuple[tuple[date, Decimal], ...]]
    fields: Mapping[str, LeadField] = field(repr=False)
    table: Mapping[str, Any] = field(repr=False)
    stay_days: int = 0
    ask_below: int = 0
    caps: tuple[Cap, ...] = ()
    grid: Grid | None = None
    evidence: tuple[Evidence, ...] = ()
    reentry: Reentry | None = None

    @property
    def version(self) -> str:
        judged = {**self.table, "policy": {k: v for k, v in self.table["policy"].items() if k != "labels"}}
        text = json.dumps([MEANING, judged], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def as_table(self) -> dict[str, Any]:
        """The tables this policy was loaded from, as JSON values; ``load_policy`` takes them back."""
        copied: dict[str, Any] = json.loads(json.dumps(self.table))
        return copied

    def as_stored(self) -> dict[str, Any]:
        """``as_table`` with the custom lead fields: a past verdict can be repeated after one has left the map."""
        custom = {name: one.type.value for name, one in self.fields.items() if one.custom}
        return {**self.as_table(), STORED_FIELDS: custom} if custom else self.as_table()

    def rates_at(self, now: datetime) -> dict[str, Decimal]:
        """The rate of each currency that holds on the day of ``now`` (UTC): the latest not in the future."""
        today = now.astimezone(UTC).date()
        valid = {
            code: [rate for since, rate in dated if since <= today] for code, dated in self.rates.items()
        }
        return {code: rates[-1] for code, rates in valid.items() if rates}

    def label(self, temperature: str) -> str:
        """What people call a band, or ``NOT_KNOWN_YET``."""
        return self.labels.get(temperature, temperature)

    @property
    def temperatures(self) -> tuple[str, ...]:
        """Every word that a verdict's temperature may be, from the coldest; last that it is not known yet."""
        return (*(band.name for band in self.bands), NOT_KNOWN_YET)

    def conditions(self) -> tuple[Condition, ...]:
        """Every condition of the policy."""
        ruled = [rule.when for rule in self.rules]
        gated = [gate.when for gate in self.gates]
        tracked = [track.when for track in self.tracks]
        exits = [track.exit for track in self.tracks if track.exit is not None]
        shown = [one.when for one in self.evidence]
        again = [self.reentry.when] if self.reentry and self.reentry.when else []
        return (self.interest, self.never, *ruled, *gated, *shown, *again, *tracked, *exits)

    @cached_property
    def asked(self) -> Questions:
        """What is asked of every lead, in this order: rules, gates, interest, never, evidence, re-entry if any."""
        ruled, gated = [rule.when for rule in self.rules], [gate.when for gate in self.gates]
        again = [self.reentry.when] if self.reentry and self.reentry.when else []
        shown = [one.when for one in self.evidence]
        return Questions([*ruled, *gated, self.interest, self.never, *shown, *again])

    @cached_property
    def asked_of_judged(self) -> Questions:
        """What is asked of leads that have their verdict: the tracks' conditions, then those to leave one by."""
        exits = [track.exit for track in self.tracks if track.exit is not None]
        return Questions([*(track.when for track in self.tracks), *exits])

    def lead_columns(self) -> dict[str, Column]:
        """The columns over lead fields that this policy looks at, by name."""
        return dict(self._lead_columns)

    @cached_property
    def _lead_columns(self) -> dict[str, Column]:
        used = {column.name: column for c in self.conditions() for column in c.columns}
        dates = columns_for({name: self.fields[name] for name in self._dates()}, {})
        return {name: column for name, column in {**used, **dates}.items() if column.field in self.fields}

    def _dates(self) -> list[str]:
        return [rule.since for rule in self.rules if rule.since is not None]

    def derived(self, leads: pl.DataFrame, now: datetime) -> list[pl.Expr]:
        """The expressions of the derived columns of these leads: ages in days, money in the policy's currency."""
        return derived_columns(self._lead_columns.values(), now, self.currency, self.rates_at(now), leads)

    def needed(self) -> set[str]:
        """The columns that a frame of leads must have before ``derived`` is added."""
        return set(self._needed)

    @cached_property
    def _needed(self) -> frozenset[str]:
        needed = set(EVIDENCE)
        for column in self._lead_columns.values():
            if column.type is FieldType.MONEY:
                needed |= {column.field, currency_column(column.field)}
            elif column.type in (FieldType.DATE, FieldType.DATETIME):
                needed.add(column.field)
            else:
                needed.add(column.source)
        return frozenset(needed)


def stored_fields(declared: Mapping[str, Any]) -> dict[str, LeadField]:
    """The custom lead fields that a stored policy was judged over."""
    return {
        name: LeadField(name, FieldType(kind), name, custom=True)
        for name, kind in declared.get(STORED_FIELDS, {}).items()
    }
