"""The Monday mail in German or English, as plain text and as HTML; both say the same in the same order. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment

from mapping.own import STAGE_LABELS
from mapping.qualification.backtest_rates import rate_of
from sync.mails.alert_mail import Mail
from sync.mails.monday import Pointed, Week
from sync.mails.words_alerts import said
from sync.mails.words_monday import MONDAY
from sync.reports.chapter_goals import goal_section
from sync.reports.voice import Voice
from sync.sections_notify import Language


@dataclass(frozen=True, slots=True)
class Part:
    """One question of the mail: its title, its answer in a sentence, and a list under it."""

    title: str
    sentence: str
    items: tuple[str, ...] = ()


def monday_mail(week: Week, language: Language, zone: ZoneInfo) -> Mail:
    """The mail about a week, in a language and a time zone."""
    voice = Voice(language, zone)
    subject = _say(language, "subject", **_counts(week.new, voice))
    period = _say(language, "period", first=voice.day(week.first), last=voice.day(week.last))
    parts = [
        _stages(week, language, voice),
        _overdue(week, language, voice),
        _spend(week, language, voice),
        _goals(week, language, voice),
        _rates(week, language, voice),
        _leads(week, language, voice),
    ]
    foot = [
        _say(language, "made", made=voice.moment(week.made), zone=zone.key),
        _say(language, "more"),
    ]
    template = files("sync.mails").joinpath("monday.html.j2").read_text(encoding="utf-8")
    html = Environment(autoescape=True).from_string(template)
    return Mail(
        subject,
        _as_text(period, parts, foot),
        html.render(language=language, subject=subject, period=period, parts=parts, foot=foot),
    )


def _say(language: Language, key: str, **values: Any) -> str:
    return MONDAY[key][language].format(**values)


def _counts(new: dict[str, int], voice: Voice, end: str = "") -> dict[str, str]:
    return {f"{step}s{end}": voice.count(count) for step, count in new.items()}


def _stages(week: Week, language: Language, voice: Voice) -> Part:
    counts = {**_counts(week.new, voice), **_counts(week.before, voice, "_before")}
    return Part(_say(language, "stages.title"), _say(language, "stages.sentence", **counts))


def _overdue(week: Week, language: Language, voice: Voice) -> Part:
    key = "unkept" if week.overdue is None else "sentence" if week.overdue else "none"
    sentence = _say(language, f"overdue.{key}", n=voice.count(week.overdue or 0))
    return Part(_say(language, "overdue.title"), sentence)


def _spend(week: Week, language: Language, voice: Voice) -> Part:
    title = _say(language, "spend.title")
    if week.week is None or week.month is None:
        return Part(title, _say(language, "spend.none"))
    told = {"week": voice.money(week.week), "month": voice.money(week.month), "until": voice.day(week.last)}
    if week.planned is None:
        return Part(title, _say(language, "spend.unplanned", **told))
    return Part(title, _say(language, "spend.sentence", **told, planned=voice.money(week.planned)))


def _goals(week: Week, language: Language, voice: Voice) -> Part:
    title = _say(language, "goals.title")
    if not week.goals:
        return Part(title, _say(language, "goals.none"))
    return Part(title, "", tuple(goal_section([one], voice).sentence for one in week.goals))


def _rates(week: Week, language: Language, voice: Voice) -> Part:
    title, compared = _say(language, "rates.title"), week.rates
    if compared is None or not compared.leads:
        return Part(title, _say(language, "rates.never" if compared is None else "rates.young"))
    at = voice.moment(compared.at)
    if compared.moved:
        sentence = _say(language, "rates.moved", at=at)
        return Part(title, sentence, tuple(f"{said(one, language)}." for one in compared.moved))
    rate = rate_of(compared.outcomes, compared.leads)
    told = {
        "leads": voice.count(compared.leads),
        "rate": f"{voice.percent(rate.rate or 0)} ({voice.percent(rate.low)} – {voice.percent(rate.high)})",
        "outcome": STAGE_LABELS[language][compared.outcome],
    }
    return Part(title, _say(language, "rates.sentence", at=at, **told))


def _leads(week: Week, language: Language, voice: Voice) -> Part:
    sentence = "" if week.leads else _say(language, "leads.none")
    return Part(
        _say(language, "leads.title"), sentence, tuple(_lead(one, language, voice) for one in week.leads)
    )


def _lead(one: Pointed, language: Language, voice: Voice) -> str:
    called = ", ".join(filter(None, (one.name, one.company))) or _say(language, "lead.nameless")
    at = voice.moment(one.at) if one.at else ""
    said = [_say(language, f"lead.{one.why}", at=at, temperature=one.temperature or "")]
    if one.score is not None:
        said.append(_say(language, "lead.score", score=voice.count(one.score)))
    return f"{one.lead} ({called}): {', '.join(said)}"


def _as_text(period: str, parts: list[Part], foot: list[str]) -> str:
    lines = [period, ""]
    for part in parts:
        lines += [part.title, "-" * len(part.title)]
        lines += [part.sentence] if part.sentence else []
        lines += [f"- {item}" for item in part.items]
        lines.append("")
    return "\n".join([*lines, *foot]) + "\n"
