"""Call limits and the behaviours that the reference leaves open (HubSpot reference, section 13)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from connectors.sandbox.side import ControlRefused


@dataclass(frozen=True, slots=True)
class Switches:
    """Everything ``limits`` can set. None switches a limit off."""

    ten_secondly: int | None = 190
    """Calls in any ten seconds; 190 is Professional, 100 is Free and Starter.

    HubSpot reference, section 9.1.
    """
    oauth_ten_secondly: int | None = 110
    """Calls in any ten seconds with tokens of the OAuth app, which has no daily limit.

    HubSpot reference, section 9.1.
    """
    secondly_search: int | None = 5
    """Searches in any second, per account (HubSpot reference, section 4.4)."""
    ten_secondly_associations: int | None = 150
    """Association calls in any ten seconds: 100, 150 or 200 (HubSpot reference, section 6.2)."""
    daily_associations: int | None = 500_000
    """Association calls until midnight in the account's time zone (HubSpot reference, section 6.2)."""
    moving_s: int | None = None
    """While set, the account is being moved: every call is answered with 477 and this Retry-After, in seconds."""
    daily: int | None = 625_000
    """Calls until midnight in the account's time zone (HubSpot reference, section 9.1)."""
    search_lag_ms: int = 0
    """How long after a change search still shows the record as it was, by the sandbox clock."""
    late_commit_ms: int = 0
    """How long after a write list and search still show the record as it was, though its stamp is set."""
    empty: Literal["null", "absent"] = "null"
    """How a requested property without a value is answered (HubSpot reference, section 4.2 tells both)."""
    trace_id_update: bool = True
    """Whether trace ids make batch/update tolerant of bad rows (unverified, HubSpot reference, section 13)."""
    retry_after: bool = False
    """Whether a 429 carries Retry-After in seconds (not documented, HubSpot reference, section 9.1)."""
    default_lifecycle: str | None = "lead"
    """The stage a contact created through the API gets; an account setting (HubSpot reference, section 7)."""
    scopes: tuple[str, ...] | None = None
    """The scopes the token has; None: all."""
    token: Literal["valid", "expired", "revoked"] = "valid"
    """What the fixed token is worth (HubSpot reference, section 5.3, 401)."""
    unique_contacts: bool = True
    """Whether contacts may have ``hasUniqueValue`` properties (disputed, HubSpot reference, section 6.1)."""
    batch_order: Literal["shuffled", "input"] = "shuffled"
    """The order of batch results; never to be relied on (HubSpot reference, section 5.2)."""
    list_order: Literal["id", "shuffled"] = "id"
    """Whether the records of a list page rise by id; the pages always do (unverified, HubSpot reference, 13)."""
    export_ms: int = 0
    """How long an export takes, by the sandbox clock (HubSpot reference, section 4.5)."""
    objects_off: tuple[str, ...] | None = None
    """Objects that the account's edition lacks, by their plural names, such as leads."""
    objects_off_status: Literal["403", "400", "404"] = "403"
    """How calls about those are answered (unverified, HubSpot reference, sections 6.5 and 13)."""
    merge_keeps_primary_id: bool = False
    """Whether a merge keeps the winner's id (the beta) or makes a new one.

    HubSpot reference, section 4.6.
    """
    merged_in_batch_read: bool = True
    """Whether batch/read follows the id of a merged record, as a single GET does (undocumented)."""

    unsubscribe_again: Literal["accepted", "refused"] = "accepted"
    """What v3 answers to a second unsubscription from the same type (undocumented)."""

    webhook_order: Literal["shuffled", "occurred"] = "shuffled"
    """The order in which events are sent; never to be relied on (HubSpot reference, section 10.2)."""
    webhook_duplicates: int = 0
    """Every how many-th event is sent twice; 0: none (HubSpot reference, section 10.2)."""
    webhook_delay_ms: int = 0
    """How long after a change its events are sent, by the sandbox clock."""
    webhook_settings_ms: int = 0
    """How long settings once used go on being used after a change; up to five minutes with HubSpot.

    HubSpot reference, section 10.2.
    """
    webhook_timeout_ms: int = 5_000
    """How long a subscriber may take to answer, in real time (HubSpot reference, section 10.2)."""
    webhook_old_signature: Literal["v1", "v2"] = "v1"
    """Which old signature stands beside the newest: v2 is what workflows send."""
    webhook_values_of_new: bool = True
    """Whether the values of a new record are told as changes of its properties too (undocumented)."""
    journal_lost_offset: Literal["refused", "earliest"] = "refused"
    """What an offset whose pages are gone is answered: 404, or the earliest page left (undocumented)."""

    def wire(self) -> dict[str, Any]:
        """All switches as JSON values."""
        return asdict(self)


def changed(now: Switches, wanted: Mapping[str, Any]) -> Switches:
    """``now`` with ``wanted`` applied.

    Raises ControlRefused for an unknown name or a value of the wrong kind.
    """
    kinds = get_type_hints(Switches)
    unknown = sorted(set(wanted) - set(kinds))
    if unknown:
        names = ", ".join(f.name for f in fields(Switches))
        raise ControlRefused(f"no limit or switch is called {', '.join(unknown)}; there are: {names}")
    checked = {name: _fitting(name, kinds[name], value) for name, value in wanted.items()}
    return replace(now, **checked)


def _fitting(name: str, kind: Any, value: Any) -> Any:
    if get_origin(kind) is Literal:
        if value in get_args(kind):
            return value
        raise ControlRefused(f"{name} is one of {', '.join(get_args(kind))}")
    if kind == (tuple[str, ...] | None):
        if value is None or (isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)):
            return None if value is None else tuple(value)
        raise ControlRefused(f"{name} is a list of texts or null")
    allowed = get_args(kind) or (kind,)
    # True is an int to Python, never to a person who sets a limit.
    if type(value) not in allowed or (type(value) is int and value < 0):
        raise ControlRefused(f"{name} is {' or '.join(_word(a) for a in allowed)}")
    return value


def _word(kind: Any) -> str:
    words = {int: "a whole number from 0", bool: "true or false", str: "a text", type(None): "null"}
    return words[kind]
