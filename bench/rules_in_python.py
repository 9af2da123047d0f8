"""The policy of ``bench.job`` written out in Python, one lead at a time: what record-by-record code looks like.

A condition is True, False or None (not known). Leads are new: none has a verdict yet.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bench.job import ENGAGEMENT, FIT, FIT_OF_HOT, HOT, WAVERING
from mapping.freemail import FREE_MAIL_DOMAINS
from mapping.qualification.score import decayed_points
from mapping.qualification.wording import SEPARATOR, ago

Lead = dict[str, Any]
Answer = bool | None

_MARKETING = re.compile("head of.*marketing|leit.*marketing|cmo")
_BOSS = re.compile("geschäftsführ|managing director|inhaber")
_NO_BOSS = re.compile("student|praktikant")
_COUNTRIES = frozenset(("DE", "AT", "CH"))
_TRADE = frozenset(("Retail", "Wholesale", "Consumer Goods"))


@dataclass(slots=True)
class Verdict:
    score: int
    fit: int
    engagement: int
    coverage: int
    temperature: str
    stage: str
    reasons: str


def _and(left: Answer, right: Answer) -> Answer:
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def _of_size(lead: Lead) -> Answer:
    revenue = lead["annual_revenue"]
    return None if revenue is None else 20_000_000 <= revenue <= 150_000_000


def _is_in(value: str | None, words: frozenset[str]) -> Answer:
    return None if value is None else value in words


def _looks(pattern: re.Pattern[str], text: str | None) -> Answer:
    return None if text is None else pattern.search(text.lower()) is not None


def _is_free(lead: Lead) -> bool:
    return lead["email"] is not None and lead["email"].rpartition("@")[2] in FREE_MAIL_DOMAINS


def _above(value: Any, limit: int) -> Answer:
    return None if value is None else value > limit


#: In the order of the policy.
CONDITIONS: tuple[Callable[[Lead, int | None], Answer], ...] = (
    lambda lead, _: _and(_is_in(lead["industry"], frozenset(("E-Commerce",))), _of_size(lead)),
    lambda lead, _: _and(_is_in(lead["industry"], _TRADE), _of_size(lead)),
    lambda lead, _: _looks(_MARKETING, lead["job_title"]),
    lambda lead, _: _looks(_BOSS, lead["job_title"]),
    lambda lead, _: _above(lead["annual_revenue"], 150_000_000),
    lambda lead, _: _is_in(lead["country"], _COUNTRIES),
    lambda lead, _: _looks(_NO_BOSS, lead["job_title"] or ""),
    lambda lead, _: "agentur" in (lead["company"] or "").lower(),
    lambda lead, _: _is_free(lead),
    lambda lead, _: lead["phone"] is not None,
    lambda lead, _: lead["company"] is not None,
    lambda lead, _: _above(lead["forms"], 0),
    lambda lead, _: _above(lead["forms"], 2),
    lambda _, age: None if age is None else age <= 31,
    lambda lead, _: bool(lead["email_opt_out"]),
)
_FADING = {
    len(FIT) + place: decayed_points(points, half_life).to_list()
    for place, (_, _, points, half_life) in enumerate(ENGAGEMENT)
    if half_life
}
_RULES = [(name, points) for name, _, points in FIT] + [(name, points) for name, _, points, _ in ENGAGEMENT]
_WEIGHT = sum(abs(points) for _, points in _RULES)


def _band(total: int, fit: int) -> int:
    return 2 if total >= HOT and fit >= FIT_OF_HOT else 1 if total >= WAVERING else 0


def judged(lead: Lead, now: datetime) -> Verdict:
    """Points with their reasons, temperature and stage of a new lead."""
    seen = lead["last_form_at"]
    age = None if seen is None else max((now.date() - seen.date()).days, 0)
    sums, up, down, told = [0, 0], [0, 0], [0, 0], []
    for place, (name, points) in enumerate(_RULES):
        met, group = CONDITIONS[place](lead, age), int(place >= len(FIT))
        fading = _FADING.get(place)
        if met is None or (met and fading and age is None):
            (up if points > 0 else down)[group] += points
        elif met and fading and age is not None:
            day = min(age, len(fading) - 1)
            sums[group] += fading[day]
            if fading[day]:
                told.append(f"{fading[day]} {name} {ago(day)}")
        elif met:
            sums[group] += points
            told.append(f"{points} {name}")
    fit, score = sums[0], sum(sums)
    worst = _band(score + sum(down), fit + down[0])
    coverage = (_WEIGHT - sum(up) + sum(down)) * 100 // _WEIGHT
    band = _band(score, fit)
    words = SEPARATOR.join(told) or "nothing counted yet"
    warm = ("cold", "wavering", "hot")[band]
    return Verdict(score, fit, sums[1], coverage, warm, _stage(lead, band, worst), words)


def _stage(lead: Lead, band: int, worst: int) -> str:
    if lead["email"] is None and lead["phone"] is None:
        return "visitor"
    if not lead["forms"]:
        return "prospect"
    reachable = (lead["email"] is not None and not lead["email_opt_out"]) or lead["phone"] is not None
    if worst == 2 and reachable:
        return "mql"
    if band == 2:
        return "lead" if not reachable or worst == 0 else "nurture"
    return "nurture" if band == 1 else "lead"
