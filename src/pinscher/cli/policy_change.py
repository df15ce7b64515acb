"""A policy file changed by a verb: the difference is shown, a person is asked, and the file is replaced as a whole."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from pinscher.cli.writing import replace_file
from pinscher.errors import escaped
from pinscher.policy import Policy

if TYPE_CHECKING:
    from pathlib import Path

    from pinscher.cli.voice import Voice


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """A policy's text before and after; the bytes are what was read, None for a policy that begins."""

    path: Path
    read: bytes | None
    before: str
    after: str

    @property
    def is_one(self) -> bool:
        """Whether anything changes."""
        return self.before != self.after

    def write(self, voice: Voice, *, is_agreed: bool) -> bool:
        """Show the change, ask, and write it; return whether the policy is now as it should be."""
        name = escaped(str(self.path))
        if not self.is_one:
            voice.hint(f"{name} says so already, nothing was written")
            return True
        lines = difflib.unified_diff(self.before.splitlines(), self.after.splitlines(), name, name, lineterm="")
        voice.note("\n".join(lines))
        if not is_agreed and not voice.is_heard_by_a_person():
            voice.error(f"{name} was not written: there is no terminal to ask at")
            voice.hint("--yes writes without asking")
            return False
        if not is_agreed and not voice.confirm(f"write this to {name}?"):
            voice.error(f"{name} was not written")
            return False
        replace_file(self.path, self.after.encode(), expected=self.read)
        return True


def toml_of(path: Path, content: bytes) -> str:
    """Return the text of a policy that is valid before it is edited, and TOML."""
    Policy.load(path)
    if content.lstrip().startswith(b"{"):
        raise click.UsageError(f"{escaped(str(path))} is JSON, which is made from TOML: edit that")
    return content.decode()
