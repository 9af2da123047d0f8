"""What the CRMs show of a verdict, beside the one in force. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from mapping.own import CONTENT, DECISIVE, HANDOVER_FIELDS, OWN_FIELDS, SHOWN
from mapping.qualification.truths import differ, every, holds, known
from sync.unread import Unread
from sync.winners import HUBSPOT, SALESFORCE

_SIDES: Mapping[str, str] = {"hubspot": HUBSPOT, "salesforce": SALESFORCE}


def verdict_differs(
    leads: pl.DataFrame,
    score_step: int,
    updatable: Mapping[str, frozenset[str]] | None = None,
    unread: Unread | None = None,
) -> pl.Series:
    """Whether some CRM shows another verdict than the one in force, so that it has to be written.

    A changed score counts once it moved by ``score_step``, so that decay does not rewrite every lead every
    day; a difference between the two CRMs always counts. ``updatable``: what each CRM lets us write; a handover, or a
    question and format, that it has no fields for is nothing that has to be written. ``unread``: of these leads,
    where it was looked into before.
    """
    here = {side: known(leads[side + "_id"]) for side in _SIDES.values()}
    unread = unread or Unread(leads)
    found = every(False, pl.Boolean(), leads.height)
    handed, content = _handed(leads, updatable), _written(CONTENT, updatable)
    for side, there in here.items():
        for name in (*DECISIVE, *content[side], *handed[side]):
            unlike = there & differ(leads[side + name], leads[SHOWN[name]])
            found = found | unread.without(unlike, side, name)
        moved = leads[side + "shown_score"] - leads["score"]
        near = holds((moved < score_step) & (moved > -score_step))
        near = near | ~(known(leads[side + "shown_score"]) | known(leads["score"]))
        found = found | unread.without(there & ~near, side, "shown_score")
    both = here[HUBSPOT] & here[SALESFORCE]
    for name in ("shown_score", "shown_fit", "shown_engagement", "shown_coverage"):
        unlike = both & differ(leads[HUBSPOT + name], leads[SALESFORCE + name])
        found = found | unread.without(unread.without(unlike, HUBSPOT, name), SALESFORCE, name)
    return found.alias("differs")


def _handed(leads: pl.DataFrame, updatable: Mapping[str, frozenset[str]] | None) -> dict[str, list[str]]:
    """The fields of the handover to compare on each side; none where no lead of these was ever handed over."""
    state = SHOWN[HANDOVER_FIELDS[0]]
    if state not in leads.columns or leads[state].null_count() == leads.height:
        return {side: [] for side in _SIDES.values()}
    return _written(HANDOVER_FIELDS, updatable)


def _written(names: Sequence[str], updatable: Mapping[str, frozenset[str]] | None) -> dict[str, list[str]]:
    """Those of the names that each side's CRM lets us write."""
    ours = [own for own in OWN_FIELDS if own.lead.name in names]
    return {
        side: [own.lead.name for own in ours if updatable is None or own.name_in(crm) in updatable[crm]]
        for crm, side in _SIDES.items()
    }
