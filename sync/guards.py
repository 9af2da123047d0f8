"""What stops a run before its first write: a missing approval, and more changes than the config allows."""

from __future__ import annotations

from collections.abc import Mapping

from sync.errors import GuardStopped
from sync.work import Work


def stop_if_too_much(work: Work, totals: Mapping[str, int], leads: int, *, approve: bool) -> None:
    """Raise GuardStopped when a run would do more than it may.

    ``totals``: creates, updates, stage_moves and leads_touched. ``leads``: how many the run looked at.
    """
    guards = work.guards
    if totals["leads_touched"] and work.store.runs.approved_at is None and not approve:
        raise GuardStopped(
            f"the first writing run needs your approval: it would change {totals['leads_touched']} leads"
            f" (creates: {totals['creates']}, stage moves: {totals['stage_moves']}). Nothing was written",
            fix="look at `leadpact plan`, then `leadpact apply` the saved plan, or run `leadpact sync --approve`",
        )
    share = totals["leads_touched"] / max(leads, 1)
    if share > guards.max_share_of_leads:
        # Only now: counting takes longer the more leads are stored, and a run looks at some of them only.
        share = totals["leads_touched"] / max(leads, work.store.leads.count(), 1)
    caps = (
        ("creates", totals["creates"], guards.max_creates, "guards.max_creates"),
        ("updates", totals["updates"], guards.max_updates, "guards.max_updates"),
        ("stage moves", totals["stage_moves"], guards.max_stage_moves, "guards.max_stage_moves"),
        ("the share of leads touched", share, guards.max_share_of_leads, "guards.max_share_of_leads"),
    )
    for what, wanted, cap, setting in caps:
        if wanted > cap:
            raise GuardStopped(
                f"{what}: the run would come to {wanted:g}, and {setting} allows {cap:g}. Nothing was written",
                fix=f"look at `leadpact plan`; if it is right, raise {setting} in the config",
            )
