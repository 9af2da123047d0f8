"""The gRPC server in front of the change log: three calls over TLS, on a loopback port.

It runs on threads of its own; everything it reads comes from a ``Feed``.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import closing
from typing import Any, NoReturn
from uuid import uuid4

import grpc

from connectors.sandbox.salesforce import seed
from connectors.sandbox.salesforce.pubsub.events import replay_id
from connectors.sandbox.salesforce.pubsub.feed import Delivered, Feed, is_ours
from connectors.sandbox.salesforce.pubsub.messages import SERVICE, message
from connectors.sandbox.salesforce.pubsub.refusals import Ended, Refused
from connectors.sandbox.salesforce.pubsub.shapes import Shape, shape_of
from connectors.sandbox.salesforce.pubsub.subscription import Fetch, Given, Subscription

MOST_STREAMS = 32  #: calls served at a time
OPTIONS = (
    ("grpc.so_reuseport", 0),
    # Clients may ask for signs of life as often as they like, where nothing else is said for long.
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
    ("grpc.keepalive_permit_without_calls", 1),
)


class Service:
    """The calls of ``eventbus.v1.PubSub`` that subscribers make. ``open_feed`` gives a reader to each."""

    def __init__(self, open_feed: Callable[[], Feed]) -> None:
        self._open_feed = open_feed
        self._delivered = Delivered()
        self._shapes: dict[str, Shape] = {}
        self._lock = threading.Lock()

    def handlers(self) -> grpc.GenericRpcHandler:
        """The calls by their names on the wire."""
        calls = {
            "GetTopic": grpc.unary_unary_rpc_method_handler(
                self.get_topic, *_coders("TopicRequest", "TopicInfo")
            ),
            "GetSchema": grpc.unary_unary_rpc_method_handler(
                self.get_schema, *_coders("SchemaRequest", "SchemaInfo")
            ),
            "Subscribe": grpc.stream_stream_rpc_method_handler(
                self.subscribe, *_coders("FetchRequest", "FetchResponse")
            ),
        }
        return grpc.method_handlers_generic_handler(SERVICE, calls)

    def get_topic(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Which schema the events of a topic have; none where it carries those of several objects."""
        rpc = str(uuid4())
        with closing(self._open_feed()) as feed:
            try:
                self._let_in(feed, context)
                objects = feed.objects_of(request.topic_name)
                if objects is None:
                    raise Ended(Refused.TOPIC)
            except Ended as ended:
                _refuse(context, ended.why, rpc)
            shapes = [self._shape(feed, each) for each in objects]
        return message("TopicInfo")(
            topic_name=request.topic_name,
            tenant_guid=f"core/leadpact/{seed.ORG_ID}",
            can_publish=False,
            can_subscribe=True,
            schema_id=shapes[0].schema_id if len(shapes) == 1 else "",
            rpc_id=rpc,
        )

    def get_schema(self, request: Any, context: grpc.ServicerContext) -> Any:
        """The Avro schema behind an id that an event or a topic gave."""
        rpc = str(uuid4())
        with closing(self._open_feed()) as feed:
            try:
                self._let_in(feed, context)
                found = self._schema(feed, request.schema_id)
            except Ended as ended:
                _refuse(context, ended.why, rpc)
        return message("SchemaInfo")(schema_json=found.schema_json, schema_id=found.schema_id, rpc_id=rpc)

    def subscribe(self, requests: Iterator[Any], context: grpc.ServicerContext) -> Iterator[Any]:
        """Events as they are committed, as many as were asked for."""
        rpc = str(uuid4())
        inbox: queue.SimpleQueue[Fetch | None] = queue.SimpleQueue()
        with closing(self._open_feed()) as feed:
            try:
                token = self._let_in(feed, context)
                threading.Thread(
                    target=_receive, args=(requests, inbox), name="leadpact-sandbox-fetches", daemon=True
                ).start()
                for given in Subscription(feed, self._delivered, token, inbox, context.is_active).answers():
                    yield _response(given, rpc)
            except Ended as ended:
                _refuse(context, ended.why, rpc)

    def _let_in(self, feed: Feed, context: grpc.ServicerContext) -> str:
        """The access token of a call that may be answered. Raises Ended."""
        given = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
        token = given.get("accesstoken", "")
        if not is_ours(given.get("tenantid", ""), given.get("instanceurl", "")) or not feed.is_live(token):
            raise Ended(Refused.SESSION)
        if feed.switches()["pubsub_down"]:
            raise Ended(Refused.DOWN)
        return token

    def _shape(self, feed: Feed, name: str) -> Shape:
        shape = shape_of(feed.schema().objects[name])
        with self._lock:
            self._shapes[shape.schema_id] = shape
        return shape

    def _schema(self, feed: Feed, schema_id: str) -> Shape:
        for name in feed.objects_of("/data/ChangeEvents") or ():
            self._shape(feed, name)
        with self._lock:
            found = self._shapes.get(schema_id)
        if found is None:
            raise Ended(Refused.SCHEMA)
        return found


def _coders(request: str, response: str) -> tuple[Any, Any]:
    return message(request).FromString, message(response).SerializeToString


def _receive(requests: Iterator[Any], inbox: queue.SimpleQueue[Fetch | None]) -> None:
    """Put what a subscriber sends into its inbox until it hangs up."""
    try:
        for each in requests:
            inbox.put(
                Fetch(
                    each.topic_name, each.replay_preset, each.replay_id, each.num_requested, each.auth_refresh
                )
            )
    except grpc.RpcError:
        # The call was broken off: no more requests come, which is all there is to say.
        inbox.put(None)
    else:
        inbox.put(None)


def _response(given: Given, rpc: str) -> Any:
    event, consumed = message("ProducerEvent"), message("ConsumerEvent")
    return message("FetchResponse")(
        events=[
            consumed(
                event=event(id=each.id, schema_id=each.schema_id, payload=each.payload),
                replay_id=replay_id(each.number),
            )
            for each in given.events
        ],
        latest_replay_id=replay_id(given.place),
        rpc_id=rpc,
        pending_num_requested=given.owed,
    )


def _refuse(context: grpc.ServicerContext, why: Refused, rpc: str) -> NoReturn:
    said = why.value
    context.set_trailing_metadata((("error-code", said.code), ("rpc-id", rpc)))
    context.abort(grpc.StatusCode[said.status], f"{said.text} rpcId: {rpc}")
    raise Ended(why)  # never reached: abort raises


class PubSubServer:
    """The service on a port. ``key`` and ``chain`` are PEM."""

    def __init__(self, open_feed: Callable[[], Feed], key: bytes, chain: bytes) -> None:
        self._server = grpc.server(
            futures.ThreadPoolExecutor(MOST_STREAMS, thread_name_prefix="leadpact-sandbox-pubsub"),
            handlers=(Service(open_feed).handlers(),),
            options=OPTIONS,
            # One more is refused, instead of waiting for somebody to hang up.
            maximum_concurrent_rpcs=MOST_STREAMS,
        )
        self._port = self._server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, chain)]))

    def start(self) -> int:
        """Serve; returns the port."""
        self._server.start()
        return int(self._port)

    def stop(self) -> None:
        """End every call and stop serving."""
        self._server.stop(grace=None).wait()
