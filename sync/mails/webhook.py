"""Post one alert to the address of ``notify.alert_webhook``: a chat's incoming webhook, or a program of one's own.

The address is a secret. Nothing but JSON goes there, and it is never followed elsewhere: who answers with a redirect
has not taken it.
"""

from __future__ import annotations

import http.client
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from sync.mails.sender import BeforeContent, MailAway, MailRefused, MailUnsure, NotSent, nothing

#: Seconds for a connection, and for each part of the answer.
PATIENCE = 10.0
_AWAY_FIX = "nothing, if it comes back; else check LEADPACT_NOTIFY__ALERT_WEBHOOK"


class _StaysHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """No redirect is followed: it might lead to anybody."""


def post(url: str, document: Mapping[str, Any], *, before_content: BeforeContent = nothing) -> None:
    """Post a JSON document and return once it was taken (any 2xx).

    ``before_content`` is called when everything is ready and the document goes out next. Raises MailAway (nobody is
    there, or it says 408, 429 or 5xx), MailRefused (any other answer) and MailUnsure (it broke off without an
    answer). No error repeats the address.
    """
    # https, or http on this machine: the settings refuse others.
    request = urllib.request.Request(
        url,
        data=json.dumps(dict(document), ensure_ascii=False).encode(),
        headers={"Content-Type": "application/json; charset=utf-8", "User-Agent": "leadpact"},
        method="POST",
    )
    context = urllib.request.HTTPSHandler(context=ssl.create_default_context())
    # As with the CRMs, no proxy of the environment hears of it.
    opener = urllib.request.build_opener(context, _StaysHere(), urllib.request.ProxyHandler({}))
    before_content()
    try:
        with opener.open(request, timeout=PATIENCE) as answer:
            answer.read(1)
        return
    except urllib.error.HTTPError as error:
        error.close()
        failed: NotSent = _by_status(error.code)
    except urllib.error.URLError as error:
        # Raised only while the request is made: the name, the connection, the encryption.
        failed = MailAway(f"the webhook cannot be reached ({type(error.reason).__name__})", fix=_AWAY_FIX)
    except (OSError, http.client.HTTPException) as error:
        failed = MailUnsure(
            f"the webhook broke off before its answer ({type(error).__name__}): it may have been taken",
            fix="look whether it arrived; it is not sent twice",
        )
    raise failed


def _by_status(status: int) -> NotSent:
    if status in (408, 429) or status >= 500:
        return MailAway(f"the webhook takes nothing now ({status})", fix=_AWAY_FIX)
    return MailRefused(f"the webhook does not take it ({status})", fix="check LEADPACT_NOTIFY__ALERT_WEBHOOK")
