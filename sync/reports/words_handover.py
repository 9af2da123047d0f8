"""The words of the handover in the reports, in German and English."""

from __future__ import annotations

from collections.abc import Mapping

HANDOVER_WORDS: Mapping[str, Mapping[str, str]] = {
    # The handover
    "handover.title": {"de": "Übergabe an den Vertrieb", "en": "Handover to sales"},
    "handover.unkept": {
        "de": "Es wird kein Übergabebuch geführt; [handover] sagt, was vereinbart ist.",
        "en": "No handover ledger is kept; [handover] says what is agreed on.",
    },
    "handover.none": {
        "de": "In diesem Zeitraum wurde nichts übergeben; {qualified} Leads warten darauf.",
        "en": "Nothing was handed over in this period; {qualified} leads wait for it.",
    },
    "handover.sentence": {
        "de": "{n} Leads wurden übergeben und {touched} davon angesprochen: im Median nach {median} "
        "Arbeitszeit, neun "
        "von zehn nach höchstens {p90}.",
        "en": "{n} leads were handed over and {touched} of them touched: after {median} of working time "
        "in the median, "
        "nine of ten after at most {p90}.",
    },
    "handover.untouched": {
        "de": "{n} Leads wurden übergeben und {touched} davon angesprochen.",
        "en": "{n} leads were handed over and {touched} of them touched.",
    },
    "handover.note": {
        "de": "Arbeitszeit nach [handover]: ohne Nächte, Wochenenden und Feiertage. Zu früh und zu spät "
        "sind Verdachte "
        "mit Belegen, keine Urteile.",
        "en": "Working time by [handover]: without nights, weekends and public holidays. Too early and "
        "too late are "
        "suspicions with evidence, not verdicts.",
    },
    "handover.qualified": {
        "de": "{n} Leads sind MQL, aber noch nicht beim Vertrieb.",
        "en": "{n} leads are MQLs and not with sales yet.",
    },
    "handover.explored": {
        "de": "Daneben gezählt: {n} wurden zur Probe übergeben (exploration), zufällig gezogen unter der Grenze; "
        "{accepted} wurden angenommen, {rejected} abgelehnt. In keiner Zahl darüber sind sie enthalten.",
        "en": "Counted apart: {n} were handed over to explore, drawn at random below the line; {accepted} were "
        "accepted, {rejected} rejected. They are in none of the numbers above.",
    },
    "handover.met": {"de": "Frist gehalten", "en": "Promise kept"},
    "handover.breached": {"de": "Frist versäumt", "en": "Promise broken"},
    "handover.accepted": {"de": "Angenommen", "en": "Accepted"},
    "handover.rejected": {"de": "Abgelehnt", "en": "Rejected"},
    "handover.recycled": {
        "de": "Liegen geblieben, zurück an Marketing",
        "en": "Left lying, back to marketing",
    },
    "handover.withdrawn": {"de": "Zurückgezogen", "en": "Withdrawn"},
    "handover.reassigned": {"de": "Weitergegeben", "en": "Reassigned"},
    "handover.waiting": {"de": "Beim Vertrieb, noch ohne Antwort", "en": "With sales, not answered yet"},
    "handover.too_early": {"de": "Zu früh (Verdacht)", "en": "Too early (suspected)"},
    "handover.too_late": {"de": "Zu spät (Verdacht)", "en": "Too late (suspected)"},
    "handover.rare": {"de": "(einzelne Gründe, keine Angabe)", "en": "(given once, or none)"},
    "because.rejected_as_not_ready": {"de": "als nicht reif abgelehnt", "en": "rejected as not ready"},
    "because.hardly_engaged": {
        "de": "kaum Interesse bei der Übergabe",
        "en": "hardly engaged at the handover",
    },
    "because.hot_for_long": {"de": "lange heiß vor der Übergabe", "en": "hot for long before the handover"},
    "because.went_quiet": {"de": "war verstummt", "en": "had gone quiet"},
    "because.lost_to_a_competitor": {"de": "an einen Mitbewerber verloren", "en": "lost to a competitor"},
    "review.title": {"de": "Strittige Übergaben", "en": "Disputed handovers"},
    "review.none": {
        "de": "In diesem Zeitraum ist keine Übergabe strittig.",
        "en": "No handover of this period is disputed.",
    },
    "review.sentence": {
        "de": "Strittig sind {n}: was Marketing sah, was der Vertrieb tat, und die Regel, über die zu reden ist.",
        "en": "{n} are disputed: what marketing saw, what sales did, and the rule to talk about.",
    },
    "review.note": {
        "de": "Vertraulich. Eine Regel ändert man in policy.toml; „leadpact policy diff“ zeigt vorher, "
        "wen das bewegt.",
        "en": "Confidential. A rule is changed in policy.toml; “leadpact policy diff” shows beforehand "
        "whom that moves.",
    },
    "review.score": {
        "de": "{score} Punkte (Passung {fit}, Interesse {engagement})",
        "en": "score {score} (fit {fit}, engagement {engagement})",
    },
    "review.hot_since": {"de": "heiß seit {at}", "en": "hot since {at}"},
    "review.last_sign_at": {"de": "letztes Zeichen {at}", "en": "last sign {at}"},
    "review.handed_over_at": {"de": "übergeben {at}", "en": "handed over {at}"},
    "review.due_at": {"de": "fällig {at}", "en": "due {at}"},
    "review.first_touch_at": {"de": "angesprochen {at}", "en": "touched {at}"},
    "review.answered_at": {"de": "beantwortet {at}", "en": "answered {at}"},
    "review.worked": {"de": "nach {time} Arbeitszeit", "en": "after {time} of working time"},
    "review.owner": {"de": "bei {owner}", "en": "with {owner}"},
    "review.rule": {
        "de": "Regel „{name}“ ({points} Punkte): ohne sie {without} Punkte, heiß ab {line}",
        "en": "rule “{name}” ({points} points): without it {without} points, hot from {line}",
    },
    "review.gate": {"de": "Bedingung „{name}“ hielt ihn auf", "en": "gate “{name}” held it up"},
    "review.temperature": {
        "de": "Grenze für „{name}“: {points} Punkte",
        "en": "line of “{name}”: {points} points",
    },
    "review.score_before": {
        "de": "davor hatte er {score} Punkte",
        "en": "before that it had {score} points",
    },
    "review.days_hot": {
        "de": "bei der Übergabe seit {days} Tagen heiß",
        "en": "hot for {days} days when it was handed over",
    },
    "review.respond_within": {
        "de": "Zusage „handover.respond_within“: {promised} Arbeitszeit, es wurden {took}",
        "en": "promise “handover.respond_within”: {promised} of working time, it took {took}",
    },
    "review.untouched": {
        "de": "Zusage „handover.respond_within“: {promised} Arbeitszeit, niemand sprach ihn an",
        "en": "promise “handover.respond_within”: {promised} of working time, nobody touched it",
    },
    "review.lost_on": {"de": "verloren {at}", "en": "lost {at}"},
    "word.minutes": {"de": "{n} Minuten", "en": "{n} minutes"},
    "word.hours": {"de": "{n} Stunden", "en": "{n} hours"},
}
