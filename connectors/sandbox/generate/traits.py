"""Who somebody is, before names are given: in which CRM, from where, at which company, in which role."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from connectors.sandbox.generate.behaviour import Behaviour, behaviour, counted
from connectors.sandbox.generate.company import Company, company
from connectors.sandbox.generate.effects import Traits
from connectors.sandbox.generate.lexicon import Channel, Lexicon
from connectors.sandbox.generate.person import Kind, Mix

COMPANIES_IN_A_BLOCK = 16


class Firms:
    """The companies of one block of people, made when somebody works there."""

    def __init__(self, words: Lexicon, block: int, offset: int, random: Random) -> None:
        self._words = words
        self._first = block * COMPANIES_IN_A_BLOCK
        self._offset = offset
        self._random = random
        self._made: dict[int, Company] = {}

    def draw(self) -> Company:
        """A company of this block; some employ more of the people than others."""
        place = int(COMPANIES_IN_A_BLOCK * self._random.random() ** 1.3)
        made = self._made.get(place)
        if made is None:
            made = company(self._words, self._first + place, self._offset, self._random)
            self._made[place] = made
        return made


class Draft(NamedTuple):
    """One person without a name. ``where`` is "both", "hubspot" or "salesforce"."""

    where: str
    kind: Kind
    channel: Channel
    company: Company | None
    role: str
    worked: bool
    seen: Behaviour

    def traits(self) -> Traits:
        """What decides about this person."""
        return Traits(self.kind, self.company, self.role, counted(self.seen))


def draft(words: Lexicon, firms: Firms, mix: Mix, random: Random, oldest: float, where: str = "") -> Draft:
    """Draw one person. ``oldest`` is the most days since they were met; ``where`` is drawn when empty."""
    rnd = random.random
    if not where:
        number = rnd()
        where = (
            "both"
            if number < mix.both
            else "hubspot"
            if number < mix.both + mix.hubspot_only
            else "salesforce"
        )
    # Who is met in person is in Salesforce alone more often than who fills a form.
    channels = words.met_in_person if where == "salesforce" and rnd() < 0.8 else words.channels
    channel = channels.at(rnd())
    kind, firm, role = _occupation(words, firms, channel, random)
    worked = rnd() < mix.worked
    seen = behaviour(channel, kind, worked, random, oldest)
    if where == "salesforce":
        # Visits, forms and mails are counted by HubSpot only.
        seen.visits, seen.forms, seen.opens, seen.clicks, seen.social = [], [], [], [], {}
        seen.page_views = 0
    return Draft(where, kind, channel, firm, role, worked, seen)


def sample(words: Lexicon, seed: int | str, mix: Mix, size: int, oldest: float) -> Sequence[Traits]:
    """Traits of people that are never handed out, to find the constant that keeps the rate."""
    random = Random(f"{seed}/sample")
    found: list[Traits] = []
    while len(found) < size:
        firms = Firms(words, 0, 0, random)
        drafts = (draft(words, firms, mix, random, oldest) for _ in range(COMPANIES_IN_A_BLOCK * 2))
        # Only these decide; the rate is theirs.
        found += [d.traits() for d in drafts if d.worked and d.kind not in ("customer", "former_customer")]
    return found[:size]


def _occupation(
    words: Lexicon, firms: Firms, channel: Channel, random: Random
) -> tuple[Kind, Company | None, str]:
    rnd = random.random
    number = rnd()
    if channel.name == "researched":
        return "prospect", firms.draw(), words.roles.at(rnd())
    if number < 0.05 or (channel.name == "white_paper" and number < 0.12):
        return "student", None, "student"
    if number < 0.145 and number > 0.12:
        return "job_seeker", None, "job_seeker"
    firm = firms.draw()
    role = words.roles.at(rnd())
    if firm.kind.name == "agency":
        return "competitor", firm, role
    if number > 0.975:
        return "customer", firm, role
    if number > 0.965:
        return "former_customer", firm, role
    if channel.name == "prize_draw" and number > 0.5:
        return "buyer", None, "other"
    return "buyer", firm, role
