"""``pinscher key``: the backup key that waits for its day."""

from __future__ import annotations

import click

from pinscher.cli.groups import Commands

COMMANDS = ("new", "rehearse")
"""Each is the click command ``command`` in the file ``key_NAME``; the order is that of the help."""


class _Commands(Commands):
    commands_of_files = COMMANDS


_FIELDS = """
\b
JSON: {each command documents its own fields}
"""


@click.group(cls=_Commands, epilog=_FIELDS)
def key() -> None:
    """
    Make a backup key, and prove from time to time that it is still one.

    A backup key is pinned today and serves on the day when the key in use is lost. It is kept sealed, where no server
    and no thief of a server can reach it.
    """
