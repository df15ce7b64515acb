"""
The stage of one case: fresh authorities, servers that end with it, and the visits a client is asked to make.

Nothing outlives a stage: no thread, no descriptor, no file.
"""

from __future__ import annotations

import base64
import contextlib
import os
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from pinscher.lab.authority import Authority, HeldCertificate
from pinscher.lab.scenario import Visit
from pinscher.lab.server import TlsServer
from pinscher.pin import Pin
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from pinscher.lab.protocols import Protocol

HOST = "localhost"
"""The name of every server that is not about names: simple programs reach it without further ado."""

Pinned: TypeAlias = Pin | HeldCertificate | Authority | str
"""What can be pinned: a pin, or what holds the key."""


@dataclass(frozen=True, slots=True)
class Bank:
    """A genuine server's world: a root, an intermediate below it, and the certificate it shows."""

    root: Authority
    authority: Authority
    genuine: HeldCertificate

    def rogue(self, *names: str, **settings: Any) -> HeldCertificate:
        """Return a certificate of the same authority for the same names with another key."""
        return self.authority.issue(*(names or self.genuine.request.names), **settings)


class Stage:
    """
    Where one case is played; it ends with the ``with`` block.

    *protocol* is what servers speak where the scenario does not care.
    """

    def __init__(self, protocol: str | Protocol = "http") -> None:
        self._protocol = protocol
        self._servers = contextlib.ExitStack()
        self._unheld = unheld_pin()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End every server."""
        self._servers.close()

    def bank(self, *names: str, key: Any = None, authority_key: Any = None) -> Bank:
        """Make a genuine server's world with fresh keys."""
        root = Authority.root("Genuine Root", key=authority_key)
        authority = root.intermediate("Genuine Intermediate", key=authority_key)
        return Bank(root, authority, authority.issue(*(names or (HOST,)), key=key))

    def serve(
        self, held: HeldCertificate, *, tls: str | None = None, protocol: str | Protocol | None = None, **settings: Any
    ) -> TlsServer:
        """Start a server that shows *held*, of one TLS version or of both."""
        version = None if tls is None else _VERSIONS[tls]
        spoken = self._protocol if protocol is None else protocol
        server = TlsServer(held, protocol=spoken, minimum_version=version, maximum_version=version, **settings)
        return self._servers.enter_context(server)

    def visit(
        self,
        server: TlsServer,
        *,
        pins: Iterable[Pinned],
        trust: Iterable[Authority],
        expected: Outcome = Outcome.MATCH,
        backups: Iterable[Pinned] = (),
        host: str = HOST,
        pattern: str | None = None,
        is_validated: bool | None = None,
        entry: str = "",
        defaults: str = "",
        more: str = "",
        version: int = 1,
        **others: Any,
    ) -> Visit:
        """
        Return a visit whose policy pins *pins* and *backups* for *pattern*, which is *host* unless said.

        *entry* is TOML for that entry, *defaults* for the policy's defaults, and *more* stands at the end.
        """
        texts = [pin_of(pinned) for pinned in pins], [pin_of(pinned) for pinned in backups]
        document = _DOCUMENT.format(
            version=version, defaults=defaults, pattern=_quoted(pattern or host), pins=_listed(texts[0]),
            backups=_listed(texts[1] or [self._unheld]), entry=entry, more=more,
        )  # fmt: skip
        return Visit(
            host=host, server=server, trust=b"".join(authority.pem for authority in trust), policy=document,
            pins=(*texts[0], *texts[1]), expected=expected,
            is_validated=expected is not Outcome.CHAIN_NOT_VALIDATED if is_validated is None else is_validated,
            **others,
        )  # fmt: skip


_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

_DOCUMENT = """\
format = 1
name = "lab"
version = {version}
[defaults]
{defaults}
[hosts.{pattern}]
pins = [{pins}]
backup-pins = [{backups}]
{entry}
{more}
"""


def pin_of(pinned: Pinned) -> str:
    """Return the text of a pin, or of the SPKI pin of what holds the key."""
    if isinstance(pinned, str | Pin):
        return str(pinned)
    return str(Pin.of(pinned.certificate if isinstance(pinned, Authority) else pinned.der))


def unheld_pin() -> str:
    """Return a pin that no key of the world has: a backup for a policy whose case is not about backups."""
    return f"sha256/{base64.b64encode(os.urandom(32)).decode()}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(map(_quoted, texts))
