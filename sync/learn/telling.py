"""A proposal as a policy file: what was learned about each rule stands beside it, for people who do not program."""

from __future__ import annotations

import tomllib

from connectors.errors import OurBug
from mapping.qualification.backtest import Measured
from mapping.qualification.backtest_rates import Rate
from sync.learn.policyfile import policy_text
from sync.learn.proposal import Learned, Proposal


def text_of(found: Proposal) -> str:
    """The file. Only of a proposal with a policy; what is read back from it is that policy."""
    text = policy_text(found.table, _head(found), {rule.name: _about(rule) for rule in found.rules})
    if tomllib.loads(text) != found.table:
        raise OurBug("the proposed policy cannot be written down as it is", crm="", code="POLICY_FILE")
    return text


def _head(found: Proposal) -> list[str]:
    past = found.past
    until = "" if found.split_at is None else f", all from before {found.split_at:%Y-%m-%d}"
    lines = [
        "A policy proposed by `leadpact policy learn`. It is in force nowhere: read it, change what you know better,",
        "and see with `leadpact policy diff` whom it would move before you take it.",
        "",
        f"Learned from {past.leads} leads of the past, {past.outcomes} of which reached the outcome{until}.",
        "On the leads that were held out and not learned from:",
        f"  the policy by hand: {_said(found.by_hand)}",
    ]
    if found.learned is not None:
        lines.append(f"  this one:           {_said(found.learned)}")
    gap = found.difference
    if gap is not None and gap.low is not None and gap.high is not None and gap.low <= 0.0 <= gap.high:
        lines.append("The difference may be chance.")
    gone = [rule for rule in found.rules if not rule.points]
    if gone:
        lines += ["", "Rules that told nothing about who reached the outcome, and are left out:"]
        lines += [f"  {rule.name} ({rule.by_hand:+d} by hand): {_rates(rule)}" for rule in gone]
    return lines


def _said(part: Measured) -> str:
    area = (
        "-" if part.roc.area is None else f"{part.roc.area:.3f} ({part.roc.low:.3f} to {part.roc.high:.3f})"
    )
    top = part.deciles[0].lift if part.deciles else None
    lift = (
        ""
        if top is None or top.lift is None
        else f", lift of the best tenth {top.lift:.2f} ({top.low:.2f} to {top.high:.2f})"
    )
    return f"ROC AUC {area}{lift}"


def _about(rule: Learned) -> list[str]:
    if rule.kept:
        return [
            f"Kept as it was: {rule.met.leads} leads of the past met it, too few or too many to learn from."
        ]
    lines = [f"By hand {rule.by_hand:+d} points. {_rates(rule)}"]
    if rule.half_life != rule.half_life_by_hand:
        lines.append(f"By hand it halved every {rule.half_life_by_hand} days.")
    return lines


def _rates(rule: Learned) -> str:
    with_it, without = _share(rule.met), _share(rule.unmet)
    return f"Of {rule.met.leads} leads that met it {with_it} reached the outcome, of the others {without}."


def _share(rate: Rate) -> str:
    return "none" if rate.rate is None else f"{rate.rate * 100:.1f} %"
