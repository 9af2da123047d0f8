"""``/composite``: up to 25 calls in one, where a later one may use what an earlier one answered.

Salesforce reference, section 4.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

from connectors.sandbox.salesforce.call import Call, answer_json
from connectors.sandbox.salesforce.refusals import BareStatus, Refusal, not_found
from connectors.sandbox.side import Answer, Ask

MOST = 25
MOST_HEAVY = 5
HEAVY = re.compile(r"/services/data/v\d\d\.0/(?:query|queryAll|composite/sobjects)(?:[/?].*)?", re.DOTALL)
REFERENCE = re.compile(r"@\{(\w+)((?:\.\w+|\[\d+\])*)\}")
STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
BELOW = re.compile(r"/services/data/v\d\d\.0/(.*)", re.DOTALL)
HALTED = "The transaction was rolled back since another operation in the same transaction failed."
RouteBelow = Callable[[Call, str], Answer]
Item = dict[str, Any]


def composite(call: Call, route_below: RouteBelow) -> Answer:
    """Answer a composite call: always 200, one result a subrequest. Raises Refusal for one that is too big."""
    body = call.json_object()
    asked = body.get("compositeRequest")
    if not isinstance(asked, list) or not all(isinstance(each, dict) for each in asked) or not asked:
        raise Refusal(400, "JSON_PARSER_ERROR", "compositeRequest: a list of subrequests is required")
    if len(asked) > MOST:
        raise Refusal(400, "LIMIT_EXCEEDED", f"Composite requests cannot have more than {MOST} subrequests")
    if sum(1 for each in asked if HEAVY.fullmatch(str(each.get("url")))) > MOST_HEAVY:
        text = f"Composite requests cannot have more than {MOST_HEAVY} query or collection subrequests"
        raise Refusal(400, "LIMIT_EXCEEDED", text)
    db = call.org.store.db
    db.execute("SAVEPOINT composite")
    known: dict[str, Any] = {}
    results = [carry_out(call, each, known, route_below) for each in asked]
    if body.get("allOrNone") is True and any(each["httpStatusCode"] >= 400 for each in results):
        db.execute("ROLLBACK TO composite")
        call.org.undone()
        results = [halted(each) for each in results]
    db.execute("RELEASE composite")
    return answer_json({"compositeResponse": results})


def halted(result: Item) -> Item:
    """What is said of a subrequest that was carried out and then undone."""
    # A collection that was rolled back still says success (Salesforce reference, section 4).
    if result["httpStatusCode"] >= 400 or isinstance(result["body"], list):
        return result
    error = {"errorCode": "PROCESSING_HALTED", "message": HALTED}
    return {**result, "body": [error], "httpHeaders": {}, "httpStatusCode": 400}


def carry_out(call: Call, asked: Item, known: dict[str, Any], route_below: RouteBelow) -> Item:
    """Answer one subrequest, filled in from what earlier ones answered (``known``, which grows)."""
    reference = str(asked.get("referenceId", ""))
    db = call.org.store.db
    db.execute("SAVEPOINT one")
    try:
        answer = _work(call, _filled(asked, known), route_below)
    except Refusal as refused:
        db.execute("ROLLBACK TO one")
        answer = answer_json(refused.body(), refused.status)
    except BareStatus as bare:
        answer = Answer(bare.status)
    db.execute("RELEASE one")
    body = orjson.loads(answer.body) if answer.body else None
    if answer.status < 400:
        known[reference] = body
    return {
        "body": body,
        "httpHeaders": {name: value for name, value in answer.headers.items() if name == "Location"},
        "httpStatusCode": answer.status,
        "referenceId": reference,
    }


def _work(call: Call, asked: Item, route_below: RouteBelow) -> Answer:
    url = urlsplit(str(asked.get("url", "")))
    match = BELOW.fullmatch(unquote(url.path).rstrip("/"))
    if match is None or match[1] in ("composite", "composite/graph"):
        raise not_found()
    method = str(asked.get("method", "")).upper()
    query = tuple(parse_qsl(url.query, keep_blank_values=True))
    extra = {name.lower(): str(value) for name, value in (asked.get("httpHeaders") or {}).items()}
    headers = {**call.ask.headers, "content-type": "application/json", **extra}
    inner = Ask(method, unquote(url.path), query, headers, orjson.dumps(asked.get("body")), url.path)
    return route_below(replace(call, ask=inner, method=method), match[1])


def _filled(value: Any, known: dict[str, Any]) -> Any:
    """The subrequest with each ``@{reference.path}`` replaced. Raises Refusal for one that is not known."""
    if isinstance(value, dict):
        return {name: _filled(each, known) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, known) for each in value]
    if not isinstance(value, str):
        return value
    whole = REFERENCE.fullmatch(value)
    if whole is not None:
        return _found(whole, known)
    return REFERENCE.sub(lambda match: str(_found(match, known)), value)


def _found(match: re.Match[str], known: dict[str, Any]) -> Any:
    try:
        here = known[match[1]]
        for step in STEP.finditer(match[2]):
            here = here[step[1]] if step[1] is not None else here[int(step[2])]
    except (KeyError, IndexError, TypeError):
        text = f"Invalid reference specified. No value for {match[0]} found in {match[1]}"
        raise Refusal(400, "PROCESSING_HALTED", text) from None
    return here
