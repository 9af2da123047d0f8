"""What a sync ends in: both CRMs and our tables as texts, for the tests that disturb one and compare."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

#: What is compared of our tables. Left out: numbers of runs and rows, which every run draws anew; the journal,
#: which tells of the disturbed run too; and ``refused.tries``, which counts what was really tried.
_VERDICT = (
    "lead_id, decided_at, policy_version, score, fit, engagement, coverage, temperature, stage, stage_why,"
    " highest_stage, cycle, nurture_track"
)
TABLES: Mapping[str, str] = {
    "lead": "SELECT * FROM lead",
    "link": "SELECT crm, object, record_id, lead_id, how, linked_at, email_key, name_key, company_key FROM link",
    "base": "SELECT crm, object, record_id, record_values, agreed_at FROM base",
    "verdict": f"SELECT DISTINCT ON (lead_id) {_VERDICT} FROM verdict ORDER BY lead_id, verdict_id DESC",
    "every verdict": f"SELECT {_VERDICT}, inputs FROM verdict",
    "conflict": "SELECT lead_id, field, rule, winner, hubspot_value, salesforce_value, hubspot_at, salesforce_at,"
    " decided_at FROM conflict",
    "held": "SELECT held_key, kind, lead_id, crm, object, record_id, field, details, since, settled_at FROM held",
    "refused": "SELECT lead_id, crm, object, record_id, code, message, fields, first_at, last_at FROM refused",
    "cursor": "SELECT crm, object, place, moved_at FROM cursor",
    "claim": "SELECT * FROM claim",
    "policy version": "SELECT * FROM policy_version",
}
#: What tells of the way and not of the end: a run that was disturbed knew less when it decided.
OF_THE_WAY = ("every verdict",)
#: How much of a lead is known, as both CRMs show it. Written with other changes only: a second look at a record that
#: was just created finds its counters there, which an undisturbed sync knows the next time and does not write.
COVERAGE = re.compile(r'((?:leadpact_coverage|Leadpact_Coverage__c|shown_coverage)\\*": ?\\*"?)[0-9.]+')


def remembered(database: str) -> dict[str, list[str]]:
    """What we remember, row by row."""
    with psycopg.connect(database) as connection:
        rows = {table: connection.execute(query.encode()).fetchall() for table, query in TABLES.items()}
    return {
        table: sorted(json.dumps(row, default=str, ensure_ascii=False) for row in some)
        for table, some in rows.items()
    }


@dataclass(frozen=True)
class EndState:
    """Both CRMs and our tables as texts, in which a created record is called by the person it stands for."""

    crms: dict[str, str]
    tables: dict[str, list[str]]
    created: Counter[str]

    @classmethod
    def read(
        cls, records: Mapping[str, Mapping[str, Any]], database: str, known: Collection[str]
    ) -> EndState:
        """``records``: by CRM and id. ``known``: those that were there before the sync. ``database``: its address."""
        names = {}
        for key in records.keys() - set(known):
            crm, number = key.split(":")
            names[number] = f"<{crm} record of {_email(records[key])}>"

        def named(text: str) -> str:
            for number, name in names.items():
                text = text.replace(number, name)
            return text

        return cls(
            {named(key): named(json.dumps(record, sort_keys=True)) for key, record in records.items()},
            {table: sorted(map(named, rows)) for table, rows in remembered(database).items()},
            Counter(names.values()),
        )

    def of_the_end(self) -> EndState:
        """Without what tells of the way to it."""
        crms = {key: COVERAGE.sub(r"\1…", record) for key, record in self.crms.items()}
        tables = {
            table: sorted(COVERAGE.sub(r"\1…", row) for row in rows)
            for table, rows in self.tables.items()
            if table not in OF_THE_WAY
        }
        return EndState(crms, tables, self.created)

    def differences(self, expected: EndState, compared: Collection[str] | None = None) -> list[str]:
        """What differs, one line a record or row, so that a failure says it at once. ``compared``: the tables."""
        said = []
        for key in sorted(self.crms.keys() | expected.crms.keys()):
            if self.crms.get(key) != expected.crms.get(key):
                said.append(f"{key}:\n  is     {self.crms.get(key)}\n  not    {expected.crms.get(key)}")
        for table in sorted(expected.tables if compared is None else compared):
            is_there, should_be = Counter(self.tables[table]), Counter(expected.tables[table])
            said += [f"{table} has     {row}" for row in (is_there - should_be).elements()]
            said += [f"{table} has not {row}" for row in (should_be - is_there).elements()]
        return said


def _email(record: Mapping[str, Any]) -> str:
    return str((record.get("properties") or record).get("email") or record.get("Email"))
