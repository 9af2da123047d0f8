"""What ``check`` says about the bands of the policy in both CRMs: other labels, and options that are no band."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from sync.plan import NAMES
from sync.setup import needed_fields
from sync.setup_options import labels_told, twins_told, unknown_told
from sync.work import Work
from sync.wrongconfig import Problem


def of_options(work: Work, where: Callable[[str], str]) -> Iterator[Problem]:
    """Bands that people read under another name than the policy gives them, and those that the policy gave up.

    One that it gave up and whose label another band has now is told apart by its value, in brackets.

    A band that a CRM lacks is an error of its own (``sync.check``): a write of it would be refused.
    """
    needed = needed_fields(work)
    for one in labels_told(needed):
        yield Problem(
            where=where(f"policy.labels.{one['option']}"),
            severity="warning",
            problem=f"{NAMES[one['crm']]}'s {one['field']} calls {one['option']} “{one['label']}”,"
            f" the policy “{one['wanted']}”",
            fix="`leadpact setup --apply` relabels it; the values that records hold stay",
        )
    for one in twins_told(needed):
        yield Problem(
            where=f"{NAMES[one['crm']]} {one['object']}",
            severity="warning",
            problem=f"{one['field']} calls {one['option']}, which is no band of the policy, “{one['label']}”, as a"
            " band is called: nobody can tell the two apart",
            fix=f"`leadpact setup --apply` relabels it “{one['wanted']}”; the values that records hold stay",
        )
    judged = work.store.standing.temperatures()
    unknown = unknown_told(needed, judged)
    for gone in unknown:
        yield Problem(
            where=f"{NAMES[str(gone['crm'])]} {gone['object']}",
            severity="warning" if gone["leads"] else "note",
            problem=f"{gone['field']} has the option {gone['option']} ({gone['label']}), which is no band of the"
            f" policy; {gone['leads']} leads were last judged so",
            fix="`leadpact rescore` judges them by the policy of now; then take the option out by hand"
            if gone["leads"]
            else "take it out by hand once no record shows it; Leadpact never takes an option away",
        )
    there = {*work.policy.temperatures, *(str(gone["option"]) for gone in unknown)}
    for temperature, leads in judged.items():
        if temperature not in there:
            yield Problem(
                where=where("policy.temperature"),
                severity="warning",
                problem=f"{leads} leads were last judged {temperature}, which is no band of the policy",
                fix="`leadpact rescore` judges them by the policy of now",
            )
