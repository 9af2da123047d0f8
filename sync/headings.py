"""What the columns of somebody else's spreadsheet mean: guessed from German and English headers, always shown.

A guess is made from a dictionary alone, never from the values. What it does not know stays out, and is named.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sync.errors import WrongUse

#: Columns that are no field of a lead. ``name``: first and last name in one cell.
FULL_NAME, REFERRER = "name", "referrer"
CONSENT = ("consent_wording", "consent_at", "consent_source")
BESIDE: tuple[str, ...] = (FULL_NAME, REFERRER, *CONSENT)
#: What ``--map`` says for a column that is to be left out.
LEFT_OUT = "-"

#: Our name to the headers that mean it, folded (see ``fold``).
_WORDS: Mapping[str, str] = {
    "email": "email emailadresse emailaddress mail mailadresse epost eposta emailgeschaeftlich emailbusiness",
    "salutation": "anrede salutation",
    "first_name": "vorname firstname givenname forename rufname",
    "last_name": "nachname lastname surname familienname familyname zuname",
    FULL_NAME: "name ansprechpartner kontakt kontaktperson contact contactname fullname person vorundnachname"
    " vornamenachname namevorname",
    "job_title": "position funktion jobtitle jobtitel berufsbezeichnung rolle role stellung",
    "phone": "telefon tel telefonnummer phone phonenumber festnetz telefongeschaeftlich businessphone rufnummer",
    "mobile_phone": "mobil handy mobiltelefon mobilnummer handynummer mobile mobilephone cell cellphone",
    "language": "sprache language",
    "company": "firma unternehmen company companyname organisation organization firmenname account betrieb",
    "website": "website webseite homepage url internet web internetadresse domain",
    "industry": "branche industry",
    "annual_revenue": "umsatz jahresumsatz annualrevenue revenue umsatzeur umsatzineur turnover",
    "employees": "mitarbeiter mitarbeiterzahl anzahlmitarbeiter employees numberofemployees headcount",
    "street": "strasse strassehausnummer strassenr strasseundhausnummer adresse street address",
    "postal_code": "plz postleitzahl zip zipcode postalcode postcode",
    "city": "ort stadt city town wohnort",
    "state": "bundesland state kanton region province",
    "country": "land country staat",
    "source_detail": "kampagne messe sourcedetail herkunft",
    "description": "notiz notizen bemerkung bemerkungen kommentar anmerkung notes note comment description",
    "need": "bedarf interesse interessiertan need interest interestedin thema",
    "purchase_date": "kaufdatum geplanterkauf kaufzeitpunkt purchasedate",
    "order_volume": "auftragsvolumen bestellvolumen ordervolume budget volumen",
    "previous_orders": "fruehereauftraege auftraege previousorders",
    "email_opt_out": "keinemail keinemails emailoptout optout newsletterabgemeldet keinewerbung werbesperre",
    "call_opt_out": "keineanrufe donotcall anrufsperre",
    REFERRER: "empfohlenvon empfehler empfehlung geworbenvon referrer referredby recommendedby",
    "consent_wording": "einwilligung einwilligungstext einwilligungswortlaut consent consentwording optintext",
    "consent_at": "einwilligungam einwilligungsdatum einwilligungvom consentdate consentat optindatum optindate",
    "consent_source": "einwilligungquelle quelledereinwilligung consentsource optinquelle",
}
_KNOWN: Mapping[str, str] = {word: name for name, words in _WORDS.items() for word in words.split()}
_SPELLED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


@dataclass(frozen=True, slots=True)
class Heading:
    """One column. ``means``: our name for it, None where it is left out. ``why``: for people."""

    column: str
    means: str | None
    why: str


def fold(header: str) -> str:
    """A header without case, umlauts, blanks and punctuation: ``E-Mail-Adresse`` is ``emailadresse``."""
    return re.sub(r"[^a-z0-9]", "", header.casefold().translate(_SPELLED))


def headings(header: Sequence[str], asked: Mapping[str, str], fields: Collection[str]) -> tuple[Heading, ...]:
    """What each column means. ``asked``: column to our name, or ``-``; ``fields``: those of the field map.

    Raises WrongUse for a column or a name in ``asked`` that is not there, and where two columns would mean
    the same, or none names anybody.
    """
    named = {column.casefold(): meaning for column, meaning in asked.items()}
    _check_asked(header, asked, fields)
    found = tuple(_heading(column, named.get(column.casefold()), fields) for column in header)
    meanings = [one.means for one in found if one.means is not None]
    for name in sorted(set(meanings)):
        columns = [one.column for one in found if one.means == name]
        if len(columns) > 1:
            raise WrongUse(
                f"{' and '.join(columns)} would both be {name}",
                fix=f'leave one out: --map "{columns[-1]}={LEFT_OUT}"',
            )
    if not {"email", "last_name", FULL_NAME} & set(meanings):
        raise WrongUse(
            f"no column names a person; the columns are {', '.join(header)}",
            fix='say which one holds the address: --map "COLUMN=email"',
        )
    return found


def _check_asked(header: Sequence[str], asked: Mapping[str, str], fields: Collection[str]) -> None:
    there = {column.casefold() for column in header}
    possible = sorted({*fields, *BESIDE, LEFT_OUT})
    for column, meaning in asked.items():
        if column.casefold() not in there:
            near = difflib.get_close_matches(column, header, 1)
            raise WrongUse(f"the file has no column {column}", fix=_did_you_mean(near, header))
        if meaning not in possible:
            near = difflib.get_close_matches(meaning, possible, 1)
            raise WrongUse(f"{meaning} is no field of the map", fix=_did_you_mean(near, possible))


def _did_you_mean(near: Sequence[str], possible: Sequence[str]) -> str:
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(possible)}"


def _heading(column: str, asked: str | None, fields: Collection[str]) -> Heading:
    if asked is not None:
        return Heading(column, None if asked == LEFT_OUT else asked, "as asked")
    own = fold(column)
    guessed = own if own in BESIDE else _KNOWN.get(own)
    if guessed is None:
        guessed = next((name for name in fields if fold(name) == own), None)
    if guessed is None:
        return Heading(column, None, "not known: left out; name it with --map")
    if guessed not in fields and guessed not in BESIDE:
        return Heading(column, None, f"{guessed} is not in the field map: left out")
    return Heading(column, guessed, "guessed")
