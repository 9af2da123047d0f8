"""What reports read: the history of verdicts, the leads' values, their records; and the periods that were closed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime

import polars as pl

from sync.store.tables import Tables

_MOMENT = pl.Datetime("us", "UTC")
LEADS: Mapping[str, pl.DataType] = {name: pl.String() for name in ("lead_id", "lead_values", "highest_stage")}
#: As ``sync.reports.journeys.HISTORY``.
VERDICTS: Mapping[str, pl.DataType] = {
    "lead_id": pl.String(),
    "decided_at": _MOMENT,
    "stage": pl.String(),
    "score": pl.Int64(),
    "temperature": pl.String(),
    "nurture_track": pl.String(),
    "cycle": pl.Int64(),
}
RECORDS: Mapping[str, pl.DataType] = {"lead_id": pl.String(), "record_values": pl.String()}
LINKED: Mapping[str, pl.DataType] = {name: pl.String() for name in ("lead_id", "crm", "record_id")}
IMPORTS: Mapping[str, pl.DataType] = {
    "lead_id": pl.String(),
    "imported_at": _MOMENT,
    "campaign_id": pl.String(),
}


@dataclass(frozen=True, slots=True)
class FrozenPeriod:
    """The numbers of a goal's period as they were first told after its end. Days are included."""

    goal: str
    digest: str
    first: date
    last: date
    counted: int
    reached: int
    frozen_at: datetime


class Reporting(Tables):
    """Questions of the reports about one connection, and its frozen periods."""

    def leads_after(self, after: str, limit: int) -> pl.DataFrame:
        """The next ``LEADS`` in the order of their ids: a slice of all leads."""
        return self._read("report_leads", LEADS, after=after, limit=limit)

    def history(self) -> pl.DataFrame:
        """``VERDICTS``: of every lead those that say something new, in the order of time."""
        return self._read("report_history", VERDICTS)

    def records(self, crm: str, after: str, last: str) -> pl.DataFrame:
        """``RECORDS`` of one CRM, of leads that both CRMs have, whose ids lie behind ``after`` and up to ``last``."""
        return self._read("report_records", RECORDS, crm=crm, after=after, last=last)

    def linked(self, after: str, last: str) -> pl.DataFrame:
        """``LINKED``: the records of the leads in this range of ids."""
        return self._read("report_linked", LINKED, after=after, last=last)

    def imports(self) -> pl.DataFrame:
        """``IMPORTS``: one row a lead that came, or was told of again, by a file."""
        return self._read("report_imports", IMPORTS)

    def owners(self) -> dict[str, str]:
        """Lead to the owner of its latest handover; leads without one are left out."""
        return dict(self._rows("report_owners"))

    def freeze(self, period: FrozenPeriod) -> None:
        """Keep the numbers of a period that has ended; what was kept before stays."""
        self._do("freeze_period", **asdict(period))

    def frozen(self) -> list[FrozenPeriod]:
        """Every period that was closed, oldest first for each goal."""
        return [FrozenPeriod(*row) for row in self._rows("frozen_periods")]
