"""How the Pub/Sub API says no: a gRPC status, and Salesforce's own code in the trailer ``error-code``.

The codes for a dead session, a replay id that is not kept and a used-up allocation are those of the
Salesforce reference, section 8; the others follow their pattern.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

PREFIX = "sfdc.platform.eventbus.grpc."


@dataclass(frozen=True, slots=True)
class No:
    """One way of saying no; ``status`` is the name of a gRPC status code."""

    status: str
    code: str
    text: str


class Refused(Enum):
    """Every way in which a call ends badly."""

    SESSION = No(
        "UNAUTHENTICATED",
        f"{PREFIX}service.auth.error",
        "An authentication exception occurred. Provide valid authentication via metadata headers.",
    )
    TOPIC = No("NOT_FOUND", f"{PREFIX}topic.not.found", "The topic does not exist, or is not visible.")
    SCHEMA = No("NOT_FOUND", f"{PREFIX}schema.not.found", "The schema does not exist, or is not visible.")
    COUNT = No(
        "INVALID_ARGUMENT",
        f"{PREFIX}subscription.fetch.requested.events.invalid",
        "The number of requested events must be greater than 0.",
    )
    OTHER_TOPIC = No(
        "INVALID_ARGUMENT",
        f"{PREFIX}subscription.fetch.topic.invalid",
        "The topic of a subscription cannot change.",
    )
    NO_REPLAY = No(
        "INVALID_ARGUMENT",
        f"{PREFIX}subscription.fetch.replayid.validation.failed",
        "A replay id is required with the preset CUSTOM.",
    )
    REPLAY = No(
        "INVALID_ARGUMENT",
        f"{PREFIX}subscription.fetch.replayid.corrupted",
        "The replay id validation failed. Ensure that it is valid and within the retention window.",
    )
    ALLOCATION = No(
        "RESOURCE_EXHAUSTED",
        f"{PREFIX}subscription.limit.exceeded",
        "You have exceeded the event delivery limit for your org.",
    )
    DOWN = No("UNAVAILABLE", f"{PREFIX}service.unavailable", "The service is unavailable. Try again later.")


class Ended(Exception):
    """A call ends in a refusal."""

    def __init__(self, why: Refused) -> None:
        super().__init__(why.name)
        self.why = why
