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
    pipeline: str

    @property
    def stamps(self) -> tuple[str, str, str]:
        """The three properties that every answer carries."""
        return ("createdate", "hs_object_id", self.modified)


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
KINDS = (CONTACTS, COMPANIES)


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
