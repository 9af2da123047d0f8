"""Who works records: users and queues (Salesforce reference, section 3: a lead's owner may be either)."""

from __future__ import annotations

from dataclasses import dataclass, field

from connectors.errors import NeedsPerson
from connectors.salesforce.calls import Calls
from connectors.salesforce.listing import Listing, Row, is_hidden
from connectors.salesforce.schema import Schemas


@dataclass(frozen=True, slots=True)
class Owner:
    """Whom records can be assigned to, by ``id``: a person, or with ``queue`` a queue, whose name is its last.

    An ``archived`` owner is a user who is no longer active: records may still name them, and assigning one to
    them is refused. ``teams``: names of the queues that a person works. The same words as HubSpot's owners.
    """

    id: str
    email: str = field(repr=False)
    first_name: str = field(repr=False)
    last_name: str = field(repr=False)
    user_id: str | None  #: None for a queue
    archived: bool
    teams: tuple[str, ...] = ()
    queue: bool = False


class _User(Row):
    Email: str | None = None
    FirstName: str | None = None
    LastName: str | None = None
    IsActive: bool = True


class _Group(Row):
    Name: str | None = None
    Email: str | None = None


class _Member(Row):
    GroupId: str
    UserOrGroupId: str


class _Served(Row):
    QueueId: str


def read_owners(calls: Calls, schemas: Schemas, object_name: str = "Lead") -> list[Owner]:
    """Every user, active ones first, then the queues that may own records of an object; each group by id.

    Queues that we may not see are left out, and so are teams; raises NeedsPerson where users are not visible.
    Which people work a queue is told as far as its direct members go; a role or a group in it is not taken apart.
    """
    queues: dict[str, _Group] = {}
    teams: dict[str, list[str]] = {}
    try:
        queues = _queues(calls, schemas, object_name)
        for member in _members(calls, schemas, list(queues)):
            teams.setdefault(member.UserOrGroupId, []).append(queues[member.GroupId].Name or "")
    except NeedsPerson as error:
        if not is_hidden(error):
            raise
    users = Listing(calls, schemas, "User", _User, ("IsActive",)).every()
    people = [_person(user, sorted(teams.get(user.Id, ()))) for page in users for user in page]
    people.sort(key=lambda owner: owner.archived)
    return [*people, *(_queue(each) for each in queues.values())]


def _queues(calls: Calls, schemas: Schemas, object_name: str) -> dict[str, _Group]:
    served = Listing(calls, schemas, "QueueSobject", _Served, ("QueueId", "SobjectType"))
    # A name that describe has shown: it needs no escape.
    name = schemas.of(object_name).schema.object
    ids = [each.QueueId for page in served.every(f"SobjectType = '{name}'") for each in page]
    groups = Listing(calls, schemas, "Group", _Group)
    found = [each for page in groups.of("Id", ids) for each in page]
    return {each.Id: each for each in sorted(found, key=lambda each: each.Id)}


def _members(calls: Calls, schemas: Schemas, queues: list[str]) -> list[_Member]:
    if not queues:
        return []
    listing = Listing(calls, schemas, "GroupMember", _Member, ("GroupId", "UserOrGroupId"))
    return [each for page in listing.of("GroupId", queues) for each in page]


def _person(user: _User, teams: list[str]) -> Owner:
    return Owner(
        id=user.Id,
        email=(user.Email or "").lower(),
        first_name=user.FirstName or "",
        last_name=user.LastName or "",
        user_id=user.Id,
        archived=not user.IsActive,
        teams=tuple(team for team in teams if team),
    )


def _queue(group: _Group) -> Owner:
    return Owner(
        group.Id, (group.Email or "").lower(), "", group.Name or "", None, archived=False, queue=True
    )
