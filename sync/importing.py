"""Import people met elsewhere: what their cards would change in both CRMs, as a plan like any other.

    cards    = read_cards(…)            # cards.py       rows as typed columns, each bad one named
    matched  = match(work, cards)       # cardmatch.py   who is known already; what nobody can say is held
    decided  = decide_cards(…)          # here           judged by the same policy, planned under the same scope

Somebody new is created with everything the card says; somebody known gets only what is blank in both CRMs. What
a card says about withdrawals always holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

import polars as pl

from mapping.consent import WITHDRAWN
from mapping.lead import LeadField, columns_of
from mapping.qualification.truths import choose, one
from sync.cardmatch import Matched
from sync.consent import not_shown, said_anywhere, stricter, with_proofs, withdrawn
from sync.decide import Decided, judge_leads, lead_frame, scoped, with_reasons
from sync.errors import WrongUse
from sync.fed import with_fed
from sync.headings import BESIDE
from sync.merge import HUBSPOT, MERGED, SALESFORCE, WINNER, conflicts
from sync.plan import CHANGES, SIDES, Wanted, Writable, plan
from sync.store.leads import BASES, RECORDS
from sync.unread import Unread
from sync.winners import KEPT
from sync.work import CRMS, Work, empty

#: met: they told us themselves; bought: a list, or research: contact data without interest; referral.
SourceKind = Literal["met", "bought", "referral"]
KINDS: tuple[str, ...] = get_args(SourceKind)
CARD = "f."
#: Who may say something of a person of a file, the first to be believed first.
SAYING = (HUBSPOT, SALESFORCE, CARD)
_WHY_FILLED = "blank in both CRMs, on the card"
_WHY_WITHDRAWN = "a withdrawal on the card holds in both CRMs"
_KEYS = ("_email_key", "_name_key", "_company_key")


@dataclass(frozen=True, slots=True)
class Source:
    """Where the people come from. ``into``: CRMs in which a new person gets a record whatever the scope says.

    ``campaign_id``: the campaign in Salesforce that they become members of.
    """

    name: str
    kind: str = "met"
    into: tuple[str, ...] = ()
    campaign_id: str | None = None


def decide_cards(work: Work, matched: Matched, source: Source, now: datetime) -> Decided:
    """Judge the people of a file and plan their changes. Raises WrongUse where the source's kind and name do not
    go together: a bought address would count as interested.
    """
    frame = _frame(work, matched)
    people = matched.people.sort("lead_id")
    merged = with_fed(work, _merged(work, frame, people, source), None)
    judged = scoped(work, judge_leads(work, merged, now), empty({"lead_id": pl.String()})["lead_id"], now)
    judged = _homes(work, judged, source)
    _check_kind(judged, source)
    worded = with_reasons(work, judged)
    new = pl.col(HUBSPOT + "_id").is_null() & pl.col(SALESFORCE + "_id").is_null()
    creates = _creates(work, worded.filter(new), source)
    fills = _fills(work, worded.filter(~new & pl.col("in_scope")))
    changes = pl.concat([creates, fills]).sort("lead_id", "crm", "field")
    return Decided(worded, changes, conflicts(merged, ()))


def _frame(work: Work, matched: Matched) -> pl.DataFrame:
    links = pl.DataFrame(schema={"lead_id": pl.String(), **RECORDS})
    lead_ids = matched.people["lead_id"]
    return lead_frame(work, lead_ids, matched.records, links, empty(BASES), work.store.leads.of(lead_ids))


def _merged(work: Work, frame: pl.DataFrame, people: pl.DataFrame, source: Source) -> pl.DataFrame:
    """What the CRMs know, and where both know nothing what the card says; of consent what forbids most."""
    columns = columns_of(work.fields)
    said = people.with_columns(pl.lit(source.name).alias("lead_source"))
    nothing = [
        pl.lit(None, dtype=dtype).alias(name) for name, dtype in columns.items() if name not in said.columns
    ]
    said = said.with_columns(nothing)
    cards = said.select(
        *(pl.col(name).cast(dtype).alias(CARD + name) for name, dtype in columns.items()),
        *(
            pl.col(name).alias(CARD + name)
            for name in (*_KEYS, "_id", "_row_key", *BESIDE)
            if name in said.columns
        ),
    )
    both = frame.hstack(cards)
    values = [pl.coalesce(prefix + name for prefix in SAYING).alias(MERGED + name) for name in columns]
    winners = [pl.lit(0, dtype=pl.UInt8()).alias(WINNER + rule.field) for rule in work.rules]
    # A new record takes its keys of identity from the card.
    keys = [
        pl.coalesce(side + name, CARD + name).alias(side + name) for side in SIDES.values() for name in _KEYS
    ]
    merged = said_together(both.with_columns(*values, *winners), work.fields)
    return merged.with_columns(keys).with_columns(
        address_taken=pl.lit(value=False), hubspot_stage_word=pl.lit(None, dtype=pl.String)
    )


def said_together(merged: pl.DataFrame, fields: Mapping[str, LeadField]) -> pl.DataFrame:
    """Set the merged withdrawals, standings and proofs of people of a file (``h.``, ``s.``, ``f.``, ``p.`` and ``m.``).

    A withdrawal said anywhere, in either field of a channel, stands; of standings the one that forbids more does, and
    a confirmation that nobody proves, the card neither, is unknown.
    """
    opt_outs, unread = [name for name, known_as in fields.items() if known_as.opt_out], Unread(merged)
    settled = [_forbidding(merged, name, unread) for name in opt_outs]
    return with_proofs(merged.with_columns(settled), opt_outs, unread, SAYING)


def _forbidding(merged: pl.DataFrame, name: str, unread: Unread) -> pl.Series:
    said = [merged[prefix + name] for prefix in SAYING]
    stands = said_anywhere(name, merged, (*SAYING, KEPT), frozenset(merged.columns))
    if said[0].dtype == pl.Boolean:
        return choose(stands, one(True, pl.Boolean()), merged[MERGED + name]).alias(MERGED + name)
    shown = stricter(said)
    if KEPT + name in merged.columns and (hidden := not_shown(name, unread, merged.height)).any():
        shown = choose(hidden, stricter([shown, merged[KEPT + name]]), shown)
    return choose(stands, one(WITHDRAWN, pl.String()), shown).alias(MERGED + name)


def _homes(work: Work, judged: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Where somebody new gets a record: where the scope or the person at the keyboard says so.

    Only a record in Salesforce can be a member of a campaign. Where nobody says anything, it is the CRM that can
    hold the source (HubSpot for bought addresses): a record that does not say where it comes from would lose the
    interest that came with it.
    """
    new = pl.col(HUBSPOT + "_id").is_null() & pl.col(SALESFORCE + "_id").is_null() & pl.col("in_scope")
    asked = {crm: crm in source.into for crm in CRMS}
    asked["salesforce"] |= source.campaign_id is not None
    holds_source = _source_field(work, "hubspot") is not None
    fallback = "hubspot" if source.kind == "bought" or holds_source else "salesforce"
    somewhere = pl.col("_wanted_hubspot") | pl.col("_wanted_salesforce") | pl.lit(any(asked.values()))
    return judged.with_columns(
        (new & (pl.col("_wanted_" + crm) | asked[crm] | (pl.lit(crm == fallback) & ~somewhere))).alias(
            "create_" + crm
        )
        for crm in CRMS
    )


def _source_field(work: Work, crm: str) -> str | None:
    rule = work.field_map.rules.get("lead_source")
    name = rule.source(crm, work.objects[crm]) if rule is not None else None
    return name if name is not None and name in work.writable().creatable[crm] else None


def _check_kind(judged: pl.DataFrame, source: Source) -> None:
    new = judged.filter(pl.col(HUBSPOT + "_id").is_null() & pl.col(SALESFORCE + "_id").is_null())
    interested = new.filter(~pl.col("stage").is_in(["prospect", "visitor"])).height
    if source.kind == "bought" and interested:
        raise WrongUse(
            f"policy.interest takes {interested} of these people for interested, and a bought address is not",
            fix="choose another --source than one that the policy takes for interest, or leave --kind bought out",
        )


def _creates(work: Work, new: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Everything that a new record starts with. The source is written although no sync would change it later."""
    wanted = Wanted("full", work.policy.score_step)
    writable = work.writable()
    rows = plan(new, {}, work.field_map, work.rules, writable, wanted)
    made = rows.filter(pl.col("kind") == "create")
    why = f"on the card, from {source.name}"
    return (
        pl.concat([made, *_source_rows(work, made, source, writable)])
        .with_columns(why=pl.lit(why))
        .select(*CHANGES)
    )


def _source_rows(work: Work, made: pl.DataFrame, source: Source, writable: Writable) -> list[pl.DataFrame]:
    rows = []
    for crm in CRMS:
        name = _source_field(work, crm)
        missing = made.filter(pl.col("crm") == crm)
        if name is None or missing.is_empty() or name in missing["crm_field"]:
            continue
        one = missing.unique("lead_id", keep="first", maintain_order=True)
        texts = {
            "field": "lead_source",
            "crm_field": name,
            "after": source.name,
            "object": writable.objects[crm],
        }
        rows.append(one.with_columns(pl.lit(text).alias(column) for column, text in texts.items()))
    return rows


def _fills(work: Work, known: pl.DataFrame) -> pl.DataFrame:
    """What is blank in every record of somebody known and stands on the card. Not returned is not blank."""
    parts = [empty(CHANGES)]
    if known.is_empty():
        return parts[0]
    writable = work.writable()
    for crm, side in SIDES.items():
        object_name = work.objects[crm]
        for name, crm_field in work.field_map.writable(crm, object_name):
            if CARD + name not in known.columns or crm_field not in writable.updatable[crm]:
                continue
            after = work.field_map.to_crm(crm, object_name, name, column=MERGED + name)
            opt_out = work.fields[name].opt_out
            rows = known.filter(_due(work, known, name, side)).select(
                "lead_id",
                pl.lit(crm).alias("crm"),
                pl.lit(object_name).alias("object"),
                pl.col(side + "_id").alias("record_id"),
                pl.lit(name).alias("field"),
                pl.lit(crm_field).alias("crm_field"),
                pl.lit(None, dtype=pl.String).alias("before"),
                after.alias("after"),
                pl.lit(_WHY_WITHDRAWN if opt_out else _WHY_FILLED).alias("why"),
                pl.lit("consent" if opt_out else "live").alias("lane"),
                pl.lit("set").alias("kind"),
            )
            parts.append(rows.filter(pl.col("after").is_not_null()).select(*CHANGES))
    return pl.concat(parts)


def _due(work: Work, known: pl.DataFrame, name: str, side: str) -> pl.Expr | pl.Series:
    """Whose record gets what the card says: a withdrawal of the channel, or what is blank everywhere."""
    here = pl.col(side + "_id").is_not_null()
    if work.fields[name].opt_out:
        there = known[side + "_id"].is_not_null()
        return there & said_anywhere(name, known, (CARD,), known.columns) & ~withdrawn(known[side + name])
    blanks = [
        pl.col(each + name).is_null() & ~pl.col(each + "_unread").list.contains(name).fill_null(value=False)
        for each in SIDES.values()
    ]
    return here & pl.col(CARD + name).is_not_null() & pl.all_horizontal(blanks)


def as_words(counts: Mapping[str, int]) -> str:
    """The numbers of a file in one line; they add up to its rows."""
    names = {
        "new": "new", "known": "known already", "held": "held for a person", "repeated": "repeat another row",
        "bad": "cannot go", "forgotten": "were erased and are left alone", "outside": "outside of the scope",
    }  # fmt: skip
    told = [f"{count} {names[name]}" for name, count in counts.items() if count]
    return ", ".join(told) if told else "nobody"
