"""The command policy learn: points and half-lives proposed from the past, as a policy file beside the hand-made one."""

from __future__ import annotations

import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mapping.qualification.backtest import Measured
from sync.backtest_sources import policy_and_past
from sync.cli_backtest import asked_of, show_measured, source_options
from sync.cli_context import Context
from sync.errors import WrongUse
from sync.screen import Screen

if TYPE_CHECKING:
    from sync.learn.proposal import Proposal


@click.command("learn")
@source_options
@click.option("--out", type=click.Path(path_type=Path), help="Write the proposed policy here, as a new file.")
@click.pass_obj
def learn_policy(context: Context, /, out: Path | None, **given: Any) -> None:
    """Points and half-lives that the past suggests, measured beside the hand-made policy on leads that were held out.

    Needs the extra `learn`. The policy in force is never changed; with too few conversions nothing is written.
    """
    test_share = given.pop("test_share")
    asked = asked_of(given)
    if out is not None and out.exists():
        raise WrongUse(f"{out} is there already", fix="a proposal is a new file: choose another name")
    if out is not None and not out.absolute().parent.is_dir():
        raise WrongUse(f"there is no folder {out.parent}", fix="make it first, or name another file")
    propose, text_of = _learner()
    policy, past = policy_and_past(asked, context.config, os.environ)
    found = propose(past.cases, policy, test_share=test_share, horizon_days=past.horizon_days)
    if found.policy is not None and out is not None:
        out.write_text(text_of(found), encoding="utf-8")
    _show(context.screen, found, out, past.warnings)
    context.screen.document(_as_json(found, out, past.warnings))
    sys.exit(0 if found.policy is not None else 1)


def _learner() -> tuple[Any, Any]:
    """What needs scikit-learn. Raises WrongUse where it is not installed."""
    try:
        from sync.learn.proposal import propose
        from sync.learn.telling import text_of
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] != "sklearn":
            raise
        raise WrongUse(
            "policy learn needs scikit-learn, which is not installed", fix="pip install 'leadpact[learn]'"
        ) from missing
    return propose, text_of


def _show(screen: Screen, found: Proposal, out: Path | None, warnings: list[str]) -> None:
    past = found.past
    if found.split == "random":
        screen.say("note: there are no times: the held-out part was drawn at random")
    screen.say(f"learned from {past.leads} leads of the past, {past.outcomes} of which reached the outcome")
    for text in warnings:
        screen.say(f"note: {text}")
    if found.policy is None or found.learned is None:
        screen.say(f"{found.why}. Nothing was written")
        return
    screen.table(
        ("rule", "points by hand", "learned", "half-life by hand", "learned"),
        [(one.name, one.by_hand, one.points, one.half_life_by_hand, one.half_life) for one in found.rules],
    )
    for name, part in (("by hand", found.by_hand), ("learned", found.learned)):
        screen.say(f"{name}, on the leads that were held out:")
        show_measured(screen, part)
    screen.say(compared(found))
    screen.say("nothing was written; --out FILE writes the proposal" if out is None else f"written to {out}")


def compared(found: Proposal) -> str:
    """Which of the two is better, and whether that may be chance."""
    gap = found.difference
    if gap is None or gap.area is None or gap.low is None or gap.high is None:
        return "the two cannot be compared"
    sure = "the difference may be chance" if gap.low <= 0.0 <= gap.high else "more than chance explains"
    return f"ROC AUC of the learned policy: {gap.area:+.3f} ({gap.low:+.3f} to {gap.high:+.3f}), {sure}"


def _as_json(found: Proposal, out: Path | None, warnings: list[str]) -> dict[str, Any]:
    def one(part: Measured | None) -> dict[str, Any] | None:
        return None if part is None else part.as_json()

    gap = found.difference
    return {
        "leads": found.past.leads + found.by_hand.rate.leads,
        "outcomes": found.past.outcomes + found.by_hand.rate.outcomes,
        "train": {"leads": found.past.leads, "outcomes": found.past.outcomes, "left_out": found.left_out},
        "test": {"by_hand": one(found.by_hand), "learned": one(found.learned)},
        "roc_auc_difference": None if gap is None else {"value": gap.area, "low": gap.low, "high": gap.high},
        "rules": [
            {
                "rule": rule.name,
                "points": rule.by_hand,
                "learned": rule.points,
                "half_life_days": _number(rule.half_life_by_hand),
                "learned_half_life_days": _number(rule.half_life),
                "kept": rule.kept,
            }
            for rule in found.rules
        ],
        "split": found.split,
        "split_at": None if found.split_at is None else found.split_at.isoformat(),
        "out": None if out is None or found.policy is None else str(out),
        "why": found.why or None,
        "warnings": warnings,
    }


def _number(days: Decimal | None) -> float | None:
    return None if days is None else float(days)
