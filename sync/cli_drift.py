"""The command that finds what no change log told about: drift."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

import click

from sync.app import opened
from sync.cli_context import Context
from sync.console import show_outcome
from sync.drift import KINDS, Drift, Repair, find_drift, parts_to_read, plan_repair, repair_drift
from sync.screen import Screen
from sync.tally import Outcome, outcome_document
from sync.work import CRMS

#: Drifted records shown before the rest is only counted.
SHOWN = 40


@click.command()
@click.option("--repair", is_flag=True, help="Bring what drifted into an ordinary run.")
@click.pass_obj
def drift(context: Context, *, repair: bool) -> None:
    """Finds differences that no change log told about."""
    screen, outcome = context.screen, None
    with opened(context.settings(), lane="backfill") as app:
        work = app.work()
        parts = parts_to_read(work, work.clock())
        calls = {crm: sum(part.calls for part in parts if part.crm == crm) for crm in CRMS}
        screen.say(
            f"reading {sum(part.records for part in parts)} records in {len(parts)} slices, with"
            f" {calls['hubspot']} calls to HubSpot and {calls['salesforce']} to Salesforce"
        )
        found = find_drift(work, parts)
        plan = plan_repair(work, found)
        _show(screen, found, plan)
        if repair and found.drifted:
            outcome = repair_drift(work, plan)
    if outcome is not None:
        show_outcome(screen, outcome, planned=work.mode == "observe")
    elif found.drifted:
        screen.say("`leadpact drift --repair` brings them into an ordinary run.")
    screen.document(_document(found, plan, outcome))
    sys.exit(_exit_code(found, outcome))


def _exit_code(found: Drift, outcome: Outcome | None) -> int:
    if outcome is None:
        return 1 if found.drifted else 0
    return 1 if outcome.became or outcome.busy else 0


def _show(screen: Screen, found: Drift, plan: Repair) -> None:
    for one in found.slices:
        if not one.same:
            started = one.start.isoformat() if one.start else "the first record"
            screen.say(
                f"{one.crm}, created from {started} to {one.end.isoformat()}: {one.read} records read,"
                f" {one.remembered} remembered, hashes {one.hash_crm} and {one.hash_remembered};"
                f" {one.drifted} drifted"
            )
    for reason, count in sorted(found.expected.items()):
        screen.say(f"  {count} records differ and are expected to: {reason}")
    counts = found.counts()
    for kind, count in counts.items():
        screen.say(f"{count} records {KINDS[kind]}")
    if not counts:
        screen.say(f"Nothing drifted: {sum(one.read for one in found.slices)} records compared.")
        return
    screen.table(
        ("kind", "CRM", "record", "lead", "fields"),
        [
            (one.kind, one.crm, one.record_id, one.lead, ", ".join(one.fields))
            for one in found.drifted[:SHOWN]
        ],
    )
    if len(found.drifted) > SHOWN:
        screen.say(f"… and {len(found.drifted) - SHOWN} more; --json has them all")
    screen.say(
        f"to repair: {sum(len(ids) for ids in plan.names.values())} records are read again, with at most"
        f" {plan.calls['hubspot']} calls to HubSpot and {plan.calls['salesforce']} to Salesforce before any write"
    )


def _document(found: Drift, plan: Repair, outcome: Outcome | None) -> dict[str, Any]:
    document: dict[str, Any] = {
        "drifted": [asdict(one) for one in found.drifted],
        "counts": found.counts(),
        "expected": found.expected,
        "slices": [{**asdict(one), "same": one.same} for one in found.slices],
        "repair": {"records": {crm: len(ids) for crm, ids in plan.names.items()}, "calls": plan.calls},
    }
    return document if outcome is None else document | outcome_document(outcome, with_changes=False)
