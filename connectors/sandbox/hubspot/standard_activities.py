"""The standard properties of what people did with a contact: calls, e-mails, meetings, notes, tasks, messages.

HubSpot reference, section 15, names the objects and their paths. It does not name their properties: these are
the few that a reader of first and last touches needs.
"""

from __future__ import annotations

from connectors.sandbox.hubspot.kinds import CALLS, COMMUNICATIONS, EMAILS, MEETINGS, NOTES, TASKS, Kind
from connectors.sandbox.hubspot.standard_shape import Options, Standard

INFO = "activityinformation"
GROUPS = ((INFO, "Activity information"),)
_DIRECTIONS: Options = (("INBOUND", "Inbound"), ("OUTBOUND", "Outbound"))
_MAIL: Options = (("EMAIL", "Sent"), ("INCOMING_EMAIL", "Received"), ("FORWARDED_EMAIL", "Forwarded"))
_OUTCOMES: Options = tuple(
    (value, value.replace("_", " ").capitalize())
    for value in ("SCHEDULED", "COMPLETED", "RESCHEDULED", "NO_SHOW", "CANCELED")
)
_TASK_STATUS: Options = tuple(
    (value, value.replace("_", " ").capitalize())
    for value in ("NOT_STARTED", "IN_PROGRESS", "WAITING", "DEFERRED", "COMPLETED")
)
_CHANNELS: Options = (("WHATS_APP", "WhatsApp"), ("LINKEDIN_MESSAGE", "LinkedIn"), ("SMS", "SMS"))

_EVERY = (
    Standard("hs_timestamp", "Activity date", "datetime", "date", INFO),
    Standard("hubspot_owner_id", "Activity assigned to", "enumeration", "select", INFO, "x"),
    Standard("hs_object_id", "Record ID", "number", "number", INFO, "r"),
    Standard("hs_object_source", "Record source", "string", "text", INFO, "rh"),
    Standard("hs_object_source_id", "Record source ID", "string", "text", INFO, "rh"),
    Standard("hs_object_source_label", "Record source", "string", "text", INFO, "rh"),
    Standard("hs_object_source_user_id", "Record source user ID", "number", "number", INFO, "rh"),
    Standard("hs_createdate", "Create date", "datetime", "date", INFO, "r"),
    Standard("hs_lastmodifieddate", "Last modified date", "datetime", "date", INFO, "r"),
    Standard("hs_merged_object_ids", "Merged record IDs", "enumeration", "checkbox", INFO, "rxh"),
)


def _text(name: str, label: str, field_type: str = "text") -> Standard:
    return Standard(name, label, "string", field_type, INFO)


def _choice(name: str, label: str, options: Options) -> Standard:
    return Standard(name, label, "enumeration", "select", INFO, "", options)


_OWN: dict[str, tuple[Standard, ...]] = {
    CALLS.key: (
        _text("hs_call_title", "Call title"),
        _text("hs_call_body", "Call notes", "html"),
        _choice("hs_call_direction", "Call direction", _DIRECTIONS),
        Standard("hs_call_duration", "Call duration", "number", "number", INFO),
    ),
    EMAILS.key: (
        _text("hs_email_subject", "Email subject"),
        _text("hs_email_text", "Text body", "textarea"),
        _choice("hs_email_direction", "Email direction", _MAIL),
    ),
    MEETINGS.key: (
        _text("hs_meeting_title", "Meeting name"),
        _text("hs_meeting_body", "Meeting description", "html"),
        Standard("hs_meeting_start_time", "Meeting start time", "datetime", "date", INFO),
        Standard("hs_meeting_end_time", "Meeting end time", "datetime", "date", INFO),
        _choice("hs_meeting_outcome", "Meeting outcome", _OUTCOMES),
    ),
    NOTES.key: (_text("hs_note_body", "Note body", "html"),),
    TASKS.key: (
        _text("hs_task_subject", "Task title"),
        _text("hs_task_body", "Task notes", "html"),
        _choice("hs_task_status", "Task status", _TASK_STATUS),
    ),
    COMMUNICATIONS.key: (
        _text("hs_communication_body", "Communication body", "html"),
        _choice("hs_communication_channel_type", "Channel type", _CHANNELS),
    ),
}


def properties(kind: Kind) -> tuple[Standard, ...]:
    """The standard properties of one kind of activity."""
    return (*_OWN[kind.key], *_EVERY)
