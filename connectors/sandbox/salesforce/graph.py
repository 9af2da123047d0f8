"""``/composite/graph``: several composite requests in one call, each kept whole or not at all.

At most 500 nodes in 75 graphs, 15 levels deep, with 15 kinds of node (method, version and type); after 14 failed
graphs the rest is not tried (Salesforce reference, section 4).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from connectors.sandbox.salesforce.call import Call, answer_json
from connectors.sandbox.salesforce.composite import REFERENCE, RouteBelow, carry_out, halted
from connectors.sandbox.salesforce.refusals import Refusal, not_found
from connectors.sandbox.side import Answer

SINCE = 50
MOST_NODES = 500
MOST_GRAPHS = 75
DEEPEST = 15
MOST_KINDS = 15
MOST_FAILED = 14
NODE = re.compile(r"/services/data/(v\d\d\.0)/sobjects/(\w+)(?:/.*)?", re.DOTALL)
Item = dict[str, Any]


def graphs(call: Call, route_below: RouteBelow) -> Answer:
    """Answer ``POST /composite/graph``. Raises Refusal for a call that is too big or has a wrong form."""
    if call.number < SINCE:
        raise not_found()
    wanted = call.json_object().get("graphs")
    if not isinstance(wanted, list) or not wanted or not all(isinstance(each, dict) for each in wanted):
        raise Refusal(400, "JSON_PARSER_ERROR", "graphs: a list of graphs is required")
    nodes = [_nodes(each) for each in wanted]
    _check_size(wanted, nodes)
    answered, failed = [], 0
    for graph, one in zip(wanted, nodes, strict=True):
        answered.append(_graph(call, str(graph["graphId"]), one, route_below, skip=failed >= MOST_FAILED))
        failed += not answered[-1]["isSuccessful"]
    return answer_json({"graphs": answered})


def _nodes(graph: Mapping[str, Any]) -> list[Item]:
    nodes = graph.get("compositeRequest")
    if not graph.get("graphId") or not isinstance(nodes, list) or not nodes:
        raise Refusal(400, "JSON_PARSER_ERROR", "each graph has a graphId and a compositeRequest")
    references = [each.get("referenceId") for each in nodes if isinstance(each, dict)]
    if len(references) != len(nodes) or None in references or len(set(references)) != len(references):
        raise Refusal(400, "JSON_PARSER_ERROR", "each node of a graph has a referenceId of its own")
    return nodes


def _check_size(wanted: Sequence[Mapping[str, Any]], nodes: Sequence[Sequence[Item]]) -> None:
    if len({str(each["graphId"]) for each in wanted}) != len(wanted):
        raise Refusal(400, "JSON_PARSER_ERROR", "each graph has a graphId of its own")
    every = [node for one in nodes for node in one]
    kinds = {_kind(each) for each in every}
    too_many = (
        (len(every), MOST_NODES, "nodes"),
        (len(wanted), MOST_GRAPHS, "graphs"),
        (len(kinds), MOST_KINDS, "different nodes"),
        (max(_depth(each) for each in nodes), DEEPEST, "levels"),
    )
    for count, most, what in too_many:
        if count > most:
            raise Refusal(400, "LIMIT_EXCEEDED", f"A graph request cannot have more than {most} {what}")


def _kind(node: Item) -> tuple[str, str, str]:
    match = NODE.fullmatch(str(node.get("url")))
    if match is None:
        raise Refusal(400, "INVALID_OPERATION", "A node of a graph is a call of the sobjects resource")
    return str(node.get("method")).upper(), match[1], match[2].lower()


def _depth(nodes: Sequence[Item]) -> int:
    """The longest chain of nodes of which each uses an answer of the one before."""
    levels: dict[str, int] = {}
    for node in nodes:
        used = {match[1] for match in REFERENCE.finditer(orjson.dumps(node).decode())}
        levels[str(node["referenceId"])] = 1 + max((levels.get(each, 0) for each in used), default=0)
    return max(levels.values())


def _graph(call: Call, graph_id: str, nodes: Sequence[Item], route_below: RouteBelow, *, skip: bool) -> Item:
    db, known, results = call.org.store.db, dict[str, Any](), list[Item]()
    db.execute("SAVEPOINT graph")
    for node in nodes:
        failed = skip or any(each["httpStatusCode"] >= 400 for each in results)
        results.append(_not_tried(node) if failed else carry_out(call, node, known, route_below))
    successful = all(each["httpStatusCode"] < 400 for each in results)
    if not successful:
        db.execute("ROLLBACK TO graph")
        call.org.undone()
        results = [halted(each) for each in results]
    db.execute("RELEASE graph")
    response = {"compositeResponse": results}
    return {"graphId": graph_id, "graphResponse": response, "isSuccessful": successful}


def _not_tried(node: Item) -> Item:
    """A node behind one that failed."""
    reference = str(node["referenceId"])
    return halted({"body": None, "httpHeaders": {}, "httpStatusCode": 200, "referenceId": reference})
