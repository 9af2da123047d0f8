"""What ``check`` says about the policy: rules that can never fire here, and what each signal needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from mapping.lead import DERIVED_FIELDS
from mapping.qualification.deals import DEAL_FIELDS
from mapping.qualification.declared import Policy
from mapping.qualification.frequency import WEEKLY, WEEKLY_FIELDS
from mapping.qualification.reachable import can_be_true
from mapping.qualification.signals import SIGNALS, signals_of
from sync.check_handover import of_losses, of_marks
from sync.deals import can_see_deals
from sync.plan import NAMES
from sync.setup import OURS
from sync.signals import COMPANY_FIELDS, can_see_companies
from sync.work import CRMS, Work
from sync.wrongconfig import Problem

#: Stored leads that signals are counted over at most.
SAMPLE = 10_000


@dataclass(frozen=True, slots=True)
class Asked:
    """One condition of the policy: where it stands, what it is, and the date that its points age by."""

    path: str
    what: str
    text: str
    fields: tuple[str, ...]
    since: str | None = None


def of_policy(work: Work, where: Callable[[str], str]) -> Iterator[Problem]:
    """Conditions that can never be true in this account, and those that are judged without some of their fields."""
    yield from of_losses(work, where)
    yield from of_marks(work, where)
    absent = {name: because for name, because in _absent(work).items() if not _to_be_made(work, name)}
    for one in asked_in(work.policy):
        missing = [name for name in (*one.fields, *((one.since,) if one.since else ())) if name in absent]
        if not missing:
            continue
        never = one.since in missing or not can_be_true(one.text, missing)
        because = "; ".join(dict.fromkeys(absent[name] for name in missing))
        yield Problem(
            where=where(one.path),
            severity="warning",
            problem=f"{one.what} {'can never fire here' if never else 'is judged without a part of it'}: {because}",
            fix="map the field under [fields], or take it out of the condition",
        )


def signals_told(work: Work, where: Callable[[str], str]) -> Iterator[Problem]:
    """Each kind of signal: whether this account answers for it, how many leads of a sample have it, who reads it.

    Each comes with its source, and the edition and scope that it takes.
    """
    looked_at = frozenset(name for condition in work.policy.conditions() for name in condition.fields)
    absent = _absent(work)
    ids = work.store.leads.ids_after("", SAMPLE)
    leads = work.lead_snapshots().decode(work.store.leads.of(ids)["lead_values"])
    for signal in SIGNALS:
        there = sorted(signal.fields - absent.keys())
        answered = _answered(there, leads)
        read = signal in signals_of(looked_at)
        yield Problem(
            where=where("policy"),
            severity="note",
            problem=f"signal {signal.name}: {answered}" + ("" if read else "; no rule reads it"),
            fix=f"{_to_do(read, bool(there))}{signal.sentence()}",
        )


def _to_do(read: bool, there: bool) -> str:
    return "" if read else "nothing, a rule may read it; " if there else "nothing; "


def _answered(there: Sequence[str], leads: pl.DataFrame) -> str:
    """Whether an account has a signal, and how many of the stored leads show it: a count above zero, or a date."""
    if not there:
        return "not available, no field of this account feeds it"
    if leads.is_empty():
        return "this account answers for it; no lead is stored yet"
    shown = [
        pl.col(name) > 0 if leads.schema[name].is_numeric() else pl.col(name).is_not_null() for name in there
    ]
    hits = leads.select(pl.any_horizontal(shown).fill_null(value=False).sum()).item()
    return f"this account answers for it; {hits:,} of {leads.height:,} leads have it"


def asked_in(policy: Policy) -> Iterator[Asked]:
    """Every rule, gate, piece of evidence, condition of re-entry and of nurture tracks, with its path in the policy."""
    places = {"fit": 0, "engagement": 0}
    for rule in policy.rules:
        path = f"policy.{rule.group}[{places[rule.group]}].when"
        places[rule.group] += 1
        yield Asked(path, f"the rule “{rule.name}”", rule.when.text, rule.when.fields, rule.since)
    for place, gate in enumerate(policy.gates):
        yield Asked(
            f"policy.gates[{place}].when", f"the gate “{gate.name}”", gate.when.text, gate.when.fields
        )
    for place, shown in enumerate(policy.evidence):
        what = f"the evidence “{shown.name}”"
        yield Asked(f"policy.evidence[{place}].when", what, shown.when.text, shown.when.fields)
    if policy.reentry is not None and policy.reentry.when is not None:
        again = policy.reentry.when
        yield Asked("policy.reentry.or_when", "the re-entry rule", again.text, again.fields)
    for place, track in enumerate(policy.tracks):
        what = f"the nurture track “{track.name.strip()}”"
        yield Asked(f"nurture[{place}].when", what, track.when.text, track.when.fields)
        if track.exit is not None:
            yield Asked(
                f"nurture[{place}].exit", f"the exit of {what[4:]}", track.exit.text, track.exit.fields
            )


def _absent(work: Work) -> dict[str, str]:
    """Lead fields that are never known here, and why: nothing feeds them, or the account lacks what would."""
    absent = {}
    beside = _beside(work)
    for name in work.fields:
        if name in DERIVED_FIELDS:
            continue
        if name in beside and name not in work.field_map.rules:
            if beside[name]:
                absent[name] = beside[name]
            continue
        sources = _sources(work, name)
        there = any(
            source in (known := work.crms[crm].describe(work.objects[crm]).fields) and known[source].readable
            for crm, source in sources.items()
        )
        if not sources:
            absent[name] = f"no CRM field feeds {name}"
        elif not there:
            told = " or ".join(f"{NAMES[crm]} {source}" for crm, source in sources.items())
            absent[name] = f"this account has no {told} for {name}"
    return absent


def _to_be_made(work: Work, name: str) -> bool:
    """Whether `leadpact setup` creates what feeds a field: ``sync.check`` says once for all of them what is missing."""
    return any(source.startswith(OURS[crm]) for crm, source in _sources(work, name).items())


def _sources(work: Work, name: str) -> dict[str, str]:
    """What feeds a lead field, by CRM."""
    rule = work.field_map.rules.get(name)
    named = {crm: rule.source(crm, work.objects[crm]) for crm in CRMS} if rule is not None else {}
    return {crm: source for crm, source in named.items() if source is not None}


def _beside(work: Work) -> dict[str, str]:
    """Lead fields that are read beside the records, and why one of them is never known here; empty where it is."""
    deals = "" if can_see_deals(work) else "opportunities or their contact roles are not visible to us"
    companies = "" if can_see_companies(work) else "companies are not visible to us"
    found = dict.fromkeys(DEAL_FIELDS, deals) | dict.fromkeys(COMPANY_FIELDS, companies)
    contact = work.crms["hubspot"].describe(work.objects["hubspot"]).fields
    for name in WEEKLY_FIELDS:
        counter = WEEKLY[name].counter
        rule = work.field_map.rules.get(counter)
        source = None if rule is None else rule.source("hubspot", work.objects["hubspot"])
        known = source is not None and source in contact
        found[name] = (
            "" if known else f"it is counted from the history of {counter}, which HubSpot does not feed here"
        )
    return found
