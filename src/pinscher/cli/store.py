"""``pinscher store``: what a program remembers between two starts."""

from __future__ import annotations

import click

from pinscher.cli.groups import Commands

COMMANDS = ("show", "check", "reset")
"""Each is the click command ``command`` in the file ``store_NAME``; the order is that of the help."""


class _Commands(Commands):
    commands_of_files = COMMANDS


_FIELDS = """
\b
JSON: {each command documents its own fields}
"""


@click.group(cls=_Commands, epilog=_FIELDS)
def store() -> None:
    """
    Look at a sealed store, hold it to its seal, or begin a broken one anew.

    A store is a folder whose files only its key opens. It holds the last accepted policy, the metadata of its updates
    and the reports that are still to be sent.
    """
