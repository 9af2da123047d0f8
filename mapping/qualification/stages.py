"""The ladder: which stage a lead stands in now, and why.

The moves are one list, read from the top; the first that holds decides. Facts come first (bought, rejected,
an open opportunity, accepted by sales), because a score never takes back what sales has decided. Below them
stands what the policy decides: contact data, interest, temperature, gates.

Nothing moves on an unknown value. A gate that is not known neither lets a lead through nor sends it back; a
score that might be another, were everything known, only moves a lead where every score it might be would move
it. Evidence that is blank (no word of sales, no stage in a CRM) is no evidence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from mapping.lead import STAGE_RANK, Stage
from mapping.qualification.declared import Policy

_BOUGHT = (Stage.CUSTOMER, Stage.FORMER_CUSTOMER)
_HANDED_OVER = (Stage.MQL, Stage.SQL, Stage.OPPORTUNITY)
_NOT_YET_LEADS = (Stage.VISITOR, Stage.PROSPECT)
_MARKETINGS = (*_NOT_YET_LEADS, Stage.LEAD, Stage.NURTURE)
#: Standing beside the ladder does not count as having climbed it.
_CLIMBED = {
    Stage.NURTURE: Stage.LEAD,
    Stage.DISQUALIFIED: Stage.PROSPECT,
    Stage.FORMER_CUSTOMER: Stage.CUSTOMER,
}

#: Stages are compared as numbers: their places in the enumeration.
_STAGES = tuple(Stage)
_CODES: Mapping[Stage, int] = {stage: code for code, stage in enumerate(_STAGES)}
_WORDS = pl.Enum([stage.value for stage in _STAGES])


@dataclass(frozen=True, slots=True)
class Move:
    """One line of the ladder: where ``when`` holds, the lead stands in ``stage``; None keeps the last stage."""

    why: str
    when: pl.Expr
    stage: Stage | None


def stages(scored: pl.LazyFrame, policy: Policy) -> pl.LazyFrame:
    """Add ``stage stage_why highest_stage cycle nurture_track`` and one column ``_g0 …`` per gate.

    A gate column is true (passed), false (missed) or null (not known yet). ``stage_why`` is a short code;
    ``wording.why`` says it in words. ``cycle`` counts from 1 and rises with each return to marketing.
    """
    seen = scored.with_columns(
        *(gate.when.expression.alias(f"_g{place}") for place, gate in enumerate(policy.gates)),
        policy.interest.expression.alias("_interest"),
        policy.never.expression.fill_null(False).alias("_never"),
        *(
            _code(pl.col(name)).alias(f"_{name}")
            for name in ("prev_stage", "salesforce_stage", "hubspot_stage")
        ),
    )
    asked = seen.with_columns(_said(policy)).with_columns(_weighed(policy))
    moves = [*_facts(), *_sales(), *_interest(), *_warmth()]
    decided = asked.with_columns(_first(moves).alias("_move"))
    to = [_CODES[move.stage] if move.stage else None for move in moves]
    stage = pl.coalesce(_looked_up(to, pl.UInt8(), pl.col("_move")), pl.col("_prev_stage"))
    why = _looked_up([move.why for move in moves], pl.String(), pl.col("_move"))
    moved = decided.with_columns(stage.alias("_stage"), why.alias("stage_why"))
    named = moved.with_columns(_word(pl.col("_stage")).alias("stage"), _highest(), _cycle())
    return named.with_columns(_track(policy))


def _code(stage: pl.Expr) -> pl.Expr:
    """A stage's number; null for none, and for a word that is no stage."""
    return stage.cast(_WORDS, strict=False).to_physical().cast(pl.UInt8)


def _word(code: pl.Expr) -> pl.Expr:
    return _looked_up([stage.value for stage in _STAGES], pl.String(), code)


def _looked_up(values: list[str] | list[int] | list[int | None], dtype: pl.DataType, at: pl.Expr) -> pl.Expr:
    return pl.lit(pl.Series(values, dtype=dtype)).gather(at)


def _first(moves: list[Move]) -> pl.Expr:
    """The number of the first move that holds; the last one always does."""
    place: pl.Expr = pl.lit(len(moves) - 1, dtype=pl.UInt8)
    for number in range(len(moves) - 2, -1, -1):
        place = pl.when(moves[number].when).then(pl.lit(number, dtype=pl.UInt8)).otherwise(place)
    return place


def _is(column: str, *chosen: Stage) -> pl.Expr:
    """The stage in a column is one of these; blank is none of them."""
    found: pl.Expr = pl.lit(False)
    for stage in chosen:
        found = found | (pl.col(column) == _CODES[stage])
    return found.fill_null(False)


def _was(*chosen: Stage) -> pl.Expr:
    return _is("_prev_stage", *chosen)


def _says(policy: Policy, crm: str, *chosen: Stage) -> pl.Expr:
    """A CRM shows one of these stages, and the policy believes it about that."""
    return _is(f"_{crm}_stage", *(stage for stage in chosen if crm in policy.believed.get(stage, ())))


def _either(policy: Policy, stage: Stage) -> pl.Expr:
    return _says(policy, "salesforce", stage) | _says(policy, "hubspot", stage)


def _gates(policy: Policy, stage: Stage) -> pl.Expr:
    """Every gate of a stage at once: false as soon as one is missed, true where all are passed, else unknown."""
    passed: pl.Expr = pl.lit(True)
    for place, gate in enumerate(policy.gates):
        if gate.stage is stage:
            passed = passed & pl.col(f"_g{place}")
    return passed


def _named(flags: Mapping[str, pl.Expr]) -> list[pl.Expr]:
    return [expression.alias(f"_is_{name}") for name, expression in flags.items()]


def _said(policy: Policy) -> list[pl.Expr]:
    """What is to be asked of each lead, as true or false columns ``_is_…`` that are never unknown."""
    accepted, struck_off = pl.col("sales_accepted"), _either(policy, Stage.DISQUALIFIED)
    says_no, says_yes = (~accepted).fill_null(False), accepted.fill_null(False)
    contact, interest = pl.col("has_contact_data"), pl.col("_interest")
    mql, sql = _gates(policy, Stage.MQL), _gates(policy, Stage.SQL)
    return _named(
        {
            "new": pl.col("_prev_stage").is_null(),
            "struck_off": struck_off,
            "rejected": says_no | (struck_off & ~says_yes),
            "for_good": (pl.col("rejection_reason").str.strip_chars() != "").fill_null(False)
            & (struck_off | (says_no & pl.col("_never"))),
            "returned": _says(policy, "salesforce", Stage.NURTURE),
            "accepted": says_yes | (accepted.is_null() & _either(policy, Stage.SQL)),
            "nameless": (~contact).fill_null(False),
            "contact_unknown": contact.is_null(),
            "silent": ~interest.fill_null(False),
            "interest_unknown": interest.is_null(),
            "mql_passed": mql.fill_null(False),
            "mql_missed": (~mql).fill_null(False),
            "mql_open": mql.is_null(),
            "sql_passed": sql.fill_null(False),
            "sql_missed": (~sql).fill_null(False),
            **_believed(policy),
        }
    )


def _believed(policy: Policy) -> dict[str, pl.Expr]:
    stages_of_facts = (*_BOUGHT, Stage.OPPORTUNITY, Stage.SQL, Stage.DISQUALIFIED)
    return {
        f"{crm}_{stage.value}": _says(policy, crm, stage)
        for crm in ("salesforce", "hubspot")
        for stage in stages_of_facts
    }


def _weighed(policy: Policy) -> list[pl.Expr]:
    """How warm the lead is, how warm it might be, and whether that could leave it where it stands."""
    top = len(policy.bands) - 1
    rank, worst, best = pl.col("_rank"), pl.col("_rank_worst"), pl.col("_rank_best")
    hot, cold, might_be_hot = rank == top, rank == 0, best == top
    passed, missed, unknown = (pl.col(f"_is_mql_{answer}") for answer in ("passed", "missed", "open"))
    lead, nurture, mql = _was(Stage.LEAD), _was(Stage.NURTURE), _was(Stage.MQL)
    stays = (lead & (cold | (hot & missed))) | (nurture & ~hot & ~cold) | (mql & hot & passed)
    may_stay = (
        (lead & ((worst == 0) | (might_be_hot & missed)))
        | (nurture & (worst < top) & (best > 0) & (top > 1))
        | (mql & might_be_hot & passed)
        | ((lead | nurture | mql) & might_be_hot & unknown)
    )
    flags = {
        "hot": hot,
        "cold": cold,
        "surely_hot": worst == top,
        "surely_warm": worst > 0,
        "held": ~stays & may_stay,
    }
    return _named(flags)


def _flag(name: str) -> pl.Expr:
    return pl.col(f"_is_{name}")


def _facts() -> list[Move]:
    """What a CRM shows as a fact. Salesforce is asked first: sales work there.

    An opportunity that HubSpot shows is no fact once sales has rejected the lead or sent it back: HubSpot is
    then still showing what it was told before.
    """

    def shown(crm: str, stage: Stage) -> Move:
        return Move(f"{crm}_says", _flag(f"{crm}_{stage.value}"), stage)

    struck_off_elsewhere = [
        Move(f"{crm}_says", _flag("new") & _flag(f"{crm}_disqualified"), Stage.DISQUALIFIED)
        for crm in ("salesforce", "hubspot")
    ]
    return [
        *(shown("salesforce", stage) for stage in _BOUGHT),
        *(shown("hubspot", stage) for stage in _BOUGHT),
        Move("bought", _was(*_BOUGHT), None),
        shown("salesforce", Stage.OPPORTUNITY),
        *struck_off_elsewhere,
    ]


def _sales() -> list[Move]:
    """What sales decided: rejected, taken back, accepted."""
    withdrawn = _flag("returned") | _flag("struck_off") | _flag("rejected")
    was_mql = _was(Stage.MQL) & _flag("accepted")
    handed_back = _was(*_HANDED_OVER) & _flag("rejected")
    returned = _was(Stage.OPPORTUNITY) & _flag("returned")
    return [
        Move("struck_off", _was(Stage.DISQUALIFIED) & ~_flag("accepted"), None),
        Move("rejected_for_good", _flag("for_good"), Stage.DISQUALIFIED),
        Move("rejected", handed_back & _flag("nameless"), Stage.VISITOR),
        Move("rejected", handed_back, Stage.NURTURE),
        Move("hubspot_says", _flag("hubspot_opportunity") & ~withdrawn, Stage.OPPORTUNITY),
        Move("returned", returned & _flag("nameless"), Stage.VISITOR),
        Move("returned", returned, Stage.NURTURE),
        Move("taken_by_sales", _was(Stage.OPPORTUNITY), None),
        Move("accepted", _flag("accepted") & _flag("sql_passed"), Stage.SQL),
        Move("taken_by_sales", _was(Stage.SQL), None),
        Move("salesforce_says", _flag("new") & _flag("salesforce_sql") & ~_flag("rejected"), Stage.SQL),
        Move("hubspot_says", _flag("new") & _flag("hubspot_sql") & ~_flag("rejected"), Stage.SQL),
        Move("accepted_gate_missed", was_mql & _flag("sql_missed"), None),
        Move("accepted_gate_unknown", was_mql, None),
    ]


def _interest() -> list[Move]:
    """Neither a visitor nor a researched person is a lead; interest, once expressed, stays expressed."""
    silent = (_flag("new") | _was(*_NOT_YET_LEADS)) & _flag("silent")
    unknown = silent & _flag("interest_unknown")
    return [
        Move("no_contact_data", _flag("nameless"), Stage.VISITOR),
        Move("contact_data_unknown", _flag("contact_unknown") & _flag("new"), Stage.VISITOR),
        Move("contact_data_unknown", _flag("contact_unknown"), None),
        Move("interest_unknown", unknown & ~_flag("new"), None),
        Move("interest_unknown", unknown, Stage.PROSPECT),
        Move("no_interest", silent, Stage.PROSPECT),
        Move("rejection_stands", _flag("rejected"), Stage.NURTURE),
    ]


def _warmth() -> list[Move]:
    """What temperature and gates decide between lead, nurture and MQL."""
    hot, cold, held = _flag("hot"), _flag("cold"), _flag("held")
    mql = _was(Stage.MQL)
    return [
        Move("hot_gates_passed", _flag("surely_hot") & _flag("mql_passed"), Stage.MQL),
        Move("gate_unknown", held & hot & _flag("mql_open"), None),
        Move("score_uncertain", held, None),
        Move("gate_lost", hot & _flag("mql_missed") & mql, Stage.LEAD),
        Move("gate_missed", hot & _flag("mql_missed"), Stage.LEAD),
        Move("gate_unknown", hot & _flag("mql_open"), Stage.LEAD),
        Move("score_uncertain", hot & mql, None),
        # Hot as scored, but not for sure: what is certain is that it is at least wavering, or not even that.
        Move("score_uncertain", hot & _flag("surely_warm"), Stage.NURTURE),
        Move("score_uncertain", hot, Stage.LEAD),
        Move("cooled", mql & ~cold, Stage.NURTURE),
        Move("cooled", mql, Stage.LEAD),
        Move("wavering", ~cold, Stage.NURTURE),
        Move("cold", pl.lit(True), Stage.LEAD),
    ]


def _highest() -> pl.Expr:
    climbed = [_CODES[_CLIMBED.get(stage, stage)] for stage in _STAGES]
    ranks = [STAGE_RANK[stage] for stage in _STAGES]
    now = _looked_up(climbed, pl.UInt8(), pl.col("_stage"))
    last = _looked_up(climbed, pl.UInt8(), pl.col("_prev_stage"))
    before = pl.coalesce(_code(pl.col("prev_highest_stage")), last)
    higher = _looked_up(ranks, pl.UInt8(), now) > _looked_up(ranks, pl.UInt8(), before)
    return _word(pl.when(higher | before.is_null()).then(now).otherwise(before)).alias("highest_stage")


def _cycle() -> pl.Expr:
    """A lead that comes back to marketing, or that sales takes up again, begins another round."""
    again = (_was(*_HANDED_OVER) & _is("_stage", *_MARKETINGS)) | (
        _was(Stage.DISQUALIFIED) & ~_is("_stage", Stage.DISQUALIFIED)
    )
    return (pl.col("prev_cycle").fill_null(1) + again.cast(pl.Int32)).cast(pl.Int32).alias("cycle")


def _track(policy: Policy) -> pl.Expr:
    """The first track whose condition is true and that is meant for the stage."""
    found: pl.Expr = pl.lit(None, dtype=pl.String)
    for track in reversed(policy.tracks):
        fits = track.when.expression & _is("_stage", *track.stages)
        found = pl.when(fits).then(pl.lit(track.track)).otherwise(found)
    return found.alias("nurture_track")
