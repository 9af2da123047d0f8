"""What ``check`` says where the handover lacks a field that the config counts on."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator

from connectors.salesforce.deals import TYPES_OF_WORDS
from mapping.own import HANDED_BY
from sync.deals import CRM, DEAL, can_see_deals, loss_reason_of
from sync.handover_explore import unmarked
from sync.plan import NAMES
from sync.work import Work
from sync.wrongconfig import Problem


def of_losses(work: Work, where: Callable[[str], str]) -> Iterator[Problem]:
    """What keeps ``handover.loss_reason`` from telling why a deal was lost.

    A warning where its field is not there or not visible, an error where it is one that holds no words.
    """
    name = loss_reason_of(work)
    if not name:
        return
    fields = work.crms[CRM].describe(DEAL).fields if can_see_deals(work) else {}
    if name in fields and fields[name].type in TYPES_OF_WORDS:
        return
    if name in fields:
        yield Problem(
            where=where("handover.loss_reason"),
            severity="error",
            problem=f"{name} of {DEAL} holds no words ({fields[name].type}): it cannot say why a lead was lost",
            fix="name a text or picklist field; until then no reason is read",
        )
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


def of_marks(work: Work, where: Callable[[str], str]) -> Iterator[Problem]:
    """An error where leads are to be handed over by chance and a CRM could not say so."""
    if work.handover is None or not work.handover.exploring.share:
        return
    for crm in unmarked(work):
        yield Problem(
            where=where("handover.explore_share"),
            severity="error",
            problem=f"{NAMES[crm]} has no field {HANDED_BY.name_in(crm)} that we may write: nobody is drawn to explore",
            fix="`leadpact setup --apply` creates the field; the integration user needs the right to edit it",
        )
