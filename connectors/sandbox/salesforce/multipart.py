"""The parts of a ``multipart/form-data`` body, by name."""

from __future__ import annotations

from email import policy
from email.parser import BytesParser

from connectors.sandbox.salesforce.call import Call
from connectors.sandbox.salesforce.refusals import Refusal


def is_multipart(call: Call) -> bool:
    """Whether the body says that it consists of parts."""
    return (call.header("content-type") or "").lower().startswith("multipart/form-data")


def parts_of(call: Call) -> dict[str, bytes]:
    """The body's parts. Raises Refusal (415) for another kind of body."""
    if not is_multipart(call):
        raise Refusal(
            415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type not supported: multipart/form-data is required"
        )
    kind = call.header("content-type") or ""
    head = b"Content-Type: " + kind.encode("latin-1", "replace") + b"\r\n\r\n"
    message = BytesParser(policy=policy.HTTP).parsebytes(head + call.ask.body)
    found = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(payload, bytes):
            found[name] = payload
    return found
