"""The handover ledger: what becomes of each lead between marketing and sales, as a state machine over frames.

One row is one cycle of one lead: qualified, handed over, touched, answered. ``advance`` takes the newest row of each
lead, what the policy says of the lead now and what sales have done, and gives the rows that are different now, the
events that made them so, and what both CRMs are to show. Asked again at the same moment it gives nothing new.

    qualified → open → touched → accepted | rejected
                  └ late → overdue (kept) | reassigned (to another owner) | recycled (back to marketing)
    any of them → withdrawn, where marketing's own policy takes the lead back
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

import polars as pl

from mapping.qualification.handover_events import EVENTS, events_of
from mapping.qualification.handover_facts import (
    SEEN,
    WAS,
    accepted,
    answered,
    lost_since,
    rejected,
    touched,
    with_loss,
    with_touch,
    words_learnt,
)
from mapping.qualification.truths import every, no_rows
from mapping.qualification.workclock import Clocks

Late = Literal["keep", "reassign", "recycle"]

_TIME = pl.Datetime("us", "UTC")
#: One row a cycle. ``due_at``: what was promised when the lead was handed over; it never moves. ``owner_due_at``:
#: when the present owner's time is up, later where a late lead went to another. ``hot_since``: filled in when the
#: row is remembered. ``…_then``: what was known at the handover, to tell what sales did after it. ``lost_on``: the day
#: an opportunity was lost after the handover, at the latest; ``lost_reason``: what was said of that.
#: ``lost_then_known``: whether ``lost_then`` was looked at, so that null means that no words were there. ``handed_by``:
#: ``BY_POINTS`` or ``EXPLORATION`` (null: from before that was kept), with the share (0 to 1) and the seed that drew
#: it at ``mql_at``. An exploration has cycle 0: it comes before any other handover of a lead.
LEDGER: Mapping[str, pl.DataType] = {
    **{"lead_id": pl.String(), "cycle": pl.Int32(), "state": pl.String()},
    **dict.fromkeys(("mql_at", "handed_over_at"), _TIME),
    "owner": pl.String(),
    **dict.fromkeys(("due_at", "owner_due_at", "escalate_at", "first_touch_at"), _TIME),
    "touched_by": pl.String(),
    "answered_at": _TIME,
    "reason": pl.String(),
    "closed_at": _TIME,
    "reassigned": pl.Int32(),
    **{name: pl.Int32() for name in ("score", "fit", "engagement")},
    "temperature": pl.String(),
    "policy_version": pl.String(),
    **dict.fromkeys(("hot_since", "last_sign_at", "contacted_then", "activity_then"), _TIME),
    "contacts_then": pl.Int64(),
    "stage_then": pl.String(),
    **{"lost_on": pl.Date(), "lost_reason": pl.String(), "lost_then": pl.String()},
    "lost_then_known": pl.Boolean(),
    "handed_by": pl.String(),
    **{"drawn_share": pl.Float64(), "drawn_seed": pl.Int64()},
}
#: Why a lead is handed over: its points and the gates, or chance, to learn what leads below the line are worth.
BY_POINTS, EXPLORATION = "points", "exploration"
#: States in which sales still owe an answer; a qualified lead is not with sales yet.
WITH_SALES = ("open", "touched", "overdue", "reassigned")
OPEN = ("qualified", *WITH_SALES)
STATES = (*OPEN, "accepted", "rejected", "recycled", "withdrawn")
#: What each lead shows in both CRMs: the verdict column to the ledger's.
SHOWN: Mapping[str, str] = {
    "handover_state": "state",
    "handover_at": "handed_over_at",
    "handover_due": "owner_due_at",
    "handover_owner": "owner",
    "handover_touch": "first_touch_at",
    "handover_answer": "reason",
    "handover_by": "handed_by",
}


#: What is kept of a draw.
DRAWN = ("drawn_share", "drawn_seed")


@dataclass(frozen=True)
class Terms:
    """What was agreed between the teams. Lengths of work are seconds; ``sooner``: by temperature."""

    respond_within: int = 7200
    sooner: Mapping[str, int] = field(default_factory=dict)
    escalate_before: int = 1800
    when_overdue: Late = "keep"
    reassign_at_most: int = 2
    rest_days: int = 14

    def within(self, temperature: str | None) -> int:
        """The seconds of work within which a lead of this temperature is to be touched."""
        return self.sooner.get(temperature or "", self.respond_within)


@dataclass(frozen=True)
class Advanced:
    """``rows`` (``LEDGER``) that are new or different, and ``events`` (``EVENTS``) that made them so."""

    rows: pl.DataFrame
    events: pl.DataFrame

    def of(self, lead_ids: Sequence[str]) -> Advanced:
        """Those of some leads."""
        mine = pl.col("lead_id").is_in(list(lead_ids))
        return Advanced(self.rows.filter(mine), self.events.filter(mine))


def nothing() -> Advanced:
    """No row and no event."""
    return Advanced(no_rows(LEDGER), no_rows(EVENTS))


def beside(leads: pl.DataFrame, ledger: pl.DataFrame) -> pl.DataFrame:
    """``leads`` with the newest row of each beside it, in columns that begin with ``lg.``."""
    newest = ledger.select(
        "lead_id", *(pl.col(name).alias(WAS + name) for name in LEDGER if name != "lead_id")
    )
    return leads.join(newest, on="lead_id", how="left", maintain_order="left")


def left_lying(leads: pl.DataFrame, terms: Terms, now: datetime) -> pl.Series:
    """Who goes back to marketing, or stays there for a while, because sales did not take the lead up. Boolean.

    ``leads``: the facts of ``handover_facts.FACTS`` with the ledger beside them. A recycled lead rests for
    ``rest_days``, or until it shows new interest.
    """
    if leads[WAS + "state"].null_count() == leads.height:
        return every(False, pl.Boolean(), leads.height).alias("left_lying")
    moment = _whole(now)
    silent = ~touched() & ~answered()
    late = pl.col(WAS + "state").is_in(WITH_SALES) & (pl.col(WAS + "owner_due_at") < moment)
    recycled = late if terms.when_overdue == "recycle" else pl.lit(value=False)
    rests = (
        (pl.col(WAS + "state") == "recycled")
        & (pl.col(WAS + "closed_at") + timedelta(days=terms.rest_days) > moment)
        & ~(pl.col("last_sign_at") > pl.col(WAS + "closed_at")).fill_null(value=False)
    )
    found = (recycled & pl.col(WAS + "first_touch_at").is_null()) | rests
    return leads.select((found & silent).fill_null(value=False).alias("left_lying"))["left_lying"]


def advance(leads: pl.DataFrame, clocks: Clocks, terms: Terms, now: datetime) -> Advanced:
    """What has become of each lead's handover as of ``now``.

    ``leads``: ``handover_facts.FACTS`` and the verdict (``stage stage_why cycle temperature score fit engagement``),
    the ledger beside them (``beside``), and ``left_lying``, ``reached`` (sales can see the lead), ``owner`` (who
    has it now; null: nobody says; empty: nobody has), ``policy_version``; ``explored``: handed over by chance, in
    cycle 0, with ``drawn_share`` and ``drawn_seed``. Raises NoWorkingTime.
    """
    moment = _whole(now)
    mql = _goes_to_sales()
    known = pl.col(WAS + "state").is_not_null()
    # Most leads were never handed over and are not to be: nothing else is asked of them.
    leads = leads.filter(known | mql)
    if leads.is_empty():
        return nothing()
    was_open = known & pl.col(WAS + "state").is_in(OPEN)
    taken_back = known & (pl.col(WAS + "state") == "accepted") & rejected() & ~mql
    again = mql & (~known | (pl.col(WAS + "cycle") < pl.col("cycle")))
    zone = clocks.company.zone
    lost = known & (lost_since(zone) | words_learnt())
    here = leads.filter(was_open | taken_back | again | lost)
    if here.is_empty():
        return nothing()
    here = with_touch(here, moment).with_columns(
        *(pl.col(name).alias("_" + name) for name in DRAWN),
        _nobody=(pl.col("owner") == "").fill_null(value=False),
        owner=pl.when(pl.col("owner") != "").then("owner"),
    )
    parts = []
    if not (old := here.filter(was_open | taken_back)).is_empty():
        parts.append(_carried(old, clocks, terms, moment))
    if not (closed := here.filter(lost & ~was_open & ~taken_back)).is_empty():
        parts.append(_as_it_was(closed))
    if not (new := here.filter(again)).is_empty():
        parts.append(_answered(_handed(_opened(new, moment), clocks, terms, moment), moment))
    rows = with_loss(pl.concat(parts, how="diagonal"), moment, zone)
    events = events_of(rows, moment)
    rows = rows.filter(
        pl.any_horizontal(_differs(name) for name in LEDGER if name not in ("lead_id", "cycle"))
    )
    return Advanced(rows.select(*LEDGER).cast(pl.Schema(LEDGER)), events)


def shown(leads: pl.DataFrame, advanced: Advanced) -> list[pl.Series]:
    """The columns of ``SHOWN`` for each lead, in order: its newest row as it is now."""
    if advanced.rows.is_empty():
        return [leads[WAS + name].alias(shown_as) for shown_as, name in SHOWN.items()]
    newest = advanced.rows.sort("cycle").unique("lead_id", keep="last")
    columns = [pl.col(name).alias("_new." + name) for name in SHOWN.values()]
    both = leads.select("lead_id", *(pl.col(WAS + name) for name in SHOWN.values())).join(
        newest.select("lead_id", *columns, _moved=pl.lit(value=True)),
        on="lead_id",
        how="left",
        maintain_order="left",
    )
    moved = pl.col("_moved").fill_null(value=False)
    values = both.select(
        pl.when(moved).then("_new." + name).otherwise(WAS + name).alias(shown_as)
        for shown_as, name in SHOWN.items()
    )
    return values.get_columns()


def not_arrived(advanced: Advanced, lead_ids: Sequence[str]) -> Advanced:
    """The same without the handovers of this moment to these leads: no record of theirs took it."""
    here = pl.col("lead_id").is_in(list(lead_ids))
    gone = advanced.events.filter(here & (pl.col("what") == "handed_over")).select(
        "lead_id", "cycle", _gone=True
    )
    if gone.is_empty():
        return advanced
    rows = advanced.rows.join(gone, on=["lead_id", "cycle"], how="left", maintain_order="left")
    back = pl.col("_gone").fill_null(value=False)
    blank = ("handed_over_at", "due_at", "owner_due_at", "escalate_at")
    rows = rows.with_columns(
        pl.when(back).then(pl.lit("qualified")).otherwise("state").alias("state"),
        *(pl.when(back).then(None).otherwise(name).alias(name) for name in blank),
    ).drop("_gone")
    return Advanced(rows, advanced.events.filter(~(here & (pl.col("what") == "handed_over"))))


def _goes_to_sales() -> pl.Expr:
    return (pl.col("stage") == "mql").fill_null(value=False) | pl.col("explored")


def _whole(moment: datetime) -> datetime:
    """Cut to whole seconds: the CRMs hold no finer ones, and what they show is compared with the ledger."""
    return moment.astimezone(UTC).replace(microsecond=0)


def _differs(name: str) -> pl.Expr:
    return pl.col(WAS + name).ne_missing(pl.col(name)) | pl.col("_opened")


def _opened(leads: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """New rows, not handed over yet."""
    kept = ("lead_id", "cycle", "owner")
    blank = [name for name in LEDGER if name not in kept and name not in _SNAPSHOT]
    return leads.with_columns(
        *(pl.lit(None, dtype=LEDGER[name]).alias(name) for name in blank),
        *(pl.col(source).alias(name) for name, source in _SNAPSHOT.items()),
    ).with_columns(
        # What sales did in an earlier cycle is no touch of this one.
        _touch_at=pl.lit(None, dtype=_TIME),
        _touched_by=pl.lit(None, dtype=pl.String()),
        _now_cycle=pl.col("cycle"),
        state=pl.lit("qualified"),
        mql_at=_at(now),
        handed_by=pl.when("explored").then(pl.lit(EXPLORATION)).otherwise(pl.lit(BY_POINTS)),
        **{name: pl.when("explored").then("_" + name) for name in DRAWN},
        reassigned=pl.lit(0, dtype=pl.Int32()),
        _opened=pl.lit(value=True),
    )


#: What is noted of a lead when it is handed over, and where it stands.
_SNAPSHOT: Mapping[str, str] = {
    **{
        name: name for name in ("score", "fit", "engagement", "temperature", "policy_version", "last_sign_at")
    },
    **{"contacted_then": "last_contacted_at", "activity_then": "last_activity_at"},
    **{"contacts_then": "sales_contacts", "stage_then": "salesforce_stage"},
    **{"lost_then": "last_loss_reason", "lost_then_known": "loss_words_read"},
}


def _as_it_was(leads: pl.DataFrame) -> pl.DataFrame:
    """Rows that have ended and stay as they are, but for what is learnt of them later."""
    kept = [pl.col(WAS + name).alias(name) for name in LEDGER if name != "lead_id"]
    return leads.with_columns(*kept, _opened=pl.lit(value=False))


def _handed(rows: pl.DataFrame, clocks: Clocks, terms: Terms, now: datetime) -> pl.DataFrame:
    """The rows of qualified leads that sales can see from now on, handed over."""
    due = _with_due(rows, clocks, terms, now)
    handed = (pl.col("state") == "qualified") & pl.col("reached")
    return due.with_columns(
        pl.when(handed).then(pl.lit("open")).otherwise("state").alias("state"),
        pl.when(handed).then(_at(now)).otherwise("handed_over_at").alias("handed_over_at"),
        pl.when(handed).then("_due").otherwise("due_at").alias("due_at"),
        pl.when(handed).then("_due").otherwise("owner_due_at").alias("owner_due_at"),
        pl.when(handed).then("_escalate").otherwise("escalate_at").alias("escalate_at"),
    ).drop("_due", "_escalate")


def _with_due(rows: pl.DataFrame, clocks: Clocks, terms: Terms, now: datetime) -> pl.DataFrame:
    """``_due`` and ``_escalate``: the times of whoever gets a lead now. Few owners, so few times to work out."""
    kinds = rows.select("owner", "temperature").unique()
    times = []
    for owner, temperature in kinds.iter_rows():
        clock, within = clocks.of(owner), terms.within(temperature)
        times.append((clock.due(now, within), clock.due(now, max(within - terms.escalate_before, 0))))
    found = kinds.with_columns(
        pl.Series("_due", [due for due, _ in times], dtype=_TIME),
        pl.Series("_escalate", [escalate for _, escalate in times], dtype=_TIME),
    )
    return rows.join(found, on=["owner", "temperature"], how="left", nulls_equal=True, maintain_order="left")


def _carried(leads: pl.DataFrame, clocks: Clocks, terms: Terms, now: datetime) -> pl.DataFrame:
    """Open rows, brought up to now: owner, handover, first touch, answer, lateness."""
    owner = pl.when(~pl.col("_nobody")).then(pl.coalesce("owner", WAS + "owner"))
    facts = leads.with_columns(_now_cycle="cycle", _moved_owner=owner.ne_missing(pl.col(WAS + "owner")))
    here = _goes_to_sales() & (pl.col("cycle") == pl.col(WAS + "cycle"))
    goes = here & (pl.col(WAS + "state") == "qualified") & pl.col("reached")
    ours = [name for name in LEDGER if name not in ("lead_id", "owner", *_SNAPSHOT)]
    # What is known of a lead is noted when sales get it, and not touched again.
    snapshot = [
        pl.when(goes).then(source).otherwise(WAS + name).alias(name) for name, source in _SNAPSHOT.items()
    ]
    rows = facts.with_columns(
        owner.alias("owner"), *snapshot, *(pl.col(WAS + name).alias(name) for name in ours)
    ).with_columns(_opened=pl.lit(value=False), _goes=goes)
    if rows["_goes"].any():
        handed = _handed(rows.filter("_goes"), clocks, terms, now)
        rows = pl.concat([handed, rows.filter(~pl.col("_goes"))], how="diagonal")
    return _late(_answered(rows, now), clocks, terms, now)


def _answered(rows: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """First touch, and the end of the rows that have one."""
    handed = pl.col("handed_over_at").is_not_null() & (pl.col("handed_over_at") < _at(now))
    touch = handed & pl.col("first_touch_at").is_null() & pl.col("_touch_at").is_not_null()
    left = ~_goes_to_sales() | (pl.col("_now_cycle") != pl.col("cycle"))
    end = (
        pl.when(pl.col("left_lying"))
        .then(pl.lit("recycled"))
        .when(rejected())
        .then(pl.lit("rejected"))
        .when(accepted())
        .then(pl.lit("accepted"))
        .when(left)
        .then(pl.lit("withdrawn"))
    )
    answer = pl.col("_end").is_in(["accepted", "rejected"])
    rows = rows.with_columns(
        _end=end,
        first_touch_at=pl.when(touch).then("_touch_at").otherwise("first_touch_at"),
        touched_by=pl.when(touch).then("_touched_by").otherwise("touched_by"),
    )
    closed = pl.col("_end").is_not_null() & pl.col("state").ne_missing(pl.col("_end"))
    in_contact = pl.col("first_touch_at").is_not_null() & pl.col("state").is_in(WITH_SALES)
    return rows.with_columns(
        pl.when(closed)
        .then("_end")
        .when(in_contact)
        .then(pl.lit("touched"))
        .otherwise("state")
        .alias("state"),
        pl.when(closed & answer).then(SEEN).otherwise("answered_at").alias("answered_at"),
        pl.when(closed)
        .then(pl.when(answer).then(SEEN).otherwise(_at(now)))
        .otherwise("closed_at")
        .alias("closed_at"),
        pl.when(closed & (pl.col("_end") == "rejected"))
        .then("rejection_reason")
        .when(closed & (pl.col("_end") == "withdrawn"))
        .then("stage_why")
        .otherwise("reason")
        .alias("reason"),
    )


def _late(rows: pl.DataFrame, clocks: Clocks, terms: Terms, now: datetime) -> pl.DataFrame:
    """Rows whose owner has let the time pass without a touch; a new owner of a late lead gets a time of their own."""
    waits = pl.col("state").is_in(["open", "overdue", "reassigned"]) & pl.col("first_touch_at").is_null()
    late = waits & (pl.col("owner_due_at") < _at(now))
    may = (pl.col("reassigned") < terms.reassign_at_most) & (terms.when_overdue == "reassign")
    goes = late & may & (pl.col("state") != "overdue")
    renewed = goes | ((pl.col("state") == "reassigned") & pl.col("_moved_owner") & waits)
    rows = _with_due(rows, clocks, terms, now)
    return rows.with_columns(
        state=pl.when(goes)
        .then(pl.lit("reassigned"))
        .when(renewed)
        .then(pl.lit("reassigned"))
        .when(late)
        .then(pl.lit("overdue"))
        .otherwise("state"),
        reassigned=pl.col("reassigned") + goes.cast(pl.Int32()),
        owner_due_at=pl.when(renewed).then("_due").otherwise("owner_due_at"),
        escalate_at=pl.when(renewed).then("_escalate").otherwise("escalate_at"),
    ).drop("_due", "_escalate")


def _at(moment: datetime) -> pl.Expr:
    return pl.lit(moment).cast(_TIME)
