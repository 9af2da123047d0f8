"""Where leads of the past come from: a spreadsheet, Leadpact's own history, or the history that a CRM keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mapping.qualification.declared import Policy
from sync.app import opened
from sync.backtest_csv import CsvAsked, Past, map_of, past_in_csv
from sync.backtest_own import own_past
from sync.policy_files import policy_in, policy_of_config
from sync.settings import load_settings

SOURCES = ("own", "hubspot", "salesforce")


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
    policy = (
        policy_of_config(settings)
        if asked.instead is None
        else policy_in(asked.instead, settings.custom_fields)
    )
    if asked.csv is not None:
        wanted = CsvAsked(
            asked.csv, asked.outcome or "", asked.time, asked.worked, asked.rep, asked.won, asked.trust
        )
        return policy, past_in_csv(wanted, map_of(settings), policy)
    with opened(settings) as app:
        return policy, own_past(app.memory(), policy, asked.reached, asked.after_days, asked.horizon_days)
