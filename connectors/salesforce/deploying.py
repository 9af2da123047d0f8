"""Deploying metadata over REST, without any other program (Salesforce reference, section 11)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from urllib3.fields import RequestField
from urllib3.filepost import encode_multipart_formdata

from connectors.errors import NeedsPerson, RecordRefused, RetryLater
from connectors.salesforce.calls import Calls, part
from connectors.salesforce.errors import CRM

#: Seconds a deployment of a few components may take before we come back later, and the longest pause in it.
DEPLOY_SECONDS = 300.0
LONGEST_PAUSE = 10.0

_ADMIN = (
    "let an administrator deploy Leadpact's package, or give the integration user the permissions "
    "Modify Metadata Through Metadata API Functions, Customize Application and Assign Permission Sets"
)


class Deploying:
    """Deploys packages to one organisation. ``what``: what they do, for a sentence. ``sleep`` takes seconds."""

    def __init__(self, calls: Calls, what: str, *, sleep: Callable[[float], None], fix: str = _ADMIN) -> None:
        self._calls = calls
        self._what = what
        self._sleep = sleep
        self._fix = fix

    def deploy(self, package: bytes) -> set[str]:
        """Deploy a zip in metadata format; the full names of what was not there before. All of it, or nothing.

        Raises NeedsPerson where Salesforce refuses it or we may not deploy; RetryLater where it takes too long.
        """
        body, content_type = _multipart(package)
        result = self.as_admin(
            lambda: self._calls.send(
                "POST",
                "metadata/deployRequest",
                body,
                # The same deployment twice leaves what one leaves.
                repeatable=True,
                headers={"Content-Type": content_type},
            )
        )
        details = self._follow(part(result, "id", "deployRequest")).get("details") or {}
        return {
            str(item.get("fullName")) for item in _items(details, "componentSuccesses") if item.get("created")
        }

    def as_admin(self, call: Callable[[], Any]) -> Any:
        """A call that needs an administrator's rights: without them, says whom to ask."""
        refused: NeedsPerson
        try:
            return call()
        except (NeedsPerson, RecordRefused) as error:
            denied = error.code.startswith("INSUFFICIENT_ACCESS") or error.code in ("403", "API_ERROR")
            if not denied:
                raise
            text = f"salesforce: the integration user may not {self._what}"
            refused = NeedsPerson(text, crm=CRM, code=error.code, fix=self._fix)
        raise refused

    def _follow(self, deployment: str) -> Mapping[str, Any]:
        """Ask how the deployment goes until it is done, with growing pauses. Raises where it failed."""
        waited, pause = 0.0, 0.5
        while True:
            path = f"metadata/deployRequest/{deployment}"
            answer = self._calls.get(path, {"includeDetails": "true"})
            result: Mapping[str, Any] = part(answer, "deployResult", "deployRequest")
            if result.get("done"):
                break
            if waited >= DEPLOY_SECONDS:
                raise RetryLater(f"salesforce: the deployment to {self._what} is not done yet", crm=CRM)
            self._sleep(pause)
            waited, pause = waited + pause, min(pause * 2, LONGEST_PAUSE)
        if not result.get("success"):
            raise self._failed(result)
        return result

    def _failed(self, result: Mapping[str, Any]) -> NeedsPerson:
        """A deployment that was rolled back: which component, and what Salesforce says about it."""
        failures = _items(result.get("details") or {}, "componentFailures")
        problems = [f"{item.get('fullName')}: {item.get('problem')}" for item in failures]
        reason = result.get("errorMessage") or result.get("status") or "no reason given"
        return NeedsPerson(
            f"salesforce: the deployment to {self._what} failed ({'; '.join(problems) or reason})",
            crm=CRM,
            code=str(result.get("errorStatusCode") or "DEPLOY_FAILED"),
            fix=self._fix,
        )


def _items(details: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """A list of a deployment's details; a single one may come without its list, as in the SOAP form."""
    items = details.get(name) or []
    return [items] if isinstance(items, Mapping) else items


def _multipart(package: bytes) -> tuple[bytes, str]:
    """The two parts of a deployment over REST. NoTestRun is allowed: our packages hold no Apex."""
    options = {
        "deployOptions": {
            "checkOnly": False,
            "rollbackOnError": True,
            "singlePackage": True,
            "testLevel": "NoTestRun",
        }
    }
    parts = [
        _part("json", None, "application/json", orjson.dumps(options)),
        _part("file", "package.zip", "application/zip", package),
    ]
    return encode_multipart_formdata(parts, boundary="----------leadpact-package")


def _part(name: str, filename: str | None, content_type: str, data: bytes) -> RequestField:
    part = RequestField(name, data, filename=filename)
    part.make_multipart(content_type=content_type)
    return part
