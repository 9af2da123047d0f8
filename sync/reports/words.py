"""The words of the reports in German and English. Every sentence is there in both; values stand in braces."""

from __future__ import annotations

from collections.abc import Mapping

from sync.reports.words_columns import COLUMN_WORDS
from sync.reports.words_handover import HANDOVER_WORDS

SENTENCES: Mapping[str, Mapping[str, str]] = {
    # The document
    "report.title": {"de": "Leads: Trichter, Kosten, Ziele", "en": "Leads: funnel, costs, goals"},
    "report.period": {"de": "{first} bis {last}", "en": "{first} to {last}"},
    "report.made": {"de": "Stand {made} ({zone})", "en": "As of {made} ({zone})"},
    "report.contents": {"de": "Inhalt", "en": "Contents"},
    "report.notes": {"de": "Hinweise", "en": "Notes"},
    "report.warning": {"de": "Achtung", "en": "Please note"},
    "report.personal": {
        "de": "Ohne personenbezogene Daten: Leads kommen hier nur als Zahlen vor.",
        "en": "No personal data: leads appear here as numbers only.",
    },
    "report.with_names": {
        "de": "Vertraulich: die letzte Tabelle nennt einzelne Leads und die Gründe, aus denen sie "
        "strittig sind.",
        "en": "Confidential: the last table names single leads and why they are disputed.",
    },
    "report.with_owners": {
        "de": "Leads kommen hier nur als Zahlen vor; Betreuer sind mit Namen genannt.",
        "en": "Leads appear here as numbers only; owners are named.",
    },
    "report.denominators": {
        "de": "Jede Quote nennt, wie viele es von wie vielen sind. Spannen umfassen 95 %.",
        "en": "Every rate says how many it is of how many. Ranges cover 95%.",
    },
    # The overview
    "overview.title": {"de": "Auf einen Blick", "en": "At a glance"},
    "overview.sentence": {
        "de": "Gezählt sind die Leads, deren Interesse vom {first} bis {last} begann, und was bis heute "
        "aus ihnen wurde.",
        "en": "Counted are the leads whose interest began from {first} to {last}, and what has become "
        "of them by today.",
    },
    # The funnel
    "funnel.title": {"de": "Trichter", "en": "Funnel"},
    "funnel.sentence": {
        "de": "Von {leads} Leads wurden {mqls} zu MQLs und {customers} zu Kunden ({rate} der Leads).",
        "en": "Of {leads} leads, {mqls} became MQLs and {customers} became customers ({rate} of the leads).",
    },
    "funnel.chart": {"de": "Leads, die mindestens so weit kamen", "en": "Leads that got at least so far"},
    "funnel.note_times": {
        "de": "Zeiten zählen nur, wo beide Schritte beobachtet wurden. Wer schon weiter war, als "
        "Leadpact ihn zum ersten "
        "Mal sah, oder eine Stufe übersprang, hat dafür keine Zeit; wer noch wartet, fehlt darin.",
        "en": "Times count only where both steps were observed. Whoever was further on when Leadpact "
        "first saw them, or "
        "skipped a stage, has no time for it; whoever is still waiting is not in it.",
    },
    "funnel.note_assumed": {
        "de": "Bei {n} von {of} Leads ist nicht bekannt, wann ihr Interesse begann; hier zählt der Tag, "
        "an dem Leadpact "
        "sie zum ersten Mal sah. In den Zeiten fehlen sie.",
        "en": "For {n} of {of} leads nobody knows when their interest began; the day when Leadpact "
        "first saw them counts "
        "instead. They are not in the times.",
    },
    "maturity.unknown": {
        "de": "Zu wenige Käufe ({n}) sind vom ersten Interesse an bekannt, um zu sagen, wann eine "
        "Kohorte reif ist.",
        "en": "Too few purchases ({n}) are known from the first interest on to say when a cohort is mature.",
    },
    "maturity.known": {
        "de": "Reif ist ein Lead nach {days} Tagen: bis dahin hatten neun von zehn der {n} Kunden "
        "gekauft, deren Weg "
        "bekannt ist. Jüngere Kohorten können noch aufholen.",
        "en": "A lead is mature after {days} days: by then nine of ten of the {n} customers whose way "
        "is known had "
        "bought. Younger cohorts may still catch up.",
    },
    "maturity.costs": {
        "de": "Reif ist ein Lead nach {days} Tagen. Wo wenige Leads reif sind, sind die Kosten je Kunde "
        "noch zu hoch.",
        "en": "A lead is mature after {days} days. Where few leads are, the cost per customer is still "
        "too high.",
    },
    "by.channel.title": {"de": "Trichter nach Kanal", "en": "Funnel by channel"},
    "by.channel.sentence": {
        "de": "Jeder Lead zählt zu dem ersten Kanal aus [[channels]], dessen Regel zutrifft.",
        "en": "Each lead counts for the first channel of [[channels]] whose rule is true.",
    },
    "by.campaign.title": {"de": "Trichter nach Kampagne", "en": "Funnel by campaign"},
    "by.campaign.sentence": {
        "de": "Kampagne ist die erste Mitgliedschaft, sonst der Import, sonst das Detail der Quelle.",
        "en": "The campaign is the first membership, else the import, else the detail of the source.",
    },
    "by.cohort.title": {
        "de": "Trichter nach Monat des ersten Interesses",
        "en": "Funnel by month of first interest",
    },
    "by.cohort.sentence": {
        "de": "Spätere Monate hatten weniger Zeit: ihre Quoten steigen noch.",
        "en": "Later months have had less time: their rates will still rise.",
    },
    "by.owner.title": {"de": "Trichter nach Betreuer", "en": "Funnel by owner"},
    "by.owner.sentence": {
        "de": "Nach dem Betreuer der letzten Übergabe.",
        "en": "By the owner of the last handover.",
    },
    "owner.note": {
        "de": "Auswertungen je Person sind mitbestimmungspflichtig; privacy.per_person_reports schaltet "
        "sie ab.",
        "en": "Reports per person may need the works council's consent; privacy.per_person_reports "
        "switches them off.",
    },
    "group.hidden": {
        "de": "{n} Leads in Gruppen von weniger als {smallest} sind nicht einzeln gezeigt.",
        "en": "{n} leads in groups of fewer than {smallest} are not shown on their own.",
    },
    "group.more": {
        "de": "Gezeigt sind die {shown} größten Gruppen; {n} weitere fehlen.",
        "en": "The {shown} largest groups are shown; {n} more are not.",
    },
    "none.channel": {"de": "(ohne Kanal)", "en": "(no channel)"},
    "none.campaign": {"de": "(ohne Kampagne)", "en": "(no campaign)"},
    "none.owner": {"de": "(ohne Betreuer)", "en": "(no owner)"},
    "none.cohort": {"de": "(unbekannt)", "en": "(not known)"},
    "chart.mql_rate": {
        "de": "Anteil der Leads, die MQL wurden, mit 95-%-Spanne; in Klammern die Zahl der Leads",
        "en": "Share of leads that became MQLs, with its 95% range; in brackets the number of leads",
    },
    "word.interest": {"de": "Interesse", "en": "Interest"},
    # Sources
    "sources.title": {"de": "Kanäle und Quellen", "en": "Channels and sources"},
    "sources.sentence": {
        "de": "Ohne Kanal sind {rate} der Leads ({n} von {of}).",
        "en": "{rate} of the leads have no channel ({n} of {of}).",
    },
    "sources.blank": {"de": "Unbekannt (Quelle fehlt)", "en": "Unknown (no source)"},
    "sources.unfit": {"de": "Keine Regel passt", "en": "No rule fits"},
    "sources.conflicts": {
        "de": "Wo die beiden CRMs verschiedene Kanäle nennen",
        "en": "Where the two CRMs name different channels",
    },
    "sources.conflict_note": {
        "de": "Bei {of} Leads nennen beide CRMs einen Kanal; bei {n} davon nicht denselben. Es zählt "
        "der Kanal nach den "
        "zusammengeführten Feldern.",
        "en": "For {of} leads both CRMs name a channel; for {n} of them not the same one. What counts "
        "is the channel by "
        "the merged fields.",
    },
    "sources.note": {
        "de": "Unbekannt: eine Regel ließ sich nicht beantworten, weil das Feld leer ist. Keine Regel "
        "passt: alle Felder "
        "sind da, aber kein Kanal trifft zu.",
        "en": "Unknown: a rule could not be answered because its field is blank. No rule fits: every "
        "field is there and "
        "no channel is true.",
    },
    "sources.undeclared": {
        "de": "Es sind keine [[channels]] angelegt; ohne sie lässt sich nichts nach Kanal auswerten.",
        "en": "No [[channels]] are declared; without them nothing can be told by channel.",
    },
    "sources.chart": {"de": "Leads je Kanal", "en": "Leads by channel"},
    # Costs
    "costs.title": {"de": "Kosten", "en": "Costs"},
    "costs.none": {
        "de": "Es sind keine Kosten bekannt: weder [[costs]] noch files.costs, noch Kampagnen aus "
        "Salesforce.",
        "en": "No costs are known: neither [[costs]] nor files.costs, nor campaigns from Salesforce.",
    },
    "costs.sentence": {
        "de": "Ausgegeben wurden {spent}, geplant waren {planned}; in dieser Zeit begann das Interesse "
        "von {leads} Leads.",
        "en": "{spent} were spent and {planned} planned; in this time the interest of {leads} leads began.",
    },
    "costs.note_period": {
        "de": "Kosten, die über den Zeitraum hinausreichen, zählen tageweise anteilig.",
        "en": "Costs that reach beyond the period count in proportion to their days.",
    },
    "costs.note_campaigns": {
        "de": "Die Leads einer Kampagne findet ihr Name: er muss in den Kosten so stehen wie im CRM.",
        "en": "The leads of a campaign are found by its name: the costs have to spell it as the CRM does.",
    },
    "costs.note_apart": {
        "de": "Ohne Kurs nach {to} und deshalb getrennt ausgewiesen: {currencies}. Kurse stehen unter "
        "[policy.rates].",
        "en": "Without a rate to {to}, and therefore shown apart: {currencies}. Rates stand in "
        "[policy.rates].",
    },
    "costs.note_undated": {
        "de": "{n} Kampagnen haben Kosten, aber kein Startdatum; sie fehlen.",
        "en": "{n} campaigns have costs and no start date; they are missing.",
    },
    "costs.chart": {"de": "Kosten je Monat in {currency}", "en": "Costs by month in {currency}"},
    "costs.no_customer": {"de": "noch keinen Kunden", "en": "no customer yet"},
    "costs.a_customer": {"de": "Kunden zu je {money}", "en": "customers at {money} each"},
    "costs.warning": {
        "de": "Der billigste Kanal ist nicht der, der sich rechnet: „{cheap}“ bringt Leads für "
        "{cheap_lead}, aber "
        "{cheap_customer} ({cheap_customers} bisher). „{pays}“ kostet {pays_lead} je Lead und "
        "{pays_customer} je Kunde "
        "({pays_customers} bisher).",
        "en": "The cheapest channel is not the one that pays: “{cheap}” brings leads at {cheap_lead}, but "
        "{cheap_customer} ({cheap_customers} so far). “{pays}” costs {pays_lead} per lead and "
        "{pays_customer} per "
        "customer ({pays_customers} so far).",
    },
    "costs.warning_sure": {
        "de": "Der Unterschied ist größer als der Zufall.",
        "en": "The difference is larger than chance.",
    },
    "costs.warning_unsure": {
        "de": "Bei so wenigen Kunden kann das noch Zufall sein.",
        "en": "With so few customers this may still be chance.",
    },
    "attribution.first": {
        "de": "Zurechnung: erste Berührung. Ein Lead gehört dem Kanal, den die CRMs zuerst kannten.",
        "en": "Attribution: first touch. A lead belongs to the channel that the CRMs knew first.",
    },
    "attribution.last": {
        "de": "Zurechnung: letzte Berührung. Ein Lead gehört der letzten Kampagne vor dem Kauf; ohne "
        "Kampagne dem Kanal, "
        "den die CRMs zuerst kannten.",
        "en": "Attribution: last touch. A lead belongs to the last campaign before it bought; without "
        "one, to the "
        "channel that the CRMs knew first.",
    },
    "next.title": {
        "de": "Was die nächsten {amount} bringen würden",
        "en": "What the next {amount} would buy",
    },
    "next.sentence": {
        "de": "Wenn weitere {amount} so wirken wie das Geld bisher: die erwartete Zahl und ihre 95-%-Spanne.",
        "en": "If {amount} more work like the money so far: the number to expect and its 95% range.",
    },
    "next.note": {
        "de": "Gerechnet mit dem Durchschnitt des Zeitraums; ein Kanal, der ausgereizt ist, bringt "
        "weniger. „Zu wenige“ "
        "heißt: weniger als fünf beobachtete Fälle, die Zahl trägt keine Entscheidung.",
        "en": "By the average of the period; a channel that is used up brings less. “Too few” means "
        "fewer than five "
        "observed cases: the number carries no decision.",
    },
    "next.note_ahead": {
        "de": "Die Spanne der geplanten Kampagnen umfasst den Zufall und jede frühere Kampagne des "
        "Kanals für sich.",
        "en": "The range of planned campaigns covers chance and each earlier campaign of the channel on "
        "its own.",
    },
    # Goals
    "goals.title": {"de": "Ziele", "en": "Goals"},
    "goals.none": {"de": "Es sind keine [goals] angelegt.", "en": "No [goals] are declared."},
    "goal.number": {"de": "{counted} von {number} gezählt", "en": "{counted} of {number} counted"},
    "goal.counted": {"de": "{counted} gezählt", "en": "{counted} counted"},
    "goal.rate": {
        "de": "{reached} von diesen {counted} kamen bis „{then}“ ({rate}; Ziel {wanted}; plausibel {low} bis {high})",
        "en": "{reached} of these {counted} got to “{then}” ({rate}; goal {wanted}; plausible {low} to {high})",
    },
    "goal.forecast": {
        "de": "bis zum Ende {middle} erwartet ({low} bis {high})",
        "en": "{middle} expected by the end ({low} to {high})",
    },
    "goal.forecast_few": {
        "de": "für eine Vorhersage noch zu wenige ({low} bis {high})",
        "en": "too few yet to foresee the end ({low} to {high})",
    },
    "goals.note_frozen": {
        "de": "Abgeschlossene Zeiträume sind eingefroren: es zählen die Zahlen, wie sie zuerst "
        "berichtet wurden. Was sich "
        "danach änderte, steht für sich.",
        "en": "Closed periods are frozen: what counts are the numbers as they were first told. What "
        "changed afterwards "
        "stands apart.",
    },
    "goals.note_forecast": {
        "de": "Die Vorhersage setzt das Tempo seit Beginn des Zeitraums fort.",
        "en": "The forecast goes on at the pace since the period began.",
    },
    "state.closed": {"de": "abgeschlossen", "en": "closed"},
    "state.running": {"de": "läuft", "en": "running"},
    "state.to_come": {"de": "kommt noch", "en": "to come"},
    # Score against outcome, tracks
    "outcome.title": {"de": "Punkte und was daraus wurde", "en": "Score against outcome"},
    "outcome.sentence": {
        "de": "{n} Leads nach den Punkten ihrer ersten Beurteilung, und wie viele davon zur "
        "Verkaufschance oder zum "
        "Kunden wurden.",
        "en": "{n} leads by the score they were first given, and how many of them became an opportunity "
        "or a customer.",
    },
    "outcome.none": {
        "de": "Noch wurde kein Lead beurteilt, bevor der Vertrieb ihn hatte.",
        "en": "No lead has been judged yet before sales had it.",
    },
    "outcome.note": {
        "de": "Die ersten Punkte konnten das Ergebnis nicht kennen. Leads, die noch offen sind, zählen "
        "als (noch) nicht "
        "gewonnen. „leadpact policy backtest“ prüft die Regel gründlicher.",
        "en": "The first score could not know the outcome. Leads that are still open count as not (yet) won. "
        "“leadpact policy backtest” examines the policy more thoroughly.",
    },
    "outcome.too_late": {
        "de": "{n} Leads fehlen: der Vertrieb hatte sie schon, als sie zum ersten Mal beurteilt wurden.",
        "en": "{n} leads are left out: sales had them already when they were first judged.",
    },
    "outcome.chart": {
        "de": "Anteil der Verkaufschancen nach Punkten, beste zehn Prozent zuerst, mit 95-%-Spanne",
        "en": "Share of opportunities by score, best tenth first, with its 95% range",
    },
    "outcome.bar": {"de": "{low} bis {high} Punkte", "en": "{low} to {high} points"},
    "nurture.title": {"de": "Pflegestrecken", "en": "Nurture tracks"},
    "nurture.sentence": {
        "de": "Was aus den Aufenthalten auf jeder Strecke wurde.",
        "en": "What became of the stays on each track.",
    },
    "nurture.none": {
        "de": "Noch war kein Lead auf einer Pflegestrecke.",
        "en": "No lead has been on a track yet.",
    },
    "nurture.note": {
        "de": "Ein Lead kann mehrmals auf einer Strecke sein. Die Quote zählt nur beendete Aufenthalte.",
        "en": "A lead can be on a track more than once. The rate counts stays that have ended only.",
    },
}

WORDS: Mapping[str, Mapping[str, str]] = {**SENTENCES, **COLUMN_WORDS, **HANDOVER_WORDS}
