"""What the verbs ask a monitor about yesterday's clients, or read of them from a file."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from pinscher.cli.reading import read_bytes
from pinscher.errors import escaped
from pinscher.rotation.heard import (
    LARGEST_HEARD,
    Heard,
    InvalidHeardError,
    Radius,
    radius_of,
    read_heard,
    read_radius,
    worst_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pinscher.rotation.gate import Answer, Judgement, NewCertificate

TOKEN = "PINSCHER_MONITOR_TOKEN"  # noqa: S105  (the name of a variable)
"""The variable that holds an operator's token."""
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_SECONDS = 30.0
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardClients:
    """Where it is said what clients there were, and how large a share of them may be refused."""

    source: str | None
    token_file: str | None
    tolerated: float

    @property
    def is_monitor(self) -> bool:
        """Whether a monitor is asked, which knows policies of its own."""
        return self.source is not None and "://" in self.source

    def radii(self, new: NewCertificate, answers: Sequence[Answer], hosts: Iterable[str]) -> tuple[Radius, ...]:
        """Return what there is for each host; nothing where nobody is asked."""
        if self.source is None:
            return ()
        wanted = dict.fromkeys([*(answer.host for answer in answers), *hosts])
        if not self.is_monitor:
            heard = read_heard(read_bytes(self.source, limit=LARGEST_HEARD), source=self.source)
            return tuple(radius_of(heard, answers, host) for host in wanted)
        return tuple(self._asked(new, host) for host in wanted if not host.startswith("*"))

    def listed(self) -> tuple[Heard, ...]:
        """Return how many clients there were of each policy's version; nothing where nobody is asked."""
        if self.source is None:
            return ()
        content = self._answer("/api/clients") if self.is_monitor else read_bytes(self.source, limit=LARGEST_HEARD)
        return read_heard(content, source=self.source)

    def judged(self, radius: Radius) -> Judgement:
        """Say what follows from what there is for a host."""
        return radius.judged(tolerated=self.tolerated)

    def _asked(self, new: NewCertificate, host: str) -> Radius:
        """Ask the monitor about every path that a client could build, or the leaf alone where there is none."""
        paths = [tuple(chain.certificates) for chain in new.paths(host).validated] or [(new.der,)]
        return worst_of(self._asked_about(host, path) for path in paths)

    def _asked_about(self, host: str, path: tuple[bytes, ...]) -> Radius:
        body = json.dumps({"host": host, "chain": [_pem(der) for der in path]}).encode()
        answer = self._answer("/api/blast-radius", body, about=f" about {host}")
        return read_radius(answer, source=self.source or "", host=host)

    def _answer(self, path: str, body: bytes | None = None, *, about: str = "") -> bytes:
        """Return what the monitor answers to a question; a body asks by POST."""
        source = self.source or ""
        request = urllib.request.Request(  # noqa: S310  (the address was checked)
            f"{_checked(source)}{path}", data=body,
            headers={"Authorization": f"Bearer {self._token()}", "Content-Type": "application/json"},
        )  # fmt: skip
        opener = urllib.request.build_opener(_NoRedirects)
        if urlsplit(source).hostname in _LOOPBACK:
            opener = urllib.request.build_opener(_NoRedirects, urllib.request.ProxyHandler({}))
        try:
            with contextlib.closing(opener.open(request, timeout=_SECONDS)) as answer:
                content: bytes = answer.read(LARGEST_HEARD + 1)
                return content
        except urllib.error.HTTPError as error:
            error.close()
            raise InvalidHeardError(source, f"the monitor answered {error.code} to a question{about}") from None
        except OSError as error:
            cause = getattr(error, "reason", error)
            reason = str(getattr(cause, "strerror", None) or cause).lower()
            raise InvalidHeardError(source, f"the monitor cannot be asked: {escaped(reason)}") from None

    def _token(self) -> str:
        text = os.environ.get(TOKEN, "") if self.token_file is None else _first_line(self.token_file)
        if not text:
            raise InvalidHeardError(self.source or "", f"no operator's token, expected one in {TOKEN} or a file")
        if not text.isascii() or not text.isprintable():
            where = TOKEN if self.token_file is None else f"'{escaped(self.token_file)}'"
            raise InvalidHeardError(self.source or "", f"what is in {where} is no token: expected printable ASCII")
        return text


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Follow nothing: the token is for the address that was given."""


def _first_line(file: str) -> str:
    return read_bytes(file, limit=4096).partition(b"\n")[0].decode("ascii", "replace").strip()


def _checked(url: str) -> str:
    parts = urlsplit(url)
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not is_safe or not parts.hostname or parts.query or parts.fragment or parts.username is not None:
        raise InvalidHeardError(url, "expected https:// and a monitor's address, or http:// on this machine")
    return url.rstrip("/")


def _pem(der: bytes) -> str:
    import base64  # noqa: PLC0415  (who asks no monitor does not pay for it)

    return f"{_BEGIN}\n{base64.encodebytes(der).decode()}{_END}\n"


def heard_lines(radii: Iterable[Radius], clients: HeardClients) -> Iterator[tuple[Judgement, str]]:
    """Yield what follows for each host, and a line that says why."""
    for radius in radii:
        worst = sorted(radius.versions.items(), key=lambda one: (-one[1], one[0]))[:5]
        told = f" ({', '.join(f'{escaped(name)}: {count:,}' for name, count in worst)})" if worst else ""
        unknown = f", and of {radius.unknown:,} it is not known" if radius.unknown else ""
        text = f"{radius.refusing:,} of {radius.clients:,} clients of the last day would refuse it{told}{unknown}"
        yield clients.judged(radius), f"{escaped(radius.host)}: {text}"


def heard_objects(radii: Iterable[Radius], clients: HeardClients) -> list[dict[str, object]]:
    """Return the ``--json`` objects of what was heard."""
    return [
        {"host": escaped(one.host), "clients": one.clients, "refusing": one.refusing, "unknown": one.unknown,
         "versions": {escaped(name): count for name, count in one.versions.items()},
         "answer": clients.judged(one).value}
        for one in radii
    ]  # fmt: skip


_CLIENTS = click.option(
    "--clients", metavar="FILE|URL",
    help="Ask this monitor which of yesterday's clients would refuse, or count them by what its /api/clients "
         "answered. It only ever adds a refusal.",
)  # fmt: skip
_TOKEN = click.option(
    "--clients-token", metavar="FILE", help=f"The operator's token for that monitor; without it {TOKEN} is read."
)
_TOLERATED = click.option(
    "--refusing-at-most", type=click.FloatRange(0, 100), default=0.0, metavar="PERCENT", show_default="0",
    help="So many of --clients may refuse, or be unknown.",
)  # fmt: skip


def heard_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options of this file; the verb gets them as one ``heard``."""
    return _CLIENTS(_TOKEN(_TOLERATED(_with_heard(command))))


def listed_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add the options that say what clients there were; the verb gets them as one ``heard``, and judges nothing."""
    return _CLIENTS(_TOKEN(_with_heard(command)))


def _with_heard(command: Callable[..., int]) -> Callable[..., int]:
    @functools.wraps(command)
    def with_heard(
        *, clients: str | None, clients_token: str | None, refusing_at_most: float = 0.0, **rest: object
    ) -> int:
        if clients is not None and "://" not in clients and not Path(clients).exists() and clients != "-":
            raise click.BadParameter(f"there is no file '{escaped(clients)}'", param_hint="'--clients'")
        made = HeardClients(source=clients, token_file=clients_token, tolerated=refusing_at_most / 100)
        return command(**rest, heard=made)

    return with_heard
