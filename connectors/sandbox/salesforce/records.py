"""Creating, changing and deleting one record by every rule that Salesforce applies.

The order of the checks is that of Salesforce: what the request names, what its values are, what is missing,
then what other records say, then what the org's own rules do.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from itertools import compress
from operator import ne
from typing import Any

from connectors.sandbox.salesforce import ids, seed
from connectors.sandbox.salesforce.derived import derived
from connectors.sandbox.salesforce.duplicates import WATCHED, check_duplicates
from connectors.sandbox.salesforce.field_history import keep_history
from connectors.sandbox.salesforce.given import Read, Writer, changes_of
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.refusals import NOT_FOUND_TEXT, RowRefused
from connectors.sandbox.salesforce.rules import check_record_type, check_type_is_ours, check_validation
from connectors.sandbox.salesforce.schema import Field, SObject
from connectors.sandbox.salesforce.store import quoted
from connectors.sandbox.salesforce.values import reader_of

UNKNOWN = object()  #: the value of a column that a row does not have
GRANTING = frozenset({"FieldPermissions", "PermissionSetAssignment", "PermissionSet", "LeadStatus"})


class Records:
    """The records of an org, one write at a time. ``seen`` rules what the API may name."""

    def __init__(self, org: Org, read: Read = changes_of) -> None:
        self.org = org
        self.read = read
        #: fields and values that are known to be nobody's, so that whoever writes one need not look
        self.free: AbstractSet[tuple[str, Any]] = frozenset()

    def create(self, name: str, values: Mapping[str, Any], writer: Writer) -> str:
        """Create a record and return its id. Raises RowRefused."""
        sobject = self._object(name, writer)
        if writer.api and not sobject.writable:
            raise RowRefused(
                "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type {name} does not support create"
            )
        columns = self.read(sobject, values, writer, creating=True)
        self._lock(None)
        row = self._with_defaults(sobject, columns, writer)
        _check_required(sobject, row)
        self._check_references(sobject, row, columns)
        self._check_unique(sobject, None, row, columns)
        self._check_pair(sobject, row)
        self._check_rules(sobject, None, row, columns, writer)
        stamp = self.org.stamp()
        row.update(
            CreatedDate=stamp,
            CreatedById=writer.user,
            LastModifiedDate=stamp,
            LastModifiedById=writer.user,
            SystemModstamp=stamp,
        )
        row.update(derived(self.org.store, sobject.name, row, row))
        record_id = self.org.store.mint(sobject.prefix)
        self._store(sobject, record_id, row, is_new=True)
        keep_history(self.org, sobject, record_id, None, row, writer.user)
        if sobject.name == "Opportunity" and row["ContactId"] is not None:
            role = {"OpportunityId": record_id, "ContactId": row["ContactId"], "IsPrimary": True}
            self.create("OpportunityContactRole", role, Writer(user=writer.user, api=False))
        self._after(sobject)
        return record_id

    def _store(
        self,
        sobject: SObject,
        record_id: str,
        row: Mapping[str, Any],
        *,
        is_new: bool,
        before: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the columns that the object has; not every one has all of the system's."""
        known = self.org.full.objects[sobject.name].fields
        columns = {name: value for name, value in row.items() if name in known}
        self.org.write(sobject, record_id, columns, is_new=is_new, before=before)

    def update(self, name: str, record_id: str, values: Mapping[str, Any], writer: Writer) -> None:
        """Change a live record. An update that changes nothing still moves its time. Raises RowRefused."""
        sobject = self._object(name, writer)
        before = self.live(sobject, record_id)
        converted = sobject.name == "Lead" and before["IsConverted"]
        if writer.api and converted and not self.org.switches["edit_converted"]:
            raise RowRefused("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
        columns = self.read(sobject, values, writer, creating=False)
        self._lock(record_id)
        row = {**before, **columns}
        _check_required(sobject, row)
        self._check_references(sobject, row, columns)
        self._check_unique(sobject, record_id, row, columns)
        self._check_rules(sobject, record_id, row, columns, writer)
        self.save(sobject, record_id, before, row, columns, writer)

    def save(
        self,
        sobject: SObject,
        record_id: str,
        before: Mapping[str, Any],
        row: dict[str, Any],
        changed: Mapping[str, Any],
        writer: Writer,
    ) -> None:
        """Store a changed row under a new stamp, with what follows from it."""
        stamp = self.org.stamp()
        row.update(LastModifiedDate=stamp, LastModifiedById=writer.user, SystemModstamp=stamp)
        row.update(derived(self.org.store, sobject.name, row, changed))
        new = _moved(before, row)
        new.update(LastModifiedDate=stamp, LastModifiedById=writer.user, SystemModstamp=stamp)
        self._store(sobject, record_id, new, is_new=False, before=before)
        keep_history(self.org, sobject, record_id, before, row, writer.user)
        if before.get("IsDeleted") and not row.get("IsDeleted"):
            self._restore_children(sobject, record_id, str(before["SystemModstamp"]), writer)
        self._after(sobject)

    def delete(self, name: str, record_id: str, writer: Writer) -> None:
        """Put a record into the recycle bin, or remove it where its object has none. Raises RowRefused."""
        sobject = self._object(name, writer)
        if not sobject.deletable or (writer.api and not sobject.writable):
            raise RowRefused("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")
        before = self.live(sobject, record_id)
        self._lock(record_id)
        if not sobject.bin:
            self.org.store.delete(sobject.name, record_id)
            self._after(sobject)
            return
        self.save(sobject, record_id, before, {**before, "IsDeleted": 1}, {}, writer)
        self._delete_children(sobject, record_id, writer)

    def _delete_children(self, sobject: SObject, record_id: str, writer: Writer) -> None:
        """Put what hangs on a deleted record into the bin too, such as a lead's campaign memberships."""
        for other, row in self._hanging_on(sobject, record_id, deleted=False):
            if other.ordinary:
                self.save(other, row["Id"], row, {**row, "IsDeleted": 1}, {}, writer)
                self._delete_children(other, row["Id"], writer)
            else:
                self.org.write(other, row["Id"], {"IsDeleted": 1}, is_new=False)

    def _restore_children(self, sobject: SObject, record_id: str, since: str, writer: Writer) -> None:
        """Bring back what went together with a record that comes back."""
        for other, row in self._hanging_on(sobject, record_id, deleted=True):
            if not other.ordinary:
                self.org.write(other, row["Id"], {"IsDeleted": 0}, is_new=False)
            elif row["SystemModstamp"] == since:
                self.save(other, row["Id"], row, {**row, "IsDeleted": 0}, {}, writer)

    def _hanging_on(
        self, sobject: SObject, record_id: str, *, deleted: bool
    ) -> list[tuple[SObject, dict[str, Any]]]:
        found: list[tuple[SObject, dict[str, Any]]] = []
        for other, field in self.org.full.hanging_on(sobject.name):
            sql = f"SELECT * FROM {quoted(other.name)} WHERE {quoted(field.name)} = ? AND IsDeleted = ?"
            rows = self.org.store.rows(sql, (record_id, int(deleted)))
            found.extend((other, {k: v for k, v in row.items() if k != "row"}) for row in rows)
        return found

    def upsert(
        self, name: str, key: Field, value: Any, values: Mapping[str, Any], writer: Writer
    ) -> tuple[str, bool]:
        """Create or change the record whose ``key`` field has a value; returns its id and whether it is new.

        Raises RowRefused, with DUPLICATE_EXTERNAL_ID when several records match.
        """
        found = self.matching(name, key, value)
        if len(found) > 1:
            raise RowRefused(
                "DUPLICATE_EXTERNAL_ID",
                f"{key.label}: more than one record found for external id field: {found}",
            )
        if found:
            self.update(name, found[0], values, writer)
            return found[0], False
        if key.name == "Id":
            raise RowRefused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", status=404)
        kept = reader_of(self.org.full.objects[name], key)(value)
        return self.create(name, {**values, key.name: kept}, writer), True

    def matching(self, name: str, key: Field, value: Any) -> list[str]:
        """The ids of the live records whose ``key`` field has a value, in id order. Raises RowRefused."""
        sobject = self.org.full.objects[name]
        kept = reader_of(sobject, key)(value)
        if kept is None:
            raise RowRefused("MISSING_ARGUMENT", f"{key.name} not specified")
        live = " AND IsDeleted = 0" if sobject.bin else ""
        rows = self.org.store.rows(
            f"SELECT Id FROM {quoted(name)} WHERE {quoted(key.name)} = ?{live} ORDER BY Id", (kept,)
        )
        return [row["Id"] for row in rows]

    def live(self, sobject: SObject, record_id: str) -> dict[str, Any]:
        """A record that is there and not deleted. Raises RowRefused with 404 otherwise."""
        self.org.settle(record_id)
        row = self.org.store.row(sobject, record_id)
        if row is None:
            raise RowRefused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", status=404)
        if row.get("IsDeleted"):
            raise RowRefused(
                "ENTITY_IS_DELETED", "entity is deleted", status=self.org.switches["deleted_status"]
            )
        row.pop("row")
        return row

    def _object(self, name: str, writer: Writer) -> SObject:
        return (self.org.seen if writer.api else self.org.full).objects[name]

    def _after(self, sobject: SObject) -> None:
        if sobject.name in GRANTING:
            self.org.schema_moved()

    def _lock(self, record_id: str | None) -> None:
        if self.org.switches["row_locks"] > 0:
            self.org.change_switches({"row_locks": self.org.switches["row_locks"] - 1})
            text = f"unable to obtain exclusive access to this record or 1 records: {record_id or seed.QUEUE}"
            raise RowRefused("UNABLE_TO_LOCK_ROW", text)

    def _with_defaults(self, sobject: SObject, columns: Mapping[str, Any], writer: Writer) -> dict[str, Any]:
        row = {**self.org.full.objects[sobject.name].blank, **columns}
        row.pop("Id")
        if "OwnerId" in row and row["OwnerId"] is None:
            row["OwnerId"] = writer.user
        if sobject.name == "Lead" and row["Status"] is None:
            row["Status"] = self.org.full.objects["Lead"].fields["Status"].default
        return row

    def _check_references(self, sobject: SObject, row: Mapping[str, Any], changed: Mapping[str, Any]) -> None:
        for name in changed:
            if name not in sobject.references or row[name] is None:
                continue
            field = sobject.fields[name]
            target = self.org.full.of_id(row[name])
            if field.refers_to and (target is None or target.name not in field.refers_to):
                text = f"{field.label}: id value of incorrect type: {row[name]}"
                raise RowRefused("MALFORMED_ID", text, [name])
            if target is None or name == "LicenseId":
                continue
            found = self.org.store.row(target, row[name])
            if found is None or found.get("IsDeleted"):
                raise RowRefused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", [name])
            if name == "OwnerId" and target.name == "User" and not found["IsActive"]:
                text = (
                    f"operation performed with inactive user [{row[name]}] as owner of {sobject.name.lower()}"
                )
                raise RowRefused("INACTIVE_OWNER_OR_USER", text)

    def _check_unique(
        self, sobject: SObject, record_id: str | None, row: Mapping[str, Any], changed: Mapping[str, Any]
    ) -> None:
        for field in self.org.full.objects[sobject.name].uniques:
            value = row[field.name] if field.name in changed else None
            if value is not None and (field.name, value) not in self.free:
                self.org.settle_value(sobject.name, field.name, row[field.name])
                live = " AND IsDeleted = 0" if sobject.bin else ""
                sql = (
                    f"SELECT Id FROM {quoted(sobject.name)} WHERE {quoted(field.name)} = ? AND Id <> ?{live}"
                )
                found = self.org.store.db.execute(sql, (row[field.name], record_id or "")).fetchone()
                if found is not None:
                    text = (
                        f"duplicate value found: {field.name} duplicates value on record with id: {found[0]}"
                    )
                    raise RowRefused("DUPLICATE_VALUE", text)

    def _check_pair(self, sobject: SObject, row: Mapping[str, Any]) -> None:
        if sobject.name == "CampaignMember":
            found = self.org.store.rows(
                "SELECT Id FROM CampaignMember WHERE CampaignId = ? AND (LeadId = ? OR ContactId = ?) "
                "AND IsDeleted = 0",
                (row["CampaignId"], row["LeadId"], row["ContactId"]),
            )
            if found:
                raise RowRefused("DUPLICATE_VALUE", "Already a campaign member.")
        if sobject.name == "PermissionSetAssignment":
            found = self.org.store.rows(
                "SELECT Id FROM PermissionSetAssignment WHERE PermissionSetId = ? AND AssigneeId = ?",
                (row["PermissionSetId"], row["AssigneeId"]),
            )
            if found:
                text = "duplicate value found: AssigneeId duplicates value on record with id: "
                raise RowRefused("DUPLICATE_VALUE", f"{text}{found[0]['Id']}")

    def _check_rules(
        self,
        sobject: SObject,
        record_id: str | None,
        row: dict[str, Any],
        changed: Mapping[str, Any],
        writer: Writer,
    ) -> None:
        if self.org.record_types:
            narrowed = {name: row[name] for name in changed} | {"RecordTypeId": row.get("RecordTypeId")}
            check_record_type(self.org.record_types, sobject, narrowed)
        if writer.api and "RecordTypeId" in changed:
            check_type_is_ours(self.org.closed_types, changed["RecordTypeId"])
        check_validation(self.org.switches["validation_rules"], sobject, row)
        rule = self.org.switches["duplicate_rule"]
        if writer.api and rule != "off" and WATCHED.intersection(changed):
            check_duplicates(
                self.org.store,
                sobject.name,
                record_id,
                row,
                rule,
                writer.allow_save,
                details=writer.details,
                text=self.org.switches["duplicate_message"],
            )
        if (
            writer.api
            and writer.auto_assign
            and sobject.name == "Lead"
            and self.org.switches["assignment_rule"]
        ):
            row["OwnerId"] = (
                seed.QUEUE
            )  # the rule takes the owner even on an update (reference, section 12 no. 1)


def _moved(before: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a row that are not as before. Most rows are what was there with other values."""
    if list(before) == list(row):
        return dict(compress(row.items(), map(ne, row.values(), before.values())))
    return {name: value for name, value in row.items() if before.get(name, UNKNOWN) != value}


def _check_required(sobject: SObject, row: Mapping[str, Any]) -> None:
    missing = [name for name in sobject.needed if row.get(name) is None]
    if missing:
        text = f"Required fields are missing: [{', '.join(missing)}]"
        raise RowRefused("REQUIRED_FIELD_MISSING", text, missing)


def id_of(sobject: SObject, value: object) -> str:
    """The 18-character id of a record of this object. Raises RowRefused (MALFORMED_ID)."""
    whole = ids.to_18(value)
    if whole is None or not ids.belongs_to(whole, sobject.prefix):
        raise RowRefused("MALFORMED_ID", f"{sobject.label} ID: id value of incorrect type: {value}", ["Id"])
    return whole


def gone(refused: RowRefused) -> RowRefused:
    """The refusal of a single-row call: a record that is not there answers NOT_FOUND (reference, section 4)."""
    if refused.code == "INVALID_CROSS_REFERENCE_KEY" and refused.status == 404:
        return RowRefused("NOT_FOUND", NOT_FOUND_TEXT, status=404)
    return refused
