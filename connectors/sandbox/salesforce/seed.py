"""A new org: its organisation, users, queue and lead statuses, always with the same ids."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.salesforce import ids
from connectors.sandbox.salesforce.store import Store

INSTANCE_URL = "https://leadpact-sandbox.my.salesforce.com"
ORG_ID = ids.mint("00D", 1)
INTEGRATION_USER = ids.mint("005", 1)
FIRST_SELLER = ids.mint("005", 2)
QUEUE = ids.mint("00G", 1)
PROFILE = ids.mint("00e", 1)
# First name, last name, user name, alias, title, whether active, kind of user
USERS = (
    ("Leadpact", "Integration", "integration@leadpact-sandbox.example", "leadpact", None, True),
    ("Sana", "Okafor", "sana.okafor@leadpact-sandbox.example", "sokaf", "Account Executive", True),
    ("Mateo", "Lindqvist", "mateo.lindqvist@leadpact-sandbox.example", "mlind", "Account Executive", True),
    ("Ines", "Takahashi", "ines.takahashi@leadpact-sandbox.example", "itaka", "Head of Sales", True),
    ("Piotr", "Former", "piotr.former@leadpact-sandbox.example", "pform", "Account Executive", False),
)
# Out of the box (Salesforce reference, section 6)
STATUSES = (
    ("Open - Not Contacted", True, False),
    ("Working - Contacted", False, False),
    ("Closed - Converted", False, True),
    ("Closed - Not Converted", False, False),
)


def make_org(store: Store, stamp: str) -> None:
    """Fill an empty file with the rows that every org starts with."""
    by: dict[str, Any] = {
        "CreatedDate": stamp,
        "CreatedById": INTEGRATION_USER,
        "LastModifiedDate": stamp,
        "LastModifiedById": INTEGRATION_USER,
        "SystemModstamp": stamp,
    }
    store.insert("Organization", {"Id": store.mint("00D"), **_organization(), **by})
    for first, last, username, alias, title, active in USERS:
        store.insert(
            "User", {"Id": store.mint("005"), **_user(first, last, username, alias, title, active), **by}
        )
    queue = {"Name": "New Leads", "DeveloperName": "New_Leads", "Type": "Queue", "OwnerId": INTEGRATION_USER}
    store.insert("Group", {"Id": store.mint("00G"), **queue, "DoesSendEmailToMembers": 0, **by})
    for order, (name, default, converted) in enumerate(STATUSES, 1):
        columns = {"MasterLabel": name, "ApiName": name, "SortOrder": order}
        flags = {"IsDefault": int(default), "IsConverted": int(converted)}
        store.insert("LeadStatus", {"Id": store.mint("01J"), **columns, **flags, **by})


def _organization() -> dict[str, Any]:
    return {
        "Name": "Leadpact Sandbox",
        "Country": "US",
        "DefaultLocaleSidKey": "en_US",
        "LanguageLocaleKey": "en_US",
        "TimeZoneSidKey": "GMT",
        "FiscalYearStartMonth": 1,
        "OrganizationType": "Enterprise Edition",
        "InstanceName": "LEAD1",
        "IsSandbox": 0,
    }


def _user(
    first: str, last: str, username: str, alias: str, title: str | None, active: bool
) -> dict[str, Any]:
    return {
        "Username": username,
        "FirstName": first,
        "LastName": last,
        "Name": f"{first} {last}",
        "Email": username,
        "Alias": alias,
        "CommunityNickname": alias,
        "Title": title,
        "IsActive": int(active),
        "TimeZoneSidKey": "GMT",
        "LocaleSidKey": "en_US",
        "LanguageLocaleKey": "en_US",
        "EmailEncodingKey": "UTF-8",
        "ProfileId": PROFILE,
        "UserType": "Standard",
    }
