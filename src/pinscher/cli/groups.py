"""A verb that is several commands, each loaded from its own file when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence


class Commands(click.Group):
    """The group of the verb NAME: each command is called ``command`` in the file ``NAME_COMMAND``."""

    commands_of_files: Sequence[str] = ()

    def list_commands(self, _context: click.Context) -> list[str]:
        """Return the commands' names, in the order of the help."""
        return list(self.commands_of_files)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """Load a command's file."""
        if name not in self.commands_of_files:
            return None
        command: click.Command = import_module(f"pinscher.cli.{self.name}_{name}").command
        return command
