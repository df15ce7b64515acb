"""
What a scenario is: a small function that sets a stage, and the facts about it that are known before it is played.

Rules of this file:

1. A scenario's id comes from its function's name, its page from its docstring. The docstring's first line is a sentence
   that says what happens and what a right client does; after it come the chain, drawn as text, and a link where the
   attack has one.
2. A scenario has one case for each of its parameters. Every case has fresh keys.
3. A case is one or more visits: connections that the client under test is asked to make, one after the other, with the
   same client. The last visit's outcome is the scenario's; those before it have their own.
4. What is expected is written down twice: what a plain client that trusts ``trust`` does (``is_validated``), and what
   a pinned one does (``expected``). The first is checked against ``ssl`` and ``openssl``, the second follows from it.
5. Each family has a positive case. A client that refuses everything has proved nothing.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pinscher.lab.server import TlsServer
    from pinscher.lab.stage import Stage


class Capability(enum.StrEnum):
    """What a client under test must be able to do so that a case says something about it."""

    NAMES = "names"
    """Connects to an address under a name that does not resolve to it."""
    POLICY = "policy"
    """Reads a policy document: report-only, expiry, denied keys, unlisted hosts and patterns."""
    SEVERAL_PINS = "several-pins"
    """Takes more than one pin for a host."""
    AUTHORITY_PINS = "authority-pins"
    """Matches pins of an intermediate or a root, on the validated chain."""
    CERTIFICATE_PINS = "certificate-pins"
    """Takes the hash of a whole certificate."""
    SEVERAL_VISITS = "several-visits"
    """Makes more than one connection with one client object."""
    RESUMPTION = "resumption"
    """Resumes sessions between the visits of one client object."""
    NEW_POLICY = "new-policy"
    """Takes a new policy while it runs."""
    NEW_POLICY_MIDWAY = "new-policy-midway"
    """Takes a new policy in the middle of a handshake."""
    REDIRECTS = "redirects"
    """Follows HTTP redirects."""
    PROXY = "proxy"
    """Goes through an HTTP CONNECT proxy."""
    SECURE_PROXY = "secure-proxy"
    """Speaks TLS to the proxy and TLS inside it."""
    HTTP2 = "http2"
    """Speaks HTTP/2."""
    STARTTLS = "starttls"
    """Begins in clear text and upgrades, as SMTP, IMAP, POP3 and FTP do."""
    CLIENT_CERTIFICATE = "client-certificate"
    """Has a certificate of its own."""


class Transport(enum.StrEnum):
    """How a visit reaches TLS."""

    HTTPS = "https"
    SMTP = "smtp-starttls"
    IMAP = "imap-starttls"
    POP3 = "pop3-starttls"
    FTP = "ftp-starttls"


@dataclass(slots=True, eq=False)
class Midway:
    """A policy that the client is handed in the middle of a handshake, and by whom: the player fills it in."""

    policy: str
    hand_over: Callable[[str], object] = field(default=lambda _: None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One connection that a client under test is asked to make, and what must come of it."""

    host: str
    """The name in the form a user would write it; it is verified and looked up in the policy."""
    server: TlsServer
    """Whose count of application bytes says whether anything leaked; a visit connects to its address."""
    trust: bytes = field(repr=False)
    """PEM: what stands in the trust store of the machine that the client runs on."""
    policy: str = field(repr=False)
    """The policy document, as TOML."""
    pins: tuple[str, ...]
    """The pins and backup pins of this host, for clients that read no policy document."""
    expected: Outcome
    is_validated: bool
    """Whether a plain client that trusts ``trust`` completes the handshake with ``host``."""
    is_reported: bool = False
    """Whether a refusal is softened to a report: the mode is report-only, or the policy has expired into it."""
    has_verdict: bool = True
    """Whether a client with verdicts has the expected one; a refusal outside TLS has none."""
    transport: Transport = Transport.HTTPS
    path: str = "/"
    proxy: str | None = None
    """The URL of the proxy to go through."""
    prepare: Callable[[], object] | None = field(default=None, repr=False)
    """What the other side does just before the visit; the player calls it."""
    midway: Midway | None = None
    """What the client is handed once its ClientHello has arrived."""
    front: TlsServer | None = None
    """The server to connect to where it is another one, which redirects to ``server``."""
    others: tuple[TlsServer, ...] = ()
    """Further servers that must not get an application byte when the visit must be refused."""
    client_certificate: bytes | None = field(default=None, repr=False)
    """PEM chain and key for the client to authenticate itself with."""

    @property
    def is_allowed(self) -> bool:
        """Whether a right client gets through."""
        return self.is_reported or self.expected in (Outcome.MATCH, Outcome.NOT_PINNED)

    @property
    def address(self) -> tuple[str, int]:
        """Where to connect to."""
        return (self.front or self.server).address


@dataclass(frozen=True, slots=True)
class Case:
    """A scenario with one choice of its parameters."""

    scenario: Scenario
    parameters: Mapping[str, Any]

    @property
    def id(self) -> str:
        """Such as ``stuffed-chain[tls=1.3]``."""
        chosen = ",".join(f"{name}={value}" for name, value in self.parameters.items())
        return f"{self.scenario.id}[{chosen}]" if chosen else self.scenario.id

    def set(self, stage: Stage) -> Sequence[Visit]:
        """Set the stage and return the visits to make, in their order."""
        return self.scenario.function(stage, **self.parameters)


@dataclass(frozen=True, slots=True, eq=False)
class Scenario:
    """One function of ``pinscher.lab.scenarios`` and what is known of it before it is played."""

    function: Callable[..., Sequence[Visit]] = field(repr=False)
    family: str
    expected: Outcome
    needs: frozenset[Capability]
    parameters: tuple[Mapping[str, Any], ...] = field(repr=False)
    is_reported: bool = False
    """Whether the last visit's refusal is softened to a report."""

    @property
    def id(self) -> str:
        """The name of the function, with hyphens."""
        return self.function.__name__.replace("_", "-")

    @property
    def title(self) -> str:
        """The first line of the docstring."""
        return (self.function.__doc__ or "").strip().partition("\n")[0]

    @property
    def is_positive(self) -> bool:
        """Whether a right client gets through at the last visit."""
        return self.is_reported or self.expected in (Outcome.MATCH, Outcome.NOT_PINNED)

    @property
    def cases(self) -> tuple[Case, ...]:
        """One case for each choice of parameters."""
        return tuple(Case(self, parameters) for parameters in self.parameters)
