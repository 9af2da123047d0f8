"""Settings that come from the environment, from files it names, and from a directory of secrets.

``LEADPACT_SECTION__NAME`` holds a setting, ``LEADPACT_SECTION__NAME_FILE`` names a file that holds it, and
``LEADPACT_SECRETS_DIR`` names a directory with one file a setting, called like the variable. A variable wins
over the directory, and both over the config files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from mapping.qualification.columns import nearest
from sync.complaints import words_of
from sync.sections import Declared
from sync.whichconfig import CONFIG_VARIABLE
from sync.wrongconfig import Problem, problem

PREFIX = "LEADPACT_"
SECRETS_VARIABLE = "LEADPACT_SECRETS_DIR"
_FILE = "_FILE"
_ALWAYS = (CONFIG_VARIABLE, SECRETS_VARIABLE)
#: How the test suite's own switches begin, and those that begin otherwise; no settings of the program.
_OF_THE_TESTS = (
    "LEADPACT_TEST_",
    "LEADPACT_REQUIRE_ALL",
    "LEADPACT_TWO_WORKERS_ROUNDS",
    "LEADPACT_WRITE_DOCS",
)
#: No secret is longer; a larger file is another file.
_MOST_BYTES = 65_536

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Leaf:
    """One scalar setting: the model it stands in, and whether it is a secret."""

    model: type[BaseModel]
    name: str
    secret: bool


@dataclass(slots=True)
class Overrides:
    """What the environment says: nested ``values``, where each came from, and what is wrong with it."""

    values: dict[str, Any] = field(default_factory=dict, repr=False)
    origins: dict[Names, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models an annotation allows: ``[X]`` for ``X | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, UnionType, Annotated):
        return [model for part in get_args(annotation) for model in models_in(part)]
    return []


def _mentions(annotation: Any, kind: Any) -> bool:
    """Whether an annotation is ``kind`` or is built around it."""
    if annotation is kind or get_origin(annotation) is kind:
        return True
    return any(_mentions(part, kind) for part in get_args(annotation))


def leaves(model: type[BaseModel] = Declared, above: Names = ()) -> Iterator[tuple[Names, Leaf]]:
    """Every scalar setting with its path; tables of free names are none."""
    for name, info in model.model_fields.items():
        inner = models_in(info.annotation)
        if inner:
            yield from leaves(inner[0], (*above, name))
        elif not _mentions(info.annotation, dict):
            yield (*above, name), Leaf(model, name, _mentions(info.annotation, SecretStr))


def variable_of(path: Names) -> str:
    """``LEADPACT_HUBSPOT__ACCESS_TOKEN`` for ``("hubspot", "access_token")``."""
    return PREFIX + "__".join(path).upper()


@cache
def _known() -> Mapping[str, tuple[Names, Leaf]]:
    """Every setting by its variable."""
    return {variable_of(path): (path, leaf) for path, leaf in leaves()}


def read_environment(environ: Mapping[str, str], folder: Path) -> Overrides:
    """Every setting that the environment, its files and its secrets directory hold.

    Relative paths in ``*_FILE`` and ``LEADPACT_SECRETS_DIR`` start at the config's ``folder``. Nothing raises;
    what is wrong stands in ``problems``, without the values.
    """
    found = Overrides()
    known = _known()
    for directory_file in _secret_files(environ, folder, known, found):
        name = directory_file.name.upper()
        _keep(found, known[name], partial(_content, directory_file), str(directory_file))
    for name in sorted(environ):
        if not name.upper().startswith(PREFIX) or name in _ALWAYS or name.startswith(_OF_THE_TESTS):
            continue
        if name in known:
            _keep(found, known[name], partial(str, environ[name]), name)
        elif name.endswith(_FILE) and name.removesuffix(_FILE) in known:
            setting = name.removesuffix(_FILE)
            if setting in environ:
                found.problems.append(
                    problem(name, f"{setting} is set as well", "keep one of the two variables")
                )
                continue
            _keep(found, known[setting], partial(_content, folder / environ[name]), name)
        else:
            found.problems.append(_unknown(name, "variable", known))
    return found


def _unknown(name: str, what: str, known: Mapping[str, Any]) -> Problem:
    near = nearest(name, (*known, *(variable + _FILE for variable in known), *_ALWAYS))
    hint = f"did you mean {near}? Else remove it" if near else "remove it"
    return problem(name, f"there is no such setting: an unknown {what}", hint)


def _secret_files(
    environ: Mapping[str, str], folder: Path, known: Mapping[str, Any], found: Overrides
) -> list[Path]:
    """The files of the secrets directory that are meant for us; other programs may keep theirs there."""
    if SECRETS_VARIABLE not in environ:
        return []
    try:
        names = sorted((folder / environ[SECRETS_VARIABLE]).iterdir())
    except OSError as error:
        why = (error.strerror or "unknown reason").lower()
        found.problems.append(
            problem(SECRETS_VARIABLE, f"the directory cannot be read: {why}", "name a directory that can be")
        )
        return []
    ours = [path for path in names if path.name.upper().startswith(PREFIX)]
    found.problems += [_unknown(p.name, "secret", known) for p in ours if p.name.upper() not in known]
    return [path for path in ours if path.name.upper() in known]


def _content(path: Path) -> str:
    """The text of a file without the line break at its end. Raises OSError or ValueError."""
    with path.open("rb") as file:
        raw = file.read(_MOST_BYTES + 1)
    if len(raw) > _MOST_BYTES:
        raise ValueError("too long")
    return raw.decode("utf-8").removesuffix("\n").removesuffix("\r")


def _keep(found: Overrides, setting: tuple[Names, Leaf], text: Callable[[], str], origin: str) -> None:
    """Read one setting's text, understand it as its type, and put it in its place."""
    path, leaf = setting
    try:
        value = _alone(leaf, text())
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        words, fix = words_of(wrong)
        found.problems.append(problem(origin, f"{'.'.join(path)} {words}", fix))
        return
    except OSError as error:
        why = (error.strerror or "unknown reason").lower()
        found.problems.append(problem(origin, f"the file cannot be read: {why}", "name a file that can be"))
        return
    except ValueError:
        found.problems.append(
            problem(origin, "the file does not hold one short text in UTF-8", "put nothing but the value in")
        )
        return
    table = found.values
    for key in path[:-1]:
        table = table.setdefault(key, {})
    table[path[-1]] = value
    found.origins[path] = origin


def _alone(leaf: Leaf, said: str) -> Any:
    """One setting's value. What a section asks of its settings together is judged when all of them are known."""
    return _reader(leaf.model, leaf.name).validate_strings(said, strict=False)


@cache
def _reader(model: type[BaseModel], name: str) -> TypeAdapter[Any]:
    info = model.model_fields[name]
    kind: Any = Annotated[info.annotation, info]
    return TypeAdapter(kind, config=model.model_config)
