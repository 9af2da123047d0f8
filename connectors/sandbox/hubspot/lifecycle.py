"""Lifecycle stages: their order, forward only, and the dates they leave behind.

HubSpot reference, section 7.
"""

from __future__ import annotations

from typing import Any

from connectors.sandbox.hubspot.kinds import Kind
from connectors.sandbox.hubspot.moments import kept

STAGES = (
    ("subscriber", "Subscriber"),
    ("lead", "Lead"),
    ("marketingqualifiedlead", "Marketing Qualified Lead"),
    ("salesqualifiedlead", "Sales Qualified Lead"),
    ("opportunity", "Opportunity"),
    ("customer", "Customer"),
    ("evangelist", "Evangelist"),
    ("other", "Other"),
)
STAGE = "lifecyclestage"
_BUILT_IN = "1970-01-01T00:00:00Z"


def stage_properties(stage: str) -> tuple[str, str, str]:
    """The dates of one stage: became, entered, exited."""
    return (
        f"hs_lifecyclestage_{stage}_date",
        f"hs_v2_date_entered_{stage}",
        f"hs_v2_date_exited_{stage}",
    )


def is_backward(order: tuple[str, ...], now: str | None, wanted: str) -> bool:
    """Whether a write would move a record back; an unknown or empty stage has no order."""
    if not now or not wanted or now not in order or wanted not in order:
        return False
    return order.index(wanted) < order.index(now)


def dates_of_move(before: str | None, after: str | None, at: int) -> dict[str, str]:
    """The date properties that a move from ``before`` to ``after`` sets."""
    moved: dict[str, str] = {}
    if before == after:
        return moved
    if before:
        moved[stage_properties(before)[2]] = kept(at)
    if after:
        became, entered, _ = stage_properties(after)
        moved[became] = moved[entered] = kept(at)
    return moved


def pipelines(kind: Kind, stages: tuple[tuple[str, str], ...]) -> list[dict[str, Any]]:
    """The lifecycle pipeline as the pipelines API writes it; its stage ids are the stage values."""
    rows = [
        {
            "label": label,
            "displayOrder": place,
            "metadata": {"isClosed": "false", "state": "NOT_STARTED" if place == 0 else "IN_PROGRESS"},
            "id": stage,
            "createdAt": _BUILT_IN,
            "updatedAt": _BUILT_IN,
            "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
            "archived": False,
        }
        for place, (stage, label) in enumerate(stages)
    ]
    pipeline = {"label": "Lifecycle Stage Pipeline", "displayOrder": 0, "id": kind.pipeline, "stages": rows}
    return [{**pipeline, "createdAt": _BUILT_IN, "updatedAt": _BUILT_IN, "archived": False}]
