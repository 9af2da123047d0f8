"""Send what waits: each mail once, by whoever takes it, and again later where nothing of it has left.

A mail is marked before its content goes out. Where its sender is killed, or the server breaks off, between that and the
answer, nobody knows whether it arrived: then it is told of and not sent again. Everything else that goes wrong leaves
it waiting, for longer each time, until it is sent or a newer one says the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from sync.mails.sender import BeforeContent, MailAway, MailRefused, MailUnsure
from sync.store.letters import WEBHOOK, Letter, Letters

#: Seconds that a mail is ours alone; its sender needs less, or is dead.
HELD = 120.0
#: Mails of one go: whoever sends also does other work.
MOST = 50
#: Seconds to the next try, at first and at most; twice as long each time.
AWAY = (30.0, 1_800.0)
REFUSED = (300.0, 21_600.0)

#: Sends one letter; raises what ``sender.send`` raises. None: there is nobody to send it to any more.
Send = Callable[[Letter, BeforeContent], None]

_log = logging.getLogger(__name__)


class Gone(Exception):
    """Nobody is to get this any more: it left the config, or there is nothing left to say."""


class _Ended(Exception):
    """Somebody else has ended this mail meanwhile."""


@dataclass(slots=True)
class Delivered:
    """What became of the mails that were due. ``waiting``: not sent; ``said``: why, of the last one.

    ``away``: mail or webhook, whose server is, so that not all were tried.
    """

    sent: int = 0
    waiting: int = 0
    unsure: int = 0
    dropped: int = 0
    said: str = ""
    away: set[str] = field(default_factory=set)

    @property
    def words(self) -> str:
        told = f"{self.sent} sent"
        if self.waiting or self.unsure:
            told += f", {self.waiting} wait, {self.unsure} unsure: {self.said}"
        return told


def deliver(letters: Letters, what: str, send: Send) -> Delivered:
    """Send every mail of a kind that is due, at most ``MOST``; none by a server that is away."""
    done = Delivered(unsure=letters.give_up_leaving(what))
    for _ in range(MOST):
        letter = letters.take(
            what, HELD, by_mail="mail" not in done.away, by_webhook="webhook" not in done.away
        )
        if letter is None:
            break
        _deliver(letters, letter, send, done)
    return done


def _deliver(letters: Letters, letter: Letter, send: Send, done: Delivered) -> None:
    left = False

    def leaves() -> None:
        nonlocal left
        left = letters.leaves(letter)
        if not left:
            raise _Ended

    try:
        send(letter, leaves)
    except Gone:
        letters.ends(letter, "dropped")
        done.dropped += 1
    except _Ended:
        _log.info("a mail was ended by somebody else")
    except MailUnsure as unsure:
        letters.ends(letter, "unsure", str(unsure))
        done.unsure, done.said = done.unsure + 1, str(unsure)
        # Whatever it suffers from, the others shall not come to the same end.
        done.away.add(_way(letter))
        _log.warning("a mail may not have arrived: %s; %s", unsure, unsure.fix)
    except (MailAway, MailRefused) as failed:
        later = isinstance(failed, MailAway)
        if isinstance(failed, MailAway) and not failed.alone:
            done.away.add(_way(letter))
        first, most = AWAY if later else REFUSED
        letters.waits(letter, min(first * 2.0 ** min(letter.tries, 20), most), str(failed))
        done.waiting, done.said = done.waiting + 1, str(failed)
        _log.warning("a mail waits: %s; %s", failed, failed.fix)
    except BaseException:
        if left:
            letters.ends(letter, "unsure", "the program was stopped before the answer")
        else:
            letters.waits(letter, AWAY[0], "it could not be made")
        raise
    else:
        letters.ends(letter, "sent")
        done.sent += 1


def _way(letter: Letter) -> str:
    return "webhook" if letter.recipient == WEBHOOK else "mail"
