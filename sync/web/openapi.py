"""What the endpoints take and answer, as OpenAPI 3.1: for whoever sets up a proxy, and for tests that break things."""

from __future__ import annotations

from typing import Any

from sync.web.belongings import WebBelongings

_TEXT = {"content": {"text/plain": {"schema": {"type": "string"}}}}
_JSON = {"content": {"application/json": {"schema": {"type": "object"}}}}
_AGAIN = {"headers": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}}
_REFUSALS: dict[str, Any] = {
    "400": {"description": "Malformed; nothing was stored.", **_TEXT},
    "401": {"description": "Not believed; nothing was stored.", **_TEXT},
    "408": {"description": "The body did not arrive in time.", **_TEXT},
    "413": {"description": "The body is too large.", **_TEXT},
    "503": {"description": "Cannot be stored now.", **_AGAIN, **_TEXT},
}
_ID = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
#: One element of a webhook's body (HubSpot reference, section 10.1); further members are passed over.
_EVENT: dict[str, Any] = {
    "type": "object",
    "required": ["portalId", "occurredAt", "subscriptionType", "objectId"],
    "properties": {
        **dict.fromkeys(("portalId", "objectId", "eventId", "subscriptionId", "appId"), _ID),
        "occurredAt": {"type": "integer", "minimum": 0, "maximum": 253_402_300_799_999},
        "subscriptionType": {"type": "string", "minLength": 1, "examples": ["contact.propertyChange"]},
        "attemptNumber": _ID,
        "propertyName": {"type": "string"},
        "propertyValue": {"type": "string"},
        "mergedObjectIds": {"type": "array", "items": _ID},
    },
}


def description(belongings: WebBelongings) -> dict[str, Any]:
    """The document. It names no secret: the last part of Salesforce's address is a parameter."""
    paths: dict[str, Any] = {
        "/healthz": {"get": _told("The process lives.")},
        "/readyz": {"get": _told("It can be given work.", unready=True)},
        "/metrics": {"get": _told("For Prometheus.", private=True)},
        **{
            f"/api/{name}": {"get": _told(f"{name}, as JSON.", private=True, unready=True)}
            for name in belongings.answers
        },
    }
    if belongings.verifier is not None:
        paths["/webhooks/hubspot"] = {"post": _hubspot()}
    if belongings.secret_path is not None:
        paths["/webhooks/salesforce/outbound/{secret_path}"] = {"post": _salesforce()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Leadpact", "version": "1", "description": "The endpoints of leadpact serve."},
        "paths": paths,
    }


def _told(words: str, *, private: bool = False, unready: bool = False) -> dict[str, Any]:
    body = {"content": {"text/plain": {"schema": {"type": "string"}}}} if "Prometheus" in words else _JSON
    answers: dict[str, Any] = {"200": {"description": words, **body}}
    if private:
        answers |= {status: {"description": "Not for everybody.", **_JSON} for status in ("401", "403")}
    if unready:
        answers["503"] = {"description": "Not now.", **_AGAIN, **_JSON}
    return {"responses": answers}


def _hubspot() -> dict[str, Any]:
    headers = ("X-HubSpot-Signature-v3", "X-HubSpot-Request-Timestamp")
    return {
        "summary": "HubSpot tells of changes.",
        "parameters": [
            {"in": "header", "name": name, "required": False, "schema": {"type": "string"}}
            for name in headers
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"type": "array", "items": _EVENT, "maxItems": 1000}}},
        },
        "responses": {"200": {"description": "Stored."}, **_REFUSALS},
    }


def _salesforce() -> dict[str, Any]:
    return {
        "summary": "Salesforce tells of changes, as SOAP.",
        "parameters": [{"in": "path", "name": "secret_path", "required": True, "schema": {"type": "string"}}],
        "requestBody": {"required": True, "content": {"text/xml": {"schema": {"type": "string"}}}},
        "responses": {
            "200": {
                "description": "Stored; the body is the acknowledgement.",
                "content": {"text/xml": {"schema": {"type": "string"}}},
            },
            **_REFUSALS,
        },
    }
