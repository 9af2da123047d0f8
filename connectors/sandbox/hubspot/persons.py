"""Acting as a person in HubSpot's own pages: what ``people`` can be asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from connectors.sandbox.hubspot import lists, removal
from connectors.sandbox.hubspot.account import CALCULATED, OWNERS, person
from connectors.sandbox.hubspot.engagement import form_name, moved_by
from connectors.sandbox.hubspot.errors import Refused
from connectors.sandbox.hubspot.form_calls import keep_submission
from connectors.sandbox.hubspot.kinds import CONTACTS, Kind, find_kind
from connectors.sandbox.hubspot.lifecycle import STAGE, is_backward
from connectors.sandbox.hubspot.moments import read_moment
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.records import Record
from connectors.sandbox.hubspot.single import identified
from connectors.sandbox.hubspot.writing import change, create, update
from connectors.sandbox.side import ControlRefused

Wanted = Mapping[str, Any]


def act(portal: Portal, wanted: Wanted) -> dict[str, Any]:
    """Do what a person does; returns the id of the record it ended in and its values.

    Raises ControlRefused for an unknown action, record or property, with the reason.
    """
    action = _ACTIONS.get(str(wanted.get("action")))
    if action is None:
        raise ControlRefused(f"action is one of {', '.join(_ACTIONS)}")
    known = _KEYS[str(wanted["action"])] + ("action", "object", "id", "email", "user")
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        raise ControlRefused(f"{wanted['action']} knows {', '.join(known)}, not {', '.join(unknown)}")
    kind = find_kind(str(wanted.get("object", "contacts")))
    if kind is None:
        raise ControlRefused(f"there is no object {wanted.get('object')}")
    try:
        record = action(portal, kind, wanted)
    except Refused as refused:
        raise ControlRefused(refused.message) from refused
    return {"id": str(record.id), "archived": record.archived is not None, "properties": record.values}


def _who(wanted: Wanted) -> str:
    return str(wanted.get("user") or OWNERS[1].email)


def _properties(wanted: Wanted) -> dict[str, Any]:
    given = wanted.get("properties")
    if not isinstance(given, dict):
        raise ControlRefused("properties is an object")
    return {name: "" if value is None else value for name, value in given.items()}


def _record(portal: Portal, kind: Kind, wanted: Wanted, key: str = "id", archived: bool = False) -> Record:
    """The record ``id`` or ``email`` means."""
    by_email = key == "id" and not wanted.get("id") and wanted.get("email")
    given = str(wanted.get("email") if by_email else wanted.get(key) or "")
    record = identified(portal, kind, "email" if by_email else None, given)
    if record is None or (record.archived is not None) is not archived:
        raise ControlRefused(
            f"there is no {'archived ' if archived else ''}{kind.singular.lower()} {given!r}"
        )
    return record


def _create(portal: Portal, kind: Kind, wanted: Wanted) -> Record:
    return create(portal, kind, _properties(wanted), person(_who(wanted)))


def _edit(portal: Portal, kind: Kind, wanted: Wanted) -> Record:
    record, given = _record(portal, kind, wanted), _properties(wanted)
    source = person(_who(wanted))
    stage = str(given.get(STAGE, ""))
    if is_backward(portal.definitions.stages(kind), record.values.get(STAGE), stage):
        # Forward only binds people too; they clear the stage first, as the page tells them to.
        update(portal, record, {STAGE: ""}, source)
    update(portal, record, given, source)
    return record


def _merge(portal: Portal, kind: Kind, wanted: Wanted) -> Record:
    primary, other = _record(portal, kind, wanted), _record(portal, kind, wanted, "other")
    if primary.id == other.id:
        raise ControlRefused("a record cannot be merged with itself")
    return removal.merge(portal, primary, other, person(_who(wanted)))


def _delete(portal: Portal, kind: Kind, wanted: Wanted) -> Record:
    record = _record(portal, kind, wanted)
    removal.archive(portal, record, person(_who(wanted)))
    return record


def _restore(portal: Portal, kind: Kind, wanted: Wanted) -> Record:
    record = _record(portal, kind, wanted, archived=True)
    removal.restore(portal, record, person(_who(wanted)))
    return record


def _erase(portal: Portal, kind: Kind, wanted: Wanted) -> Record:
    record = _record(portal, kind, wanted)
    removal.erase(portal, record, person(_who(wanted)))
    return Record(record.id, kind, 0, 0, portal.now(), {})


def _unsubscribe(portal: Portal, kind: Kind, wanted: Wanted) -> Record:
    if kind is not CONTACTS:
        raise ControlRefused("only contacts unsubscribe")
    record = _record(portal, kind, wanted)
    names = [n for n in portal.definitions.of(kind) if n.startswith("hs_email_optout")]
    if "from" in wanted:
        # One kind of mail, by the number of its subscription (HubSpot reference, section 14).
        names = [n for n in names if n == f"hs_email_optout_{wanted['from']}"]
        if not names:
            raise ControlRefused(f"there is no subscription {wanted['from']!r}")
    change(portal, record, dict.fromkeys(names, "true"), CALCULATED, None)
    return record


def _signal(portal: Portal, kind: Kind, wanted: Wanted) -> Record:
    if kind is not CONTACTS:
        raise ControlRefused("only contacts act")
    record = _record(portal, kind, wanted)
    given = wanted.get("at")
    at = portal.now() if given is None else read_moment(str(given))
    if at is None:
        raise ControlRefused(f"at is an ISO time, got {given!r}")
    change(portal, record, moved_by(portal, record, str(wanted.get("signal")), at, wanted), CALCULATED, at)
    if wanted.get("signal") == "form":
        keep_submission(portal, form_name(wanted), at, record.values.get("email", ""))
    return record


def _enrol(portal: Portal, kind: Kind, wanted: Wanted) -> Record:
    return _on_list(portal, kind, wanted, lists.enrol)


def _strike(portal: Portal, kind: Kind, wanted: Wanted) -> Record:
    return _on_list(portal, kind, wanted, lists.strike)


def _on_list(portal: Portal, kind: Kind, wanted: Wanted, act: Callable[..., object]) -> Record:
    """Whose list it is counts, not its type: a dynamic one has the members that its filters would find."""
    record, found = _record(portal, kind, wanted), lists.segment(portal, str(wanted.get("list")))
    if found.kind is not kind:
        raise ControlRefused(f"the list {found.name} holds {found.kind.plural}")
    act(portal, found, [str(record.id)])
    return record


_ACTIONS: dict[str, Callable[[Portal, Kind, Wanted], Record]] = {
    "create": _create,
    "edit": _edit,
    "merge": _merge,
    "delete": _delete,
    "restore": _restore,
    "gdpr_delete": _erase,
    "unsubscribe": _unsubscribe,
    "act": _signal,
    "enrol": _enrol,
    "strike": _strike,
}
_KEYS: dict[str, tuple[str, ...]] = {
    "create": ("properties",),
    "edit": ("properties",),
    "merge": ("other",),
    "delete": (),
    "restore": (),
    "gdpr_delete": (),
    "unsubscribe": ("from",),
    "act": ("signal", "at", "name", "pages"),
    "enrol": ("list",),
    "strike": ("list",),
}
