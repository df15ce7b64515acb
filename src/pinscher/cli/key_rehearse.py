"""``pinscher key rehearse``: the backup key is still one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pinscher.cli.moment import at_option
from pinscher.cli.passphrases import given_passphrase, passphrase_option
from pinscher.cli.policy_change import PolicyChange, toml_of
from pinscher.cli.policy_rehearsal import Rehearsal, with_rehearsals
from pinscher.cli.reading import json_option, read_bytes
from pinscher.cli.voice import ExitCode, Voice
from pinscher.errors import escaped
from pinscher.policy import Policy
from pinscher.rotation.keys import (
    BackupKey,
    IssuanceError,
    PebbleError,
    UnpinnedKeyError,
    place_of,
    prove_issuance,
)

if TYPE_CHECKING:
    from datetime import date, datetime

    from pinscher.rotation.keys import Place

_LARGEST_KEY = 1024 * 1024
_FIELDS = """
\b
JSON:
  pin, kind        of the key
  names            of the key in the policy
  hosts            that the policy has it for
  issued           true, or null with --no-issuance
  rehearsed        the day that the policy says now, or null
"""


@click.command("rehearse", epilog=_FIELDS)
@click.argument("file", metavar="FILE", type=click.Path())
@click.option("--policy", "policy_file", required=True, metavar="FILE", help="The policy that pins the key, TOML.")
@click.option("--pebble", "program", default="pebble", show_default=True, metavar="PROGRAM", help="The ACME server.")
@click.option("--no-issuance", "is_without", is_flag=True, help="Open the key and compare its pin, and no more.")
@click.option("--yes", "is_agreed", is_flag=True, help="Write the day without asking.")
@passphrase_option
@at_option
@json_option
def command(
    file: str, *, policy_file: str, program: str, is_without: bool, is_agreed: bool, passphrase_file: str | None,
    at: datetime, is_json: bool,
) -> int:  # fmt: skip
    """
    Prove that the sealed key in FILE opens, that its pin is in the policy, and that an authority issues for it.

    The authority is a Pebble that runs on this machine for as long as it takes; nothing leaves the machine, and the key
    leaves this process for nobody. Then the day is written into the policy, so that 'pinscher lint' can ask for the
    next rehearsal. Exit 1: the key opens, and is not the one that the policy pins.
    """
    voice, path = Voice(), Path(policy_file)
    content = read_bytes(policy_file)
    text = toml_of(path, content)
    sealed = read_bytes(file, limit=_LARGEST_KEY)
    key = BackupKey.open(sealed, given_passphrase(passphrase_file, what=escaped(file), is_new=False), source=file)
    try:
        place = place_of(key, Policy.loads(text))
    except UnpinnedKeyError as error:
        voice.error(str(error))
        voice.hint("a key that no client accepts is no backup: pin it, and publish, before it is needed")
        return ExitCode.BAD
    if not is_without and not _is_issued_for(key, place, program, voice):
        return ExitCode.NO_ANSWER
    day = at.date()
    change = PolicyChange(path, content, text, with_rehearsals(text, [Rehearsal(name, day) for name in place.names]))
    is_written = change.write(voice, is_agreed=is_agreed)
    if is_json:
        voice.document({
            "pin": str(key.pin), "kind": key.kind, "names": list(place.names), "hosts": list(place.hosts),
            "issued": None if is_without else True, "rehearsed": str(day) if is_written else None,
        })  # fmt: skip
    else:
        _print(file, key, place, voice, is_without=is_without, day=day if is_written else None)
    return ExitCode.GOOD if is_written else ExitCode.NO_ANSWER


def _is_issued_for(key: BackupKey, place: Place, program: str, voice: Voice) -> bool:
    try:
        prove_issuance(key, place.hosts, program=program)
    except PebbleError as error:
        voice.error(str(error))
        voice.hint("Debian's package 'pebble' has it; --pebble says where it is, and --no-issuance does without")
        return False
    except IssuanceError as error:
        voice.error(str(error))
        voice.hint("--no-issuance opens the key and compares its pin, and no more")
        return False
    return True


def _print(file: str, key: BackupKey, place: Place, voice: Voice, *, is_without: bool, day: date | None) -> None:
    hosts = ", ".join(place.hosts)
    voice.answer(f"opened    {escaped(file)}, {key.kind}")
    voice.answer(f"pinned    {key.pin} as {', '.join(place.names)}, for {hosts}")
    voice.answer("issued    " + ("not tried" if is_without else f"by a Pebble of the moment, for {hosts}"))
    voice.answer("recorded  " + ("no" if day is None else f"rehearsed = {day}"))
