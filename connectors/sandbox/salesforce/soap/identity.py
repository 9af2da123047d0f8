"""Who is logged in: ``login``, ``logout``, ``getUserInfo``.

Only the integration user has a password here. With it go an optional security token behind the password and
the org's switch for SOAP logins (``connected_app``).
"""

from __future__ import annotations

import hmac

from connectors.sandbox.salesforce import connected_app, oauth, seed
from connectors.sandbox.salesforce.org import Org
from connectors.sandbox.salesforce.soap.envelope import SoapCall, leaf, parts_of, tag, text_of
from connectors.sandbox.salesforce.soap.faults import Fault

_WRONG = "Invalid username, password, security token; or user locked out."
_OFF = (
    "SOAP API login() is disabled by default in this org. "
    "Contact the org administrator to enable SOAP API login()."
)


def login(org: Org, call: SoapCall) -> str:
    """The result of ``login``: a session and where to use it. Raises Fault and LoginRateExceeded."""
    if not connected_app.settings(org)["soap_login"]:
        raise Fault("INVALID_OPERATION", _OFF)
    given = {name: text_of(part) or "" for name, part in parts_of(call, call.body, ("username", "password"))}
    user = connected_app.integration_user(org)
    passwords = (seed.PASSWORD, seed.PASSWORD + seed.SECURITY_TOKEN)
    password = given.get("password", "").encode()
    right = any(hmac.compare_digest(password, each.encode()) for each in passwords)
    if given.get("username", "").lower() != str(user.get("Username")).lower() or not right:
        raise Fault("INVALID_LOGIN", _WRONG, "LoginFault")
    if not user.get("IsActive"):
        raise Fault("INVALID_LOGIN", _WRONG, "LoginFault")
    base = f"{seed.INSTANCE_URL}/services/Soap"
    return tag(
        "result",
        leaf("metadataServerUrl", f"{base}/m/{call.version}/{seed.ORG_ID}"),
        leaf("passwordExpired", False),
        leaf("sandbox", False),
        leaf("serverUrl", f"{base}/{call.dialect.letter}/{call.version}/{seed.ORG_ID}"),
        leaf("sessionId", oauth.open_session(org)),
        leaf("userId", seed.INTEGRATION_USER),
        _about(org, "userInfo"),
    )


def logout(org: Org, call: SoapCall) -> str:
    """End the session of the call."""
    oauth.end_session(org, call.header("SessionHeader", "sessionId") or "")
    return ""


def user_info(org: Org, _call: SoapCall) -> str:
    """The result of ``getUserInfo``."""
    return _about(org, "result")


def _about(org: Org, name: str) -> str:
    user = connected_app.integration_user(org)
    company = org.store.row(org.full.objects["Organization"], seed.ORG_ID) or {}
    known = {
        "accessibilityMode": False,
        "currencySymbol": "$",
        "orgAttachmentFileSizeLimit": 26_214_400,
        "orgDefaultCurrencyIsoCode": "USD",
        "orgDisallowHtmlAttachments": False,
        "orgHasPersonAccounts": False,
        "organizationId": seed.ORG_ID,
        "organizationMultiCurrency": False,
        "organizationName": company.get("Name"),
        "profileId": user.get("ProfileId"),
        "roleId": None,
        "sessionSecondsValid": org.switches["token_lifetime_s"],
        "userDefaultCurrencyIsoCode": None,
        "userEmail": user.get("Email"),
        "userFullName": user.get("Name"),
        "userId": seed.INTEGRATION_USER,
        "userLanguage": user.get("LanguageLocaleKey"),
        "userLocale": user.get("LocaleSidKey"),
        "userName": user.get("Username"),
        "userTimeZone": user.get("TimeZoneSidKey"),
        "userType": "Standard",
        "userUiSkin": "Theme3",
    }
    return tag(name, *(leaf(each, value) for each, value in known.items()))
