"""What people do on the web and in mails, and the counters that HubSpot computes from it.

HubSpot reference, section 15.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from connectors.sandbox.hubspot import past
from connectors.sandbox.hubspot.moments import kept
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.records import Record
from connectors.sandbox.side import ControlRefused

Moved = dict[str, str]
NETWORKS = ("linkedin", "twitter", "facebook")


def moved_by(portal: Portal, record: Record, signal: str, at: int, wanted: Mapping[str, Any]) -> Moved:
    """The calculated properties that one signal moves. Raises ControlRefused for an unknown signal."""
    act = _SIGNALS.get(signal)
    if act is None:
        raise ControlRefused(f"signal is one of {', '.join(_SIGNALS)}")
    return act(portal, record, at, wanted)


def _more(record: Record, name: str, by: int = 1) -> str:
    return str(int(Decimal(record.values.get(name, "0"))) + by)


def _later(record: Record, name: str, at: int) -> str:
    """The later of a kept instant and a new one: an event may be told late."""
    return max(record.values.get(name, ""), kept(at))


def form_name(wanted: Mapping[str, Any]) -> str:
    """The form that a signal was sent through."""
    return str(wanted.get("name") or "Contact us")


def _form(portal: Portal, record: Record, at: int, wanted: Mapping[str, Any]) -> Moved:
    name = form_name(wanted)
    entries = past.of_record(portal.database, record.id).get("recent_conversion_event_name", ())
    known = {
        *(value for _, value, _ in entries),
        record.values.get("recent_conversion_event_name"),
        record.values.get("first_conversion_event_name"),
    }
    moved = {
        "num_conversion_events": _more(record, "num_conversion_events"),
        "recent_conversion_date": _later(record, "recent_conversion_date", at),
        "recent_conversion_event_name": name,
    }
    if name not in known:
        moved["num_unique_conversion_events"] = _more(record, "num_unique_conversion_events")
    if "first_conversion_date" not in record.values:
        moved |= {"first_conversion_date": kept(at), "first_conversion_event_name": name}
    return moved


def _visit(_portal: Portal, record: Record, at: int, wanted: Mapping[str, Any]) -> Moved:
    pages = wanted.get("pages", 1)
    if type(pages) is not int or pages < 1:
        raise ControlRefused("pages is a whole number from 1")
    visits = _more(record, "hs_analytics_num_visits")
    views = _more(record, "hs_analytics_num_page_views", pages)
    moved = {
        "hs_analytics_num_visits": visits,
        "hs_analytics_num_page_views": views,
        "hs_analytics_average_page_views": str(round(Decimal(views) / Decimal(visits))),
        "hs_analytics_last_visit_timestamp": _later(record, "hs_analytics_last_visit_timestamp", at),
    }
    if "hs_analytics_first_timestamp" not in record.values:
        moved["hs_analytics_first_timestamp"] = kept(at)
    return moved


def _mail_open(_portal: Portal, record: Record, at: int, _wanted: Mapping[str, Any]) -> Moved:
    return {
        "hs_email_open": _more(record, "hs_email_open"),
        "hs_email_last_open_date": _later(record, "hs_email_last_open_date", at),
    }


def _mail_click(_portal: Portal, record: Record, at: int, _wanted: Mapping[str, Any]) -> Moved:
    return {
        "hs_email_click": _more(record, "hs_email_click"),
        "hs_email_last_click_date": _later(record, "hs_email_last_click_date", at),
    }


def _social_click(_portal: Portal, record: Record, _at: int, wanted: Mapping[str, Any]) -> Moved:
    network = str(wanted.get("name") or "linkedin").lower()
    if network not in NETWORKS:
        raise ControlRefused(f"the name of a social click is one of {', '.join(NETWORKS)}")
    names = (f"hs_social_{network}_clicks", "hs_social_num_broadcast_clicks")
    return {name: _more(record, name) for name in names}


def _meeting(_portal: Portal, record: Record, at: int, _wanted: Mapping[str, Any]) -> Moved:
    return {
        "notes_last_contacted": _later(record, "notes_last_contacted", at),
        "num_contacted_notes": _more(record, "num_contacted_notes"),
        "num_notes": _more(record, "num_notes"),
        "hs_is_unworked": "false",
    }


_SIGNALS: dict[str, Callable[[Portal, Record, int, Mapping[str, Any]], Moved]] = {
    "form": _form,
    "visit": _visit,
    "mail_open": _mail_open,
    "mail_click": _mail_click,
    "social_click": _social_click,
    "meeting": _meeting,
}
SIGNALS = tuple(_SIGNALS)
