"""Whatever is sent: a status that is meant, nothing stored that was not believed, and no failure of our own."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.hubspot.signature import HEADER, TIME_HEADER

if TYPE_CHECKING:
    from schemathesis.generation import GenerationMode


EXAMPLES = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
#: What any request may be answered.
MEANT = {200, 400, 401, 404, 405, 408, 413, 503}

IDS = st.one_of(st.integers(-5, 2**70), st.text(max_size=5), st.none(), st.floats(allow_nan=False))
WORDS = st.one_of(
    st.sampled_from(
        ["contact.creation", "contact.merge", "contact.associationChange", "object.deletion", "", "."]
    ),
    st.text(max_size=12),
)
MEMBERS = (
    *("portalId", "occurredAt", "subscriptionType", "objectId", "objectTypeId", "propertyName"),
    *("propertyValue", "mergedObjectIds", "primaryObjectId", "fromObjectId", "toObjectId", "isSensitive"),
)
HEADERS = (
    *("X-HubSpot-Signature", "X-HubSpot-Signature-Version", "Content-Type", "Content-Encoding", "Cookie"),
    *("Accept", "Authorization", "X-Forwarded-For"),
)
EVENTS = st.lists(
    st.dictionaries(
        st.sampled_from(MEMBERS),
        st.one_of(IDS, WORDS, st.just(7), st.lists(IDS, max_size=3), st.booleans()),
    ),
    max_size=4,
)
BODIES = st.one_of(
    st.binary(max_size=200),
    EVENTS.map(lambda events: json.dumps(events).encode()),
    st.recursive(st.none() | IDS, lambda inner: st.lists(inner, max_size=3), max_leaves=8).map(
        lambda value: json.dumps(value).encode()
    ),
)
HEADER_VALUES = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=40
)


@EXAMPLES
@given(body=BODIES, late=st.integers(-600, 600))
def test_a_signed_body_of_any_kind_is_stored_or_refused(
    served: Any, made: Any, body: bytes, late: int
) -> None:
    served.way.kept.clear()
    answer = served.hubspot(body, at=made.now + timedelta(seconds=late))
    assert answer.status in {200, 400, 401}
    if abs(late) > 300:
        assert answer.status == 401
    if answer.status != 200:
        assert served.way.kept == []


@EXAMPLES
@given(
    body=st.binary(max_size=50),
    signature=HEADER_VALUES,
    stamp=HEADER_VALUES,
    extra=st.dictionaries(
        st.sampled_from(HEADERS),
        HEADER_VALUES,
        max_size=4,
    ),
)
def test_nobody_guesses_a_signature(
    served: Any, body: bytes, signature: str, stamp: str, extra: dict[str, str]
) -> None:
    headers = {HEADER: signature, TIME_HEADER: stamp, **extra}
    sent = {name: value.strip().encode("latin-1").decode("latin-1") for name, value in headers.items()}
    answer = served.ask("POST", "/webhooks/hubspot", body, sent)
    assert answer.status in {400, 401}
    assert served.way.kept == []


#: Pieces of a message, to be put together wrongly.
PIECES = (
    *(
        "<soapenv:Envelope xmlns:soapenv='http://schemas.xmlsoap.org/soap/envelope/'>",
        "<soapenv:Body>",
        "</x>",
    ),
    *("<notifications xmlns='http://soap.sforce.com/2005/09/outbound'>", "<Notification>", "</Notification>"),
    *(
        "</notifications>",
        "</soapenv:Body>",
        "</soapenv:Envelope>",
        "<Id>",
        "</Id>",
        "<sObject>",
        "</sObject>",
    ),
    *(
        "<OrganizationId>00D000000000001EAA</OrganizationId>",
        "00Q000000000001",
        "&amp;",
        "&#x0;",
        "]]>",
        "<!--",
    ),
    *("<?xml version='1.0' encoding='utf-16'?>", "<!DOCTYPE x>", "\u20ac"),
)


@EXAMPLES
@given(
    body=st.one_of(
        st.binary(max_size=300),
        st.lists(st.sampled_from(PIECES), max_size=14).map(lambda found: "".join(found).encode()),
    ),
    at=st.integers(0, 600),
    put=st.binary(max_size=4),
)
def test_a_message_of_any_kind_is_stored_or_refused(
    served: Any, made: Any, body: bytes, at: int, put: bytes
) -> None:
    served.way.kept.clear()
    assert served.salesforce(body).status in {400, 401}
    whole = made.message(made.organisation, "00Q000000000001")
    torn = whole[: at % len(whole)] + put + whole[at % len(whole) + len(put) :]
    answer = served.salesforce(torn)
    assert answer.status in {200, 400, 401}
    if answer.status != 200:
        assert served.way.kept == []


@EXAMPLES
@given(path=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#?"), max_size=40))
def test_nobody_guesses_the_secret_path(served: Any, made: Any, path: str) -> None:
    whole = made.message(made.organisation, "00Q000000000001")
    assert served.salesforce(whole, path).status in {400, 401, 404}
    assert served.way.kept == []


def test_the_description_is_kept_to_whatever_it_allows_and_forbids(served: Any, made: Any) -> None:
    """Schemathesis: every operation of /openapi.json, with what it allows and with what it does not."""
    # Imported here, because every worker collects this file and one of them runs it.
    import schemathesis
    from schemathesis.core.result import Ok
    from schemathesis.generation import GenerationMode

    url = f"http://127.0.0.1:{served.port}"
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    checked: set[str] = set()

    class Signed(requests.auth.AuthBase):
        """Signs whatever is about to be sent."""

        def __call__(self, request: Any) -> Any:
            body = request.body or b""
            body = body.encode() if isinstance(body, str) else body
            if isinstance(body, bytes):
                request.headers.update(made.signed(body, made.now, made.secret, request.path_url))
            return request

    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        # A text that is anything cannot be wrong; JSON can.
        takes_json = [one for one in operation.body if one.media_type == "application/json"]
        for mode in (GenerationMode.POSITIVE, *([GenerationMode.NEGATIVE] if takes_json else [])):
            _obeyed(operation, mode, url, Signed())
        checked.add(operation.path)
    assert checked == set(schema.raw_schema["paths"])


def _obeyed(operation: Any, mode: GenerationMode, url: str, auth: Any) -> None:
    documented = {int(status) for status in operation.definition.raw["responses"]} | {404, 405}

    @settings(EXAMPLES, max_examples=10)
    @given(case=operation.as_strategy(generation_mode=mode))
    def obey(case: Any) -> None:
        status = case.call(base_url=url, auth=auth, timeout=60).status_code
        assert status in documented & MEANT

    obey()
