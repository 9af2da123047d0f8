"""The controls of running pretend CRMs, called from another process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import requests

#: Seconds for one control: loading and listing many records takes a while.
SECONDS = 120
#: Records of one page of ``records``.
PAGE = 1000


class ControlFailed(Exception):
    """A control was refused, or nobody answered; the text names the control."""


def control(url: str, name: str, body: Mapping[str, Any]) -> Any:
    """``POST /_sandbox/name`` with a JSON body; what it answered. Raises ControlFailed."""
    try:
        answer = requests.post(f"{url}/_sandbox/{name}", json=dict(body), timeout=SECONDS)
    except requests.RequestException as error:
        raise ControlFailed(f"the sandbox does not answer {name}: {type(error).__name__}") from error
    if answer.status_code != 200:
        raise ControlFailed(f"the sandbox refused {name} with {answer.status_code}")
    return answer.json()


def records(url: str, object_name: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Every record that a pretend CRM holds: (id, values under the CRM's own names). Raises ControlFailed."""
    rows: list[tuple[str, Mapping[str, Any]]] = []
    after: dict[str, str] = {}
    while True:
        asked = {"object": object_name, "limit": str(PAGE), **after}
        try:
            answer = requests.get(f"{url}/_sandbox/state", params=asked, timeout=SECONDS)
            answer.raise_for_status()
        except requests.RequestException as error:
            raise ControlFailed(f"the sandbox does not answer state: {type(error).__name__}") from error
        page = answer.json()["records"]
        # HubSpot's records keep their values under "properties", Salesforce's are flat.
        rows += [(record.get("id") or record["Id"], record.get("properties", record)) for record in page]
        if len(page) < PAGE:
            return rows
        after = {"after": rows[-1][0]}
