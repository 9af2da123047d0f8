"""Where leads of the past come from: a spreadsheet, Leadpact's own history, or the history that a CRM keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from mapping.lead import FieldType
from mapping.qualification.backtest import CASE
from mapping.qualification.backtest_history import at_one_moment
from mapping.qualification.columns import derived_columns
from mapping.qualification.declared import Policy
from sync.app import opened
from sync.backtest_csv import CsvAsked, Past, past_in_csv
from sync.backtest_hubspot import hubspot_past
from sync.backtest_own import own_past
from sync.backtest_salesforce import salesforce_past
from sync.compiled import file_map_of
from sync.errors import WrongUse
from sync.policy_files import policy_in, policy_of_config
from sync.settings import load_settings
from sync.work import Work

SOURCES = ("own", "hubspot", "salesforce")
_PASTS = {"hubspot": hubspot_past, "salesforce": salesforce_past}
_AGEING = (FieldType.DATE, FieldType.DATETIME)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person asked for. ``csv`` None: a history, of ``source``.

    Then each lead is judged ``after_days`` after it was first known, and has ``horizon_days`` from there to reach
    ``reached`` (opportunity or customer).
    """

    instead: Path | None = None
    csv: Path | None = None
    outcome: str | None = None
    time: str | None = None
    worked: str | None = None
    rep: str | None = None
    won: tuple[str, ...] = ()
    trust: tuple[str, ...] = ()
    source: str = "own"
    reached: str = "opportunity"
    after_days: int = 14
    horizon_days: int = 180


def policy_and_past(asked: Asked, config: Path | None, environ: Mapping[str, str]) -> tuple[Policy, Past]:
    """The policy to be tested, and the leads to test it on. Raises WrongUse, WrongConfig and the connectors' errors.

    A spreadsheet needs neither a CRM nor a database.
    """
    settings = load_settings(config, environ)
    taken = sorted(settings.custom_fields.keys() & CASE.keys())
    if taken:
        raise WrongUse(
            f"a field of your own is called {taken[0]}, and a past lead has that already",
            fix=f"give [fields.{taken[0]}] another name",
        )
    policy = (
        policy_of_config(settings)
        if asked.instead is None
        else policy_in(asked.instead, settings.custom_fields)
    )
    if asked.csv is not None:
        wanted = CsvAsked(
            asked.csv, asked.outcome or "", asked.time, asked.worked, asked.rep, asked.won, asked.trust
        )
        return policy, past_in_csv(wanted, file_map_of(settings), policy)
    with opened(settings, lane="backfill") as app:
        if asked.source == "own":
            work, past_of = app.memory(), own_past
        else:
            work, past_of = app.work(), _PASTS[asked.source]
        past = past_of(work, policy, asked.reached, asked.after_days, asked.horizon_days)
        return policy, replace(past, cases=scored_alone(work, past.cases))


def scored_alone(work: Work, cases: pl.DataFrame) -> pl.DataFrame:
    """Without whom the config says not to score: they have no score to be right or wrong."""
    asked = work.unscored
    if asked is None or cases.is_empty():
        return cases
    dates = [
        column.field for column in asked.columns if column.field in cases.columns and column.type in _AGEING
    ]
    moved, now = at_one_moment(cases, list(dict.fromkeys(dates)))
    derived = derived_columns(asked.columns, now, work.policy.currency, work.policy.rates_at(now))
    return cases.filter(
        ~moved.with_columns(derived).with_columns(asked.expression.fill_null(value=False).alias("_out"))[
            "_out"
        ]
    )
