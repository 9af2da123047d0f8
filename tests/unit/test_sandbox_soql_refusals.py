"""Which queries are refused, with which code, and where the refusal points."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from connectors.sandbox.salesforce import ids
from connectors.sandbox.salesforce.refusals import Refusal
from connectors.sandbox.salesforce.schema import standard_schema
from connectors.sandbox.salesforce.seed import INTEGRATION_USER
from connectors.sandbox.salesforce.soql.compile import Compiler
from connectors.sandbox.salesforce.soql.parse import like_pattern, parse, unescape
from connectors.sandbox.salesforce.soql.tree import Literal, Place

NOW = datetime(2026, 11, 18, 10, 30, tzinfo=UTC)


def refusal_of(soql: str) -> Refusal:
    with pytest.raises(Refusal) as caught:
        Compiler(standard_schema(), NOW, INTEGRATION_USER, False).compile(soql, parse(soql))
    return caught.value


@pytest.mark.parametrize(
    ("soql", "code", "said"),
    [
        # Not a query at all
        ("", "MALFORMED_QUERY", "A query string has to be specified"),
        ("   ", "MALFORMED_QUERY", "A query string has to be specified"),
        ("SELECT", "MALFORMED_QUERY", "<EOF>"),
        ("SELECT Id", "MALFORMED_QUERY", "<EOF>"),
        ("SELECT Id FROM", "MALFORMED_QUERY", "<EOF>"),
        ("SELECT Id FRM Lead", "MALFORMED_QUERY", "unexpected token: 'Lead'"),
        ("SELECT * FROM Lead", "MALFORMED_QUERY", "no viable alternative at character '*'"),
        ("SELECT FROM Lead", "MALFORMED_QUERY", "unexpected token: 'FROM'"),
        ("SELECT Id, FROM Lead", "MALFORMED_QUERY", "unexpected token: 'FROM'"),
        ("DELETE FROM Lead", "MALFORMED_QUERY", ""),
        ("SELECT Id FROM Lead;", "MALFORMED_QUERY", "';'"),
        ("SELECT Id FROM Lead WHERE", "MALFORMED_QUERY", "<EOF>"),
        ("WHERE Name", "MALFORMED_QUERY", "<EOF>"),
        ("WHERE Name == 'a'", "MALFORMED_QUERY", "unexpected token: '='"),
        ("WHERE Name = a", "MALFORMED_QUERY", "unexpected token: 'a'"),
        ('SELECT Id FROM Lead WHERE Name = "a"', "MALFORMED_QUERY", "character '\"'"),
        ("WHERE Name NOT LIKE 'a%'", "MALFORMED_QUERY", ""),
        ("WHERE Name IN ()", "MALFORMED_QUERY", "unexpected token: ')'"),
        ("WHERE (Name = 'a'", "MALFORMED_QUERY", "<EOF>"),
        ("WHERE Name = 'a' AND Title = 'b' OR City = 'c'", "MALFORMED_QUERY", "unexpected token: 'OR'"),
        ("WHERE Name = 'a' OR Title = 'b' AND City = 'c'", "MALFORMED_QUERY", "unexpected token: 'AND'"),
        ("WHERE Name = :name", "MALFORMED_QUERY", "':'"),
        ("WHERE CreatedDate = LAST_N_DAYS", "MALFORMED_QUERY", "LAST_N_DAYS"),
        ("WHERE CreatedDate = TODAY:3", "MALFORMED_QUERY", "TODAY:3"),
        ("WHERE CreatedDate = SOMEDAY", "MALFORMED_QUERY", "SOMEDAY"),
        ("WHERE CreatedDate > 2026-01-01T00:00:00 00:00", "MALFORMED_QUERY", ""),
        ("SELECT Id FROM Lead LIMIT", "MALFORMED_QUERY", "<EOF>"),
        ("SELECT Id FROM Lead LIMIT -1", "MALFORMED_QUERY", "'-1'"),
        ("SELECT Id FROM Lead LIMIT 1.5", "MALFORMED_QUERY", "'1.5'"),
        ("SELECT Id FROM Lead LIMIT 1 ORDER BY Id", "MALFORMED_QUERY", "ORDER BY"),
        ("WHERE Name = 'a' WHERE Name = 'b'", "MALFORMED_QUERY", ""),
        ("SELECT Id FROM Lead ALL ROWS", "MALFORMED_QUERY", "ALL ROWS not allowed in this context"),
        ("SELECT Id FROM Lead USING SCOPE nowhere", "MALFORMED_QUERY", "nowhere"),
        # Strings
        (r"WHERE Name = 'a\d'", "MALFORMED_QUERY", r"'\d'"),
        (r"WHERE Name = '\u12'", "MALFORMED_QUERY", r"'\u'"),
        (r"WHERE Name = 'a\_b'", "MALFORMED_QUERY", r"'\_'"),
        (r"WHERE Name LIKE 'a\x'", "MALFORMED_QUERY", r"'\x'"),
        ("WHERE Name = 'O'Neil'", "MALFORMED_QUERY", ""),
        ("WHERE Name = 'a", "MALFORMED_QUERY", ""),
        (f"WHERE Name = '{'a' * 4001}'", "MALFORMED_QUERY", "4000"),
        (f"WHERE Name != '{'a' * 100_000}'", "MALFORMED_QUERY", "100000"),
        # Objects and fields
        ("SELECT Id FROM Leads", "INVALID_TYPE", "sObject type 'Leads' is not supported."),
        ("SELECT Id FROM Lead__c", "INVALID_TYPE", "be sure to append the '__c'"),
        ("SELECT Id, Foo FROM Lead", "INVALID_FIELD", "No such column 'Foo' on entity 'Lead'."),
        ("WHERE Foo = 1", "INVALID_FIELD", "No such column 'Foo' on entity 'Lead'."),
        ("SELECT Id FROM Lead ORDER BY Foo", "INVALID_FIELD", "No such column 'Foo' on entity 'Lead'."),
        ("SELECT Owner.Foo FROM Lead", "INVALID_FIELD", "No such column 'Foo' on entity 'Name'."),
        ("SELECT Owner.Department FROM Lead", "INVALID_FIELD", "No such column 'Department' on entity 'Name'."),
        ("SELECT Boss.Name FROM Lead", "INVALID_FIELD", "Didn't understand relationship 'Boss' in field path."),
        ("SELECT Id, Id FROM Lead", "INVALID_FIELD", "duplicate field selected: Id"),
        ("SELECT Email, FirstName, EMAIL FROM Lead", "INVALID_FIELD", "duplicate field selected: Email"),
        ("SELECT FIELDS(STANDARD), Id FROM Lead", "INVALID_FIELD", "duplicate field selected: Id"),
        ("SELECT FIELDS(ALL) FROM Lead", "MALFORMED_QUERY", "must have a LIMIT of at most 200"),
        ("SELECT FIELDS(CUSTOM) FROM Lead LIMIT 201", "MALFORMED_QUERY", "must have a LIMIT of at most 200"),
        ("SELECT FIELDS(SOME) FROM Lead LIMIT 1", "MALFORMED_QUERY", "SOME"),
        ("SELECT Id i FROM Lead", "MALFORMED_QUERY", "only aggregate expressions use field aliasing"),
        # Values that do not fit the field
        ("WHERE Name = 1", "INVALID_FIELD", "type string and should be enclosed in quotes"),
        ("WHERE NumberOfEmployees = '1'", "INVALID_FIELD", "type int and should not be enclosed in quotes"),
        ("WHERE AnnualRevenue = true", "INVALID_FIELD", "must be of type currency"),
        ("WHERE IsConverted = 'true'", "INVALID_FIELD", "must be of type boolean"),
        ("WHERE CreatedDate > '2026-01-01T00:00:00Z'", "INVALID_FIELD", "type dateTime and should not be enclosed"),
        ("WHERE CreatedDate > 2026-01-01", "INVALID_FIELD", "must be of type dateTime"),
        ("WHERE ConvertedDate > 2026-01-01T00:00:00Z", "INVALID_FIELD", "must be of type date"),
        ("WHERE CreatedDate > 2026-13-01T00:00:00Z", "INVALID_FIELD", "must be of type dateTime"),
        ("WHERE Id = 'abc'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: abc"),
        ("WHERE OwnerId IN ('00Q')", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field: 00Q"),
        ("WHERE Id LIKE '00Q%'", "INVALID_QUERY_FILTER_OPERATOR", "invalid operator on id field"),
        ("WHERE IsConverted > false", "INVALID_QUERY_FILTER_OPERATOR", "boolean"),
        ("WHERE NumberOfEmployees LIKE '1%'", "INVALID_QUERY_FILTER_OPERATOR", "int"),
        ("WHERE Email > null", "INVALID_QUERY_FILTER_OPERATOR", "null"),
        ("WHERE Rating INCLUDES ('Hot')", "INVALID_QUERY_FILTER_OPERATOR", "INCLUDES"),
        # Fields that cannot be filtered, sorted or grouped
        ("WHERE Description = 'a'", "INVALID_FIELD", "field 'Description' can not be filtered in a query call"),
        ("SELECT Id FROM Lead ORDER BY Description", "INVALID_FIELD", "can not be sorted in a query call"),
        ("SELECT Description FROM Lead GROUP BY Description", "INVALID_FIELD", "can not be grouped in a query call"),
        ("SELECT CreatedDate FROM Lead GROUP BY CreatedDate", "INVALID_FIELD", "can not be grouped"),
        # Aggregates
        ("SELECT Name, COUNT(Id) FROM Lead", "MALFORMED_QUERY", "must be grouped or aggregated: Name"),
        ("SELECT Name, COUNT(Id) FROM Lead GROUP BY Status", "MALFORMED_QUERY", "must be grouped or aggregated: Name"),
        ("SELECT COUNT(), Id FROM Lead", "MALFORMED_QUERY", ""),
        ("SELECT COUNT() FROM Lead GROUP BY Status", "MALFORMED_QUERY", "COUNT()"),
        ("SELECT COUNT(Id) FROM Lead LIMIT 1", "MALFORMED_QUERY", "cannot also use LIMIT"),
        ("SELECT SUM(Name) FROM Lead", "MALFORMED_QUERY", "field Name does not support aggregate operator SUM"),
        ("SELECT MIN(IsConverted) FROM Lead", "MALFORMED_QUERY", "does not support aggregate operator MIN"),
        ("SELECT FOO(Id) FROM Lead", "MALFORMED_QUERY", "FOO"),
        ("SELECT Status FROM Lead GROUP BY Status ORDER BY Name", "MALFORMED_QUERY", "must be grouped or aggregated"),
        ("SELECT Id FROM Lead HAVING COUNT(Id) > 1", "MALFORMED_QUERY", "HAVING"),
        ("WHERE COUNT(Id) > 1", "MALFORMED_QUERY", "not allowed in WHERE"),
        ("SELECT Id FROM Lead ORDER BY COUNT(Id)", "MALFORMED_QUERY", "must be grouped or aggregated"),
        ("SELECT COUNT(Id) FROM Lead GROUP BY COUNT(Id)", "MALFORMED_QUERY", "GROUP BY"),
        ("SELECT Profile.Name FROM User", "INVALID_FIELD", "Didn't understand relationship 'Profile'"),
        ("WHERE " + "NOT " * 3_000 + "Name = 'a'", "QUERY_TOO_COMPLICATED", "too complicated"),
        # Semi-joins
        ("WHERE Name IN (SELECT Id FROM Contact)", "INVALID_FIELD", "should be an id field, cannot use: 'Name'"),
        ("WHERE Id IN (SELECT Id FROM Contact)", "MALFORMED_QUERY", "should point to the same object type"),
        ("WHERE Id IN (SELECT LeadId, Id FROM CampaignMember)", "MALFORMED_QUERY", "one field"),
        ("WHERE Id IN (SELECT LeadId FROM CampaignMember LIMIT 1)", "MALFORMED_QUERY", "LIMIT"),
        ("WHERE Id IN (SELECT LeadId FROM CampaignMember) OR Name = 'a'", "MALFORMED_QUERY", "top level"),
        (
            "WHERE Id IN (SELECT LeadId FROM CampaignMember) AND Id IN (SELECT LeadId FROM "
            "CampaignMember) AND Id NOT IN (SELECT LeadId FROM CampaignMember)",
            "MALFORMED_QUERY",
            "Maximum 2 semi join sub-selects are allowed.",
        ),
        # Numbers beyond their range
        ("SELECT Id FROM Lead OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000"),
        ("WHERE CreatedDate = LAST_N_DAYS:99999999", "NUMBER_OUTSIDE_VALID_RANGE", "LAST_N_DAYS"),
    ],
)  # fmt: skip
def test_a_query_that_salesforce_refuses_is_refused_alike(soql: str, code: str, said: str) -> None:
    refusal = refusal_of(f"SELECT Id FROM Lead {soql}" if soql.startswith("WHERE") else soql)
    assert (refusal.status, refusal.code) == (400, code)
    assert said in refusal.message


def test_a_refusal_shows_the_line_and_points_at_the_column() -> None:
    lines = refusal_of("SELECT Id\nFROM Lead\nWHERE Foo = 'x'").message.split("\n")
    assert lines[1:4] == ["WHERE Foo = 'x'", "      ^", "ERROR at Row:3:Column:7"]


def test_a_refusal_shows_only_the_neighbourhood_of_a_long_line() -> None:
    lines = refusal_of("SELECT " + ", ".join(["Id"] * 200) + ", Foo FROM Lead").message.split("\n")
    assert len(lines[1]) <= 120
    assert lines[1][len(lines[2]) - 1 :].startswith("Foo FROM Lead")


def _literal(text: str) -> Literal:
    return Literal("string", text, Place(1, 1))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


@given(some.text())
def test_whatever_is_escaped_is_read_back(text: str) -> None:
    assert unescape(_literal(f"'{_escaped(text)}'")) == text


@given(some.text(alphabet="ab%_\\'\"é"))
def test_an_escaped_wildcard_means_itself_in_like(text: str) -> None:
    escaped = _escaped(text).replace("%", "\\%").replace("_", "\\_")
    pattern = like_pattern(_literal(f"'{escaped}'"))
    plain = pattern.replace("\\\\", "\0").replace("\\%", "%").replace("\\_", "_").replace("\0", "\\")
    assert plain == text


@given(some.text(max_size=60))
def test_any_text_is_a_query_or_a_refusal(text: str) -> None:
    compiler = Compiler(standard_schema(), NOW, INTEGRATION_USER, False)
    with suppress(Refusal):
        compiler.compile(text, parse(text))


@given(some.integers(0, 62**9 - 1))
def test_an_id_has_two_lengths_that_mean_the_same(number: int) -> None:
    whole = ids.mint("00Q", number)
    assert len(whole) == 18
    assert ids.to_18(whole[:15]) == whole == ids.to_18(whole) == ids.to_18(whole[:15] + whole[15:].lower())


@pytest.mark.parametrize(
    ("fifteen", "whole"),
    [("00Q4S000002sSac", "00Q4S000002sSacUAE"), ("0034S000005YJYc", "0034S000005YJYcQAO")],
)
def test_the_suffix_of_real_ids_is_found(fifteen: str, whole: str) -> None:
    assert ids.to_18(fifteen) == whole


@pytest.mark.parametrize(
    "text", ["", "00Q", "00Q4S000002sSacUAF", "00Q4S000002sSac!", "00Q4S000002sSacUA", None, 15]
)
def test_what_is_no_id_is_found_out(text: object) -> None:
    assert ids.to_18(text) is None
