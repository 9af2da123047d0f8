"""Who gets a handed-over lead, made from ``[[handover.routes]]`` and the settings around them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from mapping.lead import FieldType
from mapping.qualification.columns import Column, nearest
from mapping.qualification.conditions import compile_condition
from mapping.qualification.routing import Route, prefixes_of
from mapping.qualification.syntax import ConditionProblem
from mapping.rules import FieldRule
from sync.calendars import Days
from sync.complaints import words_of
from sync.errors import WrongUse
from sync.section import words_in
from sync.sections_handover import HandoverSettings, days_of
from sync.sections_notify import NotifySettings
from sync.sections_routing import RouteSettings, target_of
from sync.settings import Settings
from sync.spreadsheet import read_spreadsheet
from sync.wrongconfig import Problem, WrongConfig, problem

#: The lead fields in which each CRM's owner is read, and the CRM's own name of it.
OWNER_FIELDS: Mapping[str, tuple[str, str]] = {
    "hubspot": ("owner_in_hubspot", "hubspot_owner_id"),
    "salesforce": ("owner_in_salesforce", "OwnerId"),
}


@dataclass(slots=True)
class Ahead:
    """What one pass over the leads has given away so far and nobody has kept yet.

    A preview of many slices would otherwise give the first turn away in each of them.
    """

    turns: dict[tuple[str, str], int] = field(default_factory=dict)
    open: dict[str, int] = field(default_factory=dict)

    def forget(self) -> None:
        """A new pass begins."""
        self.turns.clear()
        self.open.clear()


@dataclass(frozen=True)
class RoutingRules:
    """Who gets leads. ``absent``: owner to the days on which they are away, in ``zone``.

    ``same``: HubSpot's address of a person to Salesforce's. ``nobody``: owners that count as none. ``escalate_to``:
    who is told before the time is up; empty: the owner. ``mail``: the server that mails go out by.
    """

    routes: tuple[Route, ...]
    zone: ZoneInfo
    keep_owner: bool = True
    tasks: bool = True
    escalate_to: str = ""
    absent: Mapping[str, Days] = field(default_factory=dict)
    same: Mapping[str, str] = field(default_factory=dict)
    nobody: frozenset[str] = frozenset()
    mail: NotifySettings | None = None
    ahead: Ahead = field(default_factory=Ahead, compare=False)

    def is_away(self, owner: str, now: datetime) -> bool:
        """Whether an owner is absent on the day of ``now``."""
        return now.astimezone(self.zone).date() in self.absent.get(owner, Days())

    def away(self, now: datetime) -> list[str]:
        """Everybody who is."""
        return sorted(owner for owner in self.absent if self.is_away(owner, now))

    @property
    def named(self) -> list[tuple[str, str, bool]]:
        """(route, owner, whether it is a queue) of everybody who may get leads, in the order of the routes."""
        return [one for route in self.routes for one in self.named_on(route)]

    def named_on(self, route: Route) -> list[tuple[str, str, bool]]:
        """The same for one route: whose turn it may be, then the owners of named accounts."""
        listed = [(route.name, one.owner, one.queue) for one in route.targets]
        owners = {owner for owner in (route.accounts or {}).values() if owner is not None}
        return listed + [(route.name, owner, False) for owner in sorted(owners - {one[1] for one in listed})]


def owner_rules(settings: Settings) -> list[FieldRule]:
    """The rules that read both CRMs' owners, where leads are routed; what writes them is the routing alone."""
    if not _wanted(settings.handover):
        return []
    return [
        FieldRule(
            name,
            hubspot=theirs if crm == "hubspot" else None,
            salesforce=theirs if crm == "salesforce" else None,
            type=FieldType.TEXT,
            direction="read_only",
        )
        for crm, (name, theirs) in OWNER_FIELDS.items()
    ]


def routing_of(settings: Settings, columns: Mapping[str, Column]) -> RoutingRules | None:
    """The routes, checked; None where nobody is to be given or told anything. ``columns``: what a condition may name.

    Raises WrongConfig with every problem and its line.
    """
    declared = settings.handover
    if not _wanted(declared):
        return None
    problems = list(_of_the_map(settings)) if declared.routes else []
    routes: list[Route] = []
    for place, table in enumerate(declared.routes):
        route = _route(settings, place, table, columns, problems)
        if route is not None and any(route.name == other.name for other in routes):
            at = settings.where(f"handover.routes[{place}].name")
            problems.append(problem(at, f"the route “{route.name}” is there twice", "give it another name"))
        routes += [] if route is None else [route]
    if problems:
        raise WrongConfig(problems)
    return _rules(declared, tuple(routes), settings.notify if settings.notify.smtp_host else None)


def _of_the_map(settings: Settings) -> Iterator[Problem]:
    """Rules of the map that write the owner: two would take the lead from each other."""
    for rule in settings.fields:
        for crm, (name, theirs) in OWNER_FIELDS.items():
            written = rule.writes_to(crm) and theirs in rule.names(crm).values()
            if written or rule.lead == name:
                yield problem(
                    settings.where(f"fields.{rule.lead}"),
                    f"{rule.lead}: the routes of [[handover.routes]] write {theirs}",
                    'set its direction = "read_only" under a name of its own, or take the routes out',
                )
                break


def _wanted(declared: HandoverSettings) -> bool:
    return bool(declared.routes or declared.escalate_to)


def _rules(
    declared: HandoverSettings, routes: tuple[Route, ...], mail: NotifySettings | None
) -> RoutingRules:
    return RoutingRules(
        routes,
        ZoneInfo(declared.time_zone),
        keep_owner=declared.keep_owner,
        tasks=declared.tasks,
        escalate_to=declared.escalate_to.strip().lower(),
        absent={owner.strip().lower(): days_of(days) for owner, days in declared.absent.items()},
        same={theirs.strip().lower(): ours.strip().lower() for theirs, ours in declared.same_owner.items()},
        nobody=frozenset(word.lower() for word in words_in(declared.nobody)),
        mail=mail,
    )


def _route(
    settings: Settings,
    place: int,
    table: dict[str, Any],
    columns: Mapping[str, Column],
    problems: list[Problem],
) -> Route | None:
    path = f"handover.routes[{place}]"
    try:
        said = RouteSettings.model_validate(table)
    except ValidationError as error:
        problems += [
            _of_setting(settings, path, one) for one in error.errors(include_url=False, include_input=False)
        ]
        return None
    condition = None
    try:
        condition = compile_condition(said.when, columns) if said.when is not None else None
    except ConditionProblem as wrong:
        problems.append(
            problem(settings.where(f"{path}.when"), f"route “{said.name}”: {wrong}", "correct the condition")
        )
    return Route(
        said.name,
        tuple(target_of(one) for one in said.to),
        condition,
        _accounts(settings, path, said, problems),
        frozenset(word.upper() for word in words_in(said.countries)),
        prefixes_of(said.postal_codes),
    )


def _of_setting(settings: Settings, path: str, error: Mapping[str, Any]) -> Problem:
    names = [str(part) for part in error["loc"] if not isinstance(part, int)]
    at = settings.where(".".join([path, *names[:1]]))
    if error["type"] == "extra_forbidden":
        near = nearest(names[-1], RouteSettings.model_fields)
        fix = f"did you mean {near}?" if near else f"use {', '.join(RouteSettings.model_fields)}"
        return problem(at, f"unknown key {names[-1]} in [[handover.routes]]", fix)
    words, fix = words_of(error)
    return problem(at, f"{'.'.join(['handover.routes', *names])} {words}", fix)


def _accounts(
    settings: Settings, path: str, said: RouteSettings, problems: list[Problem]
) -> dict[str, str | None] | None:
    """Domain to owner of the named accounts; None where the route asks for none."""
    if not said.accounts and said.accounts_file is None:
        return None
    found: dict[str, str | None] = dict.fromkeys(word.lower() for word in words_in(said.accounts))
    if said.accounts_file is None:
        return found
    try:
        return found | _from_csv(settings.folder / Path(said.accounts_file).expanduser())
    except (WrongUse, ValueError):
        readable = False
    if not readable:
        problems.append(
            problem(
                settings.where(f"{path}.accounts_file"),
                f"route “{said.name}”: the file of named accounts cannot be read",
                "name a CSV in UTF-8 with a column domain and, if wanted, a column owner",
            )
        )
    return None


def _from_csv(path: Path) -> dict[str, str | None]:
    """Domain to owner. Raises WrongUse where the file cannot be read, ValueError where it has no such column."""
    sheet = read_spreadsheet(path)
    named = {name.strip().lower(): place for place, name in enumerate(sheet.header)}
    if "domain" not in named:
        raise ValueError("there is no column domain")
    owner, found = named.get("owner"), {}
    for row in sheet.rows:
        domain = row.cells[named["domain"]].strip().lower().removeprefix("www.")
        who = "" if owner is None else row.cells[owner].strip().lower()
        if domain:
            found[domain] = who or None
    return found
