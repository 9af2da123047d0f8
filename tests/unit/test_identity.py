"""The keys that make two records the same lead, and what tells two people apart."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapping.identity import company_key, derive, keys, name_key, same_company, same_name
from mapping.lead import DERIVED_FIELDS, columns_of
from mapping.names import one_typo

TEXT = pl.String()


def key_of_name(name: str | None) -> str | None:
    frame = pl.DataFrame({"name": [name]}, schema={"name": TEXT})
    key = frame.select(name_key(pl.col("name"), pl.lit(None, dtype=TEXT))).item()
    return None if key is None else str(key)


def key_of_company(name: str | None) -> str | None:
    frame = pl.DataFrame({"company": [name]}, schema={"company": TEXT})
    key = frame.select(company_key(pl.col("company"))).item()
    return None if key is None else str(key)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Anna Müller", "anna mueller"),
        ("MUELLER, Anna", "anna mueller"),
        ("Mu\u0308ller Anna", "anna mueller"),
        ("Dr. med. Anna Müller", "anna mueller"),
        ("Prof. Dr. Jürgen Groß", "gross juergen"),
        ("Søren Ærø", "aeroe soeren"),
        ("Zoë O'Neil", "oneil zoe"),
        ("Zoe O’Neil", "oneil zoe"),
        ("Anna-Maria Müller-Lüdenscheidt", "anna luedenscheidt maria mueller"),
        ("John Smith Jr.", "john jr smith"),
        ("Иван Петров", "иван петров"),
        ("李 明", "明 李"),
        ("محمد علي", "علي محمد"),
        ("Anna 🌸 Berg", "anna berg"),
        ("Ing", "ing"),  # a title that is all there is, is the name
        ("Cigdem Yıldız", "cigdem yildiz"),
        ("Na Hee-Young", "hee na young"),
        ("Null", "null"),
        ("n/a", None),
        ("[not provided]", None),
        ("...", None),
        ("", None),
        (None, None),
    ],
)
def test_a_name_key_forgets_case_accents_titles_and_order(name: str | None, key: str | None) -> None:
    assert key_of_name(name) == key


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("Jon Smith", "John Smith", True),
        ("Jhon Smith", "John Smith", True),
        ("A. Müller", "Anna Mueller", True),
        ("Anna Muller", "Anna Müller", True),
        ("Müller, Hans", "Hans Mueller", True),
        ("Marc Weber", "Mark Weber", True),
        ("Thomas Meier", "Tomas Meyer", True),
        ("Philipp Schmidt", "Filip Schmitt", True),
        ("Rüdiger Müüller", "Rüdiger Mülller", True),
        ("Catherine Lee", "Katherine Lee", True),
        ("Bob Johnson", "Bob Jonson", True),
        ("Anna Maria Weber", "Anna Weber", True),
        ("John Smith Jr", "John Smith", True),
        ("Smith", "Smith", True),
        # Different people who may well share an address
        ("Adam Alexander", "Alan Alexander", False),
        ("Paul Schmidt", "Paula Schmidt", False),
        ("Andrea Rossi", "Andreas Rossi", False),
        ("Marie Curie", "Maria Curie", False),
        ("Martin Koch", "Martina Koch", False),
        ("Mario Conti", "Maria Conti", False),
        ("Tim Berg", "Tom Berg", False),
        ("Ann Lee", "Anne Lee", False),
        ("Robert Alan", "Robert Allen", False),
        ("John Smith Jr", "John Smith Sr", False),
        ("Bob Jonson", "Rob Johnson", False),
        ("Anna Müller", "Eva Schulz", False),
        ("Smith", "Anna Jones", False),
        ("李明", "王芳", False),
        # Too little to say
        ("Smith", "John Smith", None),
        ("Smit", "Smith", None),
        ("A. B.", "Anna Berg", None),
        (None, "Anna Berg", None),
        (None, None, None),
    ],
)
def test_names_agree_when_they_can_only_be_one_person(
    left: str | None, right: str | None, same: bool | None
) -> None:
    frame = pl.DataFrame({"a": [key_of_name(left)], "b": [key_of_name(right)]}, schema={"a": TEXT, "b": TEXT})
    assert frame.select(same_name("a", "b")).item() is same
    assert frame.select(same_name("b", "a")).item() is same


@pytest.mark.parametrize(
    ("company", "key"),
    [
        ("Müller & Söhne GmbH & Co. KG", "mueller und soehne"),
        ("Mueller und Soehne", "mueller und soehne"),
        ("ACME, Inc.", "acme"),
        ("Acme Ltd", "acme"),
        ("Foo S.p.A.", "foo"),
        ("L'Oréal S.A.", "loreal"),
        ("Kowalski Sp. z o.o.", "kowalski"),
        ("A.P. Møller - Mærsk A/S", "ap moeller maersk"),
        ("Verein zur Förderung e. V.", "verein zur foerderung"),
        ("Siemens Energy AG", "siemens energy"),
        ("Beispiel UG (haftungsbeschränkt)", "beispiel"),
        ("株式会社テスト", "株式会社テスト"),
        ("GmbH", "gmbh"),
        ("KG & Co", "kg"),
        ("Huber Holz e.U.", "huber holz"),
        ("Örnek İnşaat Ltd. Şti.", "oernek insaat"),
        ("ТОВ Приклад", "тов приклад"),
        ("n/a", None),
        ("Unbekannt", None),
        ("Privat", None),
        ("[not provided]", None),
        ("?!", None),
        (None, None),
    ],
)
def test_a_company_key_forgets_legal_forms_and_punctuation(company: str | None, key: str | None) -> None:
    assert key_of_company(company) == key


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("Müller GmbH", "Mueller AG", True),
        ("Northwind Traders", "NorthwindTraders Ltd.", True),
        ("Contosso", "Contoso", True),
        ("Siemens", "Siemens Energy", False),
        ("Studio 54", "Studio 55", False),
        ("ABC", "ABD", False),
        (None, "Acme", None),
    ],
)
def test_companies_agree_by_their_own_name(left: str | None, right: str, same: bool | None) -> None:
    frame = pl.DataFrame(
        {"a": [key_of_company(left)], "b": [key_of_company(right)]}, schema={"a": TEXT, "b": TEXT}
    )
    assert frame.select(same_company("a", "b")).item() is same


def test_many_pairs_are_compared_at_once_and_in_order() -> None:
    frame = pl.DataFrame({"a": ["jon smith", "a b", None] * 50, "b": ["john smith", "a b", "x"] * 50})
    assert frame.select(same_name("a", "b")).to_series().to_list() == [True, True, None] * 50
    assert frame.clear().select(same_name("a", "b")).height == 0


NAMES = st.lists(st.sampled_from(["a", "anna", "ana", "berg", "bergs", "smith", "smiht", "jo"]), max_size=4)


@given(NAMES, NAMES)
def test_agreement_is_the_same_from_both_sides(left: list[str], right: list[str]) -> None:
    frame = pl.DataFrame({"a": [" ".join(left)], "b": [" ".join(right)]})
    assert frame.select(same_name("a", "b")).item() is frame.select(same_name("b", "a")).item()


@given(st.text("abc", min_size=1, max_size=5), st.text("abc", min_size=1, max_size=5))
def test_one_typo_is_the_same_from_both_sides(left: str, right: str) -> None:
    assert one_typo(left, right) == one_typo(right, left)
    assert one_typo(left, left)
    assert one_typo(left, left[:-1] + "xa"[len(left) % 2])


def test_the_domain_key_is_the_registrable_domain_of_a_company_and_never_of_a_mailbox_provider() -> None:
    frame = pl.DataFrame(
        {
            "email": ["a@shop.firma.co.uk", "a@gmail.com", "a@gmail.com", None, "a@firma.de", None],
            "website": [None, "https://www.firma.de/x", "https://gmail.com", "https://a.b.com:8", None, None],
        },
        schema={"email": TEXT, "website": TEXT},
    )
    assert keys(frame)["_domain_key"].to_list() == [
        "firma.co.uk",
        "firma.de",
        None,
        "b.com",
        "firma.de",
        None,
    ]


@pytest.mark.parametrize(
    ("email", "role"),
    [
        ("info@firma.de", True),
        ("vertrieb@firma.de", True),
        ("kontakt+messe@firma.de", True),
        ("info.mueller@firma.de", False),
        ("anna@firma.de", False),
        (None, None),
    ],
)
def test_an_address_of_a_role_does_not_name_a_person(email: str | None, role: bool | None) -> None:
    frame = pl.DataFrame({"email": [email]}, schema={"email": TEXT})
    assert keys(frame)["_is_role"].to_list() == [role]


def test_the_mobile_number_is_the_key_before_the_landline() -> None:
    frame = pl.DataFrame({"phone": ["+4922112345", "+4922112345"], "mobile_phone": ["+491711234567", None]})
    assert keys(frame)["_phone_key"].to_list() == ["+491711234567", "+4922112345"]


def test_keys_keep_every_row_and_column_and_bear_missing_ones() -> None:
    frame = pl.DataFrame({"_id": ["1", "2"]})
    keyed = keys(frame)
    assert keyed["_id"].to_list() == ["1", "2"]
    assert keyed.columns == [
        *("_id", "_email_key", "_is_role", "_name_key", "_company_key", "_phone_key", "_domain_key"),
    ]
    assert keyed.drop("_id").null_count().sum_horizontal().item() == 12


def lead(**values: object) -> dict[str, object]:
    return derive(pl.DataFrame([values]), in_hubspot=pl.lit(True), in_salesforce=pl.lit(False)).row(
        0, named=True
    )


@pytest.mark.parametrize(
    ("known", "company_lead"),
    [
        ({"company": "Nordwind AG"}, True),
        ({"company": "Nordwind AG", "email": "info@nordwind.example"}, True),
        ({"company": "Nordwind AG", "email": "vertrieb+messe@nordwind.example"}, True),
        ({"website": "https://nordwind.example", "phone": "+49301234567"}, True),
        # A name, or an address that is somebody's own, is a person.
        ({"company": "Nordwind AG", "last_name": "Winter"}, False),
        ({"company": "Nordwind AG", "first_name": "Ada"}, False),
        ({"company": "Nordwind AG", "email": "ada@nordwind.example"}, False),
        # Without a company it is a visitor, or nobody.
        ({"email": "info@nordwind.example"}, False),
        ({}, False),
    ],
)
def test_a_company_of_which_no_person_is_known_is_a_company_lead(
    known: dict[str, str], company_lead: bool
) -> None:
    names = ("email", "first_name", "last_name", "company", "website", "phone")
    frame = pl.DataFrame({name: pl.Series([known.get(name)], dtype=pl.String) for name in names})
    here = frame.with_columns(in_hubspot=pl.lit(value=True), in_salesforce=pl.lit(value=False))
    assert derive(here)["is_company_only"].to_list() == [company_lead]


def test_only_the_fields_that_are_wanted_are_made_and_they_are_the_same() -> None:
    names = ("email", "first_name", "last_name", "company", "website", "phone")
    frame = pl.DataFrame(
        [("ada@gmx.de", None, None, "Shop", None, None), ("info@x.example", None, None, "X", None, "+49301")],
        schema=dict.fromkeys(names, pl.String()),
        orient="row",
    ).with_columns(in_hubspot=pl.lit(value=True), in_salesforce=pl.lit(value=False))
    whole = derive(frame)
    costly = {"email_domain", "is_free_mail", "is_company_only"}
    for wanted in ({"is_free_mail"}, {"email_domain"}, {"is_company_only"}, {"may_email"}, costly):
        some = derive(frame, wanted=wanted)
        assert wanted <= set(some.columns)
        assert some.equals(whole.select(some.columns))
    assert not costly & set(derive(frame, wanted={"may_email"}).columns)


def test_derived_fields_have_the_declared_columns() -> None:
    frame = pl.DataFrame({"email": ["a@b.de"], "in_hubspot": [True], "in_salesforce": [False]})
    derived = derive(frame)
    assert {name: derived.schema[name] for name in DERIVED_FIELDS} == columns_of(DERIVED_FIELDS)
    assert derived["in_hubspot"].to_list() == [True]


@pytest.mark.parametrize(
    ("values", "field", "expected"),
    [
        ({"email": "a@firma.de"}, "email_domain", "firma.de"),
        ({"email": "a@firma.de"}, "is_free_mail", False),
        ({"email": "a@gmx.de"}, "is_free_mail", True),
        ({"email": "a@mail.gmx.net"}, "is_free_mail", True),
        ({"city": "Köln"}, "is_free_mail", None),
        ({"city": "Köln"}, "has_contact_data", False),
        ({"mobile_phone": "+491711234567"}, "has_contact_data", True),
        ({"street": "Ring 1", "city": "Köln", "postal_code": "50667"}, "has_contact_data", True),
        ({"street": "Ring 1", "city": "Köln"}, "has_contact_data", False),
        ({"street": "Queen's Road 1", "city": "Hong Kong", "country": "HK"}, "may_post", True),
        ({"email": "a@firma.de"}, "may_email", True),
        ({"email": "a@firma.de", "email_opt_out": False}, "may_email", True),
        ({"email": "a@firma.de", "email_opt_out": True}, "may_email", False),
        ({"email_opt_out": False}, "may_email", False),
        # Who was asked and has not confirmed yet is not reached, and neither is who withdrew in words
        ({"email": "a@firma.de", "email_consent": "pending"}, "may_email", False),
        ({"email": "a@firma.de", "email_consent": "withdrawn"}, "may_email", False),
        ({"email": "a@firma.de", "email_consent": "confirmed"}, "may_email", True),
        ({"email": "a@firma.de", "email_consent": "confirmed", "email_opt_out": True}, "may_email", False),
        ({"phone": "+4922112345", "call_consent": "pending"}, "may_call", False),
        ({"phone": "+4922112345", "post_consent": "pending"}, "may_call", True),
        ({"phone": "+4922112345", "call_opt_out": True}, "may_call", False),
        ({"phone": "+4922112345", "email_opt_out": True}, "may_call", True),
        ({"email": "a@firma.de"}, "in_hubspot", True),
        ({"email": "a@firma.de"}, "in_salesforce", False),
    ],
)
def test_what_is_worked_out_on_every_lead(values: dict[str, object], field: str, expected: object) -> None:
    assert lead(**values)[field] == expected


@pytest.mark.shared
def test_people_who_share_an_address_agree_only_when_they_share_a_name(shared_data: Path) -> None:
    buyers = pl.read_csv(
        shared_data / "adventureworks" / "ProspectiveBuyer.csv", infer_schema=False, encoding="utf8-lossy"
    )
    people = keys(
        buyers.select(
            "ProspectiveBuyerKey", email="EmailAddress", first_name="FirstName", last_name="LastName"
        )
    ).with_row_index("row")
    pairs = people.join(people, on="_email_key", suffix="_other").filter(pl.col("row") < pl.col("row_other"))
    agreed = pairs.filter(same_name("_name_key", "_name_key_other"))
    assert pairs.height > 40
    assert agreed.filter(pl.col("_name_key") != pl.col("_name_key_other")).is_empty()
    assert agreed.select("row", "row_other").unpivot()["value"].n_unique() == 4
