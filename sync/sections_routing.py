"""The tables ``[[handover.routes]]`` of the config: which leads go where, in the words that people write."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from mapping.qualification.routing import Target, prefixes_of
from sync.section import Filled, Section, refuse

#: Before the name of a queue, where an e-mail address would name a person.
QUEUE = "queue:"


class TargetSettings(Section):
    """Somebody who gets leads of a route."""

    owner: Filled
    weight: Annotated[int, Field(ge=1, le=1000)] = 1
    #: Open handovers at most.
    capacity: Annotated[int, Field(ge=0, le=100_000)] | None = None


def _each(value: Any) -> Any:
    """One owner or several, each an address alone or a table."""
    several = value if isinstance(value, list) else [value]
    return [{"owner": one} if isinstance(one, str) else one for one in several]


def _somebody(targets: list[TargetSettings]) -> list[TargetSettings]:
    names = [one.owner.strip().lower() for one in targets]
    if not names or len(set(names)) < len(names):
        raise refuse("must name at least one owner, and each of them once")
    return targets


def _joined(value: Any) -> Any:
    return (
        ", ".join(value) if isinstance(value, list) and all(isinstance(one, str) for one in value) else value
    )


def _postal_codes(text: str) -> str:
    try:
        prefixes_of(text)
    except ValueError:
        readable = False
    else:
        readable = True
    if not readable:
        raise refuse(
            'must be the beginnings of postal codes such as "80-86, 90", of one length in each range'
        )
    return text


Several = Annotated[str, BeforeValidator(_joined)]


class RouteSettings(Section):
    """One route. What is not written asks nothing of a lead."""

    name: Filled
    to: Annotated[list[TargetSettings], BeforeValidator(_each), AfterValidator(_somebody)]
    when: Filled | None = None
    countries: Several = ""
    postal_codes: Annotated[Several, AfterValidator(_postal_codes)] = ""
    #: Domains of named accounts, and a CSV of them with the columns domain and, if wanted, owner.
    accounts: Several = ""
    accounts_file: Filled | None = None


def target_of(settings: TargetSettings) -> Target:
    """The owner as the rest of the program names one: in lower case, a queue by its name."""
    said = settings.owner.strip().lower()
    queue = said.startswith(QUEUE)
    return Target(said.removeprefix(QUEUE).strip(), settings.weight, settings.capacity, queue)
