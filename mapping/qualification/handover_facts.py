"""What sales did with a lead that was handed to them, read from the lead's own fields.

A touch is seen in whatever a CRM counts: a contact, an activity, a higher number of contacts, another status in
Salesforce, or an answer. Where only the fact is known and not its time, the time is the latest change of a record of
the lead: it was no later than that.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta, tzinfo

import polars as pl

_TIME = pl.Datetime("us", "UTC")
#: The lead's fields that are asked. ``seen_at``: when a record of the lead last changed; null: not known.
#: ``loss_words_read``: whether ``last_loss_reason`` was read just now, so that null means that it is blank.
#: ``last_sign_at``: when the lead itself last showed interest.
FACTS: Mapping[str, pl.DataType] = {
    "lead_id": pl.String(),
    "sales_accepted": pl.Boolean(),
    "rejection_reason": pl.String(),
    "last_contacted_at": _TIME,
    "last_activity_at": _TIME,
    "sales_contacts": pl.Int64(),
    "salesforce_stage": pl.String(),
    "last_deal_lost_on": pl.Date(),
    "last_loss_reason": pl.String(),
    "loss_words_read": pl.Boolean(),
    "seen_at": _TIME,
    "last_sign_at": _TIME,
}
#: The ledger's columns beside a lead: ``lg.state``.
WAS = "lg."
#: When what is seen now was done, at the latest: after the handover, and not in the future.
SEEN = "_seen_at"
#: Stages that a lead reaches only when sales have taken it.
BEYOND = ("sql", "opportunity", "customer", "former_customer")
#: Words of the ladder that say that sales gave the lead back.
GIVEN_BACK = ("rejected", "rejected_for_good", "rejection_stands", "returned", "struck_off")
_UNTOUCHED = ("visitor", "prospect", "lead")


def accepted() -> pl.Expr:
    """Sales took the lead: they said so, or it stands where only they bring it."""
    said = pl.col("sales_accepted").fill_null(value=False)
    return said | pl.col("stage").is_in(BEYOND).fill_null(value=False)


def rejected() -> pl.Expr:
    """Sales gave the lead back: they said so, or struck it off."""
    said_no = (~pl.col("sales_accepted")).fill_null(value=False)
    back = pl.col("stage_why").is_in(GIVEN_BACK) & (pl.col("stage") != "mql")
    struck_off = pl.col("stage") == "disqualified"
    return (said_no | back.fill_null(value=False) | struck_off.fill_null(value=False)) & ~pl.col(
        "stage"
    ).is_in(BEYOND).fill_null(value=False)


def answered() -> pl.Expr:
    """Sales said yes or no, in whatever words; known before the lead is judged."""
    beyond = pl.col("salesforce_stage").is_in([*BEYOND, "disqualified", "nurture"])
    return pl.col("sales_accepted").is_not_null() | beyond.fill_null(value=False)


def touched() -> pl.Expr:
    """Sales did something since the handover."""
    return pl.any_horizontal(_kinds().values())


def _kinds() -> dict[str, pl.Expr]:
    """How a touch shows, and whether it does."""
    since = pl.col("lg.handed_over_at")
    activity, before = pl.col("last_activity_at"), pl.col("lg.activity_then")
    # Salesforce tells the day of the latest activity and no time: it counts where it was not there before.
    new_day = pl.when(before.is_null()).then(activity >= since.dt.truncate("1d")).otherwise(activity > before)
    status, then = pl.col("salesforce_stage"), pl.col("lg.stage_then")
    # A record that was made by the handover had no status then; a person's first one says more than "new".
    another = pl.when(then.is_null()).then(~status.is_in(_UNTOUCHED)).otherwise(status != then)
    kinds = {
        "contacted": pl.col("last_contacted_at") > since,
        "activity": pl.when(_only_a_day(activity)).then(new_day).otherwise(activity > since),
        "counted": pl.col("sales_contacts") > pl.col("lg.contacts_then").fill_null(0),
        "status": another,
    }
    return {name: (since.is_not_null() & when).fill_null(value=False) for name, when in kinds.items()}


def _only_a_day(moment: pl.Expr) -> pl.Expr:
    return moment == moment.dt.truncate("1d")


def with_touch(leads: pl.DataFrame, now: datetime) -> pl.DataFrame:
    """Add ``_seen_at``, ``_touch_at`` (null: none) and ``_touched_by``, the first that fits.

    ``leads`` have ``left_lying`` and the verdict beside the facts and the ledger.
    """
    since, moment = pl.col("lg.handed_over_at"), pl.lit(now).cast(_TIME)
    seen = pl.min_horizontal(pl.coalesce("seen_at", moment), moment).dt.truncate("1s")
    leads = leads.with_columns(pl.max_horizontal(seen, since).alias(SEEN))
    activity = pl.col("last_activity_at")
    # No later than the end of its day, and no later than it was seen.
    by_day = pl.min_horizontal(SEEN, activity + timedelta(days=1))
    times = {
        "contacted": pl.col("last_contacted_at"),
        "activity": pl.when(_only_a_day(activity)).then(by_day).otherwise(activity),
        "counted": pl.col(SEEN),
        "status": pl.col(SEEN),
    }
    found = {name: pl.when(when).then(times[name]) for name, when in _kinds().items()}
    # A lead that sales let lie was judged as if they had said no: that is no answer of theirs.
    said = (accepted() | rejected()) & ~pl.col("left_lying")
    found["answer"] = pl.when(said & since.is_not_null()).then(pl.col(SEEN))
    first = pl.min_horizontal(found.values())
    at = pl.max_horizontal(pl.min_horizontal(first, moment), since).dt.truncate("1s")
    by = pl.coalesce(pl.when(value == first).then(pl.lit(name)) for name, value in found.items())
    return leads.with_columns(
        _touch_at=pl.when(first.is_not_null()).then(at), _touched_by=pl.when(first.is_not_null()).then(by)
    )


def lost_since(zone: tzinfo) -> pl.Expr:
    """An opportunity was lost after the handover, as far as the ledger does not say so already.

    By its day, in the teams' time zone; where nobody tells one, by words that are known not to have been there when
    the lead was handed over.
    """
    handed, day, said = (
        pl.col("lg.handed_over_at"),
        pl.col("last_deal_lost_on"),
        pl.col("last_loss_reason"),
    )
    by_day = day >= handed.dt.convert_time_zone(str(zone)).dt.date()
    others = said.ne_missing(pl.col("lg.lost_then")) & pl.col("lg.lost_then_known").fill_null(value=False)
    by_words = day.is_null() & others & said.is_not_null()
    is_new = day.ne_missing(pl.col("lg.lost_on")) & day.is_not_null()
    other = said.ne_missing(pl.col("lg.lost_reason"))
    since = handed.is_not_null() & (by_day | by_words).fill_null(value=False)
    return (since & (is_new | other)).fill_null(value=False)


def words_learnt() -> pl.Expr:
    """Of a lead of whom nobody read words about a loss when it was handed over, they are read now, or that it has none.

    How old they are nobody knows, so they count as those that were there.
    """
    unknown = pl.col("lg.handed_over_at").is_not_null() & ~pl.col("lg.lost_then_known").fill_null(value=False)
    return unknown & pl.col("loss_words_read").fill_null(value=False)


def with_loss(rows: pl.DataFrame, now: datetime, zone: tzinfo) -> pl.DataFrame:
    """Rows of the ledger with ``lost_on``, ``lost_reason`` and what was there before; ``_lost`` where one is news."""
    news, learnt = lost_since(zone) & ~pl.col("_opened"), words_learnt() & ~pl.col("_opened")
    day = pl.coalesce("last_deal_lost_on", pl.lit(now.astimezone(zone).date()))
    return rows.with_columns(
        _lost=news,
        lost_on=pl.when(news).then(day).otherwise("lost_on"),
        lost_reason=pl.when(news).then("last_loss_reason").otherwise("lost_reason"),
        lost_then=pl.when(learnt).then("last_loss_reason").otherwise("lost_then"),
        lost_then_known=pl.when(learnt).then(pl.lit(value=True)).otherwise("lost_then_known"),
    )
