"""``python -m sync`` is the ``leadpact`` command."""

from sync.cli import main

if __name__ == "__main__":
    main()
