"""What people see of runs and leads: their numbers, changes, verdicts and past, in sentences and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from mapping.own import HANDED_BY
from mapping.qualification.handover import EXPLORATION
from sync.errors import GuardStopped
from sync.saved import numbers_as_text
from sync.screen import Screen
from sync.tally import Outcome

if TYPE_CHECKING:
    from sync.undo import Undone

#: Changes shown of a plan before the rest is only counted.
SHOWN_CHANGES = 40
#: Verdicts and writes shown of a lead, the newest first.
SHOWN_HISTORY = 15


def exit_code(outcome: Outcome) -> int:
    """What a command ends with after a run: 1 where a lead was held or refused, 3 where leads had moved."""
    if outcome.moved:
        return GuardStopped.exit_code
    return 1 if outcome.became else 0


def show_outcome(screen: Screen, outcome: Outcome, *, planned: bool) -> None:
    """A run's numbers and findings, in sentences."""
    numbers = outcome.numbers
    text = numbers_as_text(numbers)
    screen.say(text.replace(" written,", " to be written,") if planned else text)
    summary = outcome.summary
    if outcome.leads:
        stages = {key.partition(":")[2]: count for key, count in summary.items() if key.startswith("stage:")}
        shown = ", ".join(
            f"{count} {stage}" for stage, count in sorted(stages.items(), key=lambda pair: -pair[1])
        )
        screen.say(f"{outcome.leads} leads ({summary.get('in_both', 0)} in both CRMs): {shown}")
    for (name, what), count in sorted(outcome.problems.items()):
        screen.say(f"  could not be read: {name}: {what} ({count} records); left alone on both sides")
    if outcome.busy:
        screen.say(f"{outcome.busy} leads were left to another run that is working on them")
    if outcome.forgotten:
        screen.say(f"{outcome.forgotten} persons were forgotten, because a CRM erased them or was asked to")
    if outcome.moved:
        screen.say("Not written, because they moved since the plan:")
        for lead, crm, record in outcome.moved:
            screen.say(f"  lead {lead}, {crm} record {record or '(to be created)'}")
    calls = f"{numbers.calls_hubspot} calls to HubSpot, {numbers.calls_salesforce} to Salesforce"
    screen.say(f"{calls}; {outcome.seconds:.1f} s; fingerprint {outcome.fingerprint}")


def stage_changes_told(leads: int) -> str:
    """The line that a pull request shows of a policy or a config that was changed."""
    return f"{leads} {'lead' if leads == 1 else 'leads'} would change stage"


def show_changes(screen: Screen, outcome: Outcome) -> None:
    """The first changes of a plan, how many more there are by field, and what it comes to in contacts."""
    changes = outcome.changes
    if changes is None or screen.as_json:
        return
    made = changes.filter((pl.col("kind") == "create") & (pl.col("crm") == "hubspot"))["lead_id"].n_unique()
    if made:
        screen.say(
            f"{made} contacts would be created in HubSpot, as non-marketing contacts: they count towards the"
            " account's contacts, and not towards the marketing contacts that HubSpot bills"
        )
    by_chance = (pl.col("field") == HANDED_BY.lead.name) & (pl.col("after") == EXPLORATION)
    drawn = changes.filter(by_chance)["lead_id"].n_unique()
    if drawn:
        screen.say(
            f"{drawn} leads below the line are handed over to explore, drawn at random (handover.explore_share); both"
            " CRMs mark them, and no number of MQLs counts them"
        )
    rows = (
        changes.head(SHOWN_CHANGES)
        .select("lead_id", "crm", "record_id", "field", "before", "after", "why")
        .rows()
    )
    screen.table(("lead", "crm", "record", "field", "before", "after", "why"), rows)
    left = changes.height - SHOWN_CHANGES
    if left > 0:
        screen.say(f"… and {left} more; `leadpact plan --out FILE` or --json has them all. By field:")
        counted = changes.group_by("crm", "field").len().sort("len", descending=True).rows()
        screen.table(("crm", "field", "changes"), counted)


def show_explanation(screen: Screen, told: Mapping[str, Any]) -> None:
    """One lead, explained to people."""
    _show_verdict(screen, told)
    screen.say("in scope" if told["scope"]["in"] else "out of scope: nothing is written but withdrawals")
    for channel, said in told["consent"].items():
        if said["standing"] != "unknown":
            proof = ", ".join(str(said[what]) for what in ("at", "source", "wording") if said[what])
            screen.say(f"consent, {channel}: {said['standing']}" + (f" ({proof})" if proof else ""))
        if said.get("legal_basis"):
            screen.say(f"legal basis, {channel}: {said['legal_basis']}; that is no consent")
    for one in told["scope"]["because"]:
        screen.say(f"  {one['setting']}: {one['condition']}: {one['answer']}")
    for point in told["points"]:
        screen.say(f"  {point['points']:+4d}  {point['rule']}: {point['because']}")
    _show_social(screen, told)
    for gate in told["gates"]:
        screen.say(f"  gate {gate['name']} ({gate['stage']}, {gate['decided_by']}): {gate['answer']}")
    for missing in told["missing"]:
        screen.say(f"  not known: {missing['name']} ({', '.join(missing['fields'])})")
    change = told["smallest_change"]
    if change:
        screen.say(
            f"smallest change: {change['what']} -> {change['stage']}, {change['temperature']}, score {change['score']}"
        )
    elif told["temperature"]:
        screen.say("smallest change: no single fact and no two of them would change it")
    to_sales = told.get("to_qualify")
    if to_sales and to_sales != change:
        screen.say(f"smallest change that qualifies it: {to_sales['what']} -> {to_sales['stage']}")
    _show_past(screen, told)


def _show_social(screen: Screen, told: Mapping[str, Any]) -> None:
    """What the social signals gave, or that there are none; nothing of a lead that is not scored."""
    if not told["temperature"]:
        return
    social = told["social"]
    said = (
        f"{social['points']:+d} points"
        if social["available"]
        else "not available: no rule looks at one that a CRM feeds"
    )
    screen.say(f"social signals: {said}")


def _show_verdict(screen: Screen, told: Mapping[str, Any]) -> None:
    """Where the lead stands."""
    score = told["score"]
    screen.say(f"{told['email'] or '(no e-mail)'}   lead {told['lead']}")
    warmth = told["temperature"] or "not scored"
    screen.say(f"stage {told['stage']} ({told['why']}); {warmth}; cycle {told['cycle']}")
    if score["total"] is not None:
        screen.say(
            f"score {score['total']} = fit {score['fit']} + engagement {score['engagement']};"
            f" {told['coverage']} % of the rules could be judged; policy {told['policy']}"
            + (f"; grade {told['grade']}" if told["grade"] else "")
        )
    deals = told["deals"]
    if deals:
        counted = ", ".join(f"{deals[name]} {name}" for name in ("open", "won", "lost") if deals[name])
        named = f": {deals['opportunity']}, by {deals['by']}" if deals["opportunity"] else ""
        screen.say(f"opportunities: {counted}{named}")
    if told["wanted"]:
        screen.say(f"wanted before it is judged: {', '.join(told['wanted'])}")
    if told["company_lead"]:
        screen.say("a company lead: no person of it is known")
    if not told["reproduced"]:
        screen.say("repeated from what was stored, it comes out otherwise: please tell us")


def _show_past(screen: Screen, told: Mapping[str, Any]) -> None:
    """Its handovers, its records, and what was decided and written about it."""
    for cycle in told["handover"]["cycles"]:
        screen.say(
            f"  handover {cycle['cycle']}: {cycle['state']}, to {cycle['owner'] or 'nobody in particular'} at"
            f" {cycle['handed_over_at']}; due {cycle['due_at']}; first touch {cycle['first_touch_at']}"
            + (f"; {cycle['reason']}" if cycle["reason"] else "")
            + ("; exploration, drawn below the line" if cycle["handed_by"] == EXPLORATION else "")
            + (f"; lost on {cycle['lost_on']}: {cycle['lost_reason'] or '?'}" if cycle["lost_on"] else "")
        )
    for record in told["records"]:
        screen.say(f"  {record['crm']} {record['object']} {record['record']}{_fate(record)}")
    for old in told["known_before_as"]:
        screen.say(f"  was also known as {old}; both are one lead since their records were merged")
    for was in told["former_addresses"]:
        screen.say(f"  had the address {was['address']} until {was['since']}")
    for decision in told["decisions"]:
        screen.say(
            f"  {decision['decided_at']}  {decision['decided_by']} decided: {decision['kind']}"
            f" {decision['field']} {decision['answer']}"
        )
    for conflict in told["conflicts"]:
        hubspot, salesforce = (conflict[f"{crm}_record"] for crm in ("hubspot", "salesforce"))
        screen.say(
            f"conflict on {conflict['field']}: {conflict['winner']} won by the rule {conflict['rule']};"
            f" HubSpot {f'{hubspot} ' if hubspot else ''}had {conflict['hubspot_value']!r} ({conflict['hubspot_at']}),"
            f" Salesforce {f'{salesforce} ' if salesforce else ''}{conflict['salesforce_value']!r}"
            f" ({conflict['salesforce_at']})"
        )
    for entry in told["history"][:SHOWN_HISTORY]:
        if entry["what"] == "verdict":
            screen.say(
                f"  {entry['at']}  verdict {entry['stage']}, {entry['temperature']}, score {entry['score']}"
            )
        else:
            screen.say(
                f"  {entry['at']}  {entry['what']} {entry['crm']} {entry['field']}:"
                f" {entry['before']!r} -> {entry['after']!r} ({entry['why']})"
            )
    earlier = len(told["history"]) - SHOWN_HISTORY
    if earlier > 0:
        screen.say(f"  … and {earlier} more; --json has them all")


def show_undone(screen: Screen, done: Undone, of_run: int) -> None:
    """What an undo restored, and what it left with the reason."""
    screen.say(
        f"Run {of_run}: {done.restored} changes taken back, {len(done.left)} left. This is run {done.run}."
    )
    screen.table(
        ("lead", "CRM", "record", "field", "left because", "changed at", "changed by"),
        [
            (
                one.lead,
                one.crm,
                one.record,
                one.field or "(the record)",
                one.why,
                one.changed_at,
                one.changed_by,
            )
            for one in done.left
        ],
    )
    screen.say(
        "Mails, tasks and automations that the run may have started are not undone. What was taken back is not"
        " written again until it would be something else; to have it written again, undo this run."
    )


def _fate(record: dict[str, Any]) -> str:
    """What became of a record, for whoever asks why nothing is written to it."""
    state, became = record.get("state"), record.get("became")
    if state == "gone":
        return ": gone; its lead stays, and nothing is created in its place"
    if state == "merged":
        return f": merged into {became}"
    if state == "converted":
        parts = ", ".join(f"{name} {number}" for name, number in (became or {}).items())
        return f": converted ({parts}); Salesforce takes no more changes to it"
    return ""
