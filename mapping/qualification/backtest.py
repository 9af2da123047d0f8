"""The policy against what really happened, as of each point in time.

    cases  = …                          # a source: one row a lead, with what was known at its moment
    judged = judge_cases(cases, policy) # the verdict that the policy would have given then
    found  = backtest(judged, policy)   # how right it was

A case is judged alone: no word of sales and no earlier verdict is shown to the policy, because these are what it
is to foresee. Who was never worked, and who has not decided, is counted apart: nobody knows what would have been.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

import polars as pl

from mapping.lead import Stage
from mapping.qualification.backtest_drift import ALL_LEADS, Drift, drift_between
from mapping.qualification.backtest_explore import Below, about_exploring, below_the_line
from mapping.qualification.backtest_history import alone_with_policy, at_one_moment, dates_of, epochs
from mapping.qualification.backtest_pace import Pace, Timing, pace_of, timing_of
from mapping.qualification.backtest_ranking import (
    Area,
    Decile,
    area_as_json,
    deciles,
    levels,
    pr_auc,
    roc_auc,
    scattered,
)
from mapping.qualification.backtest_rates import Rate, rate_of
from mapping.qualification.declared import Policy
from mapping.qualification.judge import judge

#: What a case has beside the lead's own fields. ``at``: the moment as of which it is judged (null: no time).
#: ``outcome``: reached within the horizon; null: still open. ``outcome_at``: when. ``worked``: whether sales ever
#: worked the lead (null: not known, counts as worked). ``rep``: who. ``handed_at``: when it was handed over.
#: ``explored``: chance handed it over, below the line of that day.
CASE: Mapping[str, pl.DataType] = {
    "lead_id": pl.String(),
    "at": pl.Datetime("us", "UTC"),
    "outcome": pl.Boolean(),
    "outcome_at": pl.Datetime("us", "UTC"),
    "worked": pl.Boolean(),
    "rep": pl.String(),
    "handed_at": pl.Datetime("us", "UTC"),
    "explored": pl.Boolean(),
}
#: What ``judge_cases`` adds.
JUDGED: Mapping[str, pl.DataType] = {
    "score": pl.Int32(),
    "fit": pl.Int32(),
    "engagement": pl.Int32(),
    "coverage": pl.Int32(),
    "temperature": pl.String(),
    "stage": pl.String(),
}
Split = Literal["time", "random"]
#: With fewer outcomes in the tested part than this, the result says that it may be chance.
FEW_OUTCOMES = 30


@dataclass(frozen=True, slots=True)
class Measured:
    """How right the policy was about one part of the leads. Rates are shares from 0 to 1."""

    rate: Rate
    roc: Area
    pr: float | None
    precision: Rate
    recall: Rate
    deciles: list[Decile]
    bands: list[tuple[str, Rate]]

    def as_json(self) -> dict[str, Any]:
        return {
            "leads": self.rate.leads,
            "outcomes": self.rate.outcomes,
            "rate": self.rate.rate,
            **area_as_json("roc_auc", self.roc),
            "pr_auc": self.pr,
            **_rate_as_json("precision_at_mql", self.precision),
            **_rate_as_json("recall_at_mql", self.recall),
            "mql": self.precision.leads,
            "lift_by_decile": [one.as_json() for one in self.deciles],
            "bands": [
                {
                    "temperature": name,
                    "leads": rate.leads,
                    "outcomes": rate.outcomes,
                    "rate": rate.rate,
                    "low": rate.low,
                    "high": rate.high,
                }
                for name, rate in self.bands
            ],
        }


def _rate_as_json(name: str, rate: Rate) -> dict[str, float | None]:
    return {name: rate.rate, f"{name}_low": rate.low, f"{name}_high": rate.high}


@dataclass(frozen=True, slots=True)
class Apart:
    """Leads that say nothing about the policy: nobody worked them, or they have not decided, or had before.

    ``explored``: whom chance handed over; they are measured by themselves (``Below``).
    """

    unworked: int
    open: int
    before: int
    explored: int = 0


@dataclass(frozen=True)
class Backtest:
    """What came of it. ``split_at``: where the tested part begins, with a split by time."""

    train: Measured
    test: Measured
    split: Split
    split_at: datetime | None
    apart: Apart
    pace: Pace
    timing: Timing
    drift: list[Drift]
    below: Below
    warnings: list[str] = field(default_factory=list)

    @property
    def leads(self) -> int:
        return self.train.rate.leads + self.test.rate.leads

    @property
    def outcomes(self) -> int:
        return self.train.rate.outcomes + self.test.rate.outcomes

    def as_json(self) -> dict[str, Any]:
        """The document of ``policy backtest --json``."""
        return {
            "leads": self.leads,
            "outcomes": self.outcomes,
            "train": self.train.as_json(),
            "test": self.test.as_json(),
            "split": self.split,
            "split_at": None if self.split_at is None else self.split_at.isoformat(),
            "apart": asdict(self.apart),
            "below_the_line": self.below.as_json(),
            "mqls": self.pace.as_json(),
            "handover": self.timing.as_json(),
            "drift": [one.as_json() for one in self.drift],
            "warnings": self.warnings,
        }


def judge_cases(cases: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """The cases with the columns of ``JUDGED``: the policy's verdict on each as of its own moment.

    ``cases``: ``CASE`` and every column of ``policy.needed()``. The order stays. Raises ``ValueError`` for a
    column that is missing.
    """
    if cases.is_empty():
        return cases.with_columns(pl.lit(None, dtype=dtype).alias(name) for name, dtype in JUDGED.items())
    return cases.hstack(verdicts_then(cases, policy, tuple(JUDGED)))


def verdicts_then(cases: pl.DataFrame, policy: Policy, columns: Sequence[str]) -> pl.DataFrame:
    """These columns of ``judge``'s verdict on each case as of its own moment, in the order of the cases."""
    leads = alone_with_policy(cases.select("at", *sorted(policy.needed() | {"lead_id"})))
    number = epochs(leads["at"], policy)
    if number.n_unique() <= 1:
        return _verdicts(leads, policy, columns)
    numbered = leads.with_columns(number.alias("_epoch")).with_row_index("_row")
    parts = [
        part.select("_row").hstack(_verdicts(part, policy, columns))
        for part in numbered.partition_by("_epoch")
    ]
    return pl.concat(parts).sort("_row").drop("_row")


def _verdicts(leads: pl.DataFrame, policy: Policy, columns: Sequence[str]) -> pl.DataFrame:
    """Of leads in whose moments the same exchange rates held."""
    moved, now = at_one_moment(leads, dates_of(policy))
    return judge(moved, policy, now).select(*columns)


def usable(judged: pl.DataFrame) -> tuple[pl.DataFrame, Apart]:
    """The cases that say something about the policy, and how many do not."""
    explored = pl.col("explored").fill_null(value=False)
    before = ~explored & (pl.col("outcome_at") <= pl.col("at")).fill_null(value=False)
    unworked = ~explored & ~before & ~pl.col("worked").fill_null(value=True)
    still_open = ~explored & ~before & ~unworked & pl.col("outcome").is_null()
    counted = judged.select(
        unworked.sum().alias("unworked"),
        still_open.sum().alias("open"),
        before.sum().alias("before"),
        explored.sum().alias("explored"),
    ).row(0)
    return judged.filter(~explored & ~before & ~unworked & ~still_open), Apart(*map(int, counted))


def parted(
    cases: pl.DataFrame, test_share: float
) -> tuple[pl.DataFrame, pl.DataFrame, Split, datetime | None]:
    """(train, test, how, where the test begins): the last ``test_share`` by time; without times, at random.

    Cases of one moment stand on one side. A random split is the same every time. Raises ``ValueError`` for a
    share that is not between 0 and 1.
    """
    if not 0.0 < test_share < 1.0:
        raise ValueError("test_share has to be above 0 and below 1")
    wanted = round(cases.height * (1.0 - test_share))
    if cases.height and not cases["at"].null_count() and cases["at"].n_unique() > 1:
        moments = cases["at"].sort()
        cut = moments[min(wanted, cases.height - 1)]
        if cut == moments[0]:
            cut = moments.filter(moments > cut)[0]
        return cases.filter(pl.col("at") < cut), cases.filter(pl.col("at") >= cut), "time", cut
    first = scattered(cases.height).rank("ordinal") <= wanted
    return cases.filter(first), cases.filter(~first), "random", None


def measured(part: pl.DataFrame, policy: Policy) -> Measured:
    """How right the verdicts of usable cases were."""
    outcome, score = part["outcome"], part["score"]
    mql = part["stage"] == Stage.MQL.value
    caught, reached = int((mql & outcome).sum()), int(outcome.sum())
    by_band = {
        name: rate_of(int(ours), int(leads))
        for name, leads, ours in part.group_by("temperature")
        .agg(pl.len().alias("leads"), pl.col("outcome").sum().alias("reached"))
        .rows()
    }
    counted = levels(score, outcome)
    return Measured(
        rate=rate_of(reached, part.height),
        roc=roc_auc(counted),
        pr=pr_auc(counted),
        precision=rate_of(caught, int(mql.sum())),
        recall=rate_of(caught, reached),
        deciles=deciles(score, outcome, counted),
        bands=[(band.name, by_band.get(band.name, rate_of(0, 0))) for band in reversed(policy.bands)],
    )


def backtest(
    judged: pl.DataFrame, policy: Policy, *, test_share: float = 0.2, reps: int | None = None
) -> Backtest:
    """Measure judged cases on both sides of the split.

    ``reps``: how many people sales have, where the cases do not name them.
    """
    narrow = judged.select(*CASE, *JUDGED)
    cases, apart = usable(narrow)
    train, test, split, cut = parted(cases, test_share)
    ours, theirs = measured(train, policy), measured(test, policy)
    drifted = drift_between([(ALL_LEADS, ours.rate), *ours.bands], [(ALL_LEADS, theirs.rate), *theirs.bands])
    if split == "random":
        drifted = []
    return Backtest(
        ours, theirs, split, cut, apart, pace_of(narrow, reps), timing_of(cases), drifted,
        below_the_line(narrow),
        [
            *_about_split(split, cases, theirs.rate.leads, test_share),
            *_about_numbers(theirs),
            *about_exploring(narrow),
            *(one.said() for one in drifted),
        ],
    )  # fmt: skip


def _about_split(split: Split, cases: pl.DataFrame, tested: int, asked: float) -> list[str]:
    if cases.is_empty():
        return []
    if split == "time":
        share = tested / cases.height
        if abs(share - asked) <= asked / 2:
            return []
        return [
            f"many leads share one moment and stay together: {share * 100:.0f} % of them are tested,"
            f" and {asked * 100:.0f} % were asked for"
        ]
    why = "only one moment" if not cases["at"].null_count() else "no time for every lead"
    return [f"there is {why}: the tested part was drawn at random, and cannot show that times have changed"]


def _about_numbers(test: Measured) -> list[str]:
    rate, told = test.rate, []
    if not rate.leads:
        return ["no lead is left to test the policy on"]
    others = rate.leads - rate.outcomes
    if min(rate.outcomes, others) < FEW_OUTCOMES:
        told.append(
            f"the tested part has {rate.outcomes} outcomes among {rate.leads} leads: few, so look at the"
            " intervals before the numbers"
        )
    if not test.precision.leads:
        told.append("the policy would have made nobody an MQL in the tested part: see its gates and bands")
    return told


def lift_reached(found: Backtest, least: float) -> bool:
    """Whether the top decile of the tested part reaches this lift, and not by chance.

    The lift itself has to be ``least`` or more; where ``least`` is above 1, its interval must not hold 1 either.
    """
    if not found.test.deciles:
        return False
    top = found.test.deciles[0].lift
    if top.lift is None or top.low is None:
        return False
    return top.lift >= least and (least <= 1.0 or top.low > 1.0)
