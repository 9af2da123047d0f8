"""What people did: visits, forms, mails, social clicks and talks with sales, as times.

All times here are days since the person was first met, as floats. Nothing in this module knows
how a person decided: events go on as the person's interest has it, so that what somebody did is a
cause of a sale and never a trace of it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from math import log
from random import Random
from typing import NamedTuple

from connectors.sandbox.generate.lexicon import Channel

_OLDEST_DAYS = 1100.0
_LATER_FORMS = (
    "Kontaktformular",
    "Whitepaper: Produkttexte, die verkaufen",
    "Webinar-Anmeldung",
    "Newsletter-Anmeldung",
    "Preisliste anfordern",
    "Angebot anfordern",
)


@dataclass(slots=True)
class Behaviour:
    """The events of one person, each list in time order; ``age`` is days from first meeting to now.

    ``decides`` is the day on which the person decides; beyond ``age`` means not yet.
    """

    age: float
    decides: float
    interest: float
    visits: list[float]
    page_views: int
    forms: list[tuple[float, str]]
    opens: list[float]
    clicks: list[float]
    social: dict[str, int]
    talks: list[float]


def behaviour(
    channel: Channel, kind: str, worked: bool, random: Random, oldest: float = _OLDEST_DAYS
) -> Behaviour:
    """Draw what one person did since they were first met, at most ``oldest`` days ago."""
    rnd = random.random
    age = 0.15 + (oldest - 0.15) * rnd() ** 1.7
    decides = 12.0 - log(1.0 - rnd()) * 70.0
    interest = _interest(channel, kind, rnd)
    forms = _forms(channel, kind, interest, age, rnd)
    if kind == "prospect" and not forms:
        # Not answered yet: whoever has only been written to has shown nothing.
        interest = 0.0
    visits = _days(_number(interest * 5.0, 25, rnd), age, rnd) if interest else []
    if forms:
        # A form is filled on a visit.
        visits = sorted(visits + [day for day, _ in forms])
    clicks = _days(_number(interest * 2.2, 15, rnd), age, rnd)
    opens = sorted(clicks + _days(_number(0.4 + interest * 3.0, 30, rnd), age, rnd)) if interest else []
    talks: list[float] = []
    if worked:
        span = min(decides, age)
        talks = sorted(span * (0.15 + 0.85 * rnd()) for _ in range(1 + _number(1.0, 8, rnd)))
    return Behaviour(
        age=age,
        decides=decides,
        interest=interest,
        visits=visits,
        page_views=sum(1 + _number(2.0, 20, rnd) for _ in visits),
        forms=forms,
        opens=opens,
        clicks=clicks,
        social=_social(channel, interest, rnd),
        talks=talks,
    )


class Counted(NamedTuple):
    """What was done up to the decision, or up to now while it is open; ``idle`` is days since the last of it."""

    forms: int
    visits: int
    mail_clicks: int
    idle: float | None  #: None when nothing was done


def counted(seen: Behaviour) -> Counted:
    """Count a person's forms, visits and mail clicks up to the decision, or up to now."""
    until = min(seen.decides, seen.age)
    forms = [day for day, _ in seen.forms if day <= until]
    visits = bisect_right(seen.visits, until)
    clicks = bisect_right(seen.clicks, until)
    last = forms[-1:] + seen.visits[visits - 1 : visits] + seen.clicks[clicks - 1 : clicks]
    return Counted(len(forms), visits, clicks, until - max(last) if last else None)


def engagement(done: Counted) -> float:
    """Interest shown, 0 to 1."""
    if done.idle is None:
        return 0.0
    fresh: float = 0.5 ** (done.idle / 30.0)
    amount = log(1.0 + done.forms) + 0.5 * log(1.0 + done.visits) + 0.5 * log(1.0 + done.mail_clicks)
    left: float = 2.0 ** (-amount * (0.3 + 0.7 * fresh))
    return 1.0 - left


def _interest(channel: Channel, kind: str, rnd: Callable[[], float]) -> float:
    if kind in ("student", "job_seeker", "competitor"):
        return 0.6 + 0.4 * rnd()
    if kind == "prospect":
        # A few of the researched answer, and become leads by it.
        return 0.2 + 0.5 * rnd() if rnd() < 0.07 else 0.0
    return min(1.0, channel.eager * (0.25 + 1.75 * rnd() * rnd() * 1.6))


def _number(mean: float, most: int, rnd: Callable[[], float]) -> int:
    return min(most, int(-log(1.0 - rnd()) * mean))


def _days(number: int, age: float, rnd: Callable[[], float]) -> list[float]:
    days = []
    for _ in range(number):
        # Most of it happens soon after the first meeting; some people come back much later.
        day = -log(1.0 - rnd()) * 40.0 if rnd() < 0.65 else rnd() * age
        if day <= age:
            days.append(day)
    days.sort()
    return days


def _forms(
    channel: Channel, kind: str, interest: float, age: float, rnd: Callable[[], float]
) -> list[tuple[float, str]]:
    forms = [(0.0, channel.forms[int(rnd() * len(channel.forms))])] if channel.forms else []
    if channel.name == "referral" and rnd() < 0.55:
        # Recommended by word of mouth: somebody else wrote the name down.
        forms = []
    more = _number(interest * (4.0 if kind == "student" else 1.3), 12, rnd)
    if kind == "prospect" and interest:
        more = max(1, more)
    for day in _days(more, age, rnd):
        forms.append((day, _LATER_FORMS[int(rnd() * len(_LATER_FORMS))]))
    return forms


def _social(channel: Channel, interest: float, rnd: Callable[[], float]) -> dict[str, int]:
    chance = 0.5 if channel.name in ("social", "prize_draw") else 0.12
    if not interest or rnd() > chance:
        return {}
    network = ("linkedin", "linkedin", "facebook", "twitter")[int(rnd() * 4)]
    return {network: 1 + _number(interest * 3.0, 20, rnd)}
