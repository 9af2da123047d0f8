"""One person as HubSpot knows them: a contact's properties, and the history of some of them.

Values are strings, as HubSpot returns them (HubSpot reference, section 4.2). What people did stands
only in the properties of section 15. ``hs_notes_last_activity`` stays out: in recorded property
definitions its type is a reference to an object, not a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from connectors.sandbox.generate.identity import Someone
from connectors.sandbox.generate.moments import Calendar, text
from connectors.sandbox.generate.spelling import mistyped
from connectors.sandbox.generate.stages import Story
from connectors.sandbox.generate.telephone import spoiled, written
from connectors.sandbox.generate.traits import Draft

History = dict[str, list[tuple[datetime, str]]]

# How much people tell about themselves on the first contact, by channel; elsewhere nearly everything.
_TELLS = {"newsletter": 0.35, "prize_draw": 0.55, "survey": 0.6, "white_paper": 0.9, "social": 0.8}
_LATEST = ("DIRECT_TRAFFIC", "EMAIL_MARKETING", "ORGANIC_SEARCH")


def hubspot_record(
    who: Draft, person: Someone, way: Story, calendar: Calendar, random: Random
) -> dict[str, Any]:
    """The contact; loadable as it stands, with ``_created``, ``_modified`` and ``_history``."""
    row: dict[str, Any] = {}
    _who_they_are(row, who, person, random.random)
    _their_company(row, who, person, random.random)
    history: History = {}
    _where_from(row, who, random.random)
    _what_they_did(row, who, calendar, history)
    _what_sales_did(row, who, way, calendar, history)
    bounced = bool(person.email) and random.random() < 0.02
    if bounced:
        row["hs_email_bounce"] = "1"
    if person.email and random.random() < (0.10 if who.seen.opens else 0.03):
        row["hs_email_optout"] = "true"
    row["_created"] = calendar.at(0.0)
    row["_modified"] = calendar.at(_last_day(who, way, random.random()))
    row["_history"] = history
    return row


def _last_day(who: Draft, way: Story, number: float) -> float:
    seen = who.seen
    last = way.lifecycle[-1][0] if way.lifecycle else 0.0
    # Forms need no look: each was filled on a visit.
    for days in (seen.visits, seen.opens, seen.talks):
        if days and days[-1] > last:
            last = days[-1]
    # A person edited the record now and then after that.
    return last if number < 0.7 else last + (seen.age - last) * number


def _who_they_are(row: dict[str, Any], who: Draft, person: Someone, rnd: Callable[[], float]) -> None:
    tells = _TELLS.get(who.channel.name, 1.0)
    if person.email:
        row["email"] = person.email
    if rnd() < tells or not person.email:
        first, last = person.first.text, person.last.text
        style = rnd()
        if style < 0.03:
            first, last = first.lower(), last.lower()
        elif style < 0.045:
            last = last.upper()
        elif style < 0.065:
            last = mistyped(last, rnd)
        elif style < 0.075:
            first, last = f" {first}", f"{last} "
        row["firstname"], row["lastname"] = first, last
    if rnd() < tells - 0.08:
        row["jobtitle"] = person.title
    if person.phone and rnd() < tells - 0.3:
        row["phone"] = written(person.phone, rnd)
    if person.mobile and rnd() < tells - 0.25:
        row["mobilephone"] = written(person.mobile, rnd)
        if "phone" not in row and rnd() < 0.3:
            row["phone"] = row.pop("mobilephone")
    if "phone" in row and rnd() < 0.03:
        row["phone"] = spoiled(row["phone"], rnd)


def _their_company(row: dict[str, Any], who: Draft, person: Someone, rnd: Callable[[], float]) -> None:
    firm = person.company
    tells = _TELLS.get(who.channel.name, 1.0)
    if rnd() < tells - 0.1:
        row["country"] = person.country.spellings[int(rnd() * len(person.country.spellings))]
    if rnd() < tells - 0.35:
        row["city"] = person.city.name
        if person.post_code:
            row["zip"] = person.post_code
        if rnd() < 0.8:
            row["address"] = person.street
        if rnd() < 0.3:
            row["state"] = person.city.state
    if not firm or rnd() > tells - 0.04:
        return
    style = rnd()
    row["company"] = firm.name if style < 0.6 else firm.short_name
    if style > 0.97:
        row["company"] = row["company"].lower()
    if rnd() < 0.7:
        row["website"] = (firm.domain, f"www.{firm.domain}", f"https://www.{firm.domain}/")[int(rnd() * 3)]
    if rnd() < 0.72:
        row["industry"] = firm.industry_hubspot
    if rnd() < 0.7:
        row["annualrevenue"] = _money(firm.turnover, rnd)
    if rnd() < 0.6:
        row["numberofemployees"] = str(firm.employees)


def _money(euro: int, rnd: Callable[[], float]) -> str:
    style = rnd()
    if style < 0.72:
        return str(euro)
    return f"{euro:,}".replace(",", ".") if style < 0.95 else f"{euro}.00"


def _where_from(row: dict[str, Any], who: Draft, rnd: Callable[[], float]) -> None:
    channel, seen = who.channel, who.seen
    source = channel.hubspot.at(rnd())
    if not seen.forms or (channel.name == "referral" and seen.forms[0][0] > 0.0):
        source = "OFFLINE"
    row["hs_analytics_source"] = source
    detail = "IMPORT" if source == "OFFLINE" else channel.detail[int(rnd() * len(channel.detail))]
    if channel.name == "social" and source != "OFFLINE":
        detail = next(iter(seen.social), detail)
    row["hs_analytics_source_data_1"] = detail
    row["hs_latest_source"] = source
    if len(seen.visits) > 1 and rnd() < 0.5:
        row["hs_latest_source"] = _LATEST[int(rnd() * len(_LATEST))]
    elif source != "OFFLINE":
        row["hs_latest_source_data_1"] = detail


def _what_they_did(row: dict[str, Any], who: Draft, calendar: Calendar, history: History) -> None:
    seen = who.seen
    if seen.visits:
        visits = _counts(seen.visits, calendar)
        history["hs_analytics_num_visits"] = visits
        row["hs_analytics_num_visits"] = str(len(visits))
        row["hs_analytics_num_page_views"] = str(seen.page_views)
        row["hs_analytics_average_page_views"] = str(round(seen.page_views / len(visits)))
        row["hs_analytics_first_timestamp"] = text(visits[0][0])
        row["hs_analytics_last_visit_timestamp"] = text(visits[-1][0])
        history["hs_analytics_last_visit_timestamp"] = _each_time(at for at, _ in visits)
    if seen.forms:
        forms = [(calendar.at(day), name) for day, name in seen.forms]
        history["recent_conversion_event_name"] = forms
        history["num_conversion_events"] = [(at, str(number)) for number, (at, _) in enumerate(forms, 1)]
        row["num_conversion_events"] = str(len(forms))
        row["num_unique_conversion_events"] = str(len({name for _, name in forms}))
        row["first_conversion_date"] = text(forms[0][0])
        row["first_conversion_event_name"] = forms[0][1]
        row["recent_conversion_date"] = text(forms[-1][0])
        history["first_conversion_date"] = _each_time([forms[0][0]])
        history["recent_conversion_date"] = _each_time(at for at, _ in forms)
        row["recent_conversion_event_name"] = forms[-1][1]
    if "email" in row and seen.opens:
        row["hs_email_open"] = str(len(seen.opens))
        row["hs_email_last_open_date"] = calendar.text(seen.opens[-1])
    if "email" in row and seen.clicks:
        clicks = _counts(seen.clicks, calendar)
        history["hs_email_click"] = clicks
        row["hs_email_click"] = str(len(clicks))
        row["hs_email_last_click_date"] = text(clicks[-1][0])
        history["hs_email_last_click_date"] = _each_time(at for at, _ in clicks)
    for network, number in seen.social.items():
        row[f"hs_social_{network}_clicks"] = str(number)
        row["hs_social_num_broadcast_clicks"] = str(number)


def _what_sales_did(
    row: dict[str, Any], who: Draft, way: Story, calendar: Calendar, history: History
) -> None:
    talks = who.seen.talks
    if talks:
        contacts = sorted(_in_office(calendar.at(day), calendar.at(0.0)) for day in talks)
        row["notes_last_contacted"] = text(contacts[-1])
        row["num_contacted_notes"] = str(len(talks))
        row["num_notes"] = str(len(talks))
        history["notes_last_contacted"] = _each_time(contacts)
        history["num_contacted_notes"] = [(at, str(number)) for number, at in enumerate(contacts, 1)]
    if way.lifecycle:
        row["lifecyclestage"] = way.lifecycle[-1][1]
        history["lifecyclestage"] = [(calendar.at(day), stage) for day, stage in way.lifecycle]
    if way.lead_status:
        row["hs_lead_status"] = way.lead_status
        if way.lifecycle:
            history["hs_lead_status"] = [(calendar.at(way.lifecycle[-1][0]), way.lead_status)]


def _in_office(moment: datetime, earliest: datetime) -> datetime:
    """The last moment before or at this one at which somebody in Germany works, unless that is too early."""
    day = moment
    if 7 <= day.hour < 16 and day.weekday() < 5:
        return day
    if not 7 <= day.hour < 16:
        back = 1 if day.hour < 7 else 0
        day = day.replace(hour=7 + day.hour % 9) - timedelta(days=back)
    if day.weekday() > 4:
        day -= timedelta(days=day.weekday() - 4)
    return day if day >= earliest else moment


def _each_time(moments: Iterable[datetime]) -> list[tuple[datetime, str]]:
    """The past of a property that holds the latest of these moments."""
    return [(at, text(at)) for at in moments]


def _counts(days: Sequence[float], calendar: Calendar) -> list[tuple[datetime, str]]:
    return [(calendar.at(day), str(number)) for number, day in enumerate(days, 1)]
