"""Which path of the REST API is answered by what."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from connectors.sandbox.salesforce import (
    changes,
    composite,
    describe,
    graph,
    many,
    metadata,
    queries,
    rows,
    tree,
    ui_api,
    usage,
)
from connectors.sandbox.salesforce.bulk import ingest_jobs, query_jobs
from connectors.sandbox.salesforce.call import Call, answer_json
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.refusals import Refusal, not_found
from connectors.sandbox.salesforce.store import quoted
from connectors.sandbox.side import Answer, Ask

OLDEST, NEWEST = 31, 67
RETIRED = range(21, 31)
VERSION = re.compile(r"/services/data/(v(\d\d)\.0)(?:/(.*))?", re.DOTALL)
SEASONS = ("Winter", "Spring", "Summer")  # by (version + 1) modulo 3
RESOURCES = ("sobjects", "query", "queryAll", "composite", "limits", "metadata", "jobs", "ui-api")
Work = Callable[..., Answer]


@dataclass(frozen=True, slots=True)
class Resource:
    """A path below the version, and the work for each method."""

    pattern: re.Pattern[str]
    works: dict[str, Work]


def _resource(pattern: str, **works: Work) -> Resource:
    return Resource(re.compile(pattern, re.DOTALL), works)


NAME = r"([A-Za-z]\w*)"
JOB = r"(\w{15}(?:\w{3})?)"
TABLE = (
    _resource("", GET=lambda call: answer_json({each: call.url(each) for each in RESOURCES})),
    _resource("query", GET=partial(queries.query, all_rows=False)),
    _resource("queryAll", GET=partial(queries.query, all_rows=True)),
    _resource(r"query(?:All)?/([^/]+)", GET=queries.query_more),
    _resource("limits", GET=lambda call: answer_json(usage.limits(call.org))),
    _resource("limits/recordCount", GET=lambda call: record_count(call)),
    _resource("sobjects", GET=describe.describe_global),
    _resource(f"sobjects/{NAME}", GET=describe.about_object, POST=rows.create),
    _resource(f"sobjects/{NAME}/describe", GET=describe.describe_object),
    _resource(f"sobjects/{NAME}/updated", GET=changes.updated),
    _resource(f"sobjects/{NAME}/deleted", GET=changes.deleted),
    _resource(f"sobjects/{NAME}/([^/]+)", GET=rows.get, PATCH=rows.update, DELETE=rows.delete),
    _resource(f"sobjects/{NAME}/{NAME}/(.+)", GET=rows.by_key, PATCH=rows.by_key, DELETE=rows.by_key),
    _resource("composite", POST=lambda call: composite.composite(call, route_below)),
    _resource("composite/graph", POST=lambda call: graph.graphs(call, route_below)),
    _resource(f"composite/tree/{NAME}", POST=tree.create),
    _resource("composite/sobjects", POST=many.write, PATCH=many.write, DELETE=many.delete),
    _resource(f"composite/sobjects/{NAME}", GET=many.read, POST=many.read),
    _resource(f"composite/sobjects/{NAME}/{NAME}", PATCH=many.upsert),
    _resource(rf"ui-api/object-info/{NAME}/picklist-values/(\w+)", GET=ui_api.picklist_values),
    _resource("metadata/deployRequest", POST=metadata.deploy),
    _resource("metadata/deployRequest/([^/]+)", GET=metadata.status),
    _resource("jobs/query", GET=query_jobs.every, POST=query_jobs.create),
    _resource(f"jobs/query/{JOB}", GET=query_jobs.info, PATCH=query_jobs.change, DELETE=query_jobs.delete),
    _resource(f"jobs/query/{JOB}/results", GET=query_jobs.results),
    _resource(f"jobs/query/{JOB}/resultPages", GET=query_jobs.result_pages),
    _resource("jobs/ingest", GET=ingest_jobs.every, POST=ingest_jobs.create),
    _resource(
        f"jobs/ingest/{JOB}", GET=ingest_jobs.info, PATCH=ingest_jobs.change, DELETE=ingest_jobs.delete
    ),
    _resource(f"jobs/ingest/{JOB}/batches", PUT=ingest_jobs.upload),
    _resource(f"jobs/ingest/{JOB}/({'|'.join(ingest_jobs.KINDS)})", GET=ingest_jobs.results),
)


def versions() -> list[dict[str, str]]:
    """The body of ``/services/data/``."""
    return [
        {"label": _label(number), "url": f"/services/data/v{number}.0", "version": f"{number}.0"}
        for number in range(OLDEST, NEWEST + 1)
    ]


def _label(number: int) -> str:
    """v31.0 was Summer '14; a season passes from each version to the next, and Winter opens the next year's."""
    return f"{SEASONS[(number + 1) % 3]} '{14 + (number - OLDEST + 2) // 3}"


def route(org: Org, ask: Ask) -> Answer:
    """Answer a call of the API. Raises Refusal, or BareStatus for an answer without a body."""
    match = VERSION.fullmatch(ask.path.rstrip("/"))
    if match is None:
        raise not_found()
    if int(match[2]) in RETIRED:
        raise Refusal(410, "UNSUPPORTED_API_VERSION", f"The requested API version {match[1]} was retired")
    if not OLDEST <= int(match[2]) <= NEWEST:
        raise not_found()
    method = ask.method
    if method == "POST" and ask.first("_HttpMethod"):
        method = str(ask.first("_HttpMethod")).upper()
    return route_below(Call(ask, org, match[1], method), match[3] or "")


def route_below(call: Call, path: str) -> Answer:
    """Answer a call by its path below the version. Raises Refusal (404, 405)."""
    for resource in TABLE:
        match = resource.pattern.fullmatch(path)
        if match is None:
            continue
        work = resource.works.get("GET" if call.method == "HEAD" else call.method)
        if work is None:
            allowed = ",".join(["HEAD"] * ("GET" in resource.works) + sorted(resource.works))
            text = f"HTTP Method '{call.method}' not allowed. Allowed are {allowed}"
            raise Refusal(405, "METHOD_NOT_ALLOWED", text, headers={"Allow": allowed})
        return work(call, *match.groups())
    raise not_found()


def record_count(call: Call) -> Answer:
    """Answer ``/limits/recordCount``: how many live records each named object has, unknown names left out."""
    names = call.ask.first("sObjects")
    wanted = names.split(",") if names else list(call.org.seen.objects)
    counts: list[dict[str, Any]] = []
    for name in wanted:
        sobject = call.org.seen.find(name.strip())
        if sobject is not None:
            live = " WHERE IsDeleted = 0" if sobject.bin else ""
            row = call.org.store.db.execute(f"SELECT count(*) FROM {quoted(sobject.name)}{live}").fetchone()
            counts.append({"count": row[0], "name": sobject.name})
    return answer_json({"sObjects": counts})


def is_write(ask: Ask) -> bool:
    """Whether a request is one that changes records or metadata, by its method and path alone."""
    match = VERSION.fullmatch(ask.path.rstrip("/"))
    if match is None or ask.method in ("GET", "HEAD"):
        return False
    path = match[3] or ""
    if path.split("/")[:2] == ["jobs", "query"]:
        return False
    return re.fullmatch(rf"composite/sobjects/{NAME}", path) is None or ask.method != "POST"
