"""Carry out an import: guards, intents, both CRMs, memory, campaign members. A run like any other, with undo.

HubSpot's records come first; Salesforce's are then upserted by the id of their counterpart, so that repeating one
finds the record it made. A person whose record was refused in HubSpot is not created in Salesforce alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

import polars as pl

from connectors.crm import RECORD_ID, Crm, Written
from mapping.own import CROSS, CROSS_ID
from sync.beside import lifecycle_writer, without_lifecycle
from sync.canary import read_back
from sync.cardmatch import FILE, Matched, Unsure, held_of_file, match
from sync.cards import ROW_KEY, Cards
from sync.decide import Decided
from sync.errors import GuardStopped, WrongUse
from sync.fingerprint import fingerprint
from sync.guards import stop_if_too_much
from sync.importing import CARD, Source, decide_cards
from sync.plan import CHANGES, SIDES, STAGE
from sync.remember import refused_rows, remember
from sync.running import running
from sync.store.imports import IMPORTED
from sync.store.leads import NEW_LINKS
from sync.store.runs import Numbers
from sync.tally import Outcome, count_changes, count_targets
from sync.work import CRMS, Work, empty
from sync.write import Results, carry_out

CONTRADICT = "another row with this address is about somebody else"


@runtime_checkable
class HasCampaigns(Protocol):
    """A CRM in which people take part in campaigns."""

    def campaigns(self) -> pl.DataFrame: ...

    def members(self, object_name: str, ids: Sequence[str]) -> Iterator[pl.DataFrame]: ...

    def add_members(
        self, object_name: str, campaign_id: str, ids: Sequence[str], status: str | None = None
    ) -> list[Written]: ...


@dataclass
class Imported:
    """What an import comes to. ``people`` counts the file's rows by what became of them; they add up to it.

    ``outcome`` as of any run; ``members``: campaign memberships made, ``not_members``: people known in HubSpot
    alone, of whom there is no record that could be one.
    """

    outcome: Outcome
    people: dict[str, int] = field(default_factory=dict)
    held: list[str] = field(default_factory=list)
    members: int = 0
    not_members: int = 0


def campaign_named(crm: Crm, name: str) -> str:
    """The id of the campaign with this name or id. Raises WrongUse where there is none, or more than one."""
    if not isinstance(crm, HasCampaigns):
        raise WrongUse(f"{crm.name} has no campaigns")
    rows = crm.campaigns().select(RECORD_ID, "name").rows()
    found = [
        record for record, title in rows if (title or "").casefold() == name.casefold() or record == name
    ]
    if not found:
        titles = ", ".join(sorted(title for _, title in rows if title)) or "none"
        raise WrongUse(
            f"Salesforce has no campaign called {name}", fix=f"name one by its name or id: {titles}"[:500]
        )
    if len(found) > 1:
        raise WrongUse(
            f"{len(found)} campaigns are called {name}", fix=f"name one by its id: {', '.join(found)}"
        )
    return str(found[0])


def import_people(
    work: Work,
    cards: Cards,
    source: Source,
    *,
    write: bool,
    approve: bool = False,
    keep: pl.DataFrame | None = None,
) -> Imported:
    """Plan an import, and with ``write`` carry it out. ``keep`` (``plan.CHANGES``): only people whose changes are
    still these. Raises GuardStopped, WrongUse, the connectors' errors and the store's.
    """
    if write and work.mode != "full":
        raise GuardStopped(
            f"sync.mode is {work.mode}: an import creates records, which only mode full does. Nothing was written",
            fix="look at the plan; to carry it out, set sync.mode to full",
        )
    now = work.clock()
    work.store.runs.keep_policy(work.policy.version, work.policy.as_stored(), now)
    command = f"import {source.name}" if write else f"plan import {source.name}"
    with running(work, command, now, policy=work.policy.version) as opened:
        outcome = opened.count(Outcome(opened.run, command, at=now))
        return _import(work, cards, source, outcome, now, write=write, approve=approve, keep=keep)


def _import(
    work: Work,
    cards: Cards,
    source: Source,
    outcome: Outcome,
    now: datetime,
    *,
    write: bool,
    approve: bool,
    keep: pl.DataFrame | None,
) -> Imported:
    matched = match(work, cards.frame)
    decided = decide_cards(work, matched, source, now)
    decided = replace(decided, changes=without_lifecycle(work, decided.changes))
    outcome.leads, outcome.fingerprint = decided.leads.height, fingerprint(decided.changes)
    if keep is not None:
        decided = _as_planned(decided, keep, outcome)
    outcome.changes = decided.changes
    done = Imported(outcome, _people(cards, matched, decided))
    done.held = [f"{one.where}: {one.why}" for one in matched.unsure]
    done.held += [f"{where}: {CONTRADICT}" for where in cards.unclear["_id"]]
    held = done.people["held"]
    read = cards.frame.height + cards.unclear.height + cards.repeated
    outcome.numbers = Numbers(records_read=read, targets=held, held=held)
    if write:
        totals = {"creates": 0, "updates": 0, "stage_moves": 0, "leads_touched": 0}
        count_changes(totals, decided.changes)
        stop_if_too_much(work, totals, outcome.leads, approve=approve)
        if approve:
            work.store.runs.approve(outcome.run, now)
        for part, is_canary in _parts(work, decided):
            ended = _write(work, part, source, done, now)
            if is_canary:
                read_back(work, ended, outcome.run)
        _hold(work, cards, matched, source, outcome, now)
    else:
        count_targets(outcome, decided, None)
    return done


def _as_planned(decided: Decided, keep: pl.DataFrame, outcome: Outcome) -> Decided:
    """Only people whose changes are now exactly the planned ones; the others have moved since."""

    def spelled(changes: pl.DataFrame) -> pl.DataFrame:
        one = pl.struct("crm", "record_id", "field", "before", "after").struct.json_encode()
        # Points age: what our own fields would say today is no reason to leave somebody out.
        lasting = changes.filter(~pl.col("field").str.starts_with("shown_"))
        return lasting.group_by("lead_id").agg(one.sort().str.join().alias("spelled"))

    same = spelled(keep).join(spelled(decided.changes), on=["lead_id", "spelled"], how="semi")["lead_id"]
    moved = keep.filter(~pl.col("lead_id").is_in(same.implode()))
    outcome.moved += moved.select("lead_id", "crm", "record_id").unique().sort("lead_id", "crm").rows()
    return replace(decided, changes=decided.changes.filter(pl.col("lead_id").is_in(same.implode())))


def _people(cards: Cards, matched: Matched, decided: Decided) -> dict[str, int]:
    new = (pl.col("h._id").is_null() & pl.col("s._id").is_null()).alias("new")
    rows = decided.leads.select(new, "in_scope")
    inside = rows.filter("in_scope")
    return {
        "new": inside.filter("new").height,
        "known": inside.filter(~pl.col("new")).height,
        "outside": rows.height - inside.height,
        "held": len(matched.unsure) + cards.unclear.height,
        "repeated": cards.repeated,
        "forgotten": matched.forgotten,
        "bad": len(cards.bad),
    }


def _parts(work: Work, decided: Decided) -> Iterator[tuple[Decided, bool]]:
    """What is written at a time, and whether it is the canary: the first few, to be read back before the others."""
    changed = decided.changes["lead_id"].unique().sort()
    few = work.guards.canary if len(changed) > work.guards.canary else 0
    canary = changed.head(few)
    if few:
        yield _of(decided, canary), True
    lead_ids = decided.leads.filter(~pl.col("lead_id").is_in(canary.implode()))["lead_id"].sort()
    for start in range(0, max(len(lead_ids), 1), work.slice_leads):
        yield _of(decided, lead_ids.slice(start, work.slice_leads)), False


def _of(decided: Decided, lead_ids: pl.Series) -> Decided:
    mine = pl.col("lead_id").is_in(lead_ids.implode())
    return replace(decided, leads=decided.leads.filter(mine), changes=decided.changes.filter(mine))


def _write(work: Work, decided: Decided, source: Source, done: Imported, now: datetime) -> pl.DataFrame:
    """Claim, write and remember; then make the members of the campaign. Returns how it ended (``write.ENDED``)."""
    store, outcome = work.store, done.outcome
    fence, ours = store.runs.claim(decided.leads["lead_id"], outcome.run, now, work.claim_seconds)
    outcome.busy += decided.leads.height - len(ours)
    decided = _of(decided, pl.Series("lead_id", sorted(ours), dtype=pl.String))
    wordless = decided.leads.filter(~pl.col("stage").is_in(list(work.stage_words)))["lead_id"]
    results = _both(work, decided.changes, wordless, outcome.run, now)
    created = sorted({lead for lead, _ in results.created})
    new = pl.col("lead_id").is_in(created)
    of_new, of_known = _split(results, created)
    outcome.became += remember(
        work, outcome.run, fence, replace(decided, leads=decided.leads.filter(new)),
        empty(NEW_LINKS), None, of_new, now,
    )  # fmt: skip
    with store.transaction():
        store.journal.settle(of_known.changes, outcome.run, now)
        written = results.changes.filter(pl.col("state") == "written").select("lead_id", "crm").unique()
        failed = results.changes.filter(pl.col("state") != "written").select("lead_id", "crm").unique()
        store.journal.strike_refused(written.join(failed, on=["lead_id", "crm"], how="anti"))
        outcome.became += store.journal.refuse(refused_rows(work, of_known), outcome.run, now)
    members = _members(work, decided, results, source, done)
    with store.transaction():
        store.imports.remember(_imported(decided, results, source, members), outcome.run, now)
    store.runs.release(outcome.run, fence)
    count_targets(outcome, decided, results)
    return results.changes


def _split(results: Results, created: list[str]) -> tuple[Results, Results]:
    """What became of the people who got a record, and of the others."""

    def part(*, of_new: bool) -> Results:
        return replace(
            results,
            changes=results.changes.filter(pl.col("lead_id").is_in(created) == of_new),
            refusals={key: one for key, one in results.refusals.items() if (key[0] in created) == of_new},
        )

    return part(of_new=True), part(of_new=False)


def _both(work: Work, changes: pl.DataFrame, wordless: pl.Series, run: int, now: datetime) -> Results:
    """HubSpot and everybody known first; then Salesforce's new records, with the ids of their counterparts.

    ``wordless``: leads whose stage HubSpot has no word for.
    """
    later = (pl.col("kind") == "create") & (pl.col("crm") == "salesforce")
    store = work.store
    with store.transaction():
        store.journal.intend(changes.filter(~later), run, now)
    first = carry_out(work, changes.filter(~later))
    here = changes.filter(~later & (pl.col("kind") == "create"))["lead_id"].unique()
    refused = here.filter(~here.is_in([lead for lead, _ in first.created]))
    waiting = changes.filter(later & ~pl.col("lead_id").is_in(refused.implode()))
    rest = pl.concat([waiting, _cross_ids(work, waiting, first), _no_stage(work, wordless, first)])
    with store.transaction():
        store.journal.intend(rest, run, now)
    second = carry_out(work, rest)
    given_up = changes.filter(later & pl.col("lead_id").is_in(refused.implode()))
    ended = given_up.with_columns(state=pl.lit("refused"))
    return Results(
        pl.concat([first.changes, second.changes, ended], how="diagonal"),
        {crm: {**first.stored.get(crm, {}), **second.stored.get(crm, {})} for crm in CRMS},
        {**first.refusals, **second.refusals},
        {**first.created, **second.created},
    )


def _cross_ids(work: Work, waiting: pl.DataFrame, first: Results) -> pl.DataFrame:
    """Each of two new records carries the other's id."""
    rows = []
    for lead in waiting["lead_id"].unique().sort():
        contact = first.created.get((lead, "hubspot"))
        if contact is None:
            continue
        shared = {
            "lead_id": lead,
            "field": CROSS_ID,
            "before": None,
            "lane": "live",
            "why": "the id of its counterpart",
        }
        rows.append({**shared, "crm": "salesforce", "object": work.objects["salesforce"], "record_id": None,
                     "crm_field": CROSS.salesforce, "after": contact, "kind": "create"})  # fmt: skip
        rows.append({**shared, "crm": "hubspot", "object": work.objects["hubspot"], "record_id": contact,
                     "crm_field": CROSS.hubspot, "after": None, "kind": "cross_id"})  # fmt: skip
    known = work.writable()
    kept = [row for row in rows if row["crm_field"] in known.creatable[str(row["crm"])]]
    return pl.DataFrame(kept, schema=dict(CHANGES))


def _no_stage(work: Work, wordless: pl.Series, first: Results) -> pl.DataFrame:
    """HubSpot calls a new contact a lead by itself; that is cleared where the policy does not."""
    stage = work.writable()
    if stage.stage_field not in stage.updatable["hubspot"] or lifecycle_writer(work):
        return empty(CHANGES)
    fixed = {"crm": "hubspot", "object": work.objects["hubspot"], "field": STAGE, "crm_field": stage.stage_field,
             "why": "not a lead under the policy", "lane": "live", "kind": "set"}  # fmt: skip
    created = [(lead, first.created.get((lead, "hubspot"))) for lead in wordless.sort()]
    rows = [{**fixed, "lead_id": lead, "record_id": record} for lead, record in created if record]
    return pl.DataFrame(rows, schema=dict(CHANGES))


def _members(
    work: Work, decided: Decided, results: Results, source: Source, done: Imported
) -> dict[str, str]:
    """Salesforce record to the membership that was made for it."""
    crm = work.crms["salesforce"]
    if source.campaign_id is None or not isinstance(crm, HasCampaigns):
        return {}
    inside = decided.leads.filter("in_scope")
    known = inside["s._id"].drop_nulls().to_list()
    made = [record for (_, name), record in results.created.items() if name == "salesforce"]
    done.not_members += inside.height - len(known) - len(made)
    written = crm.add_members(work.objects["salesforce"], source.campaign_id, [*known, *made])
    found = {one.trace: str(one.record_id) for one in written if one.outcome == "written"}
    done.members += len(found)
    done.outcome.became += len(written) - len(found)
    return found


def _imported(decided: Decided, results: Results, source: Source, members: dict[str, str]) -> pl.DataFrame:
    """``IMPORTED``: what was said about each person, beside each of their records."""
    rows: list[dict[str, Any]] = []
    names = {"row_key": CARD + ROW_KEY, "file_line": CARD + "_id", "referrer": CARD + "referrer"}
    names |= {name: CARD + name for name in ("consent_wording", "consent_at", "consent_source")}
    for row in decided.leads.filter("in_scope").iter_rows(named=True):
        said = {name: row[column] for name, column in names.items()}
        for crm, side in SIDES.items():
            record = row[side + "_id"] or results.created.get((row["lead_id"], crm))
            if record is None:
                continue
            member = members.get(record) if crm == "salesforce" else None
            rows.append({**said, "lead_id": row["lead_id"], "crm": crm, "record_id": record,
                         "source": source.name, "kind": source.kind, "member_id": member,
                         "campaign_id": source.campaign_id if member else None})  # fmt: skip
    return pl.DataFrame(rows, schema=dict(IMPORTED))


def _hold(
    work: Work, cards: Cards, matched: Matched, source: Source, outcome: Outcome, now: datetime
) -> None:
    """Rows that wait for a person; what earlier imports held about the others is settled."""
    contradict = [
        Unsure(where, row_key, CONTRADICT)
        for where, row_key in cards.unclear.select("_id", ROW_KEY).iter_rows()
    ]
    held = held_of_file([*matched.unsure, *contradict], source.name).unique(
        "held_key", keep="first", maintain_order=True
    )
    seen = pl.concat([cards.frame[ROW_KEY], cards.unclear[ROW_KEY]]).unique()
    looked_at = pl.DataFrame(
        {"crm": FILE, "record_id": seen}, schema={"crm": pl.String(), "record_id": pl.String()}
    )
    with work.store.transaction():
        outcome.became += work.store.journal.hold(held, looked_at, outcome.run, now)
