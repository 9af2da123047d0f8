"""Prove that both CRMs show the same stage, score and temperature for every linked lead, or say why not yet.

Both records of every linked lead are read afresh. They agree when both show the same, and what they show is
the verdict as of now (a score may be less than ``score_step`` behind, because that is not written).
Every other lead is explained by what is known about it, or counts as unexplained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from mapping.lead import columns_of
from mapping.own import HANDOVER_FIELDS, OWN_FIELDS
from sync.compared import side_by_side, with_since
from sync.decide import conclude, lead_frame
from sync.fates import CONVERTED
from sync.merge import HUBSPOT, MERGED, SALESFORCE
from sync.plan import SIDES
from sync.read import RAW, typed_records
from sync.rescore import stored_slices
from sync.slices import Slice
from sync.store.standing import Compared
from sync.winners import KEPT
from sync.work import CRMS, Work

SHOWN = ("shown_stage", "shown_temperature", "shown_score")
#: In the order in which they are looked for; the first that fits explains a lead.
REASONS = {
    "gone": "a record was deleted or merged in its CRM",
    "converted": "Salesforce takes no more changes to a converted lead",
    "out_of_scope": "the lead is outside the configured scope",
    "one_way": "the scope lets nothing be written to the CRM that differs (scope.to_hubspot, scope.to_salesforce)",
    "refused": "a CRM refused the write; `leadpact refused` says why",
    "held": "a conflict waits for a person; `leadpact held` shows it",
    "undone": "a person took back what a run had written; it waits until it would be something else",
    "changed_since": "somebody changed a record after the last sync",
    "rescore_due": "time has changed the verdict since it was written; `leadpact rescore` writes it",
    "not_written_yet": "nothing was ever written for this lead: the mode, a guard or an unapproved first run",
    "in_work": "another run is working on the lead right now",
}


@dataclass(slots=True)
class Agreement:
    """``linked`` leads with a record in both CRMs = ``agreed`` + the explained + ``unexplained``.

    ``samples``: reason to a few lead ids, "unexplained" among them.
    """

    linked: int = 0
    same: int = 0  #: both CRMs show the same, whatever the verdict is now
    agreed: int = 0
    explained: dict[str, int] = field(default_factory=dict)
    unexplained: int = 0
    samples: dict[str, list[str]] = field(default_factory=dict)
    oldest: dict[str, tuple[str, datetime]] = field(default_factory=dict)  #: reason to a lead, and since when

    def share(self) -> float:
        """Agreed leads among linked ones, 0 to 1; 1 where there are none."""
        return self.agreed / self.linked if self.linked else 1.0


#: Is handed the leads of a slice: ``lead_id``, ``verdict``, ``since``, and the two CRMs' records side by side.
Each = Callable[[pl.DataFrame], None]


def agree(work: Work, now: datetime, each: Each | None = None) -> Agreement:
    """Compare both CRMs for every linked lead. Reads the CRMs, writes nothing to them; keeps its numbers."""
    found = Agreement()
    last = next((row.ended for row in work.store.runs.newest(200) if row.state == "done" and row.ended), None)
    waiting = _waiting(work)
    for part in stored_slices(work):
        for judged in _compared(work, part, now, last, waiting, each):
            _count(found, judged)
    work.store.standing.keep_agreement(
        Compared(now, found.linked, found.same, found.agreed, found.explained, found.unexplained)
    )
    return found


def _waiting(work: Work) -> dict[str, pl.Series]:
    """The leads that are held, those that a CRM refused, and those of which something was taken back."""
    found = {"held": work.store.journal.open_held(), "refused": work.store.journal.refused()}
    waiting = {
        reason: pl.Series("lead_id", [row["lead_id"] for row in rows if row["lead_id"]], dtype=pl.String)
        for reason, rows in found.items()
    }
    return {**waiting, "undone": work.store.journal.undone_leads()}


def _compared(
    work: Work,
    part: Slice,
    now: datetime,
    last: datetime | None,
    waiting: Mapping[str, pl.Series],
    each: Each | None,
) -> Iterator[pl.DataFrame]:
    """The linked leads of a slice with their ``verdict``: agreed, a reason, or unexplained."""
    links = work.store.leads.links_of_leads(part.lead_ids)
    both = links.group_by("lead_id").agg(pl.col("crm").n_unique()).filter(pl.col("crm") > 1)["lead_id"]
    if both.is_empty():
        return
    links = links.filter(pl.col("lead_id").is_in(both.implode()))
    records: dict[str, pl.DataFrame | None] = {crm: _fetch(work, crm, links) for crm in CRMS}
    waiting = {**waiting, "converted": _converted(work, both, records.values())}
    bases = work.store.leads.bases(links)
    frame = lead_frame(work, both, records, links, bases, work.store.leads.of(both))
    merged = frame.with_columns(
        pl.col(KEPT + name).alias(MERGED + name) for name in columns_of(work.fields)
    ).with_columns(address_taken=pl.lit(value=True), hubspot_stage_word=pl.lit(None, dtype=pl.String))
    judged = conclude(work, merged, {}, (), both, now, work.store.handovers.newest(both)).leads
    explained = with_since(work, _explained(work, judged, last, waiting))
    if each is not None:
        each(side_by_side(work, explained, records))
    yield explained


def _converted(work: Work, lead_ids: pl.Series, read: Iterable[pl.DataFrame | None]) -> pl.Series:
    """The leads that are known to be converted, or show it: one that was met converted is noted when met again."""
    fates = work.store.identity.fates(lead_ids).filter(pl.col("fate") == "converted")
    told = [
        frame.filter(pl.col(RAW + CONVERTED) == "true")["lead_id"]
        for frame in read
        if frame is not None and RAW + CONVERTED in frame.columns
    ]
    return pl.concat([fates["lead_id"], *told])


def _fetch(work: Work, crm: str, links: pl.DataFrame) -> pl.DataFrame | None:
    owners = links.filter(pl.col("crm") == crm).select(pl.col("record_id").alias("_id"), "lead_id")
    frames = [
        typed_records(work, crm, slab.frame.filter(~pl.col("_archived"))).join(owners, on="_id", how="inner")
        for slab in work.crms[crm].fetch(work.objects[crm], work.asked(crm), owners["_id"].to_list())
    ]
    return pl.concat(frames, how="diagonal") if frames else None


def _handover_in_both(work: Work) -> list[str]:
    """The fields of the handover that both CRMs have; until ``setup`` made them, there is nothing to agree on."""
    may = work.writable().updatable
    ours = [own for own in OWN_FIELDS if own.lead.name in HANDOVER_FIELDS]
    return [own.lead.name for own in ours if all(own.name_in(crm) in may[crm] for crm in CRMS)]


def _explained(
    work: Work, judged: pl.DataFrame, last: datetime | None, waiting: Mapping[str, pl.Series]
) -> pl.DataFrame:
    shown = (*SHOWN, *_handover_in_both(work))
    same = pl.all_horizontal(pl.col(HUBSPOT + name).eq_missing(pl.col(SALESFORCE + name)) for name in shown)
    same &= _agrees_with(HUBSPOT, pl.col(SALESFORCE + "shown_grade"))
    right = {crm: _shows_the_verdict(side, work.policy.score_step) for crm, side in SIDES.items()}
    in_work = work.store.runs.claimed(judged["lead_id"])
    moved = pl.lit(value=False)
    if last is not None:
        moved = pl.any_horizontal(
            (pl.col(side + "_modified_at") > last).fill_null(value=False) for side in SIDES.values()
        )
    never = pl.all_horizontal(
        pl.col(side + name).is_null() for side in SIDES.values() for name in ("shown_stage", "shown_score")
    )
    stale = pl.any_horizontal(
        pl.col(name).ne_missing(pl.col(f"prev_{name}")) for name in ("stage", "temperature", "grade", "score")
    )
    reasons = {
        "gone": pl.col(HUBSPOT + "_id").is_null() | pl.col(SALESFORCE + "_id").is_null(),
        "converted": pl.col("lead_id").is_in(waiting["converted"].implode()),
        "out_of_scope": ~pl.col("in_scope"),
        "one_way": pl.all_horizontal(right[crm] | ~pl.col(f"to_{crm}") for crm in CRMS),
        "refused": pl.col("lead_id").is_in(waiting["refused"].implode()),
        "held": pl.col("lead_id").is_in(waiting["held"].implode()),
        "undone": pl.col("lead_id").is_in(waiting["undone"].implode()),
        "changed_since": moved,
        "rescore_due": same & stale,
        "not_written_yet": never,
        "in_work": pl.col("lead_id").is_in(in_work.implode()),
    }
    verdict = pl.coalesce(
        pl.when(same & right["hubspot"]).then(pl.lit("agreed")),
        *(pl.when(condition).then(pl.lit(reason)) for reason, condition in reasons.items()),
        pl.lit("unexplained"),
    )
    changed_at = pl.max_horizontal(pl.col(side + "_modified_at") for side in SIDES.values())
    return judged.select("lead_id", verdict=verdict, same=same, changed_at=changed_at)


def _shows_the_verdict(side: str, score_step: int) -> pl.Expr:
    """Whether a CRM shows the verdict as of now; a score may be less than a step behind."""
    stage = (pl.col(side + "shown_stage") == pl.col("stage")).fill_null(value=False)
    near = ((pl.col(side + "shown_score") - pl.col("score")).abs() < score_step).fill_null(value=False)
    unscored = pl.col(side + "shown_score").is_null() & pl.col("score").is_null()
    warmth = pl.col(side + "shown_temperature").eq_missing(pl.col("temperature"))
    return stage & warmth & (near | unscored) & _agrees_with(side, pl.col("grade"))


def _agrees_with(side: str, grade: pl.Expr) -> pl.Expr:
    """Whether a CRM shows this grade; one that was set up before there was a grid shows none, and owes none."""
    shown = pl.col(side + "shown_grade")
    return shown.is_null() | grade.is_null() | (shown == grade)


def _count(found: Agreement, judged: pl.DataFrame) -> None:
    found.linked += judged.height
    found.same += int(judged["same"].sum())
    for verdict, lead, since in (
        judged.sort("since")
        .unique("verdict", keep="first", maintain_order=True)
        .select("verdict", "lead_id", "since")
        .rows()
    ):
        known = found.oldest.get(verdict)
        if verdict != "agreed" and since is not None and (known is None or since < known[1]):
            found.oldest[verdict] = (lead, since)
    for verdict, ids in judged.group_by("verdict").agg("lead_id").iter_rows():
        if verdict == "agreed":
            found.agreed += len(ids)
            continue
        if verdict == "unexplained":
            found.unexplained += len(ids)
        else:
            found.explained[verdict] = found.explained.get(verdict, 0) + len(ids)
        found.samples.setdefault(verdict, []).extend(sorted(ids)[:5])
