"""Settle what is held as a person decides it; the decision is kept, and nobody is asked again.

    take(work, held, side)       a field that both sides changed: one side's value, or another one
    link(work, held, one, other) an ambiguous record: these two are one person
    separate(work, held)         an ambiguous record: it is nobody else's

A decision is made a fact in memory, and an ordinary run over that lead alone carries it out: bases are set so that
the chosen side is the one that changed, links are set so that nobody has to be guessed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from connectors.crm import ABSENT, RECORD_ID, SLAB_SCHEMA
from sync.errors import GuardStopped, WrongUse
from sync.merge import MergeRule
from sync.plan import CHANGES
from sync.read import RAW, read_records
from sync.run import Asked, perform
from sync.running import running
from sync.slices import lead_name
from sync.store.identity import Decision
from sync.store.leads import BASES, NEW_LINKS
from sync.store.runs import Numbers
from sync.tally import Outcome
from sync.work import CRMS, Work
from sync.write import carry_out

Held = Mapping[str, Any]
Record = tuple[str, str]  #: (crm, record id)
OTHER = {"hubspot": "salesforce", "salesforce": "hubspot"}


@dataclass(frozen=True, slots=True)
class Resolved:
    """What became of a decision. ``outcome`` None: the next sync carries it out."""

    decision: int
    outcome: Outcome | None


def held_row(work: Work, number: int) -> Held:
    """The open row with this number. Raises WrongUse when there is none."""
    for row in work.store.journal.open_held():
        if row["held_id"] == number:
            return row
    raise WrongUse(
        f"nothing is held under {number}", fix="`leadpact held` lists what waits, with its numbers"
    )


def take(work: Work, held: Held, answer: str, who: str) -> Resolved:
    """Settle a field: ``answer`` is hubspot, salesforce, or a value as HubSpot spells it.

    Raises WrongUse where the row is no conflict, GuardStopped where a record moved since it was held.
    """
    if held["kind"] != "conflict":
        raise WrongUse(
            f"held {held['held_id']} is {held['kind']}, not a field that both sides changed",
            fix="--link or --separate settle an ambiguous record; the others settle themselves once mended",
        )
    rule = next(rule for rule in work.rules if rule.field == held["field"])
    if rule.opt_out:
        raise WrongUse(
            "whether somebody may be written to is not for us to decide",
            fix="set the opt-out in the CRM where the person said so",
        )
    ids = dict(work.store.leads.records_of(held["lead_id"]))
    now = {crm: _as_now(work, crm, ids[crm]) for crm in CRMS if crm in ids}
    _still_as_held(held, rule, now)
    settled = Decision(**_about(held), kind="take", answer=answer, who=who)
    decision = work.store.identity.decide(settled, work.clock())
    if answer not in CRMS:
        _write_value(work, held, rule, ids["hubspot"], answer)
    loser = "hubspot" if answer == "salesforce" else "salesforce"
    _agree_on(work, rule, ids, now[loser])
    return Resolved(decision, _carry_out(work, {crm: [record] for crm, record in ids.items()}))


def _about(held: Held) -> dict[str, Any]:
    names = ("held_id", "lead_id", "crm", "object", "record_id", "field")
    return {**{name: held[name] for name in names}, "seen": held["details"]}


def _as_now(work: Work, crm: str, record: str) -> pl.DataFrame:
    frames = [
        read_records(work, crm, slab.frame.filter(~pl.col("_archived")))
        for slab in work.crms[crm].fetch(work.objects[crm], work.asked(crm), [record])
    ]
    found = pl.concat(frames) if frames else None
    if found is None or found.is_empty():
        raise GuardStopped(f"{crm}: the record is gone. Nothing was written", fix="run `leadpact sync`")
    return found


def _still_as_held(held: Held, rule: MergeRule, now: Mapping[str, pl.DataFrame]) -> None:
    seen = json.loads(held["details"])
    for crm in CRMS:
        value = now[crm].select(pl.col(rule.field).cast(pl.String)).item() if crm in now else None
        if value != seen.get(crm):
            raise GuardStopped(
                f"{rule.field} has changed in {crm} since it was held. Nothing was written",
                fix="run `leadpact sync`, and look at `leadpact held` again",
            )


def _agree_on(work: Work, rule: MergeRule, ids: Mapping[str, str], loser: pl.DataFrame) -> None:
    """Let both bases hold the loser's value: then only the winner has changed."""
    records = pl.DataFrame(
        [{"crm": crm, "object": work.objects[crm], "record_id": record} for crm, record in ids.items()]
    )
    stored = work.store.leads.bases(records)
    with work.store.transaction():
        for crm, record in ids.items():
            snapshots = work.record_snapshots(crm)
            text = stored.filter(pl.col("crm") == crm)["record_values"]
            before = snapshots.decode(text if len(text) else pl.Series([None], dtype=pl.String))
            agreed = before.with_columns(
                pl.Series(name, [loser[name].item()], dtype=before.schema[name])
                for name in rule.names
                if name in before.columns
            )
            row = pl.DataFrame(
                {"crm": [crm], "object": [work.objects[crm]], "record_id": [record]}
            ).with_columns(record_values=snapshots.encode(agreed), record_mark=pl.lit(None, dtype=pl.Int64))
            run = work.store.runs.latest()
            work.store.leads.remember_bases(row.select(*BASES), run, work.clock())


def _write_value(work: Work, held: Held, rule: MergeRule, contact: str, value: str) -> None:
    """Write a person's own value to HubSpot, from where the run after it carries it on."""
    source = work.field_map.rules[rule.field].source("hubspot", work.objects["hubspot"])
    writable = dict(work.field_map.writable("hubspot", work.objects["hubspot"]))
    if source is None or rule.field not in writable:
        raise WrongUse(f"{rule.field} cannot be written to HubSpot", fix="take hubspot or salesforce")
    blank = [pl.lit(None, dtype=dtype).alias(name) for name, dtype in SLAB_SCHEMA.items() if name != ABSENT]
    typed = pl.DataFrame({source: [value]}).select(
        *blank, pl.lit(None, dtype=pl.List(pl.String)).alias(ABSENT), source
    )
    read = read_records(work, "hubspot", typed.with_columns(pl.lit(contact).alias(RECORD_ID)))
    if read[rule.field].item() is None or read[RAW + source].item() is None:
        raise WrongUse(f"{value!r} cannot be read as {rule.field}", fix="spell it as HubSpot does")
    changes = _own_value(work, held, contact, source, value)
    now, journal = work.clock(), work.store.journal
    _may_write(work)
    command = f"resolve {held['held_id']}"
    with running(work, command, now) as opened:
        outcome = opened.count(Outcome(opened.run, command, at=now))
        with work.store.transaction():
            journal.intend(changes, opened.run, now)
        results = carry_out(work, changes)
        with work.store.transaction():
            journal.settle(results.changes, opened.run, now)
        refused = int(bool(results.refusals))
        outcome.numbers = Numbers(targets=1, written=1 - refused, refused=refused)
    if results.refusals:
        raise GuardStopped("hubspot refused the value", fix="see `leadpact explain`")


def _own_value(work: Work, held: Held, contact: str, source: str, value: str) -> pl.DataFrame:
    """The one change (``plan.CHANGES``) that a person's own value is."""
    row = {
        **dict.fromkeys(CHANGES),
        "lead_id": held["lead_id"],
        "crm": "hubspot",
        "object": work.objects["hubspot"],
        "record_id": contact,
        "field": held["field"],
        "crm_field": source,
        "before": json.loads(held["details"]).get("hubspot"),
        "after": value,
        "why": f"a person settled held {held['held_id']}",
        "lane": "live",
        "kind": "set",
    }
    return pl.DataFrame([row], schema=dict(CHANGES))


def _may_write(work: Work) -> None:
    if work.mode != "full" or work.store.runs.approved_at is None:
        raise GuardStopped(
            "a value of your own can only be written once syncs may write. Nothing was written",
            fix="set sync.mode to full and approve the first sync",
        )


def link(work: Work, held: Held, one: Record, other: Record, who: str) -> Resolved:
    """Say that two records, one of each CRM, are one person. Raises WrongUse where that cannot be."""
    _ambiguous(held)
    if {one[0], other[0]} != set(CRMS):
        raise WrongUse(
            "a link joins a HubSpot record and a Salesforce record", fix="--link hubspot:ID=salesforce:ID"
        )
    if (held["crm"], held["record_id"]) not in (one, other):
        raise WrongUse(
            f"held {held['held_id']} is about {held['crm']}:{held['record_id']}", fix="name it in --link"
        )
    identity, now = work.store.identity, work.clock()
    leads = {crm: _lead_of(work, crm, record) for crm, record in (one, other)}
    known = list(dict.fromkeys(lead for lead in leads.values() if lead))
    for crm, record in (one, other):
        _room_for(work, crm, record, [lead for lead in known if lead != leads[crm]])
    with work.store.transaction():
        settled = Decision(
            **_about(held), kind="link", answer=f"{one[0]}:{one[1]}={other[0]}:{other[1]}", who=who
        )
        decision = identity.decide(settled, now)
        identity.bring_together(one, other)
        lead = known[0] if known else lead_name(*one)
        if len(known) > 1:
            identity.absorb(known[1], lead, f"a person said so (held {held['held_id']})", now)
        _set_links(work, lead, [record for record in (one, other) if leads[record[0]] is None])
    return Resolved(decision, _carry_out(work, {crm: [record] for crm, record in (one, other)}))


def separate(work: Work, held: Held, who: str) -> Resolved:
    """Say that an ambiguous record is none of its plausible counterparts: each is a lead of its own."""
    _ambiguous(held)
    record: Record = (held["crm"], held["record_id"])
    others: list[Record] = []
    for text in json.loads(held["details"])["others"]:
        crm, _, number = text.partition(":")
        others.append((crm, number))
    with work.store.transaction():
        settled = Decision(**_about(held), kind="separate", answer=" ".join(map(":".join, others)), who=who)
        decision = work.store.identity.decide(settled, work.clock())
        for each in (record, *others):
            if _lead_of(work, *each) is None:
                _set_links(work, lead_name(*each), [each])
        for each in others:
            work.store.identity.keep_apart(record, each, decision)
    names: dict[str, list[str]] = {crm: [] for crm in CRMS}
    for crm, number in (record, *others):
        names[crm].append(number)
    return Resolved(decision, _carry_out(work, names))


def _ambiguous(held: Held) -> None:
    if held["kind"] != "ambiguous":
        raise WrongUse(
            f"held {held['held_id']} is {held['kind']}, not an ambiguous record",
            fix="--take settles a field that both sides changed; the others settle themselves once mended",
        )


def _lead_of(work: Work, crm: str, record: str) -> str | None:
    return dict(work.store.identity.linked(crm, work.objects[crm], [record])).get(record)


def _room_for(work: Work, crm: str, record: str, leads: list[str]) -> None:
    """A lead has one record in each CRM."""
    for lead in leads:
        taken = dict(work.store.leads.records_of(lead)).get(crm)
        if taken is not None and taken != record:
            raise WrongUse(
                f"that lead has {crm}:{taken} already, and a lead has one record in each CRM",
                fix=f"merge {crm}:{record} and {crm}:{taken} in the CRM; the next sync follows",
            )


def _set_links(work: Work, lead: str, records: list[Record]) -> None:
    rows = [
        {
            **dict.fromkeys(NEW_LINKS),
            "lead_id": lead,
            "crm": crm,
            "object": work.objects[crm],
            "record_id": number,
            "how": "person",
        }
        for crm, number in records
    ]
    if rows:
        run = work.store.runs.latest()
        work.store.leads.remember_links(pl.DataFrame(rows, schema=dict(NEW_LINKS)), run, work.clock())


def _carry_out(work: Work, names: Mapping[str, list[str]]) -> Outcome | None:
    """A run over these records alone; None where syncs do not write yet, and the first one that does will."""
    if work.mode == "observe" or work.store.runs.approved_at is None:
        # One that is under way has read, and maybe decided, before: by this run it knows that somebody was here since.
        with running(work, "resolve", work.clock()):
            return None
    return perform(work, Asked("resolve", names=names, collect=True))
