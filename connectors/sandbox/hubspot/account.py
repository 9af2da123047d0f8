"""The one account this side pretends to be: its numbers, its token, its people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

TOKEN = "pat-eu1-leadpact-sandbox"
PORTAL_ID = 146_100_001
APP_ID = "19083001"
APP_HOST = "app-eu1.hubspot.com"
TIME_ZONE = ZoneInfo("Europe/Berlin")
CURRENCY = "EUR"
FIRST_RECORD_ID = 171_600_000_001  # twelve digits, as live ids have: a 32-bit reader fails at once
OPENED = 1_704_099_600_000  # 2024-01-01 09:00 UTC, when the account's standard things were made


@dataclass(frozen=True, slots=True)
class Source:
    """Who changed a value, as property history tells it (HubSpot reference, section 4.2)."""

    type: str
    id: str | None = None
    label: str | None = None
    user: int | None = None


API = Source("INTEGRATION", APP_ID, "Leadpact")
IMPORT = Source("IMPORT", "1", "Import")
CALCULATED = Source("CALCULATED")
MERGE = Source("MERGE_OBJECTS")


@dataclass(frozen=True, slots=True)
class Owner:
    """A user records can be assigned to. Assign by ``id``; ``user_id`` is another number.

    HubSpot reference, section 6.3.
    """

    id: int
    email: str
    first_name: str
    last_name: str
    user_id: int
    team: tuple[str, str] | None = None
    archived: bool = False

    def wire(self, made: str) -> dict[str, Any]:
        """The owner as the owners API writes it; an archived owner has no ``userId``."""
        body: dict[str, Any] = {
            "id": str(self.id),
            "email": self.email,
            "type": "PERSON",
            "firstName": self.first_name,
            "lastName": self.last_name,
            "userId": None if self.archived else self.user_id,
            "userIdIncludingInactive": self.user_id,
            "createdAt": made,
            "updatedAt": made,
            "archived": self.archived,
        }
        if self.team:
            body["teams"] = [{"id": self.team[0], "name": self.team[1], "primary": True}]
        return body


MARKETING, SALES = ("5200001", "Marketing"), ("5200002", "Sales")
OWNERS = (
    Owner(76_500_001, "mara.marketing@leadpact.example", "Mara", "Becker", 48_200_001, MARKETING),
    Owner(76_500_002, "sven.sales@leadpact.example", "Sven", "Krüger", 48_200_002, SALES),
    Owner(76_500_003, "selin.sales@leadpact.example", "Selin", "Yılmaz", 48_200_003, SALES),
    Owner(76_500_004, "noor.sales@leadpact.example", "Noor", "de Vries", 48_200_004, SALES),
    Owner(76_500_009, "otto.left@leadpact.example", "Otto", "Lang", 48_200_009, archived=True),
)


def person(name: str) -> Source:
    """The source of a change made by hand. ``name`` is a user id, an owner's e-mail or any name."""
    known = next((o for o in OWNERS if name in (o.email, str(o.user_id), str(o.id))), None)
    user = known.user_id if known else int(name) if name.isdecimal() else OWNERS[0].user_id
    return Source("CRM_UI", f"userId:{user}", None, user)
