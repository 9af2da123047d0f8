"""One call after routing: what was asked, in which version, of which object type."""

from __future__ import annotations

from dataclasses import dataclass
from types import NoneType
from typing import Any, Literal

import orjson

from connectors.sandbox.hubspot.errors import bad_request, unreadable
from connectors.sandbox.hubspot.kinds import Kind, kind_named
from connectors.sandbox.side import Answer, Ask

Version = Literal["undated", "2026-03", "2026-09"]
_NO_TEXT = (dict, list)


@dataclass(frozen=True, slots=True)
class Call:
    """``parts`` are the variable pieces of the path, in order."""

    ask: Ask
    version: Version
    parts: tuple[str, ...]

    @property
    def kind(self) -> Kind:
        """The object type the path names. Raises Refused."""
        return kind_named(self.parts[0])

    @property
    def origin(self) -> str:
        """The caller's own address of this account, without a path: what we hand out must not lead elsewhere."""
        scheme = self.ask.headers.get("x-forwarded-proto", "http")
        return f"{scheme}://{self.ask.headers.get('host', 'api.hubapi.com')}"

    def json(self) -> dict[str, Any]:
        """The body as a JSON object. Raises Refused."""
        body = self._decoded()
        if not isinstance(body, dict):
            raise unreadable("an object was expected")
        return body

    def json_list(self) -> list[Any]:
        """The body as a JSON list. Raises Refused."""
        body = self._decoded()
        if not isinstance(body, list):
            raise unreadable("a list was expected")
        return body

    def _decoded(self) -> Any:
        try:
            return orjson.loads(self.ask.body)
        except orjson.JSONDecodeError as bad:
            raise unreadable("not JSON") from bad

    def names(self, parameter: str) -> list[str]:
        """A list parameter, repeated or comma-separated (HubSpot reference, section 2.1)."""
        values = (part.strip() for value in self.ask.every(parameter) for part in value.split(","))
        return list(dict.fromkeys(value for value in values if value))

    def flag(self, parameter: str) -> bool:
        """A boolean parameter; absent is false."""
        return (self.ask.first(parameter) or "").lower() == "true"

    def number(self, parameter: str, default: int, low: int, high: int) -> int:
        """A whole-number parameter within bounds. Raises Refused."""
        text = self.ask.first(parameter)
        if not text:
            return default
        if not text.isdecimal() or len(text) > 18 or not low <= int(text) <= high:
            raise bad_request(f"{parameter} must be a whole number from {low} to {high}, got {text}")
        return int(text)

    @property
    def partial_status(self) -> int:
        """The status of a batch in which some rows failed: 2026-09 has no 207.

        HubSpot reference, section 1.3.
        """
        return 200 if self.version == "2026-09" else 207


def answer(status: int, body: Any = None) -> Answer:
    """An answer with a JSON body, or with none at all."""
    return Answer(status, content_type=None) if body is None else Answer(status, orjson.dumps(body))


def properties_given(body: dict[str, Any], version: Version) -> dict[str, Any]:
    """The ``properties`` of a write, each a text, number or boolean.

    A null is refused before 2026-09, where values are not nullable, and clears from then on
    (HubSpot reference, section 1.3). Raises Refused.
    """
    given = body.get("properties")
    if not isinstance(given, dict):
        raise unreadable("properties must be an object")
    if set(map(type, given.values())) == {str}:
        return given
    refused = _NO_TEXT if version == "2026-09" else (*_NO_TEXT, NoneType)
    for name, value in given.items():
        if type(value) is not str and isinstance(value, refused):
            raise unreadable(f"the value of property {name} must be a text")
    if None not in given.values():
        return given
    return {name: "" if value is None else value for name, value in given.items()}


def text_list(body: dict[str, Any], name: str) -> list[str]:
    """A list of texts in a body; absent is empty. Raises Refused."""
    found = body.get(name) or []
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise unreadable(f"{name} must be a list of texts")
    return list(dict.fromkeys(found))
