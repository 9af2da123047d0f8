"""Who can decide a lead's field, and the rules by which a field is merged. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Literal

import polars as pl

from mapping.qualification.truths import looked_up

#: Column prefixes of the frame that is merged: one row a lead.
#: ``h.``/``s.`` what HubSpot and Salesforce show now, ``bh.``/``bs.`` their bases, ``m.`` the merged
#: value, ``w.`` who won (``Winner``). Beside them ``h._id``, ``s._id`` (null: no record there),
#: ``h._unread``, ``s._unread`` (lists of fields that were not returned or could not be read), ``bh._apart``,
#: ``bs._apart`` (Boolean, false: the record holds in every field what its base does, and none need be compared; not
#: there: nobody looked), and ``p.`` what is stored for the lead, where it is known.
HUBSPOT, SALESFORCE = "h.", "s."
KEPT = "p."
SIDES = (HUBSPOT, SALESFORCE)
BASE = {HUBSPOT: "bh.", SALESFORCE: "bs."}
APART = "_apart"
MERGED, WINNER = "m.", "w."


class Winner(IntEnum):
    """Who decided a field's value."""

    NOBODY = 0  #: nobody changed it
    BOTH = 1  #: both changed it, alike
    HUBSPOT = 2  #: only HubSpot changed it, or only HubSpot has it
    SALESFORCE = 3
    HELD = 4  #: both changed it differently, and the rule asks a person
    UNREAD = 5  #: one side did not show it: left alone
    HUBSPOT_BY_RULE = 6  #: both changed it differently, and the rule says HubSpot
    SALESFORCE_BY_RULE = 7
    UNSAYABLE = 8  #: the other CRM has no word for the value: left as it is, for a person to settle


#: Codes of so few leads are looked at one by one: to ask all columns costs ten times as much.
_FEW = 64
#: The type of a column of ``Winner``.
CODE = pl.UInt8()
#: Winners whose value goes to the other CRM.
TO_SALESFORCE = (Winner.HUBSPOT, Winner.HUBSPOT_BY_RULE)
TO_HUBSPOT = (Winner.SALESFORCE, Winner.SALESFORCE_BY_RULE)
CONFLICTS = (Winner.HELD, Winner.HUBSPOT_BY_RULE, Winner.SALESFORCE_BY_RULE)


@dataclass(frozen=True, slots=True)
class MergeRule:
    """How one lead field is merged.

    ``money`` fields bring their currency along: ``travels_with`` names it, and the pair is compared as one.
    """

    field: str
    direction: Literal["both", "to_hubspot", "to_salesforce", "read_only"] = "both"
    if_both_changed: Literal["salesforce", "hubspot", "newest", "hold"] = "hold"
    if_emptied: Literal["ignore", "clear"] = "ignore"
    opt_out: bool = False
    travels_with: str | None = None

    @property
    def contested(self) -> bool:
        """Both CRMs may have a say in it, and neither by being withdrawn there."""
        return self.direction != "read_only" and not self.opt_out

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are merged as one."""
        return (self.field, self.travels_with) if self.travels_with else (self.field,)


def deciders(leads: pl.DataFrame) -> dict[str, frozenset[int]]:
    """Field to the codes of those who decided it for any lead. All are asked at once: each alone costs as much."""
    names = [name for name in leads.columns if name.startswith(WINNER)]
    if leads.height <= _FEW:
        return {name.removeprefix(WINNER): frozenset(leads[name].to_list()) - {None} for name in names}
    found = leads.select(pl.col(names).unique().drop_nulls().implode()).row(0) if names else ()
    return {name.removeprefix(WINNER): frozenset(codes) for name, codes in zip(names, found, strict=True)}


def won_by(winner: pl.Series, *winners: Winner) -> pl.Series:
    """Where one of these decided, in a column ``w.<field>``."""
    return looked_up(_among(winners), winner)


@cache
def _among(winners: tuple[Winner, ...]) -> pl.Series:
    return pl.Series([winner in winners for winner in Winner])
