"""A person's files, replaced only while they are what was read, and only regular ones."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pinscher import replacement
from pinscher.errors import PinningError, escaped

if TYPE_CHECKING:
    from collections.abc import Mapping


class UnwritableFileError(PinningError):
    """A file that could not be replaced, and is as it was; ``path`` says which."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"cannot write '{escaped(str(path))}': {reason}")
        self.path = path


def check_outputs(outputs: Mapping[str, str | None]) -> None:
    """
    Refuse, before anything is done, the files of these options that could not all be written at its end.

    Two options with one file are a usage error, and so is ``-``: what goes to standard output is the answer.
    """
    options: dict[str, str] = {}
    for option, name in outputs.items():
        if name is None:
            continue
        if name == "-":
            raise click.BadParameter("expected the name of a file, and '-' is none", param_hint=f"'{option}'")
        path = Path(name)
        _check_place(path)
        taken = options.setdefault(os.path.realpath(name), option)
        if taken != option:
            raise click.UsageError(f"{taken} and {option} name one file, '{escaped(name)}'")


def _check_place(path: Path) -> None:
    known_content(path)
    if not Path(os.path.realpath(path)).parent.is_dir():
        raise UnwritableFileError(path, "its folder does not exist")


def known_content(path: Path) -> bytes | None:
    """Return what a file holds before it is replaced, None where there is none; refuse what is no regular file."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise UnwritableFileError(path, "it is a folder" if stat.S_ISDIR(mode) else "it is no regular file")
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnwritableFileError(path, (error.strerror or str(error)).lower()) from None
    except ValueError:
        raise UnwritableFileError(path, "the name holds a NUL") from None


def replace_file(path: Path, content: bytes, *, expected: bytes | None) -> None:
    """
    Put *content* in place of a file whose content is *expected* (None: there is none), or raise and change nothing.

    A reader sees the old file or the new one, which has the old one's permissions. A symbolic link is followed, and
    stays.
    """
    target = Path(os.path.realpath(path))

    def check() -> None:
        if known_content(path) != expected:
            raise UnwritableFileError(path, "somebody else changed it meanwhile; look at it and run this again")

    try:
        permissions = target.stat().st_mode & 0o7777 if expected is not None else None
        replacement.replace_file(str(target), content, mode=0o666, permissions=permissions, check=check)
    except OSError as error:
        raise UnwritableFileError(path, (error.strerror or str(error)).lower()) from None
