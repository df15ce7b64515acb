"""
Deliberately wrong pinning checks: each takes one step of :class:`Checker` and gets it wrong, as people have.

``killed_by`` names the scenario that shows it. The page docs/reference/kill-matrix.md is made from this table.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pinscher.entry import HostPolicy, OnExpiry, UnlistedHosts
from pinscher.lab.client import Contestant
from pinscher.lab.talk import Target, exchange
from pinscher.pin import Pin
from pinscher.tls import chains_of
from tests.conformance.by_hand_checker import Checker, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pinscher.der import SubjectPublicKeyInfo
    from pinscher.lab.scenario import Visit
    from pinscher.policy import Policy


@dataclass(frozen=True)
class Wrong:
    """A wrong checker and the scenario that must kill it."""

    name: str
    kind: type[Checker]
    killed_by: str
    why: str

    @property
    def contestant(self) -> Contestant:
        """The checker as a contestant."""
        return Contestant(self.name, self.kind.capabilities, self.kind)

    def __str__(self) -> str:
        return self.name


WRONG: list[Wrong] = []


def wrong(killed_by: str) -> Callable[[type[Checker]], type[Checker]]:
    """Put a checker on the table; its name is the class's, and what it gets wrong its docstring."""

    def register(kind: type[Checker]) -> type[Checker]:
        words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in kind.__name__).strip()
        WRONG.append(Wrong(words, kind, killed_by, (kind.__doc__ or "").strip()))
        return kind

    return register


@wrong("genuine-chain-behind")
class MatchesThePresentedChain(Checker):
    """Looks at what the server sent instead of what was validated."""

    def chain(self, secured: ssl.SSLSocket) -> Sequence[bytes]:
        """Return what was sent."""
        return chains_of(secured)[0] or super().chain(secured)


@wrong("resumed-after-the-pin-was-withdrawn")
class AcceptsAnEmptyChain(Checker):
    """Finds nothing wrong where there is nothing, as after a resumption."""

    def chain(self, secured: ssl.SSLSocket) -> Sequence[bytes]:
        """Return what was built, if anything."""
        return chains_of(secured)[1]

    def is_right(self, entry: HostPolicy, chain: Sequence[bytes], policy: Policy) -> bool:
        """Decide about some chains only."""
        return not chain or super().is_right(entry, chain, policy)


@wrong("wrong-key-under-the-right-authority")
class ChecksInDoHandshakeOnly(Checker):
    """Overrides ``do_handshake``, which a socket that shakes hands on its first write never calls."""

    def connect(self, visit: Visit, target: Target) -> str | None:
        """Write at once."""
        from pinscher.lab.own import reached

        checker = self

        class Checked(ssl.SSLSocket):
            def do_handshake(self, block: bool = False) -> None:
                super().do_handshake(block)
                checker.check(self, visit, target)

        context = self.context(visit)
        context.sslsocket_class = Checked
        with reached(visit, target) as tcp:
            with context.wrap_socket(tcp, server_hostname=target.host, do_handshake_on_connect=False) as secured:
                return exchange(secured, visit, target)


@wrong("unusual-encoding")
class EncodesTheKeyAnew(Checker):
    """Hashes the key as its own library would write it, not as it stands in the certificate."""

    def spki_pin(self, certificate: bytes, key: SubjectPublicKeyInfo) -> str:
        """Hash a new encoding."""
        public = x509.load_der_x509_certificate(certificate).public_key()
        return _pin(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def _pin(hashed: bytes) -> str:
    return "sha256/" + base64.b64encode(hashlib.sha256(hashed).digest()).decode()


@wrong("name-in-capitals-with-another-key")
class LooksUpTheHostAsWritten(Checker):
    """Compares the URL's host with the policy's letter by letter, and takes what it does not find for not pinned."""

    def check(self, secured: ssl.SSLSocket, visit: Visit, target: Target) -> None:
        """Let through what is not found."""
        if target.host in {str(entry.pattern) for entry in self.policy(visit).hosts} or "*" in visit.policy:
            super().check(secured, visit, target)


@wrong("forged-issuer")
class TrustsAnUnverifiedChain(Checker):
    """Turns verification off "because of the pins", and takes a chain linked by names for a validated one."""

    checks_name = False

    def context(self, visit: Visit) -> ssl.SSLContext:
        """Verify nothing."""
        context = super().context(visit)
        context.verify_mode = ssl.CERT_NONE
        return context

    def chain(self, secured: ssl.SSLSocket) -> Sequence[bytes]:
        """Return what was sent or linked."""
        return (*chains_of(secured)[1], *chains_of(secured)[0])


@wrong("intermediate-trusted-alone")
class EndsThePathAnywhere(Checker):
    """Lets a path end at any certificate in the trust store, as Python 3.13's default contexts do."""

    def context(self, visit: Visit) -> ssl.SSLContext:
        """Allow partial chains."""
        context = super().context(visit)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        return context


@wrong("pinned-intermediate")
class LooksAtTheFirstCertificateOnly(Checker):
    """Cannot match a pin of an authority."""

    def chain(self, secured: ssl.SSLSocket) -> Sequence[bytes]:
        """Return the leaf."""
        return super().chain(secured)[:1]


@wrong("pinned-leaf")
class LooksAtTheLastCertificateOnly(Checker):
    """Cannot match a pin of a leaf."""

    def chain(self, secured: ssl.SSLSocket) -> Sequence[bytes]:
        """Return the root."""
        return super().chain(secured)[-1:]


@wrong("resumed-after-the-key-was-denied")
class IgnoresResumption(Checker):
    """Takes a resumed session for one that was checked."""

    def check(self, secured: ssl.SSLSocket, visit: Visit, target: Target) -> None:
        """Check full handshakes."""
        if not secured.session_reused:
            super().check(secured, visit, target)


@wrong("resumed-across-hosts")
class OffersSessionsToAnyHost(Checker):
    """Resumes one host's session with another, and takes the name for verified."""

    def session(self, target: Target) -> ssl.SSLSession | None:
        """Offer whatever there is."""
        return self.remembered[0] if self.remembered else None

    def check(self, secured: ssl.SSLSocket, visit: Visit, target: Target) -> None:
        """Check full handshakes."""
        if not secured.session_reused:
            super().check(secured, visit, target)


@wrong("undecodable-subject-of-a-rogue")
class PassesOnAParserError(Checker):
    """Lets through what its parser does not understand."""

    def pins_of(self, certificate: bytes) -> tuple[Pin, ...]:
        """Read it with a strict parser."""
        x509.load_der_x509_certificate(certificate).public_key()
        return super().pins_of(certificate)

    def is_right(self, entry: HostPolicy, chain: Sequence[bytes], policy: Policy) -> bool:
        """Say yes rather than nothing."""
        try:
            return super().is_right(entry, chain, policy)
        except (ValueError, UnsupportedAlgorithm):
            return True


@wrong("digest-of-the-same-beginning")
class ComparesPrefixes(Checker):
    """Compares the first bytes of a hash."""

    def is_same(self, found: Pin, pin: Pin) -> bool:
        """Compare eight bytes."""
        return found.digest[:8] == pin.digest[:8]


@wrong("digest-in-another-case")
class ComparesWithoutCase(Checker):
    """Compares base64 without regard to its case."""

    def is_same(self, found: Pin, pin: Pin) -> bool:
        """Compare lower case."""
        return str(found).lower() == str(pin).lower()


@wrong("key-of-another-host")
class MatchesAnyPinOfAnyHost(Checker):
    """Has one set of pins for all hosts."""

    def is_right(self, entry: HostPolicy, chain: Sequence[bytes], policy: Policy) -> bool:
        """Ask every entry."""
        return any(
            super(MatchesAnyPinOfAnyHost, self).is_right(one, chain, policy) for one in policy.hosts if one.pinset
        )


@wrong("denied-leaf-under-a-pinned-authority")
class IgnoresDeniedKeys(Checker):
    """Takes a matching pin for enough beside a denied key."""

    def groups(self, entry: HostPolicy) -> tuple[tuple[Pin, ...], tuple[Pin, ...], tuple[Pin, ...]]:
        """Return no denied keys."""
        pins, backups, _ = super().groups(entry)
        return pins, backups, ()


@wrong("expired-into-a-failure")
class TakesAnExpiredPolicyForAMatch(Checker):
    """Does not look at ``on-expiry = "fail"``."""

    def is_expired(self, entry: HostPolicy) -> bool:
        """Never, where it would refuse."""
        return entry.on_expiry is not OnExpiry.FAIL and super().is_expired(entry)


@wrong("expired-and-wrong")
class StopsCheckingAfterExpiry(Checker):
    """Turns pinning off on the day that a policy expires."""

    def refuse(self, entry: HostPolicy) -> None:
        """Refuse before that day."""
        if not self.is_expired(entry):
            super().refuse(entry)


@wrong("pattern-beside-its-dot")
class ComparesSuffixesWithoutADot(Checker):
    """Takes ``evil-bank.test`` for a host under ``bank.test``."""

    def entry(self, policy: Policy, host: str) -> HostPolicy | None:
        """Compare the end of the name."""
        found = super().entry(policy, host)
        ending = (one for one in policy.hosts if host.endswith(one.pattern.name))
        return found or next(ending, None)


@wrong("pattern-that-reaches-no-further")
class LetsAWildcardMatchTwoLabels(Checker):
    """Takes ``*.`` for any depth."""

    def entry(self, policy: Policy, host: str) -> HostPolicy | None:
        """Compare what comes after the star."""
        found = super().entry(policy, host)
        deeper = (one for one in policy.hosts if "*" in str(one.pattern) and host.endswith("." + one.pattern.name))
        return found or next(deeper, None)


@wrong("forged-issuer")
class ComparesIssuerNames(Checker):
    """Takes a certificate for issued by a pinned authority because it names it."""

    verifies = ssl.CERT_NONE
    checks_name = False

    def context(self, visit: Visit) -> ssl.SSLContext:
        """Verify nothing."""
        context = super().context(visit)
        context.verify_mode = ssl.CERT_NONE
        return context

    def chain(self, secured: ssl.SSLSocket) -> Sequence[bytes]:
        """Return what the server sent, as far as each names the next."""
        sent = [x509.load_der_x509_certificate(one) for one in chains_of(secured)[0]]
        linked = sent[:1]
        for one in sent[1:]:
            if linked[-1].issuer == one.subject:
                linked.append(one)
        return [one.public_bytes(Encoding.DER) for one in linked]


@wrong("root-of-the-same-name-and-serial")
class ComparesSubjectAndSerial(Checker):
    """Takes two certificates for one because they have the same subject and serial number."""

    known: Sequence[bytes] = ()

    def is_right(self, entry: HostPolicy, chain: Sequence[bytes], policy: Policy) -> bool:
        """Look for a pinned certificate of the same name and number among those that the machine knows."""
        pinned = {
            _identity(one) for one in self.known if super(ComparesSubjectAndSerial, self).is_right(entry, [one], policy)
        }
        return super().is_right(entry, chain, policy) or any(_identity(one) in pinned for one in chain)

    def check(self, secured: ssl.SSLSocket, visit: Visit, target: Target) -> None:
        """Keep the trust store."""
        self.known = [one.public_bytes(Encoding.DER) for one in x509.load_pem_x509_certificates(visit.trust)]
        super().check(secured, visit, target)


def _identity(certificate: bytes) -> tuple[bytes, int]:
    read = x509.load_der_x509_certificate(certificate)
    return read.subject.public_bytes(), read.serial_number


@wrong("key-in-an-extension")
class SearchesTheWholeCertificateForAKey(Checker):
    """Looks for a pinned key anywhere among the bytes."""

    def pins_of(self, certificate: bytes) -> tuple[Pin, ...]:
        """Hash everything that could be a key."""
        found = {_pin(certificate[start:end]) for start, end in _sequences(certificate)}
        return (*super().pins_of(certificate), *map(Pin.parse, found))


def _sequences(content: bytes) -> Iterator[tuple[int, int]]:
    """Yield where something begins that looks like a SEQUENCE, and where it would end."""
    for start in range(len(content) - 4):
        if content[start] != 0x30:
            continue
        size = content[start + 1]
        head = 2
        if size in (0x81, 0x82):
            head = 2 + size - 0x80
            size = int.from_bytes(content[start + 2 : start + head])
        if 32 <= size and start + head + size <= len(content):
            yield start, start + head + size


@wrong("digest-of-the-other-kind")
class MixesUpKindsOfPins(Checker):
    """Takes the hash of a whole certificate for the hash of a key, and the other way round."""

    def is_same(self, found: Pin, pin: Pin) -> bool:
        """Compare the hashes alone."""
        return found.digest == pin.digest


@wrong("interception-by-a-trusted-root")
class ChecksAfterSending(Checker):
    """Sends its request, and looks at the chain when the answer is there."""

    def checked(self, secured: ssl.SSLSocket, visit: Visit, target: Target) -> str | None:
        """Talk first, then check."""
        location = exchange(secured, visit, target)
        self.check(secured, visit, target)
        return location


@wrong("retired-key")
class RemembersAVerdictForEver(Checker):
    """Never judges again what it has accepted once."""

    def __init__(self) -> None:
        super().__init__()
        self.accepted: set[tuple[str, bytes]] = set()

    def check(self, secured: ssl.SSLSocket, visit: Visit, target: Target) -> None:
        """Judge what is new."""
        leaf = secured.getpeercert(binary_form=True) or b""
        if (target.host, leaf) not in self.accepted:
            super().check(secured, visit, target)
        self.accepted.add((target.host, leaf))


@wrong("interception-that-begins-later")
class ChecksTheFirstConnectionOnly(Checker):
    """Trusts a host once it has been seen."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def check(self, secured: ssl.SSLSocket, visit: Visit, target: Target) -> None:
        """Judge a host once."""
        if target.host not in self.seen:
            super().check(secured, visit, target)
        self.seen.add(target.host)


@wrong("wrong-name")
class SkipsTheHostName(Checker):
    """Takes a pinned key for the right server, whatever name it has."""

    checks_name = False


@wrong("interception-by-a-trusted-root")
class OnlyReports(Checker):
    """Reports everything and refuses nothing."""

    def refuse(self, entry: HostPolicy) -> None:
        """Refuse nothing."""


@wrong("most-specific-pattern-wins")
class UnitesThePatterns(Checker):
    """Adds the pins of every pattern that matches, instead of taking the most specific."""

    def is_right(self, entry: HostPolicy, chain: Sequence[bytes], policy: Policy) -> bool:
        """Ask every entry that matches."""
        matching = [one for one in policy.hosts if one.pinset is not None and one.pattern.matches(self.host)]
        return any(super(UnitesThePatterns, self).is_right(one, chain, policy) for one in matching or [entry])

    def entry(self, policy: Policy, host: str) -> HostPolicy | None:
        """Keep the host."""
        self.host = host
        return super().entry(policy, host)


@wrong("expired-leaf")
class TakesAPinForEverything(Checker):
    """Takes a pinned key for proof enough, and looks at no date, no name and no signature."""

    def context(self, visit: Visit) -> ssl.SSLContext:
        """Verify nothing."""
        context = super().context(visit)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    def chain(self, secured: ssl.SSLSocket) -> Sequence[bytes]:
        """Return the leaf."""
        return [secured.getpeercert(binary_form=True) or b""]


@wrong("rotation-to-the-backup")
class IgnoresBackupPins(Checker):
    """Cannot follow a rotation."""

    def groups(self, entry: HostPolicy) -> tuple[tuple[Pin, ...], tuple[Pin, ...], tuple[Pin, ...]]:
        """Return no backup pins."""
        pins, _, denied = super().groups(entry)
        return pins, (), denied


@wrong("rotation-between-visits")
class PinsTheFirstCertificateItSees(Checker):
    """Takes any other certificate than the first for an attack, a renewed one as well."""

    first: bytes | None = None

    def check(self, secured: ssl.SSLSocket, visit: Visit, target: Target) -> None:
        """Compare certificates."""
        super().check(secured, visit, target)
        leaf = secured.getpeercert(binary_form=True)
        self.first = self.first or leaf
        if leaf != self.first:
            raise RefusedError("another certificate")


@wrong("pins-of-the-url-for-another-name")
class LetsUnlistedHostsThrough(Checker):
    """Checks what is listed, and lets the rest through."""

    def check(self, secured: ssl.SSLSocket, visit: Visit, target: Target) -> None:
        """Judge what is listed."""
        policy = self.policy(visit)
        if policy.unlisted_hosts is UnlistedHosts.ALLOW or self.entry(policy, target.host) is not None:
            super().check(secured, visit, target)


@wrong("second-of-several-pins")
class ReadsTheFirstPinOnly(Checker):
    """Knows one pin for a host."""

    def groups(self, entry: HostPolicy) -> tuple[tuple[Pin, ...], tuple[Pin, ...], tuple[Pin, ...]]:
        """Return one pin."""
        pins, backups, denied = super().groups(entry)
        return pins[:1], backups, denied


@wrong("adopted-key")
class ReadsThePolicyOnce(Checker):
    """Never reads a new policy."""

    kept: Policy | None = None

    def policy(self, visit: Visit) -> Policy:
        """Return the first policy."""
        self.kept = self.kept or super().policy(visit)
        return self.kept


@wrong("redirect-to-an-unlisted-host")
class FollowsAnyRedirect(Checker):
    """Goes wherever it is sent."""

    def follow(self, visit: Visit, target: Target, location: str) -> Target:
        """Follow, in clear too."""
        return target.after(location)

    def check(self, secured: ssl.SSLSocket, visit: Visit, target: Target) -> None:
        """Check the host that the user asked for."""
        if target.host == visit.host and target.address == visit.address:
            super().check(secured, visit, target)


@wrong("upgrade-held-back")
class GoesOnInClear(Checker):
    """Takes a server that offers no TLS at its word."""

    def exchange(self, visit: Visit) -> None:
        """Talk in clear if that is all there is."""
        import socket

        from pinscher.probe.starttls import StarttlsRefusedError

        with contextlib.suppress(StarttlsRefusedError):
            return super().exchange(visit)
        with socket.create_connection(visit.address, 10) as tcp:
            tcp.recv(1000)
            exchange(tcp, visit, Target.of(visit))
        return None


@wrong("pinned-leaf")
class RefusesEverything(Checker):
    """Is as safe as a client that is switched off."""

    def check(self, secured: ssl.SSLSocket, visit: Visit, target: Target) -> None:
        """Refuse."""
        raise RefusedError("everything is refused")


@wrong("interception-by-a-trusted-root")
class AcceptsEverything(Checker):
    """Checks nothing."""

    def check(self, secured: ssl.SSLSocket, visit: Visit, target: Target) -> None:
        """Accept."""
