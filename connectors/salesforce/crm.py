"""Salesforce as a CRM: the port of ``connectors.crm`` over simple-salesforce."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime

import polars as pl
import requests

from connectors.crm import (
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
from connectors.errors import RetryLater
from connectors.quota import Lane, Quota
from connectors.quota_day import Room
from connectors.retry import Retry
from connectors.salesforce.account import read_account
from connectors.salesforce.bulk.extract import Extract
from connectors.salesforce.bulk.jobs import Jobs
from connectors.salesforce.bulk.load import BULK_ABOVE_WRITES, Load
from connectors.salesforce.calls import Calls
from connectors.salesforce.campaigns import read_campaigns, read_members
from connectors.salesforce.choices import WRITE_THREADS
from connectors.salesforce.convert import Conversion, Converted, convert_leads
from connectors.salesforce.covered import from_cursor, next_cursor, to_cursor
from connectors.salesforce.deals import read_deals, read_roles
from connectors.salesforce.deleting import delete
from connectors.salesforce.errors import CRM
from connectors.salesforce.grants import ClientCredentials, Grant
from connectors.salesforce.history import history_of
from connectors.salesforce.ladders import DealStage, LeadStep, deal_stages, lead_steps
from connectors.salesforce.lastchange import last_changes
from connectors.salesforce.membership import add_members
from connectors.salesforce.merging import Merged, merge_records
from connectors.salesforce.owners import Owner, read_owners
from connectors.salesforce.picklists import values_of_type
from connectors.salesforce.reading import Reading as Records
from connectors.salesforce.removed import Removed, read_removed
from connectors.salesforce.roleless import read_roleless
from connectors.salesforce.schema import Schemas
from connectors.salesforce.setup import Setup
from connectors.salesforce.token import Tokens
from connectors.salesforce.touches import read_touches
from connectors.salesforce.watching import watch
from connectors.salesforce.writing import Writing
from connectors.session import CrmSession

#: Records from which on a reading is a query job: below, its looks and pages cost more than they spare.
BULK_FROM_ROWS = 50_000


class SalesforceCrm:
    """One Salesforce organisation, opened by an external client app's client credentials or another ``grant``.

    ``login_url`` is the My Domain address (https, or http on the loopback interface); ``session`` comes from
    ``connectors.session.open_session`` and is closed with the connector. ``api_version`` such as "66.0".
    ``read_back``: after a write, read what Salesforce stored, one call for 2,000 records. Readings of more
    than ``bulk_from_rows`` records and writes of more than ``bulk_above_writes`` go by Bulk API 2.0 (None:
    never). At most ``write_threads`` calls that write are under way at the same time. ``sleep`` takes seconds.
    Nothing is sent before the first call. Threads may share it.
    """

    name = CRM

    def __init__(
        self,
        *,
        session: CrmSession,
        login_url: str,
        client_id: str = "",
        client_secret: str = "",
        grant: Grant | None = None,
        api_version: str = "66.0",
        quota: Quota | None = None,
        read_back: bool = True,
        bulk_from_rows: int | None = BULK_FROM_ROWS,
        bulk_above_writes: int | None = BULK_ABOVE_WRITES,
        write_threads: int = WRITE_THREADS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._session = session
        self._quota = quota
        self._version = api_version
        self._sleep = sleep
        if quota is not None:
            _listen(session, quota)
        tokens = Tokens(session, login_url, grant or ClientCredentials(client_id, client_secret))
        self._calls = Calls(session, tokens, retry=Retry(sleep=sleep), version=api_version, quota=quota)
        self._schemas = Schemas(self._calls)
        jobs = Jobs(self._calls, sleep)
        extract = Extract(self._calls, jobs)
        self._records = Records(self._calls, self._schemas, extract, bulk_from_rows)
        bulk = Load(self._calls, jobs, bulk_above_writes)
        self._writing = Writing(
            self._calls,
            self._schemas,
            self._records,
            read_back=read_back,
            bulk=bulk,
            threads=write_threads,
        )
        self._setup = Setup(self._calls, self._schemas, version=api_version, sleep=sleep)
        self._account: Account | None = None

    @property
    def calls(self) -> int:
        """The HTTP requests sent so far, those for tokens included."""
        return self._session.calls

    def in_lane(self, lane: Lane) -> AbstractContextManager[None]:
        """Calls made inside, by every thread, count in this lane of the budget; without one nothing is counted."""
        return nullcontext() if self._quota is None else self._quota.in_lane(lane)

    def room(self) -> Room | None:
        """What a backfill may still call of the day; None before Salesforce has told of it."""
        return None if self._quota is None else self._quota.room()

    def account(self) -> Account:
        """The organisation: its id from the token, the rest from what we may see of its own record."""
        if self._account is None:
            self._account = read_account(self._calls, self._schemas)
        return self._account

    def now(self) -> datetime:
        """Salesforce's clock as of its latest answer, in whole seconds; a token is fetched if there is none."""
        if self._session.crm_time is None:
            _ = self._calls.token
        if self._session.crm_time is None:
            raise RetryLater("salesforce: the answer had no date", crm=CRM)
        return self._session.crm_time

    def describe(self, object_name: str) -> ObjectSchema:
        """The object's fields as this user sees them. Raises NeedsPerson where it sees no such object."""
        return self._schemas.of(object_name).schema

    def changes(self, object_name: str, fields: Sequence[str], since: Cursor | None) -> Reading:
        """What changed at ``since`` or later, deleted records included; every record when None.

        What has very many records comes by a bulk query job, in no order.
        The cursor is a moment that no running transaction reaches behind (``connectors.salesforce.covered``).
        """
        lower = None if since is None else from_cursor(since)
        wanted = self._records.wanted(object_name, fields)
        cursor = next_cursor(self._calls, object_name, lower, self.now)
        return Reading(self._records.changed(wanted, lower, cursor), to_cursor(cursor))

    def created(self, object_name: str, fields: Sequence[str], window: Window) -> Iterator[Slab]:
        """By a condition on CreatedDate, page by page in the order of the ids."""
        return self._records.created(self._records.wanted(object_name, fields), window)

    def expected(self, object_name: str, fields: Sequence[str], window: Window) -> Expected:
        """By one COUNT()."""
        return self._records.expected(self._records.wanted(object_name, fields), window)

    def fetch(self, object_name: str, fields: Sequence[str], ids: Sequence[str]) -> Iterator[Slab]:
        """The named records, 2,000 a call; ids of 15 or 18 characters."""
        return self._records.fetch(self._records.wanted(object_name, fields), ids)

    def find(
        self, object_name: str, fields: Sequence[str], where: str, values: Sequence[str]
    ) -> Iterator[Slab]:
        """The records that have one of the values; text is compared without case, as Salesforce does."""
        return self._records.find(self._records.wanted(object_name, fields), where, values)

    def history(
        self, object_name: str, fields: Sequence[str], ids: Sequence[str] | None = None
    ) -> Iterator[pl.DataFrame]:
        """When these fields had which values: frames of ``crm.HISTORY_SCHEMA``.

        ``ids`` None: for every record. Only what an admin tracks has a history. Beyond the port.
        """
        return history_of(self._calls, self._schemas, object_name, fields, ids)

    def removed(self, object_name: str, since: datetime) -> Removed:
        """Which records were merged into another or deleted at ``since`` or later. Beyond the port."""
        return read_removed(self._calls, self._schemas, object_name, since, self.now())

    def owners(self, object_name: str = "Lead") -> list[Owner]:
        """Every user, and the queues that may own records of an object. Beyond the port."""
        return read_owners(self._calls, self._schemas, object_name)

    def user_id(self) -> str:
        """The user that we work as, by the token (Salesforce reference, section 1). Beyond the port."""
        return self._calls.token.user_id

    def page_of(self, record_id: str) -> str:
        """The address at which a person finds a record. Beyond the port."""
        return f"{self._calls.token.instance_url}/{record_id}"

    def lead_steps(self) -> list[LeadStep]:
        """The values of a lead's Status in their order, with what a conversion sets. Beyond the port."""
        return lead_steps(self._calls, self._schemas)

    def deal_stages(self) -> list[DealStage]:
        """The stages of opportunities in their order, with what counts as won. Beyond the port."""
        return deal_stages(self._calls, self._schemas)

    def campaigns(self) -> pl.DataFrame:
        """Every campaign: a frame of ``campaigns.CAMPAIGN_SCHEMA``. Beyond the port."""
        return read_campaigns(self._calls, self._schemas)

    def members(self, object_name: str, ids: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Which campaigns the leads or contacts were in: frames of ``campaigns.MEMBER_SCHEMA``. Beyond the port."""
        return read_members(self._calls, self._schemas, object_name, ids)

    def add_members(
        self, object_name: str, campaign_id: str, ids: Sequence[str], status: str | None = None
    ) -> list[Written]:
        """Make leads or contacts members of a campaign; see ``connectors.salesforce.membership``. Beyond the port."""
        return add_members(self.write, self.members, object_name, campaign_id, ids, status)

    def touches(self, ids: Sequence[str]) -> Iterator[pl.DataFrame]:
        """What was done with the leads or contacts: frames of ``touches.TOUCH_SCHEMA``. Beyond the port."""
        return read_touches(self._calls, self._schemas, ids, self.now())

    def deals(self, object_name: str, ids: Sequence[str], loss_reason: str = "") -> Iterator[pl.DataFrame]:
        """The opportunities of contacts or accounts: frames of ``deals.DEAL_SCHEMA``. Beyond the port."""
        return read_deals(self._calls, self._schemas, object_name, ids, loss_reason)

    def roles(self, ids: Sequence[str]) -> Iterator[pl.DataFrame]:
        """Who takes part in the named opportunities: frames of ``deals.ROLE_SCHEMA``. Beyond the port."""
        return read_roles(self._calls, self._schemas, ids)

    def deals_without_roles(self) -> Iterator[pl.DataFrame]:
        """Open opportunities in which nobody takes part: frames of ``roleless.ROLELESS_SCHEMA``. Beyond the port."""
        return read_roleless(self._calls, self._schemas)

    def write(self, object_name: str, writes: Sequence[Write]) -> list[Written]:
        """Write records, 200 a call or by a bulk job; see ``connectors.salesforce.writing``."""
        return self._writing.write(object_name, writes)

    def archive(self, object_name: str, ids: Sequence[str]) -> list[Written]:
        """Put records into the recycle bin, 200 a call; see ``connectors.salesforce.deleting``."""
        del object_name  # an id says by itself what it names
        return delete(self._calls, ids)

    def last_changes(self, object_name: str, fields: Sequence[str], ids: Sequence[str]) -> list[LastChange]:
        """By the record's last change: Salesforce keeps no time a field unless its history is switched on."""
        return last_changes(self.fetch, object_name, fields, ids)

    def convert_leads(self, conversions: Sequence[Conversion]) -> list[Converted]:
        """Convert leads, 100 a call; see ``connectors.salesforce.convert``."""
        return convert_leads(self._calls, conversions)

    def merge_records(
        self,
        object_name: str,
        winner_id: str,
        loser_ids: Sequence[str],
        values: Mapping[str, str | None] | None = None,
    ) -> Merged:
        """Merge one or two records into a winner; see ``connectors.salesforce.merging``."""
        return merge_records(self._calls, object_name, winner_id, loser_ids, values)

    def add_fields(self, object_name: str, specs: Sequence[FieldSpec]) -> list[str]:
        """Create missing custom fields and give ourselves access; see ``connectors.salesforce.setup``."""
        return self._setup.add_fields(object_name, specs)

    def values_of_type(self, object_name: str, record_type: str) -> dict[str, frozenset[str]] | None:
        """Which values of its picklists a record type has; see ``connectors.salesforce.picklists``. Beyond the port."""
        return values_of_type(self._calls, object_name, record_type)

    def watch(self, object_names: Sequence[str]) -> list[str]:
        """Select objects for Change Data Capture; those that were not. See ``salesforce.watching``. Beyond the port."""
        return watch(self._calls, object_names, version=self._version, sleep=self._sleep)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def _listen(session: CrmSession, quota: Quota) -> None:
    """Let the budget hear every answer, errors included; simple-salesforce itself misses most of them."""
    before = session.on_response

    def hear(response: requests.Response) -> None:
        quota.learn(response.headers)
        if before is not None:
            before(response)

    session.on_response = hear
