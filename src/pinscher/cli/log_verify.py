"""``pinscher log verify``: audit a mirror of a transparency log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pinscher.cli.certificates import counted
from pinscher.cli.log_reading import audited, log_options, remembered
from pinscher.cli.reading import json_option
from pinscher.cli.voice import ExitCode, Voice
from pinscher.cli.writing import check_outputs, replace_file
from pinscher.updates.log import Checkpoint, ForkedLogError, LogError, LogUnreachableError

if TYPE_CHECKING:
    from pinscher.updates.log import NoteVerifier, Source

_FIELDS = """
\b
JSON: {"good": whether the log is whole and continues what was seen, ...}
  head             origin, size and root (in hexadecimal), or null
  seen             the head of --head before: the same, or null
  tiles            how many tiles lead to the head
  forked           whether two signed heads contradict each other
  error            what is wrong, or null
"""


@click.command("verify", epilog=_FIELDS)
@log_options
@click.option("--head", "file", metavar="FILE", help="Remember the head in FILE, and hold the log to the one there.")
@json_option
def command(source: Source, verifier: NoteVerifier, *, file: str | None, is_json: bool) -> int:
    """
    Hold every tile and every entry of a log to its signed head, and its beginning to a head that was seen before.

    DIR|URL is a mirror in the layout of c2sp.org/tlog-tiles. Exit 1 if the mirror is damaged, behind or forked, 2 if
    it cannot be reached. Only a good answer is remembered. One run sees what this mirror shows to this reader: a fork
    is found by comparing heads from different places, and --head takes one from anywhere.
    """
    voice = Voice()
    check_outputs({"--head": file})
    note = remembered(file)
    seen = None if note is None else Checkpoint.open(note, verifier)
    try:
        result = audited(source, verifier, seen, voice)
    except LogUnreachableError:
        raise
    except LogError as error:
        _bad(error, seen, voice, is_json=is_json)
        return ExitCode.BAD
    if file is not None and result.note != note:
        replace_file(Path(file), result.note, expected=note)
    if is_json:
        voice.document(
            {
                "good": True, "head": _object(result.head), "seen": _object(seen), "tiles": result.tiles,
                "forked": False, "error": None,
            }
        )  # fmt: skip
        return ExitCode.GOOD
    leads = "leads" if result.tiles == 1 else "lead"
    voice.answer(("whole", "green"), f": {counted(result.tiles, 'tile')} {leads} to the head that is signed")
    voice.answer(f"  head  {result.head}")
    if seen is not None:
        voice.answer(f"  seen  {seen}, which is how it began")
    return ExitCode.GOOD


def _bad(error: LogError, seen: Checkpoint | None, voice: Voice, *, is_json: bool) -> None:
    is_forked = isinstance(error, ForkedLogError)
    if is_json:
        voice.document(
            {"good": False, "head": None, "seen": _object(seen), "tiles": 0, "forked": is_forked, "error": str(error)}
        )
    else:
        voice.answer(("FORKED" if is_forked else "BAD", "bold red"), f": {error}")
    if is_forked:
        voice.hint(
            "keep both signed heads, they are the evidence; ask whose keys signed, and trust neither log meanwhile"
        )


def _object(head: Checkpoint | None) -> dict[str, object] | None:
    return None if head is None else {"origin": head.origin, "size": head.size, "root": head.root.hex()}
