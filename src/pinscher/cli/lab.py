"""``pinscher lab``: hostile servers that judge any client, and real interception."""

from __future__ import annotations

from importlib import import_module

import click

COMMANDS = ("list", "run", "score", "intercept")
"""Each is the click command of its own name in the file ``lab_NAME``; the order is that of the help."""


class _Commands(click.Group):
    """Loads a command's file when it is used."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"pinscher.cli.lab_{name}").command
        return command


_FIELDS = """
\b
JSON: {each command documents its own fields}
"""


@click.group(cls=_Commands, epilog=_FIELDS)
def lab() -> None:
    """
    Judge any client's pinning by hostile servers on the loopback, or by real interception.

    The servers count what they decrypt, so that nothing depends on the client's word. Their keys are made for the
    moment, kept where this user alone can read, never offered to a system's trust store, and gone after a crash too.
    """
