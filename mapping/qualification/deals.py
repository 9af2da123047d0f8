"""What the opportunities around a lead say of it: how many are open, won and lost, and which one says most. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

#: One row a lead and opportunity. ``by``: ``CONTACT_ROLE`` or ``ACCOUNT``. ``outcome``: open, won or lost.
#: ``closes``: the day it closed or is expected to. ``loss_reason``: why it
#: was lost, in sales' own words; null: nobody said.
DEALS: Mapping[str, pl.DataType] = {
    "lead_id": pl.String(),
    "deal_id": pl.String(),
    "name": pl.String(),
    "outcome": pl.String(),
    "opened": pl.Datetime("us", "UTC"),
    "closes": pl.Date(),
    "by": pl.String(),
    "loss_reason": pl.String(),
}
#: A person takes part in it, by name.
CONTACT_ROLE = "contact role"
#: It is one of the person's account, and names nobody.
ACCOUNT = "account"
BOTH = "contact role and account"

#: The lead's fields that are read from opportunities.
DEAL_FIELDS: Mapping[str, pl.DataType] = {
    "deals_open": pl.Int64(),
    "deals_won": pl.Int64(),
    "deals_lost": pl.Int64(),
    "last_deal_won_on": pl.Date(),
    "last_deal_lost_on": pl.Date(),
    "last_loss_reason": pl.String(),
    "deals_by": pl.String(),
    "deal": pl.String(),
}


def told_by_deals(lead_ids: pl.Series, deals: pl.DataFrame) -> pl.DataFrame:
    """``lead_id`` and ``DEAL_FIELDS`` of these leads; one without any opportunity has none: zero, and not unknown.

    ``deals`` (``DEALS``): an opportunity that a lead meets twice, by a role and by its account, counts once, by the
    role. The one that says most is an open one before a closed one, then the latest, then the smaller id.
    """
    once = deals.sort(pl.col("by") != CONTACT_ROLE).unique(
        ["lead_id", "deal_id"], keep="first", maintain_order=True
    )
    is_ = {outcome: pl.col("outcome") == outcome for outcome in ("open", "won", "lost")}
    ranked = once.sort(
        "lead_id", is_["open"], "closes", "opened", "deal_id",
        descending=[False, True, True, True, False], nulls_last=True,
    )  # fmt: skip
    counted = ranked.group_by("lead_id", maintain_order=True).agg(
        deals_open=is_["open"].sum(),
        deals_won=is_["won"].sum(),
        deals_lost=is_["lost"].sum(),
        last_deal_won_on=pl.col("closes").filter(is_["won"]).max(),
        last_deal_lost_on=pl.col("closes").filter(is_["lost"]).max(),
        last_loss_reason=_reason(is_["lost"]),
        deals_by=pl.when(pl.col("by").n_unique() > 1).then(pl.lit(BOTH)).otherwise(pl.col("by").first()),
        deal=pl.format("{} ({})", pl.col("name").fill_null("?"), "deal_id").first(),
    )
    leads = lead_ids.unique(maintain_order=True).alias("lead_id").to_frame()
    told = leads.join(counted, on="lead_id", how="left", maintain_order="left")
    none = [pl.col(name).fill_null(0) for name in ("deals_open", "deals_won", "deals_lost")]
    return told.with_columns(none).select("lead_id", *(pl.col(n).cast(t) for n, t in DEAL_FIELDS.items()))


def _reason(lost: pl.Expr) -> pl.Expr:
    """What was said of the latest lost opportunity; null where nothing was, whatever was said of an older one."""
    said = pl.col("loss_reason").str.strip_chars()
    return pl.when(said != "").then(said).filter(lost).first()
