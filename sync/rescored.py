"""A rescore whole: what time alone changed, and then an owner for whoever it handed over to nobody.

Who has a lead is not ours alone: a person may have taken it since both sides agreed last. So the owner is not given
from stored values. The few leads that wait for one are read in both CRMs, as a sync would read them at its next run,
and given away by the same steps.
"""

from __future__ import annotations

from dataclasses import dataclass

from connectors.errors import ConnectorError
from sync.errors import Stopped
from sync.routing import without_owner
from sync.run import Asked, perform
from sync.tally import Outcome
from sync.work import CRMS, Work


@dataclass(frozen=True, slots=True)
class Rescored:
    """What came of a rescore.

    ``owners``: the run that gave its leads an owner, None where nobody waits for one or it was stopped. ``stopped``:
    what stopped it; the next sync does what it could not.
    """

    judged: Outcome
    owners: Outcome | None = None
    stopped: ConnectorError | Stopped | None = None

    @property
    def is_whole(self) -> bool:
        """Whether nobody was left waiting for an owner by the second run."""
        return self.stopped is None and not (self.owners is not None and self.owners.busy)


def rescore(work: Work, *, collect: bool = False) -> Rescored:
    """The rescore, and the run that gives its leads an owner.

    Raises what ``perform`` raises for the first. What stops the second is told: what the first wrote stands.
    """
    judged = perform(work, Asked("rescore", from_memory=True, collect=collect))
    try:
        return Rescored(judged, _give_owners(work, collect=collect))
    except (ConnectorError, Stopped) as error:
        return Rescored(judged, stopped=error)


def _give_owners(work: Work, *, collect: bool) -> Outcome | None:
    waiting = without_owner(work, work.clock())
    if waiting.is_empty():
        return None
    links = work.store.leads.links_of_leads(waiting)
    names = {crm: links.filter(links["crm"] == crm)["record_id"].to_list() for crm in CRMS}
    return perform(work, Asked("sync", names=names, waiting=False, collect=collect))
