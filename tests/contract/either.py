"""What a test says to either pretend CRM in its own words."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.sandbox.serving import Serving


@dataclass(frozen=True)
class Crm:
    """One CRM: the object of its people, a person of it, and where its objects are described."""

    name: str
    people: str
    email: str
    row: dict[str, str]
    described: str

    def url(self, serving: Serving) -> str:
        return serving.hubspot_url if self.name == "hubspot" else serving.salesforce_url

    def rows(self, count: int) -> list[dict[str, str]]:
        """So many people, each with an address of their own."""
        return [{**self.row, self.email: f"ada{number}@example.com"} for number in range(count)]


CRMS = [
    Crm(
        **{"name": "hubspot", "people": "contacts", "email": "email"},
        row={"firstname": "Ada", "lastname": "Byron"},
        described="/crm/v3/properties/contacts",
    ),
    Crm(
        **{"name": "salesforce", "people": "Lead", "email": "Email"},
        row={"FirstName": "Ada", "LastName": "Byron", "Company": "Analytical"},
        described="/services/data/v67.0/sobjects/Lead/describe",
    ),
]
