"""From pages to slabs: blanks told from values that did not come, and values in the port's spelling.

**Absent keys.** HubSpot documents two habits: a property that was asked for and is empty comes as an explicit
null, or is left out (HubSpot reference, section 4.2). In an account with the first habit, a key that is
absent was not returned: it is named in ``_absent``, and nothing may be concluded from it. In one with the
second habit it is a blank. One explicit null anywhere shows the first habit, and is remembered for the
object as long as the connector lives; until one is seen, an absent key is a blank. So a slab of one record
that has a value for everything that did come is read as "blank" for the rest, unless this connector has
seen an explicit null before. That is the only doubt left, it needs a property that the schema lists and
HubSpot withholds, and a field only loses its value on the other side where its rule says ``clear``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

import orjson
import polars as pl

from connectors.crm import RECORD_ID, Cursor, Expected, FieldInfo, ObjectSchema, Slab, Window
from connectors.errors import OurBug
from connectors.hubspot import pages
from connectors.hubspot.api import Api
from connectors.hubspot.choices import THREADS
from connectors.hubspot.errors import CRM
from connectors.hubspot.ranges import list_in_ranges, scout_by_search
from connectors.hubspot.schema import CONTACTS, EMAIL, known
from connectors.hubspot.values import milliseconds, plain
from connectors.slabs import Rows, blank, cut, field_names, missing_from, name_absent, sharing_blanks

#: What changed in the last second before a reading began may be stamped a little later than its start.
AHEAD = timedelta(seconds=1)

#: When a contact or a company was created.
CREATED = "createdate"

#: Characters that the list of properties may take in a search; the rest is for filters.
PROPERTIES_IN_SEARCH = 1_500


class RecordReader:
    """Reads the records of one account. ``describe`` gives the schema of an object, kept by the caller.

    ``threads``: pages of a list that are asked for at the same time at most.
    """

    def __init__(
        self, api: Api, describe: Callable[[str], ObjectSchema], slab_rows: int, threads: int = THREADS
    ) -> None:
        self._api = api
        self._threads = threads
        self._describe = describe
        self._slab_rows = slab_rows
        self._sends_nulls: set[str] = set()
        self._readers: dict[tuple[str, ...], pages.Reader] = {}

    def _reader(self, properties: Sequence[str]) -> pages.Reader:
        """Making one costs as much as decoding some pages, and single records are read all day long."""
        names = tuple(properties)
        if names not in self._readers:
            self._readers[names] = pages.Reader(names)
        return self._readers[names]

    def everything(self, object_name: str, fields: Sequence[str]) -> Iterator[Slab]:
        """Every record that is not archived, by list; the slabs are in no order (``ranges``)."""
        schema = self._describe(object_name)
        asked = known(schema, fields)
        return self._slabs(schema, self._all_pages(object_name, asked))

    def changed(
        self, object_name: str, fields: Sequence[str], start: datetime, end: datetime
    ) -> Iterator[Slab]:
        """What was modified within [start, end], by search. The bounds are times of the CRM's clock."""
        schema = self._describe(object_name)
        stamp = "lastmodifieddate" if object_name == CONTACTS else "hs_lastmodifieddate"
        window = [
            {"propertyName": stamp, "operator": "GTE", "value": milliseconds(start)},
            {"propertyName": stamp, "operator": "LTE", "value": milliseconds(end + AHEAD)},
        ]
        return self._slabs(schema, self._searched(object_name, known(schema, fields), window))

    def created(self, object_name: str, fields: Sequence[str], window: Window) -> Iterator[Slab]:
        """What was created within a window, by search. Its index lags by moments (HubSpot reference, section 4.4)."""
        schema = self._describe(object_name)
        asked = known(schema, fields)
        return self._slabs(schema, self._searched(object_name, asked, _within(window)))

    def expected(self, object_name: str, fields: Sequence[str], window: Window) -> Expected:
        """The search's own total, and the pages it takes: 200 records each, or ids and batches of 100."""
        asked = known(self._describe(object_name), fields)
        filters = _within(window)
        ids = self._reader(())
        total = pages.count(self._api, object_name, ids, filters)
        found = -(-total // pages.SEARCH_PAGE)
        return Expected(total, found if self._in_search(filters, asked) else found - (-total // pages.BATCH))

    def named(self, object_name: str, fields: Sequence[str], ids: Sequence[str]) -> Iterator[Slab]:
        """The records with these ids. A merged record answers under its new id: then the old one is absent,
        and the new one is not handed out under it (HubSpot reference, section 4.6)."""
        schema = self._describe(object_name)
        wanted = list(dict.fromkeys(ids))
        found = pages.read_pages(self._api, object_name, self._reader(known(schema, fields)), wanted)
        names = frozenset(wanted)
        for slab in self._slabs(schema, found):
            # Two ids of one merged record are answered by the same record twice.
            frame = slab.frame.filter(pl.col(RECORD_ID).is_in(names)).unique(RECORD_ID, maintain_order=True)
            if len(frame):
                yield Slab(CRM, object_name, frame)

    def holding(
        self, object_name: str, fields: Sequence[str], where: str, values: Sequence[str]
    ) -> Iterator[Slab]:
        """The records whose property ``where`` equals one of ``values``.

        Exact and current for a unique property and a contact's e-mail. Any other property is searched: the
        index lags behind by moments (HubSpot reference, section 4.4). Raises OurBug for a property that the
        schema does not know.
        """
        schema = self._describe(object_name)
        info = schema.fields.get(where)
        if info is None:
            raise OurBug(f"HubSpot has no property {where}", crm=CRM, code="PROPERTY_DOESNT_EXIST")
        wanted = [v for v in dict.fromkeys(values) if v]
        if where == pages.RECORD_ID_PROPERTY:
            return self.named(object_name, fields, wanted)
        asked = known(schema, fields)
        if info.unique:
            if where == EMAIL:
                wanted = list(dict.fromkeys(v.lower() for v in wanted))
            reader = self._reader(asked)
            found = pages.read_pages(self._api, object_name, reader, wanted, key_property=where)
            return self._slabs(schema, found)
        return self._slabs(schema, self._equal(object_name, asked, info, _searchable(wanted, info)))

    def _equal(
        self, object_name: str, asked: Sequence[str], info: FieldInfo, values: Sequence[str]
    ) -> Iterator[Rows]:
        held = sum(len(name) + 3 for name in asked)
        room = pages.SEARCH_BODY - 500 - (held if held <= PROPERTIES_IN_SEARCH else 0)
        for some in _chunks(values, room):
            one_of = {"propertyName": info.name, "operator": "IN", "values": some}
            yield from self._searched(object_name, asked, [one_of])

    def _all_pages(self, object_name: str, asked: Sequence[str]) -> Iterator[Rows]:
        api, reader = self._api, self._reader(asked)
        fits = pages.fits_list(asked)
        listed = reader if fits else self._reader(())

        def fetch(after: str | None) -> pages.ListPage:
            page = pages.list_page(api, object_name, listed, after)
            if fits or not page.ids:
                return page
            # A page of a list is no longer than a batch: there is exactly one.
            [rows] = pages.read_pages(api, object_name, reader, page.ids)
            return pages.ListPage(page.ids, rows, page.after)

        return list_in_ranges(fetch, scout_by_search(api, object_name), self._threads)

    def _searched(
        self, object_name: str, asked: Sequence[str], filters: Sequence[pages.Filter]
    ) -> Iterator[Rows]:
        if self._in_search(filters, asked):
            yield from pages.search_pages(self._api, object_name, self._reader(asked), filters)
        else:
            ids = pages.search_pages(self._api, object_name, self._reader(()), filters)
            yield from self._filled(object_name, asked, ids)

    @staticmethod
    def _in_search(filters: Sequence[pages.Filter], asked: Sequence[str]) -> bool:
        """Whether the properties come with the search, or have to be read behind it."""
        held = sum(len(name) + 3 for name in asked)
        return held <= PROPERTIES_IN_SEARCH and pages.fits_search(filters, asked)

    def _filled(self, object_name: str, asked: Sequence[str], found: Iterable[Rows]) -> Iterator[Rows]:
        """Pages that hold ids only, read again with the properties that did not fit into the request."""
        reader = self._reader(asked)
        for rows in found:
            yield from pages.read_pages(self._api, object_name, reader, rows.ids)

    def _slabs(self, schema: ObjectSchema, found: Iterable[Rows]) -> Iterator[Slab]:
        for slab in cut(CRM, schema.object, found, self._slab_rows):
            yield Slab(CRM, schema.object, self._settled(slab.frame, schema))

    def _settled(self, frame: pl.DataFrame, schema: ObjectSchema) -> pl.DataFrame:
        fields = field_names(frame)
        if fields and sum(frame.select(fields).null_count().row(0)):
            self._sends_nulls.add(schema.object)
        missing = missing_from(frame)
        if missing:
            meaning = name_absent if schema.object in self._sends_nulls else blank
            frame = sharing_blanks(meaning(frame, missing))
        return plain(frame, {name: schema.fields[name] for name in fields})


def since_of(cursor: Cursor) -> datetime:
    """The time in a cursor of this connector. Raises OurBug for a cursor of another one."""
    try:
        since = datetime.fromisoformat(cursor["since"])
    except (KeyError, TypeError, ValueError):
        raise OurBug("This is no cursor of the HubSpot connector", crm=CRM, code="CURSOR") from None
    if since.utcoffset() is None:
        raise OurBug("A HubSpot cursor needs a time zone", crm=CRM, code="CURSOR")
    return since


def _within(window: Window) -> Sequence[pages.Filter]:
    """Filters of a search for what was created within a window."""
    bounds = (("GTE", window.start), ("LT", window.end))
    filters: list[pages.Filter] = [
        {"propertyName": CREATED, "operator": operator, "value": milliseconds(moment)}
        for operator, moment in bounds
        if moment is not None
    ]
    # A search without a filter is one for everything; every record has an id.
    return filters or [{"propertyName": pages.RECORD_ID_PROPERTY, "operator": "HAS_PROPERTY"}]


def _searchable(values: Sequence[str], info: FieldInfo) -> list[str]:
    """Each value once, as a search's IN wants it: texts in lower case (HubSpot reference, section 4.4)."""
    return list(dict.fromkeys(v.lower() for v in values)) if info.type == "text" else list(values)


def _chunks(values: Sequence[str], room: int) -> Iterator[list[str]]:
    """Lists of values that take at most ``room`` characters as JSON; a value longer than that stands alone."""
    some: list[str] = []
    left = room
    for value in values:
        size = len(orjson.dumps(value)) + 1
        if some and size > left:
            yield some
            some, left = [], room
        some.append(value)
        left -= size
    if some:
        yield some
