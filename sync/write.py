"""Carry out changes: intents first, then the CRMs in an order that a stop anywhere cannot harm.

Withdrawn consent comes first and alone. Then come creates, as upserts by the counterpart's id, so that repeating
one finds the record it made. Then HubSpot stages that move back are cleared, then everything else is set, the new
records' ids included. What each CRM says it stored comes back with the results.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from connectors.crm import RECORD_ID, Write, Written
from mapping.own import CROSS_ID, OWN_FIELDS
from sync.halfdone import OPEN_INTENTS
from sync.plan import CHANGES, RESTORE, STAGE
from sync.work import CRMS, Work

#: A change as it ended: ``CHANGES``, ``state`` (written, refused, ignored, unknown) and ``stored``: what the CRM says
#: it holds since, where that is another value than was sent (rounded, trimmed); null where it said nothing else.
ENDED: Mapping[str, pl.DataType] = {**CHANGES, "state": pl.String(), "stored": pl.String()}
#: Leads of a slice that have a line in the log each, of those that were written and of those that were refused.
MOST_LOGGED = 100
_log = logging.getLogger(__name__)
_CROSS = next(own for own in OWN_FIELDS if own.lead.name == CROSS_ID)


@dataclass(slots=True)
class Results:
    """What became of a slice's changes.

    ``changes`` (``ENDED``) has the ids of created records filled in. ``stored``: CRM to record id to what the
    CRM says it holds now. ``refusals``: (lead, crm) to the CRM's answer. ``created``: (lead, crm) to new id.
    ``overruled``: lead to when its Salesforce record had changed, where what somebody set there gives way.
    """

    changes: pl.DataFrame
    stored: dict[str, dict[str, dict[str, str | None]]] = field(default_factory=dict)
    refusals: dict[tuple[str, str], Written] = field(default_factory=dict)
    created: dict[tuple[str, str], str] = field(default_factory=dict)
    overruled: Mapping[str, datetime] = field(default_factory=dict)


def carry_out(work: Work, changes: pl.DataFrame, conflicts: pl.DataFrame | None = None) -> Results:
    """Write a slice's changes to both CRMs. Raises the connector's errors; what was written stays written.

    ``conflicts`` (``merge.conflicts``): where HubSpot's value won, it replaces what somebody set in Salesforce only
    as long as they have not set something else since.
    """
    results = Results(changes.with_columns(state=pl.lit("intent")), overruled=_overruled(conflicts))
    states: dict[tuple[str, str, str], str] = {}
    _withdraw(work, changes, results, states)
    for crm in CRMS:
        creates = changes.filter((pl.col("crm") == crm) & (pl.col("kind") == "create"))
        if not creates.is_empty():
            _create(work, crm, creates, results, states)
    ready = _with_new_ids(changes.filter(pl.col("kind") != "create"), results)
    _clear_stages(work, ready, states, results)
    for crm in CRMS:
        ours = (pl.col("crm") == crm) & (pl.col("object") == work.objects[crm])
        updates = ready.filter(ours & pl.col("record_id").is_not_null())
        if not updates.is_empty():
            _update(work, crm, updates, results, states)
    _end(results, changes, ready, states)
    _log_ended(results)
    return results


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


def _withdraw(
    work: Work, changes: pl.DataFrame, results: Results, states: dict[tuple[str, str, str], str]
) -> None:
    """Withdrawn consent travels before anything else, and alone: what stops the rest must not stop it."""
    withdrawn = changes.filter(
        (pl.col("lane") == "consent") & (pl.col("kind") != "create") & pl.col("record_id").is_not_null()
    )
    for crm in CRMS:
        rows = withdrawn.filter(pl.col("crm") == crm)
        if not rows.is_empty():
            with work.crms[crm].in_lane("consent"):
                # A converted lead's go to the Contact that it was turned into.
                for each in rows.partition_by("object", maintain_order=True):
                    _update_records(work, crm, each, "withdrawal", results, states)


def _write(
    work: Work, crm: str, object_name: str, writes: list[Write], point: str, results: Results
) -> list[Written]:
    work.at_point(f"before {crm} {point}")
    written = work.crms[crm].write(object_name, writes)
    work.at_point(f"after {crm} {point}")
    kept = results.stored.setdefault(crm, {})
    for one in written:
        if one.outcome == "written" and one.record_id:
            kept.setdefault(one.record_id, {}).update(one.stored)
    return written


def _create(
    work: Work, crm: str, creates: pl.DataFrame, results: Results, states: dict[tuple[str, str, str], str]
) -> None:
    key_field = _CROSS.name_in(crm)
    writes = []
    for lead_id, _, names, afters in _by_lead(creates):
        values = dict(zip(names, afters, strict=True))
        key = values.pop(key_field, None)
        writes.append(Write(lead_id, None, values, (key_field, key) if key else None))
    fields = _fields_by_lead(creates)
    for one in _write(work, crm, creates["object"][0], writes, "create", results):
        for name, _, _ in fields[one.trace]:
            states[one.trace, crm, name] = one.outcome
        if one.outcome == "written" and one.record_id:
            results.created[one.trace, crm] = one.record_id
        else:
            results.refusals[one.trace, crm] = one


def _by_lead(changes: pl.DataFrame) -> list[tuple[str, str | None, list[str], list[str | None]]]:
    """(lead, record id, CRM fields, values) of each lead, in the order of the changes."""
    grouped = changes.group_by("lead_id", maintain_order=True).agg(
        pl.col("record_id").first(), pl.col("crm_field"), pl.col("after")
    )
    return grouped.rows()


def _with_new_ids(changes: pl.DataFrame, results: Results) -> pl.DataFrame:
    """Put the ids of new records where a change waits for one; what waits in vain is left out."""
    waiting = pl.col("kind") == "cross_id"
    if changes.filter(waiting).is_empty():
        return changes
    made = pl.DataFrame(
        [
            {"lead_id": lead, "crm": "hubspot" if crm == "salesforce" else "salesforce", "_made": record}
            for (lead, crm), record in results.created.items()
        ],
        schema={"lead_id": pl.String(), "crm": pl.String(), "_made": pl.String()},
    )
    filled = changes.join(made, on=["lead_id", "crm"], how="left", maintain_order="left").with_columns(
        after=pl.when(waiting).then("_made").otherwise("after")
    )
    return filled.filter(~waiting | pl.col("_made").is_not_null()).drop("_made")


def _clear_stages(
    work: Work, changes: pl.DataFrame, states: dict[tuple[str, str, str], str], results: Results
) -> None:
    """HubSpot answers 200 to a backward move and ignores it; a cleared stage can be set to any."""
    restored = (pl.col("kind") == RESTORE) & (pl.col("field") == STAGE)
    back = _not_yet_there(work, changes.filter((pl.col("kind") == "stage_back") | restored))
    if back.is_empty():
        return
    writes = [
        Write(lead_id, record_id, {crm_field: None})
        for lead_id, record_id, crm_field in back.select("lead_id", "record_id", "crm_field").iter_rows()
    ]
    for one in _write(work, "hubspot", back["object"][0], writes, "stage clear", results):
        if one.outcome != "written":
            states[one.trace, "hubspot", STAGE] = one.outcome
            results.refusals[one.trace, "hubspot"] = one


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


def _update(
    work: Work, crm: str, updates: pl.DataFrame, results: Results, states: dict[tuple[str, str, str], str]
) -> None:
    """Write what is left of the records' changes, handovers first."""
    first = (pl.col("lane") == "handover").any().over("lead_id")
    handovers, rest = updates.filter(first), updates.filter(~first)
    if not handovers.is_empty():
        with work.crms[crm].in_lane("handover"):
            _update_records(work, crm, handovers, "handover", results, states)
    if not rest.is_empty():
        _update_records(work, crm, rest, "update", results, states)


def _update_records(
    work: Work,
    crm: str,
    rows: pl.DataFrame,
    point: str,
    results: Results,
    states: dict[tuple[str, str, str], str],
) -> None:
    records = dict(rows.select("lead_id", "record_id").unique("lead_id").iter_rows())
    names = _fields_by_lead(rows)
    writes = []
    for lead_id, fields in names.items():
        values = {name: after for field, name, after in fields if (lead_id, crm, field) not in states}
        if values:
            unless = _unless(crm, point, lead_id, records[lead_id], results)
            writes.append(Write(lead_id, records[lead_id], values, unless_changed_since=unless))
    for one in _write(work, crm, rows["object"][0], writes, point, results):
        for name, crm_field, after in names[one.trace]:
            if (one.trace, crm, name) in states:
                continue
            states[one.trace, crm, name] = _state_of(one, name, crm_field, after)
        if one.outcome != "written":
            results.refusals[one.trace, crm] = one
        elif states.get((one.trace, crm, STAGE)) == "ignored":
            results.refusals[one.trace, crm] = _ignored(one)


def _unless(crm: str, point: str, lead_id: str, record_id: str, results: Results) -> datetime | None:
    """The change after which this update must not be made any more; None: it is made in any case."""
    if crm != "salesforce" or point == "withdrawal":
        return None
    # What this very run wrote to the record has moved it on, too.
    return None if record_id in results.stored.get(crm, {}) else results.overruled.get(lead_id)


def _fields_by_lead(updates: pl.DataFrame) -> dict[str, list[tuple[str, str, str | None]]]:
    named: dict[str, list[tuple[str, str, str | None]]] = {}
    for lead_id, name, crm_field, after in updates.select(
        "lead_id", "field", "crm_field", "after"
    ).iter_rows():
        named.setdefault(lead_id, []).append((name, crm_field, after))
    return named


def _state_of(one: Written, name: str, crm_field: str, after: str | None) -> str:
    if one.outcome != "written":
        return one.outcome
    if name == STAGE and crm_field in one.stored and one.stored[crm_field] != after:
        return "ignored"  # read back and found unchanged: the CRM took the write and kept its own stage
    return "written"


def _ignored(one: Written) -> Written:
    return Written(
        one.trace,
        "refused",
        one.record_id,
        code="STAGE_IGNORED",
        message="HubSpot accepted the stage and kept its own",
        fields=(STAGE,),
    )


def _end(
    results: Results,
    changes: pl.DataFrame,
    ready: pl.DataFrame,
    states: dict[tuple[str, str, str], str],
) -> None:
    """Give every change its end; a change that waited for a record that was refused is refused with it."""
    all_rows = pl.concat([changes.filter(pl.col("kind") == "create"), ready])
    given_up = changes.join(all_rows, on=["lead_id", "crm", "field"], how="anti")
    rows = pl.concat([all_rows, given_up])
    keys = rows.select("lead_id", "crm", "field").iter_rows()
    ended = [states.get((lead, crm, name), "refused") for lead, crm, name in keys]
    made = pl.DataFrame(
        [{"lead_id": lead, "crm": crm, "_new": record} for (lead, crm), record in results.created.items()],
        schema={"lead_id": pl.String(), "crm": pl.String(), "_new": pl.String()},
    )
    results.changes = (
        rows.with_columns(pl.Series("state", ended, dtype=pl.String))
        .join(made, on=["lead_id", "crm"], how="left", maintain_order="left")
        .with_columns(record_id=pl.coalesce("record_id", "_new"))
    )
    results.changes = results.changes.with_columns(stored=_stored(results)).select(*ENDED)


def _stored(results: Results) -> pl.Series:
    """What the CRMs say they hold, for the changes where that is not what was sent."""
    nothing: dict[str, str | None] = {}
    said = [
        results.stored.get(crm, {}).get(record or "", nothing).get(name) if state == "written" else None
        for crm, record, name, state in results.changes.select(
            "crm", "record_id", "crm_field", "state"
        ).iter_rows()
    ]
    sent = results.changes["after"].to_list()
    otherwise = [now if now != then else None for now, then in zip(said, sent, strict=True)]
    return pl.Series("stored", otherwise, dtype=pl.String)
