"""Which handler answers a path: the undated family and the dated ones are one table.

HubSpot reference, section 3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from connectors.sandbox.hubspot import (
    account_calls,
    association_calls,
    batch,
    consent_calls,
    export_calls,
    form_calls,
    list_calls,
    oauth,
    property_calls,
    removal_calls,
    rules,
    search,
    single,
)
from connectors.sandbox.hubspot.call import Call, Version
from connectors.sandbox.hubspot.errors import Refused, missing_scopes, no_resource, unknown_type
from connectors.sandbox.hubspot.kinds import find_kind
from connectors.sandbox.hubspot.portal import Portal
from connectors.sandbox.hubspot.switches import Switches
from connectors.sandbox.hubspot.unseen import refuse_unseen
from connectors.sandbox.hubspot.webhooks import app_calls, journal_calls
from connectors.sandbox.side import Answer, Ask

Handler = Callable[[Portal, Call], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """One line of the table. ``scope`` is ``family.access``; the object type is put between them."""

    method: str
    family: str
    pattern: str  #: pieces of the path; ``{}`` is variable
    handler: Handler
    scope: str = ""
    writes: bool = False


ROUTES = (
    Route("GET", "objects", "{}", single.list_all, "objects.read"),
    Route("POST", "objects", "{}", single.create_one, "objects.write", True),
    Route("POST", "objects", "{}/search", search.search, "objects.read"),
    Route("POST", "objects", "{}/merge", removal_calls.merge_two, "objects.write", True),
    Route("POST", "objects", "{}/gdpr-delete", removal_calls.erase_one, "objects.write", True),
    Route("POST", "objects", "{}/batch/read", batch.read, "objects.read"),
    Route("POST", "objects", "{}/batch/create", batch.create_many, "objects.write", True),
    Route("POST", "objects", "{}/batch/update", batch.update_many, "objects.write", True),
    Route("POST", "objects", "{}/batch/upsert", batch.upsert_many, "objects.write", True),
    Route("POST", "objects", "{}/batch/archive", batch.archive_many, "objects.write", True),
    Route("GET", "objects", "{}/{}", single.get_one, "objects.read"),
    Route("PATCH", "objects", "{}/{}", single.update_one, "objects.write", True),
    Route("DELETE", "objects", "{}/{}", single.archive_one, "objects.write", True),
    Route("GET", "properties", "{}", property_calls.list_all, "schemas.read"),
    Route("POST", "properties", "{}", property_calls.create_one, "schemas.write", True),
    Route("GET", "properties", "{}/groups", property_calls.list_groups, "schemas.read"),
    Route("POST", "properties", "{}/groups", property_calls.create_group, "schemas.write", True),
    Route("GET", "properties", "{}/groups/{}", property_calls.get_group, "schemas.read"),
    Route("POST", "properties", "{}/batch/read", property_calls.read_many, "schemas.read"),
    Route("POST", "properties", "{}/batch/create", property_calls.create_many, "schemas.write", True),
    Route("GET", "properties", "{}/{}", property_calls.get_one, "schemas.read"),
    Route("PATCH", "properties", "{}/{}", property_calls.update_one, "schemas.write", True),
    Route("DELETE", "properties", "{}/{}", property_calls.archive_one, "schemas.write", True),
    Route("GET", "linked", "{}/{}/associations/{}", association_calls.list_linked, "objects.read"),
    Route(
        "PUT",
        "linked",
        "{}/{}/associations/default/{}/{}",
        association_calls.put_default,
        "objects.write",
        True,
    ),
    Route(
        "PUT",
        "linked",
        "{}/{}/associations/{}/{}",
        association_calls.put_labelled,
        "objects.write",
        True,
    ),
    Route(
        "DELETE",
        "linked",
        "{}/{}/associations/{}/{}",
        association_calls.delete_linked,
        "objects.write",
        True,
    ),
    Route("GET", "associations", "{}/{}/labels", association_calls.labels, "objects.read"),
    Route("POST", "associations", "{}/{}/batch/read", association_calls.read_many, "objects.read"),
    Route("POST", "associations", "{}/{}/batch/create", association_calls.create_many, "objects.write", True),
    Route(
        "POST",
        "associations",
        "{}/{}/batch/associate/default",
        association_calls.default_many,
        "objects.write",
        True,
    ),
    Route(
        "POST", "associations", "{}/{}/batch/archive", association_calls.archive_many, "objects.write", True
    ),
    Route(
        "POST",
        "associations",
        "{}/{}/batch/labels/archive",
        association_calls.archive_labels,
        "objects.write",
        True,
    ),
    Route("GET", "owners", "", account_calls.list_owners, "owners"),
    Route("GET", "owners", "{}", account_calls.get_owner, "owners"),
    Route("GET", "pipelines", "{}", account_calls.list_pipelines, "objects.read"),
    Route("GET", "pipelines", "{}/{}", account_calls.get_pipeline, "objects.read"),
    Route("GET", "pipelines", "{}/{}/stages", account_calls.list_stages, "objects.read"),
    Route("GET", "account-info", "details", account_calls.details),
    Route("GET", "account-info", "api-usage/daily/private-apps", account_calls.usage),
    Route("POST", "oauth-v1", "token", oauth.token),
    Route("GET", "oauth-v1", "access-tokens/{}", oauth.about_access),
    Route("GET", "oauth-v1", "refresh-tokens/{}", oauth.about_refresh),
    Route("DELETE", "oauth-v1", "refresh-tokens/{}", oauth.delete_refresh),
    Route("POST", "oauth", "token", oauth.token),
    Route("POST", "oauth", "token/introspect", oauth.introspect),
    Route("POST", "oauth", "token/revoke", oauth.revoke),
    *(
        Route(m, "lists", pattern, h, "lists.write" if w else "lists.read", w)
        for m, pattern, h, w in list_calls.CALLS
    ),
    *(Route(m, "exports", pattern, h, "export", w) for m, pattern, h, w in export_calls.CALLS),
    *(Route("GET", "forms", pattern, h, "forms") for pattern, h in form_calls.CALLS),
    Route("GET", "export-files", "{}", export_calls.download),
    *(
        Route(m, "property-validations", pattern, h, "schemas.write" if w else "schemas.read", w)
        for m, pattern, h, w in rules.CALLS
    ),
    *(Route(m, "app", pattern, h) for m, pattern, h in app_calls.CALLS),
    *(Route(m, family, pattern, h, f"journal.{s}") for family, m, pattern, h, s in journal_calls.CALLS),
    Route("GET", "journal-files", "{}", journal_calls.download),
    *(Route(m, "consent-v3", pattern, h, "consent", w) for m, pattern, h, w in consent_calls.CALLS_V3),
    *(Route(m, "consent", pattern, h, "consent", w) for m, pattern, h, w in consent_calls.CALLS),
)
_BY_FAMILY = {
    family: [each for each in ROUTES if each.family == family] for family in {r.family for r in ROUTES}
}
_UNDATED = re.compile(
    r"/crm/v3/(objects|properties|property-validations|owners|pipelines|lists|exports)(?:/(.*))?"
)
# Associations are v4 where the rest is v3; the dated versions put them under the objects.
_LINKED = re.compile(r"/crm/(?:v4/objects|objects/(2026-0[39]))/([^/]+/[^/]+/associations/.+)")
_ASSOCIATIONS = re.compile(r"/crm/(?:v4/associations|associations/(2026-0[39]))/(.+)")
_CONSENT = re.compile(r"/communication-preferences/(v3|v4|2026-0[39])/(.+)")
_DATED = re.compile(
    r"/crm/(objects|properties|property-validations|owners|pipelines|lists|exports)/(2026-0[39])(?:/(.*))?"
)
_APP = re.compile(r"/(?:webhooks/(v3|2026-03)|app-webhooks/(2026-09))/(.+)")
# Two families of one thing, each with one version (HubSpot reference, section 15).
_FORMS = re.compile(r"/(?:marketing/v3/forms|form-integrations/v1/submissions/forms)(?:/.*)?")
# Families whose version stands behind their name, the undated ones too.
_NAMED = re.compile(r"/(account-info|oauth)/(v1|v3|2026-0[39])/(.*)")


#: Scopes that name no object type.
_ALONE = {
    "owners": "crm.objects.owners.read",
    "lists.read": "crm.lists.read",
    "lists.write": "crm.lists.write",
    "export": "crm.export",
    "forms": "forms",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A route and the call it is to answer."""

    route: Route
    call: Call

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes the call needs (HubSpot reference, section 11).

        Unknown object types need none: they are refused later, by name.
        """
        family, _, access = self.route.scope.partition(".")
        if self.route.scope in _ALONE:
            return (_ALONE[self.route.scope],)
        kind = find_kind(self.call.parts[0]) if self.call.parts else None
        return (f"crm.{family}.{kind.scoped_as}.{access}",) if family and kind else ()


def lacking(found: Found, granted: Collection[str]) -> list[str]:
    """The scopes that a call needs and a token has not; of those about consent one is enough.

    Batches of consent have scopes of their own (HubSpot reference, section 14).
    """
    if found.route.scope != "consent":
        return [scope for scope in found.scopes if scope not in granted]
    access = "write" if found.route.writes else "read"
    if found.route.pattern.startswith("statuses/batch/"):
        enough = [f"communication_preferences.statuses.batch.{access}"]
    else:
        enough = ["communication_preferences.read_write", f"communication_preferences.{access}"]
    return [] if any(scope in granted for scope in enough) else enough


#: The families whose paths begin with an object type.
_ABOUT_OBJECTS = frozenset({"objects", "properties", "linked", "associations", "pipelines"})


def refuse_lacking_object(found: Found, switches: Switches) -> None:
    """Raises Refused for a call about an object that the account's edition lacks (see ``Switches``)."""
    if not switches.objects_off or found.route.family not in _ABOUT_OBJECTS:
        return
    for name in found.call.parts:
        kind = find_kind(name)
        if kind is None or kind.plural not in switches.objects_off:
            continue
        if switches.objects_off_status == "403":
            raise missing_scopes(found.scopes or [f"crm.objects.{kind.scoped_as}.read"])
        raise unknown_type(name) if switches.objects_off_status == "400" else no_resource()


def family_of(path: str) -> tuple[str, Version, str]:
    """The family, version and rest of a path. Raises Refused (404)."""
    path = path.rstrip("/")
    for family, paths in (("linked", _LINKED), ("associations", _ASSOCIATIONS)):
        if found := paths.fullmatch(path):
            return family, _version(found[1] or ""), found[2]
    if found := _CONSENT.fullmatch(path):
        return "consent-v3" if found[1] == "v3" else "consent", _version(found[1]), found[2]
    if found := _APP.fullmatch(path):
        return "app", _version(found[1] or found[2]), found[3]
    if of_journal := journal_calls.journal_family(path):
        return of_journal[0], "2026-03", of_journal[1]
    if found := _FORMS.fullmatch(path):
        return "forms", "undated", path.removeprefix("/")
    if path.startswith("/export-files/"):
        return "export-files", "undated", path.removeprefix("/export-files/")
    if found := _UNDATED.fullmatch(path):
        return found[1], "undated", found[2] or ""
    if found := _DATED.fullmatch(path):
        return found[1], _version(found[2]), found[3] or ""
    if found := _NAMED.fullmatch(path):
        family = "oauth-v1" if found[1] == "oauth" and found[2] == "v1" else found[1]
        if found[2] != "v1" or family == "oauth-v1":
            return family, _version(found[2]), found[3]
    raise no_resource()


def _version(text: str) -> Version:
    return "2026-09" if text == "2026-09" else "2026-03" if text == "2026-03" else "undated"


def route(ask: Ask) -> Found:
    """The route of a request.

    Raises Refused: 403 for an object of which our app may see nothing, 404 for no such path, 405 for no such
    method there.
    """
    refuse_unseen(ask.method, ask.path)
    family, version, rest = family_of(ask.path)
    pieces = rest.split("/") if rest else []
    elsewhere = False
    for candidate in _BY_FAMILY.get(family, ()):
        parts = _matched(candidate.pattern, pieces)
        if parts is None:
            continue
        if candidate.method == ask.method:
            return Found(candidate, Call(ask, version, parts))
        elsewhere = True
    raise Refused(405, "Method Not Allowed") if elsewhere else no_resource()


def _matched(pattern: str, pieces: list[str]) -> tuple[str, ...] | None:
    wanted = pattern.split("/") if pattern else []
    if len(wanted) != len(pieces) or any(w not in ("{}", p) for w, p in zip(wanted, pieces, strict=True)):
        return None
    return tuple(p for w, p in zip(wanted, pieces, strict=True) if w == "{}")
