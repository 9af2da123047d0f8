"""The settings of what runs by itself: the web endpoints, the workers and the schedules."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from sync.cron import WrongCron, parse_cron
from sync.section import Address, Filled, Port, Secret, Section, refuse

#: A schedule that never comes.
OFF = "off"


def _cron(text: str) -> str:
    if text == OFF:
        return text
    try:
        parse_cron(text)
    except WrongCron as wrong:
        words = f"is no schedule: {wrong}"
    else:
        return text
    raise refuse(words)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        wrong = refuse("must be the name of a time zone, such as Europe/Berlin")
    else:
        return name
    raise wrong


Schedule = Annotated[str, AfterValidator(_cron)]
ZoneName = Annotated[str, AfterValidator(_zone)]


class WebSettings(Section):
    """The endpoints of ``leadpact serve``."""

    host: Filled = "127.0.0.1"
    #: 0: any free one.
    port: Port = 8470
    #: What stands before /webhooks in the address that HubSpot calls; it is part of what HubSpot signs
    #: (HubSpot reference, section 10).
    public_url: Address | None = None
    #: The last part of the address that Salesforce calls.
    secret_path: Secret | None = None
    #: The bearer token of the JSON API, where it is asked from another machine.
    api_token: Secret | None = None
    #: Whether HubSpot's signatures v1 and v2 are taken; they hold no time, so a recorded call can be repeated.
    allow_old_signatures: bool = False
    #: Bytes.
    body_limit: Annotated[int, Field(ge=1_024, le=64 * 1024 * 1024)] = 2 * 1024 * 1024
    #: The header in which the proxy says that Salesforce showed its client certificate; it must say SUCCESS.
    client_certificate_header: Filled | None = None


class WorkerSettings(Section):
    """How jobs are worked on."""

    #: Jobs at the same time in one process, besides one for consent and handover and one for backfills.
    concurrency: Annotated[int, Field(ge=1, le=64)] = 1
    heartbeat_seconds: Annotated[float, Field(ge=0.1, le=300)] = 1.0
    #: A worker without a heartbeat for so long is dead, and its jobs are taken over.
    stalled_after_seconds: Annotated[float, Field(ge=0.5, le=3_600)] = 5.0
    #: A job that has failed so often is parked.
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 5
    #: How long a worker that is told to stop waits for its jobs before it gives them back.
    stop_seconds: Annotated[float, Field(ge=0, le=3_600)] = 20.0


class ScheduleSettings(Section):
    """When runs come by themselves, as cron expressions in ``time_zone``; "off": never."""

    time_zone: ZoneName = "Europe/Berlin"
    incremental: Schedule = "*/5 * * * *"
    agree: Schedule = "20 * * * *"
    rescore: Schedule = "30 1 * * *"
    drift: Schedule = "0 3 * * *"
    retention: Schedule = "30 3 * * *"
    report: Schedule = "0 6 * * 1"
    alerts: Schedule = "*/5 * * * *"
    schemas: Schedule = "50 * * * *"
    #: Before the mail, which tells what came of it.
    rates: Schedule = "0 5 * * 1"
    mail: Schedule = "0 7 * * 1"
