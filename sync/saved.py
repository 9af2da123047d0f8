"""A plan in a file: what ``plan --out`` writes and ``apply`` carries out.

It holds the leads' values before and after: personal data, so the file is readable by its owner only.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from sync.errors import WrongUse
from sync.fingerprint import fingerprint
from sync.plan import CHANGES
from sync.privatefile import opened_private
from sync.store.runs import Numbers
from sync.tally import Outcome

FORMAT = 1


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan as it was made. ``cursors`` are kept after ``apply`` where the plan was whole (``whole``)."""

    accounts: Mapping[str, str]
    at: datetime
    policy: str
    fingerprint: str
    changes: pl.DataFrame
    names: Mapping[str, list[str]]
    cursors: Mapping[str, Any]
    whole: bool
    cards: Mapping[str, Any] | None = None  #: the file that an import was planned from (``sync.cli_import``)


def save_plan(
    path: Path,
    outcome: Outcome,
    accounts: Mapping[str, str],
    policy: str,
    *,
    whole: bool,
    cards: Mapping[str, Any] | None = None,
) -> None:
    """Write what a run would do. Raises WrongUse when the file cannot be written."""
    if outcome.at is None:
        raise ValueError("a plan is made at a moment")
    plan = SavedPlan(
        accounts=accounts,
        at=outcome.at,
        policy=policy,
        fingerprint=outcome.fingerprint,
        changes=outcome.changes if outcome.changes is not None else pl.DataFrame(schema=dict(CHANGES)),
        names=outcome.touched,
        cursors=outcome.cursors,
        whole=whole,
        cards=cards,
    )
    write_plan(path, plan)


def write_plan(path: Path, plan: SavedPlan) -> None:
    """Write a plan, readable by its owner only. Raises WrongUse when the file cannot be written."""
    document = {
        "leadpact_plan": FORMAT,
        "accounts": dict(plan.accounts),
        "at": plan.at.isoformat(),
        "policy": plan.policy,
        "fingerprint": plan.fingerprint,
        "whole": plan.whole,
        "cursors": {crm: dict(cursor) for crm, cursor in plan.cursors.items()},
        "names": {crm: sorted(ids) for crm, ids in plan.names.items()},
        "changes": plan.changes.to_dicts(),
        **({} if plan.cards is None else {"cards": dict(plan.cards)}),
    }
    try:
        with os.fdopen(opened_private(path), "w", encoding="utf-8") as file:
            json.dump(document, file, ensure_ascii=False, indent=1)
    except OSError as problem:
        raise WrongUse(f"{path}: the plan cannot be written ({problem.strerror})") from problem


def load_plan(path: Path) -> SavedPlan:
    """Read a plan back. Raises WrongUse where it is missing, torn, or changed by hand."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise WrongUse(f"{path}: the plan cannot be read ({problem.strerror})") from problem
    except ValueError as problem:
        raise WrongUse(
            f"{path}: this is not a saved plan", fix="make one with `leadpact plan --out FILE`"
        ) from problem
    try:
        saved = _read(document)
    except (KeyError, TypeError, ValueError, AttributeError, pl.exceptions.PolarsError) as problem:
        raise WrongUse(
            f"{path}: this is not a saved plan", fix="make one with `leadpact plan --out FILE`"
        ) from problem
    if fingerprint(saved.changes) != saved.fingerprint:
        raise WrongUse(
            f"{path}: the changes do not match the plan's fingerprint: it was edited by hand",
            fix="make a new plan; to leave leads out, plan with --lead or --limit",
        )
    return saved


def _read(document: Any) -> SavedPlan:
    """Raises one of several errors where the document is not what ``save_plan`` writes."""
    if document["leadpact_plan"] != FORMAT:
        raise ValueError("another format")
    return SavedPlan(
        accounts=dict(document["accounts"]),
        at=datetime.fromisoformat(document["at"]),
        policy=document["policy"],
        fingerprint=document["fingerprint"],
        changes=pl.DataFrame(document["changes"], schema=dict(CHANGES)),
        names={crm: list(ids) for crm, ids in document["names"].items()},
        cursors=dict(document["cursors"]),
        whole=bool(document["whole"]),
        cards=dict(document["cards"]) if "cards" in document else None,
    )


def numbers_as_text(numbers: Numbers) -> str:
    """The four outcomes in one line; they add up to the targets."""
    return (
        f"{numbers.records_read} records read; {numbers.targets} targets: {numbers.written} written,"
        f" {numbers.unchanged} unchanged, {numbers.held} held, {numbers.refused} refused"
    )
