"""How reports count, from the config: channels, goals and costs with the file they may stand in, and [reports]."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from zoneinfo import ZoneInfo

from mapping.lead import LEAD_FIELDS
from sync.ourpolicy import VOCABULARIES, judged_fields
from sync.reports.costfile import read_costs
from sync.reports.declared import Declared, read_declared
from sync.settings import Settings
from sync.wrongconfig import Problem, WrongConfig, problem


@dataclass(frozen=True)
class Rules:
    """How to count, from the config. ``costs``: those of ``[[costs]]`` and of the file, in their own currencies."""

    declared: Declared
    zone: ZoneInfo
    attribution: str
    salesforce_campaigns: bool
    smallest_group: int
    per_person: bool


def rules_of(settings: Settings, currency: str) -> Rules:
    """The rules of a config. Raises WrongConfig with every problem and its line.

    ``currency``: of costs that name none.
    """
    fields = judged_fields({**LEAD_FIELDS, **settings.custom_fields})
    declared, wrong = read_declared(
        settings.policy, fields=fields, vocabularies=VOCABULARIES, currency=currency
    )
    if wrong:
        raise WrongConfig(
            [problem(settings.where(one.path), str(one), "correct the setting") for one in wrong]
        )
    if settings.files.costs is not None:
        names = [channel.name for channel in declared.channels]
        rows = read_costs(Path(settings.files.costs), names, currency)
        declared = replace(declared, costs=(*declared.costs, *rows))
    ours = settings.reports
    return Rules(
        declared,
        ZoneInfo(ours.time_zone),
        ours.attribution,
        ours.salesforce_campaigns,
        ours.smallest_group,
        settings.privacy.per_person_reports,
    )


def report_problems(settings: Settings, currency: str) -> list[Problem]:
    """What keeps the config's channels, goals and costs from being used, for `leadpact check`."""
    try:
        rules_of(settings, currency)
    except WrongConfig as wrong:
        return wrong.problems
    return []
