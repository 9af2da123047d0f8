"""Which signals and objects this account has, and which it lacks (HubSpot reference, section 15).

Editions differ, so nothing is assumed: a signal is there where the property definitions name its properties, an
object where its definitions can be read. A rule whose signal is missing is reported with this, and judged without.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from connectors.crm import ObjectSchema
from connectors.errors import ConnectorError
from connectors.hubspot.api import Api
from connectors.hubspot.engagement import ENGAGEMENTS
from connectors.hubspot.errors import lacks
from connectors.hubspot.forms import read_forms
from connectors.hubspot.lists import Lists
from connectors.hubspot.schema import COMPANIES, CONTACTS
from connectors.hubspot.signals import COUNTERS

#: The contact properties that carry each signal.
SIGNALS: Mapping[str, tuple[str, ...]] = {
    "forms": (
        "num_conversion_events",
        "num_unique_conversion_events",
        "recent_conversion_date",
        "recent_conversion_event_name",
        "first_conversion_date",
        "first_conversion_event_name",
    ),
    "visits": (
        "hs_analytics_num_visits",
        "hs_analytics_num_page_views",
        "hs_analytics_average_page_views",
        "hs_analytics_first_timestamp",
        "hs_analytics_last_visit_timestamp",
        "hs_analytics_num_event_completions",
    ),
    "source": (
        "hs_analytics_source",
        "hs_analytics_source_data_1",
        "hs_analytics_source_data_2",
        "hs_latest_source",
        "hs_latest_source_data_1",
    ),
    "mail": (
        "hs_email_open",
        "hs_email_click",
        "hs_email_last_open_date",
        "hs_email_last_click_date",
        "hs_email_bounce",
    ),
    "social": (
        "hs_social_linkedin_clicks",
        "hs_social_twitter_clicks",
        "hs_social_facebook_clicks",
        "hs_social_num_broadcast_clicks",
    ),
    "sales_touch": ("notes_last_contacted", "num_contacted_notes", "num_notes", "hs_notes_last_activity"),
    "consent": ("hs_email_optout", "hs_email_quarantined", "hs_legal_basis", "hs_marketable_status"),
}

#: Objects beside contacts that are read where an account has them.
OBJECTS = (COMPANIES, "leads", *ENGAGEMENTS)

#: Signals whose single times come from the history of counters only; ``signals`` reads them.
BY_HISTORY: Mapping[str, tuple[str, ...]] = {
    "forms": (COUNTERS["form"],),
    "visits": (COUNTERS["visit"], COUNTERS["page_view"]),
    "mail": (COUNTERS["mail_open"], COUNTERS["mail_click"]),
    "social": (COUNTERS["social_click"],),
    "sales_touch": (COUNTERS["sales_contact"],),
}


@dataclass(frozen=True, slots=True)
class Availability:
    """One signal, object or API of the account. ``has`` and ``lacks`` name properties of a signal."""

    name: str
    kind: Literal["signal", "object", "api"]
    has: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    code: str = ""  #: HubSpot's own, where it refused

    @property
    def available(self) -> bool:
        """Whether there is anything to read."""
        return bool(self.has) if self.kind == "signal" else not self.code

    @property
    def history(self) -> tuple[str, ...]:
        """The properties whose history tells when the signal happened, as far as the account has them."""
        return tuple(name for name in BY_HISTORY.get(self.name, ()) if name in self.has)


def availability_of(api: Api, describe: Callable[[str], ObjectSchema]) -> list[Availability]:
    """Signals, then objects, then APIs. About one call for each object and API; nothing that is missing is raised."""
    fields = describe(CONTACTS).fields
    found = [
        Availability(
            name,
            "signal",
            tuple(n for n in wanted if n in fields and fields[n].readable),
            tuple(n for n in wanted if n not in fields or not fields[n].readable),
        )
        for name, wanted in SIGNALS.items()
    ]
    found += [_asked(name, "object", partial(describe, name)) for name in OBJECTS]
    found.append(_asked("lists", "api", lambda: next(Lists(api).find(), None)))
    found.append(_asked("form_definitions", "api", lambda: read_forms(api)))
    return found


def _asked(name: str, kind: Literal["object", "api"], ask: Callable[[], object]) -> Availability:
    try:
        ask()
    except ConnectorError as error:
        if not lacks(error):
            raise
        return Availability(name, kind, code=error.code)
    return Availability(name, kind)
