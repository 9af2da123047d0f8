"""What the controls of the sandbox do in the CRM: people at work, rows loaded in bulk, a look at the records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connectors.sandbox.salesforce import connected_app, oauth, recycle_bin, seed, usage
from connectors.sandbox.salesforce.conversion import convert, merge, undelete
from connectors.sandbox.salesforce.given import Writer
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.outbound import actions, queue
from connectors.sandbox.salesforce.records import Records, id_of
from connectors.sandbox.salesforce.refusals import Refusal, RowRefused
from connectors.sandbox.salesforce.schema import SObject
from connectors.sandbox.salesforce.soql.shape import address
from connectors.sandbox.salesforce.store import quoted
from connectors.sandbox.salesforce.values import address_parts, writer
from connectors.sandbox.side import ControlRefused

MOST_SHOWN = 1_000
Wanted = Mapping[str, Any]


def people(org: Org, wanted: Wanted) -> dict[str, Any]:
    """Act as a person in the CRM. Raises ControlRefused when the action is unknown or the CRM says no."""
    action = wanted.get("action")
    act = ACTIONS.get(str(action))
    if act is None:
        raise ControlRefused(f"unknown action {action!r}; known: {', '.join(ACTIONS)}")
    unknown = set(wanted) - COMMON_KEYS - KEYS.get(str(action), frozenset())
    if unknown:
        raise ControlRefused(f"{action}: unknown key {min(unknown)!r}")
    try:
        return act(org, wanted)
    except (RowRefused, Refusal) as refused:
        raise ControlRefused(f"{refused.code}: {refused.message}") from None


def object_named(org: Org, name: object) -> SObject:
    """The object of a control. Raises ControlRefused for an unknown one."""
    found = org.full.objects.get(str(name))
    if found is None:
        raise ControlRefused(f"unknown object {name!r}; known: {', '.join(org.full.objects)}")
    return found


def _person(org: Org, wanted: Wanted) -> Writer:
    """The person who acts: an id, a user name or an alias; without one, the first of the sales people."""
    given = wanted.get("user")
    if given is None:
        return Writer(user=seed.FIRST_SELLER, api=False)
    rows = org.store.rows('SELECT Id FROM "User" WHERE Id = ? OR Username = ? OR Alias = ?', (given,) * 3)
    if not rows:
        raise ControlRefused(f"unknown user {given!r}")
    return Writer(user=rows[0]["Id"], api=False)


def _values(sobject: SObject, wanted: Wanted) -> dict[str, Any]:
    values = wanted.get("fields")
    if not isinstance(values, dict):
        raise ControlRefused("fields: expected an object of field names and values")
    for name in values:
        if sobject.find(name) is None:
            raise ControlRefused(f"unknown field {name!r} of {sobject.name}")
    return values


def _create(org: Org, wanted: Wanted) -> dict[str, Any]:
    sobject = object_named(org, wanted.get("object"))
    return {"id": Records(org).create(sobject.name, _values(sobject, wanted), _person(org, wanted))}


def _edit(org: Org, wanted: Wanted) -> dict[str, Any]:
    sobject = object_named(org, wanted.get("object"))
    record_id = id_of(sobject, wanted.get("id"))
    Records(org).update(sobject.name, record_id, _values(sobject, wanted), _person(org, wanted))
    return {"id": record_id}


def _delete(org: Org, wanted: Wanted) -> dict[str, Any]:
    sobject = object_named(org, wanted.get("object"))
    record_id = id_of(sobject, wanted.get("id"))
    Records(org).delete(sobject.name, record_id, _person(org, wanted))
    return {"id": record_id}


def _undelete(org: Org, wanted: Wanted) -> dict[str, Any]:
    sobject = object_named(org, wanted.get("object"))
    return {"id": undelete(org, sobject, id_of(sobject, wanted.get("id")), _person(org, wanted))}


def _empty_bin(org: Org, wanted: Wanted) -> dict[str, Any]:
    sobject = object_named(org, wanted.get("object"))
    if not sobject.ordinary:
        raise ControlRefused(f"{sobject.name} has no recycle bin")
    one = id_of(sobject, wanted["id"]) if "id" in wanted else None
    return {"removed": recycle_bin.empty(org.store, sobject, one)}


def _merge(org: Org, wanted: Wanted) -> dict[str, Any]:
    sobject = object_named(org, wanted.get("object"))
    losers = wanted.get("losers", [wanted.get("other")])
    if not isinstance(losers, list):
        raise ControlRefused("losers: expected a list of ids")
    ids = [id_of(sobject, each) for each in losers]
    return merge(org, sobject, id_of(sobject, wanted.get("id")), ids, _person(org, wanted))


def _convert(org: Org, wanted: Wanted) -> dict[str, Any]:
    lead = id_of(org.full.objects["Lead"], wanted.get("id"))
    return convert(org, lead, wanted, _person(org, wanted))


def _unsubscribe(org: Org, wanted: Wanted) -> dict[str, Any]:
    return _edit(org, {"object": "Lead", **wanted, "fields": {"HasOptedOutOfEmail": True}})


def _revoke(org: Org, wanted: Wanted) -> dict[str, Any]:
    return {"revoked": oauth.revoke_all(org, refresh_too=wanted.get("refresh") is True)}


def _approve(org: Org, _wanted: Wanted) -> dict[str, Any]:
    return {"refresh_token": oauth.approve(org)}


def _other_apps(org: Org, wanted: Wanted) -> dict[str, Any]:
    calls = wanted.get("calls")
    if not isinstance(calls, int) or isinstance(calls, bool) or calls < 0:
        raise ControlRefused("calls: expected a whole number from 0")
    return {"made": usage.spend_of_others(org, calls), "used": usage.of_all(org)}


def _app(org: Org, wanted: Wanted) -> dict[str, Any]:
    return connected_app.change(org, wanted)


def _outbound(org: Org, wanted: Wanted) -> dict[str, Any]:
    return {"id": actions.declare(org, object_named(org, wanted.get("object")), wanted).id}


def _no_outbound(org: Org, wanted: Wanted) -> dict[str, Any]:
    return {"id": wanted.get("id"), "dropped": actions.withdraw(org, wanted.get("id"))}


ACTIONS: dict[str, Callable[[Org, Wanted], dict[str, Any]]] = {
    "create": _create,
    "edit": _edit,
    "delete": _delete,
    "undelete": _undelete,
    "empty_bin": _empty_bin,
    "merge": _merge,
    "convert": _convert,
    "unsubscribe": _unsubscribe,
    "revoke_tokens": _revoke,
    "approve": _approve,
    "app": _app,
    "other_apps": _other_apps,
    "outbound_message": _outbound,
    "no_outbound_message": _no_outbound,
}
COMMON_KEYS = frozenset({"action", "object", "id", "user"})
KEYS = {
    "create": frozenset({"fields"}),
    "edit": frozenset({"fields"}),
    "merge": frozenset({"other", "losers"}),
    "convert": frozenset(
        {
            *("status", "account_id", "contact_id", "opportunity_id", "opportunity_name", "no_opportunity"),
            *("owner_id", "overwrite_source"),
        }
    ),
    "revoke_tokens": frozenset({"refresh"}),
    "other_apps": frozenset({"calls"}),
    "outbound_message": actions.KEYS,
    "app": frozenset({*connected_app.START, "make_key"}),
}


def state(org: Org, wanted: Mapping[str, str]) -> dict[str, Any]:
    """The records of one object, deleted ones included, by id; without an object how many each has.

    ``id`` picks one record; ``limit`` (at most 1,000) and ``after`` (an id) page through them. ``outbound`` shows
    the outbound messages instead: what waits, what was tried, what was heard.
    """
    if "outbound" in wanted:
        return dict(queue.state(org))
    if "object" not in wanted:
        counts = {
            name: org.store.db.execute(f"SELECT count(*) FROM {quoted(name)}").fetchone()[0]
            for name in org.full.objects
        }
        known = {"org_id": seed.ORG_ID, "user_id": seed.INTEGRATION_USER, "calls_used": usage.of_all(org)}
        return {"objects": counts, **known}
    sobject = object_named(org, wanted["object"])
    if "id" in wanted:
        try:
            row = org.store.row(sobject, id_of(sobject, wanted["id"]))
        except RowRefused as refused:
            raise ControlRefused(refused.message) from None
        return {"records": [] if row is None else [_shown(sobject, row)]}
    limit = wanted.get("limit", "100")
    if not str(limit).isdigit():
        raise ControlRefused("limit: expected a whole number")
    rows = org.store.rows(
        f"SELECT * FROM {quoted(sobject.name)} WHERE Id > ? ORDER BY Id LIMIT ?",
        (wanted.get("after", ""), min(MOST_SHOWN, int(limit))),
    )
    total = org.store.db.execute(f"SELECT count(*) FROM {quoted(sobject.name)}").fetchone()[0]
    return {"records": [_shown(sobject, row) for row in rows], "total": total}


def _shown(sobject: SObject, row: Mapping[str, Any]) -> dict[str, Any]:
    record = {}
    for field in sobject.fields.values():
        if field.stored:
            write = writer(field)
            record[field.name] = row[field.name] if write is None else write(row[field.name])
        else:
            record[field.name] = address(field, [row.get(each) for each in address_parts(field).values()])
    return record
