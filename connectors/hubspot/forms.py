"""Forms, and what was sent through them (HubSpot reference, section 15).

Definitions come from ``/marketing/v3/forms``; submissions only from an older path, whose body is not in HubSpot's
own descriptions: it is read leniently, and an account without it has none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from connectors.hubspot.api import Api, Reply
from connectors.hubspot.pages import Paging, following
from connectors.hubspot.values import EPOCH

FORMS = "/marketing/v3/forms"
SUBMISSIONS = "/form-integrations/v1/submissions/forms"

#: Rows in a page; sizes of ours.
FORMS_PAGE, SUBMISSIONS_PAGE = 100, 50


@dataclass(frozen=True, slots=True)
class Form:
    """One form of the account."""

    id: str
    name: str
    archived: bool


@dataclass(frozen=True, slots=True)
class Submission:
    """One form that somebody sent. ``at`` is aware UTC; ``email`` empty where the form did not ask for it."""

    form_id: str
    at: datetime
    email: str = field(repr=False, default="")
    page_url: str = field(repr=False, default="")


class _Form(msgspec.Struct):
    id: str
    name: str = ""
    archived: bool = False


class _Forms(msgspec.Struct):
    results: list[_Form]
    paging: Paging | None = None


class _Value(msgspec.Struct):
    name: str = ""
    value: Any = None


class _Sent(msgspec.Struct):
    submittedAt: int
    values: list[_Value] = []
    pageUrl: str | None = None


class _Submissions(msgspec.Struct):
    results: list[_Sent]
    paging: Paging | None = None


def read_forms(api: Api) -> list[Form]:
    """Every form that is not archived."""
    found: list[Form] = []
    after: str | None = None
    while True:
        page = api.read(_decode_forms, api.get, _path(FORMS, FORMS_PAGE, after))
        found += [Form(one.id, one.name, one.archived) for one in page.results]
        after = following(page.paging, after, "list of forms")
        if after is None:
            return [form for form in found if not form.archived]


def read_submissions(api: Api, form_id: str, since: datetime | None = None) -> Iterator[Submission]:
    """What was sent through one form, newest first as HubSpot hands it out; nothing older than ``since`` (aware)."""
    after: str | None = None
    while True:
        path = _path(f"{SUBMISSIONS}/{form_id}", SUBMISSIONS_PAGE, after)
        page = api.read(_decode_submissions, api.get, path)
        sent = [_submission(form_id, one) for one in page.results]
        yield from (one for one in sent if since is None or one.at >= since)
        after = following(page.paging, after, "list of forms")
        # A page that is older as a whole: newer ones do not follow it.
        if after is None or (since is not None and sent and all(one.at < since for one in sent)):
            return


def _path(path: str, limit: int, after: str | None) -> str:
    return f"{path}?limit={limit}" + (f"&after={after}" if after is not None else "")


def _submission(form_id: str, sent: _Sent) -> Submission:
    email = next((str(v.value) for v in sent.values if v.name == "email" and v.value), "")
    at = EPOCH + timedelta(milliseconds=sent.submittedAt)
    return Submission(form_id, at, email.strip().lower(), sent.pageUrl or "")


def _decode_forms(reply: Reply) -> _Forms:
    return msgspec.json.decode(reply.data, type=_Forms)


def _decode_submissions(reply: Reply) -> _Submissions:
    return msgspec.json.decode(reply.data, type=_Submissions)
