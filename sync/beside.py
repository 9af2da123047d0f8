"""Who else writes what Leadpact writes: what can be seen of it, and a checklist for a person where nothing can.

    lifecycle_writer(work)              who else seems to write lifecycle stages; empty where nobody does
    without_lifecycle(work, changes)    … and while somebody does, Leadpact writes none

HubSpot's own Salesforce sync leaves properties on the contact, and moves lifecycle stages by rules of its own. A
workflow or a flow leaves nothing that could be seen beforehand; it shows when it sets a value back (``sync.loops``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import polars as pl

from sync.plan import STAGE
from sync.work import Work
from sync.wrongconfig import Problem

#: What HubSpot's own Salesforce sync keeps on a contact; it is there once that sync was installed.
OF_HUBSPOTS_OWN_SYNC = ("salesforcelastsynctime", "salesforceleadid", "salesforcecontactid")
SETTING = "sync.lifecycle_alone"
#: What a person looks at, because no API shows it.
CHECKLIST = (
    "HubSpot, Settings > Integrations > Salesforce: paused, or its inclusion list empty and its lifecycle stage off",
    "HubSpot, Settings > Objects > Contacts > Lifecycle stage: automatic changes by deals and companies switched off",
    "HubSpot, Automation > Workflows: none sets the lifecycle stage or a property whose name begins with leadpact_",
    "Salesforce, Setup > Flows, Process Builder, Apex triggers: none writes a field of Leadpact's",
    "other connectors with access to both (Zapier, Make, an ETL): none writes lifecycle stages",
)


def lifecycle_writer(work: Work) -> str:
    """Who else seems to write HubSpot's lifecycle stage; empty where nobody does, or a person said so."""
    if work.lifecycle_alone:
        return ""
    known = work.crms["hubspot"].describe(work.objects["hubspot"]).fields
    seen = [name for name in OF_HUBSPOTS_OWN_SYNC if name in known]
    return f"HubSpot's own Salesforce sync ({', '.join(seen)} on contacts)" if seen else ""


def without_lifecycle(work: Work, changes: pl.DataFrame) -> pl.DataFrame:
    """A plan's changes, without lifecycle stages while somebody else writes them."""
    stages = (pl.col("field") == STAGE) & (pl.col("crm") == "hubspot")
    if work.mode != "full" or changes.filter(stages).is_empty() or not lifecycle_writer(work):
        return changes
    return changes.filter(~stages)


def beside_news(work: Work) -> str:
    """What a run says about it, in a sentence; empty where there is nothing to say."""
    writer = lifecycle_writer(work) if work.mode == "full" else ""
    if not writer:
        return ""
    return (
        f"lifecycle stages were not written: {writer} may write them too; `leadpact check` has the checklist"
    )


def problems_beside(work: Work, where: Callable[[str], str]) -> Iterator[Problem]:
    """For ``check``: who else writes, and the checklist until a person has confirmed it."""
    if work.mode != "full" or work.lifecycle_alone:
        return
    writer = lifecycle_writer(work)
    listed = "; ".join(CHECKLIST)
    yield Problem(
        where=where(SETTING),
        severity="warning" if writer else "note",
        problem=(
            f"{writer} is there: Leadpact writes no lifecycle stages beside it"
            if writer
            else "no API shows every workflow and flow that may write lifecycle stages or Leadpact's fields"
        ),
        fix=f"go through this list, then set {SETTING} = true: {listed}",
    )
