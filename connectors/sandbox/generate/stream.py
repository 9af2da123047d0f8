"""The stream of people: blocks of people who may be colleagues, relatives, or each other's duplicates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from itertools import islice
from random import Random
from typing import NamedTuple
from zlib import crc32

from connectors.sandbox.generate.behaviour import behaviour, engagement
from connectors.sandbox.generate.effects import Odds, draw_weights, fit, odds
from connectors.sandbox.generate.hubspot_record import hubspot_record
from connectors.sandbox.generate.identity import Addresses, Someone, someone
from connectors.sandbox.generate.lexicon import Lexicon, lexicon
from connectors.sandbox.generate.moments import DAY, Calendar
from connectors.sandbox.generate.person import Mix, Person, Truth
from connectors.sandbox.generate.salesforce_record import salesforce_record
from connectors.sandbox.generate.stages import Story, story
from connectors.sandbox.generate.traits import Draft, Firms, draft, sample

PEOPLE_IN_A_BLOCK = 32
_SAMPLE = 2_000
_OLDEST_DAYS = 1100.0


def generate(
    count: int, seed: int | str, now: datetime, effect: float = 1.0, *, mix: Mix | None = None
) -> Iterator[Person]:
    """Give ``count`` people one after the other, the same for the same seed and ``now``.

    The person at an index is the same whatever ``count`` is. ``effect`` scales how much fit and
    engagement decide who becomes a customer: 1 as drawn for the seed, 0 not at all (at the same rate
    over all). E-mail addresses are unique among the HubSpot records, as HubSpot demands. The people
    and companies are made up; an address may still exist by chance, so nobody may be written to.

    Raises ValueError for a negative count or effect, or a ``now`` without a time zone.
    """
    if count < 0 or effect < 0:
        raise ValueError("count and effect cannot be negative")
    if now.utcoffset() is None:
        raise ValueError("now needs a time zone")
    return islice(people(seed, now, effect, mix or Mix()), count)


def people(
    seed: int | str,
    now: datetime,
    effect: float,
    mix: Mix,
    *,
    first_block: int = 0,
    oldest: float = _OLDEST_DAYS,
) -> Iterator[Person]:
    """People without end, from a block on; they were first met at most ``oldest`` days before ``now``."""
    words = lexicon()
    chances = _chances(seed, effect, mix)
    world = _World(words, chances, mix, now.timestamp(), oldest, Addresses(words.slips, words.role_addresses))
    offset = crc32(f"{seed}/names".encode())
    block = first_block
    while True:
        dice = _Dice(*(Random(f"{seed}/{block}/{name}") for name in _Dice._fields))
        firms = Firms(words, block, offset, dice.people)
        yield from _block(world, firms, block * PEOPLE_IN_A_BLOCK, dice)
        block += 1


@lru_cache(maxsize=64)
def _chances(seed: int | str, effect: float, mix: Mix) -> Odds:
    weights = draw_weights(seed)
    return odds(weights, effect, sample(lexicon(), seed, mix, _SAMPLE, _OLDEST_DAYS), seed)


class _Dice(NamedTuple):
    """One stream of numbers for each question, so that no answer changes the others.

    Who decides for us does not change who comes next, and how a record is mistyped changes neither.
    """

    people: Random
    decisions: Random
    records: Random


@dataclass(frozen=True, slots=True)
class _World:
    """What holds for a whole stream."""

    words: Lexicon
    chances: Odds
    mix: Mix
    now: float
    oldest: float
    addresses: Addresses


class _Known(NamedTuple):
    """Somebody of this block whom later people of it may repeat or be related to."""

    draft: Draft
    someone: Someone
    truth: Truth


def _block(world: _World, firms: Firms, first: int, dice: _Dice) -> Iterator[Person]:
    world.addresses.next_block()
    known: list[_Known] = []
    rnd = dice.people.random
    for index in range(first, first + PEOPLE_IN_A_BLOCK):
        number = rnd()
        if known and number < world.mix.duplicates:
            yield _again(world, known[int(rnd() * len(known))], index, dice)
            continue
        other = None
        if known and number > 1.0 - world.mix.shared_email:
            other = known[int(rnd() * len(known))]
        person, found = _fresh(world, firms, index, other, dice)
        known.append(found)
        yield person


def _fresh(
    world: _World, firms: Firms, index: int, other: _Known | None, dice: _Dice
) -> tuple[Person, _Known]:
    if other is not None and other.someone.email is None:
        other = None
    who = draft(world.words, firms, world.mix, dice.people, world.oldest, "salesforce" if other else "")
    person = someone(world.words, who, world.addresses, dice.people)
    if other is not None:
        who, person = _sharing(who, person, other)
    traits = who.traits()
    quality = world.chances.quality(dice.people)
    chance = world.chances.chance(traits, quality)
    way = story(who, dice.people.random() < chance, dice.decisions)
    calendar = Calendar(world.now - who.seen.age * DAY)
    decided = calendar.at(who.seen.decides) if way.outcome in ("won", "lost") else None
    truth = Truth(
        index=index,
        person=index,
        duplicate_of=None,
        shares_email_with=other.truth.index if other else None,
        kind=who.kind,
        channel=who.channel.name,
        company=who.company.number if who.company else None,
        quality=quality,
        fit=fit(traits),
        engagement=engagement(traits.done),
        chance=chance,
        outcome=way.outcome,
        decided_at=decided,
        converted_at=decided if way.outcome == "won" else None,
    )
    return _recorded(world, who, person, way, truth, calendar, dice), _Known(who, person, truth)


def _sharing(who: Draft, person: Someone, other: _Known) -> tuple[Draft, Someone]:
    """Somebody else behind the same address: a relative at home, a colleague at a role address."""
    theirs = other.someone
    if (
        theirs.company is not None
        and theirs.email is not None
        and theirs.email.endswith(theirs.company.domain)
    ):
        who = who._replace(company=theirs.company, kind=other.draft.kind)
        colleague = theirs._replace(
            first=person.first,
            last=person.last,
            woman=person.woman,
            title=person.title,
            role=person.role,
            language=person.language,
            phone=theirs.company.phone,
            mobile=person.mobile,
        )
        return who, colleague
    return who, person._replace(email=theirs.email, last=theirs.last)


def _recorded(
    world: _World, who: Draft, person: Someone, way: Story, truth: Truth, calendar: Calendar, dice: _Dice
) -> Person:
    hubspot = salesforce = None
    if who.where != "salesforce":
        hubspot = hubspot_record(who, person, way, calendar, dice.records)
    if who.where != "hubspot":
        salesforce = salesforce_record(world.words, who, person, way, calendar, dice.records)
    return Person(truth, hubspot, salesforce)


def _again(world: _World, known: _Known, index: int, dice: _Dice) -> Person:
    """A second record of the same person in a CRM that has them already."""
    rnd = dice.people.random
    before = known.draft
    in_hubspot = before.where == "hubspot" or (before.where == "both" and rnd() < 0.5)
    seen = behaviour(before.channel, before.kind, False, dice.people, before.seen.age)
    who = before._replace(where="hubspot" if in_hubspot else "salesforce", worked=False, seen=seen)
    person = known.someone
    if in_hubspot:
        # HubSpot refuses a second contact with the same address, so this one came with another, or none.
        email = (
            world.addresses.private(person.first, person.last, person.country, rnd) if rnd() < 0.8 else None
        )
        person = person._replace(email=email)
    else:
        seen.visits, seen.forms, seen.opens, seen.clicks, seen.social = [], [], [], [], {}
    way = story(who, False, dice.decisions)
    truth = replace(known.truth, index=index, duplicate_of=known.truth.index)
    calendar = Calendar(world.now - seen.age * DAY)
    return _recorded(world, who, person, way, truth, calendar, dice)
