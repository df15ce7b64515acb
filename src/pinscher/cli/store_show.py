"""``pinscher store show``: what a store holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from pinscher.cli.reading import json_option
from pinscher.cli.store_key import store_options
from pinscher.cli.voice import ExitCode, Voice
from pinscher.errors import escaped
from pinscher.store import SealedStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pinscher.store import Custody

_FIELDS = """
\b
JSON: {"store": its folder, "key": where its key is, ...}
  generation       how many writes it has seen
  floor            the rollback floor: {counter: [numbers]}
  entries          in order: name, and length in octets
"""


@click.command("show", epilog=_FIELDS)
@store_options
@json_option
def command(path: str, *, custody: Custody, is_json: bool) -> int:
    """
    Say what a store holds, by its index alone; 'store check' opens every entry.

    Exit 2 if there is no store or it does not open.
    """
    voice = Voice()
    opened = SealedStore.open_existing(path, custody)
    if opened is None:
        voice.error(f"there is no store in '{escaped(path)}'")
        return ExitCode.NO_ANSWER
    with opened as store:
        lengths = {name: store.length(name) or 0 for name in store.names()}
        if is_json:
            voice.document(_document(store, lengths))
            return ExitCode.GOOD
        voice.answer(f"{escaped(store.path)}: {len(lengths)} in it, generation {store.generation}")
        voice.answer(f"  key    {escaped(store.key_place)}")
        for counter, numbers in store.floor.items():
            voice.answer(f"  floor  {counter} {'.'.join(map(str, numbers))}")
        for name, length in lengths.items():
            voice.answer(f"  {length:>10}  {escaped(name)}")
    return ExitCode.GOOD


def _document(store: SealedStore, lengths: Mapping[str, int]) -> dict[str, object]:
    return {
        "store": store.path,
        "key": store.key_place,
        "generation": store.generation,
        "floor": {counter: list(numbers) for counter, numbers in store.floor.items()},
        "entries": [{"name": name, "length": length} for name, length in lengths.items()],
    }
