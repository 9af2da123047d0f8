"""The ladder: which stage a lead stands in now, and why.

The moves are one list, read from the top; the first that holds decides. Facts come first (bought, rejected,
an open opportunity, accepted by sales), because a score never takes back what sales has decided. Below them
stands what the policy decides: contact data, interest, temperature, gates.

Nothing moves on an unknown value. A gate that is not known neither lets a lead through nor sends it back; a
score that might be another, were everything known, only moves a lead where every score it might be would move
it. Evidence that is blank (no word of sales, no stage in a CRM) is no evidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

import polars as pl

from mapping.lead import STAGE_RANK, Stage
from mapping.qualification.declared import Policy
from mapping.qualification.recycling import one_day, returning, spent_rejection
from mapping.qualification.score import Scored
from mapping.qualification.truths import choose, every, fails, holds, looked_up, one, unknown

_BOUGHT = (Stage.CUSTOMER, Stage.FORMER_CUSTOMER)
_HANDED_OVER = (Stage.MQL, Stage.SQL, Stage.OPPORTUNITY)
_NOT_YET_LEADS = (Stage.VISITOR, Stage.PROSPECT)
_MARKETINGS = (*_NOT_YET_LEADS, Stage.LEAD, Stage.NURTURE)
#: Salesforce is asked first: sales work there.
_CRMS = ("salesforce", "hubspot")
#: The stages that a CRM can show as facts.
_SHOWN_AS_FACTS = (*_BOUGHT, Stage.OPPORTUNITY, Stage.SQL, Stage.DISQUALIFIED)
#: Standing beside the ladder does not count as having climbed it.
_CLIMBED = {
    Stage.NURTURE: Stage.LEAD,
    Stage.DISQUALIFIED: Stage.PROSPECT,
    Stage.FORMER_CUSTOMER: Stage.CUSTOMER,
}

#: Stages are compared as numbers: their places in the enumeration. NONE: no stage, or a word that is none.
_STAGES = tuple(Stage)
_CODES: Mapping[Stage, int] = {stage: code for code, stage in enumerate(_STAGES)}
NONE = len(_STAGES)
_CODE = pl.UInt32()
_WORDS = pl.Enum([stage.value for stage in _STAGES])
_NAMES = pl.Series([*(stage.value for stage in _STAGES), None], dtype=pl.String)
_HEIGHTS = pl.Series([_CODES[_CLIMBED.get(stage, stage)] for stage in _STAGES] + [NONE], dtype=_CODE)
_RANKS = pl.Series([STAGE_RANK[stage] for stage in _STAGES] + [-1], dtype=pl.Int8)
_FIRST_CYCLE = pl.Series([1], dtype=pl.Int32)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where leads stand by one column of stages.

    ``codes`` (UInt32) are places in ``Stage``, or ``NONE``; ``met``: the stages that may be among them.
    """

    codes: pl.Series
    met: frozenset[Stage]

    def is_(self, *chosen: Stage) -> pl.Series:
        """The stage is one of these; none is none of them."""
        if self.met.isdisjoint(chosen):
            return every(False, pl.Boolean(), len(self.codes))
        return looked_up(_among(chosen), self.codes)


@cache
def _among(chosen: tuple[Stage, ...]) -> pl.Series:
    return pl.Series([*(stage in chosen for stage in _STAGES), False])


@dataclass(frozen=True, slots=True)
class Asked:
    """What the ladder asks of each lead. ``was``: the last stage. ``true``: answers by name, never unknown."""

    was: Standing
    true: Mapping[str, pl.Series]

    def __getitem__(self, name: str) -> pl.Series:
        return self.true[name]


@dataclass(frozen=True, slots=True)
class Move:
    """One line of the ladder: where ``when`` holds, the lead stands in ``stage``; None keeps the last stage."""

    why: str
    when: pl.Series
    stage: Stage | None


@dataclass(frozen=True, slots=True)
class Placed:
    """Where each lead stands ``now``, and the verdict's columns that say so."""

    now: Standing
    columns: Mapping[str, pl.Series]


def stages(
    leads: Mapping[str, pl.Series],
    scored: Scored,
    policy: Policy,
    now: datetime,
    unscored: pl.Series | None = None,
) -> Placed:
    """The columns ``stage stage_why highest_stage cycle returned_on spent_rejection`` of leads that were scored.

    ``stage_why`` is a short code; ``wording.why`` says it in words. ``cycle`` counts from 1 and rises with each
    return to marketing, and ``returned_on`` is the day (UTC, of ``now``) of the latest. ``spent_rejection``: the
    reason of a rejection that a handover has already followed ("" for none). ``unscored`` leads are moved by
    facts alone: neither warmth nor marketing's gates count.
    """
    was = standing(leads["prev_stage"])
    asked = Asked(was, _said(leads, scored, policy, was))
    asked = Asked(was, {**asked.true, **_weighed(scored, policy, asked)})
    by_facts = [] if unscored is None else [Move("not_scored", holds(unscored), Stage.LEAD)]
    moves = [*_facts(asked), *_sales(asked), *_interest(asked), *by_facts, *_warmth(asked)]
    first = _first(moves)
    to = looked_up(_targets(tuple(move.stage for move in moves)), first)
    here = Standing(choose(to == one(NONE, _CODE), was.codes, to), frozenset(Stage))
    again = _again(was, here)
    columns = {
        "stage": looked_up(_NAMES, here.codes),
        "stage_why": looked_up(_texts(tuple(move.why for move in moves)), first),
        "highest_stage": looked_up(_NAMES, _highest(leads, was, here)),
        "cycle": _cycle(leads, again),
        "returned_on": choose(again, one_day(now), leads["prev_returned_on"]),
        "spent_rejection": spent_rejection(leads, asked.true, here.is_(Stage.MQL)),
    }
    return Placed(here, columns)


@cache
def _targets(to: tuple[Stage | None, ...]) -> pl.Series:
    """The code of each move's stage; NONE where the last stage is kept."""
    return pl.Series([NONE if stage is None else _CODES[stage] for stage in to], dtype=_CODE)


@cache
def _texts(texts: tuple[str, ...]) -> pl.Series:
    return pl.Series(texts, dtype=pl.String)


def standing(words: pl.Series) -> Standing:
    """Where leads stand by a column of words."""
    if words.null_count() == len(words):
        return Standing(every(NONE, _CODE, len(words)), frozenset())
    found = words.cast(_WORDS, strict=False).to_physical().cast(_CODE)
    codes = choose(found >= one(0, _CODE), found, one(NONE, _CODE))
    return Standing(codes, frozenset(_STAGES[code] for code in codes.unique() if code != NONE))


def _first(moves: Sequence[Move]) -> pl.Series:
    """The number of the first move that holds; the last one always does."""
    place = every(len(moves) - 1, _CODE, len(moves[0].when))
    for number in range(len(moves) - 2, -1, -1):
        place = choose(moves[number].when, one(number, _CODE), place)
    return place


def _gates(policy: Policy, scored: Scored, stage: Stage) -> pl.Series:
    """Every gate of a stage at once: false as soon as one is missed, true where all are passed, else unknown."""
    passed = every(True, pl.Boolean(), len(scored.score))
    for gate, answer in zip(policy.gates, scored.gates, strict=True):
        if gate.stage is stage:
            passed = passed & answer
    return passed


def _said(
    leads: Mapping[str, pl.Series], scored: Scored, policy: Policy, was: Standing
) -> dict[str, pl.Series]:
    """What is to be asked of each lead."""
    nowhere = every(False, pl.Boolean(), len(scored.score))

    def says(crm: str, stage: Stage) -> pl.Series:
        """A CRM shows this stage, and the policy believes it about that."""
        shown = leads[f"{crm}_stage"]
        believed = crm in policy.believed.get(stage, ()) and shown.null_count() < len(shown)
        return holds(shown == stage.value) if believed else nowhere

    accepted, reason = leads["sales_accepted"], leads["rejection_reason"]
    struck_off = says("salesforce", Stage.DISQUALIFIED) | says("hubspot", Stage.DISQUALIFIED)
    says_no, says_yes = fails(accepted), holds(accepted)
    sql_shown = says("salesforce", Stage.SQL) | says("hubspot", Stage.SQL)
    mql, sql = _gates(policy, scored, Stage.MQL), _gates(policy, scored, Stage.SQL)
    ready = holds(mql) & (scored.worst == len(policy.bands) - 1)
    refused, back = says_no | (struck_off & ~says_yes), was.is_(*_MARKETINGS)
    again = returning(leads, scored, policy, refused=refused, back=back, ready=ready)
    return {
        "new": was.codes == one(NONE, _CODE),
        "struck_off": struck_off,
        **again,
        **_by_evidence(leads, scored, policy, was),
        "for_good": _filled(reason) & (struck_off | (says_no & holds(scored.never))),
        "returned": says("salesforce", Stage.NURTURE),
        "accepted": says_yes | (unknown(accepted) & sql_shown),
        "nameless": fails(leads["has_contact_data"]),
        "contact_unknown": unknown(leads["has_contact_data"]),
        "silent": ~holds(scored.interest),
        "interest_unknown": unknown(scored.interest),
        "mql_passed": holds(mql),
        "mql_missed": fails(mql),
        "mql_open": unknown(mql),
        "sql_passed": holds(sql),
        "sql_missed": fails(sql),
        **{f"{crm}_{stage.value}": says(crm, stage) for crm in _CRMS for stage in _SHOWN_AS_FACTS},
        "asks": nowhere if scored.asks is None else scored.asks,
    }


def _by_evidence(
    leads: Mapping[str, pl.Series], scored: Scored, policy: Policy, was: Standing
) -> dict[str, pl.Series]:
    """What the declared facts say: a deal open, won or lost, or a customer gone.

    A CRM's older word (a converted lead is an opportunity for ever) does not undo the move of a lead that has once
    moved by such a fact, not even when the fact is no longer known.
    """
    height = len(scored.score)

    def said(stage: Stage) -> pl.Series:
        answers = [a for one_, a in zip(policy.evidence, scored.evidence, strict=True) if one_.stage is stage]
        found = every(False, pl.Boolean(), height)
        for answer in answers:
            found = found | answer
        return found

    open_, lost, gone = said(Stage.OPPORTUNITY), said(Stage.NURTURE), said(Stage.FORMER_CUSTOMER)
    highest, lost_now = standing(leads["prev_highest_stage"]), holds(lost) & ~holds(open_)
    why = leads["prev_stage_why"]
    went = was.is_(Stage.FORMER_CUSTOMER) & holds(why == "churned")
    dealt = was.is_(Stage.OPPORTUNITY) & holds(why == "in_a_deal")
    came_back = ~was.is_(Stage.OPPORTUNITY) & highest.is_(Stage.OPPORTUNITY)
    return {
        "in_a_deal": holds(open_) | (dealt & unknown(open_)),
        "deal_lost": lost_now,
        "deal_is_over": (lost_now & (came_back | was.is_(Stage.OPPORTUNITY))) | (came_back & unknown(lost)),
        "won": holds(said(Stage.CUSTOMER)),
        "gone": holds(gone) | (went & unknown(gone)),
    }


def _filled(texts: pl.Series) -> pl.Series:
    """There is a text, and not of white space alone."""
    if texts.null_count() == len(texts):
        return every(False, pl.Boolean(), len(texts))
    return holds(texts.str.strip_chars() != "")


def _weighed(scored: Scored, policy: Policy, asked: Asked) -> dict[str, pl.Series]:
    """How warm the lead is, how warm it might be, and whether that could leave it where it stands."""
    top = len(policy.bands) - 1
    rank, worst, best = scored.rank, scored.worst, scored.best
    hot, cold, might_be_hot, surely_hot = rank == top, rank == 0, best == top, worst == top
    passed, missed = asked["mql_passed"], asked["mql_missed"]
    lead, nurture, mql = (asked.was.is_(stage) for stage in (Stage.LEAD, Stage.NURTURE, Stage.MQL))
    stays = (lead & (cold | (hot & missed))) | (nurture & ~hot & ~cold) | (mql & hot & passed)
    wavers = nurture & ~surely_hot & (best > 0) if top > 1 else ~holds(hot | ~hot)
    may_stay = (
        (lead & ((worst == 0) | (might_be_hot & missed)))
        | wavers
        | (mql & might_be_hot & passed)
        | ((lead | nurture | mql) & might_be_hot & asked["mql_open"])
    )
    return {
        "hot": hot,
        "cold": cold,
        "surely_hot": surely_hot,
        "surely_warm": worst > 0,
        "held": ~stays & may_stay,
    }


def _facts(asked: Asked) -> list[Move]:
    """What a CRM shows as a fact. Salesforce is asked first: sales work there.

    An opportunity that HubSpot shows is no fact once sales has rejected the lead or sent it back: HubSpot is
    then still showing what it was told before.
    """

    def shown(crm: str, stage: Stage) -> Move:
        said = asked[f"{crm}_{stage.value}"]
        return Move(
            f"{crm}_says", said & ~asked["deal_is_over"] if stage is Stage.OPPORTUNITY else said, stage
        )

    struck_off_elsewhere = [
        Move(f"{crm}_says", asked["new"] & asked[f"{crm}_disqualified"], Stage.DISQUALIFIED)
        for crm in ("salesforce", "hubspot")
    ]
    return [
        Move("churned", asked["gone"], Stage.FORMER_CUSTOMER),
        *(shown("salesforce", stage) for stage in _BOUGHT),
        *(shown("hubspot", stage) for stage in _BOUGHT),
        Move("won", asked["won"], Stage.CUSTOMER),
        Move("bought", asked.was.is_(*_BOUGHT), None),
        shown("salesforce", Stage.OPPORTUNITY),
        Move("in_a_deal", asked["in_a_deal"], Stage.OPPORTUNITY),
        *struck_off_elsewhere,
    ]


def _sales(asked: Asked) -> list[Move]:
    """What sales decided: rejected, taken back, accepted."""
    withdrawn = asked["returned"] | asked["struck_off"] | asked["refused"] | asked["deal_is_over"]
    was_mql = asked.was.is_(Stage.MQL) & asked["accepted"]
    handed_back = asked.was.is_(*_HANDED_OVER) & asked["rejected"]
    returned = asked.was.is_(Stage.OPPORTUNITY) & asked["returned"]
    lost = asked.was.is_(Stage.OPPORTUNITY) & asked["deal_lost"]
    # What sales accepted before the deal was lost says nothing about the lead that came back.
    lost_since = asked.was.is_(*_MARKETINGS) & asked["deal_is_over"]
    return [
        Move("struck_off", asked.was.is_(Stage.DISQUALIFIED) & ~asked["accepted"], None),
        Move("rejected_for_good", asked["for_good"], Stage.DISQUALIFIED),
        Move("rejected", handed_back & asked["nameless"], Stage.VISITOR),
        Move("rejected", handed_back, Stage.NURTURE),
        Move("hubspot_says", asked["hubspot_opportunity"] & ~withdrawn, Stage.OPPORTUNITY),
        Move("returned", returned & asked["nameless"], Stage.VISITOR),
        Move("returned", returned, Stage.NURTURE),
        Move("deal_lost", lost & asked["nameless"], Stage.VISITOR),
        Move("deal_lost", lost, Stage.NURTURE),
        Move("taken_by_sales", asked.was.is_(Stage.OPPORTUNITY), None),
        Move("accepted", asked["accepted"] & asked["sql_passed"] & ~lost_since, Stage.SQL),
        Move("taken_by_sales", asked.was.is_(Stage.SQL), None),
        Move("salesforce_says", asked["new"] & asked["salesforce_sql"] & ~asked["rejected"], Stage.SQL),
        Move("hubspot_says", asked["new"] & asked["hubspot_sql"] & ~asked["rejected"], Stage.SQL),
        Move("accepted_gate_missed", was_mql & asked["sql_missed"], None),
        Move("accepted_gate_unknown", was_mql, None),
    ]


def _interest(asked: Asked) -> list[Move]:
    """Neither a visitor nor a researched person is a lead; interest, once expressed, stays expressed."""
    silent = (asked["new"] | asked.was.is_(*_NOT_YET_LEADS)) & asked["silent"]
    unknown = silent & asked["interest_unknown"]
    return [
        Move("no_contact_data", asked["nameless"], Stage.VISITOR),
        Move("contact_data_unknown", asked["contact_unknown"] & asked["new"], Stage.VISITOR),
        Move("contact_data_unknown", asked["contact_unknown"], None),
        Move("interest_unknown", unknown & ~asked["new"], None),
        Move("interest_unknown", unknown, Stage.PROSPECT),
        Move("no_interest", silent, Stage.PROSPECT),
        Move("rejection_stands", asked["rejected"], Stage.NURTURE),
    ]


def _warmth(asked: Asked) -> list[Move]:
    """What temperature and gates decide between lead, nurture and MQL."""
    hot, cold, held = asked["hot"], asked["cold"], asked["held"]
    mql = asked.was.is_(Stage.MQL)
    kept = asked.was.is_(Stage.LEAD, Stage.NURTURE, Stage.MQL)
    ready = asked["surely_hot"] & asked["mql_passed"]
    return [
        Move("data_wanted", asked["asks"] & kept, None),
        Move("data_wanted", asked["asks"], Stage.LEAD),
        Move("reentry_waits", ready & asked["waits"], Stage.NURTURE),
        Move("hot_gates_passed", ready, Stage.MQL),
        Move("gate_unknown", held & hot & asked["mql_open"], None),
        Move("score_uncertain", held, None),
        Move("gate_lost", hot & asked["mql_missed"] & mql, Stage.LEAD),
        Move("gate_missed", hot & asked["mql_missed"], Stage.LEAD),
        Move("gate_unknown", hot & asked["mql_open"], Stage.LEAD),
        Move("score_uncertain", hot & mql, None),
        # Hot as scored, but not for sure: what is certain is that it is at least wavering, or not even that.
        Move("score_uncertain", hot & asked["surely_warm"], Stage.NURTURE),
        Move("score_uncertain", hot, Stage.LEAD),
        Move("cooled", mql & ~cold, Stage.NURTURE),
        Move("cooled", mql, Stage.LEAD),
        Move("wavering", ~cold, Stage.NURTURE),
        Move("cold", cold, Stage.LEAD),
    ]


def _highest(leads: Mapping[str, pl.Series], was: Standing, now: Standing) -> pl.Series:
    """The code of the highest stage ever: standing beside the ladder does not count as having climbed it."""
    reached, last = looked_up(_HEIGHTS, now.codes), looked_up(_HEIGHTS, was.codes)
    noted = standing(leads["prev_highest_stage"]).codes
    before = choose(noted == one(NONE, _CODE), last, noted)
    return choose(looked_up(_RANKS, reached) > looked_up(_RANKS, before), reached, before)


def _again(was: Standing, now: Standing) -> pl.Series:
    """A lead that comes back to marketing, or that sales takes up again, begins another round."""
    return (was.is_(*_HANDED_OVER) & now.is_(*_MARKETINGS)) | (
        was.is_(Stage.DISQUALIFIED) & ~now.is_(Stage.DISQUALIFIED)
    )


def _cycle(leads: Mapping[str, pl.Series], again: pl.Series) -> pl.Series:
    before = leads["prev_cycle"]
    if before.null_count() == len(before):
        return _FIRST_CYCLE + again.cast(pl.Int32)
    return before.fill_null(1).cast(pl.Int32) + again.cast(pl.Int32)
