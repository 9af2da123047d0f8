"""The handover from marketing to sales, told: its times and answers, and, where asked for, the disputed leads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from mapping.own import HANDOVER_LABELS
from sync.reports.document import Cell, Column, Section, Table
from sync.reports.funnel import Rate
from sync.reports.voice import Voice

#: The rates of ``handover_told.timing``, in the order in which they are read.
RATES = (
    *("met", "breached", "accepted", "rejected", "recycled", "withdrawn", "reassigned", "waiting"),
    *("too_early", "too_late"),
)
#: A reason that was given once may tell about one person; it is counted, and not shown.
OFTEN = 2


def handover_section(numbers: Mapping[str, Any] | None, voice: Voice) -> Section:
    """``numbers``: those of ``handover_told.timing``; None where no ledger is kept."""
    title = voice.say("handover.title")
    if numbers is None:
        return Section("handover", title, voice.say("handover.unkept"))
    if not numbers["handed_over"]:
        none = voice.say("handover.none", qualified=voice.count(numbers["qualified"]))
        return Section("handover", title, none, notes=tuple(_explored(numbers, voice)))
    columns = (
        Column("what", voice.say("col.what")),
        Column("rate", voice.say("col.share"), "rate"),
        Column("of_what", voice.say("col.of_what")),
    )
    rows: list[tuple[Cell, ...]] = [
        (voice.say(f"handover.{name}"), _rate(numbers[name]), voice.say(_of(name))) for name in RATES
    ]
    tables = [Table("handover", columns, tuple(rows)), *_reasons(numbers["rejected_by_reason"], voice)]
    notes = [voice.say("handover.note")]
    if numbers["qualified"]:
        notes.append(voice.say("handover.qualified", n=voice.count(numbers["qualified"])))
    notes += _explored(numbers, voice)
    return Section("handover", title, _sentence(numbers, voice), tuple(tables), tuple(notes))


def _explored(numbers: Mapping[str, Any], voice: Voice) -> list[str]:
    """Whom chance handed over: apart from every rate, and told only where there is anybody."""
    explored = numbers["explored"]
    if not explored["handed_over"]:
        return []
    named = {name: voice.count(explored[name]["count"]) for name in ("accepted", "rejected")}
    return [voice.say("handover.explored", n=voice.count(explored["handed_over"]), **named)]


def _rate(told: Mapping[str, Any]) -> Rate:
    return Rate(int(told["count"]), int(told["of"]))


def _of(name: str) -> str:
    return "of.promised" if name in ("met", "breached") else "of.handed_over"


def _sentence(numbers: Mapping[str, Any], voice: Voice) -> str:
    """Handed over, touched, and how much working time passed until then."""
    told = {"n": voice.count(numbers["handed_over"]), "touched": voice.count(numbers["touched"])}
    median, p90 = numbers["median_work_seconds"], numbers["p90_work_seconds"]
    if median is None or p90 is None:
        return voice.say("handover.untouched", **told)
    return voice.say("handover.sentence", **told, median=hours(median, voice), p90=hours(p90, voice))


def hours(seconds: float, voice: Voice) -> str:
    """A length of working time for people: minutes below an hour, else hours."""
    if seconds < 3600:
        return voice.say("word.minutes", n=voice.count(seconds / 60))
    return voice.say("word.hours", n=voice.number(seconds / 3600))


def _reasons(reasons: Sequence[Mapping[str, Any]], voice: Voice) -> list[Table]:
    if not reasons:
        return []
    often = [one for one in reasons if one["reason"] and one["count"] >= OFTEN]
    rare = sum(int(one["count"]) for one in reasons if one not in often)
    rows: list[tuple[Cell, ...]] = [(one["reason"], _rate(one)) for one in often]
    if rare:
        rows.append((voice.say("handover.rare"), Rate(rare, int(reasons[0]["of"]))))
    columns = (
        Column("reason", voice.say("col.reason")),
        Column("rate", voice.say("col.share"), "rate", voice.say("of.rejected")),
    )
    return [Table("rejected_by_reason", columns, tuple(rows), voice.say("table.reasons"))]


# --- the review ----------------------------------------------------------------------------------------------


def review_section(
    disputed: Sequence[Mapping[str, Any]] | None, label: Callable[[str], str], voice: Voice
) -> Section:
    """``disputed``: the rows of ``handover_told.review_rows``; both views side by side, and the rule to change.

    ``label``: what people call a temperature.
    """
    title = voice.say("review.title")
    if not disputed:
        key = "handover.unkept" if disputed is None else "review.none"
        return Section("handover_review", title, voice.say(key))
    columns = (
        Column("lead", voice.say("col.lead")),
        Column("suspicion", voice.say("col.suspicion")),
        Column("marketing", voice.say("col.marketing")),
        Column("sales", voice.say("col.sales")),
        Column("rule", voice.say("col.rule")),
    )
    rows = tuple(
        (
            " · ".join(filter(None, (one["email"], one["lead"]))),
            "; ".join(_suspicion(flag, voice) for flag in one["flags"]),
            _marketing(one["marketing"], voice),
            _sales(one["sales"], voice),
            _rule(one["rule"], label, voice),
        )
        for one in disputed
    )
    return Section(
        "handover_review",
        title,
        voice.say("review.sentence", n=voice.count(len(disputed))),
        (Table("handover_review", columns, rows),),
        (voice.say("review.note"),),
    )


def _suspicion(flag: Mapping[str, str], voice: Voice) -> str:
    because = voice.say(f"because.{flag['because']}")
    suspicion = voice.say(f"handover.{flag['flag']}")
    return f"{suspicion}: {because} ({flag['evidence']})"


def _marketing(view: Mapping[str, Any], voice: Voice) -> str:
    """The score with its largest points, and since when the lead was hot."""
    parts = []
    if view["score"] is not None:
        parts.append(
            voice.say("review.score", score=view["score"], fit=view["fit"], engagement=view["engagement"])
        )
    points = sorted(view["points"], key=lambda point: -abs(int(point["points"])))[:4]
    parts += [f"{int(point['points']):+d} {point['rule']}" for point in points]
    parts += [
        voice.say(f"review.{name}", at=moment)
        for name in ("hot_since", "last_sign_at")
        if (moment := _moment(view[name], voice))
    ]
    return "; ".join(parts)


def _sales(view: Mapping[str, Any], voice: Voice) -> str:
    """What became of it: the state, the reason, and the way there."""
    state = HANDOVER_LABELS[voice.language].get(view["state"], view["state"])
    parts = [f"{state}: {view['reason']}" if view["reason"] else state]
    parts += [
        voice.say(f"review.{name}", at=moment)
        for name in ("handed_over_at", "due_at", "first_touch_at", "answered_at")
        if (moment := _moment(view[name], voice))
    ]
    if view["work_seconds"] is not None:
        parts.append(voice.say("review.worked", time=hours(view["work_seconds"], voice)))
    if view["owner"]:
        parts.append(voice.say("review.owner", owner=view["owner"]))
    if view["lost_on"]:
        lost = voice.say("review.lost_on", at=voice.day(date.fromisoformat(view["lost_on"])))
        parts.append(f"{lost}: {view['lost_reason']}" if view["lost_reason"] else lost)
    return "; ".join(parts)


def _moment(text: str | None, voice: Voice) -> str | None:
    return None if text is None else voice.moment(datetime.fromisoformat(text))


def _rule(rule: Mapping[str, Any], label: Callable[[str], str], voice: Voice) -> str:
    """Where to begin: the rule, gate or line that made the difference."""
    name = label(rule["name"]) if rule["kind"] == "temperature" else rule["name"]
    told = {"name": name, "points": rule["points"]}
    if rule["kind"] == "rule":
        return voice.say("review.rule", **told, without=rule["score_without"], line=rule["hot_from"])
    if rule["kind"] == "respond_within":
        return _promise(rule, voice)
    said = [voice.say(f"review.{rule['kind']}", **told)]
    if rule.get("score_before") is not None:
        said.append(voice.say("review.score_before", score=rule["score_before"]))
    if rule.get("days_hot"):
        said.append(voice.say("review.days_hot", days=voice.count(rule["days_hot"])))
    return "; ".join(said)


def _promise(rule: Mapping[str, Any], voice: Voice) -> str:
    """What sales had promised, and what it took."""
    took, promised = rule["work_seconds"], hours(rule["promised_seconds"], voice)
    if took is None:
        return voice.say("review.untouched", promised=promised)
    return voice.say("review.respond_within", promised=promised, took=hours(took, voice))
