"""Compare the config with the live schemas of both CRMs, and say each problem with its line and a fix."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterator

import polars as pl

from connectors.crm import FieldInfo, ObjectSchema
from mapping.identity import derive
from mapping.lead import FieldType
from mapping.own import OWN_FIELDS
from mapping.qualification.hits import hits
from mapping.qualification.judge import judge
from mapping.rules import FieldRule
from sync.beside import problems_beside
from sync.bytime import NEWEST
from sync.check_creates import of_creates
from sync.check_options import of_options
from sync.check_policy import of_policy, signals_told
from sync.check_routing import of_routing
from sync.errors import GuardStopped
from sync.newly_mapped import not_read_for_all
from sync.plan import NAMES
from sync.record_types import of_types
from sync.setup import OURS, needed_fields
from sync.setup_options import options_told
from sync.turned import CONTACT, can_see_contacts
from sync.work import CRMS, Work
from sync.wrongconfig import Problem, found

#: Stored leads that a rule is tried on at most.
SAID_BACK = 100_000

#: Characters of a text that has no length of its own (HubSpot reference, section 6.1), and from which on a field is
#: long enough for what people type into one line.
UNBOUNDED, SHORT = 65_536, 60


def check(work: Work, where: Callable[[str], str]) -> list[Problem]:
    """Everything that would go wrong at write time, found before. Reads both schemas, writes nothing."""
    problems = of_map(work, where)
    for rule in work.field_map.rules.values():
        problems += _of_rule(rule, where)
    problems += of_policy(work, where)
    problems += _rules_back(work, where)
    problems += signals_told(work, where)
    problems += _of_noise(work, where)
    problems += _of_pilot(work, where)
    problems += _of_contacts(work)
    problems += of_creates(work, where)
    problems += of_options(work, where)
    problems += of_types(work)
    problems += of_routing(work, where)
    problems += problems_beside(work, where)
    problems += [
        found(where(f"fields.{one.fields[0]}"), "warning", str(one), one.fix)
        for one in not_read_for_all(work)
    ]
    return problems


def of_map(work: Work, where: Callable[[str], str]) -> list[Problem]:
    """What the map names and a CRM does not have, or not as it is needed. Reads both schemas, writes nothing."""
    problems: list[Problem] = []
    schemas = {crm: work.crms[crm].describe(work.objects[crm]) for crm in CRMS}
    for rule in work.field_map.rules.values():
        if rule.lead not in {own.lead.name for own in OWN_FIELDS}:
            for crm in CRMS:
                problems += _of_field(work, rule, crm, schemas[crm], where)
    return [*problems, *_of_stages(work, schemas["hubspot"], where), *_of_setup(work)]


def _of_noise(work: Work, where: Callable[[str], str]) -> Iterator[Problem]:
    """Fields that are left alone because something else keeps setting them back (``sync.loops``)."""
    counted = Counter(row["field"] for row in work.store.journal.open_held() if row["kind"] == "noisy")
    for name, leads in sorted(counted.items()):
        yield found(
            where(f"fields.{name}"),
            "warning",
            f"noisy automation: something else keeps setting {name} back, for {leads} leads; it is not written there",
            "find the workflow or flow that sets it, or take the field out of the map; `leadpact held` shows the leads",
        )


def _of_pilot(work: Work, where: Callable[[str], str]) -> Iterator[Problem]:
    """While a pilot stands, nobody but the people of its list is synced: that is said each time."""
    if work.pilot is None:
        return
    at = where("scope.pilot")
    try:
        people = len(work.pilot.members)
    except GuardStopped as stop:
        yield found(at, "error", str(stop), stop.fix)
        return
    yield found(
        at,
        "note",
        f"a pilot: only the {people} people on HubSpot list {work.pilot.list_id} are synced, withdrawals of"
        " everybody aside",
        "look at the plan of the next people before you put them on the list; take scope.pilot out to end it",
    )


def _of_contacts(work: Work) -> Iterator[Problem]:
    if work.objects["salesforce"] != CONTACT and not can_see_contacts(work):
        yield found(
            f"Salesforce {CONTACT}",
            "warning",
            "Contacts are not visible to us: once a lead is converted, nobody tells its Contact what the person does"
            " not want, and an opt-out that is set there is not seen",
            "give the integration user read and edit access to Contacts, HasOptedOutOfEmail and DoNotCall among them",
        )


def failed(problems: list[Problem]) -> bool:
    """Whether something has to be mended before a sync."""
    return any(problem["severity"] == "error" for problem in problems)


def _of_rule(rule: FieldRule, where: Callable[[str], str]) -> Iterator[Problem]:
    if rule.if_both_changed == NEWEST and rule.direction == "both":
        yield found(
            where(f"fields.{rule.lead}.if_both_changed"),
            "note",
            f"{rule.lead}: the later change stands where both CRMs tell when the field was changed; HubSpot always"
            " does, Salesforce where an admin tracks the field's history",
            "turn on field history for it in Salesforce (at most 20 fields of an object); without it, what both changed"
            " is held for a person",
        )


def _of_field(
    work: Work, rule: FieldRule, crm: str, schema: ObjectSchema, where: Callable[[str], str]
) -> Iterator[Problem]:
    name = rule.source(crm, work.objects[crm])
    if name is None:
        return
    at = where(f"fields.{rule.lead}.{crm}")
    info = schema.fields.get(name)
    if info is None:
        if not name.startswith(OURS[crm]):  # our own are told together, with the command that creates them
            yield _unknown_field(name, crm, schema, at)
        return
    if not info.readable:
        yield found(
            at, "error", f"{NAMES[crm]} does not let us read {name}", "give the integration user access to it"
        )
    if rule.writes_to(crm):
        yield from _of_writing(work, rule, crm, info, at, where)


def _unknown_field(name: str, crm: str, schema: ObjectSchema, at: str) -> Problem:
    near = difflib.get_close_matches(name, schema.fields, n=1)
    hint = f"did you mean {near[0]}? Otherwise" if near else "correct the name, or"
    return found(
        at,
        "error",
        f"{NAMES[crm]} has no field {name} on {schema.object}, or hides it from us",
        f"{hint} give the integration user access to the field",
    )


def _of_writing(
    work: Work, rule: FieldRule, crm: str, info: FieldInfo, at: str, where: Callable[[str], str]
) -> Iterator[Problem]:
    if info.calculated or not info.updatable:
        kind = "calculated" if info.calculated else "read-only"
        # Withdrawals are shown by HubSpot in a field that only its subscription API may change.
        severity = "warning" if work.field_map.fields[rule.lead].opt_out else "error"
        other = "salesforce" if crm == "hubspot" else "hubspot"
        yield found(
            at,
            severity,
            f"{info.name} is {kind} in {NAMES[crm]}: it can be read, and will never be written",
            f'say so: direction = "to_{other}", or "read_only"',
        )
        return
    if (values := work.field_map.values.get(rule.lead)) is not None:
        refused = {common: word for common, word in values.said(crm).items() if info.refuses(word)}
        for common, word in refused.items():
            near = difflib.get_close_matches(word, dict(info.options), n=1)
            yield found(
                where(f"values.{values.name}"),
                "error",
                f"{NAMES[crm]}'s {info.name} has no option for {common!r} spelled {word!r}",
                f"did you mean {near[0]!r}?" if near else f"choose one of its {len(info.options)} options",
            )
    yield from _of_length(work, rule, crm, info, at)


def _of_length(work: Work, rule: FieldRule, crm: str, info: FieldInfo, at: str) -> Iterator[Problem]:
    other = "salesforce" if crm == "hubspot" else "hubspot"
    source = rule.source(other, work.objects[other])
    if source is None or info.length is None or work.field_map.fields[rule.lead].type is not FieldType.TEXT:
        return
    theirs = work.crms[other].describe(work.objects[other]).fields.get(source)
    more = UNBOUNDED if theirs is None or theirs.length is None else theirs.length
    if theirs is None or more <= info.length or (more >= UNBOUNDED and info.length >= SHORT):
        return
    # A standard field is as long as it is, and HubSpot's texts have no end: that is to be known, and no mistake.
    ours_to_widen = more < UNBOUNDED or info.name.endswith("__c")
    yield found(
        at,
        "error" if ours_to_widen else "warning",
        f"{info.name} holds {info.length} characters in {NAMES[crm]}, {source} in {NAMES[other]} {more}:"
        " a longer value will be refused, never cut",
        f"widen {info.name}, map another field, or write in one direction only"
        if ours_to_widen
        else "shorten long values",
    )


def _of_stages(work: Work, schema: ObjectSchema, where: Callable[[str], str]) -> Iterator[Problem]:
    known = set(schema.stages)
    for stage, word in work.stage_words.items():
        if known and word not in known:
            near = difflib.get_close_matches(word, known, n=1)
            yield found(
                where(f"stages.{stage}"),
                "error",
                f"HubSpot has no lifecycle stage {word!r}; it has {', '.join(schema.stages)}",
                f"did you mean {near[0]!r}?" if near else "use the stage's internal name, not its label",
            )


def _of_setup(work: Work) -> Iterator[Problem]:
    needed = needed_fields(work)
    for crm in CRMS:
        missing = [one.spec.name for one in needed if one.crm == crm and not one.there]
        if missing:
            yield found(
                f"{NAMES[crm]} {work.objects[crm]}",
                "error",
                f"{len(missing)} of Leadpact's own fields are missing: {', '.join(missing)}",
                "run `leadpact setup` to see them and `leadpact setup --apply` to create them",
            )
    for option in options_told(needed):
        yield found(
            f"{NAMES[option['crm']]} {option['object']}",
            "error",
            f"{option['field']} lacks the option {option['option']}, so a write of it would be refused",
            f"`leadpact setup --apply` adds it; by hand: internal name {option['option']}, label {option['label']}",
        )


def _rules_back(work: Work, where: Callable[[str], str]) -> Iterator[Problem]:
    """Every rule and gate said back as a sentence, with how many stored leads it fits."""
    ids = work.store.leads.ids_after("", SAID_BACK)
    if ids.is_empty():
        return
    stored = work.store.leads.of(ids)
    values = work.lead_snapshots().decode(stored["lead_values"]).with_columns(stored["lead_id"])
    links = work.store.leads.links_of_leads(stored["lead_id"])
    has = {crm: links.filter(pl.col("crm") == crm)["lead_id"].implode() for crm in CRMS}
    leads = derive(
        values,
        in_hubspot=pl.col("lead_id").is_in(has["hubspot"]),
        in_salesforce=pl.col("lead_id").is_in(has["salesforce"]),
    )
    places = {"fit": 0, "engagement": 0, "gate": 0}
    for hit in hits(judge(leads, work.policy, work.clock()), work.policy):
        path = (
            f"policy.gates[{places['gate']}]"
            if hit.kind == "gate"
            else f"policy.{hit.kind}[{places[hit.kind]}]"
        )
        places[hit.kind] += 1
        yield found(where(path), "note", hit.sentence(work.language), "")
