"""Carry out changes: intents first, then the CRMs in an order that a stop anywhere cannot harm.

Withdrawn consent comes first and alone. Then come creates, as upserts by the counterpart's id, so that repeating
one finds the record it made. Then everything else is set, the new records' ids included, handovers before the rest;
of either, HubSpot's stages that move back are cleared right before. What each CRM says it stored comes back with the
results.

Each of these steps is taken in both CRMs side by side, and is over in both before the next begins. No step writes in
one CRM what it needs from the other, so a stop leaves nothing that the intents do not tell of.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial, reduce
from itertools import chain
from operator import or_

import polars as pl

from connectors.atonce import at_once
from connectors.crm import RECORD_ID, Write, Written
from mapping.own import CROSS
from mapping.qualification.truths import every, looked_up
from sync.ends import CHANGE, WRITE, Ends, by_lead, numbered, runs_of, written_ids
from sync.halfdone import OPEN_INTENTS
from sync.inorder import true_at
from sync.plan import CHANGES, RESTORE, STAGE
from sync.plan_parts import places_of
from sync.work import CRMS, Work

#: A change as it ended: ``CHANGES``, ``state`` (written, refused, ignored, unknown) and ``stored``: what the CRM says
#: it holds since, where that is another value than was sent (rounded, trimmed); null where it said nothing else.
ENDED: Mapping[str, pl.DataType] = {**CHANGES, "state": pl.String(), "stored": pl.String()}
#: Leads of a slice that have a line in the log each, of those that were written and of those that were refused.
MOST_LOGGED = 100
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Results:
    """What became of a slice's changes.

    ``changes`` (``ENDED``) has the ids of created records filled in. ``stored``: CRM to record id to what the
    CRM says it holds now. ``refusals``: (lead, crm) to the CRM's answer. ``created``: (lead, crm) to new id.
    ``overruled``: lead to when its Salesforce record had changed, where what somebody set there gives way.
    """

    changes: pl.DataFrame
    stored: dict[str, dict[str, Mapping[str, str | None]]] = field(default_factory=dict)
    refusals: dict[tuple[str, str], Written] = field(default_factory=dict)
    created: dict[tuple[str, str], str] = field(default_factory=dict)
    overruled: Mapping[str, datetime] = field(default_factory=dict)
    #: ``told`` of each CRM, once all of it was written; a part of these results (``replace``) has the same.
    _told: dict[str, pl.DataFrame] = field(default_factory=dict, repr=False)

    def told(self, crm: str) -> pl.DataFrame:
        """``stored`` of one CRM as text columns by ``_id``; null where nothing was said, or a blank."""
        if crm not in self._told:
            said = self.stored.get(crm, {})
            names = dict.fromkeys(chain.from_iterable(said.values()), pl.String())
            ids = pl.Series("_id", list(said), dtype=pl.String())
            values = pl.from_dicts(list(said.values()), schema=names) if names else pl.DataFrame()
            self._told[crm] = pl.DataFrame([ids, *values.get_columns()])
        return self._told[crm]


def carry_out(work: Work, changes: pl.DataFrame, conflicts: pl.DataFrame | None = None) -> Results:
    """Write a slice's changes to both CRMs. Raises the connector's errors; what was written stays written.

    ``conflicts`` (``merge.conflicts``): where HubSpot's value won, it replaces what somebody set in Salesforce only
    as long as they have not set something else since.
    """
    changes = numbered(changes)
    results, ends = Results(changes, overruled=_overruled(conflicts)), Ends(changes.height)
    creates = changes["kind"] == "create"
    known = ~creates & changes["record_id"].is_not_null()
    _in_both(work, _withdraw, changes, known & (changes["lane"] == "consent"), results, ends)
    _in_both(work, _create, changes, creates, results, ends)
    changes, in_vain = _with_new_ids(changes, results)
    known &= ~in_vain & _of_the_leads(work, changes)
    handed_over = _handed_over(changes, known)
    _in_both(work, _hand_over, changes, known & handed_over, results, ends)
    _in_both(work, _update, changes, known & ~handed_over, results, ends)
    ordered = [changes.filter(these) for these in (creates, ~creates & ~in_vain, in_vain) if these.any()]
    _end(results, pl.concat(ordered) if ordered else changes, ends)
    _log_ended(results)
    return results


def _of_the_leads(work: Work, changes: pl.DataFrame) -> pl.Series:
    """The changes of records of the objects that hold our leads: others can only be withdrawn."""
    ours = [(changes["crm"] == crm) & (changes["object"] == name) for crm, name in work.objects.items()]
    return reduce(or_, ours)


def _handed_over(changes: pl.DataFrame, known: pl.Series) -> pl.Series:
    """The changes of those leads, in each CRM, that are handed over with one of their ``known`` changes."""
    handed = changes[WRITE].filter(known & (changes["lane"] == "handover"))
    return looked_up(true_at(handed, 2 * changes.height), changes[WRITE])


#: One step of the writing in one CRM: what of it is to be written, and where is kept what became of it.
Step = Callable[[Work, str, pl.DataFrame, Results, Ends], None]


#: What a step asks of a change. Why it is made, and what stood before, is not copied for each step.
_ASKED = ("lead_id", "object", "record_id", "field", "crm_field", "after", "kind", CHANGE)


def _in_both(
    work: Work, step: Step, changes: pl.DataFrame, which: pl.Series, results: Results, ends: Ends
) -> None:
    """Take a step with ``which`` changes in both CRMs at the same time: while one answers, the other is written to.

    What became of it stands in ``results`` in the order of the CRMs, whichever was ready first. Where one CRM fails,
    the other ends its own step, if it has begun; then the error is raised, and no further step is taken.
    """
    parts: dict[str, tuple[pl.DataFrame, Results]] = {}
    for crm in CRMS if which.any() else ():
        rows = changes.select(_ASKED).filter(which & (changes["crm"] == crm))
        if not rows.is_empty():
            # ``stored`` is kept by CRM, so each thread has its own.
            parts[crm] = (rows, Results(changes, results.stored, overruled=results.overruled))
    acts = [partial(step, work, crm, rows, part, ends) for crm, (rows, part) in parts.items()]
    at_once(acts, len(acts))
    for _, part in parts.values():
        results.refusals.update(part.refusals)
        results.created.update(part.created)


def _log_ended(results: Results) -> None:
    """A line for a lead and CRM: how many fields were written, or by which code they were refused."""
    if not _log.isEnabledFor(logging.INFO):
        return
    for (lead, crm), answer in list(results.refusals.items())[:MOST_LOGGED]:
        _log.info("%s did not take a write: %s", crm, answer.code, extra={"lead": lead, "crm": crm})
    written = results.changes.filter(pl.col("state") == "written").group_by(
        "lead_id", "crm", maintain_order=True
    )
    for lead, crm, fields in written.len().head(MOST_LOGGED).iter_rows():
        _log.info("%s took a write", crm, extra={"lead": lead, "crm": crm, "count": fields})


def _overruled(conflicts: pl.DataFrame | None) -> dict[str, datetime]:
    if conflicts is None:
        return {}
    lost = conflicts.filter((pl.col("winner") == "hubspot") & pl.col("salesforce_at").is_not_null())
    return dict(lost.select("lead_id", "salesforce_at").iter_rows())


def _withdraw(work: Work, crm: str, withdrawn: pl.DataFrame, results: Results, ends: Ends) -> None:
    """Withdrawn consent travels before anything else, and alone: what stops the rest must not stop it."""
    with work.crms[crm].in_lane("consent"):
        # A converted lead's go to the Contact that it was turned into.
        for each in withdrawn.partition_by("object", maintain_order=True):
            _update_records(work, crm, each, "withdrawal", results, ends)


def _write(
    work: Work, crm: str, object_name: str, writes: list[Write], point: str, results: Results
) -> list[Written]:
    work.at_point(f"before {crm} {point}")
    written = work.crms[crm].write(object_name, writes)
    work.at_point(f"after {crm} {point}")
    kept = results.stored.setdefault(crm, {})
    for one in written:
        if one.outcome == "written" and one.record_id:
            before = kept.get(one.record_id)
            kept[one.record_id] = one.stored if before is None else {**before, **one.stored}
    return written


def _create(work: Work, crm: str, creates: pl.DataFrame, results: Results, ends: Ends) -> None:
    key_field = CROSS.name_in(crm)
    writes = []
    for lead_id, _, values in by_lead(creates):
        key = values.pop(key_field, None)
        writes.append(Write(lead_id, None, values, (key_field, key) if key else None))
    written = _write(work, crm, creates["object"][0], writes, "create", results)
    ends.note(creates, {one.trace: one.outcome for one in written})
    for one in written:
        if one.outcome == "written" and one.record_id:
            results.created[one.trace, crm] = one.record_id
        else:
            results.refusals[one.trace, crm] = one


def _with_new_ids(changes: pl.DataFrame, results: Results) -> tuple[pl.DataFrame, pl.Series]:
    """Put the ids of new records where a change waits for one; also, which changes wait in vain."""
    waiting = changes["kind"] == "cross_id"
    if not waiting.any():
        return changes, waiting
    asked = changes.filter(waiting).select("lead_id", "crm").iter_rows()
    made = [
        results.created.get((lead, "hubspot" if crm == "salesforce" else "salesforce")) for lead, crm in asked
    ]
    after = changes["after"].clone().scatter(waiting.arg_true(), pl.Series(made, dtype=pl.String()))
    return changes.with_columns(after), waiting & after.is_null()


def _clear_stages(work: Work, changes: pl.DataFrame, results: Results, ends: Ends) -> None:
    """HubSpot answers 200 to a backward move and ignores it; a cleared stage can be set to any.

    It is cleared right before it is set, and not a step earlier: what stops a run in between leaves it blank.
    """
    restored = (pl.col("kind") == RESTORE) & (pl.col("field") == STAGE)
    back = _not_yet_there(work, changes.filter((pl.col("kind") == "stage_back") | restored))
    if back.is_empty():
        return
    writes = [
        Write(lead_id, record_id, {crm_field: None})
        for lead_id, record_id, crm_field in back.select("lead_id", "record_id", "crm_field").iter_rows()
    ]
    written = _write(work, "hubspot", back["object"][0], writes, "stage clear", results)
    failed = {one.trace: one for one in written if one.outcome != "written"}
    if failed:
        mine = back.filter(pl.col("lead_id").is_in(list(failed)))
        ends.note(mine, {lead: one.outcome for lead, one in failed.items()})
        results.refusals.update({(lead, "hubspot"): one for lead, one in failed.items()})


def _not_yet_there(work: Work, back: pl.DataFrame) -> pl.DataFrame:
    """The backward moves that a run which died had not carried out already.

    Clearing and setting such a stage a second time would enter it twice: in HubSpot's history, and for every
    workflow that waits for it.
    """
    if back.is_empty():
        return back
    begun = work.store.journal.open_intents(OPEN_INTENTS).filter(pl.col("field") == STAGE)["record_id"]
    doubtful = back.filter(pl.col("record_id").is_in(begun.implode()))
    if doubtful.is_empty():
        return back
    name = str(doubtful["crm_field"][0])
    slabs = work.crms["hubspot"].fetch(doubtful["object"][0], (name,), doubtful["record_id"].to_list())
    now = [slab.frame.select(pl.col(RECORD_ID).alias("record_id"), after=name) for slab in slabs]
    return (
        back.join(pl.concat(now), on=["record_id", "after"], how="anti", maintain_order="left")
        if now
        else back
    )


def _hand_over(work: Work, crm: str, updates: pl.DataFrame, results: Results, ends: Ends) -> None:
    if crm == "hubspot":
        _clear_stages(work, updates, results, ends)
    with work.crms[crm].in_lane("handover"):
        _update_records(work, crm, updates, "handover", results, ends)


def _update(work: Work, crm: str, updates: pl.DataFrame, results: Results, ends: Ends) -> None:
    if crm == "hubspot":
        _clear_stages(work, updates, results, ends)
    _update_records(work, crm, updates, "update", results, ends)


def _update_records(
    work: Work, crm: str, rows: pl.DataFrame, point: str, results: Results, ends: Ends
) -> None:
    """Write what is left of the records' changes."""
    object_name, rows = rows["object"][0], ends.left_of(rows)
    writes = [
        Write(
            lead_id,
            record_id,
            values,
            unless_changed_since=_unless(crm, point, lead_id, record_id or "", results),
        )
        for lead_id, record_id, values in by_lead(rows)
    ]
    written = _write(work, crm, object_name, writes, point, results)
    ignored = _ignored(rows, written)
    if ignored:
        stuck = (pl.col("field") == STAGE) & pl.col("lead_id").is_in(list(ignored))
        ends.note(rows.filter(stuck), dict.fromkeys(ignored, "ignored"))
        rows = rows.filter(~stuck)
    ends.note(rows, {one.trace: one.outcome for one in written})
    results.refusals.update({(one.trace, crm): one for one in written if one.outcome != "written"})
    results.refusals.update({(lead, crm): one for lead, one in ignored.items()})


def _unless(crm: str, point: str, lead_id: str, record_id: str, results: Results) -> datetime | None:
    """The change after which this update must not be made any more; None: it is made in any case."""
    if crm != "salesforce" or point == "withdrawal":
        return None
    # What this very run wrote to the record has moved it on, too.
    return None if record_id in results.stored.get(crm, {}) else results.overruled.get(lead_id)


def _ignored(rows: pl.DataFrame, written: Sequence[Written]) -> dict[str, Written]:
    """Leads whose stage was read back and found unchanged: the CRM took the write and kept its own."""
    stages = {
        lead: (name, after)
        for lead, name, after in rows.filter(pl.col("field") == STAGE)
        .select("lead_id", "crm_field", "after")
        .iter_rows()
    }
    kept = {}
    for one in written:
        name, after = stages.get(one.trace, ("", None))
        if one.outcome == "written" and name in one.stored and one.stored[name] != after:
            kept[one.trace] = Written(
                one.trace,
                "refused",
                one.record_id,
                code="STAGE_IGNORED",
                message="HubSpot accepted the stage and kept its own",
                fields=(STAGE,),
            )
    return kept


def _end(results: Results, changes: pl.DataFrame, ends: Ends) -> None:
    """Give every change its end; a change that waited for a record that was refused is refused with it."""
    ended = changes.with_columns(written_ids(changes, results.created), ends.of(changes))
    results.changes = ended.with_columns(_stored(ended, results)).select(*ENDED)


def _stored(ended: pl.DataFrame, results: Results) -> pl.Series:
    """``stored``: what the CRMs say they hold, where that is not what was sent."""
    stored, written = every(None, pl.String(), ended.height), ended["state"] == "written"
    places, texts = [], []
    for crm in results.stored:
        at = (written & (ended["crm"] == crm) & ended["record_id"].is_not_null()).arg_true()
        rows = ended.select("record_id", "crm_field", "after")[at]
        said = _said(rows, results.told(crm))
        otherwise = said.is_not_null() & said.ne_missing(rows["after"])
        places.append(at.filter(otherwise))
        texts.append(said.filter(otherwise))
    if places:
        stored = stored.scatter(pl.concat(places), pl.concat(texts))
    return stored.alias("stored")


def _said(rows: pl.DataFrame, told: pl.DataFrame) -> pl.Series:
    """What is ``told`` of each row's record in its field; null where nothing is."""
    names = [name for name in rows["crm_field"].unique().to_list() if name in told.columns]
    runs, records = runs_of(rows["record_id"])
    at = looked_up(places_of(records, told), runs).cast(pl.UInt32())
    column = rows["crm_field"].cast(pl.Enum(names), strict=False).to_physical().cast(pl.UInt32())
    values = [told[name] for name in names]
    flat = pl.concat(values, rechunk=True) if values else every(None, pl.String(), 0)
    return looked_up(flat, column * told.height + at)
