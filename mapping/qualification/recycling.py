"""Coming back to marketing, and being handed over again: waiting, new evidence, and rejections that are spent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import polars as pl

from mapping.qualification.declared import RETURNED_DAYS, Policy
from mapping.qualification.score import Scored
from mapping.qualification.truths import choose, every, holds, known, one

_NO_TEXT = pl.Series([None], dtype=pl.String)


def one_day(now: datetime) -> pl.Series:
    """The calendar day of ``now`` in UTC, for all leads at once."""
    return pl.Series([now.astimezone(UTC).date()], dtype=pl.Date)


def returning(
    leads: Mapping[str, pl.Series],
    scored: Scored,
    policy: Policy,
    *,
    refused: pl.Series,
    back: pl.Series,
    ready: pl.Series,
) -> dict[str, pl.Series]:
    """``waits``: came back and may not be handed over yet. ``refused``: sales' word as it stands; ``rejected``:
    where it still counts; ``forgiven``: where it does not, because the re-entry rule is met.

    ``back``: the lead stands with marketing; ``ready``: it is hot for sure and passes marketing's gates, so that a
    rejection is only forgiven at a handover. A lead of whom no return is dated never waits, and no rejection of
    its is forgiven. A rejection that a handover has followed already is spent: it says nothing about the next.
    """
    nowhere = every(False, pl.Boolean(), len(refused))
    if policy.reentry is None and leads["prev_spent_rejection"].null_count() == len(refused):
        return {"waits": nowhere, "refused": refused, "rejected": refused, "forgiven": nowhere}
    came, may = back & known(leads["prev_returned_on"]), nowhere
    if policy.reentry is not None and policy.reentry.after_days is not None:
        may = may | holds(leads[RETURNED_DAYS] >= one(policy.reentry.after_days, pl.Int32()))
    if scored.reentry is not None:
        may = may | holds(scored.reentry)
    spent = refused & holds(leads["prev_spent_rejection"] == _reason(leads))
    forgiven = refused & (spent | (came & may & ready)) if policy.reentry is not None else spent
    return {
        "waits": came & ~may if policy.reentry is not None else nowhere,
        "refused": refused,
        "rejected": refused & ~forgiven,
        "forgiven": forgiven,
    }


def spent_rejection(
    leads: Mapping[str, pl.Series], asked: Mapping[str, pl.Series], handed_over: pl.Series
) -> pl.Series:
    """The reason of a rejection that stands in the CRM and was handed over after ("" for none), else null."""
    spent = asked["forgiven"]
    if not spent.any():
        return _NO_TEXT.new_from_index(0, len(handed_over))
    reason = _reason(leads)
    already = holds(leads["prev_spent_rejection"] == reason)
    return choose(spent & (already | handed_over), reason, _NO_TEXT)


def _reason(leads: Mapping[str, pl.Series]) -> pl.Series:
    return leads["rejection_reason"].fill_null("")
