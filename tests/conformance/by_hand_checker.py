"""A pinning check written by hand out of small steps, right in each of them, so that a wrong one can replace one step."""

from __future__ import annotations

import http.client
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pinscher.der import SubjectPublicKeyInfo
from pinscher.entry import HostPolicy, Mode, OnExpiry, Redirects, UnlistedHosts
from pinscher.errors import PinningError
from pinscher.lab.client import Reply
from pinscher.lab.own import reached
from pinscher.lab.scenario import Capability
from pinscher.lab.server import load
from pinscher.lab.talk import Target, exchange
from pinscher.pin import Pin
from pinscher.policy import Policy
from pinscher.tls import chains_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.lab.scenario import Visit

REFUSALS = (OSError, PinningError, http.client.HTTPException, EOFError, ValueError)


class RefusedError(PinningError):
    """The check did not let a connection through."""


class Checker:
    """Verifies with ``ssl``, looks at the chain that was built, and asks a policy; every method is one step."""

    capabilities = frozenset(Capability) - {Capability.SECURE_PROXY, Capability.HTTP2}
    checks_name = True

    def __init__(self) -> None:
        self.remembered: tuple[ssl.SSLSession | None, str, tuple[bytes, ...]] | None = None
        self._context: ssl.SSLContext | None = None
        self._trusted: bytes = b""

    def visit(self, visit: Visit) -> Reply:
        """Make the visit, redirects included."""
        try:
            self.exchange(visit)
        except REFUSALS as error:
            return Reply(accepted=False, said=str(error))
        return Reply(accepted=True)

    def close(self) -> None:
        """Forget everything."""
        self.remembered = self._context = None

    def exchange(self, visit: Visit) -> None:
        """Connect, check, talk, and follow what is to be followed."""
        target = Target.of(visit)
        for _ in range(5):
            location = self.connect(visit, target)
            if location is None:
                return
            target = self.follow(visit, target, location)
        raise RefusedError("too many redirects")

    def connect(self, visit: Visit, target: Target) -> str | None:
        """Make one connection and return where it redirects to."""
        context = self.context(visit)
        with reached(visit, target) as tcp:
            with context.wrap_socket(tcp, server_hostname=target.host, session=self.session(target)) as secured:
                location = self.checked(secured, visit, target)
                if not secured.session_reused:
                    self.remembered = secured.session, target.host, chains_of(secured)[1]
        return location

    def checked(self, secured: ssl.SSLSocket, visit: Visit, target: Target) -> str | None:
        """Check first, then talk."""
        self.check(secured, visit, target)
        return exchange(secured, visit, target)

    def context(self, visit: Visit) -> ssl.SSLContext:
        """Return the one context of this client, which trusts what the machine trusts."""
        if self._context is None or self._trusted != visit.trust:
            context = ssl.create_default_context(cadata=visit.trust.decode())
            context.check_hostname = self.checks_name
            # Python 3.13's default contexts let a path end anywhere.
            context.verify_flags &= ~ssl.VERIFY_X509_PARTIAL_CHAIN
            if visit.client_certificate is not None:
                load(context, visit.client_certificate)
            self._context, self._trusted, self.remembered = context, visit.trust, None
        return self._context

    def session(self, target: Target) -> ssl.SSLSession | None:
        """Offer the last session again, to the host that it was made with."""
        if self.remembered is None or self.remembered[1] != target.host:
            return None
        return self.remembered[0]

    def check(self, secured: ssl.SSLSocket, visit: Visit, target: Target) -> None:
        """Raise unless the policy lets the connection through."""
        policy = self.policy(visit)
        entry = self.entry(policy, target.host)
        if entry is None:
            if policy.unlisted_hosts is UnlistedHosts.DENY:
                raise RefusedError("an unlisted host")
            return
        if entry.pinset is not None and not self.is_right(entry, self.chain(secured), policy):
            self.refuse(entry)

    def policy(self, visit: Visit) -> Policy:
        """Return the policy in force now."""
        return Policy.loads(visit.policy)

    def entry(self, policy: Policy, host: str) -> HostPolicy | None:
        """Return the entry of a host."""
        return policy.lookup(host)

    def chain(self, secured: ssl.SSLSocket) -> Sequence[bytes]:
        """Return the certificates to look at: what was built, or what was built when the session was."""
        if secured.session_reused:
            if self.remembered is None:
                raise RefusedError("a resumed session that nobody remembers")
            return self.remembered[2]
        return chains_of(secured)[1]

    def is_right(self, entry: HostPolicy, chain: Sequence[bytes], policy: Policy) -> bool:
        """Decide."""
        pins, backups, denied = self.groups(entry)
        found = {pin for certificate in chain for pin in self.pins_of(certificate)}
        if any(self.is_same(pin, one) for one in denied for pin in found):
            return False
        if entry.on_expiry is OnExpiry.FAIL and self.is_expired(entry):
            return False
        return any(self.is_same(pin, one) for one in (*pins, *backups) for pin in found)

    def groups(self, entry: HostPolicy) -> tuple[tuple[Pin, ...], tuple[Pin, ...], tuple[Pin, ...]]:
        """Return pins, backup pins and denied keys."""
        assert entry.pinset is not None
        return entry.pinset.groups

    def pins_of(self, certificate: bytes) -> tuple[Pin, ...]:
        """Return what a certificate may be pinned by."""
        key = SubjectPublicKeyInfo.of_certificate(certificate)
        return Pin.of(certificate, kind="certificate"), Pin.parse(self.spki_pin(certificate, key))

    def spki_pin(self, certificate: bytes, key: SubjectPublicKeyInfo) -> str:
        """Return the pin of a certificate's key."""
        return str(Pin.of(certificate))

    def is_same(self, found: Pin, pin: Pin) -> bool:
        """Compare."""
        return found == pin

    def is_expired(self, entry: HostPolicy) -> bool:
        """Tell whether an entry is past its date."""
        return entry.expires is not None and datetime.now(UTC) > entry.expires

    def refuse(self, entry: HostPolicy) -> None:
        """Raise, unless the entry only reports."""
        softened = entry.mode is Mode.REPORT_ONLY or (entry.on_expiry is OnExpiry.REPORT and self.is_expired(entry))
        if not softened:
            raise RefusedError("no pin matches")

    def follow(self, visit: Visit, target: Target, location: str) -> Target:
        """Return where a redirect leads, if it is to be followed."""
        found = target.after(location)
        policy = self.policy(visit)
        entry, onward = policy.lookup(target.host), policy.lookup(found.host)
        is_pinned = onward is not None and onward.pinset is not None
        if not found.is_secure or (entry is not None and entry.redirects is Redirects.PINNED_ONLY and not is_pinned):
            raise RefusedError("a redirect that leaves the pins")
        return found
