"""How often each rule and gate holds: what ``check`` reads back to the people who wrote them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import polars as pl

from mapping.qualification.declared import Policy
from mapping.qualification.wording import Language

_SENTENCE = {
    "en": "“{name}” ({when}): matches {matched} of {leads}; unknown for {unknown}",
    "de": "„{name}“ ({when}): trifft auf {matched} von {leads} zu; unbekannt bei {unknown}",
}


@dataclass(frozen=True, slots=True)
class Hits:
    """One rule or gate over many leads. ``matched`` counts true answers, points that have faded to 0 left out."""

    kind: Literal["fit", "engagement", "gate"]
    name: str
    when: str
    matched: int
    unknown: int
    leads: int

    def sentence(self, lang: Language = "en") -> str:
        """``matches 412 of 9,800; unknown for 3,100``, with the thousands as the language writes them."""
        mark = "," if lang == "en" else "."
        counts = {
            key: f"{getattr(self, key):,}".replace(",", mark) for key in ("matched", "leads", "unknown")
        }
        return _SENTENCE[lang].format(name=self.name, when=" ".join(self.when.split()), **counts)


def hits(verdicts: pl.DataFrame, policy: Policy) -> list[Hits]:
    """Count the answers in verdicts that ``judge`` gave, rules first, each in the policy's order."""
    if not policy.rules and not policy.gates:
        return []
    counted = verdicts.select(
        *((pl.col(f"_p{place}") != 0).sum() for place in range(len(policy.rules))),
        *(pl.col(f"_u{place}").sum() for place in range(len(policy.rules))),
        *(pl.col(f"_g{place}").sum() for place in range(len(policy.gates))),
        *(pl.col(f"_g{place}").is_null().sum().alias(f"_n{place}") for place in range(len(policy.gates))),
    ).row(0, named=True)
    ruled = [
        Hits(
            rule.group,
            rule.name,
            rule.when.text,
            counted[f"_p{place}"],
            counted[f"_u{place}"],
            verdicts.height,
        )
        for place, rule in enumerate(policy.rules)
    ]
    gated = [
        Hits("gate", gate.name, gate.when.text, counted[f"_g{place}"], counted[f"_n{place}"], verdicts.height)
        for place, gate in enumerate(policy.gates)
    ]
    return ruled + gated
