"""Spreadsheets into a pretend CRM: how they are written, what is wrong with them, and what is loaded."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.sandbox.csvload import BadCsv, LoadRefused, load_csv, load_rows, read_rows
from connectors.sandbox.serving import sandbox
from connectors.sandbox.side import Answer, Ask, ControlRefused

BOM = "\ufeff"


class Ledger:
    """A CRM that takes contacts with a name, and refuses a row without one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows: list[Mapping[str, Any]] = []
        self.loads: list[int] = []

    def answer(self, ask: Ask) -> Answer:
        return Answer(404)

    def reset(self, seed: int | None = None) -> None:
        self.rows.clear()

    def limits(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        return wanted

    def people(self, wanted: Mapping[str, Any]) -> Mapping[str, Any]:
        return wanted

    def state(self, wanted: Mapping[str, str]) -> Mapping[str, Any]:
        return wanted

    def load(self, object_name: str, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        new = list(rows)
        if object_name != "contacts" or any("name" not in row for row in new):
            raise ControlRefused("contacts with a name were expected")
        self.loads.append(len(new))
        self.rows += new
        return [str(len(self.rows) - len(new) + n) for n in range(1, len(new) + 1)]

    def close(self) -> None:
        self.loads.clear()


def file(folder: Path, content: str | bytes, encoding: str = "utf-8") -> Path:
    path = folder / "people.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_spreadsheet_is_read_as_it_comes(
    tmp_path: Path, encoding: str, delimiter: str, newline: str
) -> None:
    lines = [["name", "town"], ["Jürgen Groß", "Köln"], ["Zoë", ""]]
    text = newline.join(delimiter.join(cells) for cells in lines)
    assert list(read_rows(file(tmp_path, text, encoding), {})) == [
        {"name": "Jürgen Groß", "town": "Köln"},
        {"name": "Zoë"},
    ]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('"a;b",c\n1,2\n', [{"a;b": "1", "c": "2"}]),
        ('"last, first";c\n1;2\n', [{"last, first": "1", "c": "2"}]),
        ('a,b\n"two\nlines","say ""hi"""\n', [{"a": "two\nlines", "b": 'say "hi"'}]),
        ("a\nonly one column\n", [{"a": "only one column"}]),
        ("\na,b\n\n1,2\n\n", [{"a": "1", "b": "2"}]),
        ("a;b\n1;2\n;\n", [{"a": "1", "b": "2"}]),
        (" a , b \n 1 , 2 \n", [{"a": " 1 ", "b": " 2 "}]),
        ("a,b\n", []),
        ("a,b", []),
    ],
    ids=[
        "quoted semicolon",
        "quoted comma",
        "quoted lines",
        "one",
        "blank",
        "empty",
        "padded",
        "none",
        "bare",
    ],
)
def test_cells_are_what_a_spreadsheet_means(tmp_path: Path, text: str, rows: list[dict[str, str]]) -> None:
    assert list(read_rows(file(tmp_path, text), {})) == rows


def test_a_mapping_renames_its_columns_and_leaves_out_the_others(tmp_path: Path) -> None:
    path = file(tmp_path, "Name,Town,\nAda,London,x\n")
    assert list(read_rows(path, {"Name": "firstname"})) == [{"firstname": "Ada"}]


@pytest.mark.parametrize(
    ("cell", "time"),
    [
        ("2026-01-31T08:00:00Z", "2026-01-31T08:00:00+00:00"),
        ("2026-01-31 08:00:00+01:00", "2026-01-31T08:00:00+01:00"),
        ("2026-01-31 08:00:00", "2026-01-31T08:00:00+00:00"),
        ("2026-01-31", "2026-01-31T00:00:00+00:00"),
    ],
)
def test_a_time_without_a_zone_is_utc(tmp_path: Path, cell: str, time: str) -> None:
    path = file(tmp_path, f"name,when\nAda,{cell}\n")
    assert list(read_rows(path, {"when": "_created"})) == [{"_created": time}]


@pytest.mark.parametrize(
    ("content", "mapping", "expected"),
    [
        (b"a,b\n1,2\n1,2,3\n", {}, "line 3: 2 cells were expected, 3 were found"),
        (b"a,b\n1\n", {}, "line 2: 2 cells were expected, 1 were found"),
        (b'a,b\n"1\n1",2\n3\n', {}, "line 4: 2 cells"),
        (b'a,b\n1,2\n"never closed,2\n5,6\n', {}, "line 3: "),
        (b"a,b\n", {"c": "x"}, "line 1: no column 'c'; there are: a, b"),
        (b"a,b\n", {"a": "x", "b": "x"}, "line 1: more than one column for 'x'"),
        (b"a,a\n", {}, "line 1: more than one column for 'a'"),
        (b"a,,c\n", {}, "line 1: column 2 has no name"),
        (b"", {}, "line 1: a line with the names of the columns"),
        (b"\n\n", {}, "line 1: a line with the names of the columns"),
        (b"a,b\n1,\xc3\xbc\n2,\xff\n", {}, "line 3: bytes that are not UTF-8"),
        (b"\xef\xbb\xbfa,b\n1,\xfc\n", {}, "line 2: bytes that are not UTF-8"),
        (b"a,b\n1,2\n3,\x81\n", {}, "line 3: bytes that are not Windows-1252"),
        ("a,b\n1,2\n".encode("utf-16"), {}, "UTF-16"),
        ("a,b\n1,2\n".encode("utf-16-le"), {}, "UTF-16"),
        (b"a,b\n1,tomorrow\n", {"b": "_modified"}, "line 2: _modified: a time such as"),
        (b"a,b\n1," + b"x" * 200_000 + b"\n", {}, "line 2: field larger than"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_name_and_line(
    tmp_path: Path, content: bytes, mapping: dict[str, str], expected: str
) -> None:
    path = file(tmp_path, content)
    with pytest.raises(BadCsv) as told:
        read_rows(path, mapping)
    assert str(told.value).startswith(str(path))
    assert expected in str(told.value)


def test_an_error_never_repeats_what_a_cell_holds(tmp_path: Path) -> None:
    with pytest.raises(BadCsv) as told:
        read_rows(file(tmp_path, "name,when\nx,Ada Lovelace\n"), {"when": "_created"})
    assert "Ada" not in str(told.value)


cells = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\0"), max_size=8)


@given(
    rows=st.lists(st.tuples(cells, cells, cells), max_size=6),
    delimiter=st.sampled_from(",;"),
    bom=st.booleans(),
)
def test_whatever_a_spreadsheet_program_writes_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]], delimiter: str, bom: bool
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(["a", "b", "c"])
    writer.writerows(rows)
    path = tmp_path_factory.getbasetemp() / "written.csv"
    path.write_bytes(((BOM if bom else "") + text.getvalue()).encode())
    expected = [
        {name: cell for name, cell in zip("abc", row, strict=True) if cell} for row in rows if any(row)
    ]
    assert list(read_rows(path, {})) == expected


def test_nothing_is_loaded_when_the_last_row_is_bad(tmp_path: Path) -> None:
    side = Ledger("hubspot")
    path = file(tmp_path, "name\n" + "Ada\n" * 12_000 + "Eva,too much\n")
    with pytest.raises(BadCsv, match="line 12002"):
        load_csv(side, "contacts", path)
    assert side.rows == []


def test_rows_reach_a_side_of_this_process_in_order_and_in_chunks(tmp_path: Path) -> None:
    side = Ledger("hubspot")
    path = file(tmp_path, "name,_created\n" + "".join(f"Ada {n},2026-01-31\n" for n in range(5_001)))
    ids = load_csv(side, "contacts", path)
    assert (ids[0], ids[-1], side.loads) == ("1", "5001", [5_000, 1])
    assert side.rows[5_000] == {"name": "Ada 5000", "_created": datetime(2026, 1, 31, tzinfo=UTC)}


def test_rows_reach_a_server_over_http(tmp_path: Path) -> None:
    sides = [Ledger("hubspot"), Ledger("salesforce")]
    path = file(tmp_path, "Name;Stadt\nJürgen;Köln\n", "cp1252")
    when = datetime(2026, 1, 31, 8, tzinfo=UTC)
    with sandbox(sides=lambda folder, clock, seed: sides) as serving:
        assert load_csv(serving.hubspot_url, "contacts", path, {"Name": "name"}) == ["1"]
        rows = ({"name": f"Ada {n}", "_history": {"stage": [(when, "lead")]}} for n in range(6_000))
        ids = load_rows(serving.hubspot_url + "/", "contacts", rows)
    assert (ids[0], ids[-1], len(ids)) == ("2", "6001", 6_000)
    assert sides[0].rows[0] == {"name": "Jürgen"}
    assert sides[0].rows[6_000] == {"name": "Ada 5999", "_history": {"stage": [(when, "lead")]}}


@pytest.mark.parametrize("over_http", [True, False])
def test_a_refusal_says_why_and_how_much_is_loaded_already(tmp_path: Path, over_http: bool) -> None:
    sides = [Ledger("hubspot"), Ledger("salesforce")]
    path = file(tmp_path, "name,town\n" + "Ada,London\n" * 5_000 + ",London\n")
    with sandbox(sides=lambda folder, clock, seed: sides) as serving:
        target = serving.hubspot_url if over_http else sides[0]
        with pytest.raises(LoadRefused, match=r"contacts with a name were expected \(5000 rows") as told:
            load_csv(target, "contacts", path)
        assert told.value.loaded == len(sides[0].rows) == 5_000
