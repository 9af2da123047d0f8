"""What the CRMs can tell of a lead's behaviour: each signal with its source, and what an account needs for it.

HubSpot reference, section 15: which of these properties an account has differs by edition, so that what counts is
its property definitions.
"""

from __future__ import annotations

from dataclasses import dataclass

from mapping.qualification.deals import DEAL_FIELDS
from mapping.qualification.frequency import WEEKLY_FIELDS

#: Every social signal that a CRM has of a person; follows and mentions are in neither (HubSpot reference, section 15).
SOCIAL = frozenset({"social_clicks", "linkedin_clicks", "facebook_clicks", "twitter_clicks"})

_SHOWN = "any that shows the property"
_CONTACTS = "HubSpot: crm.objects.contacts.read"


@dataclass(frozen=True, slots=True)
class Signal:
    """Lead fields of one kind of behaviour, who observes it, and the edition and rights that showing it takes."""

    name: str
    fields: frozenset[str]
    source: str
    edition: str
    scope: str

    def sentence(self) -> str:
        return f"{self.name}: {self.source}; edition: {self.edition}; scope: {self.scope}"


SIGNALS: tuple[Signal, ...] = (
    Signal(
        "forms",
        frozenset({"forms", "last_form_at", "last_form_name", "first_form_at"}),
        "HubSpot's conversion properties of the contact",
        _SHOWN,
        _CONTACTS,
    ),
    Signal(
        "visits",
        frozenset({"visits", "page_views", "last_visit_at"}),
        "HubSpot's analytics properties of the contact",
        _SHOWN,
        _CONTACTS,
    ),
    Signal(
        "mails",
        frozenset(
            {"mails_opened", "mails_clicked", "last_mail_open_at", "last_mail_click_at", "mails_bounced"}
        ),
        "HubSpot's e-mail properties of the contact",
        _SHOWN,
        _CONTACTS,
    ),
    Signal(
        "frequency",
        frozenset(WEEKLY_FIELDS),
        "the history of HubSpot's counters of the contact, one event for each rise",
        _SHOWN,
        _CONTACTS,
    ),
    Signal(
        "company",
        frozenset({"company_people", "company_visits", "company_forms", "company_last_sign_at"}),
        "what the contacts that HubSpot associates with the same company did, added up",
        "any that has companies",
        "HubSpot: crm.objects.contacts.read and crm.objects.companies.read",
    ),
    Signal("social", SOCIAL, "HubSpot's counts of clicks on our own posts", _SHOWN, _CONTACTS),
    Signal(
        "sales' touches",
        frozenset({"sales_contacts", "last_contacted_at", "last_activity_at"}),
        "HubSpot's sales properties of the contact",
        _SHOWN,
        _CONTACTS,
    ),
    Signal(
        "deals",
        frozenset(DEAL_FIELDS),
        "Salesforce's opportunities, by contact role, else by account; or fields of a CRM that count them",
        "any that has opportunities, or shows such fields",
        "read access to Opportunity, OpportunityContactRole and Contact, or to these fields",
    ),
)


def signals_of(fields: frozenset[str]) -> list[Signal]:
    """The signals that these lead fields belong to, in the order of the catalogue."""
    return [signal for signal in SIGNALS if signal.fields & fields]
