"""One day in both CRMs: what people change there, and who is new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random
from typing import Any

from connectors.sandbox.generate.lexicon import Lexicon, lexicon
from connectors.sandbox.generate.moments import text
from connectors.sandbox.generate.person import Mix, Person
from connectors.sandbox.generate.spelling import filled
from connectors.sandbox.generate.stream import people

Fields = Mapping[str, Any]

_FORMS = (
    "Kontaktformular",
    "Angebot anfordern",
    "Whitepaper: Produkttexte, die verkaufen",
    "Preisliste anfordern",
)
_SIGNALS = ("form", "form", "visit", "visit", "visit", "mail_open", "mail_click", "social_click", "meeting")
# Beyond the blocks of most streams, so that newcomers work at companies of their own.
_BLOCK_OF_NEWCOMERS = 18_000
# Where sales moves a lead from each of Salesforce's Status values; a converted lead stays.
_NEXT_STATUS = {
    "Open - Not Contacted": "Working - Contacted",
    "Working - Contacted": "Closed - Not Converted",
    "Closed - Not Converted": "Working - Contacted",
}
_NEXT_LEAD_STATUS = {
    "NEW": "IN_PROGRESS",
    "OPEN": "ATTEMPTED_TO_CONTACT",
    "IN_PROGRESS": "CONNECTED",
    "ATTEMPTED_TO_CONTACT": "CONNECTED",
    "CONNECTED": "BAD_TIMING",
    "BAD_TIMING": "OPEN",
    "UNQUALIFIED": "OPEN",
    "OPEN_DEAL": "CONNECTED",
}
_DAY = 1.0


@dataclass(frozen=True, slots=True)
class PersonAct:
    """What one person did in one CRM. ``body`` is what ``POST /_sandbox/people`` of that CRM takes.

    ``what`` says it in a word of ours: title_and_phone, both_titles, emptied, signal, unsubscribe,
    do_not_call, status, lead_status. ``about`` are the (HubSpot id, Salesforce id) concerned.
    """

    crm: str
    at: datetime
    what: str
    about: tuple[str | None, str | None]
    body: Fields = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Pair:
    hubspot: str | None
    salesforce: str | None
    properties: Fields = field(repr=False)
    fields: Fields = field(repr=False)


def a_day_of_changes(
    seed: int | str,
    people_in_hubspot: Sequence[tuple[str, Fields]],
    people_in_salesforce: Sequence[tuple[str, Fields]],
    now: datetime,
) -> list[PersonAct]:
    """What people did in the 24 hours before ``now``, in time order; about one person in ten is touched.

    The people are (record id, values) as the CRMs hold them. Nobody is touched by two kinds of change,
    so that what each has to lead to can be told apart. With few people some kinds stay out; each person
    who is in both CRMs under one address serves the next kind in turn. Raises ValueError for a ``now``
    without a time zone.
    """
    if now.utcoffset() is None:
        raise ValueError("now needs a time zone")
    random = Random(f"{seed}/day/{now.date()}")
    pairs = _pairs(people_in_hubspot, people_in_salesforce)
    random.shuffle(pairs)
    scene = _Scene(random, now, lexicon())
    touched = max(len(_IN_BOTH), len(pairs) // 10)
    acts: list[PersonAct] = []
    for place, pair in enumerate(pairs[:touched]):
        acts += _IN_BOTH[place % len(_IN_BOTH)](scene, pair)
    for id_, _ in _tenth(people_in_hubspot, {pair.hubspot for pair in pairs}, random):
        acts.append(scene.signal(id_, None))
    for id_, fields in _tenth(people_in_salesforce, {pair.salesforce for pair in pairs}, random):
        if not fields.get("IsConverted"):
            acts += _status(scene, _Pair(None, id_, {}, fields))
    return sorted(acts, key=lambda act: act.at)


def newcomers(
    seed: int | str, people_in_hubspot: Sequence[tuple[str, Fields]], now: datetime, count: int = 6
) -> list[Person]:
    """People first met in the 24 hours before ``now``; each has a row to load in one CRM or in both.

    None has an e-mail address that somebody in HubSpot has already.
    """
    taken = {str(values.get("email") or "").lower() for _, values in people_in_hubspot}
    mix = Mix(both=0.2, hubspot_only=0.5, duplicates=0.0, shared_email=0.0)
    day = f"{seed}/day/{now.date()}"
    found = people(day, now, 1.0, mix, first_block=_BLOCK_OF_NEWCOMERS, oldest=_DAY)
    fresh = (
        person
        for person in found
        if person.truth.outcome != "customer_before"
        and not (person.hubspot and person.hubspot.get("email") in taken)
    )
    return list(islice(fresh, count))


def _pairs(hubspot: Sequence[tuple[str, Fields]], salesforce: Sequence[tuple[str, Fields]]) -> list[_Pair]:
    """People who have one address, and only once, in both CRMs; converted leads are left alone."""
    times = Counter(str(fields.get("Email") or "").lower() for _, fields in salesforce)
    by_email = {str(values.get("email") or "").lower(): (id_, values) for id_, values in hubspot}
    pairs = []
    for id_, fields in salesforce:
        email = str(fields.get("Email") or "").lower()
        if not email or times[email] > 1 or email not in by_email or fields.get("IsConverted"):
            continue
        contact, properties = by_email[email]
        pairs.append(_Pair(contact, id_, properties, fields))
    return pairs


def _tenth(
    everybody: Sequence[tuple[str, Fields]], but: set[str | None], random: Random
) -> list[tuple[str, Fields]]:
    alone = [one for one in everybody if one[0] not in but]
    return random.sample(alone, len(alone) // 10)


@dataclass(frozen=True, slots=True)
class _Scene:
    """Builds acts at times of the day."""

    random: Random
    now: datetime
    words: Lexicon

    def moment(self) -> datetime:
        return (self.now - timedelta(seconds=int(self.random.random() * 86_400))).astimezone(UTC)

    def title(self, *but: Any) -> str:
        roles = ("head_of_marketing", "head_of_ecommerce", "marketing_staff", "managing_director")
        titles = [t for role in roles for t in self.words.titles_of("de", role, self.random.random() < 0.5)]
        return self.random.choice([title for title in titles if title not in but])

    def hubspot(self, pair: _Pair, what: str, properties: Fields) -> PersonAct:
        body = {"action": "edit", "object": "contacts", "id": pair.hubspot, "properties": properties}
        return PersonAct("hubspot", self.moment(), what, (pair.hubspot, pair.salesforce), body)

    def salesforce(self, pair: _Pair, what: str, fields: Fields) -> PersonAct:
        body = {"action": "edit", "object": "Lead", "id": pair.salesforce, "fields": fields}
        return PersonAct("salesforce", self.moment(), what, (pair.hubspot, pair.salesforce), body)

    def signal(self, id_: str, lead: str | None) -> PersonAct:
        at, signal = self.moment(), self.random.choice(_SIGNALS)
        body = {"action": "act", "object": "contacts", "id": id_, "signal": signal, "at": text(at)}
        if signal == "form":
            body["name"] = self.random.choice(_FORMS)
        elif signal == "social_click":
            body["name"] = "linkedin"
        return PersonAct("hubspot", at, "signal", (id_, lead), body)


def _title_and_phone(scene: _Scene, pair: _Pair) -> Iterator[PersonAct]:
    title = scene.title(pair.properties.get("jobtitle"), pair.fields.get("Title"))
    yield scene.hubspot(pair, "title_and_phone", {"jobtitle": title})
    phone = filled("+49 221 #######", scene.random.random)
    yield scene.salesforce(pair, "title_and_phone", {"Phone": phone})


def _both_titles(scene: _Scene, pair: _Pair) -> Iterator[PersonAct]:
    known = (pair.properties.get("jobtitle"), pair.fields.get("Title"))
    first = scene.title(*known)
    yield scene.hubspot(pair, "both_titles", {"jobtitle": first})
    yield scene.salesforce(pair, "both_titles", {"Title": scene.title(first, *known)})


def _emptied(scene: _Scene, pair: _Pair) -> Iterator[PersonAct]:
    filled_in = [name for name in ("phone", "mobilephone", "city", "jobtitle") if pair.properties.get(name)]
    if filled_in:
        yield scene.hubspot(pair, "emptied", {filled_in[0]: ""})


def _signal(scene: _Scene, pair: _Pair) -> Iterator[PersonAct]:
    if pair.hubspot:
        yield scene.signal(pair.hubspot, pair.salesforce)


def _unsubscribe(scene: _Scene, pair: _Pair) -> Iterator[PersonAct]:
    body = {"action": "unsubscribe", "object": "contacts", "id": pair.hubspot}
    yield PersonAct("hubspot", scene.moment(), "unsubscribe", (pair.hubspot, pair.salesforce), body)


def _do_not_call(scene: _Scene, pair: _Pair) -> Iterator[PersonAct]:
    yield scene.salesforce(pair, "do_not_call", {"DoNotCall": True})


def _status(scene: _Scene, pair: _Pair) -> Iterator[PersonAct]:
    status = _NEXT_STATUS.get(str(pair.fields.get("Status")))
    if status:
        yield scene.salesforce(pair, "status", {"Status": status})


def _lead_status(scene: _Scene, pair: _Pair) -> Iterator[PersonAct]:
    status = _NEXT_LEAD_STATUS.get(str(pair.properties.get("hs_lead_status")), "NEW")
    yield scene.hubspot(pair, "lead_status", {"hs_lead_status": status})


# In this order people serve the kinds in turn; signals come more often than the rest.
_IN_BOTH: tuple[Callable[[_Scene, _Pair], Iterator[PersonAct]], ...] = (
    _title_and_phone, _both_titles, _signal, _unsubscribe, _do_not_call, _signal, _status, _emptied, _signal,
    _lead_status,
)  # fmt: skip
