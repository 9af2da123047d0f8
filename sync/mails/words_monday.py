"""The words of the Monday mail in German and English. Values stand in braces."""

from __future__ import annotations

from collections.abc import Mapping

from sync.sections_notify import Language

MONDAY: Mapping[str, Mapping[Language, str]] = {
    "subject": {
        "de": "Leads der Woche: {mqls} neue MQLs, {sqls} neue SQLs",
        "en": "Leads of the week: {mqls} new MQLs, {sqls} new SQLs",
    },
    "period": {"de": "{first} bis {last}", "en": "{first} to {last}"},
    "made": {"de": "Stand {made} ({zone}).", "en": "As of {made} ({zone})."},
    "stages.title": {"de": "Neu in der Woche", "en": "New in the week"},
    "stages.sentence": {
        "de": "MQL wurden {mqls} (in der Woche davor {mqls_before}), SQL wurden {sqls} (davor {sqls_before}).",
        "en": "{mqls} became MQLs (the week before: {mqls_before}), {sqls} became SQLs (before: {sqls_before}).",
    },
    "overdue.title": {"de": "Überfällige Übergaben", "en": "Overdue handovers"},
    "overdue.sentence": {
        "de": "{n} Leads sind beim Vertrieb und über die vereinbarte Zeit hinaus nicht angesprochen.",
        "en": "{n} leads are with sales and were not touched within the time that is agreed on.",
    },
    "overdue.none": {"de": "Keine.", "en": "None."},
    "overdue.unkept": {
        "de": "Es wird kein Übergabebuch geführt; [handover] sagt, was vereinbart ist.",
        "en": "No handover ledger is kept; [handover] says what is agreed on.",
    },
    "spend.title": {"de": "Ausgaben", "en": "Spend"},
    "spend.sentence": {
        "de": "In der Woche {week}; in diesem Monat bis {until} {month} von geplanten {planned}.",
        "en": "{week} in the week; {month} in this month until {until}, of {planned} planned.",
    },
    "spend.unplanned": {
        "de": "In der Woche {week}; in diesem Monat bis {until} {month}.",
        "en": "{week} in the week; {month} in this month until {until}.",
    },
    "spend.none": {
        "de": "Für diese Zeit sind keine Kosten bekannt; sie stehen in [[costs]] oder in files.costs.",
        "en": "No costs of this time are known; they stand in [[costs]] or in files.costs.",
    },
    "goals.title": {"de": "Ziele", "en": "Goals"},
    "goals.none": {"de": "Zurzeit läuft kein Ziel.", "en": "No goal is running now."},
    "rates.title": {"de": "Hält die Policy noch?", "en": "Does the policy still hold?"},
    "rates.sentence": {
        "de": "Von {leads} Leads erreichten zuletzt {rate} die Stufe {outcome}. Gegenüber den Leads davor hat sich "
        "nichts mehr verschoben, als der Zufall erklärt (verglichen am {at}).",
        "en": "Of {leads} leads {rate} reached the stage {outcome} lately. Nothing moved, compared with the leads "
        "before them, by more than chance explains (compared on {at}).",
    },
    "rates.moved": {
        "de": "Mehr verschoben, als der Zufall erklärt (verglichen am {at}):",
        "en": "Moved by more than chance explains (compared on {at}):",
    },
    "rates.young": {
        "de": "Noch ist kein Lead alt genug, um es zu sagen; alerts.outcome_days sagt, wie lange ein Lead Zeit hat.",
        "en": "No lead is old enough yet to say; alerts.outcome_days says how long a lead has.",
    },
    "rates.never": {
        "de": "Noch nicht verglichen; schedule.rates sagt, wann es geschieht.",
        "en": "Not compared yet; schedule.rates says when it is.",
    },
    "leads.title": {"de": "Fünf Leads zum Ansehen", "en": "Five leads to look at"},
    "leads.none": {"de": "Keiner drängt.", "en": "None is pressing."},
    "lead.overdue": {"de": "überfällig seit {at}", "en": "overdue since {at}"},
    "lead.waiting": {
        "de": "beim Vertrieb, Antwort fällig am {at}",
        "en": "with sales, an answer is due {at}",
    },
    "lead.untold": {"de": "beim Vertrieb, noch ohne Antwort", "en": "with sales, not answered yet"},
    "lead.warm": {"de": "{temperature}, noch kein SQL", "en": "{temperature}, not an SQL yet"},
    "lead.score": {"de": "{score} Punkte", "en": "{score} points"},
    "lead.nameless": {"de": "ohne Firma", "en": "no company"},
    "more": {
        "de": "`leadpact report` und `leadpact handovers` sagen mehr. Wer sie bekommt: notify.monday_mail.",
        "en": "`leadpact report` and `leadpact handovers` say more. Who gets this: notify.monday_mail.",
    },
}
