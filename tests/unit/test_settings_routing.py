"""The tables [[handover.routes]]: what people write, what it means, and what they are told when it cannot be."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mapping.lead import DERIVED_FIELDS, LEAD_FIELDS
from mapping.qualification.columns import columns_for
from mapping.qualification.routing import Target
from sync.routing_rules import OWNER_FIELDS, RoutingRules, owner_rules, routing_of
from sync.settings import WrongConfig, load_settings

COLUMNS = columns_for({**LEAD_FIELDS, **DERIVED_FIELDS}, {})


def _routing(folder: Path, text: str) -> RoutingRules | None:
    path = folder / "leadpact.toml"
    path.write_text(text, encoding="utf-8")
    return routing_of(load_settings(path, {}), COLUMNS)


def test_routes_are_what_is_written(tmp_path: Path) -> None:
    (tmp_path / "big.csv").write_bytes(
        "Domain;Owner\r\nwww.Groß.example;Ines@x.example\r\nb.example;\r\n".encode("cp1252")
    )
    rules = _routing(
        tmp_path,
        """
[handover]
escalate_to = "Boss@x.example"
nobody = ["Api@x.example"]
absent = { "Ada@x.example" = "2026-11-20..2026-11-22" }
same_owner = { "A@hub.example" = "Ada@x.example" }

[[handover.routes]]
name = "named"
accounts = "a.example"
accounts_file = "big.csv"
to = "ada@x.example"

[[handover.routes]]
name = "south"
countries = ["de", "AT"]
postal_codes = "80-86, 90"
when = "employees > 50"
to = ["Ada@x.example", { owner = "ben@x.example", weight = 2, capacity = 20 }]

[[handover.routes]]
name = "rest"
to = "queue: New Leads"
""",
    )
    assert rules is not None
    named, south, rest = rules.routes
    assert named.accounts == {"a.example": None, "groß.example": "ines@x.example", "b.example": None}
    assert south.targets == (Target("ada@x.example"), Target("ben@x.example", 2, 20))
    assert (sorted(south.countries), south.postal_codes) == (["AT", "DE"], (("80", "86"), ("90", "90")))
    assert south.when is not None
    assert rest.targets == (Target("new leads", queue=True),)
    assert (rules.escalate_to, *rules.nobody) == ("boss@x.example", "api@x.example")
    assert rules.same == {"a@hub.example": "ada@x.example"}
    assert [owner for _, owner, _ in rules.named_on(named)] == ["ada@x.example", "ines@x.example"]
    # 23:30 in London is the next day in Berlin.
    last = datetime(2026, 11, 22, 22, 30, tzinfo=UTC)
    assert rules.away(last) == ["ada@x.example"]
    assert rules.away(last.replace(hour=23)) == []


def test_without_routes_no_owner_is_read(tmp_path: Path) -> None:
    assert _routing(tmp_path, "[handover]\n") is None
    settings = load_settings(tmp_path / "leadpact.toml", {})
    assert owner_rules(settings) == []
    assert _routing(tmp_path, '[handover]\nescalate_to = "boss@x.example"\n') is not None
    rules = owner_rules(load_settings(tmp_path / "leadpact.toml", {}))
    assert [rule.lead for rule in rules] == [name for name, _ in OWNER_FIELDS.values()]
    # What writes owners is the routing alone.
    assert {rule.direction for rule in rules} == {"read_only"}


@pytest.mark.parametrize(
    ("line", "where", "says"),
    [
        ('when = "employes > 5"', 3, "did you mean employees?"),
        ('whenn = "employees > 5"', 3, "did you mean when?"),
        ('postal_codes = "80-6"', 3, "must be the beginnings of postal codes"),
        ('accounts_file = "nowhere.csv"', 3, "cannot be read"),
        ("countries = 49", 3, "must be a text"),
        ('name = "r"', 2, "to is missing"),
        ("to = []", 3, "must name at least one owner"),
        ('to = ["a@x.example", "A@x.example"]', 3, "each of them once"),
        ('to = [{ owner = "a@x.example", weight = 0 }]', 3, "must be at least 1"),
        ('to = [{ owner = "a@x.example", capacity = -1 }]', 3, "must be at least 0"),
    ],
)
def test_what_cannot_be_is_named_with_its_line(tmp_path: Path, line: str, where: int, says: str) -> None:
    name = [] if line.startswith("name") else ['name = "r"']
    to = [] if line.startswith(("to", "name")) else ['to = "a@x.example"']
    text = "\n".join(["[handover]", "[[handover.routes]]", line, *name, *to])
    with pytest.raises(WrongConfig) as wrong:
        _routing(tmp_path, text)
    (problem,) = wrong.value.problems
    assert says in f"{problem['problem']} {problem['fix']}"
    assert problem["where"] == f"leadpact.toml:{where}"


@pytest.mark.parametrize(
    ("rule", "refused"),
    [
        ('[fields.seller]\ntype = "text"\nsalesforce = "OwnerId"\n', True),
        ('[fields.seller]\ntype = "text"\nsalesforce = "OwnerId"\ndirection = "read_only"\n', False),
        ('[fields.owner_in_hubspot]\ntype = "text"\nhubspot = "owner"\ndirection = "read_only"\n', True),
    ],
)
def test_nothing_else_writes_owners_where_routes_do(tmp_path: Path, rule: str, refused: bool) -> None:
    text = f'[handover]\n[[handover.routes]]\nname = "r"\nto = "a@x.example"\n{rule}'
    if not refused:
        assert _routing(tmp_path, text) is not None
        return
    with pytest.raises(WrongConfig, match=r"write (OwnerId|hubspot_owner_id)") as wrong:
        _routing(tmp_path, text)
    assert wrong.value.problems[0]["where"] == "leadpact.toml:5"


def test_two_routes_of_one_name_are_refused(tmp_path: Path) -> None:
    route = '[[handover.routes]]\nname = "r"\nto = "a@x.example"\n'
    with pytest.raises(WrongConfig, match="there twice"):
        _routing(tmp_path, f"[handover]\n{route}{route}")
