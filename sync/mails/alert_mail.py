"""Alerts as a mail in German or English, and as the document that a webhook gets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment

from sync.alerts import Changed
from sync.mails.words_alerts import FRAME, fix_of, said
from sync.reports.voice import Voice
from sync.sections_notify import Language
from sync.store.alerts import Alert


@dataclass(frozen=True, slots=True)
class Mail:
    """What goes out: the subject, and the same as plain text and as HTML."""

    subject: str
    text: str
    html: str


def alert_mail(changed: Changed, language: Language, zone: ZoneInfo) -> Mail:
    """The mail about some alerts, new ones first. Pure."""
    voice = Voice(language, zone)
    parts = [
        (FRAME["opened"][language], [_opened(one, language, voice) for one in changed.opened]),
        (FRAME["cleared"][language], [_cleared(one, language, voice) for one in changed.cleared]),
    ]
    parts = [(title, told) for title, told in parts if told]
    more = FRAME["more"][language]
    lines = [line for title, told in parts for line in (f"{title}:", "", *_as_lines(told))]
    template = files("sync.mails").joinpath("alerts.html.j2").read_text(encoding="utf-8")
    html = Environment(autoescape=True).from_string(template)
    return Mail(
        _subject(changed, language),
        "\n".join([*lines, more]) + "\n",
        html.render(parts=parts, more=more, language=language),
    )


def as_document(changed: Changed) -> dict[str, Any]:
    """``{"text", "alerts": [{"number", "kind", "about", "state", "since", "until", "said", "fix"}]}``. Pure.

    In English. ``text`` is what a chat shows; times are ISO 8601.
    """
    told = [("open", one) for one in changed.opened] + [("over", one) for one in changed.cleared]
    return {
        "text": "\n".join(_in_chat(state, one) for state, one in told),
        "alerts": [
            {
                "number": one.number,
                "kind": one.kind,
                "about": one.about,
                "state": state,
                "since": one.opened.isoformat(),
                "until": one.cleared.isoformat() if one.cleared else None,
                "said": said(one.found, "en"),
                "fix": fix_of(one.found, "en"),
            }
            for state, one in told
        ],
    }


def _in_chat(state: str, one: Alert) -> str:
    if state == "over":
        return f"Leadpact, {FRAME['cleared']['en'].lower()}: {said(one.found, 'en')}"
    return f"Leadpact: {said(one.found, 'en')}. {FRAME['to_do']['en'].format(fix=fix_of(one.found, 'en'))}"


def _subject(changed: Changed, language: Language) -> str:
    told = changed.opened or changed.cleared
    key = "subject.cleared" if not changed.opened else "subject.more" if len(told) > 1 else "subject.opened"
    return FRAME[key][language].format(n=len(told), first=said(told[0].found, language))


def _opened(one: Alert, language: Language, voice: Voice) -> tuple[str, str, str]:
    since = FRAME["since"][language].format(at=voice.moment(one.opened))
    return said(one.found, language), since, FRAME["to_do"][language].format(fix=fix_of(one.found, language))


def _cleared(one: Alert, language: Language, voice: Voice) -> tuple[str, str, str]:
    end = voice.moment(one.cleared or one.seen)
    lasted = FRAME["lasted"][language].format(at=voice.moment(one.opened), end=end)
    return said(one.found, language), lasted, ""


def _as_lines(told: Sequence[tuple[str, str, str]]) -> list[str]:
    lines: list[str] = []
    for what, when, to_do in told:
        lines += [f"- {what} ({when}).", *([f"  {to_do}"] if to_do else []), ""]
    return lines
