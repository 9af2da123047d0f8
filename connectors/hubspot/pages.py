"""Pages of records: how they are asked for, how they are decoded, and when they end.

Three ways to read (HubSpot reference, section 4.1): lists in id order for everything, searches for what
changed, batch reads for named records. Each is a generator of ``Rows``; what they mean is decided above.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, cast

import msgspec
import orjson
from msgspec.structs import astuple

from connectors.errors import OurBug
from connectors.hubspot.api import Api, Reply
from connectors.hubspot.errors import CRM, problem_of
from connectors.hubspot.values import as_text
from connectors.slabs import NOT_THERE, ByRecord, Rows

#: Records in a page at most (HubSpot reference, section 4.1).
LIST_PAGE = 100
SEARCH_PAGE = 200
BATCH = 100

#: Characters in the body of a search at most (HubSpot reference, section 4.4).
SEARCH_BODY = 3_000

#: Characters in the address of a list; above, proxies and servers begin to refuse.
LIST_ADDRESS = 15_000

RECORD_ID_PROPERTY = "hs_object_id"
NOT_FOUND = "OBJECT_NOT_FOUND"

Filter = Mapping[str, Any]


class _Next(msgspec.Struct):
    after: str


class Paging(msgspec.Struct):
    """Where the next page begins; no ``next`` on the last one."""

    next: _Next | None = None


def following(paging: Paging | None, after: str | None, what: str) -> str | None:
    """Where the page after the one that began at ``after`` begins; None where that was the last.

    Raises OurBug where HubSpot names the same page again; ``what`` it is a page of, for the sentence.
    """
    coming = paging.next.after if paging is not None and paging.next is not None else None
    if coming is not None and coming == after:
        raise OurBug(f"HubSpot's {what} does not move on", crm=CRM, code="NO_PROGRESS")
    return coming


class Page(msgspec.Struct):
    """A page without its records' properties being known; ``Reader`` makes the exact type."""

    results: list[Any]
    paging: Paging | None = None
    total: int | None = None
    errors: list[dict[str, Any]] = []

    @property
    def after(self) -> str | None:
        return self.paging.next.after if self.paging is not None and self.paging.next is not None else None


class _AnyPage(msgspec.Struct):
    results: list[dict[str, Any]]
    paging: Any = None
    total: Any = None
    errors: list[Any] = []


class Reader:
    """Decodes pages of records that were asked for ``properties``, straight into columns.

    A struct is made for them, so that decoding builds no dictionaries; a property that a record came
    without is ``NOT_THERE``.
    """

    def __init__(self, properties: Sequence[str]) -> None:
        self.properties = list(properties)
        slots = [f"p{n}" for n in range(len(self.properties))]
        values = msgspec.defstruct(
            "Values",
            [(slot, str | None, NOT_THERE) for slot in slots],
            rename=dict(zip(slots, self.properties, strict=True)),
            gc=False,
        )
        record = msgspec.defstruct(
            "Record",
            [
                ("id", str),
                ("properties", values),
                ("createdAt", str | None, None),
                ("updatedAt", str | None, None),
                ("archived", bool, False),
            ],
            # Nothing in a page refers back to it: the collector need not look for that.
            gc=False,
        )
        page = msgspec.defstruct("RecordPage", [("results", list[record])], bases=(Page,))  # type: ignore[valid-type]
        self._decoder = msgspec.json.Decoder(page)

    def page(self, reply: Reply) -> Page:
        """Raises msgspec's errors; ``Api.call`` translates them and reads again where that helps."""
        try:
            return cast(Page, self._decoder.decode(reply.data))
        except msgspec.ValidationError:
            return cast(Page, self._decoder.decode(_with_texts(reply.data)))

    def rows(self, results: Sequence[Any]) -> Rows:
        """The records of a page as columns."""
        # All values of a record at once: asked for one by one, they take longer than the record took to decode.
        records = list(zip(*map(astuple, results), strict=True)) if results else [()] * 5
        ids, properties, created, modified, archived = records
        values = list(chain.from_iterable(map(astuple, properties)))
        return Rows(ids, modified, created, archived, ByRecord(self.properties, values))


def _with_texts(body: bytes) -> bytes:
    """A page whose property values are texts: one odd value must not stop the reading of all records."""
    page = msgspec.json.decode(body, type=_AnyPage)
    for record in page.results:
        record["properties"] = {name: as_text(value) for name, value in record.get("properties", {}).items()}
    return orjson.dumps(
        {"results": page.results, "paging": page.paging, "total": page.total, "errors": page.errors}
    )


@dataclass(frozen=True, slots=True)
class ListPage:
    """One page of a list: ``ids`` as the list showed them, ``rows`` what is known of them.

    ``after`` is the cursor of the next page, None on the last one.
    """

    ids: Sequence[str]
    rows: Rows
    after: str | None


def list_page(api: Api, object_name: str, reader: Reader, after: str | None) -> ListPage:
    """One page of the records that are not archived, from the record ``after`` on (HubSpot reference, 4.2)."""
    page = api.read(
        reader.page,
        api.records.get_page,
        object_name,
        limit=LIST_PAGE,
        after=after,
        properties=reader.properties or None,
    )
    rows = reader.rows(page.results)
    return ListPage(rows.ids, rows, page.after)


def fits_list(properties: Sequence[str]) -> bool:
    """Whether a list can ask for so many properties in its address."""
    return sum(len(name) + len("&properties=") for name in properties) <= LIST_ADDRESS


def search_body(filters: Sequence[Filter], properties: Sequence[str]) -> bytes:
    """The body of a search sorted by record id; the ids of a page are then the key of the next one."""
    return orjson.dumps(
        {
            "filterGroups": [{"filters": list(filters)}],
            "sorts": [{"propertyName": RECORD_ID_PROPERTY, "direction": "ASCENDING"}],
            "properties": list(properties),
            "limit": SEARCH_PAGE,
        }
    )


def fits_search(filters: Sequence[Filter], properties: Sequence[str]) -> bool:
    """Whether HubSpot takes a search of this size: at most 3,000 characters, the longest id included."""
    body = search_body([*filters, _beyond("9" * 20)], properties)
    return len(body.decode()) <= SEARCH_BODY


def search_pages(api: Api, object_name: str, reader: Reader, filters: Sequence[Filter]) -> Iterator[Rows]:
    """Every record that the filters let through, in id order.

    Pages by "id greater than the last one" and never by offset: an offset ends at 10,000, and a moving
    lower time bound loops where an import stamped more records than that with one time (HubSpot
    reference, section 4.4). Raises OurBug when the ids do not rise.
    """
    last: str | None = None
    while True:
        wanted = filters if last is None else [*filters, _beyond(last)]
        body = search_body(wanted, reader.properties)
        page = api.read(reader.page, api.searches.do_search, object_name, body, window="search")
        if not page.results:
            return
        last = _highest(page, last)
        yield reader.rows(page.results)
        if page.after is None and (page.total is None or page.total <= len(page.results)):
            return


def count(api: Api, object_name: str, reader: Reader, filters: Sequence[Filter]) -> int:
    """How many records the filters let through: ``total`` counts past the 10,000 that a search shows.

    One call (HubSpot reference, section 4.4).
    """
    page = api.read(
        reader.page,
        api.searches.do_search,
        object_name,
        search_body(filters, reader.properties),
        window="search",
    )
    return len(page.results) if page.total is None else page.total


def _beyond(record_id: str) -> dict[str, str]:
    return {"propertyName": RECORD_ID_PROPERTY, "operator": "GT", "value": record_id}


def _highest(page: Page, last: str | None) -> str:
    try:
        ids = [int(r.id) for r in page.results]
    except ValueError:
        raise OurBug("HubSpot's record ids are not numbers", crm=CRM, code="ID_ORDER") from None
    floor = -1 if last is None else int(last)
    if any(low >= high for low, high in zip([floor, *ids], ids, strict=False)):
        raise OurBug("HubSpot's search does not move on", crm=CRM, code="NO_PROGRESS")
    return str(ids[-1])


def read_pages(
    api: Api, object_name: str, reader: Reader, keys: Sequence[str], *, key_property: str | None = None
) -> Iterator[Rows]:
    """The records with these ids, or with these values of a unique property (HubSpot reference, 4.3).

    Keys that lead nowhere have no row. ``keys`` hold no value twice. Raises OurBug where HubSpot names
    another reason than "not found" for a record it left out.
    """
    for start in range(0, len(keys), BATCH):
        asked: dict[str, Any] = {
            "properties": reader.properties,
            "inputs": [{"id": key} for key in keys[start : start + BATCH]],
        }
        if key_property is not None:
            asked["idProperty"] = key_property
        page = api.read(reader.page, api.batches.read, object_name, orjson.dumps(asked))
        check_left_out(page.errors)
        yield reader.rows(page.results)


def check_left_out(errors: Sequence[Mapping[str, Any]]) -> None:
    """Records that an answer left out: those that are not there are no failure.

    Raises OurBug where HubSpot names another reason.
    """
    for error in errors:
        problem = problem_of(error)
        if problem.category != NOT_FOUND:
            code = problem.code or "unknown"
            raise OurBug(f"HubSpot left records out of a batch read: {code}", crm=CRM, code=code)
