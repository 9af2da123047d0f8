"""A relay that keeps what goes over the wire, and judges of every body that went.

The schemas come from HubSpot's own Python package. Where the live API is documented or recorded to differ from
them they are relaxed, each time with the reason (HubSpot reference, sections 1.3 and 1.5); a name that they do not
know is a fault, unless it stands in ``ALSO``. ``calls.txt`` says which schema judges which call.
"""

from __future__ import annotations

import copy
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
import requests

from connectors.sandbox.serving import Serving, sandbox

CALLS = Path(__file__).with_name("calls.txt")

OBJECTS: Mapping[str, str] = {
    "contacts": "hubspot.crm.contacts",
    "companies": "hubspot.crm.companies",
    "leads": "hubspot.crm.objects.leads",
}

#: What bodies carry that the package's models do not name: documented or recorded all the same.
ALSO: Mapping[str, tuple[str, ...]] = {
    "SimplePublicObject": ("url",),
    "SimplePublicUpsertObject": ("url",),
    "SimplePublicObjectWithAssociations": ("url",),
    # A row of an upsert names the property its id stands for (section 5.2).
    "SimplePublicObjectBatchInputUpsert": ("idProperty",),
    "Error": ("status", "policyName", "errorType", "requestId", "groupName"),
    # Recorded (section 6.1).
    "ModelProperty": ("archivedAt", "dataSensitivity"),
    # A page can be asked for within a batch.
    "PublicFetchAssociationsBatchRequest": ("after",),
    # The newer token endpoints say more (section 8).
    "TokenResponseIF": ("hub_id", "scopes", "user_id", "token_use"),
    # The words of an export's filters (section 4.5).
    "Filter": ("property",),
    "BatchResponseLabelsBetweenObjectPair": ("numErrors", "errors"),
    "BatchResponsePublicAssociationMultiWithLabel": ("numErrors", "errors"),
    "BatchResponseSimplePublicObject": ("numErrors", "errors"),
    "BatchResponseSimplePublicUpsertObject": ("numErrors", "errors"),
    "PublicOwner": ("userIdIncludingInactive",),
}

#: What the models demand and the live API does not (section 1.3), or only sometimes.
OPTIONAL: Mapping[str, tuple[str, ...]] = {
    "StandardError": ("context", "links", "errors"),
    "BatchReadInputSimplePublicObjectId": ("propertiesWithHistory",),
    "Error": ("correlationId", "message", "category"),
    "PublicCrmSearchRequest": ("query", "sorts"),
    "Filter": ("propertyName",),
}

#: What is null although the models say it is not.
NULLABLE: Mapping[str, tuple[str, ...]] = {
    # An archived owner has no user id (section 6.3).
    "PublicOwner": ("userId",),
    "AssociationSpecWithLabel": ("label",),
}

#: Ids inside associations are whole numbers in live bodies (section 6.2).
ALSO_INTEGER: Mapping[str, tuple[str, ...]] = {
    "MultiAssociatedObjectWithLabel": ("toObjectId",),
    "LabelsBetweenObjectPair": ("fromObjectId", "toObjectId"),
}


@dataclass(frozen=True, slots=True)
class Judged:
    """One kind of call: the schema of what is asked, and of the answer by status ("" for no body)."""

    method: str
    path: re.Pattern[str]
    package: str  #: "*": that of the object in the path
    asks: str
    answers: tuple[tuple[int, str], ...]


def read_table(text: str) -> list[Judged]:
    """The lines of ``calls.txt``."""
    return [_line(line.split()) for line in text.splitlines() if line and not line.startswith("#")]


def _line(words: list[str]) -> Judged:
    method, path, package, asks, *answers = words
    pattern = path.replace("{object}", "(?P<object>[^/]+)").replace("{}", "[^/]+")
    by_status = tuple(
        (int(status), "" if name == "-" else name) for status, _, name in (a.partition(":") for a in answers)
    )
    full = package if package == "*" else f"hubspot.{package}"
    return Judged(method, re.compile(pattern), full, "" if asks == "-" else asks, by_status)


#: Families without a schema: other packages, or paths that the package does not know.
UNJUDGED = re.compile(
    r"/(communication-preferences|account-info|export-files|marketing|form-integrations)/|/oauth/.*/token/"
)

_DATED = re.compile(r"^/crm/(\w+)/2026-0[39](?=/|$)")
_UNDATED = re.compile(r"^/crm/v[34](?=/)")
_OAUTH = re.compile(r"^/oauth/(v1|v3|2026-0[39])(?=/)")


def family_path(path: str) -> str:
    """A path without its version: both families of one call are judged by one line."""
    plain = _OAUTH.sub("/oauth", _UNDATED.sub("", _DATED.sub(r"/\1", path)))
    return plain.strip("/")


class Judges:
    """The relaxed schemas, and what they say of one call."""

    def __init__(self, schemas: Mapping[str, Any]) -> None:
        self._schemas = {package: relaxed(found) for package, found in schemas.items()}
        self._table = read_table(CALLS.read_text("utf-8"))
        self._used: set[Judged] = set()

    def unused(self) -> list[str]:
        """The lines of the table that have judged nothing so far."""
        return [f"{one.method} {one.path.pattern}" for one in self._table if one not in self._used]

    @property
    def lines(self) -> int:
        """How many lines the table has."""
        return len(self._table)

    def all_faults(self, exchanges: list[Exchange]) -> list[str]:
        """What is wrong with any of these calls, each fault once."""
        return list(dict.fromkeys(fault for one in exchanges for fault in self.faults(one)))

    def faults(self, exchange: Any) -> Iterator[str]:
        """What is wrong with the bodies of one call."""
        if UNJUDGED.search(exchange.path):
            return
        path = family_path(exchange.path)
        line, found = next(
            (
                (line, match)
                for line in self._table
                if line.method == exchange.method and (match := line.path.fullmatch(path))
            ),
            (None, None),
        )
        where = f"{exchange.method} {exchange.path} ({exchange.status})"
        if line is None or found is None:
            yield f"{where}: no schema judges this call"
            return
        package = line.package if line.package != "*" else OBJECTS.get(found["object"], OBJECTS["contacts"])
        if exchange.status >= 400:
            yield from (f"{where}: {e}" for e in self._errors(package, "Error", exchange.answered))
            return
        self._used.add(line)
        asks = _export_variant(line.asks, exchange.asked)
        yield from (f"{where} asks: {e}" for e in self._errors(package, asks, exchange.asked))
        answers = dict(line.answers)
        if exchange.status not in answers:
            yield f"{where}: no such status is known"
            return
        name = answers[exchange.status]
        yield from (f"{where} answers: {e}" for e in self._errors(package, name, exchange.answered))

    def _errors(self, package: str, name: str, body: Any) -> Iterator[str]:
        if name == "form":
            return
        if not name:
            if body is not None:
                yield "a body where none is expected"
            return
        schemas = self._schemas[package]
        bare = name.removesuffix("[]")
        one: Any = {"type": "string"} if bare == "string" else {"$ref": f"#/$defs/{bare}"}
        schema = {**schemas, **({"type": "array", "items": one} if name.endswith("[]") else one)}
        validator = jsonschema.Draft202012Validator(schema, format_checker=FORMATS)
        for error in validator.iter_errors(body):
            # Which of many rows it was does not matter.
            yield f"{re.sub(r'[0-9]+', 'n', error.json_path)}: {error.message[:200]}"


def _export_variant(name: str, body: Any) -> str:
    if name != "PublicExportRequest" or not isinstance(body, dict):
        return name
    return "PublicExportListRequest" if body.get("exportType") == "LIST" else "PublicExportViewRequest"


def _formats() -> jsonschema.FormatChecker:
    formats = jsonschema.FormatChecker(formats=())

    @formats.checks("date-time", raises=ValueError)
    def _is_moment(value: object) -> bool:
        return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None

    return formats


FORMATS = _formats()


def relaxed(found: Mapping[str, Any]) -> dict[str, Any]:
    """A package's schemas with the exceptions above, and otherwise closed: no names that they do not know."""
    schemas = copy.deepcopy(dict(found))
    for name, schema in schemas["$defs"].items():
        names = schema.get("properties")
        if not isinstance(names, dict):
            continue
        names |= dict.fromkeys(ALSO.get(name, ()), True)
        schema["required"] = [n for n in schema.get("required", []) if n not in OPTIONAL.get(name, ())]
        for nullable in NULLABLE.get(name, ()):
            if nullable in names:
                names[nullable] = {"anyOf": [names[nullable], {"type": "null"}]}
        for number in ALSO_INTEGER.get(name, ()):
            if number in names:
                names[number] = {"type": ["string", "integer"]}
        _relax_values(name, names)
        schema.setdefault("additionalProperties", False)
    return schemas


def _relax_values(name: str, names: dict[str, Any]) -> None:
    values = names.get("properties")
    if isinstance(values, dict) and values.get("additionalProperties") == {"type": "string"}:
        # A property without a value is null (section 4.2).
        values["additionalProperties"] = {"type": ["string", "null"]}
    if "filterBranch" in names:
        # One of many kinds of branches; the package's generator made the first of them of all.
        names["filterBranch"] = {"type": "object"}
    if name == "PublicObjectSearchRequest":
        # Docs and all clients send objects where the models say texts (section 1.3).
        names["sorts"] = {"type": "array", "items": {"type": ["string", "object"]}}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call: the path without its query, and both bodies as JSON where they are any."""

    method: str
    path: str
    asked: Any
    status: int
    answered: Any


@dataclass
class Recorder:
    """``url`` is where clients go; ``exchanges`` what went through, in order."""

    url: str
    exchanges: list[Exchange] = field(default_factory=list)


@contextmanager
def recording(target: str) -> Iterator[Recorder]:
    """Relay everything to ``target`` for as long as the context lasts."""
    kept = Recorder("")
    session = requests.Session()
    session.trust_env = False

    class Relay(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _relay(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else None
            passed = {n: v for n, v in self.headers.items() if n.lower() not in {"host", "accept-encoding"}}
            answer = session.request(
                self.command,
                target + self.path,
                data=body,
                headers={**passed, "Host": self.headers["Host"], "Accept-Encoding": "identity"},
                timeout=60,
            )
            path = self.path.split("?")[0]
            kept.exchanges.append(
                Exchange(self.command, path, _json(body), answer.status_code, _json(answer.content))
            )
            self.send_response(answer.status_code)
            for name in ("Content-Type", "Date", "Retry-After"):
                if name in answer.headers:
                    self.send_header(name, answer.headers[name])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _relay

        def log_message(self, *_: Any) -> None:
            """Nothing: what went through is kept."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Relay)
    server.daemon_threads = True
    kept.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        session.close()


def _json(body: bytes | None) -> Any:
    if not body:
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


@pytest.fixture(scope="session")
def served() -> Iterator[Serving]:
    with sandbox() as serving:
        yield serving


@pytest.fixture
def recorder(served: Serving) -> Iterator[Recorder]:
    """A relay to an empty account."""
    controls = {
        "reset": {},
        "clock": {"now": "2026-11-22T08:00:00Z"},
        "limits": {"ten_secondly": None, "secondly_search": None},
    }
    for name, wanted in controls.items():
        answer = requests.post(f"{served.hubspot_url}/_sandbox/{name}", json=wanted, timeout=60)
        assert answer.status_code == 200, answer.text
    with recording(served.hubspot_url) as kept:
        yield kept


@pytest.fixture(scope="session")
def judges(shared_reference: Path) -> Judges:
    """The judges of a whole session: what they have used is known at its end."""
    found: Mapping[str, Any] = orjson.loads((shared_reference / "hubspot-sdk-schemas.json").read_bytes())
    return Judges(found)
