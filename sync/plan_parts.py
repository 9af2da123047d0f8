"""The parts of a plan, put together: the changes of one field of one CRM, by the places of the leads. Pure.

What does not depend on the lead (the CRM, the names of the field) is said once a part, and what does is looked up by
place: a plan has few changes, and the leads have many columns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from mapping.qualification.truths import choose, every, known, looked_up, one
from sync.inorder import alike, ascending, gathered, true_at
from sync.unread import PLACE
from sync.winners import HUBSPOT, SALESFORCE

SIDES: Mapping[str, str] = {"hubspot": HUBSPOT, "salesforce": SALESFORCE}
STAGE = "stage"
#: Fields that show a stage, and the words there with which a lead is handed over.
_STAGE_FIELDS = frozenset({"shown_stage", STAGE})
_HANDED_OVER = ["mql", "marketingqualifiedlead", "sql"]


@dataclass(frozen=True, slots=True)
class Part:
    """Changes of one field of one CRM. ``at``: the leads' places (``PLACE``); ``after``, ``why``, ``kind``: texts."""

    crm: str
    field: str
    crm_field: str
    at: pl.Series
    after: pl.Series
    why: pl.Series
    kind: pl.Series

    def without_blanks(self) -> Part:
        """The changes that say something."""
        if not self.after.null_count():
            return self
        there = known(self.after)
        texts = {name: getattr(self, name).filter(there) for name in ("at", "after", "why", "kind")}
        return replace(self, **texts)


def texts(text: str | None, height: int) -> pl.Series:
    """The same text so many times."""
    return every(text, pl.String(), height)


def part(
    leads: pl.DataFrame,
    at: pl.Series,
    crm: str,
    field: str,
    crm_field: str,
    after: pl.Expr,
    why: pl.Expr | str,
    kind: pl.Expr | str = "set",
) -> Part:
    """One change a lead of ``at``."""
    said = {"after": after, "why": why, "kind": kind}
    asked = {name: told.alias(name) for name, told in said.items() if isinstance(told, pl.Expr)}
    names = sorted({"lead_id", *(name for told in asked.values() for name in told.meta.root_names())})
    # With the leads' own column beside them, what hangs on no column fills every row.
    found = gathered(leads[names], at).select("lead_id", *asked.values()).to_dict()
    fixed = {name: texts(told, len(at)) for name, told in said.items() if isinstance(told, str)}
    return Part(crm, field, crm_field, at, **{name: {**found, **fixed}[name] for name in said})


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of one field: to the leads at these places, in which field of the CRM, what, and why."""

    crm_field: str
    at: pl.Series
    after: pl.Expr
    why: pl.Expr | str


def parts_of(leads: pl.DataFrame, crm: str, told: Mapping[str, Told], kind: str = "set") -> list[Part]:
    """The changes of several fields, asked all at once of every lead that has one among them."""
    if not told:
        return []
    rows, where = _rows_of([field.at for field in told.values()], leads.height)
    asked = {"lead_id": pl.col("lead_id")}
    for name, field in told.items():
        asked["after " + name] = field.after
        if isinstance(field.why, pl.Expr):
            asked["why " + name] = field.why
    names = sorted({root for one_asked in asked.values() for root in one_asked.meta.root_names()})
    # With the leads' own column beside them, what hangs on no column fills every row.
    answers = gathered(leads[names], rows).select(**asked).to_dict()
    parts = []
    for name, field in told.items():
        said = [answers["after " + name], *([answers["why " + name]] if "why " + name in answers else [])]
        after, *whys = said if where is None else [column[where[field.at]] for column in said]
        why = whys[0] if whys else texts(str(field.why), len(field.at))
        parts.append(Part(crm, name, field.crm_field, field.at, after, why, texts(kind, len(field.at))))
    return parts


def _rows_of(places: Sequence[pl.Series], height: int) -> tuple[pl.Series, pl.Series | None]:
    """Every lead that is among these places, and at which row each lead's place stands; None: as in the places."""
    if all(at is places[0] for at in places):
        return places[0], None
    rows = pl.int_range(height, dtype=PLACE, eager=True).filter(true_at(pl.concat(places), height))
    return rows, every(0, PLACE, height).scatter(rows, pl.int_range(len(rows), dtype=PLACE, eager=True))


def together(
    parts: Sequence[Part],
    leads: pl.DataFrame,
    raw: Mapping[str, pl.DataFrame],
    objects: Mapping[str, str],
    consent: frozenset[str],
) -> dict[str, pl.Series]:
    """The parts as the columns of ``plan.CHANGES``, by lead, CRM and field. ``consent``: fields of withdrawals.

    ``before`` is what the record held, in the CRM's own words, for undo and for refusing what has moved since.
    """
    at = _joined([one_part.at for one_part in parts])
    number = _joined([every(place, PLACE, len(one_part.at)) for place, one_part in enumerate(parts)])
    order = _order(leads["lead_id"], parts, at, number)
    at, number = at[order], number[order]
    ids = {crm: leads[side + "_id"] for crm, side in SIDES.items()}

    def by_part(said: Callable[[Part], str]) -> pl.Series:
        return looked_up(pl.Series([said(one_part) for one_part in parts], dtype=pl.String), number)

    def by_lead(columns: Sequence[pl.Series]) -> pl.Series:
        return _joined(columns)[order]

    return {
        "lead_id": leads["lead_id"][at],
        "crm": by_part(lambda one_part: one_part.crm),
        "object": by_part(lambda one_part: objects[one_part.crm]),
        "record_id": by_lead([ids[one_part.crm][one_part.at] for one_part in parts]),
        "field": by_part(lambda one_part: one_part.field),
        "crm_field": by_part(lambda one_part: one_part.crm_field),
        "before": by_lead(_before(parts, ids, raw)),
        "after": by_lead([one_part.after for one_part in parts]),
        "why": by_lead([one_part.why for one_part in parts]),
        "lane": _lanes(
            parts, at, leads.height, by_part(lambda p: "consent" if p.field in consent else "live")
        ),
        "kind": by_lead([one_part.kind for one_part in parts]),
    }


def _joined(columns: Sequence[pl.Series]) -> pl.Series:
    """One column of many, in one piece: to look for each row in a hundred pieces takes ten times as long."""
    return pl.concat(columns, rechunk=True)


def _order(lead_ids: pl.Series, parts: Sequence[Part], at: pl.Series, number: pl.Series) -> pl.Series:
    """Where each change stands before they are ordered by lead, CRM and field.

    Ordered as numbers: there are a few leads and fields, and many changes, whose texts would be compared.
    """
    ranked = sorted(range(len(parts)), key=lambda place: (parts[place].crm, parts[place].field))
    rank = {place: at_rank for at_rank, place in enumerate(ranked)}
    fields = looked_up(pl.Series([rank[place] for place in range(len(parts))], dtype=pl.UInt64()), number)
    if ascending(lead_ids):
        return (at.cast(pl.UInt64()) * len(parts) + fields).arg_sort()
    return (lead_ids.rank("dense")[at].cast(pl.UInt64()) * len(parts) + fields).arg_sort()


def _lanes(parts: Sequence[Part], at: pl.Series, height: int, lanes: pl.Series) -> pl.Series:
    """Withdrawals travel first, handovers next."""
    stages = [one_part for one_part in parts if one_part.field in _STAGE_FIELDS]
    handed = [one_part.at.filter(one_part.after.is_in(_HANDED_OVER)) for one_part in stages]
    if all(places.is_empty() for places in handed):
        return lanes
    handed_over = true_at(pl.concat(handed), height)[at]
    return choose(handed_over & (lanes != "consent"), one("handover", pl.String()), lanes)


def _before(
    parts: Sequence[Part], ids: Mapping[str, pl.Series], raw: Mapping[str, pl.DataFrame]
) -> list[pl.Series]:
    stands: dict[str, pl.Series] = {}
    for crm, held in raw.items():
        theirs = [one_part.at for one_part in parts if one_part.crm == crm]
        if theirs:
            stands[crm] = _stands_at(ids[crm], pl.concat(theirs), held)
    found, start = [], dict.fromkeys(stands, 0)
    for one_part in parts:
        crm, height = one_part.crm, len(one_part.at)
        before = texts(None, height)
        if crm in stands and one_part.crm_field in raw[crm].columns:
            before = looked_up(raw[crm][one_part.crm_field], stands[crm].slice(start[crm], height))
        if crm in stands:
            start[crm] += height
        found.append(before)
    return found


def _stands_at(ids: pl.Series, at: pl.Series, held: pl.DataFrame) -> pl.Series:
    """Where in ``held`` the records of the leads at these places stand; null for none.

    A slice's records stand in the order of its leads, as far as those have any (``sync.inorder``), each record once.
    Where that is not so, they are looked up.
    """
    asked = ids[at]
    if not asked.null_count() and len(asked):
        in_order = at if not ids.null_count() else known(ids).cum_sum()[at] - 1
        last = in_order.max()
        if isinstance(last, int) and last < held.height and held["_id"][in_order].equals(asked):
            return in_order
    return places_of(asked, held)


def places_of(record_ids: pl.Series, held: pl.DataFrame) -> pl.Series:
    """Where in ``held`` each record stands; null for none. Of two of one id, the first counts."""
    if alike(record_ids, held["_id"]) and held["_id"].n_unique() == held.height:
        return pl.int_range(held.height, dtype=pl.get_index_type(), eager=True)
    asked = record_ids.alias("_id").to_frame()
    there = held.select("_id").with_row_index("_at")
    placed = asked.join(there, on="_id", how="left", maintain_order="left")
    if placed.height > asked.height:
        placed = asked.join(there.unique("_id", keep="first"), on="_id", how="left", maintain_order="left")
    return placed["_at"]
