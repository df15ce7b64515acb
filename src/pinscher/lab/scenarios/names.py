"""Names: the one that was verified is the one that is looked up, in whatever form it was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509

from pinscher.lab.scenario import Capability
from pinscher.lab.scenarios.registry import scenario
from pinscher.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.lab.scenario import Visit
    from pinscher.lab.stage import Stage

REFUSED = Outcome.CHAIN_NOT_VALIDATED
NAMES = Capability.NAMES


def _named(
    stage: Stage, tls: str, host: str, *names: str, expected: Outcome = Outcome.MATCH, pattern: str | None = None
) -> Sequence[Visit]:
    """Let a pinned server with a certificate for *names* be visited under the name *host*."""
    bank = stage.bank(*names)
    server = stage.serve(bank.genuine, tls=tls)
    return [stage.visit(server, host=host, pattern=pattern, pins=[bank.genuine], trust=[bank.root], expected=expected)]


@scenario(Outcome.MATCH, NAMES)
def exact_name(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A certificate for the host's own name, among others, is right.

        [leaf for a.test and bank.test, pinned] <- intermediate <- root (trusted)
    """
    return _named(stage, tls, "bank.test", "a.test", "bank.test")


@scenario(REFUSED, NAMES)
def wrong_name(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    The pinned key in a certificate for another name is refused: whose key it is says the certificate.

        [leaf for other.test, pinned] <- intermediate <- root (trusted)
    """
    return _named(stage, tls, "bank.test", "other.test", expected=REFUSED)


@scenario(REFUSED, NAMES)
def name_with_a_suffix(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A name that merely begins with the host's is another name.

        [leaf for bank.test.attacker.test, pinned] <- intermediate <- root (trusted)
    """
    return _named(stage, tls, "bank.test", "bank.test.attacker.test", expected=REFUSED)


@scenario(REFUSED, NAMES)
def name_without_its_dot(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A name that merely ends with the host's is another name.

        [leaf for notbank.test, pinned] <- intermediate <- root (trusted)
    """
    return _named(stage, tls, "bank.test", "notbank.test", expected=REFUSED)


@scenario(REFUSED, NAMES)
def name_in_the_subject_only(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A common name is no name of a server where the certificate lists its names (RFC 6125 section 6.4.4).

        [leaf, CN=bank.test, listed: other.test, pinned] <- intermediate <- root (trusted)
    """
    bank = stage.bank("other.test")
    leaf = bank.authority.issue("other.test", common_name="bank.test", key=bank.genuine.key)
    server = stage.serve(leaf, tls=tls)
    return [stage.visit(server, host="bank.test", pins=[leaf], trust=[bank.root], expected=REFUSED)]


@scenario(REFUSED, NAMES)
def name_cut_by_a_nul(stage: Stage, tls: str) -> Sequence[Visit]:
    r"""
    A name with a NUL in it does not end there (CVE-2009-2408).

    https://nvd.nist.gov/vuln/detail/CVE-2009-2408

        [leaf for bank.test\0.attacker.test, pinned] <- intermediate <- root (trusted)
    """
    bank = stage.bank("other.test")
    names = x509.UnrecognizedExtension(_ALTERNATIVE_NAME, _dns_names(b"bank.test\x00.attacker.test"))
    leaf = bank.authority.issue(common_name="bank.test", extensions=[names], key=bank.genuine.key)
    server = stage.serve(leaf, tls=tls)
    return [stage.visit(server, host="bank.test", pins=[leaf], trust=[bank.root], expected=REFUSED)]


_ALTERNATIVE_NAME = x509.SubjectAlternativeName.oid


def _dns_names(*names: bytes) -> bytes:
    listed = b"".join(bytes((0x82, len(name))) + name for name in names)
    return bytes((0x30, len(listed))) + listed


@scenario(Outcome.MATCH, NAMES)
def wildcard(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A certificate for every name one label below a domain is right for such a name.

        [leaf for *.bank.test, pinned] <- intermediate <- root (trusted)
    """
    return _named(stage, tls, "api.bank.test", "*.bank.test")


@scenario(REFUSED, NAMES)
def wildcard_two_labels_down(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A wildcard reaches one label and no further (RFC 6125 section 6.4.3).

        [leaf for *.bank.test, pinned] <- intermediate <- root (trusted)        host: a.api.bank.test
    """
    return _named(stage, tls, "a.api.bank.test", "*.bank.test", expected=REFUSED)


@scenario(REFUSED, NAMES)
def wildcard_for_the_domain_itself(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A wildcard is not right for the domain that it stands below.

        [leaf for *.bank.test, pinned] <- intermediate <- root (trusted)        host: bank.test
    """
    return _named(stage, tls, "bank.test", "*.bank.test", expected=REFUSED)


@scenario(Outcome.MATCH)
def address_literal(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A certificate for an IP address is right for that address.

        [leaf for 127.0.0.1, pinned] <- intermediate <- root (trusted)
    """
    return _named(stage, tls, "127.0.0.1", "127.0.0.1")


@scenario(REFUSED)
def address_as_a_dns_name(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    An address that is written where DNS names stand is no address (RFC 6125 section 6.4.4, RFC 2818 section 3.1).

        [leaf for the DNS name 127.0.0.1, pinned] <- intermediate <- root (trusted)
    """
    bank = stage.bank("other.test")
    names = x509.UnrecognizedExtension(_ALTERNATIVE_NAME, _dns_names(b"127.0.0.1"))
    leaf = bank.authority.issue(common_name="localhost", extensions=[names], key=bank.genuine.key)
    server = stage.serve(leaf, tls=tls)
    return [stage.visit(server, host="127.0.0.1", pins=[leaf], trust=[bank.root], expected=REFUSED)]


@scenario(REFUSED)
def another_address(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A certificate for another address of the loopback is another server's.

        [leaf for 127.0.0.2, pinned] <- intermediate <- root (trusted)        host: 127.0.0.1
    """
    return _named(stage, tls, "127.0.0.1", "127.0.0.2", expected=REFUSED)


@scenario(Outcome.MATCH, NAMES)
def address_of_version_six(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    An IPv6 address is one address however it is written.

        [leaf for 2001:db8::1, pinned] <- intermediate <- root (trusted)        policy: 2001:0DB8:0:0:0:0:0:1
    """
    return _named(stage, tls, "2001:db8::1", "2001:db8::1", pattern="2001:0DB8:0:0:0:0:0:1")


@scenario(Outcome.MATCH, NAMES)
def name_in_capitals(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    The case of a host's letters does not count.

        [leaf for bank.test, pinned] <- intermediate <- root (trusted)        host: BANK.Test
    """
    return _named(stage, tls, "BANK.Test", "bank.test", pattern="bank.test")


@scenario(Outcome.NO_MATCHING_PIN, NAMES)
def name_in_capitals_with_another_key(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    Writing a host in capitals does not lead past its pins.

        rogue leaf for bank.test <- intermediate <- root (trusted)        host: BANK.Test
    """
    bank = stage.bank("bank.test")
    server = stage.serve(bank.rogue(), tls=tls)
    return [
        stage.visit(
            server, host="BANK.Test", pattern="bank.test", pins=[bank.genuine], trust=[bank.root],
            defaults='unlisted-hosts = "allow"', expected=Outcome.NO_MATCHING_PIN,
        )
    ]  # fmt: skip


@scenario(Outcome.MATCH, NAMES)
def foreign_name(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A host in its own script is the A-label that TLS verifies.

        [leaf for xn--bcher-kva.test, pinned] <- intermediate <- root (trusted)        host: bücher.test
    """
    return _named(stage, tls, "bücher.test", "xn--bcher-kva.test")


@scenario(Outcome.NO_MATCHING_PIN, NAMES)
def foreign_name_with_another_key(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    Pins that were written for the A-label hold for the host in its own script.

        rogue leaf for xn--bcher-kva.test <- intermediate <- root (trusted)        host: bücher.test
    """
    bank = stage.bank("xn--bcher-kva.test")
    server = stage.serve(bank.rogue(), tls=tls)
    return [
        stage.visit(
            server, host="bücher.test", pattern="xn--bcher-kva.test", pins=[bank.genuine], trust=[bank.root],
            defaults='unlisted-hosts = "allow"', expected=Outcome.NO_MATCHING_PIN,
        )
    ]  # fmt: skip


@scenario(REFUSED, NAMES)
def name_that_looks_alike(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A name with a Cyrillic letter in it looks like the host's and is another one.

        [leaf for b?nk.test, ? a Cyrillic letter, pinned] <- intermediate <- root (trusted)        host: bank.test
    """
    lookalike = "b\N{CYRILLIC SMALL LETTER A}nk.test".encode("idna").decode()
    return _named(stage, tls, "bank.test", lookalike, expected=REFUSED)


@scenario(Outcome.NO_MATCHING_PIN, NAMES)
def name_with_a_trailing_dot_and_another_key(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    A dot at the end of a host does not lead past its pins: whoever verifies such a name at all judges its key.

        rogue leaf for bank.test and bank.test. <- intermediate <- root (trusted)        host: bank.test.
    """
    bank = stage.bank("bank.test")
    server = stage.serve(bank.rogue("bank.test", "bank.test."), tls=tls)
    return [
        stage.visit(
            server, host="bank.test.", pattern="bank.test", pins=[bank.genuine], trust=[bank.root],
            defaults='unlisted-hosts = "allow"', expected=Outcome.NO_MATCHING_PIN,
        )
    ]  # fmt: skip


@scenario(Outcome.UNLISTED_HOST, NAMES, Capability.POLICY)
def pins_of_the_url_for_another_name(stage: Stage, tls: str) -> Sequence[Visit]:
    """
    Pins are looked up by the name that TLS verifies, and nobody listed that one.

        [leaf for cdn.test, pinned for bank.test] <- intermediate <- root (trusted)        verified: cdn.test
    """
    return _named(stage, tls, "cdn.test", "cdn.test", pattern="bank.test", expected=Outcome.UNLISTED_HOST)
