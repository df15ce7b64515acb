"""``pinscher store check``: is a store what was sealed?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pinscher.cli.reading import json_option
from pinscher.cli.store_key import store_options
from pinscher.cli.voice import ExitCode, Voice
from pinscher.errors import escaped
from pinscher.store import SealBrokenError, SealedStore, UnsafeFileError

if TYPE_CHECKING:
    from pinscher.store import Custody

_FIELDS = """
\b
JSON: {"store": its folder, "whole": whether everything in it is as it was sealed, ...}
  entries          how many entries were opened
  error            what is not as it was sealed, or null
"""


@click.command("check", epilog=_FIELDS)
@store_options
@json_option
def command(path: str, *, custody: Custody, is_json: bool) -> int:
    """
    Open every entry of a store, and hold its floor to the one beside its key.

    Exit 1 if the seal is broken or somebody else can reach a file of it, 2 if there is no store or no key. An older
    copy of the whole store is found only where the key's place counts: keyring, file and credential do.
    """
    voice = Voice()
    count, found = 0, ""
    try:
        opened = SealedStore.open_existing(path, custody)
        if opened is None:
            voice.error(f"there is no store in '{escaped(path)}'")
            return ExitCode.NO_ANSWER
        with opened as store:
            names = store.names()
            with voice.progress("opening entries", len(names)) as advance:
                for name in names:
                    store.read(name)
                    count += 1
                    advance()
    except (SealBrokenError, UnsafeFileError) as error:
        found = str(error)
    if is_json:
        voice.document({"store": path, "whole": not found, "entries": count, "error": found or None})
    elif found:
        voice.answer(f"{escaped(path)}: ", ("NOT as it was sealed", "bold red"))
        voice.answer(found)
    else:
        voice.answer(f"{escaped(path)}: ", ("whole", "green"), f", opened {count} of {count}")
    return ExitCode.BAD if found else ExitCode.GOOD
