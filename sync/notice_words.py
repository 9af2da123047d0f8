"""What a notice about a handover says, as a task and as a mail. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

Language = Literal["de", "en"]
_MARK = "Leadpact "

_SUBJECT: Mapping[tuple[str, str], str] = {
    ("en", "handover"): "New lead: first touch by {due}",
    ("de", "handover"): "Neuer Lead: Erstkontakt bis {due}",
    ("en", "escalation"): "Nobody has touched this lead yet: due by {due}",
    ("de", "escalation"): "Noch kein Erstkontakt: fällig bis {due}",
}
_OPENING: Mapping[tuple[str, str], str] = {
    (
        "en",
        "handover",
    ): "Marketing has handed this lead over to you. Somebody has to touch it by {due} ({zone}).",
    ("de", "handover"): "Das Marketing hat Ihnen diesen Lead übergeben. Erstkontakt bis {due} ({zone}).",
    (
        "en",
        "escalation",
    ): "{owner} has this lead, and nobody has touched it yet. It is due by {due} ({zone}).",
    (
        "de",
        "escalation",
    ): "Der Lead liegt bei {owner}, und es gab noch keinen Erstkontakt. Fällig bis {due} ({zone}).",
}
_STANDS: Mapping[str, str] = {
    "en": "Temperature: {temperature}; {score} points.",
    "de": "Temperatur: {temperature}; {score} Punkte.",
}
_EXPLORED: Mapping[str, str] = {
    "en": "An experiment (exploration): it is below the line for an MQL and was drawn at random, to learn what such"
    " leads are worth. Please work it like any other.",
    "de": "Eine Probe (exploration): Der Lead liegt unter der Grenze für ein MQL und wurde zufällig gezogen, um zu"
    " lernen, was solche Leads wert sind. Bitte bearbeiten wie jeden anderen.",
}
_NOBODY: Mapping[str, str] = {"en": "nobody in particular", "de": "niemand Bestimmtes"}
_ANSWER: Mapping[str, str] = {
    "en": "Accept or reject it in its fields; whatever you do with it counts as a touch.",
    "de": "Bitte in den Feldern des Leads annehmen oder ablehnen; jede Aktivität gilt als Erstkontakt.",
}


@dataclass(frozen=True, slots=True)
class About:
    """What a notice tells. ``reasons``: why the policy thinks so; ``link``: the lead's page. ``explored``: chance
    handed it over, below the line.
    """

    kind: str
    due: datetime
    zone: str
    owner: str | None
    temperature: str | None
    score: int | None
    reasons: str | None
    link: str
    explored: bool = False


def notice_text(about: About, language: Language) -> tuple[str, str]:
    """(subject, text). The lead itself is named by its page alone: a mail shows nobody's data."""
    due = _moment(about.due, about.zone, language)
    subject = _SUBJECT[language, about.kind].format(due=due)
    opening = _OPENING[language, about.kind].format(
        due=due, zone=about.zone, owner=about.owner or _NOBODY[language]
    )
    parts = [opening, *([_EXPLORED[language]] if about.explored else [])]
    if about.temperature is not None and about.score is not None:
        parts.append(_STANDS[language].format(temperature=about.temperature, score=about.score))
    parts += [about.reasons] if about.reasons else []
    parts += [about.link, _ANSWER[language]]
    return subject, "\n\n".join(parts)


def mark_of(lead_id: str, cycle: int, kind: str) -> str:
    """The line by which the task of a handover is found again; it names nobody."""
    digest = hashlib.sha256(f"{lead_id}\n{cycle}\n{kind}".encode()).hexdigest()[:20]
    return f"{_MARK}{kind} {digest}"


def _moment(moment: datetime, zone: str, language: Language) -> str:
    local = moment.astimezone(ZoneInfo(zone))
    return local.strftime("%d.%m.%Y %H:%M" if language == "de" else "%Y-%m-%d %H:%M")
