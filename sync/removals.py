"""What became of records that are no longer there: merged into another, archived, deleted. Asked of their CRM.

    follow_told(work, hints)         records whose end somebody told of
    follow_since(work, crm, since)   everything that went since a time, where nobody told of it

A reading by name shows neither. Links of merged records move to their survivor, which is then to be read as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable

import polars as pl

from connectors.crm import ARCHIVED, RECORD_ID
from sync.fates import MASTER, Met, meet
from sync.store.leads import RECORDS
from sync.work import Work

#: From so many records on, those that are known to be gone are not asked about again: somebody deletes in bulk.
MANY = 50
#: A deletion is stamped when it begins and told when it is committed (Salesforce reference, section 3).
BEFORE = timedelta(hours=1)


class _Fate(Protocol):
    @property
    def record_id(self) -> str: ...

    @property
    def into(self) -> str | None: ...


@runtime_checkable
class TellsFates(Protocol):
    """A CRM that says of ids what became of them, and which records are gone since a time."""

    def fates(self, object_name: str, ids: Sequence[str]) -> Sequence[_Fate]: ...

    def removed(self, object_name: str, since: datetime) -> Iterable[_Fate]: ...


class _Removed(Protocol):
    @property
    def frame(self) -> pl.DataFrame: ...


@runtime_checkable
class TellsRemoved(Protocol):
    """A CRM that lists what is gone since a time: ``_id`` and ``merged_into``."""

    def removed(self, object_name: str, since: datetime) -> _Removed: ...


def follow_told(work: Work, told: pl.DataFrame) -> pl.DataFrame:
    """Note what became of hints (``HINTS``) whose record is said to be gone; the survivors (``RECORDS``).

    Nobody's word is taken for it: a record that is still there is left alone.
    """
    met = Met()
    for (crm,), some in told.partition_by("crm", as_dict=True).items():
        linked = work.store.identity.linked(
            str(crm), work.objects[str(crm)], some["record_id"].unique().to_list()
        )
        ids = sorted(_to_be_asked(work, dict(linked)))
        first: Any = some["happened_at"].min()
        if ids:
            _follow(work, str(crm), _ended(work, str(crm), ids, first - BEFORE), met)
    return _survivors(work, met)


def _to_be_asked(work: Work, linked: Mapping[str, str]) -> set[str]:
    """Record to lead: those that are worth a question."""
    if len(linked) < MANY:
        return set(linked)
    leads = pl.Series("lead_id", list(linked.values()), dtype=pl.String)
    noted = work.store.identity.fates(leads).filter(pl.col("fate") == "gone")["record_id"]
    return set(linked) - set(noted)


def follow_since(work: Work, crm: str, since: datetime) -> pl.DataFrame:
    """Note what is gone since an aware time; the survivors (``RECORDS``). What was erased is in no list."""
    met, name = Met(), work.objects[crm]
    port = work.crms[crm]
    ended: Mapping[str, str | None] = {}
    if isinstance(port, TellsFates):
        ended = {one.record_id: one.into for one in port.removed(name, since)}
    elif isinstance(port, TellsRemoved):
        ended = _listed(port, name, since)
    _follow(work, crm, _ours(work, crm, ended), met)
    return _survivors(work, met)


def _ours(work: Work, crm: str, ended: Mapping[str, str | None]) -> dict[str, str | None]:
    """Those of them that are linked."""
    linked = work.store.identity.linked(crm, work.objects[crm], list(ended)) if ended else []
    return {record: ended[record] for record in sorted({record for record, _ in linked})}


def _ended(work: Work, crm: str, ids: Sequence[str], since: datetime) -> Mapping[str, str | None]:
    """Those of the records that are gone, and what each is part of now, if anything.

    Where a CRM lists all that went, the others of the list are met with them: nobody lists it again for each.
    """
    port, name = work.crms[crm], work.objects[crm]
    if isinstance(port, TellsFates):
        return {one.record_id: one.into for one in port.fates(name, ids)}
    if isinstance(port, TellsRemoved):
        return _ours(work, crm, _listed(port, name, since))
    return {}


def _listed(port: TellsRemoved, name: str, since: datetime) -> dict[str, str | None]:
    return dict(port.removed(name, since).frame.select(RECORD_ID, "merged_into").iter_rows())


def _follow(work: Work, crm: str, ended: Mapping[str, str | None], met: Met) -> None:
    if not ended:
        return
    rows = {
        RECORD_ID: list(ended),
        MASTER: list(ended.values()),
        ARCHIVED: [True] * len(ended),
    }
    schema = {RECORD_ID: pl.String(), MASTER: pl.String(), ARCHIVED: pl.Boolean()}
    meet(work, crm, pl.DataFrame(rows, schema=schema), met)


def _survivors(work: Work, met: Met) -> pl.DataFrame:
    rows = [(crm, work.objects[crm], record) for crm, records in met.survivors.items() for record in records]
    return pl.DataFrame(rows, schema=dict.fromkeys(RECORDS, pl.String()), orient="row")
