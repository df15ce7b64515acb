"""
One visit as a program or a test is told of it: names, addresses, and files that last as long as the case.

Rules of this file:

1. Every value has one name: ``{name}`` in the arguments of a command, and ``PINSCHER_LAB_{NAME}`` in its environment.
2. A value that a visit does not have is empty.
3. The files hold throw-away material, can be read by this user alone, and are gone after the case.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from pinscher.errors import PinningError, escaped
from pinscher.lab.client import SECRET
from pinscher.lab.scenario import Transport
from pinscher.lab.workplace import private

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pinscher.lab.scenario import Visit


class PlaceholderError(PinningError, ValueError):
    """A command has a placeholder that stands for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What a client has to know for one visit."""

    url: str
    """Such as ``https://localhost:4433/``; the name is the one to verify, and need not resolve."""
    host: str
    address: str
    """Where the server listens; a client connects to it whatever the name resolves to."""
    port: int
    ca: str
    """A PEM file: the authorities that the client's machine trusts."""
    policy: str
    """A TOML file: the policy document."""
    pins: tuple[str, ...]
    """The pins of this host as ``sha256/...`` or ``cert-sha256/...``, for clients that read no policy."""
    expected: str
    """``accept`` or ``refuse``."""
    path: str
    proxy: str
    """The URL of a proxy to go through, or empty."""
    secret: str
    """What to send once the server is accepted, and never else."""
    certificate: str
    """A PEM file with the client's own certificate and key, or empty."""
    state: str
    """A folder that is kept over the visits of a case."""

    @classmethod
    def of(cls, visit: Visit, folder: Path) -> Errand:
        """Write the files of *visit* into *folder* and name everything."""
        address, port = visit.address
        return cls(
            url=_url(visit), host=visit.host, address=address, port=port, ca=_written(folder, "ca.pem", visit.trust),
            policy=_written(folder, "policy.toml", visit.policy.encode()), pins=visit.pins,
            expected="accept" if visit.is_allowed else "refuse", path=visit.path, proxy=visit.proxy or "",
            secret=SECRET, state=_state(folder),
            certificate=_written(folder, "client.pem", visit.client_certificate) if visit.client_certificate else "",
        )  # fmt: skip

    @property
    def values(self) -> dict[str, str]:
        """Every value by its name, as text; pins stand between commas, ``curl_pins`` are written as curl wants them."""
        plain = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "pins"}
        pins = {"pins": ",".join(self.pins), "curl_pins": _as_curl_writes(self.pins)}
        return {name: str(value) for name, value in plain.items()} | pins

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a program: this process's own, without proxies, with every value and the trust store."""
        kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        told = {f"PINSCHER_LAB_{_VARIABLES.get(name, name).upper()}": value for name, value in self.values.items()}
        return kept | told | dict.fromkeys(TRUST_VARIABLES, self.ca)

    def filled(self, command: Sequence[str]) -> list[str]:
        """Return *command* with every placeholder replaced; ``{{`` and ``}}`` stand for braces."""
        return [_filled(argument, self.values) for argument in command]


PLACEHOLDERS = (
    "url", "host", "address", "port", "ca", "policy", "pins", "curl_pins", "expected", "path", "proxy", "secret",
    "certificate", "state",
)  # fmt: skip
"""What can stand between braces in the arguments of a command."""
TRUST_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
"""The environment variables by which common TLS libraries are told what the machine trusts."""
_VARIABLES = {"ca": "ca_file", "policy": "policy_file", "certificate": "certificate_file"}
_SCHEMES = {Transport.HTTPS: "https", Transport.SMTP: "smtp", Transport.IMAP: "imap", Transport.POP3: "pop3",
            Transport.FTP: "ftp"}  # fmt: skip


def check(command: Sequence[str]) -> None:
    """Raise :class:`PlaceholderError` if *command* has a placeholder that stands for nothing."""
    for argument in command:
        _filled(argument, dict.fromkeys(PLACEHOLDERS, ""))


def _filled(argument: str, values: dict[str, str]) -> str:
    try:
        return argument.format_map(values)
    except (KeyError, ValueError, IndexError, AttributeError, TypeError):
        known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        raise PlaceholderError(
            f"'{escaped(argument)}' has braces that stand for nothing, expected one of {known}; "
            "write {{ and }} for braces of the program's own"
        ) from None


def _url(visit: Visit) -> str:
    host = f"[{visit.host}]" if ":" in visit.host else visit.host
    path = visit.path if visit.transport is Transport.HTTPS else ""
    return f"{_SCHEMES[visit.transport]}://{host}:{visit.address[1]}{path}"


def _written(folder: Path, name: str, content: bytes) -> str:
    path = folder / name
    path.unlink(missing_ok=True)
    with private(path) as file:
        file.write(content)
    return str(path)


def _state(folder: Path) -> str:
    state = folder / "state"
    state.mkdir(mode=0o700, exist_ok=True)
    return str(state)


def _as_curl_writes(pins: tuple[str, ...]) -> str:
    return ";".join(pin.replace("sha256/", "sha256//", 1) for pin in pins if pin.startswith("sha256/"))
