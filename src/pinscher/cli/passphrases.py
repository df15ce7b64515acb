"""The passphrase of a sealed key: asked for at a terminal, or read from a file, and never an argument."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from pinscher.cli.reading import read_bytes
from pinscher.errors import PinningError, escaped

if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST = 1024


class NoPassphraseError(PinningError):
    """A passphrase that nobody gave; the text says how to give one."""


def passphrase_option(command: Callable[..., int]) -> Callable[..., int]:
    """Add ``--passphrase-file``; the verb gets its path, or None."""
    return click.option(
        "--passphrase-file", metavar="FILE", help="Read the passphrase from FILE, its only line; '-' is stdin. Without "
        "it, it is asked for.",
    )(command)  # fmt: skip


def given_passphrase(file: str | None, *, what: str, is_new: bool) -> str:
    """Return a passphrase, a new one having been asked for twice; raise :class:`NoPassphraseError`."""
    if file is not None:
        return _of_file(file)
    if not sys.stdin.isatty():
        raise NoPassphraseError("there is no terminal to ask for the passphrase at: give --passphrase-file")
    return str(click.prompt(f"passphrase of {what}", hide_input=True, confirmation_prompt=is_new, err=True))


def _of_file(file: str) -> str:
    content = read_bytes(file, limit=_LONGEST)
    try:
        lines = content.decode().splitlines()
    except UnicodeDecodeError:
        lines = []
    if len(content) > _LONGEST or len(lines) != 1 or not lines[0]:
        raise NoPassphraseError(
            f"'{escaped(file)}' holds no passphrase: expected one line of text, at most {_LONGEST} octets long"
        )
    return lines[0]
