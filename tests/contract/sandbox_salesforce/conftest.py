"""The pretend Salesforce as a client with a token sees it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

import pytest

from connectors.sandbox.salesforce import seed
from connectors.sandbox.salesforce.side import SalesforceSide
from connectors.sandbox.side import Answer, Ask

CREDENTIALS = {
    "grant_type": "client_credentials",
    "client_id": "leadpact-sandbox",
    "client_secret": "salesforce-sandbox-secret",
}
FIELDS = {
    "Key__c": "<type>Text</type><length>32</length><externalId>true</externalId><unique>true</unique>",
    "Score__c": "<type>Number</type><precision>5</precision><scale>2</scale>",
    "Loose__c": "<type>Text</type><length>10</length><externalId>true</externalId>",
    "Stage__c": (
        "<type>Picklist</type><valueSet><restricted>true</restricted><valueSetDefinition><sorted>false</sorted>"
        "<value><fullName>mql</fullName><default>false</default><label>mql</label></value></valueSetDefinition></valueSet>"
    ),
    "Interests__c": (
        "<type>MultiselectPicklist</type><valueSet><valueSetDefinition><sorted>false</sorted>"
        + "".join(
            f"<value><fullName>{each}</fullName><default>false</default></value>"
            for each in ("tea", "ale", "gin")
        )
        + "</valueSetDefinition></valueSet><visibleLines>4</visibleLines>"
    ),
    "Why__c": "<type>LongTextArea</type><length>32768</length><visibleLines>3</visibleLines>",
    "Hot__c": "<type>Checkbox</type><defaultValue>false</defaultValue>",
    "At__c": "<type>DateTime</type>",
    "On__c": "<type>Date</type>",
    "Cost__c": "<type>Currency</type><precision>18</precision><scale>2</scale>",
    "Page__c": "<type>Url</type>",
}


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 18, 10, 30, 40, 987654, tzinfo=UTC)

    def now(self) -> datetime:
        return self.moment


def package(fields: dict[str, str], permissions: str = "", extra: dict[str, str] | None = None) -> bytes:
    space = 'xmlns="http://soap.sforce.com/2006/04/metadata"'
    made = "".join(
        f"<fields><fullName>{name}</fullName><label>{name[:-3]}</label>{rest}</fields>"
        for name, rest in fields.items()
    )
    files = {"package.xml": f"<Package {space}><version>66.0</version></Package>"}
    files["objects/Lead.object"] = f"<CustomObject {space}>{made}</CustomObject>"
    if permissions:
        files["permissionsets/Leadpact.permissionset"] = (
            f"<PermissionSet {space}><label>Leadpact</label>{permissions}</PermissionSet>"
        )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as zipped:
        for name, text in (files | (extra or {})).items():
            zipped.writestr(name, text)
    return packed.getvalue()


def granting(names: list[str], edit: bool = True) -> str:
    return "".join(
        f"<fieldPermissions><editable>{str(edit).lower()}</editable><field>Lead.{name}</field>"
        "<readable>true</readable></fieldPermissions>"
        for name in names
    )


class Api:
    """The REST API of a side, as a client with a token calls it."""

    def __init__(self, side: SalesforceSide, clock: Clock) -> None:
        self.side, self.clock = side, clock
        self.fields, self.credentials = FIELDS, CREDENTIALS
        self.log_in()

    def log_in(self) -> None:
        self.token = json.loads(self.token_call(CREDENTIALS).body)["access_token"]

    def token_call(self, form: dict[str, str], **headers: str) -> Answer:
        return self.side.answer(Ask("POST", "/services/oauth2/token", (), headers, urlencode(form).encode()))

    def restart(self, folder: Path) -> None:
        self.side.close()
        self.side = SalesforceSide(folder, self.clock)

    def granting(self, names: list[str], edit: bool = True) -> str:
        return granting(names, edit)

    def package(
        self, fields: dict[str, str], permissions: str = "", extra: dict[str, str] | None = None
    ) -> bytes:
        return package(fields, permissions, extra)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        whole = path if path.startswith("/") else f"/services/data/v66.0/{path}"
        before, _, query = whole.partition("?")
        sent = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        pairs = tuple(parse_qsl(query, keep_blank_values=True))
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.side.answer(Ask(method, unquote(before), pairs, sent, raw, whole))

    def json(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return json.loads(self.call(method, path, body, **headers).body or b"null")

    def create(self, values: dict[str, Any], name: str = "Lead", **headers: str) -> str:
        answer = self.call("POST", f"sobjects/{name}", values, **headers)
        assert answer.status == 201, answer.body
        return str(json.loads(answer.body)["id"])

    def get(self, record_id: str, name: str = "Lead") -> dict[str, Any]:
        found: dict[str, Any] = self.json("GET", f"sobjects/{name}/{record_id}")
        return found

    def query(self, soql: str, resource: str = "query") -> list[dict[str, Any]]:
        records: list[dict[str, Any]] = self.json("GET", f"{resource}?q={quote(soql)}")["records"]
        return records

    def described(self) -> dict[str, dict[str, Any]]:
        return {each["name"]: each for each in self.json("GET", "sobjects/Lead/describe")["fields"]}

    def grant(self) -> None:
        found = self.query("SELECT Id FROM PermissionSet WHERE Name = 'Leadpact'")[0]["Id"]
        assignee = {"AssigneeId": seed.INTEGRATION_USER, "PermissionSetId": found}
        self.create(assignee, "PermissionSetAssignment")

    def deploy(self, zipped: bytes, **options: bool) -> dict[str, Any]:
        edge = "----leadpact"
        told = json.dumps({"deployOptions": {"rollbackOnError": True, "singlePackage": True, **options}})
        body = (
            f'--{edge}\r\nContent-Disposition: form-data; name="json"\r\n'
            f"Content-Type: application/json\r\n\r\n{told}\r\n"
            f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="deploy.zip"\r\n'
            "Content-Type: application/zip\r\n\r\n"
        ).encode() + zipped
        body += f"\r\n--{edge}--\r\n".encode()
        kind = f'multipart/form-data; boundary="{edge}"'
        answer = self.call("POST", "metadata/deployRequest", body, content_type=kind)
        assert answer.status == 201, answer.body
        first = json.loads(answer.body)
        assert (first["deployResult"]["status"], first["deployResult"]["done"]) == ("Pending", False)
        told_result: dict[str, Any] = self.json(
            "GET", f"metadata/deployRequest/{first['id']}?includeDetails=true"
        )
        result: dict[str, Any] = told_result["deployResult"]
        return result


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    """A new org and a client that is logged in."""
    clock = Clock()
    made = Api(SalesforceSide(tmp_path, clock), clock)
    yield made
    made.side.close()


@pytest.fixture
def keyed(api: Api) -> Api:
    """The same org with custom fields that the integration user may write."""
    api.deploy(package(FIELDS, granting(list(FIELDS))))
    api.grant()
    return api
