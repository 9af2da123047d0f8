"""The verdict in words, in English and German. Rendered only for leads that change or are looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from math import prod
from typing import Any, Literal

import polars as pl

from mapping.qualification.declared import NOT_KNOWN_YET, Cap, Policy, Rule
from mapping.qualification.score import decayed_points
from mapping.qualification.truths import choose, every, holds, known, looked_up, one

Language = Literal["en", "de"]

#: Between two reasons of one sentence.
SEPARATOR = " · "

_AGES: Mapping[Language, tuple[str, str, str]] = {
    "en": ("today", "1 day ago", "{} days ago"),
    "de": ("heute", "vor 1 Tag", "vor {} Tagen"),
}
_CAPPED: Mapping[Language, str] = {"en": "{name}: {most} at most", "de": "{name}: höchstens {most}"}
_HALVES: Mapping[Language, Mapping[str, str]] = {
    "en": {"fit": "fit", "engagement": "engagement"},
    "de": {"fit": "Passung", "engagement": "Interesse"},
}
_WANTED: Mapping[Language, str] = {"en": "wanted: ", "de": "gesucht: "}
_NO_POINTS: Mapping[Language, str] = {"en": "nothing counted yet", "de": "noch nichts gezählt"}

#: Every code of ``stage_why``, in words.
WHY: Mapping[str, Mapping[Language, str]] = {
    "salesforce_says": {"en": "Salesforce says so", "de": "Salesforce sagt es"},
    "hubspot_says": {"en": "HubSpot says so", "de": "HubSpot sagt es"},
    "bought": {"en": "bought; only a CRM can say otherwise", "de": "hat gekauft; anderes sagt nur ein CRM"},
    "struck_off": {
        "en": "sales rejected it for good, and has not taken it up again",
        "de": "vom Vertrieb endgültig abgelehnt und nicht wieder aufgenommen",
    },
    "rejected_for_good": {
        "en": "sales rejected it for good, with a reason",
        "de": "vom Vertrieb mit Grund endgültig abgelehnt",
    },
    "rejected": {
        "en": "sales rejected it: back to marketing",
        "de": "vom Vertrieb abgelehnt: zurück ans Marketing",
    },
    "rejection_stands": {
        "en": "sales' rejection stands; it is not handed over again until sales clears it",
        "de": "die Ablehnung des Vertriebs gilt, bis der Vertrieb sie aufhebt",
    },
    "returned": {
        "en": "Salesforce shows that the opportunity went back to marketing",
        "de": "laut Salesforce ging die Verkaufschance zurück ans Marketing",
    },
    "taken_by_sales": {
        "en": "sales works it; no score takes that back",
        "de": "der Vertrieb bearbeitet es; keine Punktzahl nimmt das zurück",
    },
    "accepted": {
        "en": "sales accepted it and every gate is passed",
        "de": "vom Vertrieb angenommen, alle Bedingungen erfüllt",
    },
    "accepted_gate_missed": {
        "en": "sales accepted it, but a gate is missed",
        "de": "vom Vertrieb angenommen, aber eine Bedingung ist nicht erfüllt",
    },
    "accepted_gate_unknown": {
        "en": "sales accepted it, but a gate is not known yet",
        "de": "vom Vertrieb angenommen, aber eine Bedingung ist noch nicht bekannt",
    },
    "no_contact_data": {"en": "there is no contact data", "de": "es gibt keine Kontaktdaten"},
    "contact_data_unknown": {
        "en": "whether there is contact data is not known",
        "de": "ob es Kontaktdaten gibt, ist nicht bekannt",
    },
    "no_interest": {
        "en": "contact data, but no interest expressed yet; an answer makes it a lead",
        "de": "Kontaktdaten, aber noch kein Interesse gezeigt; eine Antwort macht es zum Lead",
    },
    "interest_unknown": {
        "en": "contact data, but whether interest was expressed is not known",
        "de": "Kontaktdaten, aber ob Interesse gezeigt wurde, ist nicht bekannt",
    },
    "churned": {
        "en": "a declared fact says that the customer went away",
        "de": "eine vereinbarte Tatsache sagt, dass der Kunde gegangen ist",
    },
    "won": {"en": "a deal was won", "de": "ein Auftrag wurde gewonnen"},
    "in_a_deal": {"en": "a deal is open", "de": "eine Verkaufschance ist offen"},
    "deal_lost": {
        "en": "the deal was lost: back to marketing",
        "de": "der Auftrag ging verloren: zurück ans Marketing",
    },
    "data_wanted": {
        "en": "too little is known to judge it: more data is wanted first",
        "de": "zu wenig bekannt für ein Urteil: zuerst fehlen noch Angaben",
    },
    "reentry_waits": {
        "en": "hot, but it came back to marketing too recently to be handed over again",
        "de": "heiß, aber erst vor Kurzem ans Marketing zurückgekommen; es wird noch nicht wieder übergeben",
    },
    "hot_gates_passed": {
        "en": "hot, and every gate is passed",
        "de": "heiß, und alle Bedingungen sind erfüllt",
    },
    "gate_unknown": {
        "en": "hot, but a gate is not known yet",
        "de": "heiß, aber eine Bedingung ist noch nicht bekannt",
    },
    "gate_missed": {
        "en": "hot, but a gate is missed",
        "de": "heiß, aber eine Bedingung ist nicht erfüllt",
    },
    "gate_lost": {
        "en": "hot, but a gate is no longer passed: back to marketing",
        "de": "heiß, aber eine Bedingung ist nicht mehr erfüllt: zurück ans Marketing",
    },
    "score_uncertain": {
        "en": "what is not known could change the score enough to matter: it stays where it is",
        "de": "was nicht bekannt ist, könnte die Punktzahl entscheidend ändern: es bleibt, wo es ist",
    },
    "cooled": {
        "en": "cooled down before sales accepted it: back to marketing",
        "de": "abgekühlt, bevor der Vertrieb annahm: zurück ans Marketing",
    },
    "not_taken_up": {
        "en": "sales did not take it up in time: back with marketing for a while",
        "de": "vom Vertrieb nicht rechtzeitig aufgegriffen: für eine Weile zurück im Marketing",
    },
    "wavering": {"en": "wavering", "de": "schwankend"},
    "cold": {"en": "cold: it waits", "de": "kalt: es wartet"},
    "not_scored": {
        "en": "not scored, at the person's wish or by law: facts alone move it",
        "de": "nicht bewertet, auf Wunsch der Person oder von Rechts wegen: nur Tatsachen bewegen es",
    },
}


def why(code: str, lang: Language = "en") -> str:
    """What a code of ``stage_why`` means."""
    return WHY[code][lang]


def ago(days: int, lang: Language = "en") -> str:
    """An age in words: ``9 days ago``."""
    today, one, many = _AGES[lang]
    return today if days == 0 else one if days == 1 else many.format(days)


def reasons(verdicts: pl.DataFrame, policy: Policy, lang: Language = "en") -> pl.Series:
    """One sentence a lead: the rules that gave points, in the policy's order, with how long ago.

    ``25 Mid-size online shop · 21 Asked to be contacted 9 days ago``. What a cap takes off stands last, and what is
    wanted of a lead that is not judged for want of data first. ``verdicts`` has the columns that
    ``judge`` gives. Rules without points are left out; what could not be judged is in ``coverage``.
    """
    tables = [_told(verdicts, chunk, lang) for chunk in _chunks(policy)]
    plain = not policy.caps and not policy.ask_below and not verdicts["temperature"].null_count()
    if plain and (sentences := _sentences(tables)) is not None:
        texts, places = sentences
        # The few sentences are completed, and not each lead's.
        return looked_up(texts.fill_null(_NO_POINTS[lang]).rechunk(), places).alias("reasons")
    parts = [looked_up(texts, places) for texts, places in tables]
    parts += [_capped(verdicts, place, policy, lang) for place in range(len(policy.caps))]
    if policy.ask_below:
        parts.insert(0, wanted(verdicts, policy, lang))
    if not parts or verdicts.is_empty():
        return pl.Series("reasons", [_NO_POINTS[lang]] * verdicts.height, dtype=pl.String)
    sentence = _joined(parts).fill_null("")
    silent = sentence == ""
    if not silent.any():
        return sentence.alias("reasons")
    nothing = pl.Series([_NO_POINTS[lang]], dtype=pl.String)
    not_scored = pl.Series([why("not_scored", lang)], dtype=pl.String)
    told_why = choose(known(verdicts["temperature"]), nothing, not_scored)
    return choose(silent, told_why, sentence).alias("reasons")


def wanted(verdicts: pl.DataFrame, policy: Policy, lang: Language = "en") -> pl.Series:
    """What to find out about each lead that is not judged for want of data; null for the others.

    The fields that rules look at and that could not be judged, in the policy's order; of those that the frame
    holds beside the verdict, only the blank ones.
    """
    asks = holds(verdicts["temperature"] == NOT_KNOWN_YET)
    if not asks.any():
        return every(None, pl.String(), verdicts.height)
    told: list[pl.Expr] = []
    for name in dict.fromkeys(name for rule in policy.rules for name in fields_of(rule)):
        open_ = [f"_u{place}" for place, rule in enumerate(policy.rules) if name in fields_of(rule)]
        here = pl.any_horizontal(open_)
        told.append(
            pl.when(here & pl.col(name).is_null() if name in verdicts.columns else here).then(pl.lit(name))
        )
    listed = verdicts.select(pl.concat_str(told, separator=", ", ignore_nulls=True).alias("listed"))["listed"]
    return choose(asks, _WANTED[lang] + listed, every(None, pl.String(), verdicts.height))


def fields_of(rule: Rule) -> tuple[str, ...]:
    """The lead fields that a rule looks at, the date that ages among them."""
    return tuple(dict.fromkeys((*rule.when.fields, *((rule.since,) if rule.since else ()))))


def _capped(verdicts: pl.DataFrame, place: int, policy: Policy, lang: Language) -> pl.Series:
    """What a cap took off, null for nothing."""
    off = verdicts[f"_c{place}"]
    text = off.cast(pl.String) + f" {cap_name(policy.caps[place], lang)}"
    return choose(off != 0, text, every(None, pl.String(), verdicts.height))


def cap_name(cap: Cap, lang: Language = "en") -> str:
    """A cap, as it stands among the points."""
    return _CAPPED[lang].format(name=_HALVES[lang].get(cap.name, f"“{cap.name}”"), most=cap.most)


_Chunk = list[tuple[int, Rule]]
#: Texts, and for each lead the place of its own among them (UInt32).
_Table = tuple[pl.Series, pl.Series]
#: From so many leads on it pays to look whether many of them say the same.
ENOUGH = 5_000
#: So many sentences can be told apart by number.
_MOST_SENTENCES = 2**62


def _chunks(policy: Policy) -> list[_Chunk]:
    """The rules in order: one that fades stands alone, up to ten that do not stand together."""
    chunks: list[_Chunk] = []
    for place, rule in enumerate(policy.rules):
        last = chunks[-1] if chunks else []
        joins = rule.half_life_days is None and last and last[0][1].half_life_days is None and len(last) < 10
        if joins:
            last.append((place, rule))
        else:
            chunks.append([(place, rule)])
    return chunks


def _joined(parts: Sequence[pl.Series]) -> pl.Series:
    """The parts of each lead as one sentence, null where it has none."""
    if len(parts) == 1:
        return parts[0]
    told = pl.DataFrame([part.alias(str(place)) for place, part in enumerate(parts)])
    sentence = told.select(pl.concat_str(pl.all(), separator=SEPARATOR, ignore_nulls=True))["0"]
    return choose(sentence == "", every(None, pl.String(), len(sentence)), sentence)


def _sentences(tables: Sequence[_Table]) -> _Table | None:
    """The tables as one: each sentence that some lead has, and which is each lead's; None where few say the same.

    Leads that look the same texts up share a number, so that a sentence is written once.
    """
    height = len(tables[0][1]) if tables else 0
    sizes = [len(texts) for texts, _ in tables]
    if height < ENOUGH or prod(sizes) > _MOST_SENTENCES:
        return None
    number = every(0, pl.UInt64(), height)
    for size, (_, places) in zip(sizes, tables, strict=True):
        number = number * one(size, pl.UInt64()) + places.cast(pl.UInt64)
    distinct = number.unique().alias("number").to_frame().with_row_index("place")
    if distinct.height * 2 > height:
        return None
    left, parts = distinct["number"], []
    for size, (texts, _) in zip(reversed(sizes), reversed(tables), strict=True):
        parts.append(looked_up(texts, (left % size).cast(pl.UInt32)))
        left = left // size
    at = number.alias("number").to_frame().join(distinct, on="number", how="left", maintain_order="left")
    return _joined(parts[::-1]), at["place"]


def _told(verdicts: pl.DataFrame, chunk: _Chunk, lang: Language) -> _Table:
    """The reasons of some rules as texts (null for none), and which of them is each lead's.

    Every text that these rules can give is written once, and each lead looks its own up: rules that do not
    fade have one per combination of those that counted, a rule that fades one per day of age.
    """
    place, rule = chunk[0]
    points = verdicts[f"_p{place}"]
    if rule.half_life_days is not None:
        texts = _told_by_age(rule.name, rule.points, rule.half_life_days, lang)
        last = one(len(texts) - 1, pl.Int32())
        age = verdicts[f"_a{place}"]
        day = choose(points != 0, choose(age >= last, last, age), last)
        return texts, day.cast(pl.UInt32)
    counted = every(0, pl.UInt32(), verdicts.height)
    for bit, (at, _) in enumerate(chunk):
        met = verdicts[f"_p{at}"] != 0
        counted = counted + choose(met, one(1 << bit, pl.UInt32()), one(0, pl.UInt32()))
    return _told_together(tuple(f"{told.points} {told.name}" for _, told in chunk)), counted


@lru_cache(maxsize=256)
def _told_by_age(name: str, points: int, half_life_days: Decimal, lang: Language) -> pl.Series:
    """The reason by age in days; the last, when no points are left, is null."""
    left = decayed_points(points, half_life_days)
    texts = [f"{value} {name} {ago(day, lang)}" if value else None for day, value in enumerate(left)]
    return pl.Series(texts, dtype=pl.String)


@lru_cache(maxsize=256)
def _told_together(reasons: tuple[str, ...]) -> pl.Series:
    """The sentence of each combination of these reasons, by the sum of their bits."""
    texts: list[str | None] = [None]
    for reason in reasons:
        texts += [f"{before}{SEPARATOR}{reason}" if before else reason for before in texts]
    return pl.Series(texts, dtype=pl.String)


def points_of(row: Mapping[str, Any], policy: Policy, lang: Language = "en") -> list[dict[str, Any]]:
    """The points of one verdict, as ``{"rule", "points", "because"}``; they sum to its score.

    ``row`` is a verdict as a dictionary; where it also holds the lead's own fields, ``because`` quotes those
    that the rule looked at. Personal data, then: for people who may see the lead, never for a log.
    """
    counted = [
        {"rule": rule.name, "points": row[f"_p{place}"], "because": because(row, place, rule, lang)}
        for place, rule in enumerate(policy.rules)
        if row[f"_p{place}"]
    ]
    shared = {"en": "together {}", "de": "zusammen {}"}[lang]
    for place, cap in enumerate(policy.caps):
        if row[f"_c{place}"]:
            names = ", ".join(policy.rules[at].name for at in cap.places if row[f"_p{at}"])
            counted.append(
                {"rule": cap_name(cap, lang), "points": row[f"_c{place}"], "because": shared.format(names)}
            )
    return counted


def because(row: Mapping[str, Any], place: int, rule: Rule, lang: Language = "en") -> str:
    """What one rule looked at: the lead's values, and the age of its points."""
    said = [
        f"{name} = {_value(row, name, lang)}"
        for name in rule.when.fields
        if row.get(name) is not None and name != rule.since
    ]
    if rule.half_life_days is not None and row.get(f"_a{place}") is not None:
        said.append(f"{rule.since}: {ago(row[f'_a{place}'], lang)}")
        halves = "{} points, halved every {} days" if lang == "en" else "{} Punkte, halbiert alle {} Tage"
        said.append(halves.format(rule.points, rule.half_life_days))
    return "; ".join(said) or rule.when.text.strip()


def _value(row: Mapping[str, Any], name: str, lang: Language) -> str:
    value = row[name]
    if isinstance(value, bool):
        return {"en": ("no", "yes"), "de": ("nein", "ja")}[lang][value]
    code = row.get(f"{name}_currency")
    return f"{value} {code}" if code else str(value)
