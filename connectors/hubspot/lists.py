"""Lists (HubSpot calls them segments): who is on one, and putting people on it or taking them off.

HubSpot reference, section 6.6. Only lists that are kept by hand (``MANUAL``, ``SNAPSHOT``) take members from us;
who is on a ``DYNAMIC`` one follows from its filters. Everything is named by the ILS list id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson
import polars as pl

from connectors.crm import RECORD_ID
from connectors.errors import NeedsPerson, OurBug
from connectors.hubspot.api import Api, Reply
from connectors.hubspot.errors import CRM, Refusal
from connectors.hubspot.pages import Paging, following
from connectors.slabs import times

#: Members in one page at most (HubSpot reference, section 6.6).
MEMBERS_PAGE = 250

#: Lists in one page of a search, and record ids in one change: sizes of ours, no limits of HubSpot's.
LISTS_PAGE = 100
CHANGED_AT_ONCE = 1_000

#: The type ids by which lists name their object (HubSpot reference, sections 6.2 and 6.5).
TYPE_IDS: Mapping[str, str] = {"contacts": "0-1", "companies": "0-2", "leads": "0-136"}

#: One row for each member. ``joined_at``: when the record came onto the list.
MEMBER_SCHEMA: Mapping[str, pl.DataType] = {
    RECORD_ID: pl.String(),
    "joined_at": pl.Datetime("us", "UTC"),
}


@dataclass(frozen=True, slots=True)
class ContactList:
    """One list. ``object_type`` is HubSpot's type id; ``size`` None where HubSpot did not say."""

    id: str
    name: str
    object_type: str
    processing: str
    size: int | None = None

    @property
    def takes_members(self) -> bool:
        """Whether we may put records on it."""
        return self.processing in {"MANUAL", "SNAPSHOT"}


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What a change of members did, by record id: ``missing`` ones are no live records of the list's object.

    An id that is in none of the three was on the list already, or was not on it.
    """

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


class _List(msgspec.Struct):
    listId: str
    name: str = ""
    objectTypeId: str = ""
    processingType: str = ""
    size: int | None = None
    additionalProperties: dict[str, Any] = {}


class _One(msgspec.Struct):
    list: _List


class _Found(msgspec.Struct):
    lists: list[_List]
    offset: int = 0
    hasMore: bool = False


class _Member(msgspec.Struct):
    recordId: str
    membershipTimestamp: str | None = None


class _Members(msgspec.Struct):
    results: list[_Member]
    paging: Paging | None = None


class _Changed(msgspec.Struct):
    # HubSpot's own spelling: one of the three says "records" (HubSpot reference, section 6.6).
    recordsIdsAdded: list[str] = []
    recordIdsRemoved: list[str] = []
    recordIdsMissing: list[str] = []


class _Membership(msgspec.Struct):
    listId: str


class _Memberships(msgspec.Struct):
    results: list[_Membership]


class Lists:
    """The lists of one account. Scopes ``crm.lists.read`` and, to change them, ``crm.lists.write``."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def find(self, name_part: str = "") -> Iterator[ContactList]:
        """The lists whose name holds ``name_part``, in any case; all of them without one."""
        offset = 0
        while True:
            asked = {"query": name_part, "count": LISTS_PAGE, "offset": offset}
            # A search of lists is an ordinary call: the five searches a second are those of records.
            page = self._api.read(_decode_found, self._api.lists.do_search, orjson.dumps(asked))
            yield from map(_list, page.lists)
            if not page.hasMore:
                return
            if page.offset <= offset:
                raise OurBug("HubSpot's search of lists does not move on", crm=CRM, code="NO_PROGRESS")
            offset = page.offset

    def get(self, list_id: str) -> ContactList | None:
        """One list, None where there is none of that id."""
        try:
            return _list(self._api.call(_decode_one, self._api.lists.get_by_id, list_id))
        except Refusal as refusal:
            if refusal.status == 404:
                return None
            raise refusal.as_bug() from None

    def create(self, name: str, object_name: str = "contacts") -> ContactList:
        """A new list that is kept by hand. Raises NeedsPerson where HubSpot refuses it: names are taken once.

        Not repeated where the answer is lost: a second list of the same name would be refused.
        """
        type_id = TYPE_IDS.get(object_name)
        if type_id is None:
            raise OurBug(f"Lists of {object_name} are not known", crm=CRM, code="OBJECT_TYPE")
        asked = {"name": name, "objectTypeId": type_id, "processingType": "MANUAL"}
        try:
            return _list(
                self._api.call(_decode_one, self._api.lists.create, orjson.dumps(asked), repeatable=False)
            )
        except Refusal as refusal:
            raise _needs_person("create the list", refusal, "Choose another name for it.") from None

    def members(self, list_id: str) -> Iterator[pl.DataFrame]:
        """Who is on a list: frames of ``MEMBER_SCHEMA``, 250 rows at most."""
        after: str | None = None
        while True:
            page = self._api.read(
                _decode_members, self._api.memberships.get_page, list_id, limit=MEMBERS_PAGE, after=after
            )
            if page.results:
                yield _frame(page.results)
            after = following(page.paging, after, "list of members")
            if after is None:
                return

    def add(self, list_id: str, ids: Sequence[str]) -> Enrolled:
        """Put records on a list; safe to repeat. Raises NeedsPerson for a list that takes no members."""
        return self._change(self._api.memberships.add, list_id, ids)

    def remove(self, list_id: str, ids: Sequence[str]) -> Enrolled:
        """Take records off a list; safe to repeat. Raises NeedsPerson for a list that takes no members."""
        return self._change(self._api.memberships.remove, list_id, ids)

    def of_record(self, object_name: str, record_id: str) -> list[str]:
        """The ids of the lists that a record is on. One call."""
        found = self._api.read(
            _decode_memberships,
            self._api.memberships.get_lists,
            TYPE_IDS.get(object_name, object_name),
            record_id,
        )
        return [one.listId for one in found]

    def _change(self, send: Any, list_id: str, ids: Sequence[str]) -> Enrolled:
        wanted = list(dict.fromkeys(ids))
        done = _Changed()
        for start in range(0, len(wanted), CHANGED_AT_ONCE):
            body = orjson.dumps(wanted[start : start + CHANGED_AT_ONCE])
            try:
                one = self._api.call(_decode_changed, send, list_id, body)
            except Refusal as refusal:
                fix = "Use a list that is kept by hand; who is on a dynamic one follows from its filters."
                raise _needs_person("change who is on a list", refusal, fix) from None
            done.recordsIdsAdded += one.recordsIdsAdded
            done.recordIdsRemoved += one.recordIdsRemoved
            done.recordIdsMissing += one.recordIdsMissing
        return Enrolled(
            tuple(done.recordsIdsAdded), tuple(done.recordIdsRemoved), tuple(done.recordIdsMissing)
        )


def _needs_person(what: str, refusal: Refusal, fix: str) -> NeedsPerson:
    text = f"HubSpot refuses to {what}: {refusal.code} ({refusal.status})"
    return NeedsPerson(text, crm=CRM, code=refusal.code, correlation=refusal.correlation, fix=fix)


def _list(found: _List) -> ContactList:
    told = str(found.additionalProperties.get("hs_list_size"))
    size = found.size if found.size is not None else int(told) if told.isdecimal() else None
    return ContactList(found.listId, found.name, found.objectTypeId, found.processingType, size)


def _frame(members: Sequence[_Member]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            RECORD_ID: [m.recordId for m in members],
            "joined_at": times("joined_at", [m.membershipTimestamp for m in members]),
        },
        schema=dict(MEMBER_SCHEMA),
    )


def _decode_one(reply: Reply) -> _List:
    return msgspec.json.decode(reply.data, type=_One).list


def _decode_found(reply: Reply) -> _Found:
    return msgspec.json.decode(reply.data, type=_Found)


def _decode_members(reply: Reply) -> _Members:
    return msgspec.json.decode(reply.data, type=_Members)


def _decode_changed(reply: Reply) -> _Changed:
    return msgspec.json.decode(reply.data, type=_Changed)


def _decode_memberships(reply: Reply) -> list[_Membership]:
    return msgspec.json.decode(reply.data, type=_Memberships).results
