"""A rescore whole: what time alone changed, and then an owner for whoever it handed over to nobody.

Who has a lead is not ours alone: a person may have taken it since both sides agreed last. So the owner is not given
from stored values. The few leads that wait for one are read in both CRMs, as a sync would read them at its next run,
and given away by the same steps.
"""

from __future__ import annotations

from sync.routing import without_owner
from sync.run import Asked, perform
from sync.tally import Outcome
from sync.work import CRMS, Work


def rescore(work: Work, *, collect: bool = False) -> tuple[Outcome, Outcome | None]:
    """The rescore, and the run that gave its leads an owner; None where nobody waits for one.

    Raises what ``perform`` raises. What the second run could not do, the next sync does.
    """
    judged = perform(work, Asked("rescore", from_memory=True, collect=collect))
    waiting = without_owner(work, work.clock())
    if waiting.is_empty():
        return judged, None
    links = work.store.leads.links_of_leads(waiting)
    names = {crm: links.filter(links["crm"] == crm)["record_id"].to_list() for crm in CRMS}
    return judged, perform(work, Asked("sync", names=names, waiting=False, collect=collect))
