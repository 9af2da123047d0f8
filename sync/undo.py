"""Take back what a run wrote, field by field, except where somebody has changed it since.

    rows      = journal.written_by(run)        what it wrote, with before and after
    held      = fetch(…)                       what the records hold now
    restored  = carry_out(before again)        where they still hold what the run wrote
    left      = the rest, with who changed it

An undo is a run: it has its own journal and can be undone. What was restored is remembered as agreed, so that
nothing carries it on to the other CRM, and what was taken back is not written there again until it would be
something else. Records that the run created are archived, never deleted for good, unless a person has touched them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

import polars as pl

from connectors.crm import RECORD_ID
from mapping.lead import columns_of
from sync.agreed import STAGE_SHOWN
from sync.errors import GuardStopped, WrongUse
from sync.halfdone import same_value
from sync.plan import CHANGES, STAGE
from sync.read import read_records
from sync.running import running
from sync.store.journal import UNDONE
from sync.store.leads import RECORDS
from sync.store.runs import Numbers
from sync.work import Work, empty
from sync.write import Results, carry_out

#: Why something was left as it is; for people and for ``left`` in the JSON document.
CHANGED, GONE, UNREAD = "changed since", "the record is gone", "could not be read"
BUSY, NAMED = "another run is at it", "the record that it names was kept"
WITHDRAWN = "nobody is put back on a list by an undo"


@dataclass(frozen=True, slots=True)
class Left:
    """One field that was not restored. ``changed_at`` and ``changed_by`` where somebody had changed it since."""

    lead: str
    crm: str
    record: str
    field: str
    why: str
    changed_at: datetime | None = None
    changed_by: str = ""


@dataclass(slots=True)
class Undone:
    """What an undo came to. ``restored`` and ``left`` count fields; a record that was taken away counts as one."""

    run: int
    restored: int = 0
    left: list[Left] = field(default_factory=list)
    numbers: Numbers = field(default_factory=Numbers)
    seconds: float = 0.0
    fingerprint: str = ""  #: it carries out no plan


def undo(work: Work, of_run: int) -> Undone:
    """Take back what a run wrote. Raises WrongUse where it wrote nothing, and the connectors' errors.

    Where it stops early, the journal says how far it came; the same undo again goes on from there.
    """
    if work.mode == "observe":
        raise GuardStopped(
            "sync.mode is observe: nothing is written to a CRM, so nothing can be taken back",
            fix="set sync.mode to own_fields or full",
        )
    rows = work.store.journal.written_by(of_run)
    members = work.store.imports.members_of(of_run)
    if rows.is_empty() and not members:
        raise WrongUse(f"run {of_run} wrote nothing that could be taken back", fix="see `leadpact runs`")
    now = work.clock()
    with running(work, f"undo {of_run}", now) as opened:
        done = opened.count(Undone(opened.run))
        for lead_ids in _slices(rows["lead_id"], work.slice_leads):
            _undo_slice(work, of_run, rows.filter(pl.col("lead_id").is_in(lead_ids.implode())), done, now)
        _undo_import(work, of_run, members, done)
    return done


def _undo_import(work: Work, of_run: int, members: list[str], done: Undone) -> None:
    """Take an import's people out of its campaign again, and forget what its file said about them."""
    for one in work.crms["salesforce"].archive("CampaignMember", members) if members else ():
        if one.outcome == "written":
            done.restored += 1
        else:
            done.left.append(Left("", "salesforce", one.trace, "campaign", f"the CRM refused it: {one.code}"))
    work.store.imports.forget(of_run)


def as_json(done: Undone) -> dict[str, Any]:
    """The JSON document of undo (contract)."""
    left = [
        {**asdict(one), "changed_at": one.changed_at.isoformat() if one.changed_at else None}
        for one in done.left
    ]
    return {"run": done.run, "restored": done.restored, "left": left}


def not_again(changes: pl.DataFrame, undone: pl.DataFrame) -> pl.DataFrame:
    """The changes of a plan without those that a person took back (``store.journal.UNDONE``). Pure.

    The same field may get another value, and then the other way is open again; a record that was taken away is
    not made anew, and nothing waits for its id.
    """
    if undone.is_empty():
        return changes
    same = undone.filter(pl.col("field") != "").rename({"value": "after"})
    kept = changes.join(same, on=["lead_id", "crm", "field", "after"], how="anti", nulls_equal=True)
    taken = undone.filter(pl.col("field") == "").select("lead_id", "crm")
    counterpart = {"hubspot": "salesforce", "salesforce": "hubspot"}
    barred = pl.concat(
        [
            taken.with_columns(kind=pl.lit("create")),
            taken.with_columns(pl.col("crm").replace_strict(counterpart), kind=pl.lit("cross_id")),
        ]
    )
    return kept.join(barred, on=["lead_id", "crm", "kind"], how="anti").sort("lead_id", "crm", "field")


def _slices(lead_ids: pl.Series, size: int) -> list[pl.Series]:
    distinct = lead_ids.unique().sort()
    return [distinct.slice(start, size) for start in range(0, len(distinct), size)]


def _undo_slice(work: Work, of_run: int, rows: pl.DataFrame, done: Undone, now: datetime) -> None:
    store = work.store
    fence, ours = store.runs.claim(rows["lead_id"], done.run, now, work.claim_seconds)
    free = pl.col("lead_id").is_in(list(ours))
    _leave(done, rows.filter(~free), BUSY)
    looked_at = _looked_at(work, rows.filter(free))
    back = looked_at.filter(pl.col("verdict") == "back")
    changed = looked_at.filter(pl.col("verdict") == CHANGED)
    for why in (GONE, UNREAD, NAMED, WITHDRAWN):
        _leave(done, looked_at.filter(pl.col("verdict") == why), why)
    _leave_changed(work, done, changed)
    changes = _changes(work, back, of_run)
    with store.transaction():
        store.journal.intend(changes, done.run, now)
    results = Results(changes.with_columns(state=pl.lit("intent")))
    fields = changes.filter(pl.col("kind") != "archive")
    if not fields.is_empty():
        results = carry_out(work, fields)
    ended = pl.concat(
        [results.changes.filter(pl.col("kind") != "archive"), _archived(work, changes)], how="diagonal"
    )
    _remember(work, of_run, done.run, ended, now)
    for code, failed in _failures(ended, results).items():
        _leave(done, failed, code)
    done.restored += ended.filter(pl.col("state") == "written").height
    store.runs.release(done.run, fence)
    _count(done, rows)


def _looked_at(work: Work, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with what their records hold ``now`` and a ``verdict``: back, or why not.

    A record that the run created goes as a whole: one field that somebody has changed keeps it.
    """
    parts = [_held(work, crm, mine) for (crm,), mine in rows.partition_by("crm", as_dict=True).items()]
    nothing = rows.with_columns(now=pl.lit(None, dtype=pl.String), verdict=pl.lit("back")).clear()
    held = pl.concat([nothing, *parts])
    made = pl.col("kind") == "create"
    kept = made & (pl.col("verdict") == CHANGED)
    return held.with_columns(
        verdict=pl.when(made & kept.any().over("crm", "record_id"))
        .then(pl.lit(CHANGED))
        .when((pl.col("kind") == "cross_id") & kept.any().over("lead_id"))
        .then(pl.lit(NAMED))
        .when((pl.col("kind") != "create") & pl.col("field").is_in(_opt_outs(work)))
        .then(pl.lit(WITHDRAWN))
        .otherwise("verdict")
    )


def _opt_outs(work: Work) -> list[str]:
    return [name for name, known in work.fields.items() if known.opt_out]


def _held(work: Work, crm: object, rows: pl.DataFrame) -> pl.DataFrame:
    crm_name = str(crm)
    names = rows["crm_field"].unique().sort().to_list()
    frames = []
    for slab in work.crms[crm_name].fetch(
        work.objects[crm_name], names, rows["record_id"].unique().to_list()
    ):
        live = slab.frame.filter(~pl.col("_archived"))
        there = [name for name in names if name in live.columns]
        absent = pl.col("_absent").fill_null([]).alias("_absent")
        long = live.select(RECORD_ID, absent, *there).unpivot(
            there, index=[RECORD_ID, "_absent"], variable_name="crm_field", value_name="now"
        )
        frames.append(long.filter(~pl.col("_absent").list.contains(pl.col("crm_field"))).drop("_absent"))
    found = pl.concat(frames) if frames else pl.DataFrame(schema=_HELD)
    live_ids = found[RECORD_ID].unique()
    known = found.rename({RECORD_ID: "record_id"}).with_columns(_read=pl.lit(value=True))
    joined = rows.join(known, on=["record_id", "crm_field"], how="left", maintain_order="left")
    # What was sent, or what the CRM made of it: it rounds amounts and trims texts.
    as_stored = pl.col("stored").is_not_null() & same_value(pl.col("now"), pl.col("stored"))
    verdict = (
        pl.when(~pl.col("record_id").is_in(live_ids.implode()))
        .then(pl.lit(GONE))
        .when(pl.col("_read").is_null())
        .then(pl.lit(UNREAD))
        .when(~(same_value(pl.col("now"), pl.col("after")) | as_stored))
        .then(pl.lit(CHANGED))
        .otherwise(pl.lit("back"))
    )
    return joined.with_columns(verdict=verdict).drop("_read")


_HELD: Mapping[str, pl.DataType] = {RECORD_ID: pl.String(), "crm_field": pl.String(), "now": pl.String()}


def _changes(work: Work, back: pl.DataFrame, of_run: int) -> pl.DataFrame:
    """What takes it back, as ``plan.CHANGES``: fields get what stood before, created records one row each."""
    stages = list(work.writable().stage_order)
    fields = back.filter(pl.col("kind") != "create")
    place = {word: number for number, word in enumerate(stages)}
    earlier = [
        field == STAGE and crm == "hubspot" and place.get(before or "", -1) < place.get(after or "", -1)
        for field, crm, before, after in fields.select("field", "crm", "before", "now").iter_rows()
    ]
    restored = fields.with_columns(
        pl.col("now").alias("before"),
        pl.col("before").alias("after"),
        kind=pl.when(pl.Series("earlier", earlier, dtype=pl.Boolean))
        .then(pl.lit("stage_back"))
        .otherwise(pl.lit("set")),
    )
    taken = (
        back.filter(pl.col("kind") == "create")
        .unique(["crm", "record_id"], keep="first", maintain_order=True)
        .with_columns(
            *(pl.lit(None, dtype=pl.String).alias(name) for name in ("before", "after")),
            field=pl.lit(""),
            crm_field=pl.lit(""),
            kind=pl.lit("archive"),
        )
    )
    return (
        pl.concat([restored, taken])
        .with_columns(why=pl.lit(f"undo of run {of_run}"), lane=pl.lit("live"))
        .select(*CHANGES)
    )


def _archived(work: Work, changes: pl.DataFrame) -> pl.DataFrame:
    """Archive what the run created; the rows with their ``state``."""
    states: dict[tuple[str, str], str] = {}
    wanted = changes.filter(pl.col("kind") == "archive")
    for (crm,), rows in wanted.partition_by("crm", as_dict=True).items():
        name = str(crm)
        for one in work.crms[name].archive(work.objects[name], rows["record_id"].to_list()):
            states[name, one.trace] = (
                one.outcome if one.outcome != "refused" else f"refused {one.code}".strip()
            )
    keys = wanted.select("crm", "record_id").iter_rows()
    return wanted.with_columns(
        state=pl.Series("state", [states.get(key, "refused") for key in keys], dtype=pl.String)
    )


def _remember(work: Work, of_run: int, run: int, ended: pl.DataFrame, now: datetime) -> None:
    """Journal, bases of what was restored, links of what was taken away, and what is not to come again."""
    store = work.store
    plain = ended.with_columns(state=pl.col("state").str.split(" ").list.first())
    written = plain.filter(pl.col("state") == "written")
    fields, taken = written.filter(pl.col("kind") != "archive"), written.filter(pl.col("kind") == "archive")
    bases = [
        _bases(work, str(crm), rows) for (crm,), rows in fields.partition_by("crm", as_dict=True).items()
    ]
    with store.transaction():
        store.journal.settle(plain, run, now)
        for each in bases:
            store.leads.remember_bases(each, run, now)
        store.leads.unlink(taken.select(*RECORDS))
        # What stood there when it was taken back is what is not to come again.
        store.journal.remember_undone(
            pl.concat([
                fields.select("lead_id", "crm", "field", value="before"),
                taken.select("lead_id", "crm", "field", value=pl.lit(None, dtype=pl.String)),
                empty(UNDONE),
            ]),
            of_run, run, now,
        )  # fmt: skip


def _bases(work: Work, crm: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The bases of these records, the restored fields as they are now, all others as they were."""
    object_name = work.objects[crm]
    records = rows.select("crm", "object", "record_id").unique()
    old = work.store.leads.bases(records)
    if old.is_empty():
        return old
    snapshots = work.record_snapshots(crm)
    before = old.hstack(snapshots.decode(old["record_values"]))
    asked = work.field_map.asked(crm, object_name)
    slabs = work.crms[crm].fetch(object_name, asked, old["record_id"].to_list())
    now = pl.concat([read_records(work, crm, slab.frame) for slab in slabs], how="diagonal")
    names = [name for name in snapshots.schema if name in now.columns]
    joined = before.join(
        now.select(pl.col(RECORD_ID).alias("record_id"), *(pl.col(name).alias("_now." + name) for name in names)),
        on="record_id", how="left", maintain_order="left",
    )  # fmt: skip
    restored = {
        str(field): mine["record_id"] for (field,), mine in rows.partition_by("field", as_dict=True).items()
    }
    known = columns_of(work.field_map.known(crm))
    columns = []
    for name in names:
        owner = name.removesuffix("_currency") if name.removesuffix("_currency") in known else name
        ids = restored.get(STAGE if owner == STAGE_SHOWN else owner)
        if ids is not None:
            here = pl.col("record_id").is_in(ids.implode())
            columns.append(pl.when(here).then("_now." + name).otherwise(name).alias(name))
    restored_to = joined.with_columns(columns)
    texts = snapshots.encode(restored_to)
    return old.with_columns(record_values=texts, record_mark=snapshots.marks(restored_to, texts))


def _failures(ended: pl.DataFrame, results: Results) -> dict[str, pl.DataFrame]:
    """What could not be restored, by what the CRM said."""
    failed = ended.filter(pl.col("state") != "written")
    codes = [
        (results.refusals[lead, crm].code if (lead, crm) in results.refusals else "") or state
        for lead, crm, state in failed.select("lead_id", "crm", "state").iter_rows()
    ]
    named = failed.with_columns(_why=pl.Series("_why", codes, dtype=pl.String))
    return {
        f"the CRM refused it: {code}": rows.drop("_why")
        for (code,), rows in named.partition_by("_why", as_dict=True).items()
    }


def _leave(done: Undone, rows: pl.DataFrame, why: str) -> None:
    done.left.extend(
        Left(lead, crm, record, name, why)
        for lead, crm, record, name in rows.select("lead_id", "crm", "record_id", "field").iter_rows()
    )


def _leave_changed(work: Work, done: Undone, rows: pl.DataFrame) -> None:
    """Fields that somebody changed since, with who and when, as far as the CRM tells."""
    for (crm,), mine in rows.partition_by("crm", as_dict=True).items():
        name = str(crm)
        told = work.crms[name].last_changes(
            work.objects[name], mine["crm_field"].unique().to_list(), mine["record_id"].unique().to_list()
        )
        by_place = {(one.record_id, one.field): one for one in told}
        for lead, record, field_name, crm_field in mine.select(
            "lead_id", "record_id", "field", "crm_field"
        ).iter_rows():
            one = by_place.get((record, crm_field))
            at, by = (one.at, one.by) if one is not None else (None, "")
            done.left.append(Left(lead, name, record, field_name, CHANGED, at, by))


def _count(done: Undone, rows: pl.DataFrame) -> None:
    """Targets are leads in a CRM; one is written where every field of it was restored, else held."""
    targets = set(rows.select("lead_id", "crm").iter_rows())
    held = len(targets & {(one.lead, one.crm) for one in done.left})
    so_far = done.numbers
    done.numbers = replace(
        so_far,
        targets=so_far.targets + len(targets),
        held=so_far.held + held,
        written=so_far.written + len(targets) - held,
    )
