"""Records of other objects, whole, in small typed rows: what somebody did, who owns, what a record was.

Only fields that describe shows are asked for (Salesforce reference, section 12, point 14); a row's other
attributes keep their default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

import msgspec

from connectors.errors import NeedsPerson, RetryLater
from connectors.salesforce import soql
from connectors.salesforce.calls import Calls
from connectors.salesforce.errors import CRM, LocatorGone
from connectors.salesforce.ids import eighteen, may_exist
from connectors.salesforce.schema import Described, Schemas

#: How often a result may be lost at one place before the reading is left to a later try.
LOST_AT_ONE_PLACE = 3


def is_hidden(error: NeedsPerson) -> bool:
    """Whether an object or a field is not there or not visible to us, as against a login that fails."""
    return error.code in ("NOT_FOUND", "404", "INVALID_FIELD")


class Row(msgspec.Struct, gc=False):
    """A record with its 18-character id. Attributes have the names of the fields they are read from."""

    Id: str


R = TypeVar("R", bound=Row)


class Page(msgspec.Struct, Generic[R]):
    """One page of a query."""

    records: list[R]
    done: bool = True
    nextRecordsUrl: str | None = None


class Listing(Generic[R]):
    """Reads one object's records as ``kind``, a struct whose attributes are the names of fields.

    ``needed``: fields without which a row says nothing. Raises NeedsPerson where the object, or one of them,
    is not visible to us.
    """

    def __init__(
        self, calls: Calls, schemas: Schemas, object_name: str, kind: type[R], needed: Sequence[str] = ()
    ) -> None:
        self._calls = calls
        self._object = object_name
        described: Described = schemas.of(object_name)
        missing = [name for name in needed if not described.has(name)]
        if missing:
            raise NeedsPerson(
                f"salesforce: {object_name} has no field {soql.shown(missing[0])} that is visible to us",
                crm=CRM,
                code="INVALID_FIELD",
                fix=f"give the integration user read access to {object_name}.{soql.shown(missing[0])}",
            )
        names = [field.encode_name for field in msgspec.structs.fields(kind)]
        self._names = [name for name in names if described.has(name)]
        self._decode: Callable[[bytes], Page[R]] = msgspec.json.Decoder(Page[kind]).decode  # type: ignore[valid-type]

    def every(self, where: str = "", *, deleted_too: bool = False) -> Iterator[list[R]]:
        """The records that meet a condition, a page at a time, in the order of their ids."""
        behind: str | None = None
        lost = 0
        while True:
            try:
                for page in self._pages(self._behind(where, behind), "Id", deleted_too):
                    behind, lost = page[-1].Id, 0
                    yield page
                return
            except LocatorGone as gone:
                lost += 1
                if lost > LOST_AT_ONE_PLACE:
                    raise RetryLater("salesforce: a result is lost again and again", crm=CRM) from gone

    def of(
        self, where: str, ids: Sequence[str], more: str = "", *, deleted_too: bool = False
    ) -> Iterator[list[R]]:
        """The records whose field ``where`` names one of the ids (15 or 18 characters), a chunk of ids at a time.

        ``more``: a further condition.
        """
        whole = [one for one in dict.fromkeys(map(eighteen, ids)) if may_exist(one)]
        prefix = soql.select(self._object, self._names) + (
            f" WHERE {more} AND {where}" if more else f" WHERE {where}"
        )
        for query in soql.in_chunks(prefix, [soql.text(one) for one in whole]):
            found = self._whole(query, deleted_too)
            if found:
                yield found

    def _behind(self, where: str, last: str | None) -> str:
        if last is None:
            return where
        behind = f"Id > {soql.text(last)}"
        return f"({where}) AND {behind}" if where else behind

    def _pages(self, where: str, order: str, deleted_too: bool) -> Iterator[list[R]]:
        query = soql.select(self._object, self._names, where, order)
        page: Page[R] = self._calls.query(query, deleted_too=deleted_too, decode=self._decode)
        while page.records:
            yield page.records
            if page.done:
                return
            page = self._calls.more(str(page.nextRecordsUrl), self._decode)

    def _whole(self, query: str, deleted_too: bool) -> list[R]:
        """Every record of a query that has no order of its own, begun again where its place is lost."""
        lost: LocatorGone | None = None
        for _ in range(LOST_AT_ONE_PLACE + 1):
            try:
                page: Page[R] = self._calls.query(query, deleted_too=deleted_too, decode=self._decode)
                found = list(page.records)
                while not page.done:
                    page = self._calls.more(str(page.nextRecordsUrl), self._decode)
                    found.extend(page.records)
            except LocatorGone as gone:
                lost = gone
            else:
                return found
        raise RetryLater("salesforce: a result is lost again and again", crm=CRM) from lost
