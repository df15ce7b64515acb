"""``pinscher store reset``: begin a broken store anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pinscher.cli.reading import json_option
from pinscher.cli.store_key import store_options
from pinscher.cli.voice import ExitCode, Voice
from pinscher.errors import escaped
from pinscher.store import SealedStore

if TYPE_CHECKING:
    from pinscher.store import Custody

_FIELDS = """
\b
JSON: {"store": its folder, "floor": the rollback floor that stays: {counter: [numbers]}}
"""


@click.command("reset", epilog=_FIELDS)
@store_options
@click.option("--yes", "is_sure", is_flag=True, help="Do not ask.")
@json_option
def command(path: str, *, custody: Custody, is_sure: bool, is_json: bool) -> int:
    """
    Begin a store anew: empty, with a new key, and with the rollback floor that stands beside the old one.

    The program then starts from what is embedded in it until its next update, and reports that were not sent are
    lost. Keep a copy of the folder first if somebody may have tampered with it.
    """
    voice = Voice()
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
