"""One API call after the door: who asked, in which version, with which headers and body."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from connectors.sandbox.salesforce import ids
from connectors.sandbox.salesforce.given import Writer
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.records import Records
from connectors.sandbox.salesforce.refusals import Refusal, not_found
from connectors.sandbox.salesforce.schema import SObject
from connectors.sandbox.side import Answer, Ask

NO_CONTENT = Answer(204, content_type=None)


@dataclass(frozen=True, slots=True)
class Call:
    """A call of the REST API. ``version`` is as in the path, such as ``v66.0``."""

    ask: Ask
    org: Org
    version: str
    method: str

    @property
    def records(self) -> Records:
        """The records of the org."""
        return Records(self.org)

    @property
    def number(self) -> float:
        """The API version as a number."""
        return float(self.version[1:])

    def header(self, name: str) -> str | None:
        """A request header, whatever its letter case."""
        return self.ask.headers.get(name.lower())

    def json(self) -> Any:
        """The body. Raises Refusal for a body that is not JSON, or is not said to be."""
        kind = (self.header("content-type") or "application/json").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise Refusal(415, "UNSUPPORTED_MEDIA_TYPE", f"Content-Type not supported: {kind}")
        try:
            return orjson.loads(self.ask.body)
        except orjson.JSONDecodeError:
            raise Refusal(400, "JSON_PARSER_ERROR", _where(self.ask.body)) from None

    def json_object(self) -> dict[str, Any]:
        """The body as a JSON object. Raises Refusal for anything else."""
        body = self.json()
        if not isinstance(body, dict):
            text = "The HTTP entity body is required, but this request has no entity body or the body is not an object."
            raise Refusal(400, "JSON_PARSER_ERROR", text)
        return body

    def writer(self) -> Writer:
        """The integration user, with what the request's headers ask for."""
        assign = (self.header("sforce-auto-assign") or "TRUE").strip()
        if assign.upper() not in ("TRUE", "FALSE") and ids.to_18(assign) is None:
            raise Refusal(400, "INVALID_ID_FIELD", f"Invalid assignment rule id: {assign}")
        rule = options(self.header("sforce-duplicate-rule-header"))
        return Writer(
            auto_assign=assign.upper() != "FALSE",
            allow_save=rule.get("allowsave", "").lower() == "true",
            details=rule.get("includerecorddetails", "").lower() == "true",
        )

    def sobject(self, name: str) -> SObject:
        """The object of a path. Raises Refusal (404) for one that is not there."""
        found = self.org.seen.find(name)
        if found is None:
            raise not_found()
        return found

    def url(self, rest: str) -> str:
        """A path below this version of the API."""
        return f"/services/data/{self.version}/{rest}"


def _where(body: bytes) -> str:
    try:
        json.loads(body)
    except json.JSONDecodeError as wrong:
        char = wrong.doc[wrong.pos : wrong.pos + 1]
        what = f"Unexpected character ('{char}')" if char else "Unexpected end-of-input"
        return f"{what} at [line:{wrong.lineno}, column:{wrong.colno}]"
    except ValueError:
        return "Invalid UTF-8 at [line:1, column:1]"
    return "Unexpected value at [line:1, column:1]"


def options(header: str | None) -> dict[str, str]:
    """The ``name=value`` pairs of a Sforce header, names in lower case."""
    pairs = (each.partition("=") for each in (header or "").replace(",", ";").split(";"))
    return {name.strip().lower(): value.strip() for name, _, value in pairs if name.strip()}


def answer_json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """A JSON answer."""
    return Answer(status, orjson.dumps(value), dict(headers or {}), "application/json;charset=UTF-8")


def is_true(text: str | None) -> bool:
    """A flag in a query string."""
    return (text or "").strip().lower() == "true"
