"""Suspicions about handovers: too early, or too late. Each is a hint with its evidence, never a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta, tzinfo

import polars as pl

from mapping.qualification.handover import EXPLORATION
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
        "en": "sales said “{}” after {}",
        "de": "der Vertrieb sagte „{}“, {} nach der Übergabe",
    },
    "hardly_engaged": {
        "en": "{} of engagement at the handover",
        "de": "{} Interesse bei der Übergabe",
    },
    "hot_for_long": {
        "en": "hot for {} before it was handed over",
        "de": "{} heiß vor der Übergabe",
    },
    "went_quiet": {
        "en": "no sign of life for {} before it was handed over",
        "de": "{} ohne Lebenszeichen vor der Übergabe",
    },
    "lost_to_a_competitor": {"en": "sales said “{}”; {}", "de": "der Vertrieb sagte „{}“; {}"},
}
#: What is counted, one of it and several.
_COUNTED: Mapping[str, Mapping[Language, tuple[str, str]]] = {
    "days": {"en": ("1 day", "{} days"), "de": ("1 Tag", "{} Tage")},
    "points": {"en": ("1 point", "{} points"), "de": ("1 Punkt", "{} Punkte")},
}
#: The dates of a loss, in the order in which they happened, and how people write a day.
_DATES: Mapping[str, Mapping[Language, str]] = {
    "hot_since": {"en": "hot since {}", "de": "heiß seit {}"},
    "handed_over_at": {"en": "handed over {}", "de": "übergeben {}"},
    "first_touch_at": {"en": "first touched {}", "de": "Erstkontakt {}"},
    "_lost_on": {"en": "lost {}", "de": "verloren {}"},
}
_DAY: Mapping[Language, str] = {"en": "%-d %b %Y", "de": "%d.%m.%Y"}


@dataclass(frozen=True)
class Suspicions:
    """When a handover is suspicious. Days are of 24 hours; words are looked for in a rejection's reason."""

    too_early_days: int = 14
    engagement_at_least: int = 10
    not_ready: tuple[str, ...] = ()
    too_late_days: int = 7
    quiet_days: int = 21
    competitor: tuple[str, ...] = ()


def flags(
    rows: pl.DataFrame, suspicions: Suspicions, lang: Language = "en", zone: tzinfo = UTC
) -> pl.DataFrame:
    """``FLAGS`` of rows of the ledger (``handover.LEDGER``), too early before too late; evidence in a language.

    A lead that sales took was not handed over too early, however little it had done; it was handed over too late
    where it was lost to a competitor afterwards. Explorations are below the line on purpose, and never suspicious.
    ``zone``: where the days of the evidence begin.
    """
    rows = rows.filter(pl.col("handed_by").ne_missing(EXPLORATION))
    tests = [*_too_early(suspicions, lang), *_too_late(suspicions, lang, zone)]
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


#: Flag, code, when it holds, and what fills the places of its evidence.
_Test = tuple[str, str, pl.Expr, tuple[pl.Expr, ...]]


def _too_early(suspicions: Suspicions, lang: Language) -> list[_Test]:
    reason, given = pl.col("reason").fill_null(""), pl.col("handed_over_at")
    after = pl.col("answered_at") - given
    soon = after <= timedelta(days=suspicions.too_early_days)
    unready = (pl.col("state") == "rejected") & soon & _names(reason, suspicions.not_ready)
    idle = pl.col("engagement") < suspicions.engagement_at_least
    idle = given.is_not_null() & idle & (pl.col("state") != "accepted")
    return [
        ("too_early", "rejected_as_not_ready", unready, (reason, _days(after, lang))),
        ("too_early", "hardly_engaged", idle, (_counted(pl.col("engagement"), "points", lang),)),
    ]


def _too_late(suspicions: Suspicions, lang: Language, zone: tzinfo) -> list[_Test]:
    reason, given = pl.col("reason").fill_null(""), pl.col("handed_over_at")
    waited, silent = given - pl.col("hot_since"), given - pl.col("last_sign_at")
    hot = waited >= timedelta(days=suspicions.too_late_days)
    quiet = silent >= timedelta(days=suspicions.quiet_days)
    lost = (pl.col("state") == "rejected") & _names(reason, suspicions.competitor)
    lost_later = _names(pl.col("lost_reason").fill_null(""), suspicions.competitor)
    lost = lost | (given.is_not_null() & lost_later)
    return [
        ("too_late", "hot_for_long", hot, (_days(waited, lang),)),
        ("too_late", "went_quiet", quiet, (_days(silent, lang),)),
        ("too_late", "lost_to_a_competitor", lost, (_said_of_loss(reason, suspicions), _dates(lang, zone))),
    ]


def _names(reason: pl.Expr, words: tuple[str, ...]) -> pl.Expr:
    """The reason holds one of the words, whatever the case."""
    if not words:
        return pl.lit(value=False)
    return reason.str.to_lowercase().str.contains_any([word.lower() for word in words])


def _said_of_loss(reason: pl.Expr, suspicions: Suspicions) -> pl.Expr:
    """Sales' own words about the loss: of the rejection where it names a competitor, else of the opportunity."""
    return pl.when(_names(reason, suspicions.competitor)).then(reason).otherwise("lost_reason")


def _dates(lang: Language, zone: tzinfo) -> pl.Expr:
    """What happened when, as far as it is known: ``hot since 3 Nov 2026, handed over 20 Nov 2026, …``."""
    lost = pl.coalesce("lost_on", _on("answered_at", zone))
    days = {name: _on(name, zone) for name in _DATES if name != "_lost_on"} | {"_lost_on": lost}
    told = [pl.format(words[lang], days[name].dt.strftime(_DAY[lang])) for name, words in _DATES.items()]
    return pl.concat_str(told, separator=", ", ignore_nulls=True)


def _on(name: str, zone: tzinfo) -> pl.Expr:
    return pl.col(name).dt.convert_time_zone(str(zone)).dt.date()


def _days(length: pl.Expr, lang: Language) -> pl.Expr:
    return _counted(length.dt.total_days(), "days", lang)


def _counted(number: pl.Expr, what: str, lang: Language) -> pl.Expr:
    single, several = _COUNTED[what][lang]
    return pl.when(number == 1).then(pl.lit(single)).otherwise(pl.format(several, number))
