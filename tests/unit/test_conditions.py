"""Conditions: what may be written, what is refused, and SQL's three-valued logic, judged by SQLite."""

from __future__ import annotations

import sqlite3
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapping.lead import FieldType, LeadField, columns_of
from mapping.qualification.columns import columns_for
from mapping.qualification.conditions import compile_condition
from mapping.qualification.syntax import ConditionProblem

FIELDS = {
    field.name: field
    for field in (
        LeadField("a", FieldType.BOOLEAN, ""),
        LeadField("b", FieldType.BOOLEAN, ""),
        LeadField("n", FieldType.INTEGER, ""),
        LeadField("m", FieldType.INTEGER, ""),
        LeadField("share", FieldType.NUMBER, ""),
        LeadField("title", FieldType.TEXT, ""),
        LeadField("industry", FieldType.CHOICE, ""),
        LeadField("turnover", FieldType.MONEY, ""),
        LeadField("met_on", FieldType.DATE, ""),
        LeadField("hubspot_stage", FieldType.CHOICE, ""),
    )
}
COLUMNS = columns_for(FIELDS, {"industry": ["E-Commerce", "Retail", "Public Sector"]})
T, F, U = True, False, None


def ask(text: str, **values: object) -> list[bool | None]:
    """The answers of a condition on a frame with these columns (a list each, or one value)."""
    condition = compile_condition(text, COLUMNS)
    types = {**columns_of(FIELDS), "_m_turnover": pl.Decimal(18, 2), "met_on_days": pl.Int32()}
    lists = {name: value if isinstance(value, list) else [value] for name, value in values.items()}
    height = max((len(value) for value in lists.values()), default=1)
    frame = pl.DataFrame(
        {name: pl.Series(lists.get(name, [None] * height), dtype=dtype) for name, dtype in types.items()}
    )
    return frame.with_columns(condition.expression.alias("answer"))["answer"].to_list()


@pytest.mark.parametrize(
    ("operator", "table"),
    [
        # rows: a is true, false, unknown; columns: b is true, false, unknown
        ("a AND b", [T, F, U, F, F, F, U, F, U]),
        ("a OR b", [T, T, T, T, F, U, T, U, U]),
        ("a = b", [T, F, U, F, T, U, U, U, U]),
        ("a <> b", [F, T, U, T, F, U, U, U, U]),
        ("NOT a AND b", [F, F, F, T, F, U, U, F, U]),
        ("NOT (a AND b)", [F, T, U, T, T, T, U, T, U]),
        ("a OR NOT b", [T, T, T, F, T, U, U, T, U]),
    ],
)
def test_joining_two_answers_follows_the_three_valued_table(operator: str, table: list[bool | None]) -> None:
    assert ask(operator, a=[T, T, T, F, F, F, U, U, U], b=[T, F, U] * 3) == table


@pytest.mark.parametrize(
    ("text", "answers"),
    [
        # on n = 1, 5, 9 and unknown
        ("n = 5", [F, T, F, U]),
        ("n <> 5", [T, F, T, U]),
        ("n != 5", [T, F, T, U]),
        ("n < 5", [T, F, F, U]),
        ("n <= 5", [T, T, F, U]),
        ("n > 5", [F, F, T, U]),
        ("n >= 5", [F, T, T, U]),
        ("5 < n", [F, F, T, U]),
        ("n > 4.5", [F, T, T, U]),
        ("n BETWEEN 5 AND 9", [F, T, T, U]),
        ("n NOT BETWEEN 5 AND 9", [T, F, F, U]),
        ("NOT n BETWEEN 5 AND 9", [T, F, F, U]),
        ("n IN (1, 9)", [T, F, T, U]),
        ("n NOT IN (1, 9)", [F, T, F, U]),
        ("n IN (1, NULL)", [T, U, U, U]),
        ("n NOT IN (1, NULL)", [F, U, U, U]),
        ("n IS NULL", [F, F, F, T]),
        ("n IS NOT NULL", [T, T, T, F]),
        ("(n > 4) IS TRUE", [F, T, T, F]),
        ("(n > 4) IS NOT TRUE", [T, F, F, T]),
        ("(n > 4) IS FALSE", [T, F, F, F]),
        ("(n > 4) IS NOT FALSE", [F, T, T, T]),
        ("(n > 4) IS UNKNOWN", [F, F, F, T]),
        ("n > 4 IS UNKNOWN", [F, F, F, T]),
        ("n + 1 = 6", [F, T, F, U]),
        ("n * 2 - 1 > 9", [F, F, T, U]),
        ("-n < -4", [F, T, T, U]),
        ("n / 2 = 2.5", [F, T, F, U]),
        ("1 / (n - 5) > 0", [F, U, T, U]),
        ("abs(n - 5) = 4", [T, F, T, U]),
        ("coalesce(n, 0) = 0", [F, F, F, T]),
        ("n > 4 OR TRUE", [T, T, T, T]),
        ("n > 4 AND FALSE", [F, F, F, F]),
        ("NOT NOT n > 4", [F, T, T, U]),
        ("n = 1 OR n = 5 AND n = 9", [T, F, F, U]),
        ("(n = 1 OR n = 5) AND n = 9", [F, F, F, U]),
    ],
)
def test_numbers_are_compared_as_sql_does(text: str, answers: list[bool | None]) -> None:
    assert ask(text, n=[1, 5, 9, None]) == answers


@pytest.mark.parametrize(
    ("text", "answers"),
    [
        # on the titles below
        ("title = 'CMO'", [F, F, T, F, U]),
        ("title <> 'CMO'", [T, T, F, T, U]),
        ("title IN ('CMO', 'x')", [F, F, T, F, U]),
        ("title LIKE 'Head%'", [T, F, F, F, U]),
        ("title LIKE 'head%'", [F, F, F, F, U]),
        ("title ILIKE 'head%marketing'", [T, F, F, F, U]),
        ("title ILIKE '%MARKETING%'", [T, T, F, F, U]),
        ("title NOT ILIKE '%marketing%'", [F, F, T, T, U]),
        ("title ILIKE '%ÜRKUNDEN%'", [F, F, F, T, U]),
        ("title LIKE '_MO'", [F, F, T, F, U]),
        ("title LIKE '100\\%%'", [F, F, F, T, U]),
        ("title LIKE ''", [F, F, F, F, U]),
        ("title LIKE '%'", [T, T, T, T, U]),
        ("title ILIKE '%marketing%' OR title ILIKE '%cmo%'", [T, T, T, F, U]),
        ("title ILIKE '%leitung%' OR n = 1 OR title ILIKE '%cmo%'", [U, T, T, U, U]),
        ("lower(title) = 'cmo'", [F, F, T, F, U]),
        ("upper(title) = 'CMO'", [F, F, T, F, U]),
        ("length(title) = 3", [F, F, T, F, U]),
        ("starts_with(title, 'Head')", [T, F, F, F, U]),
        ("ends_with(title, 'Leitung')", [F, T, F, F, U]),
        ("contains(title, '%')", [F, F, F, T, U]),
        ("coalesce(title, '') ILIKE '%cmo%'", [F, F, T, F, F]),
        ("title = 'it''s'", [F, F, F, F, U]),
    ],
)
def test_texts_are_searched_as_sql_does(text: str, answers: list[bool | None]) -> None:
    titles = ["Head of\nMarketing", "Marketing Leitung", "CMO", "100% Ürkunden.*", None]
    assert ask(text, title=titles) == answers


@pytest.mark.parametrize(
    ("text", "answers"),
    [
        ("turnover BETWEEN 20000000 AND 150000000", [T, F, U]),
        ("turnover >= 20000000", [T, F, U]),
        ("turnover = 19999999.99", [F, T, U]),
        ("turnover > 19999999.985", [T, T, U]),
        ("turnover IN (20000000, 1)", [T, F, U]),
        ("turnover / 2 >= 10000000", [T, F, U]),
        ("share > 0.25 AND turnover > share", [T, U, U]),
    ],
)
def test_money_is_compared_exactly(text: str, answers: list[bool | None]) -> None:
    money = [Decimal("20000000.00"), Decimal("19999999.99"), None]
    assert ask(text, _m_turnover=money, share=[Decimal("0.2501"), None, Decimal(1)]) == answers


@pytest.mark.parametrize(
    ("text", "says"),
    [
        # Words outside a closed vocabulary, unknown names, each with the nearest
        ("industry = 'E-Comerce'", "did you mean 'E-Commerce'?"),
        ("'retail' = industry", "did you mean 'Retail'?"),
        ("industry IN ('Retail', 'Sport')", "'Sport' is not a word of industry"),
        ("industry ILIKE '%agency%'", "no word of industry is like"),
        ("starts_with(industry, 'X')", "never finds 'X'"),
        ("lower(industry) = 'Retail'", "did you mean 'retail'?"),
        ("hubspot_stage = 'custmer'", "did you mean 'customer'?"),
        ("turnovr > 5", "did you mean turnover?"),
        ("lenght(title) = 3", "did you mean length?"),
        # A date is only usable by its age, and there is no clock
        ("met_on > 5", "use met_on_days, its age in whole days"),
        ("met_on_days < current_date", "is a clock"),
        ("now() IS NULL", "is a clock"),
        # One lead at a time
        ("n > avg(n)", "avg() is about many"),
        ("count(*) > 1", "counts many"),
        ("sum(n) OVER () > 1", "OVER cannot stand in it"),
        ("n IN (SELECT 1)", "SELECT cannot stand in a condition"),
        ("n AS x", "found AS"),
        ("CASE WHEN a THEN b END", "CASE cannot stand in a condition"),
        ("CAST(n AS text) = '1'", "CAST cannot stand in a condition"),
        ("n::text = '1'", "':' cannot stand in a condition"),
        ("n = 1; DROP TABLE lead", "';' cannot stand in a condition"),
        # Kinds that do not fit together
        ("n", "a condition must be true or false, and this is a number"),
        ("n = '1'", "cannot be compared with a text"),
        ("a = 'true'", "cannot be compared with a text"),
        ("title > 'm'", "can only be compared with = or <>"),
        ("title BETWEEN 'a' AND 'b'", "BETWEEN takes numbers"),
        ("n LIKE '1%'", "look into a text"),
        ("title + 1 = 2", "+ takes numbers"),
        ("a AND n", "each side of AND must be true or false"),
        ("NOT title", "what NOT turns round must be true or false"),
        ("length(n) = 1", "length needs a text here"),
        ("abs(n, m) = 1", "abs takes 1 value(s), not 2"),
        ("contains(title, title)", "written out in quotes"),
        ("coalesce(n) = 1", "coalesce takes a value and what stands in for it"),
        ("coalesce(n, 'x') = 1", "cannot be compared"),
        # What would never be true, or never be anything
        ("n = NULL", "ask IS NULL"),
        ("n IN (NULL)", "asks IS NULL"),
        ("n BETWEEN 9 AND 5", "the lower end comes first"),
        ("n > 99999999999999999999", "too large"),
        ("n > 0.12345678", "more digits than are compared"),
        # What cannot be read
        ("", "the condition is empty"),
        ("   ", "the condition is empty"),
        ("n >", "but the condition ends here"),
        ("n > 5 n < 9", "expected AND, OR or the end"),
        ("(n > 5", "to close the parenthesis"),
        ("1 < n < 9", "comparisons do not chain"),
        ("title = 'CMO", "no closing quote"),
        ("title = ’CMO’", "straight quotes"),
        ("title LIKE 'x\\'", "escapes nothing"),
        ("title LIKE title", "expected a text after LIKE"),
        ("n IS 5", "expected NULL, TRUE or FALSE after IS"),
        ("(" * 80 + "a" + ")" * 80, "nested too deeply"),
    ],
)
def test_what_cannot_be_a_condition_is_refused_with_a_reason(text: str, says: str) -> None:
    with pytest.raises(ConditionProblem) as caught:
        compile_condition(text, COLUMNS)
    assert says in str(caught.value)


def test_a_problem_says_where_in_the_condition_it_stands() -> None:
    with pytest.raises(ConditionProblem) as caught:
        compile_condition("n > 5 AND industry = 'Shop'", COLUMNS)
    assert caught.value.position == 22


def test_a_condition_names_the_fields_its_answer_hangs_on() -> None:
    condition = compile_condition("turnover > 5 AND met_on_days < 3 AND turnover_currency = 'EUR'", COLUMNS)
    assert condition.fields == ("turnover", "met_on")
    assert [column.source for column in condition.columns] == [
        "_m_turnover",
        "met_on_days",
        "turnover_currency",
    ]


def test_a_quoted_name_is_the_field_of_that_name() -> None:
    assert ask('"n" = 5', n=[5]) == [True]


# SQLite judges: it shares no code with this, and has the same three values.
_ATOMS = st.sampled_from(
    [
        "a",
        "b",
        "a IS NULL",
        "b IS NOT TRUE",
        "n > 2",
        "n = m",
        "n <> 3",
        "n BETWEEN 1 AND 3",
        "n NOT BETWEEN m AND 4",
        "n IN (1, 3)",
        "n NOT IN (2, NULL)",
        "m + n >= 5",
        "n * 2 < m",
        "title LIKE 'a%'",
        "title NOT LIKE '%b'",
        "title = 'ab'",
        "coalesce(n, 2) = 2",
        "abs(n - 3) <= 1",
        "title IN ('ab', 'b')",
        "m IS NOT NULL",
        "NOT a",
    ]
)
_CONDITIONS = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(lambda p: f"{p[0]} {p[1]} {p[2]}"),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"NOT ({text})"),
        inner.map(lambda text: f"({text}) IS NOT FALSE"),
    ),
    max_leaves=6,
)
_ROWS = [
    (a, b, n, m, title)
    for a, b in [(T, F), (F, U), (U, T), (U, U), (T, T)]
    for n, m in [(1, 2), (3, None), (None, 4), (None, None), (4, 1)]
    for title in ["ab", "b", "A", None]
]


@given(text=_CONDITIONS)
@settings(max_examples=150, deadline=None)
def test_every_condition_answers_as_a_database_would(text: str) -> None:
    with sqlite3.connect(":memory:") as database:
        database.execute("PRAGMA case_sensitive_like = ON")
        database.execute("CREATE TABLE lead (a, b, n INTEGER, m INTEGER, title TEXT)")
        database.executemany("INSERT INTO lead VALUES (?, ?, ?, ?, ?)", _ROWS)
        rows = database.execute(f"SELECT {text} FROM lead ORDER BY rowid").fetchall()
    database.close()
    expected = [None if answer is None else bool(answer) for (answer,) in rows]
    columns = {
        name: [row[place] for row in _ROWS] for place, name in enumerate(("a", "b", "n", "m", "title"))
    }
    assert ask(text, **columns) == expected
