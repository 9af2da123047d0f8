"""The ladder: which stage a lead stands in now, and why.

The rules are one list, read from the top; the first that holds decides. Facts come first (bought, rejected,
an open opportunity, accepted by sales), because a score never takes back what sales has decided. Below them
stands what the policy decides: contact data, interest, temperature, gates.

Nothing moves on an unknown value. A gate that is not known neither lets a lead through nor sends it back; a
score that might be another, were everything known, only moves a lead where every score it might be would move
it. Evidence that is blank (no word of sales, no stage in a CRM) is no evidence.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from mapping.lead import STAGE_RANK, Stage
from mapping.qualification.declared import Policy

_LADDER = (Stage.LEAD, Stage.NURTURE, Stage.MQL)
_ACCEPTED = (Stage.SQL, Stage.OPPORTUNITY)
_BOUGHT = (Stage.CUSTOMER, Stage.FORMER_CUSTOMER)
_HANDED_OVER = (Stage.MQL, Stage.SQL, Stage.OPPORTUNITY)
_NOT_YET_LEADS = (Stage.VISITOR, Stage.PROSPECT)


@dataclass(frozen=True, slots=True)
class Move:
    """One line of the ladder: where ``when`` holds, the lead stands in ``stage``; None keeps the last stage."""

    why: str
    when: pl.Expr
    stage: Stage | None


def _known(condition: pl.Expr) -> pl.Expr:
    return condition.fill_null(False)


def _was(*stages: Stage) -> pl.Expr:
    return _known(pl.col("prev_stage").is_in([stage.value for stage in stages]))


def _gates(policy: Policy, stage: Stage) -> pl.Expr:
    """Every gate of a stage at once: true, false as soon as one is missed, else unknown."""
    passed: pl.Expr = pl.lit(True)
    for place, gate in enumerate(policy.gates):
        if gate.stage is stage:
            passed = passed & pl.col(f"_g{place}")
    return passed


def stages(scored: pl.LazyFrame, policy: Policy) -> pl.LazyFrame:
    """Add ``stage stage_why highest_stage cycle nurture_track`` and one column ``_g0 …`` per gate.

    A gate column is true (passed), false (missed) or null (not known yet). ``stage_why`` is a short code;
    ``wording.why`` says it in words. ``cycle`` counts from 1 and rises with each return to marketing.
    """
    gated = scored.with_columns(
        *(gate.when.expression.alias(f"_g{place}") for place, gate in enumerate(policy.gates)),
        _known(policy.interest.expression).alias("_interested"),
        policy.interest.expression.is_null().alias("_interest_unknown"),
        _known(policy.never.expression).alias("_never"),
    )
    moves = _moves(policy)
    place: pl.Expr = pl.lit(len(moves) - 1, dtype=pl.UInt32)
    for number in range(len(moves) - 2, -1, -1):
        place = pl.when(moves[number].when).then(pl.lit(number, dtype=pl.UInt32)).otherwise(place)
    to = pl.lit(pl.Series([move.stage.value if move.stage else None for move in moves], dtype=pl.String))
    why = pl.lit(pl.Series([move.why for move in moves]))
    decided = gated.with_columns(place.alias("_move")).with_columns(
        pl.coalesce(to.gather(pl.col("_move")), pl.col("prev_stage")).alias("stage"),
        why.gather(pl.col("_move")).alias("stage_why"),
    )
    return decided.with_columns(_highest(), _cycle()).with_columns(_track(policy))


def _moves(policy: Policy) -> list[Move]:
    return [*_facts(policy), *_sales(policy), *_warmth(policy)]


def _says(policy: Policy, crm: str, stage: Stage) -> pl.Expr:
    """A CRM shows this stage, and the policy lets it."""
    if crm not in policy.believed.get(stage, ()):
        return pl.lit(False)
    return _known(pl.col(f"{crm}_stage") == stage.value)


def _facts(policy: Policy) -> list[Move]:
    """What a CRM shows as a fact. The one that the policy names first is asked first."""
    moves: list[Move] = []
    for crm in ("salesforce", "hubspot"):
        moves += [Move(f"{crm}_says", _says(policy, crm, stage), stage) for stage in _BOUGHT]
    moves.append(Move("bought", _was(*_BOUGHT), None))
    first = pl.col("prev_stage").is_null()
    moves.append(Move("salesforce_says", _says(policy, "salesforce", Stage.OPPORTUNITY), Stage.OPPORTUNITY))
    for crm in ("salesforce", "hubspot"):
        moves.append(Move(f"{crm}_says", first & _says(policy, crm, Stage.DISQUALIFIED), Stage.DISQUALIFIED))
    return moves


def _sales(policy: Policy) -> list[Move]:
    """What sales decided: rejected, taken back, accepted."""
    says_no = _known(~pl.col("sales_accepted"))
    says_yes = _known(pl.col("sales_accepted"))
    struck_off = _says(policy, "salesforce", Stage.DISQUALIFIED) | _says(
        policy, "hubspot", Stage.DISQUALIFIED
    )
    with_reason = _known(pl.col("rejection_reason").str.strip_chars() != "")
    rejected = says_no | (struck_off & ~says_yes)
    returned = _says(policy, "salesforce", Stage.NURTURE)
    # Salesforce sent it back or struck it off: HubSpot then still shows the opportunity it was told about.
    stale = returned | struck_off | says_no
    accepted = says_yes | (
        pl.col("sales_accepted").is_null()
        & (_says(policy, "salesforce", Stage.SQL) | _says(policy, "hubspot", Stage.SQL))
    )
    first = pl.col("prev_stage").is_null()
    sql_gates = _gates(policy, Stage.SQL)
    was_mql = _was(Stage.MQL) & accepted
    return [
        Move("struck_off", _was(Stage.DISQUALIFIED) & ~accepted, None),
        Move(
            "rejected_for_good", with_reason & (struck_off | (says_no & pl.col("_never"))), Stage.DISQUALIFIED
        ),
        Move("rejected", _was(*_HANDED_OVER) & rejected, Stage.NURTURE),
        Move("hubspot_says", _says(policy, "hubspot", Stage.OPPORTUNITY) & ~stale, Stage.OPPORTUNITY),
        Move("returned", _was(Stage.OPPORTUNITY) & returned, Stage.NURTURE),
        Move("taken_by_sales", _was(Stage.OPPORTUNITY), None),
        Move("accepted", accepted & _known(sql_gates), Stage.SQL),
        Move("taken_by_sales", _was(Stage.SQL), None),
        Move("salesforce_says", first & _says(policy, "salesforce", Stage.SQL) & ~rejected, Stage.SQL),
        Move("hubspot_says", first & _says(policy, "hubspot", Stage.SQL) & ~rejected, Stage.SQL),
        Move("accepted_gate_missed", was_mql & _known(~sql_gates), None),
        Move("accepted_gate_unknown", was_mql, None),
        Move("no_contact_data", _known(~pl.col("has_contact_data")), Stage.VISITOR),
        Move("contact_data_unknown", first & pl.col("has_contact_data").is_null(), Stage.VISITOR),
        Move("contact_data_unknown", pl.col("has_contact_data").is_null(), None),
        *_interest(),
        Move("rejection_stands", rejected, Stage.NURTURE),
    ]


def _interest() -> list[Move]:
    """Neither a visitor nor a researched person is a lead; interest, once expressed, stays expressed."""
    outside = pl.col("prev_stage").is_null() | _was(*_NOT_YET_LEADS)
    silent = outside & ~pl.col("_interested")
    unknown = silent & pl.col("_interest_unknown")
    return [
        Move("interest_unknown", unknown & pl.col("prev_stage").is_not_null(), None),
        Move("interest_unknown", unknown, Stage.PROSPECT),
        Move("no_interest", silent, Stage.PROSPECT),
    ]


def _warmth(policy: Policy) -> list[Move]:
    """What temperature and gates decide between lead, nurture and MQL."""
    top = len(policy.bands) - 1
    rank, worst, best = pl.col("_rank"), pl.col("_rank_worst"), pl.col("_rank_best")
    gates = _gates(policy, Stage.MQL)
    passed, missed, open_ = _known(gates), _known(~gates), gates.is_null()
    hot, cold = rank == top, rank == 0
    lead, nurture, mql = _was(Stage.LEAD), _was(Stage.NURTURE), _was(Stage.MQL)
    between = (worst < top) & (best > 0) & (top > 1)
    stays = (lead & (cold | (hot & missed))) | (nurture & ~hot & ~cold) | (mql & hot & passed)
    # One of the scores that the unknown rules still allow would leave the lead where it is.
    may_stay = (
        (lead & ((worst == 0) | ((best == top) & missed)))
        | (nurture & between)
        | (mql & (best == top) & passed)
        | (_was(*_LADDER) & (best == top) & open_)
    )
    held = ~stays & may_stay
    return [
        Move("hot_gates_passed", (worst == top) & passed, Stage.MQL),
        Move("gate_unknown", held & hot & open_, None),
        Move("score_uncertain", held, None),
        Move("gate_lost", hot & missed & mql, Stage.LEAD),
        Move("gate_missed", hot & missed, Stage.LEAD),
        Move("gate_unknown", hot & open_, Stage.LEAD),
        Move("score_uncertain", hot & (lead | nurture), None),
        Move("score_uncertain", hot, Stage.LEAD),
        Move("cooled", mql & ~cold, Stage.NURTURE),
        Move("cooled", mql, Stage.LEAD),
        Move("wavering", ~cold, Stage.NURTURE),
        Move("cold", pl.lit(True), Stage.LEAD),
    ]


def _place(column: pl.Expr) -> pl.Expr:
    """How far along a stage is, as a number; null for none."""
    ranks = {stage.value: rank for stage, rank in STAGE_RANK.items()}
    return column.replace_strict(list(ranks), list(ranks.values()), default=None, return_dtype=pl.Int8)


#: Standing beside the ladder does not count as having climbed it.
_CLIMBED = {
    Stage.NURTURE: Stage.LEAD,
    Stage.DISQUALIFIED: Stage.PROSPECT,
    Stage.FORMER_CUSTOMER: Stage.CUSTOMER,
}


def _climbed(column: pl.Expr) -> pl.Expr:
    return column.replace({stage.value: as_.value for stage, as_ in _CLIMBED.items()})


def _highest() -> pl.Expr:
    now = _climbed(pl.col("stage"))
    before = pl.coalesce(pl.col("prev_highest_stage"), _climbed(pl.col("prev_stage")))
    higher = _known(_place(now) > _place(before)) | before.is_null()
    return pl.when(higher).then(now).otherwise(before).alias("highest_stage")


def _cycle() -> pl.Expr:
    back_to = pl.col("stage").is_in(_words([*_NOT_YET_LEADS, Stage.LEAD, Stage.NURTURE]))
    reopened = _was(Stage.DISQUALIFIED) & (pl.col("stage") != Stage.DISQUALIFIED.value)
    again = (_was(*_HANDED_OVER) & back_to) | reopened
    return (pl.col("prev_cycle").fill_null(1) + again.cast(pl.Int32)).cast(pl.Int32).alias("cycle")


def _words(chosen: Iterable[Stage]) -> list[str]:
    return [stage.value for stage in chosen]


def _track(policy: Policy) -> pl.Expr:
    """The first track whose condition is true and that is meant for the stage."""
    found: pl.Expr = pl.lit(None, dtype=pl.String)
    for track in reversed(policy.tracks):
        fits = track.when.expression & pl.col("stage").is_in(_words(track.stages))
        found = pl.when(fits).then(pl.lit(track.track)).otherwise(found)
    return found.alias("nurture_track")
