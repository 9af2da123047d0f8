"""What the connector writes as CSV the pretend Salesforce reads, and the other way round; neither knows the other."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from connectors.crm import Write
from connectors.salesforce.bulk.results import read_frames
from connectors.salesforce.bulk.rows import heading, lines
from connectors.salesforce.outgoing import Outgoing, Route
from connectors.sandbox.salesforce.bulk.csvtext import line, read

CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=10))
def test_an_upload_is_read_as_it_was_meant(rows: list[tuple[str, str, str]]) -> None:
    columns = ["A", "B", "C"]
    upload = heading(columns)
    for cells in rows:
        body = {name: cell for name, cell in zip(columns, cells, strict=True) if cell}
        upload += b"".join(lines([Outgoing(Write("t", None, body), Route("POST", "x"), body)], columns))
    assert read(upload, "COMMA", "LF") == (columns, [list(cells) for cells in rows])


@given(st.lists(st.tuples(CELLS, CELLS), max_size=10), st.integers(1, 60))
def test_a_result_is_read_as_it_was_meant(rows: list[tuple[str, str]], block: int) -> None:
    names = ["Id", "A", "B"]
    lines = [line(names, ","), *(line([f"00Q{n}", *cells], ",") for n, cells in enumerate(rows))]
    file = io.BytesIO("".join(each + "\n" for each in lines).encode())
    found = [each for frame in read_frames(file, names, block) for each in frame.rows()]
    assert found == [(f"00Q{n}", a or None, b or None) for n, (a, b) in enumerate(rows)]
