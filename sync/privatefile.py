"""Files that only their owner can read: whatever names people goes into one."""

from __future__ import annotations

import os
from pathlib import Path


def opened_private(path: Path) -> int:
    """The descriptor of an empty file to be written, closed to all others also where it was there before, open to them.

    Raises OSError.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    # A file that was there before keeps its own rights until now, and loses what stood in it.
    os.fchmod(descriptor, 0o600)
    return descriptor
