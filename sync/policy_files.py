"""Policies and golden leads from files: no CRM and no database is asked."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mapping.lead import LEAD_FIELDS, LeadField
from mapping.qualification.declared import Policy
from mapping.qualification.golden import Failure, failures_of
from mapping.qualification.goldenread import read_golden
from mapping.qualification.policy import load_policy
from mapping.qualification.tables import PolicyProblems
from sync.errors import WrongUse
from sync.ourpolicy import VOCABULARIES, judged_fields, policy_of_config
from sync.tomlfile import TomlFile, parse_path, read_toml
from sync.wrongconfig import WrongConfig, problem

__all__ = ["Checked", "check_golden", "golden_files", "policy_in", "policy_of_config"]

#: How files with golden leads are named, so that they are found beside the config.
GOLDEN = "*.golden.toml"


@dataclass(frozen=True, slots=True)
class Checked:
    """One file of golden leads, held against a policy. ``seconds``: reading and judging."""

    file: str
    policy: str
    leads: int
    failures: tuple[Failure, ...]
    seconds: float

    def as_json(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "policy": self.policy,
            "leads": self.leads,
            "failures": [asdict(failure) for failure in self.failures],
        }


def golden_files(named: Sequence[Path], folder: Path) -> tuple[Path, ...]:
    """The files that were named, else those beside the config. Raises WrongUse when there are none."""
    found = tuple(named) or tuple(sorted(folder.glob(GOLDEN)))
    if not found:
        raise WrongUse(
            "there are no golden leads here",
            fix=f"name a file, or write one beside the config, called {GOLDEN.replace('*', 'policy')}",
        )
    return found


def policy_in(path: Path, custom: Mapping[str, LeadField]) -> Policy:
    """The policy of a policy file, or of a whole config: only ``policy`` and ``nurture`` are read.

    ``custom``: lead fields of the config's own. Raises WrongConfig with every problem and its line.
    """
    source = read_toml(path, str(path))
    fields = judged_fields({**LEAD_FIELDS, **custom})
    try:
        return load_policy(source.data, fields=fields, vocabularies=VOCABULARIES)
    except PolicyProblems as wrong:
        raise _told(source, wrong, "correct the policy file") from None


def check_golden(
    path: Path,
    instead: Path | None,
    custom: Mapping[str, LeadField],
    of_config: Callable[[], Policy],
) -> Checked:
    """Hold the golden leads of one file against ``instead``, else the policy they name, else the config's.

    A policy that the file names is looked for beside it. Raises WrongConfig for a file that cannot be used.
    """
    began = time.perf_counter()
    source = read_toml(path, str(path))
    named = source.data.get("policy")
    if named is not None and not isinstance(named, str):
        raise WrongConfig(
            [problem(source.where(("policy",)), "policy must name a file", 'write policy = "policy.toml"')]
        )
    chosen = instead or (path.parent / named if named else None)
    policy = policy_in(chosen, custom) if chosen else of_config()
    try:
        golden = read_golden(source.data, policy, vocabularies=VOCABULARIES)
    except PolicyProblems as wrong:
        raise _told(source, wrong, "correct the golden lead") from None
    failures = tuple(failures_of(golden, policy))
    return Checked(str(path), policy.version, len(golden), failures, time.perf_counter() - began)


def _told(source: TomlFile, wrong: PolicyProblems, fix: str) -> WrongConfig:
    """Problems with their lines in a file."""
    return WrongConfig([problem(source.where(parse_path(one.path)), str(one), fix) for one in wrong.problems])
