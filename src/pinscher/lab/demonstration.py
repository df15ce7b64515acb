"""
The main job on real parts: a bank, a real interceptor whose CA the client trusts, and one client with and without pins.

Every step says what must happen, what happened, and by whose evidence: the bank's own count of the bytes it read, or
the interceptor's own log. Nothing outside a temporary folder is touched, and nothing is left behind.
"""

from __future__ import annotations

import contextlib
import enum
import http.client
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.lab.authority import Authority, HeldCertificate
from pinscher.lab.interception import Interceptor
from pinscher.lab.keys import SigningKey
from pinscher.lab.server import TlsServer
from pinscher.pin import Pin
from pinscher.policy import Policy
from pinscher.tls import PinMismatchError, PinnedContext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

HOST = "localhost"
PASSWORD = "correct-horse-battery-staple"  # noqa: S105  (the secret of the demonstration)
_TIMEOUT = 10.0


class Ending(enum.Enum):
    """How a step may end."""

    LOGGED_IN = "logged in"
    STOLEN = "logged in, password stolen"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the demonstration, with its evidence."""

    title: str
    expected: Ending
    happened: Ending
    evidence: str
    detail: str = ""

    @property
    def is_right(self) -> bool:
        """Whether the step ended as it must."""
        return self.expected is self.happened


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What the client saw of one login."""

    ending: Ending
    error: str = ""


def log_in(context: ssl.SSLContext, port: int, proxy: tuple[str, int] | None) -> None:
    """Send the password to the bank; the same code with and without pins."""
    connection = http.client.HTTPSConnection(*(proxy or (HOST, port)), context=context, timeout=_TIMEOUT)
    with contextlib.closing(connection):
        if proxy is not None:
            connection.set_tunnel(HOST, port)
        connection.request("POST", "/login", body=f"user=ada&password={PASSWORD}")
        connection.getresponse().read()


def _attempt(context: ssl.SSLContext, port: int, proxy: tuple[str, int] | None = None) -> _Attempt:
    try:
        log_in(context, port, proxy)
    except PinMismatchError as error:
        return _Attempt(Ending.REFUSED, str(error))
    except (OSError, http.client.HTTPException) as error:
        return _Attempt(Ending.FAILED, f"{type(error).__name__}: {error}")
    return _Attempt(Ending.LOGGED_IN)


def policy_text(genuine: HeldCertificate, backup: SigningKey) -> str:
    """Return the policy that the pinned client is given: the bank's key, and a backup key not deployed yet."""
    held = genuine.authority.issue(HOST, key=backup)
    return (
        'format = 1\nname = "demo"\nversion = 1\n\n'
        f'[hosts.{HOST}]\npins = ["{Pin.of(genuine.der)}"]\nbackup-pins = ["{Pin.of(held.der)}"]\n'
    )


def demonstrate(mitmdump: Sequence[str], *, say: Callable[[str], None]) -> Iterator[Step]:
    """Play the steps with the given mitmproxy; *say* hears what is being set up."""
    say("starting a bank on the loopback, with a certificate of a fresh authority")
    root = Authority.root("Demo Root CA")
    backup = SigningKey.generate("p256")
    bank = root.issue(HOST)
    policy = policy_text(bank, backup)
    with TlsServer(bank, protocol="http") as server:
        say("starting mitmproxy in front of it, with a certificate authority of its own")
        routes = {HOST: server.address}
        with Interceptor(routes=routes, upstream_ca=root.pem, mitmdump=mitmdump) as proxy:
            stage = _Stage(server, proxy, root.pem + proxy.ca_pem, policy)
            yield stage.unpinned()
            yield stage.intercepted()
            yield stage.pinned_and_intercepted()
            yield stage.direct("pinned, nobody in between")
            server.show(bank.renew())
            yield stage.direct("pinned, certificate renewed with the same key")
            server.show(root.issue(HOST, key=backup))
            yield stage.direct("pinned, server rotated to the backup key")
            server.show(root.issue(HOST))
            yield stage.rogue()


class _Stage:
    """The parts of a demonstration, and the steps that are played with them."""

    def __init__(self, server: TlsServer, proxy: Interceptor, trusted: bytes, policy: str) -> None:
        self._server = server
        self._proxy = proxy
        self._plain = ssl.create_default_context(cadata=trusted.decode("ascii"))
        self._pinned = PinnedContext(Policy.loads(policy), trust=trusted)
        self._way = (proxy.host, proxy.port)

    def unpinned(self) -> Step:
        return self._step("no pins, nobody in between", Ending.LOGGED_IN, self._attempt(self._plain))

    def direct(self, title: str) -> Step:
        return self._step(title, Ending.LOGGED_IN, self._attempt(self._pinned))

    def rogue(self) -> Step:
        title = "pinned, a rogue key under the right authority"
        return self._step(title, Ending.REFUSED, self._attempt(self._pinned), is_detailed=True)

    def _attempt(self, context: ssl.SSLContext) -> tuple[_Attempt, int]:
        before = self._server.application_bytes
        attempt = _attempt(context, self._server.port)
        self._server.wait_idle()
        return attempt, self._server.application_bytes - before

    @staticmethod
    def _step(title: str, expected: Ending, seen: tuple[_Attempt, int], *, is_detailed: bool = False) -> Step:
        attempt, count = seen
        happened = attempt.ending
        if happened is Ending.REFUSED and count:
            happened = Ending.FAILED
        detail = attempt.error if is_detailed or happened is not expected else ""
        evidence = f"the server read {count} bytes"
        return Step(title=title, expected=expected, happened=happened, evidence=evidence, detail=detail)

    def intercepted(self) -> Step:
        """The client trusts the interceptor's CA and has no pins."""
        attempt, stolen, count = self._intercept(self._plain)
        happened = Ending.STOLEN if attempt.ending is Ending.LOGGED_IN and PASSWORD in stolen else attempt.ending
        return Step(
            title="no pins, mitmproxy in between",
            expected=Ending.STOLEN,
            happened=happened,
            evidence=f"mitmproxy read {count} bytes: {stolen}",
            detail=attempt.error,
        )

    def pinned_and_intercepted(self) -> Step:
        """The client trusts the interceptor's CA all the same, and has pins."""
        attempt, stolen, count = self._intercept(self._pinned)
        happened = Ending.FAILED if attempt.ending is Ending.REFUSED and (count or stolen) else attempt.ending
        return Step(
            title="pinned, mitmproxy in between",
            expected=Ending.REFUSED,
            happened=happened,
            evidence=f"mitmproxy read {count} bytes",
            detail=attempt.error,
        )

    def _intercept(self, context: ssl.SSLContext) -> tuple[_Attempt, str, int]:
        """Log in through mitmproxy, and return what its own log says that it read."""
        before = len(self._proxy.flows())
        attempt = _attempt(context, self._server.port, self._way)
        self._proxy.wait_idle()
        flows = self._proxy.flows()[before:]
        read = "".join(flow.body.decode("ascii", "replace") for flow in flows)
        return attempt, read, sum(flow.application_bytes for flow in flows)
