"""What the SOAP API says no with: a fault that ends the whole call.

A fault of the API names its code twice, as ``faultcode`` and as ``sf:exceptionCode``; one that says that the
envelope itself is wrong comes from the layer below and has neither detail nor code.
"""

from __future__ import annotations

from connectors.sandbox.salesforce.refusals import Refusal


class Fault(Exception):
    """One fault. ``kind`` is the type of its detail; an empty ``code`` is a fault of the SOAP layer itself."""

    def __init__(self, code: str, message: str, kind: str = "UnexpectedErrorFault") -> None:
        super().__init__(code or "soapenv:Client")
        self.code = code
        self.message = message
        self.kind = kind


def malformed(message: str) -> Fault:
    """The envelope is XML, but not one that this service understands."""
    return Fault("", message)


def no_session() -> Fault:
    """The session is unknown, was ended, or lived too long without a call."""
    return Fault(
        "INVALID_SESSION_ID",
        "Invalid Session ID found in SessionHeader: Illegal Session. Session not found, missing session hash",
    )


def as_fault(refused: Refusal) -> Fault:
    """What the REST API would refuse with a status and a code, as a fault of this API."""
    return no_session() if refused.code == "INVALID_SESSION_ID" else Fault(refused.code, refused.message)
