"""What ``check`` says about who gets leads: owners who are not there, routes that end nowhere, people not told."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from connectors.errors import NeedsPerson
from sync.notices import TASK
from sync.owners import Owners, read_owners
from sync.plan import NAMES
from sync.routing_rules import OWNER_FIELDS, RoutingRules
from sync.work import CRMS, Work
from sync.wrongconfig import Problem, found

Where = Callable[[str], str]


def of_routing(work: Work, where: Where) -> Iterator[Problem]:
    """Everything about the routes and their people, as both CRMs know them now. Writes nothing."""
    rules = work.routing
    if rules is None:
        return
    try:
        owners = Owners(read_owners(work.crms), rules.same)
    except NeedsPerson as hidden:
        yield found(
            where("handover.routes"),
            "error",
            f"{NAMES.get(hidden.crm, 'a CRM')} does not let us read its owners: {hidden}",
            hidden.fix
            or "give HubSpot's app crm.objects.owners.read, and Salesforce's user sight of users and queues",
        )
        return
    yield from of_people(rules, owners, where)
    yield from _of_rights(work, rules, where)
    if rules.routes and not any(_takes_the_rest(rules, place) for place in range(len(rules.routes))):
        yield found(
            where("handover.routes"),
            "warning",
            "no route takes the rest: a lead that fits none is handed over to nobody",
            "add a route without conditions at the end",
        )
    for problem, count in work.store.notices.problems():
        yield found(
            where("handover.tasks"),
            "warning",
            f"somebody was not told of {count} handovers: {problem}",
            "mend the cause; `leadpact explain` shows what a lead's owner was told",
        )


def _takes_the_rest(rules: RoutingRules, place: int) -> bool:
    route = rules.routes[place]
    return (
        route.when is None
        and route.accounts is None
        and not route.countries
        and not route.postal_codes
        and bool(route.targets)
    )


def of_people(rules: RoutingRules, owners: Owners, where: Where) -> Iterator[Problem]:
    """Everybody whom the config names, as both CRMs know them. Pure."""
    yield from _of_targets(rules, owners, where)
    yield from _of_names(rules, owners, where)


def _of_targets(rules: RoutingRules, owners: Owners, where: Where) -> Iterator[Problem]:
    """Owners of the routes who are unknown, left, or are not the same in both CRMs."""
    for place, route in enumerate(rules.routes):
        at = where(f"handover.routes[{place}].to")
        for _, owner, queue in rules.named_on(route):
            known = owners.by_key.get(owner)
            if queue and (known is None or not known.queue):
                yield found(
                    at,
                    "error",
                    f"route “{route.name}”: Salesforce has no queue {owner} for these records",
                    "correct the name, or let the queue hold them",
                )
            elif owner in owners.gone:
                yield found(
                    at,
                    "error",
                    f"route “{route.name}”: {owner} is no longer active in Salesforce",
                    "take them out of the route; meanwhile the others on it get the leads",
                )
            elif known is None or (known.queue and not queue):
                yield found(
                    at,
                    "error",
                    f"route “{route.name}”: Salesforce has no user with the address {owner}",
                    "correct the address; a queue is written as “queue: its name”",
                )
            elif not queue and known.hubspot is None:
                yield found(
                    at,
                    "warning",
                    f"route “{route.name}”: HubSpot has no owner with the address {owner}; the contact's owner"
                    " stays as it is",
                    "name their address in HubSpot under [handover.same_owner], or add them there",
                )


def _of_names(rules: RoutingRules, owners: Owners, where: Where) -> Iterator[Problem]:
    """People whom the other settings name."""
    hubspot = {row["email"].lower() for row in owners.rows.iter_rows(named=True) if row["crm"] == "hubspot"}
    asked = [("handover.absent", owner) for owner in rules.absent]
    asked += [("handover.same_owner", owner) for owner in rules.same.values()]
    asked += [("handover.escalate_to", rules.escalate_to)] if rules.escalate_to else []
    for path, owner in asked:
        if owner not in owners.by_key:
            yield found(
                where(path),
                "warning",
                f"{path}: no active user of Salesforce has the address {owner}",
                "correct the address",
            )
    for theirs in rules.same:
        if theirs not in hubspot:
            yield found(
                where("handover.same_owner"),
                "warning",
                f"handover.same_owner: HubSpot has no owner with the address {theirs}",
                "correct the address",
            )
    for owner in sorted(owners.twice & {owner for _, owner, _ in rules.named}):
        yield found(
            where("handover.routes"),
            "warning",
            f"two active users of Salesforce have the address {owner}: the first one gets the leads",
            "give each user an address of their own",
        )


def _of_rights(work: Work, rules: RoutingRules, where: Where) -> Iterator[Problem]:
    """What the CRMs do not let us write."""
    writable = work.writable()
    for crm in CRMS if rules.routes else ():
        theirs = OWNER_FIELDS[crm][1]
        if theirs not in writable.updatable[crm]:
            yield found(
                where("handover.routes"),
                "error" if crm == "salesforce" else "warning",
                f"{NAMES[crm]} does not let us write {theirs}: leads are given to nobody there",
                "give the integration user the right to edit and transfer these records",
            )
    if not rules.tasks:
        return
    try:
        fields = work.crms["salesforce"].describe(TASK).fields
        able = all(
            name in fields and fields[name].creatable
            for name in ("WhoId", "OwnerId", "Subject", "Description")
        )
    except NeedsPerson:
        able = False
    if not able:
        yield found(
            where("handover.tasks"),
            "warning",
            "Salesforce does not let us make tasks",
            "give the integration user the right to edit tasks, or set handover.tasks = false",
        )
