"""Files that only their owner can read: whatever names people goes into one."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def opened_private(path: Path) -> int:
    """The descriptor of an empty file to be written, closed to all others also where it was there before, open to them.

    Raises OSError.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        # A pipe or a device (/dev/null, /dev/stdout) is used by others too, and keeps nothing.
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            # First closed, then emptied: what is somebody else's cannot be closed, and is not lost.
            os.fchmod(descriptor, 0o600)
            os.ftruncate(descriptor, 0)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
