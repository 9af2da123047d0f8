"""The calls of the Pub/Sub API over one gRPC channel: token, metadata, translation.

Always TLS. Nothing is read from the environment, proxies included.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import grpc

from connectors.errors import ConnectorError
from connectors.salesforce.pubsub.errors import translate
from connectors.salesforce.pubsub.messages import PACKAGE, message
from connectors.salesforce.token import Token

ENDPOINT = "api.pubsub.salesforce.com:7443"

#: Seconds for one question with one answer.
ANSWER_SECONDS = 30.0

#: An event has up to 1 MB, and an answer up to 100 events.
LARGEST_ANSWER = 128 * 1024 * 1024

_OPTIONS = (
    ("grpc.max_receive_message_length", LARGEST_ANSWER),
    ("grpc.enable_http_proxy", 0),
    # Trying again is decided in connectors/retry.py, and nowhere else.
    ("grpc.enable_retries", 0),
)


class Stream:
    """One subscription under way. ``take`` gives its answers in order, or raises what ended it."""

    def __init__(self, open_call: Any, metadata: tuple[tuple[str, str], ...]) -> None:
        self._asked: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._call = open_call(self._requests(), metadata=metadata)
        self._reader = threading.Thread(target=self._read, name="leadpact-pubsub", daemon=True)
        self._reader.start()

    def ask(self, request: Any) -> None:
        """Send a FetchRequest."""
        self._asked.put(request)

    def take(self, seconds: float) -> Any:
        """The next FetchResponse; None where none came within ``seconds``.

        Raises one of the four kinds when the stream has ended.
        """
        try:
            answer = self._answers.get(timeout=max(seconds, 0.001))
        except queue.Empty:
            return None
        if isinstance(answer, ConnectorError):
            self._answers.put(answer)  # whoever takes again is told again
            raise answer
        return answer

    def close(self) -> None:
        """Hang up. May be called twice."""
        self._asked.put(None)
        self._call.cancel()
        self._reader.join()

    def _requests(self) -> Iterator[Any]:
        yield from iter(self._asked.get, None)

    def _read(self) -> None:
        try:
            for answer in self._call:
                self._answers.put(answer)
            ended = self._call
        except grpc.RpcError as error:
            ended = error
        self._answers.put(translate(ended))


class Wire:
    """A channel to one endpoint (``HOST:PORT``). ``ca_file`` (PEM) signs it instead of the usual authorities.

    Nothing is sent before the first call. Raises OSError where ``ca_file`` cannot be read.
    """

    def __init__(self, endpoint: str = ENDPOINT, ca_file: str | None = None) -> None:
        roots: bytes | None = None
        if ca_file is not None:
            with open(ca_file, "rb") as file:
                roots = file.read()
        self._channel = grpc.secure_channel(
            endpoint, grpc.ssl_channel_credentials(root_certificates=roots), options=_OPTIONS
        )

    def ask(self, token: Token, method: str, request: str, answer: str, values: Mapping[str, str]) -> Any:
        """One question with one answer, one try. Raises the four kinds."""
        call = self._channel.unary_unary(
            f"/{PACKAGE}.PubSub/{method}",
            request_serializer=message(request).SerializeToString,
            response_deserializer=message(answer).FromString,
        )
        failure: ConnectorError
        try:
            return call(message(request)(**values), metadata=_metadata(token), timeout=ANSWER_SECONDS)
        except grpc.RpcError as error:
            failure = translate(error)
        raise failure

    def stream(self, token: Token) -> Stream:
        """A subscription on which nothing has been asked for yet."""
        call = self._channel.stream_stream(
            f"/{PACKAGE}.PubSub/Subscribe",
            request_serializer=message("FetchRequest").SerializeToString,
            response_deserializer=message("FetchResponse").FromString,
        )
        return Stream(call, _metadata(token))

    def close(self) -> None:
        """Hang up on everything."""
        self._channel.close()


def _metadata(token: Token) -> tuple[tuple[str, str], ...]:
    return (
        ("accesstoken", token.access_token),
        ("instanceurl", token.instance_url),
        ("tenantid", token.organisation_id),
    )
