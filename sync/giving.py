"""Who is to have one lead: kept, chosen by a person, given out of turn, or the next on its route. Pure.

An owner whom a person set after us is never taken away, unless they work here no longer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from mapping.qualification.routing import Desk, Target, next_in_turn
from sync.owners import Owner, Owners
from sync.routing_rules import RoutingRules

#: What the ledger is told where nobody has a lead yet, as against not being told anything.
NOBODY = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One lead that sales get, or have.

    ``route``: the place of its route, None: none fits. ``owners``: CRM to the owner id that its record shows.
    ``open_to``: CRMs that may be written to. ``known``: Salesforce let us read the owner. ``untouched``: sales have
    not done anything yet. ``reassigned``: how often its time ran out. ``gave``: what it was given last in this cycle.
    """

    lead_id: str
    cycle: int
    domain: str | None
    route: int | None
    owners: Mapping[str, str | None]
    open_to: frozenset[str]
    known: bool = True
    untouched: bool = True
    reassigned: int = 0
    gave: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """``owner``: for the ledger (None: nobody says). ``row``: what is to be kept. ``shows``: CRM to owner id to write.
    ``again``: a dead run gave it away already. ``step``: how the turns have moved by it."""

    lead_id: str
    owner: str | None
    row: dict[str, Any] | None = None
    shows: Mapping[str, str] = field(default_factory=dict)
    why: str = ""
    again: bool = False
    step: Mapping[tuple[str, str], int] = field(default_factory=dict)


class Giver:
    """Gives leads away one after the other. ``desk`` moves with each; ``may_write``: owners may be set at all."""

    def __init__(
        self, rules: RoutingRules, owners: Owners, desk: Desk, now: datetime, *, may_write: bool
    ) -> None:
        self._rules = rules
        self._owners = owners
        self._desk = desk
        self._now = now
        self._may_write = may_write and bool(rules.routes)
        self._sales = {owner for _, owner, queue in rules.named if not queue}

    def outcome(self, row: Row) -> Outcome:
        """Who has the lead, or is to have it."""
        present = self._person("salesforce", row)
        if not row.known:
            return Outcome(row.lead_id, None)
        if not self._may_write:
            return Outcome(row.lead_id, present.key if present else None)
        if row.gave is None:
            return self._first(row, present)
        return self._later(row, row.gave, present)

    def _person(self, crm: str, row: Row) -> Owner | None:
        found = self._owners.person(crm, row.owners[crm])
        return None if found is None or found.key in self._rules.nobody else found

    def _here(self, owner: str) -> bool:
        return owner in self._owners.by_key and not self._rules.is_away(owner, self._now)

    def _first(self, row: Row, present: Owner | None) -> Outcome:
        if not row.untouched:
            # Somebody is at it already.
            return Outcome(row.lead_id, present.key if present else None)
        if self._rules.keep_owner:
            shown = self._person("hubspot", row)
            if present is not None and self._here(present.key):
                return self._has(row, present, 1, 0, "already theirs in Salesforce")
            if shown is not None and shown.key in self._sales and self._here(shown.key):
                return self._has(row, shown, 1, 0, "already theirs in HubSpot")
        return self._next(row, 1, 0, None) or Outcome(row.lead_id, NOBODY)

    def _later(self, row: Row, gave: Mapping[str, Any], present: Owner | None) -> Outcome:
        number, ours = gave["number"] + 1, gave["salesforce_owner"]
        shows = row.owners["salesforce"]
        expected = (ours,) if gave["settled"] else (ours, gave["before"])
        if shows is not None and shows not in expected:
            if present is not None:
                return self._has(row, present, number, gave["turn"], "chosen in Salesforce", gave)
            if not self._owners.has_left("salesforce", shows):
                # Somebody put it back into a queue, or took our change back: it waits for a person.
                return Outcome(row.lead_id, NOBODY)
            return self._next(row, number, gave["turn"], None) or Outcome(row.lead_id, NOBODY)
        if not gave["settled"]:
            if gave["queue"] or gave["owner"] in self._owners.by_key:
                return self._same(row, gave)
            return self._next(row, number, gave["turn"], gave["owner"]) or Outcome(row.lead_id, NOBODY)
        theirs = self._person("hubspot", row)
        if (
            gave["hubspot_owner"] is not None
            and row.owners["hubspot"] != gave["hubspot_owner"]
            and theirs is not None
            and theirs.key in self._sales
        ):
            return self._has(row, theirs, number, gave["turn"], "chosen in HubSpot", gave)
        return self._kept(row, gave, number)

    def _kept(self, row: Row, gave: Mapping[str, Any], number: int) -> Outcome:
        """The owner whom we gave it to, unless they cannot have it any more."""
        owner, turn = gave["owner"], max(row.reassigned, gave["turn"])
        if gave["queue"]:
            return Outcome(row.lead_id, NOBODY)
        may = bool(gave["route"]) and row.untouched
        reasons = (
            (owner not in self._owners.by_key, "instead of somebody who left"),
            (may and row.reassigned > gave["turn"], "instead of somebody whose time was up"),
            (may and self._rules.is_away(owner, self._now), "instead of somebody who is away"),
        )
        for holds, because in reasons:
            if holds:
                return self._next(row, number, turn, owner, because) or Outcome(row.lead_id, owner)
        return Outcome(row.lead_id, owner)

    def _next(
        self, row: Row, number: int, turn: int, without: str | None, because: str = ""
    ) -> Outcome | None:
        """The next on the lead's route; None where nobody can take it."""
        if row.route is None:
            return None
        route = self._rules.routes[row.route]

        def can(target: Target) -> bool:
            known = self._owners.by_key.get(target.owner)
            if known is None or known.queue != target.queue or target.owner == without:
                return False
            return target.queue or self._here(target.owner)

        chosen = next_in_turn(route, self._desk, can, row.domain)
        if chosen is None:
            return None
        named = (route.accounts or {}).get((row.domain or "").lower()) == chosen.owner
        why = "a named account" if named else "next in turn"
        why = f"{why}, {because}" if because else why
        owner = self._owners.by_key[chosen.owner]
        given = self._give(
            row, owner, number, turn, route.name, why, dict.fromkeys(row.open_to, True), without
        )
        return replace(given, step=self._desk.step)

    def _has(
        self,
        row: Row,
        owner: Owner,
        number: int,
        turn: int,
        why: str,
        gave: Mapping[str, Any] | None = None,
    ) -> Outcome:
        """Somebody has it already: the other CRM follows, unless a person has set another owner there too."""
        may = {
            crm: gave is None or row.owners[crm] is None or row.owners[crm] == gave[crm + "_owner"]
            for crm in row.open_to
        }
        return self._give(row, owner, number, turn, "", why, may, None if gave is None else gave["owner"])

    def _give(
        self,
        row: Row,
        owner: Owner,
        number: int,
        turn: int,
        route: str,
        why: str,
        may: Mapping[str, bool],
        before: str | None,
    ) -> Outcome:
        ids = {"salesforce": owner.salesforce, "hubspot": owner.hubspot}
        shows = {
            crm: theirs
            for crm, theirs in ids.items()
            if theirs is not None and may.get(crm) and theirs != row.owners[crm]
        }
        after = {crm: shows.get(crm, row.owners[crm]) for crm in ids}
        if not owner.queue:
            self._desk.moves(owner.key, before)
        kept = {
            **{"lead_id": row.lead_id, "cycle": row.cycle, "number": number, "turn": turn},
            **{"owner": owner.key, "queue": owner.queue, "route": route, "why": why},
            **{"salesforce_owner": after["salesforce"], "hubspot_owner": after["hubspot"]},
            "before": row.owners["salesforce"],
        }
        said = f"the handover: {why}" if not route else f"the handover: route “{route}”, {why}"
        return Outcome(row.lead_id, NOBODY if owner.queue else owner.key, kept, shows, said)

    def _same(self, row: Row, gave: Mapping[str, Any]) -> Outcome:
        """What a run that died gave away: the same again."""
        shows: dict[str, str] = {
            crm: gave[crm + "_owner"]
            for crm in ("salesforce", "hubspot")
            if crm in row.open_to
            and gave[crm + "_owner"] is not None
            and gave[crm + "_owner"] != row.owners[crm]
        }
        why = gave["why"] if not gave["route"] else f"route “{gave['route']}”, {gave['why']}"
        owner = NOBODY if gave["queue"] else gave["owner"]
        return Outcome(row.lead_id, owner, None, shows, f"the handover: {why}", again=True)
