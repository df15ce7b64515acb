"""``pinscher store reset``: begin a broken store anew."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from pinscher.cli.reading import json_option
from pinscher.cli.store_key import store_options
from pinscher.cli.voice import ExitCode, Voice
from pinscher.errors import escaped
from pinscher.store import KeptKey, SealedStore

if TYPE_CHECKING:
    from pinscher.store import Custody

_FIELDS = """
\b
JSON: {"store": its folder, "floor": the rollback floor that stays: {counter: [numbers]}}
"""


@click.command("reset", epilog=_FIELDS)
@store_options
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@click.option("--key-is-lost", is_flag=True, help="Make a key where WHERE holds none: the floor beside it is lost too.")
@json_option
def command(path: str, *, custody: Custody, is_sure: bool, key_is_lost: bool, is_json: bool) -> int:
    """
    Begin a store anew: empty, with a new key, and with the rollback floor that stands beside the old one.

    The program then starts from what is embedded in it until its next update, and reports that were not sent are
    lost. Keep a copy of the folder first if somebody may have tampered with it. Exit 2 and nothing changed where STORE
    does not exist, and where WHERE holds no key without --key-is-lost.
    """
    voice = Voice()
    if not _is_there(path, custody, voice, key_is_lost=key_is_lost):
        return ExitCode.NO_ANSWER
    if not is_sure and not (
        voice.is_heard_by_a_person() and voice.confirm(f"remove everything in the store '{escaped(path)}'?")
    ):
        voice.error("nothing was removed")
        voice.hint("'--yes' says that it is meant")
        return ExitCode.NO_ANSWER
    with SealedStore.start_over(path, custody) as store:
        floor = {counter: list(numbers) for counter, numbers in store.floor.items()}
    if is_json:
        voice.document({"store": path, "floor": floor})
    else:
        kept = ", ".join(f"{counter} {'.'.join(map(str, numbers))}" for counter, numbers in floor.items())
        voice.answer(f"{escaped(path)}: empty, with a new key; floor: {kept or 'none was kept'}")
    return ExitCode.GOOD


def _is_there(path: str, custody: Custody, voice: Voice, *, key_is_lost: bool) -> bool:
    """Tell whether the store and its key are where a person says, and say so if not: either may be mistyped."""
    store, key = escaped(path), escaped(custody.place)
    if not os.path.lexists(path):
        voice.error(f"there is no '{store}' to begin anew, so neither it nor its key in '{key}' was touched")
        voice.hint(f"a store that was removed is begun anew in an empty folder of yours alone: mkdir -m 700 '{store}'")
        return False
    if not key_is_lost and isinstance(custody, KeptKey) and not custody.holds_a_key():
        voice.error(f"there is no key in '{key}', so nothing was removed from '{store}'")
        voice.hint("'--key-is-lost' says that the key is lost, and with it the rollback floor that stood beside it")
        return False
    return True
