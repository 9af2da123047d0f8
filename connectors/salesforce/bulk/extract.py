"""Reading many records by a query job: the same slabs as from ``/query``, without its pages of 2,000."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

import polars as pl

from connectors.atonce import stop_if_interrupted
from connectors.crm import ABSENT, ARCHIVED, CREATED_AT, MODIFIED_AT, RECORD_ID, Slab
from connectors.errors import OurBug
from connectors.salesforce.bulk.jobs import Jobs
from connectors.salesforce.bulk.results import Results
from connectors.salesforce.calls import Calls
from connectors.salesforce.errors import CRM
from connectors.salesforce.ids import eighteen
from connectors.salesforce.rows import CREATED, DELETED, ID, MODIFIED, Shape
from connectors.salesforce.schema import TYPES
from connectors.slabs import SLAB_ROWS, sharing_blanks, times

#: Types that a bulk query does not select (Salesforce reference, section 5).
COMPOUND = frozenset({"address", "location", "base64", "complexvalue", "anyType"})


def fits(wanted: Shape) -> bool:
    """Whether a query job can select all that is wanted."""
    return not any(column.sf_type in COMPOUND for column in wanted.columns)


class Extract:
    """Query jobs of one organisation."""

    def __init__(self, calls: Calls, jobs: Jobs) -> None:
        self._calls = calls
        self._jobs = jobs

    def slabs(self, wanted: Shape, query: str, *, deleted_too: bool) -> Iterator[Slab]:
        """The records of a query for ``wanted.names``, in no order. A query without ORDER BY or LIMIT is fastest.

        Raises NotInBulk before the first slab where Salesforce makes no such job.
        """
        operation = "queryAll" if deleted_too else "query"
        job = self._jobs.create("query", {"operation": operation, "query": query})
        ended = self._jobs.wait("query", job)
        if ended.state != "JobComplete":
            raise ended.failure()
        for frame in Results(self._calls, job, wanted.names).frames():
            stop_if_interrupted()
            for some in frame.iter_slices(SLAB_ROWS):
                yield Slab(CRM, wanted.object_name, slab_frame(wanted, some))


def slab_frame(wanted: Shape, cells: pl.DataFrame) -> pl.DataFrame:
    """Cells of a bulk result as the frame of a slab; every field that was asked for did come."""
    ids = cells[ID]
    if ids.null_count():
        raise OurBug("salesforce: a record of a bulk query has no id", crm=CRM)
    if (ids.str.len_bytes() != 18).any():
        ids = pl.Series([eighteen(text) for text in ids], dtype=pl.String)
    deleted = cells[DELETED] == "true" if DELETED in wanted.system else pl.Series([False] * cells.height)
    fixed = [
        ids.alias(RECORD_ID),
        _times(MODIFIED_AT, cells, MODIFIED in wanted.system and MODIFIED),
        _times(CREATED_AT, cells, CREATED in wanted.system and CREATED),
        deleted.fill_null(False).alias(ARCHIVED),
        pl.Series(ABSENT, [None], dtype=pl.List(pl.String)).new_from_index(0, cells.height),
    ]
    texts = [cells[c.name] for c in wanted.columns]
    # What nobody has is spelled as it should be, whatever it is of.
    texts = [
        some if some.null_count() == len(some) else as_text(some, column.sf_type)
        for some, column in zip(texts, wanted.columns, strict=True)
    ]
    return sharing_blanks(pl.DataFrame([*fixed, *texts]))


def _times(name: str, cells: pl.DataFrame, column: str | bool) -> pl.Series:
    if not isinstance(column, str):
        return pl.Series(name, [None], dtype=pl.Datetime("us", "UTC")).new_from_index(0, cells.height)
    return times(name, cells[column])


def as_text(column: pl.Series, sf_type: str) -> pl.Series:
    """A column of cells as the port's text, by Salesforce's type of the field; the name stays.

    The same text as ``connectors.salesforce.values.texts`` gives for the value in JSON.
    """
    convert = _BY_KIND.get(TYPES.get(sf_type, "other"))
    return column if convert is None else convert(column).alias(column.name)


def _moments(column: pl.Series) -> pl.Series:
    # How bulk results spell the offset is not documented (section 14): "Z" and "+0000" are both taken.
    return column.str.replace(r"\+0000$", "Z")


def _booleans(column: pl.Series) -> pl.Series:
    return column.str.to_lowercase()


def _numbers(column: pl.Series) -> pl.Series:
    """Plain decimals: no ``.0`` behind a whole number, no exponent."""
    if column.str.contains("[eE]").any():
        column = pl.Series([_plain(text) for text in column], dtype=pl.String)
    plain = column.str.strip_suffix(".0")
    broken = plain.str.contains(".", literal=True).arg_true()
    if not broken.is_empty():
        cut = plain.gather(broken).str.strip_chars_end("0").str.strip_chars_end(".")
        plain = plain.clone().scatter(broken, cut)
    return plain.replace("-0", "0") if (plain == "-0").any() else plain


def _plain(text: str | None) -> str | None:
    return text if text is None or "e" not in text.lower() else format(Decimal(text), "f")


_BY_KIND: Mapping[str, Callable[[pl.Series], pl.Series]] = {
    "number": _numbers,
    "boolean": _booleans,
    "datetime": _moments,
}
