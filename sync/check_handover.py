"""What ``check`` says where the config names a field of opportunities that is not there."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator

from sync.deals import CRM, DEAL, can_see_deals, loss_reason_of
from sync.work import Work
from sync.wrongconfig import Problem


def of_losses(work: Work, where: Callable[[str], str]) -> Iterator[Problem]:
    """A warning where nobody can tell why a deal was lost, although ``handover.loss_reason`` asks for it."""
    name = loss_reason_of(work)
    if not name:
        return
    fields = work.crms[CRM].describe(DEAL).fields if can_see_deals(work) else {}
    if name in fields:
        return
    near = difflib.get_close_matches(name, fields, n=1)
    yield Problem(
        where=where("handover.loss_reason"),
        severity="warning",
        problem=f"Salesforce shows us no field {name} of {DEAL}: that a lead was lost to a competitor is not seen",
        fix=f"did you mean {near[0]}?"
        if near
        else f"give the integration user read access to {DEAL} and the field",
    )
