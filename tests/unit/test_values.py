"""What a text in a CRM is read as, one table a type. Nothing that cannot be read is ever a blank."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest

from mapping.lead import FieldType, dtype_of
from mapping.values import Problem, Reading, ValueMap, clean
from mapping.values.cells import STILL_FEW

P = Problem


def read_one(kind: FieldType, text: str | None, **how: Any) -> Any:
    """The value of a single cell, or its Problem; both ways of reading must give the same."""
    few = clean(kind, pl.Series([text], dtype=pl.String()), Reading(**how))
    many = clean(kind, pl.Series([text, None] * STILL_FEW, dtype=pl.String()), Reading(**how))
    assert few.values.dtype == many.values.dtype == dtype_of(kind)
    assert few.values[0] == many.values[0] == many.values[2]
    assert many.values[1] is None
    problems = [None if cleaned.problems is None else cleaned.problems[0] for cleaned in (few, many)]
    assert problems[0] == problems[1]
    return few.values[0] if problems[0] is None else Problem(problems[0])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Anna Müller", "Anna Müller"),
        ("  Anna\u00a0 Müller\n", "Anna Müller"),
        ("McDONALD's", "McDONALD's"),
        ("u\u0308ber", "über"),
        ("\u212bngström", "Ångström"),
        ("x\u200by\ufeff", "xy"),
        ("a\x00b\tc", "ab c"),
        ("👩\u200d💻 dev", "👩\u200d💻 dev"),
        ("\u202bשלום\u202c", "שלום"),
        ("محمد علي", "محمد علي"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("李 明", "李 明"),
        ("Straße 5", "Straße 5"),
        ("", None),
        (" \u00a0\t", None),
        ("\u200b", None),
        (None, None),
    ],
)
def test_text_loses_what_nobody_sees_and_keeps_its_letters(text: str | None, value: str | None) -> None:
    assert read_one(FieldType.TEXT, text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("first\r\nsecond  line ", "first\nsecond line"),
        ("a\n\n\n\nb", "a\n\nb"),
        ("\n a\u2028b\n", "a\nb"),
        ("\n \n", None),
    ],
)
def test_notes_keep_their_lines(text: str, value: str | None) -> None:
    assert read_one(FieldType.TEXT, text, lines=True) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("anna@firma.de", "anna@firma.de"),
        (" Anna.Mueller+Messe@Firma-X.CO.UK ", "anna.mueller+messe@firma-x.co.uk"),
        ("Anna <Anna@Firma.de>", "anna@firma.de"),
        ("mailto:anna@firma.de", "anna@firma.de"),
        ("MAILTO:anna@firma.de", "anna@firma.de"),
        ("anna@münchen.de", "anna@xn--mnchen-3ya.de"),
        ("anna@xn--mnchen-3ya.de", "anna@xn--mnchen-3ya.de"),
        ("\u202aanna@firma.de\u202c", "anna@firma.de"),
        ("o'brien@firma.ie", "o'brien@firma.ie"),
        ("x@firma.test", "x@firma.test"),
        ("", None),
        (None, None),
        ("anna@firma", P.NOT_AN_EMAIL),
        ("anna..b@firma.de", P.NOT_AN_EMAIL),
        ("anna b@firma.de", P.NOT_AN_EMAIL),
        ("anna@-firma.de", P.NOT_AN_EMAIL),
        ("a" * 65 + "@firma.de", P.NOT_AN_EMAIL),
        ("n/a", P.NOT_AN_EMAIL),
        ("keine", P.NOT_AN_EMAIL),
        ("a@b.de; c@d.de", P.SEVERAL_EMAILS),
    ],
)
def test_an_address_is_lower_case_and_valid_or_a_problem(text: str | None, value: object) -> None:
    assert read_one(FieldType.EMAIL, text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("https://firma.de/Pfad?a=B", "https://firma.de/Pfad?a=B"),
        ("HTTP://WWW.Firma.de/", "http://firma.de"),
        ("https://www.firma.de/Pfad", "https://firma.de/Pfad"),
        ("https://www.de", "https://www.de"),
        ("www.firma.de", "https://firma.de"),
        ("//firma.de", "https://firma.de"),
        ("firma.de:8080/a#b", "https://firma.de:8080/a#b"),
        ("https://firma.de:443", "https://firma.de"),
        ("müller.de/Ä", "https://xn--mller-kva.de/Ä"),
        (" ", None),
        ("firma", P.NOT_A_URL),
        ("n/a", P.NOT_A_URL),
        ("ftp://firma.de", P.NOT_A_URL),
        ("javascript:alert(1)", P.NOT_A_URL),
        ("https://user:secret@firma.de", P.NOT_A_URL),
        ("https://firma.de:99999", P.NOT_A_URL),
        ("https://[::1", P.NOT_A_URL),
        ("firma.de und firma.com", P.NOT_A_URL),
    ],
)
def test_a_web_address_has_a_scheme_and_a_lower_case_host(text: str, value: object) -> None:
    assert read_one(FieldType.URL, text) == value


@pytest.mark.parametrize(
    ("text", "code"),
    [
        *((name, "DE") for name in ("DE", "de", "DEU", "D", "BRD", "Deutschland", "GERMANY", "Allemagne")),
        *((name, "DE") for name in ("Alemania", "Germania", "Duitsland", " germany ", "Deutschland (DE)")),
        *(
            (name, "AT")
            for name in ("A", "Österreich", "Oesterreich", "ÖSTERREICH", "Autriche", "O\u0308sterreich")
        ),
        *((name, "CH") for name in ("Schweiz", "Suisse", "Helvetia", "Svizzera", "CHE", "Switzerland")),
        *((name, "GB") for name in ("UK", "U.K.", "England", "Großbritannien", "Grossbritannien")),
        *((name, "US") for name in ("USA", "u.s.a.", "United States of America", "Vereinigte Staaten")),
        ("Côte d’Ivoire", "CI"),
        ("日本", "JP"),
        ("Ελλάδα", "GR"),
        ("Türkiye", "TR"),
        ("Tschechien", "CZ"),
        ("Czech Republic", "CZ"),
        ("Kosovo", "XK"),
        ("  ", None),
        ("Atlantis", P.UNKNOWN_COUNTRY),
        *((nothing, P.UNKNOWN_COUNTRY) for nothing in ("n/a", "N.A.", "na", "k.A.", "unknown")),
        ("NA", "NA"),
        ("-", P.UNKNOWN_COUNTRY),
        ("ZZ", P.UNKNOWN_COUNTRY),
    ],
)
def test_a_country_is_known_by_code_and_by_name_in_many_languages(text: str, code: object) -> None:
    assert read_one(FieldType.COUNTRY, text) == code


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0221/12345-67", "+492211234567"),
        ("+49 (0)221 1234567", "+492211234567"),
        ("0049 221 1234567", "+492211234567"),
        ("+492211234567", "+492211234567"),
        ("\u202a+49\u00a0221 1234567\u202c", "+492211234567"),
        ("٠٢٢١١٢٣٤٥٦٧", "+492211234567"),
        ("Tel.: 0221 1234567", "+492211234567"),
        ("tel:+492211234567", "+492211234567"),
        ("0221 12345 Durchwahl 67", "+492211234567"),
        ("0221 12345 Dw. 67", "+492211234567"),
        ("+1 650-253-0000 ext. 12", "+16502530000"),
        ("+1 650-253-0000 x12", "+16502530000"),
        ("+39 (0)6 12345678", "+390612345678"),
        ("+44 (0) 20 7946 0018", "+442079460018"),
        ("", None),
        ("n/a", P.NOT_A_PHONE),
        ("keine", P.NOT_A_PHONE),
        ("-", P.NOT_A_PHONE),
        ("12345", P.NOT_A_PHONE),
        ("0000000", P.NOT_A_PHONE),
        ("0800-FLOWERS", P.NOT_A_PHONE),
        ("+49 221", P.NOT_A_PHONE),
        ("+999 123456789", P.NOT_A_PHONE),
        ("+49 221 / 1234567", "+492211234567"),
        ("0221 / 12 34 56 7", "+492211234567"),
        ("(0221) 1234567", "+492211234567"),
        ("+49(0)221/1234567", "+492211234567"),
        ("+49 221, 1234567", "+492211234567"),
        ("+41 (0)44 668 18 00", "+41446681800"),
        ("001 650 253 0000", "+16502530000"),
        ("+43 1 58858-0", "+431588580"),
        ("0221 1234567 / 0171 9876543", P.SEVERAL_PHONES),
        ("0221 1234567; 0171 9876543", P.SEVERAL_PHONES),
        ("0221 1234567 oder 0171 9876543", P.SEVERAL_PHONES),
    ],
)
def test_a_phone_number_becomes_e164_or_a_problem(text: str, value: object) -> None:
    assert read_one(FieldType.PHONE, text, default_region="DE") == value


@pytest.mark.parametrize("region", ["US", None])
@pytest.mark.parametrize("label", ["", "tel:", "Tel: ", "Tel. "])
def test_a_number_that_names_its_country_needs_no_other_one_whatever_stands_before_it(
    label: str, region: str | None
) -> None:
    assert read_one(FieldType.PHONE, f"{label}0049 221 1234567", default_region=region) == "+492211234567"


@pytest.mark.parametrize("repeat", [1, STILL_FEW])
def test_a_number_without_a_country_stands_in_the_country_of_its_record(repeat: int) -> None:
    texts = pl.Series(["(650) 253-0000", "044 668 18 00", "0221 1234567", None] * repeat)
    regions = pl.Series(["US", "CH", None, "DE"] * repeat)
    cleaned = clean(FieldType.PHONE, texts, Reading(regions=regions, default_region="DE"))
    assert cleaned.values.to_list() == ["+16502530000", "+41446681800", "+492211234567", None] * repeat
    assert cleaned.problems is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((word, True) for word in ("true", "TRUE", "Ja", "yes", "1", "oui", "sí", "wahr", " y ")),
        *((word, False) for word in ("false", "Nein", "no", "0", "non", "falsch")),
        (" ", None),
        (None, None),
        ("maybe", P.NOT_A_BOOLEAN),
        ("2", P.NOT_A_BOOLEAN),
    ],
)
def test_yes_and_no_come_in_many_words(text: str | None, value: object) -> None:
    assert read_one(FieldType.BOOLEAN, text) is value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-11-22", date(2026, 11, 22)),
        ("1795305600000", date(2026, 11, 22)),
        ("2026-11-22T23:59:59Z", date(2026, 11, 22)),
        ("2026-11-22T23:59:59-02:00", date(2026, 11, 23)),
        ("22.11.2026", date(2026, 11, 22)),
        ("1.2.2026", date(2026, 2, 1)),
        ("11/22/2026", date(2026, 11, 22)),
        ("5/5/2026", date(2026, 5, 5)),
        ("-86400000000", date(1967, 4, 7)),
        (" ", None),
        ("5/6/2026", P.AMBIGUOUS_DATE),
        ("2026-02-30", P.NOT_A_DATE),
        ("31.02.2026", P.NOT_A_DATE),
        ("soon", P.NOT_A_DATE),
        ("20261122", P.NOT_A_DATE),
        ("2026", P.NOT_A_DATE),
    ],
)
def test_a_day_is_read_from_what_crms_and_people_write(text: str, value: object) -> None:
    assert read_one(FieldType.DATE, text) == value


@pytest.mark.parametrize(("day_first", "value"), [(True, date(2026, 6, 5)), (False, date(2026, 5, 6))])
def test_day_first_settles_dates_with_slashes(day_first: bool, value: date) -> None:
    assert read_one(FieldType.DATE, "5/6/2026", day_first=day_first) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-11-22T10:11:12Z", datetime(2026, 11, 22, 10, 11, 12, tzinfo=UTC)),
        ("2026-11-22T10:11:12.987Z", datetime(2026, 11, 22, 10, 11, 12, tzinfo=UTC)),
        ("2013-05-07T22:07:19.000+0000", datetime(2013, 5, 7, 22, 7, 19, tzinfo=UTC)),
        ("2026-11-22T10:11:12+02:00", datetime(2026, 11, 22, 8, 11, 12, tzinfo=UTC)),
        ("1795305600123", datetime(2026, 11, 22, tzinfo=UTC)),
        ("2026-11-22", datetime(2026, 11, 22, tzinfo=UTC)),
        ("2026-11-22 10:30", datetime(2026, 11, 22, 10, 30, tzinfo=UTC)),
        ("22.11.2026 10:30", datetime(2026, 11, 22, 10, 30, tzinfo=UTC)),
        ("1969-12-31T23:59:59.500Z", datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (None, None),
        ("2026-11-22T25:00:00Z", P.NOT_A_DATE),
        ("9999999999999999", P.NOT_A_DATE),
        ("gestern", P.NOT_A_DATE),
    ],
)
def test_a_time_is_utc_to_the_second(text: str | None, value: object) -> None:
    assert read_one(FieldType.DATETIME, text) == value


INDUSTRY = ValueMap(
    "industry",
    {
        "E-Commerce": {"hubspot": ["RETAIL", "INTERNET"], "salesforce": ["Retail"]},
        "Maschinenbau": {"hubspot": ["MACHINERY", "Retail"], "salesforce": ["Machinery"]},
    },
)


@pytest.mark.parametrize(
    ("crm", "text", "value"),
    [
        ("hubspot", "RETAIL", "E-Commerce"),
        ("hubspot", "INTERNET", "E-Commerce"),
        ("hubspot", "Retail", "Maschinenbau"),  # the exact word comes before one in another case
        ("hubspot", "internet", "E-Commerce"),
        ("hubspot", "RETAIL;INTERNET", "E-Commerce"),
        ("hubspot", "RETAIL;MACHINERY", P.SEVERAL_WORDS),
        ("hubspot", "RETAIL;???", P.UNKNOWN_WORD),
        ("hubspot", "retail", P.UNKNOWN_WORD),  # two words differ only in case: neither is meant
        ("salesforce", " retail ", "E-Commerce"),
        ("salesforce", "INTERNET", P.UNKNOWN_WORD),
        ("salesforce", "E-Commerce", P.UNKNOWN_WORD),
        ("salesforce", "", None),
    ],
)
def test_a_choice_is_read_by_the_words_of_its_crm(crm: str, text: str, value: object) -> None:
    assert read_one(FieldType.CHOICE, text, crm=crm, values=INDUSTRY) == value


def test_a_problem_never_repeats_the_value() -> None:
    cleaned = clean(FieldType.EMAIL, pl.Series(["geheim-4711"]), Reading())
    assert cleaned.problems is not None
    assert cleaned.problems.to_list() == ["not_an_email: not an e-mail address"]


@pytest.mark.parametrize("kind", list(FieldType))
@pytest.mark.parametrize("height", [0, 3, STILL_FEW + 1])
def test_a_column_of_blanks_is_read_as_blanks(kind: FieldType, height: int) -> None:
    cleaned = clean(kind, pl.Series([None] * height, dtype=pl.String()), Reading())
    assert cleaned.values.dtype == dtype_of(kind)
    assert cleaned.values.null_count() == height
    assert not cleaned.unreadable.any()
