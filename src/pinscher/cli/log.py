"""``pinscher log``: the transparency log of one's own pin sets."""

from __future__ import annotations

import click

from pinscher.cli.groups import Commands

COMMANDS = ("verify", "show")
"""Each is the click command ``command`` in the file ``log_NAME``; the order is that of the help."""


class _Commands(Commands):
    commands_of_files = COMMANDS


_FIELDS = """
\b
JSON: {each command documents its own fields}
"""


@click.group(cls=_Commands, epilog=_FIELDS)
def log() -> None:
    """
    Hold a transparency log of pin sets to what it signs, and see what it says.

    Whoever steals the keys that sign updates cannot show one victim a bundle that nobody else sees without a fork of
    this log; a fork is found by whoever compares two of its heads.
    """
