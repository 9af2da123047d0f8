"""One reading by one way, alone in its process so that its memory is its own: what ``bench.extract`` starts.

    python -m bench.extract_one hubspot '{"hubspot": "http://127.0.0.1:…", "hubspot_token": "…", "fields": ["email"]}'

Prints one JSON line: ``rows``, ``wall``, ``cpu`` (seconds, processor seconds of this process), ``peak_mb``, and for
HubSpot the statuses of all answers with the seconds at which they came.
"""

from __future__ import annotations

import csv
import io
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from simple_salesforce.api import Salesforce

from connectors.hubspot.api import RATES
from connectors.hubspot.crm import HubSpotCrm
from connectors.quota import MemoryLedger, Quota
from connectors.retry import Retry
from connectors.salesforce.crm import SalesforceCrm
from connectors.session import open_session

Told = dict[str, Any]
#: As the connector asks for them: answers of this size, so many at a time, are what bulk2 is compared on.
PAGE_RECORDS = 50_000


def hubspot(asked: Mapping[str, Any]) -> Told:
    """Every contact by our connector, to frames. ``paced``: keeping to the limits that the account tells."""
    answers: list[tuple[float, int, str]] = []
    session = open_session(
        on_response=lambda answer: answers.append(
            (time.monotonic(), answer.status_code, urlsplit(answer.url).path.rpartition("/")[2])
        )
    )
    rates = RATES if asked["paced"] else {}
    quota = Quota(
        "hubspot",
        rates,
        ledger=MemoryLedger(time.monotonic),
        clock=lambda: datetime.now(UTC),
        sleep=time.sleep,
    )
    crm = HubSpotCrm(asked["hubspot_token"], asked["hubspot"], session, quota, retry=Retry(sleep=time.sleep))
    began = time.monotonic()
    rows = sum(slab.frame.height for slab in crm.changes("contacts", asked["fields"], None).slabs)
    crm.close()
    return {"rows": rows, "answers": [[at - began, *rest] for at, *rest in answers]}


def salesforce(asked: Mapping[str, Any]) -> Told:
    """Every lead by our connector, to frames, by a query job."""
    crm = SalesforceCrm(
        session=open_session(loopback=urlsplit(asked["salesforce"]).netloc),
        login_url=f"https://{asked['salesforce_domain']}.salesforce.com",
        client_id=asked["salesforce_client_id"],
        client_secret=asked["salesforce_client_secret"],
        bulk_from_rows=1 if asked["bulk"] else None,
    )
    rows = sum(slab.frame.height for slab in crm.changes("Lead", asked["fields"], None).slabs)
    crm.close()
    return {"rows": rows}


def simple_salesforce(asked: Mapping[str, Any]) -> Told:
    """Every lead by simple-salesforce's own bulk2, as text, read as CSV."""
    with open_session(loopback=urlsplit(asked["salesforce"]).netloc) as session:
        client = Salesforce(
            consumer_key=asked["salesforce_client_id"],
            consumer_secret=asked["salesforce_client_secret"],
            domain=asked["salesforce_domain"],
            session=session,
            version="66.0",
        )
        query = f"SELECT Id, {', '.join(asked['fields'])} FROM Lead"
        # The handler makes its types out of thin air, so that no reader of types knows them.
        pages: Iterator[str] = cast(Any, client.bulk2).Lead.query(query, max_records=PAGE_RECORDS)
        rows = sum(sum(1 for _ in csv.DictReader(io.StringIO(page, newline=""))) for page in pages)
    return {"rows": rows}


WAYS: Mapping[str, Callable[[Mapping[str, Any]], Told]] = {
    "hubspot": hubspot,
    "salesforce": salesforce,
    "simple-salesforce": simple_salesforce,
}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak_mb() -> float:
    status = Path("/proc/self/status")
    if status.exists():
        # What getrusage tells on Linux includes what the parent held when it started us.
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def main() -> None:
    """The command."""
    way, asked = WAYS[sys.argv[1]], json.loads(sys.argv[2])
    # Importing is not reading; of the others their start is taken off as well.
    spent, began = _cpu(), time.monotonic()
    told = way(asked)
    told |= {"wall": time.monotonic() - began, "cpu": _cpu() - spent}
    told["peak_mb"] = _peak_mb()
    print(json.dumps(told))


if __name__ == "__main__":
    main()
