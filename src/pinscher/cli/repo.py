"""``pinscher repo``: publishing signed policies."""

from __future__ import annotations

import click

from pinscher.cli.groups import Commands

COMMANDS = ("key", "init", "sign", "publish", "renew", "status", "withdraw", "override", "rotate", "delegate")
"""Each is the click command ``command`` in the file ``repo_NAME``; the order is that of the help."""


class _Commands(Commands):
    commands_of_files = COMMANDS


_FIELDS = """
\b
JSON: {each command documents its own fields}
"""


@click.group(cls=_Commands, epilog=_FIELDS)
def repo() -> None:
    """
    Publish policies that several people sign, and that clients follow.

    A repository is a folder. Any web server can serve what is in its folder 'public'; 'staging' holds what still lacks
    signatures, and travels between the people who sign, each on a machine of their own. The format is that of The
    Update Framework.
    """
