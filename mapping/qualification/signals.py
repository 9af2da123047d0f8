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

_BY_DEFINITIONS = (
    "not stated in the HubSpot reference (section 15); an account has what its property definitions show"
)
_CONTACTS = "crm.objects.contacts.read, and crm.schemas.contacts.read for the definitions"


@dataclass(frozen=True, slots=True)
class Signal:
    """Lead fields of one kind of behaviour, who observes it, and the edition and rights that showing it takes.

    Where the vendors' reference does not state an edition or a scope, the words say that, too.
    """

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
        "HubSpot's conversion properties of the contact (num_conversion_events, recent_conversion_date and their like)",
        _BY_DEFINITIONS,
        _CONTACTS,
    ),
    Signal(
        "contact requests",
        frozenset({"last_contact_request"}),
        "a date of your own that a contact form fills, as [fields.last_contact_request] maps it",
        "not stated in the reference: a field of your own",
        "read access to that field: crm.objects.contacts.read in HubSpot, field access in Salesforce",
    ),
    Signal(
        "visits",
        frozenset({"visits", "page_views", "last_visit_at"}),
        "HubSpot's analytics properties of the contact (hs_analytics_num_visits and their like)",
        _BY_DEFINITIONS,
        _CONTACTS,
    ),
    Signal(
        "mails",
        frozenset(
            {"mails_opened", "mails_clicked", "last_mail_open_at", "last_mail_click_at", "mails_bounced"}
        ),
        "HubSpot's e-mail properties of the contact (hs_email_open, hs_email_click and their like)",
        _BY_DEFINITIONS,
        _CONTACTS,
    ),
    Signal(
        "frequency",
        frozenset(WEEKLY_FIELDS),
        "the history of HubSpot's counters of the contact, one event for each rise",
        f"{_BY_DEFINITIONS}; page views one by one would need event analytics (Enterprise, section 15), which is not"
        " used",
        _CONTACTS,
    ),
    Signal(
        "company",
        frozenset({"company_people", "company_visits", "company_forms", "company_last_sign_at"}),
        "what the contacts that HubSpot associates with the same company did, added up",
        "not stated in the HubSpot reference; an account has it where companies can be read",
        "crm.objects.contacts.read and crm.objects.companies.read",
    ),
    Signal(
        "social",
        SOCIAL,
        "HubSpot's counts of clicks on our own posts (hs_social_…_clicks)",
        _BY_DEFINITIONS,
        _CONTACTS,
    ),
    Signal(
        "sales' touches",
        frozenset({"sales_contacts", "last_contacted_at", "last_activity_at"}),
        "HubSpot's sales properties of the contact (num_contacted_notes, notes_last_contacted and their like)",
        _BY_DEFINITIONS,
        _CONTACTS,
    ),
    Signal(
        "deals",
        frozenset(DEAL_FIELDS),
        "Salesforce's opportunities, by contact role, else by account; or fields of a CRM that count them",
        "any Salesforce with API access; beyond that not stated in the Salesforce reference",
        "not stated in the Salesforce reference; read access to Opportunity, OpportunityContactRole and Contact, or to"
        " these fields",
    ),
)


def signals_of(fields: frozenset[str]) -> list[Signal]:
    """The signals that these lead fields belong to, in the order of the catalogue."""
    return [signal for signal in SIGNALS if signal.fields & fields]
