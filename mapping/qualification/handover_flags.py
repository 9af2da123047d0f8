"""Suspicions about handovers: too early, or too late. Each is a hint with its evidence, never a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from mapping.qualification.wording import Language

#: One row a suspicion. ``flag``: too_early or too_late; ``because``: a code; ``evidence``: for people.
FLAGS: Mapping[str, pl.DataType] = {
    "lead_id": pl.String(),
    "cycle": pl.Int32(),
    "flag": pl.String(),
    "because": pl.String(),
    "evidence": pl.String(),
}


#: What a suspicion's evidence says, by its code and the language; the places are filled in order.
EVIDENCE: Mapping[str, Mapping[Language, str]] = {
    "rejected_as_not_ready": {
        "en": "sales said “{}” after {} days",
        "de": "der Vertrieb sagte „{}“, {} Tage nach der Übergabe",
    },
    "hardly_engaged": {
        "en": "{} points of engagement at the handover",
        "de": "{} Punkte Interesse bei der Übergabe",
    },
    "hot_for_long": {
        "en": "hot for {} days before it was handed over",
        "de": "{} Tage heiß vor der Übergabe",
    },
    "went_quiet": {
        "en": "no sign of life for {} days before it was handed over",
        "de": "{} Tage ohne Lebenszeichen vor der Übergabe",
    },
    "lost_to_a_competitor": {"en": "sales said “{}”", "de": "der Vertrieb sagte „{}“"},
}


@dataclass(frozen=True)
class Suspicions:
    """When a handover is suspicious. Days are calendar days; words are looked for in a rejection's reason."""

    too_early_days: int = 14
    engagement_at_least: int = 10
    not_ready: tuple[str, ...] = ()
    too_late_days: int = 7
    quiet_days: int = 21
    competitor: tuple[str, ...] = ()


def flags(rows: pl.DataFrame, suspicions: Suspicions, lang: Language = "en") -> pl.DataFrame:
    """``FLAGS`` of rows of the ledger (``handover.LEDGER``), too early before too late; evidence in a language.

    A lead that sales took was not handed over too early, however little it had done.
    """
    reason = pl.col("reason").fill_null("")
    rejected = pl.col("state") == "rejected"
    given = pl.col("handed_over_at")
    soon = pl.col("answered_at") <= given + timedelta(days=suspicions.too_early_days)
    waited, silent = given - pl.col("hot_since"), given - pl.col("last_sign_at")
    tests = [
        (
            "too_early",
            "rejected_as_not_ready",
            rejected & soon & _names(reason, suspicions.not_ready),
            (reason, _days(pl.col("answered_at") - given)),
        ),
        (
            "too_early",
            "hardly_engaged",
            given.is_not_null()
            & (pl.col("engagement") < suspicions.engagement_at_least)
            & (pl.col("state") != "accepted"),
            (pl.col("engagement"),),
        ),
        (
            "too_late",
            "hot_for_long",
            waited >= timedelta(days=suspicions.too_late_days),
            (_days(waited),),
        ),
        (
            "too_late",
            "went_quiet",
            silent >= timedelta(days=suspicions.quiet_days),
            (_days(silent),),
        ),
        (
            "too_late",
            "lost_to_a_competitor",
            rejected & _names(reason, suspicions.competitor),
            (reason,),
        ),
    ]
    found = [
        rows.filter(when.fill_null(value=False)).select(
            "lead_id",
            pl.col("cycle").cast(pl.Int32()),
            flag=pl.lit(flag),
            because=pl.lit(because),
            evidence=pl.format(EVIDENCE[because][lang], *told),
        )
        for flag, because, when, told in tests
    ]
    return pl.concat([pl.DataFrame(schema=dict(FLAGS)), *found]).sort("lead_id", "cycle", maintain_order=True)


def _names(reason: pl.Expr, words: tuple[str, ...]) -> pl.Expr:
    """The reason holds one of the words, whatever the case."""
    if not words:
        return pl.lit(value=False)
    return reason.str.to_lowercase().str.contains_any([word.lower() for word in words])


def _days(length: pl.Expr) -> pl.Expr:
    return length.dt.total_days()
