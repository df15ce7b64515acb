"""What a person names on the command line, an endpoint, a file or ``-``, and the options that say how to reach it."""

from __future__ import annotations

import functools
import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pinscher.errors import PinningError, escaped
from pinscher.probe import (
    Endpoint,
    KeySource,
    NoAnswerError,
    Observation,
    Protocol,
    ResponseInjectionError,
    StarttlsRefusedError,
    Trust,
    addresses_of,
    observe,
    read_keys,
)
from pinscher.probe.sources import LARGEST_FILE

if TYPE_CHECKING:
    from collections.abc import Callable

STDIN = "-"
_FILE_SUFFIXES = frozenset({".pem", ".crt", ".cer", ".der", ".key", ".csr", ".pub", ".p10", ".toml", ".json"})


class UnreadableFileError(PinningError):
    """A file that the operating system does not give; ``path`` says which."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"cannot read '{escaped(path)}': {reason}")
        self.path = path


@dataclass(frozen=True, slots=True)
class Reach:
    """How the endpoints of one run are reached."""

    protocol: Protocol
    trust: Trust
    connect_to: str | None
    timeout: float

    def endpoint(self, text: str) -> Endpoint:
        """Read an endpoint as a person writes it."""
        return Endpoint.parse(text, protocol=self.protocol, connect_to=self.connect_to)

    def observe(self, endpoint: Endpoint) -> Observation:
        """Look at one endpoint."""
        from pinscher.tls import chains_of  # noqa: PLC0415  (what reads only files does not pay for it)

        return observe(endpoint, trust=self.trust, chains=chains_of, timeout=self.timeout)

    def addresses(self, endpoint: Endpoint) -> list[str]:
        """Return the addresses of an endpoint's name; raise :class:`NoAnswerError` where it has none."""
        return addresses_of(endpoint, timeout=self.timeout)


FAILURES_TO_ANSWER = (NoAnswerError, StarttlsRefusedError, ResponseInjectionError)
"""What goes wrong with one endpoint and says nothing about the next."""


def reach_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options that say how to reach an endpoint; the verb gets them as one ``reach``."""
    protocols = click.Choice([protocol.value for protocol in Protocol if protocol is not Protocol.TLS])

    @functools.wraps(command)
    def with_reach(
        *, starttls: str | None, ca_file: str | None, connect_to: str | None, timeout: float, **rest: object
    ) -> int:
        if math.isnan(timeout):
            raise click.BadParameter("expected a number of seconds", param_hint="'--timeout'")
        _check_address(connect_to)
        protocol = Protocol(starttls or Protocol.TLS.value)
        return command(**rest, reach=Reach(protocol, Trust.of(ca_file), connect_to, timeout))

    seconds = click.FloatRange(min=0, max=3600, min_open=True)
    for option in (
        click.option("--timeout", type=seconds, default=10.0, metavar="SECONDS", show_default="10",
                     help="Give up on one connection after this long."),
        click.option("--connect", "connect_to", metavar="ADDRESS",
                     help="Connect to this address; the name that is verified stays the host's."),
        click.option("--ca-file", type=click.Path(), metavar="FILE",
                     help="Trust the PEM certificates in FILE, and nothing else."),
        click.option("--starttls", type=protocols, help="Begin in clear and upgrade, as this protocol does."),
    ):  # fmt: skip
        with_reach = option(with_reach)
    return with_reach


def _check_address(connect_to: str | None) -> None:
    """Refuse what no resolver can be asked for: Python says that in the words of a codec."""
    try:
        (connect_to or "").encode("idna")
    except UnicodeError:
        told = f"expected an address or a name, found '{escaped(connect_to or '')}'"
        raise click.BadParameter(told, param_hint="'--connect'") from None


json_option = click.option("--json", "is_json", is_flag=True, help="Write the answer as JSON; the fields are below.")
"""Adds ``--json``; a verb documents its fields at the end of its help."""


def is_file(text: str) -> bool:
    """
    Tell whether a person means a file: ``-``, something that exists, or something that looks like a path.

    ``./name`` always means the file and ``name:443`` the host, where the two could be confused. A folder whose name has
    a dot is none: many are called as the host whose files they hold.
    """
    if "://" in text:
        return False
    path = Path(text)
    is_there = path.exists() and not (path.is_dir() and "." in text)
    return text == STDIN or is_there or "/" in text or path.suffix.lower() in _FILE_SUFFIXES


def check_there(path: str) -> None:
    """Raise :class:`UnreadableFileError` for a path that leads to nothing, in the operating system's words."""
    try:
        os.stat(path)
    except OSError as error:
        raise UnreadableFileError(path, (error.strerror or str(error)).lower()) from None
    except ValueError:
        raise UnreadableFileError(path, "the name holds a NUL") from None


def read_bytes(text: str, *, limit: int = LARGEST_FILE) -> bytes:
    """Read a file or standard input, one byte more than *limit* at most; raise :class:`UnreadableFileError`."""
    if text == STDIN:
        return sys.stdin.buffer.read(limit + 1)
    try:
        with Path(text).open("rb") as stream:
            return stream.read(limit + 1)
    except OSError as error:
        raise UnreadableFileError(text, (error.strerror or str(error)).lower()) from None
    except ValueError:
        raise UnreadableFileError(text, "the name holds a NUL") from None


def read_keys_of(text: str) -> tuple[KeySource, ...]:
    """Read every key in a file; an encrypted private key asks for its passphrase at the terminal."""
    source = "<stdin>" if text == STDIN else text
    ask = _ask_passphrase if sys.stdin.isatty() and text != STDIN else None
    return read_keys(read_bytes(text), source=source, passphrase=ask)


def _ask_passphrase(what: str) -> str:
    answer = click.prompt(f"passphrase of {what}", hide_input=True, err=True, default="", show_default=False)
    return str(answer)
