"""The mails that are on their way, one row a mail and person: each is sent once, by whoever takes it first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sync.store.tables import Tables

#: How long a mail that was sent is remembered.
KEPT_DAYS = 400
#: A mail that was tried so often and still waits is a matter for a person.
TRIES = 3
#: How long a mail of which nobody knows whether it arrived is told of.
UNSURE_DAYS = 7
#: Who is no mailbox: the address of ``notify.alert_webhook``.
WEBHOOK = "webhook"
#: The kind of mail that tells of a handover.
HANDOVER = "handover"


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail to one person. ``what``: monday, alerts or handover.

    ``about``: the day it was due, which alerts, or which notice (``Notice.letter``).
    """

    what: str
    about: str
    recipient: str
    tries: int


@dataclass(frozen=True, slots=True)
class Trouble:
    """Mails that wait after several tries, or of which nobody knows whether they arrived (``unsure``)."""

    state: str
    by_webhook: bool
    letters: int
    said: str


class Letters(Tables):
    """The mails of one connection. Times are the server's."""

    def queue(self, what: str, about: str, recipient: str) -> bool:
        """Have this sent; False where it was queued before, sent or not."""
        return self._do("queue_letter", what=what, about=about, recipient=recipient).fetchone() is not None

    def drop_earlier(self, what: str, about: str, recipient: str) -> int:
        """Send no more mails of this kind to somebody but this one; how many waited."""
        return self._do("drop_earlier_letters", what=what, about=about, recipient=recipient).rowcount

    def take(
        self, what: str, seconds: float, *, by_mail: bool = True, by_webhook: bool = True
    ) -> Letter | None:
        """The next one that is due and goes out by one of these ways, for so long ours alone; None where none is."""
        ways = [*([True] if by_webhook else []), *([False] if by_mail else [])]
        row = self._do("take_letter", what=what, seconds=seconds, ways=ways).fetchone()
        return None if row is None else Letter(*row)

    def give_up_leaving(self, what: str) -> int:
        """Those whose sender died while they were leaving are not sent again; how many."""
        return len(self._do("give_up_leaving", what=what).fetchall())

    def leaves(self, letter: Letter) -> bool:
        """Its content goes out now; False where somebody else has ended it."""
        return self._do("letter_leaves", **_key(letter)).fetchone() is not None

    def ends(self, letter: Letter, state: str, said: str = "") -> None:
        """It was ``sent``, it is ``unsure`` whether it was, or it was ``dropped``."""
        self._do("letter_ends", state=state, said=said, **_key(letter))

    def waits(self, letter: Letter, seconds: float, said: str) -> None:
        """It has not left, and is tried again after so many seconds."""
        self._do("letter_waits", seconds=seconds, said=said, **_key(letter))

    def next(self, what: str) -> datetime | None:
        """When the next mail of this kind can be sent; None where none waits."""
        row = self._do("next_letter", what=what).fetchone()
        return row[0] if row else None

    def in_trouble(self) -> list[Trouble]:
        rows = self._do("letters_in_trouble", tries=TRIES, days=UNSURE_DAYS).fetchall()
        return [Trouble(*row) for row in rows]

    def drop_old(self) -> None:
        self._do("drop_old_letters", days=KEPT_DAYS)


def _key(letter: Letter) -> dict[str, str]:
    return {"what": letter.what, "about": letter.about, "recipient": letter.recipient}
