"""How much each rule tells about the outcome: a regularised logistic regression that keeps every rule's sign.

A rule that gives points may turn out to be worth nothing, never to take points off: the policy stays one that two
teams can read, and a surprise of the sample does not turn its meaning round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import log

import polars as pl
from sklearn.linear_model import LogisticRegression

#: How strongly weights are held back, from much to little.
STRENGTHS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
#: The last part of the past, which chooses between strengths and half-lives.
CHOOSING_SHARE = 0.25
#: Another half-life has to be better by this part of the loss, or the declared one stays.
WORTH_IT = 0.001


@dataclass(frozen=True)
class Evidence:
    """What the past shows, a row a lead from the oldest on.

    ``met``: how much of each rule holds for each lead, 0 to 1 (Float64), as declared; the columns are named by the
    rules' places. ``other``: an ageing rule's column to half-life in days to the same for that half-life.
    ``reached``: Boolean.
    """

    met: pl.DataFrame
    other: Mapping[str, Mapping[Decimal, pl.Series]]
    reached: pl.Series


@dataclass(frozen=True)
class Fitted:
    """``weights``: log-odds that each rule adds where it holds in full, 0 or more, in the direction of its sign.

    ``half_lives``: those that were chosen, by the rule's column. ``strength``: see ``STRENGTHS``.
    """

    weights: Mapping[str, float]
    half_lives: Mapping[str, Decimal]
    strength: float


@dataclass(frozen=True)
class _Weighed:
    """Weights by column, with the rule's own sign, and the constant beside them."""

    weights: Mapping[str, float]
    constant: float


def fit(
    evidence: Evidence, signs: Mapping[str, int], learnable: Sequence[str], declared: Mapping[str, Decimal]
) -> Fitted:
    """Weights of the rules in ``learnable``; the others get 0.

    ``signs``: 1 or -1 by column. ``declared``: the half-life of each ageing rule as the policy has it. The choice
    between strengths and half-lives is made on the last part of the past; then all of it is fitted.
    """
    met = evidence.met.with_columns(pl.col(name) * sign for name, sign in signs.items())
    best, strength = min(
        (_loss_later(met, evidence.reached, learnable, strength), strength) for strength in STRENGTHS
    )
    chosen = dict(declared)
    for name in (name for name in evidence.other if name in learnable):
        for half_life, column in evidence.other[name].items():
            tried = met.with_columns((column * signs[name]).alias(name))
            loss = _loss_later(tried, evidence.reached, learnable, strength)
            if loss < best * (1 - WORTH_IT):
                best, met, chosen[name] = loss, tried, half_life
    found = _weighed(met, evidence.reached, learnable, strength)
    return Fitted({name: found.weights.get(name, 0.0) for name in met.columns}, chosen, strength)


def _loss_later(met: pl.DataFrame, reached: pl.Series, learnable: Sequence[str], strength: float) -> float:
    """The mean log-loss on the last part, of weights fitted on the first."""
    cut = round(met.height * (1 - CHOOSING_SHARE))
    found = _weighed(met.head(cut), reached.head(cut), learnable, strength)
    odds = pl.sum_horizontal(
        pl.lit(found.constant), *(pl.col(name) * weight for name, weight in found.weights.items())
    )
    later = met.slice(cut).with_columns(reached.slice(cut).alias("_reached"))
    wrong = later.select(pl.when(pl.col("_reached")).then(-odds).otherwise(odds).alias("wrong"))
    # log(1 + exp(x)), written so that a large x does not overflow.
    loss = pl.max_horizontal("wrong", 0.0) + (-pl.col("wrong").abs()).exp().log1p()
    return float(wrong.select(loss.mean()).item())


def _weighed(met: pl.DataFrame, reached: pl.Series, learnable: Sequence[str], strength: float) -> _Weighed:
    """Weights of 0 or more. Rules that would turn round are left out, the worst first."""
    kept, wins = list(learnable), int(reached.sum())
    share = min(max(wins / max(1, len(reached)), 1e-6), 1 - 1e-6)
    if wins in (0, len(reached)):
        kept = []
    while kept:
        model = LogisticRegression(C=strength, max_iter=1000)
        model.fit(met.select(kept).to_numpy(), reached.to_numpy())
        found = dict(zip(kept, map(float, model.coef_[0]), strict=True))
        worst = min(kept, key=lambda name: found[name])
        if found[worst] >= 0:
            return _Weighed(found, float(model.intercept_[0]))
        kept.remove(worst)
    return _Weighed({}, log(share / (1 - share)))
