"""What sections of the config are made of: their common model, and the types of their settings."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from pydantic_core import PydanticCustomError

from connectors.address import PlainAddress, check_address

#: The type of our own errors; only their words are shown, because only they are known to hold no value.
OURS = "leadpact"


def refuse(words: str) -> PydanticCustomError:
    """An error in our own words, which must hold no value."""
    return PydanticCustomError(OURS, words)


def _address(url: str) -> str:
    try:
        return check_address(url)
    except (PlainAddress, ValueError):
        wrong = refuse("must be an https:// address without user and password (http:// only on this machine)")
    raise wrong


def _login_address(url: str) -> str:
    """The address in a browser's bar is that of the pages, and takes no calls (Salesforce reference, section 1)."""
    if (urlsplit(url).hostname or "").endswith(".lightning.force.com"):
        raise refuse(
            "must be the My Domain address, https://….my.salesforce.com, not that of Lightning's pages"
        )
    return url


def _secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if not text or not re.fullmatch(r"[!-~]+", text):
        raise refuse("is empty, or holds a space, a line break or a character that no secret has")
    return secret


def _filled(text: str) -> str:
    if not text.strip():
        raise refuse("must not be empty")
    return text


def words_in(text: str) -> list[str]:
    """The parts of a text between commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def matching(pattern: str, words: str) -> AfterValidator:
    """Refuses, in these words, a text that is not wholly of this pattern."""

    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise refuse(words)
        return text

    return AfterValidator(check)


Address = Annotated[str, AfterValidator(_address)]
LoginAddress = Annotated[Address, AfterValidator(_login_address)]
Secret = Annotated[SecretStr, AfterValidator(_secret)]
Filled = Annotated[str, AfterValidator(_filled)]
Share = Annotated[float, Field(gt=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Port = Annotated[int, Field(ge=0, le=65535)]


class Section(BaseModel):
    """A table of the config. Strict: a text is no number, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)
