"""What is said of an alert, and what to do about it, in German and English. Values stand in braces."""

from __future__ import annotations

from collections.abc import Mapping

from mapping.own import STAGE_LABELS
from sync.sections_notify import Language
from sync.sentences import clause

Sentences = Mapping[Language, str]

#: By the name of what was found: what is so.
SAID: Mapping[str, Sentences] = {
    "freshness.lane": {
        "de": "Spur {lane}: 95 von 100 Änderungen brauchen {minutes} Minuten bis ins andere CRM, vereinbart sind "
        "{limit}",
        "en": "lane {lane}: 95 of 100 changes take {minutes} minutes to reach the other CRM, {limit} are agreed on",
    },
    "freshness.inbox": {
        "de": "{crm} hat {records} Datensätze gemeldet, die warten, der älteste seit {minutes} Minuten",
        "en": "{crm} told of {records} records that wait, the oldest for {minutes} minutes",
    },
    "freshness.late": {
        "de": "{crm} ist seit {minutes} Minuten nicht mehr zu Ende gelesen worden, obwohl ein Lauf fällig war",
        "en": "{crm} was not read to the end for {minutes} minutes, though a run was due",
    },
    "refused.oldest": {
        "de": "{records} Datensätze hat ein CRM abgelehnt, der älteste wartet seit {hours} Stunden",
        "en": "a CRM refused {records} records, the oldest waits for {hours} hours",
    },
    "quota.day": {
        "de": "{crm} {budget}: {used} von {of} Aufrufen des Tages sind verbraucht ({share} %)",
        "en": "{crm} {budget}: {used} of {of} calls of the day are used ({share}%)",
    },
    "schema.gone": {
        "de": "Die Zuordnung passt nicht mehr zum CRM: {problem}",
        "en": "the map does not fit the CRM any more: {problem}",
    },
    "schema.shorter": {
        "de": "{crm}: {field} fasst nur noch {length} statt {before} Zeichen",
        "en": "{crm}: {field} takes {length} characters now, and took {before}",
    },
    "disagreement.unexplained": {
        "de": "Bei {leads} von {of} verknüpften Leads zeigen die CRMs Verschiedenes, und niemand weiß warum",
        "en": "for {leads} of {of} linked leads both CRMs differ, and nobody knows why",
    },
    "disagreement.share": {
        "de": "Nur noch {share} % der verknüpften Leads sehen in beiden CRMs gleich aus, zuletzt waren es {before} %",
        "en": "{share}% of the linked leads look alike in both CRMs, and it was {before}% lately",
    },
    "job.parked": {
        "de": "Auftrag {job} ({what}) ist geparkt: {said}",
        "en": "job {job} ({what}) is parked: {said}",
    },
    "job.inbox": {
        "de": "{records} von {crm} gemeldete Datensätze ließen sich mehrmals nicht bearbeiten",
        "en": "{records} records that {crm} told of could not be worked on several times",
    },
    "gap.log": {
        "de": "Im Änderungsprotokoll {log} fehlt ein Stück: {said}",
        "en": "the change log {log} has a gap: {said}",
    },
    "freshness.log": {
        "de": "Das Änderungsprotokoll {log} ist seit {minutes} Minuten nicht zu hören: {said}",
        "en": "the change log {log} was not heard for {minutes} minutes: {said}",
    },
    "rates.all": {
        "de": "Von allen Leads erreichten zuletzt {after} % ({after_low} bis {after_high}, {after_leads} Leads) die "
        "Stufe {outcome}, davor {before} % ({before_low} bis {before_high}, {before_leads} Leads)",
        "en": "of all leads {after}% ({after_low} to {after_high}, {after_leads} leads) reached the stage {outcome} "
        "lately, and {before}% ({before_low} to {before_high}, {before_leads} leads) before",
    },
    "rates.band": {
        "de": "Von den Leads im Band {band} erreichten zuletzt {after} % ({after_low} bis {after_high}, {after_leads} "
        "Leads) die Stufe {outcome}, davor {before} % ({before_low} bis {before_high}, {before_leads} Leads)",
        "en": "of the leads in the band {band} {after}% ({after_low} to {after_high}, {after_leads} leads) reached the "
        "stage {outcome} lately, and {before}% ({before_low} to {before_high}, {before_leads} leads) before",
    },
    "mail.waiting": {
        "de": "Benachrichtigungen, die nicht wegkommen: {letters}, denn {said}",
        "en": "notices that cannot leave: {letters}, because {said}",
    },
    "mail.unsure": {
        "de": "Benachrichtigungen, von denen niemand weiß, ob sie ankamen: {letters}, denn {said}",
        "en": "notices of which nobody knows whether they arrived: {letters}, because {said}",
    },
}

#: By the same name: what to do. docs/operations.md says more.
FIX: Mapping[str, Sentences] = {
    "freshness.lane": {
        "de": "`leadpact status` und `leadpact jobs` zeigen, woran gearbeitet wird; ein Worker mehr hilft, wenn "
        "alle zu tun haben",
        "en": "`leadpact status` and `leadpact jobs` show what is being worked on; one more worker helps where all "
        "are busy",
    },
    "freshness.inbox": {
        "de": "`leadpact jobs` zeigt, ob Worker da sind und ob etwas geparkt ist",
        "en": "`leadpact jobs` shows whether there are workers and whether something is parked",
    },
    "freshness.late": {
        "de": "`leadpact runs` zeigt, wie die letzten Läufe endeten, `leadpact status`, ob ein CRM uns einlässt",
        "en": "`leadpact runs` shows how the last runs ended, `leadpact status` whether a CRM lets us in",
    },
    "refused.oldest": {
        "de": "`leadpact refused` nennt je Ursache die Abhilfe; danach `leadpact refused retry`",
        "en": "`leadpact refused` names a fix by cause; then `leadpact refused retry`",
    },
    "quota.day": {
        "de": "nachsehen, wer so viel aufruft; Rückfüllungen halten zuerst an, Einwilligungen und Übergaben zuletzt",
        "en": "find out who calls so much; backfills stop first, consent and handovers last",
    },
    "schema.gone": {
        "de": "{fix}; `leadpact check` sagt die Zeile",
        "en": "{fix}; `leadpact check` says the line",
    },
    "schema.shorter": {
        "de": "das Feld wieder verbreitern, sonst werden längere Werte abgelehnt",
        "en": "widen the field again, or longer values will be refused",
    },
    "disagreement.unexplained": {
        "de": "`leadpact agree --csv DATEI` stellt beide CRMs nebeneinander; `leadpact drift --repair` gleicht an",
        "en": "`leadpact agree --csv FILE` puts both CRMs side by side; `leadpact drift --repair` mends it",
    },
    "disagreement.share": {
        "de": "`leadpact agree --history` zeigt den Verlauf und die Gründe",
        "en": "`leadpact agree --history` shows the course and the reasons",
    },
    "job.parked": {
        "de": "{fix}; danach `leadpact jobs retry {job}`",
        "en": "{fix}; then `leadpact jobs retry {job}`",
    },
    "job.inbox": {
        "de": "das Log nennt den Fehler; `leadpact sync` liest sie erneut",
        "en": "the log names the error; `leadpact sync` reads them again",
    },
    "gap.log": {
        "de": "nichts: diese Zeit wird von selbst erneut gelesen; `leadpact status` zeigt, ob es geschehen ist",
        "en": "nothing: that time is read again by itself; `leadpact status` shows whether it was",
    },
    "freshness.log": {
        "de": "Zugang und Rechte prüfen (docs/webhooks.md); solange liest nur der Zeitplan",
        "en": "check access and rights (docs/webhooks.md); until then only the schedule reads",
    },
    "rates.all": {
        "de": "`leadpact policy backtest` zeigt beide Teile nach Punkten und Bändern; danach sehen Marketing und "
        "Vertrieb die Grenzen gemeinsam durch",
        "en": "`leadpact policy backtest` shows both parts by score and band; then marketing and sales go through the "
        "limits together",
    },
    "rates.band": {
        "de": "`leadpact policy learn` schlägt Punkte vor, `leadpact policy diff` zeigt, wen sie bewegen würden",
        "en": "`leadpact policy learn` suggests points, `leadpact policy diff` shows whom they would move",
    },
    "mail.waiting": {
        "de": "sie werden weiter versucht; {fix}",
        "en": "they are tried again; {fix}",
    },
    "mail.unsure": {
        "de": "die Empfänger fragen; zweimal wird nichts verschickt",
        "en": "ask whoever they were for; nothing is sent twice",
    },
}

#: What stands around the alerts of a mail.
FRAME: Mapping[str, Sentences] = {
    "subject.opened": {"de": "Leadpact: {first}", "en": "Leadpact: {first}"},
    "subject.more": {
        "de": "Leadpact: {n} Alarme, darunter: {first}",
        "en": "Leadpact: {n} alerts, among them: {first}",
    },
    "subject.cleared": {"de": "Leadpact: vorbei: {first}", "en": "Leadpact: over: {first}"},
    "opened": {"de": "Neu", "en": "New"},
    "cleared": {"de": "Vorbei", "en": "Over"},
    "since": {"de": "seit {at}", "en": "since {at}"},
    "lasted": {"de": "von {at} bis {end}", "en": "from {at} to {end}"},
    "test.subject": {"de": "Leadpact: Testnachricht", "en": "Leadpact: a test"},
    "test.text": {
        "de": "So kommen Alarme hier an. Es ist nichts zu tun.",
        "en": "This is how alerts arrive here. There is nothing to do.",
    },
    "to_do": {"de": "Zu tun: {fix}.", "en": "To do: {fix}."},
    "more": {
        "de": "`leadpact status` zeigt, was offen ist; die Betriebsanleitung (docs/operations.md) erklärt jeden Alarm.",
        "en": "`leadpact status` shows what is open; docs/operations.md explains every alert.",
    },
}


def said(found: Mapping[str, object], language: Language) -> str:
    """What is so, of a finding's ``name`` and values."""
    return SAID[str(found["name"])][language].format(**_spelled(found, language))


def fix_of(found: Mapping[str, object], language: Language) -> str:
    """What to do about it."""
    return FIX[str(found["name"])][language].format(**_spelled(found, language))


def _spelled(found: Mapping[str, object], language: Language) -> dict[str, str]:
    """The values as they stand within a sentence: numbers with the reader's point, stages in the reader's words."""
    return {name: _value(name, value, language) for name, value in found.items()}


def _value(name: str, value: object, language: Language) -> str:
    if isinstance(value, float):
        text = f"{value:.1f}"
        return text.replace(".", ",") if language == "de" else text
    if name == "outcome":
        return STAGE_LABELS[language].get(str(value), str(value))
    # Some are sentences of their own.
    return clause(value) if isinstance(value, str) else str(value)
