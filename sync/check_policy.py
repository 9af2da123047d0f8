"""What ``check`` says about the policy: rules that can never fire here, and what each signal needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mapping.lead import DERIVED_FIELDS
from mapping.qualification.deals import DEAL_FIELDS
from mapping.qualification.declared import Policy
from mapping.qualification.reachable import can_be_true
from mapping.qualification.signals import signals_of
from sync.deals import can_see_deals
from sync.plan import NAMES
from sync.work import CRMS, Work
from sync.wrongconfig import Problem


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
    absent = _absent(work)
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
    """Each signal that the policy looks at, with its source, edition and scope."""
    looked_at = frozenset(name for condition in work.policy.conditions() for name in condition.fields)
    for signal in signals_of(looked_at):
        yield Problem(
            where=where("policy"), severity="note", problem=f"signal {signal.name}", fix=signal.sentence()
        )


def asked_in(policy: Policy) -> Iterator[Asked]:
    """Every rule, gate, piece of evidence and re-entry condition, with its path in the policy."""
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


def _absent(work: Work) -> dict[str, str]:
    """Lead fields that are never known here, and why: nothing feeds them, or the account lacks what would."""
    absent = {}
    deals = can_see_deals(work)
    for name in work.fields:
        if name in DERIVED_FIELDS or (deals and name in DEAL_FIELDS and name not in work.field_map.rules):
            continue
        rule = work.field_map.rules.get(name)
        named = {crm: rule.source(crm, work.objects[crm]) for crm in CRMS} if rule is not None else {}
        sources = {crm: source for crm, source in named.items() if source is not None}
        there = any(
            source in (known := work.crms[crm].describe(work.objects[crm]).fields) and known[source].readable
            for crm, source in sources.items()
        )
        if not sources:
            unseen = "opportunities or their contact roles are not visible to us, and "
            absent[name] = (unseen if name in DEAL_FIELDS else "") + f"no CRM field feeds {name}"
        elif not there:
            told = " or ".join(f"{NAMES[crm]} {source}" for crm, source in sources.items())
            absent[name] = f"this account has no {told} for {name}"
    return absent
