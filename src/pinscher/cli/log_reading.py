"""What the commands about a log share: the log, its key, and the heads that were seen."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pinscher.cli.reading import UnreadableFileError, read_bytes
from pinscher.updates.log import Checkpoint, NoteVerifier, audit, head_of
from pinscher.updates.log.note import LARGEST_NOTE
from pinscher.updates.log.sources import source_of
from pinscher.updates.log.tiles import tiles_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pinscher.cli.voice import Voice
    from pinscher.updates.log import Audit, Source


def log_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add the log and its key; the verb gets them as ``source`` and ``verifier``."""

    @functools.wraps(command)
    def with_source(*, log: str, key: str, **rest: object) -> int:
        return command(**rest, source=source_of(log), verifier=NoteVerifier.parse(key))

    for option in (
        click.option("--key", required=True, metavar="NAME+ID+KEY",
                     help="The log's verifier key; its name is the log's."),
        click.argument("log", metavar="DIR|URL"),
    ):  # fmt: skip
        with_source = option(with_source)
    return with_source


def audited(source: Source, verifier: NoteVerifier, seen: Checkpoint | None, voice: Voice) -> Audit:
    """Audit a log, and show how far that is."""
    head, _ = head_of(source, verifier)
    with voice.progress("reading tiles", sum(1 for _ in tiles_of(head.size))) as advance:
        return audit(source, verifier, seen=seen, on_tile=advance)


def remembered(file: str | None) -> bytes | None:
    """Return the signed head that is remembered in a file, or None."""
    if file is None or not Path(file).exists():
        return None
    note = read_bytes(file, limit=LARGEST_NOTE)
    if not note:
        raise UnreadableFileError(file, "expected the signed head that this command wrote, found nothing")
    return note
