"""``pinscher key new``: a backup key, sealed, with all that goes with it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pinscher.cli.moment import at_option
from pinscher.cli.passphrases import given_passphrase, passphrase_option
from pinscher.cli.reading import json_option
from pinscher.cli.voice import ExitCode, Voice
from pinscher.entry import check_name, check_text
from pinscher.errors import escaped
from pinscher.host import InvalidHostError, canonical_host
from pinscher.rotation.keys import (
    BackupKey,
    BackupKeyError,
    KeyAlgorithm,
    card,
    check_passphrase,
    key_table,
    write_new,
)

if TYPE_CHECKING:
    from datetime import datetime

_FIELDS = """
\b
JSON:
  name, algorithm  of the key
  pin              sha256/<base64>
  fingerprint      the same SHA-256 in hexadecimal
  hosts            that the request is for
  key, request, card   the files; the request is null without --host
  toml             the table for the policy
"""


@click.command("new", epilog=_FIELDS)
@click.argument("file", metavar="FILE", type=click.Path())
@click.option(
    "--algorithm",
    type=click.Choice([one.value for one in KeyAlgorithm]),
    default=KeyAlgorithm.P256.value,
    show_default=True,
    help="The kind of key.",
)
@click.option("--host", "hosts", multiple=True, metavar="HOST", help="Write a certification request for this host, or "
              "*.HOST; may be given more than once.")  # fmt: skip
@click.option("--name", metavar="NAME", help="What the policy calls the key; without it, FILE without its ending.")
@click.option("--stored", metavar="TEXT", help="Where the key will be kept, for the policy and the card.")
@passphrase_option
@at_option
@json_option
def command(
    file: str, *, algorithm: str, hosts: tuple[str, ...], name: str | None, stored: str | None,
    passphrase_file: str | None, at: datetime, is_json: bool,
) -> int:  # fmt: skip
    """
    Make a backup key: FILE, sealed with a passphrase; a request beside it, and a card to print.

    No file is overwritten. Do this on the machine, or on the medium, where the key will be kept: what was deleted
    elsewhere can be found again. The request and the card hold nothing secret.
    """
    voice, path, kind = Voice(), Path(file), KeyAlgorithm(algorithm)
    wanted = _checked(hosts)
    named = name or path.stem
    check_name(named, "a key")
    check_text(stored, "stored")
    request = path.with_suffix(".csr") if wanted else None
    picture = path.with_suffix(".svg")
    _refuse_what_exists(path, *((request,) if request else ()), picture)
    passphrase = given_passphrase(passphrase_file, what="the new key", is_new=True)
    check_passphrase(passphrase)
    made = BackupKey.generate(kind)
    printed = card(made, name=named, algorithm=kind.title, made=at.date(), stored=stored, hosts=wanted)
    asked = made.request(wanted) if request is not None else b""
    write_new(file, made.sealed(passphrase), mode=0o600)
    _prove(path, passphrase, made)
    if request is not None:
        write_new(str(request), asked, mode=0o644)
    write_new(str(picture), printed.encode(), mode=0o644)
    table = key_table(named, made.pin, stored=stored)
    if is_json:
        voice.document({
            "name": named, "algorithm": kind.value, "pin": str(made.pin),
            "fingerprint": made.fingerprint.replace(" ", ""), "hosts": list(wanted), "key": file,
            "request": None if request is None else str(request), "card": str(picture), "toml": table,
        })  # fmt: skip
    else:
        shown = [(file, f"the private key, {kind.title}, sealed")]
        shown += [] if request is None else [(str(request), f"the certification request, for {', '.join(wanted)}")]
        _print([*shown, (str(picture), "the card to print")], table, voice)
    _advise(kind, stored, voice)
    return ExitCode.GOOD


def _print(files: list[tuple[str, str]], table: str, voice: Voice) -> None:
    wide = max(len(escaped(file)) for file, _ in files)
    for file, text in files:
        voice.answer(f"{escaped(file):<{wide}}  {text}")
    voice.answer()
    for line in table.splitlines():
        voice.answer(line)


def _checked(hosts: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return tuple("*." * host.startswith("*.") + canonical_host(host.removeprefix("*.")) for host in hosts)
    except InvalidHostError as error:
        raise click.BadParameter(str(error), param_hint="'--host'") from None


def _refuse_what_exists(*paths: Path) -> None:
    """Look before anybody is asked for anything; what comes between is refused when it is written."""
    if len(set(paths)) < len(paths):
        raise BackupKeyError("the ending is that of the request or the card: give the key another, such as .key",
                             source=str(paths[0]))  # fmt: skip
    for path in paths:
        if os.path.lexists(path):
            raise BackupKeyError("it exists, and is not overwritten", source=str(path))


def _prove(path: Path, passphrase: str, made: BackupKey) -> None:
    """Open what was written, so that nobody pins a key that is not there."""
    if BackupKey.open(path.read_bytes(), passphrase, source=str(path)).pin != made.pin:
        raise BackupKeyError("what was written is another key", source=str(path))


def _advise(kind: KeyAlgorithm, stored: str | None, voice: Voice) -> None:
    if not kind.is_issued_for:
        voice.warning(
            f"public authorities issue nothing for {kind.title} keys: this is one for an authority of your own"
        )
    if stored is None:
        voice.hint('say where the key is kept: stored = "..." in its table, or --stored')
    voice.hint("paste the table into the policy, name it under backup-pins, then prove it with 'pinscher key rehearse'")
