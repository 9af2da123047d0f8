"""One disputed handover: what marketing saw, what sales did, and the rule to talk about, in numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import polars as pl

from mapping.qualification.declared import Policy
from mapping.qualification.explain import Explanation
from sync.reevaluate import reevaluate
from sync.work import Work

PolicyOf = Callable[[Mapping[str, Any]], Policy]


def plain(value: Any) -> Any:
    """A value for a document: times and days in ISO 8601."""
    return value.isoformat() if isinstance(value, date) else value


def disputed(
    work: Work,
    row: Mapping[str, Any],
    suspected: list[dict[str, str]],
    email: str | None,
    policy_of: PolicyOf | None,
) -> dict[str, Any]:
    """A row of the ledger with ``work_seconds`` and ``in_time`` beside its ``suspected`` flags, for a review."""
    before, then, policy = _explained(work, row, policy_of)
    points = [] if then is None else [dict(point) for point in then.points if point["points"]]
    marketing = ("mql_at", "score", "fit", "engagement", "temperature", "hot_since", "last_sign_at")
    sales = (
        "owner",
        "handed_over_at",
        "due_at",
        "first_touch_at",
        "touched_by",
        "state",
        "reason",
        "answered_at",
        "lost_on",
        "lost_reason",
    )
    return {
        "lead": row["lead_id"],
        "email": email,
        "cycle": row["cycle"],
        "flags": suspected,
        "marketing": {**{name: plain(row[name]) for name in marketing}, "points": points},
        "sales": {
            **{name: plain(row[name]) for name in sales},
            "work_seconds": row["work_seconds"],
            "in_time": row["in_time"],
        },
        "rule": _rule(row, suspected[0], before, points, policy),
        "policy": row["policy_version"],
    }


def _explained(
    work: Work, row: Mapping[str, Any], policy_of: PolicyOf | None
) -> tuple[Explanation | None, Explanation | None, Policy]:
    """The verdict before the handover, the one that made it, and the policy of the latter."""
    handed = row["handed_over_at"] or row["mql_at"]
    # A handover is kept to the second, a verdict to the microsecond.
    stored = work.store.leads.verdicts(row["lead_id"], handed + timedelta(seconds=1), 2)
    links = work.store.leads.links_of_leads(pl.Series("lead_id", [row["lead_id"]]))
    policies = [_policy(work, one["policy_version"], policy_of) for one in stored]
    told = [reevaluate(work, policy, one, links) for policy, one in zip(policies, stored, strict=True)]
    then = told[0] if told else None
    return (told[1] if len(told) > 1 else None), then, policies[0] if policies else work.policy


def _policy(work: Work, version: str, policy_of: PolicyOf | None) -> Policy:
    declared = (
        None if policy_of is None or version == work.policy.version else work.store.runs.policy(version)
    )
    return work.policy if declared is None or policy_of is None else policy_of(declared)


def _rule(
    row: Mapping[str, Any],
    suspicion: Mapping[str, str],
    before: Explanation | None,
    points: list[dict[str, Any]],
    policy: Policy,
) -> dict[str, Any]:
    """What to talk about: the rule that carried a lead over too early, or whatever kept it waiting."""
    hot = policy.bands[-1]
    if suspicion["flag"] == "too_early":
        if points:
            return _heaviest(points, policy)
        return {"kind": "temperature", "name": hot.name, "points": hot.total}
    waited = _days_hot(row)
    if suspicion["because"] == "lost_to_a_competitor" and row["in_time"] is False and not waited:
        return {**{"kind": "respond_within", "name": None, "points": None}, **_promise(row)}
    for gate in () if before is None else before.gates:
        if gate.stage == "mql" and gate.answer != "passed":
            told = {"kind": "gate", "name": gate.name, "points": None, "answer": gate.answer}
            return {**told, "days_hot": waited}
    score = None if before is None else before.verdict["score"]
    line = {"kind": "temperature", "name": hot.name, "points": hot.total}
    return {**line, "score_before": score, "days_hot": waited}


def _heaviest(points: Sequence[dict[str, Any]], policy: Policy) -> dict[str, Any]:
    """The engagement rule that gave most, and what the lead would have had without it."""
    engagement = {rule.name for rule in policy.rules if rule.group == "engagement"}
    warm = [point for point in points if point["rule"] in engagement] or points
    most = max(warm, key=lambda point: int(point["points"]))
    without = sum(int(point["points"]) for point in points) - int(most["points"])
    return {
        **{"kind": "rule", "name": most["rule"], "points": most["points"]},
        **{"score_without": without, "hot_from": policy.bands[-1].total},
    }


def _days_hot(row: Mapping[str, Any]) -> int | None:
    """Whole days for which the lead had been hot when it was handed over; None where that is not known."""
    since, handed = row["hot_since"], row["handed_over_at"]
    return None if since is None or handed is None else int((handed - since).days)


def _promise(row: Mapping[str, Any]) -> dict[str, Any]:
    """The working seconds that were promised until the first touch, and those that it took (None: no touch)."""
    return {"promised_seconds": row["promised_seconds"], "work_seconds": row["work_seconds"]}
