"""One HubSpot account behind the port ``connectors.crm.Crm``."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import partial

import msgspec
import polars as pl

from connectors.atonce import attentive
from connectors.crm import (
    RECORD_ID,
    Account,
    Cursor,
    Expected,
    FieldSpec,
    LastChange,
    ObjectSchema,
    Reading,
    Slab,
    Window,
    Write,
    Written,
)
from connectors.errors import NeedsPerson, OurBug
from connectors.hubspot.api import Api, Reply
from connectors.hubspot.archiving import archive
from connectors.hubspot.availability import Availability, availability_of
from connectors.hubspot.choices import THREADS, WRITE_THREADS, FullRead, Version
from connectors.hubspot.consent import Consents
from connectors.hubspot.engagement import ENGAGEMENTS, Touches, touches_of
from connectors.hubspot.errors import CRM
from connectors.hubspot.exports import Exports
from connectors.hubspot.fields import add_fields
from connectors.hubspot.forms import Form, Submission, read_forms, read_submissions
from connectors.hubspot.history import history_of, history_of_all, newest_of
from connectors.hubspot.leads import LeadsObject
from connectors.hubspot.linked import LINK_SCHEMA, links_of
from connectors.hubspot.lists import Lists
from connectors.hubspot.owners import Owner, Pipeline, read_owners, read_pipelines
from connectors.hubspot.reading import RecordReader, since_of
from connectors.hubspot.removed import Removed, fates_of, removed_since
from connectors.hubspot.schema import COMPANIES, CONTACTS, describe
from connectors.hubspot.signals import COUNTERS, Signals, counters_in, events_of
from connectors.hubspot.token import TokenSource
from connectors.hubspot.withdrawal import write_with_withdrawals
from connectors.hubspot.writing import Writer
from connectors.quota import Lane, Quota
from connectors.quota_day import Room
from connectors.retry import Retry
from connectors.session import CrmSession
from connectors.slabs import SLAB_ROWS

#: Seconds that a reading goes back behind its cursor: the search index lags (HubSpot reference, section 4.4).
OVERLAP_SECONDS = 300.0


class HubSpotCrm:
    """HubSpot, spoken to with one token, or with those of a ``TokenSource`` such as ``token.OAuthTokens``.

    Objects are named as in HubSpot's paths: "contacts", "companies". ``base_url`` is https, or http on the
    loopback interface (``session.PlainAddress`` otherwise). ``version`` chooses the family of paths (HubSpot
    reference, section 3). ``overlap_seconds`` is how far an incremental reading looks back behind its cursor.
    ``list_threads`` is how many pages of a full reading may be asked for at the same time; 1 reads them one
    after the other; ``write_threads`` is the same for batches of writes. ``full_read`` "export" makes a full reading
    of one file instead of many pages (HubSpot reference, section 4.5); ``sleep`` (seconds) waits for it. Nothing is
    sent before the first method is called.
    """

    name = CRM

    def __init__(
        self,
        token: str | TokenSource,
        base_url: str,
        session: CrmSession,
        quota: Quota,
        *,
        retry: Retry,
        version: Version = "v3",
        overlap_seconds: float = OVERLAP_SECONDS,
        slab_rows: int = SLAB_ROWS,
        list_threads: int = THREADS,
        write_threads: int = WRITE_THREADS,
        full_read: FullRead = "list",
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._api = Api(token, base_url, session, quota, retry, version)
        self._overlap = timedelta(seconds=overlap_seconds)
        self._schemas: dict[str, ObjectSchema] = {}
        self._account: Account | None = None
        self._reader = RecordReader(self._api, self.describe, slab_rows, list_threads)
        self._consents = Consents(self._api, version)
        self._write_threads = write_threads
        self._writer = Writer(self._api, self.describe, self._reader.holding, write_threads)
        self._lists = Lists(self._api)
        self._exports = Exports(self._api, self.describe, slab_rows)
        self._full_read = full_read
        # What reads waits in a thread of its own, which an interrupt does not reach.
        self._sleep = attentive(sleep)
        self._leads = LeadsObject(self._api, partial(self.links, CONTACTS), self.fetch)

    def __repr__(self) -> str:
        return f"HubSpotCrm({self._api.base_url!r})"

    @property
    def calls(self) -> int:
        """HTTP requests sent so far over this connector's session."""
        return self._api.session.calls

    def in_lane(self, lane: Lane) -> AbstractContextManager[None]:
        """Calls made inside, by every thread, count in this lane of the budget."""
        return self._api.quota.in_lane(lane)

    def room(self) -> Room | None:
        """What a backfill may still call of the day; None where HubSpot tells nothing of it, as to OAuth apps."""
        return self._api.quota.room()

    def account(self) -> Account:
        """The account behind the token; its time zone tells the quota when a day ends.

        Where the token may not read the account's details, the portal id is taken from the address that
        HubSpot gives for any contact, and currency and time zone stay empty.
        """
        if self._account is None:
            self._account = self._details() or self._account_of_a_record()
            self._api.quota.day_ends_in(self._account.time_zone)
        return self._account

    def _details(self) -> Account | None:
        found = self._api.offered(_decode_details, self._api.get, "/account-info/v3/details")
        if found is None:
            return None
        currency, zone = found.companyCurrency or "", found.timeZone or ""
        return Account(CRM, str(found.portalId), currency=currency, time_zone=zone)

    def _account_of_a_record(self) -> Account:
        api = self._api
        address = api.read(_decode_address, api.records.get_page, CONTACTS, limit=1)
        portal = re.search(r"/contacts/(\d+)/", address)
        if portal is None:
            raise NeedsPerson(
                "HubSpot does not say which account this is",
                crm=CRM,
                code="NO_ACCOUNT",
                fix="Allow the token to read the account's details, or create a first contact.",
            )
        return Account(CRM, portal[1])

    def now(self) -> datetime:
        """HubSpot's clock (whole seconds, UTC) from the Date header of its latest answer."""
        return self._api.session.crm_time or self._clock(CONTACTS)

    def _clock(self, object_name: str) -> datetime:
        """HubSpot's clock, asked for now: the cheapest call that every token may make."""
        self._api.read(_nothing, self._api.records.get_page, object_name, limit=1)
        time = self._api.session.crm_time
        if time is None:
            raise OurBug("HubSpot's answers carry no Date header", crm=CRM, code="NO_DATE")
        return time

    def describe(self, object_name: str) -> ObjectSchema:
        """The live schema; for contacts with the lifecycle stages in their order. Two calls, then kept."""
        schema = self._schemas.get(object_name)
        if schema is None:
            schema = self._schemas[object_name] = describe(self._api, object_name)
        return schema

    def changes(self, object_name: str, fields: Sequence[str], since: Cursor | None) -> Reading:
        """Everything by list or export (``since`` None), or what a search finds modified since the cursor.

        The cursor is ``{"since": ISO 8601}``, HubSpot's clock before the first call. Archived records are in
        neither: HubSpot's search does not show them, and archiving does not move the time stamp (HubSpot
        reference, section 4.4).
        """
        start = since_of(since) if since is not None else None
        self.describe(object_name)
        now = self._clock(object_name)
        if start is None and self._full_read == "export":
            slabs = self._exports.everything(object_name, fields, self._sleep)
        elif start is None:
            slabs = self._reader.everything(object_name, fields)
        else:
            slabs = self._reader.changed(object_name, fields, start - self._overlap, now)
        return Reading(slabs, {"since": now.isoformat()})

    def created(self, object_name: str, fields: Sequence[str], window: Window) -> Iterator[Slab]:
        """By search for the time of creation, in id order, so that no 10,000 rows end it."""
        return self._reader.created(object_name, fields, window)

    def expected(self, object_name: str, fields: Sequence[str], window: Window) -> Expected:
        """By the total of one search."""
        return self._reader.expected(object_name, fields, window)

    def fetch(self, object_name: str, fields: Sequence[str], ids: Sequence[str]) -> Iterator[Slab]:
        """The named records by batch read. An id that lead to another record (a merge) is absent."""
        return self._reader.named(object_name, fields, ids)

    def find(
        self, object_name: str, fields: Sequence[str], where: str, values: Sequence[str]
    ) -> Iterator[Slab]:
        """By batch read for a contact's e-mail and unique properties, by search for all others.

        Raises OurBug for a property that the schema does not know.
        """
        return self._reader.holding(object_name, fields, where, values)

    def archive(self, object_name: str, ids: Sequence[str]) -> list[Written]:
        """Archive records, 100 a call; see ``connectors.hubspot.archiving``."""
        return archive(self._api, object_name, ids)

    def last_changes(self, object_name: str, fields: Sequence[str], ids: Sequence[str]) -> list[LastChange]:
        """By the history of each property; ``by`` is the owner's address, or HubSpot's word for what set it."""
        newest = newest_of(self.history(object_name, fields, ids))
        users = {owner.user_id: owner.email for owner in self.owners()} if len(newest) else {}
        return [
            LastChange(record, field, at, users.get(user) or " ".join(filter(None, (source, source_id))))
            for record, field, at, source, source_id, user in newest.iter_rows()
        ]

    def history(
        self, object_name: str, fields: Sequence[str], ids: Sequence[str] | None = None
    ) -> Iterator[pl.DataFrame]:
        """When these properties had which values: frames of ``crm.HISTORY_SCHEMA``.

        ``ids`` None: for every record that is not archived. Beyond the port: Salesforce tells it otherwise.
        """
        schema = self.describe(object_name)
        if ids is None:
            return history_of_all(self._api, schema, fields)
        return history_of(self._api, schema, fields, ids)

    def links(self, object_name: str, to_object: str, ids: Sequence[str]) -> Iterator[pl.DataFrame]:
        """The associations of the named records: frames of ``linked.LINK_SCHEMA``. Beyond the port."""
        return links_of(self._api, object_name, to_object, ids)

    def companies_of(self, ids: Sequence[str]) -> pl.DataFrame:
        """The company of each named contact: one row a contact, columns ``_id`` and ``company_id``.

        The primary company; for a contact without one, the only company it has. A contact with several
        companies and no primary one has no row, nor has one without a company. Beyond the port.
        """
        found = pl.concat([pl.DataFrame(schema=dict(LINK_SCHEMA)), *self.links(CONTACTS, COMPANIES, ids)])
        alone = pl.len().over(RECORD_ID) == 1
        chosen = found.filter(pl.col("primary") | alone).unique(RECORD_ID, keep="first", maintain_order=True)
        return chosen.select(RECORD_ID, company_id="other_id")

    def owners(self) -> list[Owner]:
        """Everybody whom records can be assigned to, and those who left (``archived``). Beyond the port."""
        return read_owners(self._api)

    def pipelines(self, object_name: str) -> list[Pipeline]:
        """The pipelines of "contacts" or "companies", their stages in order. One call. Beyond the port."""
        return read_pipelines(self._api, object_name)

    @property
    def consents(self) -> Consents:
        """Who wants which mail, and taking people off lists; never on one. Beyond the port."""
        return self._consents

    @property
    def lists(self) -> Lists:
        """Lists of contacts or companies, and who is on them. Beyond the port."""
        return self._lists

    @property
    def exports(self) -> Exports:
        """Everything as one file, the third way beside list and search. Beyond the port."""
        return self._exports

    @property
    def leads(self) -> LeadsObject:
        """HubSpot's own Leads object, where the account has it. Beyond the port."""
        return self._leads

    def removed(self, object_name: str, since: datetime, ids: Sequence[str] = ()) -> list[Removed]:
        """What is no longer there: merged or archived since an aware time, and what became of ``ids``.

        Without ``ids`` nothing tells of erased records. One row a record. Beyond the port.
        """
        schema = self.describe(object_name)
        found = {one.record_id: one for one in removed_since(self._api, schema, since)}
        left = [each for each in ids if each not in found]
        return [*found.values(), *fates_of(self._api, schema, left)]

    def fates(self, object_name: str, ids: Sequence[str]) -> list[Removed]:
        """What became of those of ``ids`` that are no live records any more. Beyond the port."""
        return list(fates_of(self._api, self.describe(object_name), ids))

    def touches(self, ids: Sequence[str], kinds: Sequence[str] = tuple(ENGAGEMENTS)) -> Touches:
        """Calls, mails, meetings, notes, tasks and messages of the named contacts. Beyond the port."""
        return touches_of(partial(self.links, CONTACTS), self.fetch, ids, kinds)

    def signals(self, ids: Sequence[str], events: Sequence[str] = tuple(COUNTERS)) -> Signals:
        """When the named contacts visited, opened, clicked and sent forms. Beyond the port."""
        counters, missing = counters_in(self.describe(CONTACTS), events)
        histories = self.history(CONTACTS, list(counters), ids)
        return Signals(events_of(histories, counters), missing)

    def counters(self, events: Sequence[str]) -> dict[str, str]:
        """The contact's property that counts each kind of event, of those that the account has. Beyond the port."""
        return counters_in(self.describe(CONTACTS), events)[0]

    def risen(self, history: pl.DataFrame, counters: Mapping[str, str]) -> pl.DataFrame:
        """The single events in a history that was read (``signals.EVENT_SCHEMA``). Beyond the port."""
        return events_of([history], counters)

    def forms(self) -> list[Form]:
        """The account's forms. Beyond the port."""
        return read_forms(self._api)

    def submissions(self, form_id: str, since: datetime | None = None) -> Iterator[Submission]:
        """What was sent through a form, newest first. Beyond the port."""
        return read_submissions(self._api, form_id, since)

    def availability(self) -> list[Availability]:
        """Which signals, objects and APIs this account has, and which it lacks. Beyond the port."""
        return availability_of(self._api, self.describe)

    def write(self, object_name: str, writes: Sequence[Write]) -> list[Written]:
        """Updates, upserts and creates in batches of 100; see ``connectors.hubspot.writing`` and ``.withdrawal``."""
        return write_with_withdrawals(
            writes,
            lambda some: self._writer.write(object_name, some),
            lambda fields, ids: list(self.fetch(object_name, fields, ids)),
            self._consents,
            self._write_threads,
        )

    def add_fields(self, object_name: str, specs: Sequence[FieldSpec]) -> list[str]:
        """Create the properties that are missing, in the group "Leadpact"; returns their names.

        Raises NeedsPerson for a property that exists with another type or without the uniqueness asked for
        (both are fixed at creation: HubSpot reference, section 6.1), and where HubSpot refuses one.
        """
        try:
            return add_fields(self._api, object_name, specs)
        finally:
            self._schemas.pop(object_name, None)

    def close(self) -> None:
        """Close the session's connections."""
        self._api.session.close()


class _Details(msgspec.Struct):
    portalId: int
    companyCurrency: str | None = None
    timeZone: str | None = None


class _Linked(msgspec.Struct):
    url: str | None = None


class _LinkedPage(msgspec.Struct):
    results: list[_Linked]


def _decode_details(reply: Reply) -> _Details:
    return msgspec.json.decode(reply.data, type=_Details)


def _decode_address(reply: Reply) -> str:
    results = msgspec.json.decode(reply.data, type=_LinkedPage).results
    return (results[0].url or "") if results else ""


def _nothing(reply: Reply) -> None:
    msgspec.json.decode(reply.data)
