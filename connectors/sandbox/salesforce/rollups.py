"""Numbers on a campaign that Salesforce counts: its members, and its opportunities.

Counting does not move the campaign's SystemModstamp (Salesforce reference, section 12, no. 19). What has to be
counted again is noted with each write and counted before the next call, so that a load stays cheap.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.sandbox.salesforce.store import Store

COUNTED = frozenset({"CampaignMember", "Opportunity"})
COUNT = """
UPDATE Campaign SET
  NumberOfLeads = (SELECT count(*) FROM CampaignMember m
    WHERE m.CampaignId = Campaign.Id AND m.IsDeleted = 0 AND m.LeadId IS NOT NULL),
  NumberOfConvertedLeads = (SELECT count(*) FROM CampaignMember m JOIN Lead l ON l.Id = m.LeadId
    WHERE m.CampaignId = Campaign.Id AND m.IsDeleted = 0 AND l.IsConverted = 1),
  NumberOfContacts = (SELECT count(*) FROM CampaignMember m
    WHERE m.CampaignId = Campaign.Id AND m.IsDeleted = 0 AND m.ContactId IS NOT NULL),
  NumberOfResponses = (SELECT count(*) FROM CampaignMember m
    WHERE m.CampaignId = Campaign.Id AND m.IsDeleted = 0 AND m.HasResponded = 1),
  (NumberOfOpportunities, NumberOfWonOpportunities, AmountAllOpportunities, AmountWonOpportunities) =
    (SELECT count(*), ifnull(sum(o.IsWon), 0), ifnull(sum(o.Amount), 0), ifnull(sum(o.Amount * o.IsWon), 0)
     FROM Opportunity o WHERE o.CampaignId = Campaign.Id AND o.IsDeleted = 0)
WHERE Id IN (SELECT campaign FROM _uncounted)
"""


def note(store: Store, table: str, record_id: str, columns: Mapping[str, Any]) -> None:
    """Note that the campaign of a record of a counted object has to be counted again, and the one it left."""
    store.db.execute(
        f"INSERT OR IGNORE INTO _uncounted SELECT CampaignId FROM {table} WHERE Id = ? AND CampaignId IS NOT NULL",
        (record_id,),
    )
    if columns.get("CampaignId") is not None:
        store.db.execute("INSERT OR IGNORE INTO _uncounted VALUES (?)", (columns["CampaignId"],))


def note_all(store: Store, table: str) -> None:
    """Note every campaign, after a load."""
    if table in COUNTED:
        store.db.execute("INSERT OR IGNORE INTO _uncounted SELECT Id FROM Campaign")


def count(store: Store) -> None:
    """Count what has been noted."""
    if store.db.execute("SELECT 1 FROM _uncounted LIMIT 1").fetchone() is not None:
        store.db.execute(COUNT)
        store.db.execute("DELETE FROM _uncounted")
