"""Who gets each lead that is handed over, inside a run; and what both CRMs are to show of it.

desk    = desk_of(work, lead_ids, now)                 whose turn it is, and what was given away before
judged, given = give_away(work, asked, judged, desk, now)    pure: an owner for whoever needs one
changes = with_owners(work, changes, judged, given)    ``OwnerId`` and ``hubspot_owner_id``, planned like the rest
decided = reserved(work, …)                            kept before the first write; decided anew where another
                                                       worker has given leads away meanwhile
remember_given(work, …)                                in the transaction that remembers the verdicts

What is reserved and not remembered belongs to a run that died: the next one gives the same lead to the same owner.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from mapping.qualification.handover import WITH_SALES
from mapping.qualification.handover_facts import WAS, answered, touched
from mapping.qualification.routing import Desk, routed_by
from sync.giving import Giver, Row
from sync.handover import OWNER, Asked, reached
from sync.merge import SALESFORCE
from sync.owners import Owners, owners_of
from sync.plan import CHANGES, SIDES
from sync.routing_rules import OWNER_FIELDS
from sync.store.routing import ROUTED, Standing
from sync.work import Work

if TYPE_CHECKING:
    from sync.decide import Decided

#: Beside a lead: what it was given last.
GAVE = "gave."
#: How often a slice is decided anew before the desk is locked for it.
TRIES = 3


@dataclass(frozen=True, slots=True)
class DeskNow:
    """What is known when leads are given away. ``newest``: ``ROUTED`` and ``settled``, the latest of each lead."""

    owners: Owners
    standing: Standing
    newest: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Given:
    """What a decision gives away. ``rows`` (``ROUTED``): to be kept. ``leads``: whom it is about, those included that
    a dead run gave away. ``shows``: lead, CRM, owner id and why. ``steps``: lead to how the turns move by it."""

    rows: pl.DataFrame
    leads: frozenset[str]
    shows: list[tuple[str, str, str, str]]
    steps: Mapping[str, Mapping[tuple[str, str], int]]
    version: int

    def of(self, lead_ids: set[str]) -> pl.DataFrame:
        """The rows of some leads."""
        return self.rows.filter(pl.col("lead_id").is_in(list(lead_ids)))


def desk_of(work: Work, lead_ids: pl.Series, now: datetime) -> DeskNow | None:
    """Everything that is asked when these leads are given away; None where leads are not routed.

    Raises the connectors' errors.
    """
    if work.routing is None:
        return None
    owners = owners_of(work, work.routing.same, now)
    return DeskNow(owners, work.store.routing.standing(), work.store.routing.newest(lead_ids))


def waiting_for_sales(work: Work) -> pl.Series:
    """Leads to be read again although nothing has changed: their time is up, or they wait for an owner.

    Raises the connectors' errors: who is still there is asked now and then.
    """
    now = work.clock()
    late = work.store.handovers.run_out(now)
    return pl.concat([late, without_owner(work, now)]).unique(maintain_order=True)


def without_owner(work: Work, now: datetime) -> pl.Series:
    """Leads that were handed over to nobody, or to somebody who cannot have them now; none where nobody is given any.

    Raises the connectors' errors.
    """
    if work.routing is None or not work.routing.routes or work.mode != "full":
        return pl.Series("lead_id", [], dtype=pl.String)
    owners = owners_of(work, work.routing.same, now)
    return work.store.routing.without_owner(sorted(owners.gone), work.routing.away(now))


def give_away(
    work: Work, asked: Asked | None, judged: pl.DataFrame, desk: DeskNow | None, now: datetime
) -> tuple[pl.DataFrame, Given | None]:
    """The judged and scoped leads with who has them, or is to have them, in ``handover.OWNER``.

    Null: nobody says; empty: nobody yet. Pure, but for what it has given away ahead of the memory.
    """
    if asked is None or desk is None or work.routing is None:
        return judged, None
    rows = _rows(work, asked, judged, desk, now)
    if rows.is_empty():
        return judged, None
    rules, standing = work.routing, desk.standing
    held = {
        key: standing.open.get(key, 0) + rules.ahead.open.get(key, 0)
        for key in {*standing.open, *rules.ahead.open}
    }
    table = Desk({**standing.turns, **rules.ahead.turns}, held)
    giver = Giver(rules, desk.owners, table, now, may_write=_may_write(work))
    outcomes = [giver.outcome(_row(one)) for one in rows.iter_rows(named=True)]
    owners = pl.DataFrame(
        {"lead_id": rows["lead_id"], OWNER: [one.owner for one in outcomes]},
        schema={"lead_id": pl.String(), OWNER: pl.String()},
    )
    new = [one.row for one in outcomes if one.row is not None]
    rules.ahead.turns.update({key: table.turns[key] for one in outcomes for key in one.step})
    for one in new:
        if not one["queue"]:
            rules.ahead.open[one["owner"]] = rules.ahead.open.get(one["owner"], 0) + 1
    given = Given(
        pl.DataFrame(new, schema=dict(ROUTED)),
        frozenset(one.lead_id for one in outcomes if one.row is not None or one.again),
        [(one.lead_id, crm, owner, one.why) for one in outcomes for crm, owner in one.shows.items()],
        {one.lead_id: one.step for one in outcomes},
        standing.version,
    )
    return judged.join(owners, on="lead_id", how="left", maintain_order="left"), given


def _may_write(work: Work) -> bool:
    """Whether owners may be set: they are no fields of ours."""
    name = OWNER_FIELDS["salesforce"][1]
    return work.mode == "full" and name in work.writable().updatable["salesforce"]


def _rows(work: Work, asked: Asked, judged: pl.DataFrame, desk: DeskNow, now: datetime) -> pl.DataFrame:
    """The leads that are being handed over or are with sales, each with everything that is asked about its owner."""
    mql = (pl.col("stage") == "mql").fill_null(value=False) | pl.col("explored")
    state, before = pl.col(WAS + "state"), pl.col(WAS + "cycle")
    new = state.is_null() | (before < pl.col("handover_cycle")) | (state == "qualified")
    handed = mql & pl.col("reached") & new
    with_sales = mql & state.is_in(WITH_SALES) & (before == pl.col("handover_cycle"))
    ledger = ("state", "cycle", "owner", "first_touch_at", "reassigned")
    facts = asked.facts.select(
        *(WAS + name for name in ledger), silent=(~touched() & ~answered()).fill_null(value=True)
    )
    named = {crm: side + OWNER_FIELDS[crm][0] for crm, side in SIDES.items()}
    lead = judged.with_columns(facts.get_columns()).with_columns(reached(work, judged))
    here = lead.filter((handed | with_sales).fill_null(value=False))
    if here.is_empty():
        return here.select("lead_id")
    last = desk.newest.rename({name: GAVE + name for name in desk.newest.columns if name != "lead_id"})
    rules = work.routing
    routes = rules.routes if rules is not None else ()
    place = routed_by(here, routes, now, work.policy.currency, work.policy.rates_at(now))
    open_to = {crm: _open_to(here, crm) for crm in SIDES}
    return (
        here.select(
            *("lead_id", "email_domain", "silent"),
            pl.col("handover_cycle").alias("cycle"),
            *(WAS + name for name in ledger),
            place,
            **{crm + "_owner": pl.col(name) for crm, name in named.items()},
            **{crm + "_open": open_to[crm] for crm in SIDES},
            **{crm + "_there": pl.col(side + "_id").is_not_null() for crm, side in SIDES.items()},
            unread=pl.col(SALESFORCE + "_unread").list.contains(OWNER_FIELDS["salesforce"][0]),
        )
        .join(last, on="lead_id", how="left", maintain_order="left")
        .sort("lead_id")
    )


def _open_to(leads: pl.DataFrame, crm: str) -> pl.Expr:
    """Whether a CRM's record of a lead may be written to, or is made by this run."""
    side = SIDES[crm]
    there = pl.col(side + "_id").is_not_null() | pl.col(f"create_{crm}")
    name = f"to_{crm}"
    allowed = pl.col("in_scope") & pl.col(name) if name in leads.columns else pl.col("in_scope")
    readable = ~pl.col(side + "_unread").list.contains(OWNER_FIELDS[crm][0]).fill_null(value=False)
    return there & allowed & readable


def _row(row: Mapping[str, Any]) -> Row:
    # What was given in an earlier cycle says nothing about this one.
    same_cycle = row[GAVE + "cycle"] is not None and row[GAVE + "cycle"] == row["cycle"]
    gave = {
        name.removeprefix(GAVE): value for name, value in row.items() if same_cycle and name.startswith(GAVE)
    }
    known = row[WAS + "cycle"] == row["cycle"]
    return Row(
        lead_id=row["lead_id"],
        cycle=row["cycle"],
        domain=row["email_domain"],
        route=row["route"],
        owners={crm: row[crm + "_owner"] for crm in SIDES},
        open_to=frozenset(crm for crm in SIDES if row[crm + "_open"]),
        known=not row["unread"],
        untouched=not known or (row[WAS + "first_touch_at"] is None and row["silent"]),
        reassigned=(row[WAS + "reassigned"] or 0) if known else 0,
        gave=gave or None,
    )


def with_owners(work: Work, changes: pl.DataFrame, leads: pl.DataFrame, given: Given | None) -> pl.DataFrame:
    """The plan with the owners that both CRMs are to show."""
    if given is None or not given.shows:
        return changes
    writable = work.writable()
    shows = pl.DataFrame(
        given.shows, schema=dict.fromkeys(("lead_id", "crm", "after", "why"), pl.String()), orient="row"
    )
    parts = [changes]
    for crm, side in SIDES.items():
        name, theirs = OWNER_FIELDS[crm]
        said = shows.filter(pl.col("crm") == crm).join(
            leads.select(
                *("lead_id", pl.col(side + "_id").alias("record_id"), pl.col(side + name).alias("before")),
                made=pl.col(f"create_{crm}"),
            ),
            on="lead_id",
            how="inner",
            maintain_order="left",
        )
        made = pl.lit(theirs in writable.creatable[crm]) & pl.col("made") & pl.col("record_id").is_null()
        there = pl.lit(theirs in writable.updatable[crm]) & pl.col("record_id").is_not_null()
        parts.append(
            said.filter(made | there)
            .with_columns(
                object=pl.lit(work.objects[crm]),
                field=pl.lit(name),
                crm_field=pl.lit(theirs),
                lane=pl.lit("handover"),
                kind=pl.when(pl.col("record_id").is_null()).then(pl.lit("create")).otherwise(pl.lit("set")),
            )
            .select(pl.col(column).cast(dtype) for column, dtype in CHANGES.items())
        )
    return pl.concat(parts).sort("lead_id", "crm", "field")


def reserved(
    work: Work,
    first: Decided | None,
    again: Callable[[], Decided],
    ours: set[str],
    run: int,
    now: datetime,
) -> Decided:
    """A decision whose owners are kept: no other worker gives the same turn away.

    ``first``: what was decided already. It is decided ``again`` where somebody gave leads away meanwhile, and the
    last time with the desk locked.
    """
    rules, routing = work.routing, work.store.routing
    if rules is None:
        return first if first is not None else again()
    decided = first
    for _ in range(TRIES):
        rules.ahead.forget()
        decided = decided if decided is not None else again()
        rules.ahead.forget()
        if _keep(work, decided, ours, run, now):
            return decided
        decided = None
    with work.store.transaction():
        routing.lock()
        decided = again()
        rules.ahead.forget()
        _keep(work, decided, ours, run, now)
    return decided


def _keep(work: Work, decided: Decided, ours: set[str], run: int, now: datetime) -> bool:
    given = decided.given
    if given is None:
        return True
    left_out: set[str] = set()
    for some in (decided.moved["lead_id"] if decided.moved is not None else None, decided.unplanned):
        left_out |= set() if some is None else set(some)
    rows = given.of(ours - left_out)
    # Only the turns of whoever is really given something are over.
    moves: Counter[tuple[str, str]] = Counter()
    for lead in rows["lead_id"]:
        moves.update(given.steps[lead])
    return work.store.routing.reserve(rows, moves, given.version, run, now)


def remember_given(
    work: Work, leads: pl.DataFrame, given: Given | None, refused: list[str], run: int, now: datetime
) -> None:
    """What was given away is in the CRMs now; the ledger's events say why. ``refused``: leads that Salesforce refused.

    To be called in the transaction of the verdicts, after the ledger was remembered.
    """
    if given is None or not given.leads:
        return
    arrived = leads.filter(pl.col(SALESFORCE + "_id").is_not_null())["lead_id"]
    mine = given.leads & set(arrived) - set(refused)
    for lead, cycle, owner, route, why in work.store.routing.settle(sorted(mine)):
        told = f"{owner}: {why}" if not route else f"{owner}: route “{route}”, {why}"
        work.store.handovers.note(lead, cycle, "routed", "routing", told, run, now)
    if given.leads & set(refused):
        # Perhaps because somebody left: whom we take for active is asked anew.
        work.store.routing.forget_owners()
