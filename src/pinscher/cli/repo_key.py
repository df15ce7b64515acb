"""``pinscher repo key``: a key that signs."""

from __future__ import annotations

import click

from pinscher.cli.reading import json_option
from pinscher.cli.voice import ExitCode, Voice
from pinscher.errors import escaped

_FIELDS = """
\b
JSON:
  private          the file of the private key
  public           the file of the public key
  keyid            the key's identifier in the metadata
"""


@click.command("key", epilog=_FIELDS)
@click.argument("file", metavar="FILE", type=click.Path())
@click.option("--passphrase", "is_encrypted", is_flag=True, help="Encrypt it with a passphrase, asked for here.")
@json_option
def command(file: str, *, is_encrypted: bool, is_json: bool) -> int:
    """
    Make a key that signs: FILE, which stays with its owner, and FILE.pub, which everybody may have.

    A key in a token or a key management service is made there; its public key is exported as PEM. The online key
    stands on a machine that is reachable, and has to be one of its own.
    """
    from pinscher.updates.repository import make_key  # noqa: PLC0415  (other commands do not pay for its imports)

    voice = Voice()
    passphrase = None
    if is_encrypted:
        passphrase = str(click.prompt("passphrase", hide_input=True, confirmation_prompt=True, err=True))
    key = make_key(file, passphrase=passphrase)
    if is_json:
        voice.document({"private": file, "public": f"{file}.pub", "keyid": key.keyid})
    else:
        voice.answer(f"{escaped(file)}      the private key, for its owner alone")
        voice.answer(f"{escaped(file)}.pub  the public key, for 'pinscher repo init'")
    return ExitCode.GOOD
