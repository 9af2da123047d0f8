"""How marketing and sales moved a person along, in both CRMs' own words.

HubSpot's lifecycle stages go forward only (HubSpot reference, section 7); Salesforce's Status values
are those an organisation has out of the box (Salesforce reference, section 6).
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from connectors.sandbox.generate.person import Outcome
from connectors.sandbox.generate.traits import Draft
from connectors.sandbox.generate.wheel import Wheel

_LADDER = ("lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer")
# When each rung is reached, as a part of the way from first meeting to decision.
_REACHED = (0.0, 0.35, 0.7, 0.88, 1.0)
_OPEN = Wheel([(0, 62.0), (1, 26.0), (2, 9.0), (3, 3.0)])
_LOST = Wheel([(0, 48.0), (1, 30.0), (2, 15.0), (3, 7.0)])
_FIRST_IS_SUBSCRIBER = ("newsletter", "prize_draw", "survey")


class Story(NamedTuple):
    """One person's way. ``lifecycle`` is (day since first meeting, HubSpot's stage), oldest first."""

    outcome: Outcome
    lifecycle: tuple[tuple[float, str], ...]
    lead_status: str | None
    status: str
    rating: str | None


def story(who: Draft, wins: bool, random: Random) -> Story:
    """The way of one person who wins or not once the day of decision has come and sales had worked them."""
    rnd = random.random
    seen = who.seen
    if who.kind in ("customer", "former_customer"):
        stage = "customer" if who.kind == "customer" else "other"
        return Story(
            "customer_before",
            ((0.0, stage),),
            "OPEN_DEAL" if rnd() < 0.3 else None,
            "Closed - Converted",
            None,
        )
    if not who.worked:
        return Story(
            "unworked", _climb(who, 0, random), "NEW" if rnd() < 0.6 else None, "Open - Not Contacted", None
        )
    if seen.decides > seen.age:
        rung = min(_OPEN.at(rnd()), _highest(who))
        talked = bool(seen.talks)
        lead_status = (
            ("IN_PROGRESS" if rung else "ATTEMPTED_TO_CONTACT") if talked and rnd() < 0.8 else "OPEN"
        )
        status = "Working - Contacted" if talked else "Open - Not Contacted"
        return Story(
            "open", _climb(who, rung, random), lead_status, status, (None, "Warm", "Hot", "Hot")[rung]
        )
    if wins:
        return Story("won", _climb(who, 4, random), "OPEN_DEAL", "Closed - Converted", "Hot")
    rung = min(_LOST.at(rnd()), _highest(who))
    lead_status = ("UNQUALIFIED", "UNQUALIFIED", "BAD_TIMING")[int(rnd() * 3)]
    return Story(
        "lost",
        _climb(who, rung, random),
        lead_status,
        "Closed - Not Converted",
        "Cold" if rnd() < 0.6 else None,
    )


def _highest(who: Draft) -> int:
    """How far people come who do not win: nobody makes an opportunity of a student."""
    if who.kind == "prospect" and not who.seen.forms:
        return 0
    return 1 if who.kind in ("student", "job_seeker", "competitor") else 3


def _climb(who: Draft, rung: int, random: Random) -> tuple[tuple[float, str], ...]:
    """The stages up to a rung, with the days on which they were reached."""
    seen = who.seen
    begins: float | None = 0.0
    steps: list[tuple[float, str]] = []
    if who.kind == "prospect":
        steps = [(0.0, "other")] if random.random() < 0.4 else []
        begins = seen.forms[0][0] if seen.forms else None
    elif who.channel.name in _FIRST_IS_SUBSCRIBER:
        steps = [(0.0, "subscriber")]
        begins = seen.forms[1][0] if len(seen.forms) > 1 else None
    end = min(seen.decides, seen.age)
    if begins is None:
        if not rung:
            return tuple(steps)
        begins = end * 0.2
    # A form filled after the decision came too late to move anything.
    begins = min(begins, end)
    if steps and steps[0][1] == "other":
        # "other" is the last of HubSpot's stages: somebody had to clear it before the person could go on.
        steps.append((begins, ""))
    for place in range(rung + 1):
        steps.append((begins + (end - begins) * _REACHED[place], _LADDER[place]))
    return tuple(steps)
