"""The org: its records, its switches, its clock, and the schema as the integration user sees it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from connectors.sandbox.keeping import bring_back
from connectors.sandbox.newfile import lay_down, start_again
from connectors.sandbox.salesforce import (
    currencies,
    moments,
    privacy,
    record_types,
    recycle_bin,
    rollups,
    rules,
    seed,
    switches,
)
from connectors.sandbox.salesforce.pubsub.changelog import ChangeLog
from connectors.sandbox.salesforce.schema import Field, Schema, SObject, make_field, standard_schema
from connectors.sandbox.salesforce.store import Store
from connectors.sandbox.side import ControlRefused

FILE = "salesforce.sqlite"


class Clock(Protocol):
    """The time of the sandbox."""

    def now(self) -> datetime:
        """The present moment, aware."""
        ...


def _make_file(path: Path) -> None:
    store = Store(path)
    store.make_tables(standard_schema())
    store.close()


class Org:
    """One pretend org. ``full`` is its whole schema, ``seen`` what the integration user may read."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.file = folder / FILE
        lay_down(self.file, _make_file)
        self.store = Store(self.file)
        self.clock = clock
        self.full: Schema = standard_schema()
        self.seen: Schema = self.full
        self.switches: dict[str, Any] = dict(switches.START)
        #: for each record type, by its id, the picklists that it narrows and their values
        self.record_types: dict[str, Mapping[str, Sequence[str]]] = {}
        self.closed_types: frozenset[str] = frozenset()
        self.purged: datetime | None = None  #: when the recycle bin was last looked through
        self.refreshed = False  #: whether the schema was built from rows that may yet be rolled back
        self._may_be_late = True  #: False: no write waits to become visible
        self._stamped: tuple[datetime | None, str] = (None, "")
        self.waited_for: list[str] = []  #: records whose late writes were made visible for a second writer
        self.changes = ChangeLog(self.store, self.now, lambda: self.switches)
        self.start()

    def start(self) -> None:
        """Open what the file holds, or make a new org in an empty file."""
        store = self.store
        store.db.execute("BEGIN IMMEDIATE")
        store.make_tables(standard_schema())
        self.changes.make_tables()
        if store.setting("made_at") is None:
            seed.make_org(store, self.stamp())
            store.keep_setting("made_at", self.stamp())
        seed.add_what_is_new(store, self.stamp())
        store.db.execute("COMMIT")
        self.switches = {**switches.START, **store.setting("switches", {})}
        self._may_be_late = True
        self.refresh()

    def reset(self) -> None:
        """Forget everything; the org is as new."""
        start_again(self.store.db, _make_file)
        self.start()

    def go_back(self, kept: Path) -> None:
        """Be the org whose file was kept."""
        bring_back(kept, self.store.db)
        self.purged = None
        self.start()

    def begin(self) -> None:
        """Note that nothing in memory hangs on a transaction that begins now."""
        self.refreshed = False
        self.waited_for.clear()
        self._may_be_late = self.any_late()
        self.changes.begin()

    def undone(self) -> None:
        """Bring what is kept in memory back in line after a rollback."""
        waited_for, self.waited_for = self.waited_for, []
        for record_id in waited_for:
            self.settle(
                record_id
            )  # whoever was waited for has committed, whatever became of the one who waited
        if self.refreshed:
            self.refresh()
        self.refreshed = False

    def now(self) -> datetime:
        """The present moment."""
        return self.clock.now()

    def stamp(self) -> str:
        """The present moment as records keep it, in whole seconds."""
        now = self.clock.now()
        # A clock that stands still gives the same moment for every record of a load.
        if now is not self._stamped[0]:
            self._stamped = (now, moments.kept(now))
        return self._stamped[1]

    def change_switches(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Change switches and return all. Raises ControlRefused for an unknown one, object, field or status."""
        checked = switches.checked(wanted)
        for name in (
            "hidden_fields",
            "read_only_fields",
            "formula_fields",
            "restricted_picklists",
            "history",
        ):
            self._check_fields(checked.get(name, {}))
        self._check_fields({name: [] for name in checked.get("hidden_objects", ())})
        rules.check_rules_fit(checked.get("validation_rules", ()), self.full)
        if "record_types" in checked:
            record_types.check_types_fit(checked["record_types"], self.full)
            record_types.install(self.store, checked["record_types"], seed.by(self.stamp()))
        if "currencies" in checked:
            currencies.install(self.store, checked["currencies"], seed.by(self.stamp()))
        if checked.get("data_privacy"):
            privacy.install(self.store)
        if "assignment_rule" in checked:
            self.store.db.execute("UPDATE AssignmentRule SET Active = ?", (checked["assignment_rule"],))
        if "default_status" in checked:
            self._set_default_status(checked["default_status"])
        self.switches.update(checked)
        self.store.keep_setting("switches", self.switches)
        if set(checked) - {"row_locks"}:
            self.schema_moved()
        return dict(self.switches)

    def _check_fields(self, names: Mapping[str, list[str]]) -> None:
        for object_name, wanted in names.items():
            sobject = self.full.objects.get(object_name)
            for name in wanted if sobject is not None else [""]:
                if sobject is None or name not in sobject.fields:
                    raise ControlRefused(f"no such object or field: {object_name}.{name}")

    def _set_default_status(self, status: str) -> None:
        known = [row["ApiName"] for row in self.store.rows("SELECT ApiName FROM LeadStatus")]
        if status not in known:
            raise ControlRefused(f"default_status: expected one of {', '.join(known)}")
        self.store.db.execute("UPDATE LeadStatus SET IsDefault = (ApiName = ?)", (status,))

    def schema_moved(self) -> None:
        """Note that describe answers differently from now on, and build the schema again."""
        self.store.keep_setting("schema_changed", self.stamp())
        self.refresh()

    def refresh(self) -> None:
        """Build the schema again after fields, permissions or switches changed."""
        self.refreshed = True
        custom = self.custom_fields()
        rows = self.store.rows("SELECT ApiName, IsDefault FROM LeadStatus ORDER BY SortOrder")
        default = next((row["ApiName"] for row in rows if row["IsDefault"]), None)
        self.record_types = record_types.allowed(self.store, self.switches["record_types"])
        self.closed_types = record_types.closed(self.store, self.switches["record_types"])
        self.full = (
            standard_schema()
            .with_statuses([row["ApiName"] for row in rows], default)
            .refined(custom, {}, self.switches["restricted_picklists"])
            .refined(self._switched_on(), {}, {})
        )
        self.seen = self._as_seen(custom)

    def _switched_on(self) -> dict[str, list[Field]]:
        """The fields that come with what an admin turned on."""
        found: dict[str, list[Field]] = {}
        for more in (
            record_types.fields_of(self.store, self.switches["record_types"]),
            currencies.fields_of(self.switches["currencies"]),
            privacy.fields_of(self.switches["data_privacy"]),
        ):
            for name, fields in more.items():
                found.setdefault(name, []).extend(fields)
        return found

    def _as_seen(self, custom: Mapping[str, Sequence[Field]]) -> Schema:
        """The whole schema as far as the integration user's rights go."""
        granted = self._grants()
        hidden = {key: list(names) for key, names in self.switches["hidden_fields"].items()}
        read_only = {key: list(names) for key, names in self.switches["read_only_fields"].items()}
        for name, fields in custom.items():
            for field in fields:
                read, edit = granted.get(f"{name}.{field.name}".lower(), (field.required, field.required))
                if not read:
                    hidden.setdefault(name, []).append(field.name)
                elif not edit:
                    read_only.setdefault(name, []).append(field.name)
        dormant = [] if self.switches["currencies"] else [currencies.RATES]
        dormant += [] if self.switches["data_privacy"] else [privacy.OBJECT]
        seen = self.full.refined({}, hidden, {}).locked(read_only)
        seen = seen.worked_out(self.switches["formula_fields"])
        seen = seen.without([*self.switches["hidden_objects"], *dormant])
        seen.currencies = self.switches["currencies"]
        return seen

    def custom_fields(self) -> dict[str, list[Field]]:
        """The custom fields of each object."""
        found: dict[str, list[Field]] = {}
        for row in self.store.rows("SELECT object, name, facts FROM _custom_field ORDER BY rowid"):
            field = make_field(row["name"], json.loads(row["facts"]), custom=True)
            found.setdefault(row["object"], []).append(field)
        return found

    def _grants(self) -> dict[str, tuple[bool, bool]]:
        """What assigned permission sets let the integration user do: field name to (read, edit)."""
        rows = self.store.rows(
            "SELECT f.Field, max(f.PermissionsRead) AS may_read, max(f.PermissionsEdit) AS may_edit "
            "FROM FieldPermissions f JOIN PermissionSetAssignment a ON a.PermissionSetId = f.ParentId "
            "WHERE a.AssigneeId = ? GROUP BY f.Field",
            (seed.INTEGRATION_USER,),
        )
        return {row["Field"].lower(): (bool(row["may_read"]), bool(row["may_edit"])) for row in rows}

    def write(
        self,
        sobject: SObject,
        record_id: str,
        columns: Mapping[str, Any],
        *,
        is_new: bool,
        before: Mapping[str, Any] | None = None,
    ) -> None:
        """Store columns of a record now, or as late as the switch says, under the stamp that they carry.

        ``before`` are the columns that the record has at this moment, where the caller knows them.
        """
        late = self.switches["late_commit_ms"]
        if not late:
            self.changes.note(sobject, record_id, columns, is_new=is_new, before=before)
            self._apply(sobject.name, record_id, columns, is_new)
            return
        due = self.now() + timedelta(milliseconds=late)
        put_off = self.store.db.execute(
            "INSERT INTO _late (object, id, is_new, columns, stamp, due) VALUES (?, ?, ?, ?, ?, ?)",
            (sobject.name, record_id, is_new, json.dumps(dict(columns)), self.stamp(), due.timestamp()),
        )
        self._may_be_late = True
        self.changes.put_off(put_off.lastrowid)

    def _apply(self, table: str, record_id: str, columns: Mapping[str, Any], is_new: bool) -> None:
        counted = table in rollups.COUNTED
        if counted:
            rollups.note(self.store, table, record_id, {} if is_new else columns)
        if is_new:
            self.store.insert(table, {"Id": record_id, **columns})
        else:
            self.store.update(table, record_id, columns)
        if counted:
            rollups.note(self.store, table, record_id, {})

    def settle(self, record_id: str | None = None) -> None:
        """Make late writes visible: those that are due, and those of one record that somebody writes again.

        A writer waits for the transaction before it, so a second write never overtakes the first.
        """
        if record_id is None:
            self._housekeeping()
        if not self.any_late():
            return
        rows = self.store.rows(
            "SELECT * FROM _late WHERE due <= ? OR id = ? ORDER BY number",
            (self.now().timestamp(), record_id),
        )
        if rows and record_id is not None:
            self.waited_for.append(record_id)
        for row in rows:
            columns, is_new = json.loads(row["columns"]), bool(row["is_new"])
            sobject = self.full.objects[row["object"]]
            self.changes.note_late(row["number"], sobject, row["id"], columns, is_new=is_new)
            self._apply(row["object"], row["id"], columns, is_new)
            self.store.db.execute("DELETE FROM _late WHERE number = ?", (row["number"],))
        if rows and record_id is None:
            rollups.count(self.store)

    def _housekeeping(self) -> None:
        """What Salesforce does by itself between calls: count roll-ups, and purge the recycle bin now and then."""
        rollups.count(self.store)
        if self.purged is None or not timedelta(0) <= self.now() - self.purged < recycle_bin.EVERY:
            self.purged = self.now()
            recycle_bin.purge(self.store, self.full, self.purged)

    def any_late(self) -> bool:
        """Whether a write waits to become visible."""
        if not self._may_be_late:
            return False
        return self.store.db.execute("SELECT 1 FROM _late LIMIT 1").fetchone() is not None

    def settle_value(self, table: str, column: str, value: Any) -> None:
        """Make late new records with a value visible: who writes the same unique value waits for them."""
        if not self.any_late():
            return
        rows = self.store.rows(
            "SELECT id FROM _late WHERE object = ? AND is_new = 1 AND json_extract(columns, ?) = ? COLLATE NOCASE",
            (table, f'$."{column}"', value),
        )
        for row in rows:
            self.settle(row["id"])

    def covered(self) -> datetime:
        """Up to when every change can be seen: now, or the start of the oldest write that is still open."""
        row = self.store.db.execute("SELECT min(stamp) FROM _late").fetchone()
        return self.now() if row[0] is None else moments.moment_of(row[0])
