"""Where the key of a store is, as a person names it on the command line."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

import click

from pinscher.store import KeptKey, KeyFile, KeyRing, Passphrase, SystemdCredential, Tpm, provided_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from pinscher.store import Custody

PLACES = "keyring:LABEL, file:PATH, credential:PATH, tpm:PATH, provided:PATH or passphrase"
_KINDS: dict[str, Callable[[str], Custody]] = {
    "keyring": lambda label: KeptKey(KeyRing(label)),
    "file": lambda path: KeptKey(KeyFile(path)),
    "credential": lambda path: KeptKey(SystemdCredential(path)),
    "tpm": lambda path: KeptKey(_tpm(path)),
    "provided": provided_key,
}


def store_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add the store and its key; the verb gets them as ``path`` and ``custody``."""

    @functools.wraps(command)
    def with_custody(*, key: str, **rest: object) -> int:
        return command(**rest, custody=custody_of(key))

    for option in (
        click.option("--key", required=True, metavar="WHERE",
                     help=f"Where its key is: {PLACES}."),
        click.argument("path", metavar="STORE"),
    ):  # fmt: skip
        with_custody = option(with_custody)
    return with_custody


def custody_of(text: str) -> Custody:
    """Read where a key is."""
    if text == "passphrase":
        return Passphrase(_ask)
    kind, colon, where = text.partition(":")
    if kind not in _KINDS or not colon or not where:
        raise click.BadParameter(f"expected {PLACES}", param_hint="'--key'")
    return _KINDS[kind](where)


def _tpm(path: str) -> Tpm:
    """Return the key in this machine's TPM, at the address that tpm2-tools go by if they are told one."""
    # The software stack would write to the terminal what the error says.
    os.environ.setdefault("TSS2_LOG", "all+NONE")
    interface = os.environ.get("TPM2TOOLS_TCTI")
    return Tpm(path, interface) if interface else Tpm(path)


def _ask() -> str:
    return str(click.prompt("passphrase of the store", hide_input=True, err=True))
