"""``/metadata/deployRequest``: custom fields, permission sets and watched objects out of a zip in metadata format.

A deployed field is there, but nobody sees it until a permission set with its field permission is assigned
(Salesforce reference, sections 11 and 12).
"""

from __future__ import annotations

import json
from typing import Any

from connectors.sandbox.salesforce import channel_members, moments, seed
from connectors.sandbox.salesforce.call import Call, answer_json
from connectors.sandbox.salesforce.multipart import parts_of
from connectors.sandbox.salesforce.package import Component, Package, Problem, read_package
from connectors.sandbox.salesforce.refusals import Refusal, not_found
from connectors.sandbox.salesforce.schema import Field, SObject, make_field
from connectors.sandbox.side import Answer

OPTIONS = {
    "allowMissingFiles": False,
    "autoUpdatePackage": False,
    "checkOnly": False,
    "ignoreWarnings": False,
    "performRetrieve": False,
    "purgeOnDelete": False,
    "rollbackOnError": True,
    "runTests": None,
    "singlePackage": True,
    "testLevel": "NoTestRun",
}
BIGGEST = 39_000_000


def deploy(call: Call) -> Answer:
    """Answer a deployment: it is carried out at once, and its outcome waits for the status call."""
    parts = parts_of(call)
    # The documents name the part json; jsforce, on which Salesforce's own command line rests, sends another name.
    asked = parts.get("json", parts.get("entity_content"))
    if asked is None or "file" not in parts:
        raise Refusal(400, "INVALID_MULTIPART_REQUEST", "parts json and file are required")
    if len(parts["file"]) > BIGGEST:
        raise Refusal(
            400,
            "LIMIT_EXCEEDED",
            "Maximum size of request reached. Maximum size of request is 52428800 bytes.",
        )
    try:
        given = json.loads(asked)["deployOptions"]
        options = {**OPTIONS, **given}
    except (ValueError, KeyError, TypeError):
        raise Refusal(400, "JSON_PARSER_ERROR", "json: an object with deployOptions is required") from None
    deploy_id = call.org.store.mint("0Af")
    result = _carry_out(call, deploy_id, options, parts["file"])
    call.org.store.db.execute("INSERT INTO _deploy VALUES (?, ?)", (deploy_id, json.dumps(result)))
    first = {
        "id": deploy_id,
        "checkOnly": options["checkOnly"],
        "done": False,
        "success": False,
        "status": "Pending",
        "rollbackOnError": options["rollbackOnError"],
        "numberComponentErrors": 0,
        "numberComponentsDeployed": 0,
        "numberComponentsTotal": 0,
    }
    return answer_json({"id": deploy_id, "deployOptions": options, "deployResult": first}, 201)


def status(call: Call, deploy_id: str) -> Answer:
    """Answer how a deployment went; with ``includeDetails=true`` also each component."""
    row = call.org.store.db.execute(
        "SELECT result FROM _deploy WHERE id LIKE ?", (deploy_id[:15] + "%",)
    ).fetchone()
    if row is None or len(deploy_id) not in (15, 18):
        raise not_found()
    result = json.loads(row[0])
    if (call.ask.first("includeDetails") or "").lower() != "true":
        result.pop("details")
    return answer_json(
        {"id": result["id"], "validatedDeployRequestId": None, "deployResult": result, "deployOptions": None}
    )


def _carry_out(call: Call, deploy_id: str, options: dict[str, Any], file: bytes) -> dict[str, Any]:
    db = call.org.store.db
    before = call.org.switches
    db.execute("SAVEPOINT deployment")
    package = read_package(file, call.org.full)
    done, problems = _apply(call, package)
    failed = bool(problems)
    undo = options["checkOnly"] or (failed and options["rollbackOnError"])
    if undo:
        # SQLite undoes ADD COLUMN with the rest of the savepoint.
        db.execute("ROLLBACK TO deployment")
        call.org.switches = before
    db.execute("RELEASE deployment")
    call.org.schema_moved()
    deployed = [] if failed and undo else done
    return _outcome(deploy_id, options, moments.shown(call.org.stamp()), done, deployed, problems)


def _outcome(
    deploy_id: str,
    options: dict[str, Any],
    stamp: str,
    done: list[Component],
    deployed: list[Component],
    problems: list[Problem],
) -> dict[str, Any]:
    state = "Succeeded" if not problems else "Failed" if options["rollbackOnError"] else "SucceededPartial"
    return {
        "id": deploy_id,
        "checkOnly": options["checkOnly"],
        "completedDate": stamp,
        "createdBy": seed.INTEGRATION_USER,
        "createdDate": stamp,
        "done": True,
        "ignoreWarnings": options["ignoreWarnings"],
        "lastModifiedDate": stamp,
        "numberComponentErrors": len(problems),
        "numberComponentsDeployed": len(deployed),
        "numberComponentsTotal": len(done) + len(problems),
        "numberTestErrors": 0,
        "numberTestsCompleted": 0,
        "numberTestsTotal": 0,
        "rollbackOnError": options["rollbackOnError"],
        "startDate": stamp,
        "status": state,
        "success": state != "Failed",
        "details": {
            "allComponentMessages": [],
            "componentFailures": [_failure(each, stamp) for each in problems],
            "componentSuccesses": [_success(each, stamp) for each in done],
            "retrieveResult": None,
            "runTestResult": {"numFailures": 0, "numTestsRun": 0, "failures": [], "successes": []},
        },
    }


def _success(component: Component, stamp: str) -> dict[str, Any]:
    return {
        "changed": component.changed,
        "componentType": component.kind,
        "created": component.created,
        "createdDate": stamp,
        "deleted": False,
        "fileName": component.file,
        "fullName": component.name,
        "problem": None,
        "problemType": None,
        "success": True,
        "warning": False,
    }


def _failure(problem: Problem, stamp: str) -> dict[str, Any]:
    return {
        "changed": False,
        "columnNumber": None,
        "componentType": problem.kind,
        "created": False,
        "createdDate": stamp,
        "deleted": False,
        "fileName": problem.file,
        "fullName": problem.name,
        "lineNumber": None,
        "problem": problem.text,
        "problemType": "Error",
        "success": False,
        "warning": False,
    }


def _apply(call: Call, package: Package) -> tuple[list[Component], list[Problem]]:
    problems = list(package.problems)
    done: list[Component] = []
    _add_fields(call, package, done, problems)
    for each in package.permission_sets:
        wrong = [name for name, *_ in each.permissions if not _has_field(call, name)]
        if wrong:
            text = f"In field: field - no CustomField named {wrong[0]} found"
            problems.append(Problem(each.file, "PermissionSet", each.name, text))
            continue
        created = _keep_permission_set(call, each.name, each.label, each.permissions)
        done.append(Component(each.file, "PermissionSet", each.name, created, True))
    _select(call, package, done, problems)
    return done, problems


def _add_fields(call: Call, package: Package, done: list[Component], problems: list[Problem]) -> None:
    store = call.org.store
    added: dict[tuple[str, str], Field] = {}
    for field in package.fields:
        named = field.facts["name"]
        known = added.get((field.object, named.lower())) or call.org.full.objects[field.object].find(named)
        facts = {key: value for key, value in field.facts.items() if key != "name"}
        if known is not None and known.type != facts["type"]:
            text = f"Cannot change which type of custom field {known.name} is"
            problems.append(Problem(field.file, "CustomField", f"{field.object}.{known.name}", text))
            continue
        name = known.name if known is not None else named
        store.db.execute(
            "INSERT OR REPLACE INTO _custom_field VALUES (?, ?, ?)", (field.object, name, json.dumps(facts))
        )
        made = added[field.object, name.lower()] = make_field(name, facts, custom=True)
        store.add_column(field.object, made)
        done.append(Component(field.file, "CustomField", f"{field.object}.{name}", known is None, True))
    if added:
        # Once for all of them: to build the schema takes as long for one field as for a hundred.
        call.org.refresh()


def _select(call: Call, package: Package, done: list[Component], problems: list[Problem]) -> None:
    for member in package.members:
        text = channel_members.wrong(call.org, member)
        if text:
            problems.append(Problem(member.file, channel_members.KIND, member.name, text))
        else:
            created = channel_members.add(call.org, member)
            done.append(Component(member.file, channel_members.KIND, member.name, created, created))


def _has_field(call: Call, full_name: str) -> bool:
    object_name, _, name = full_name.partition(".")
    sobject: SObject | None = call.org.full.find(object_name)
    return sobject is not None and sobject.find(name) is not None


def _keep_permission_set(
    call: Call, name: str, label: str, permissions: list[tuple[str, bool, bool]]
) -> bool:
    store, stamp = call.org.store, call.org.stamp()
    by = {
        "CreatedDate": stamp,
        "CreatedById": seed.INTEGRATION_USER,
        "LastModifiedDate": stamp,
        "LastModifiedById": seed.INTEGRATION_USER,
        "SystemModstamp": stamp,
    }
    found = store.rows("SELECT Id FROM PermissionSet WHERE Name = ?", (name,))
    if found:
        set_id = found[0]["Id"]
        store.update("PermissionSet", set_id, {"Label": label, "SystemModstamp": stamp})
    else:
        set_id = store.mint("0PS")
        flags = {"IsCustom": 1, "IsOwnedByProfile": 0}
        store.insert("PermissionSet", {"Id": set_id, "Name": name, "Label": label, **flags, **by})
    store.db.execute("DELETE FROM FieldPermissions WHERE ParentId = ?", (set_id,))
    for full_name, read, edit in permissions:
        row = {"Id": store.mint("01k"), "ParentId": set_id, "SobjectType": full_name.partition(".")[0]}
        row |= {"Field": full_name, "PermissionsRead": int(read or edit), "PermissionsEdit": int(edit)}
        store.insert("FieldPermissions", {**row, **by})
    return not found
