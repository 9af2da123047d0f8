"""A new org: its organisation, users, queue and lead statuses, always with the same ids."""

from __future__ import annotations

from typing import Any

from connectors.sandbox.salesforce import ids
from connectors.sandbox.salesforce.derived import STAGES
from connectors.sandbox.salesforce.store import Store

INSTANCE_URL = "https://leadpact-sandbox.my.salesforce.com"
ORG_ID = ids.mint("00D", 1)
INTEGRATION_USER = ids.mint("005", 1)
# Of the integration user, for SOAP login(); fixed on purpose: they open a pretend CRM on loopback only.
PASSWORD = "leadpact-sandbox-password"
SECURITY_TOKEN = "leadpactSandboxToken"
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


def by(stamp: str) -> dict[str, Any]:
    """Who made a row of the org's own, and when."""
    return {
        "CreatedDate": stamp,
        "CreatedById": INTEGRATION_USER,
        "LastModifiedDate": stamp,
        "LastModifiedById": INTEGRATION_USER,
        "SystemModstamp": stamp,
    }


def make_org(store: Store, stamp: str) -> None:
    """Fill an empty file with the rows that every org starts with."""
    made = by(stamp)
    store.insert("Organization", {"Id": store.mint("00D"), **_organization(), **made})
    for first, last, username, alias, title, active in USERS:
        store.insert(
            "User", {"Id": store.mint("005"), **_user(first, last, username, alias, title, active), **made}
        )
    queue = {"Name": "New Leads", "DeveloperName": "New_Leads", "Type": "Queue", "OwnerId": INTEGRATION_USER}
    store.insert("Group", {"Id": store.mint("00G"), **queue, "DoesSendEmailToMembers": 0, **made})
    for order, (name, default, converted) in enumerate(STATUSES, 1):
        columns = {"MasterLabel": name, "ApiName": name, "SortOrder": order}
        flags = {"IsDefault": int(default), "IsConverted": int(converted)}
        store.insert("LeadStatus", {"Id": store.mint("01J"), **columns, **flags, **made})


def add_what_is_new(store: Store, stamp: str) -> None:
    """Rows of objects that an older file did not have: stages, the queue's people and objects, the rule."""
    made = by(stamp)
    if not store.rows("SELECT 1 FROM OpportunityStage LIMIT 1"):
        for order, (name, facts) in enumerate(STAGES.items(), 1):
            store.insert("OpportunityStage", {"Id": store.mint("01J"), **_stage(name, order, facts), **made})
    if not store.rows("SELECT 1 FROM GroupMember LIMIT 1") and not store.rows(
        "SELECT 1 FROM QueueSobject LIMIT 1"
    ):
        for user in (FIRST_SELLER, ids.mint("005", 3)):
            member = {"GroupId": QUEUE, "UserOrGroupId": user, "SystemModstamp": stamp}
            store.insert("GroupMember", {"Id": store.mint("011"), **member})
        served = {"QueueId": QUEUE, "SobjectType": "Lead", "CreatedById": INTEGRATION_USER}
        store.insert("QueueSobject", {"Id": store.mint("03g"), **served, "SystemModstamp": stamp})
    if not store.rows("SELECT 1 FROM AssignmentRule LIMIT 1"):
        rule = {"Name": "Standard", "SobjectType": "Lead", "Active": 0}
        store.insert("AssignmentRule", {"Id": store.mint("01Q"), **rule, **made})


def _stage(name: str, order: int, facts: tuple[int, str, str, bool, bool]) -> dict[str, Any]:
    probability, category, label, closed, won = facts
    return {
        "MasterLabel": name,
        "ApiName": name,
        "IsActive": 1,
        "SortOrder": order,
        "IsClosed": int(closed),
        "IsWon": int(won),
        "ForecastCategory": category,
        "ForecastCategoryName": label,
        "DefaultProbability": probability,
    }


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
