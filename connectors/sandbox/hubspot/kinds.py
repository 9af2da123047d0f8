"""The object types of the account and the names each goes by in a path."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.sandbox.hubspot.errors import unknown_type


@dataclass(frozen=True, slots=True)
class Kind:
    """One object type. ``key`` is its type id and the name it is stored under."""

    key: str
    plural: str
    singular: str
    modified: str  #: the property that moves with every change (HubSpot reference, section 4.4)
    defaults: tuple[str, ...]  #: what is answered when no property is asked for
    one_of: tuple[str, ...]  #: at least one of these is needed to create a record
    searched: tuple[str, ...]  #: what free text in ``query`` looks at
    pipeline: str = ""
    created: str = "createdate"  #: the property that tells when a record was made
    scopes_of: str = ""  #: the object whose scopes it goes by, where that is not itself

    @property
    def stamps(self) -> tuple[str, str, str]:
        """The three properties that every answer carries."""
        return (self.created, "hs_object_id", self.modified)

    @property
    def scoped_as(self) -> str:
        """The word for the object in the names of scopes."""
        return self.scopes_of or self.plural


CONTACTS = Kind(
    key="0-1",
    plural="contacts",
    singular="CONTACT",
    modified="lastmodifieddate",
    defaults=("createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"),
    one_of=("email", "firstname", "lastname"),
    searched=(
        "firstname",
        "lastname",
        "email",
        "phone",
        "hs_additional_emails",
        "fax",
        "mobilephone",
        "company",
        "hs_marketable_until_renewal",
        "hs_searchable_calculated_phone_number",
        "hs_searchable_calculated_mobile_number",
    ),
    pipeline="contacts-lifecycle-pipeline",
)
COMPANIES = Kind(
    key="0-2",
    plural="companies",
    singular="COMPANY",
    modified="hs_lastmodifieddate",
    defaults=("createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name"),
    one_of=("name", "domain"),
    searched=("website", "phone", "name", "domain"),
    pipeline="companies-lifecycle-pipeline",
)
LEADS = Kind(
    key="0-136",
    plural="leads",
    singular="LEAD",
    modified="hs_lastmodifieddate",
    defaults=("hs_createdate", "hs_lastmodifieddate", "hs_lead_name", "hs_object_id"),
    one_of=("hs_lead_name",),
    searched=("hs_lead_name",),
    pipeline="lead-pipeline-id",
    created="hs_createdate",
)


def _activity(key: str, plural: str, singular: str, *searched: str) -> Kind:
    """One kind of activity. Type ids and scopes are not in the reference; the ids are those of live accounts as
    far as we know, and the scopes those of the contacts that activities hang on."""
    return Kind(
        key=key,
        plural=plural,
        singular=singular,
        modified="hs_lastmodifieddate",
        defaults=("hs_createdate", "hs_lastmodifieddate", "hs_object_id"),
        one_of=("hs_timestamp",),
        searched=searched,
        created="hs_createdate",
        scopes_of="contacts",
    )


CALLS = _activity("0-48", "calls", "CALL", "hs_call_title")
EMAILS = _activity("0-49", "emails", "EMAIL", "hs_email_subject")
MEETINGS = _activity("0-47", "meetings", "MEETING", "hs_meeting_title")
NOTES = _activity("0-46", "notes", "NOTE", "hs_note_body")
TASKS = _activity("0-27", "tasks", "TASK", "hs_task_subject")
COMMUNICATIONS = _activity("0-18", "communications", "COMMUNICATION", "hs_communication_body")
ACTIVITIES = (CALLS, EMAILS, MEETINGS, NOTES, TASKS, COMMUNICATIONS)
KINDS = (CONTACTS, COMPANIES, LEADS, *ACTIVITIES)


def kind_named(name: str) -> Kind:
    """The object type a path means: plural, singular or type id, in any case (recorded: ``CONTACT``).

    Raises Refused (400) for a name that is no object type.
    """
    found = find_kind(name)
    if found is None:
        raise unknown_type(name)
    return found


def find_kind(name: str) -> Kind | None:
    """The object type, or None."""
    folded = name.lower()
    return next((k for k in KINDS if folded in (k.key, k.plural, k.singular.lower())), None)
