"""Which content a lead is given while it is not to be called: the first open question that is its own."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from mapping.qualification.declared import Policy
from mapping.qualification.stages import Standing
from mapping.qualification.truths import every, holds, looked_up, one

_CODE = pl.UInt32()


def track(leads: Mapping[str, pl.Series], now: Standing, policy: Policy) -> dict[str, pl.Series]:
    """The columns ``nurture_track nurture_question nurture_format``, null for none.

    The first track counts whose condition is true, that is meant for the stage, and that the lead is not done
    with. ``leads``: what ``prepare`` made, and the verdict's columns.
    """
    answers = policy.asked_of_judged.answers(leads)
    exits = iter(answers[len(policy.tracks) :])
    done = [None if one_.exit is None else next(exits) for one_ in policy.tracks]
    found = every(len(policy.tracks), _CODE, len(now.codes))
    for place in range(len(policy.tracks) - 1, -1, -1):
        fits, left = answers[place] & now.is_(*policy.tracks[place].stages), done[place]
        if left is not None:
            fits = fits & ~holds(left)
        found = one(place, _CODE).zip_with(fits, found)
    # A CRM cuts blanks off both ends; shown with them, the text would differ, and be written, for ever.
    said: dict[str, list[str | None]] = {
        "nurture_track": [one_.track for one_ in policy.tracks],
        "nurture_question": [one_.name.strip() for one_ in policy.tracks],
        "nurture_format": [one_.format and one_.format.strip() for one_ in policy.tracks],
    }
    return {
        name: looked_up(pl.Series([*texts, None], dtype=pl.String), found) for name, texts in said.items()
    }
