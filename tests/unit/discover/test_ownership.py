"""Whose host it is, by its name, by one's own domains and by the certificates seen there."""

from __future__ import annotations

import pytest

from pinscher.discover.ownership import Owner, Owners, Pinnable, issuer_named


def registrable(host: str) -> str | None:
    """Return the last two labels, as a public suffix list of nothing but top level domains would."""
    return ".".join(host.split(".")[-2:])


OWNERS = Owners(registrable, own=frozenset({"bank.example", "bank.internal"}))


@pytest.mark.parametrize(
    ("host", "owner", "by", "pinnable"),
    [
        ("api.bank.example", Owner.FIRST_PARTY, "bank.example", Pinnable.YES),
        ("bank.example", Owner.FIRST_PARTY, "bank.example", Pinnable.YES),
        ("notbank.example", Owner.THIRD_PARTY, "notbank.example", Pinnable.ASK),
        ("d1.cloudfront.net", Owner.NETWORK, "Amazon CloudFront", Pinnable.NO),
        ("api.stripe.com", Owner.THIRD_PARTY, "Stripe", Pinnable.ASK),
        ("www.w3.org", Owner.NAME, "XML and its kin", Pinnable.NO),
        ("127.0.0.1", Owner.LOCAL, "private address", Pinnable.NO),
        ("::1", Owner.LOCAL, "private address", Pinnable.NO),
        ("93.184.216.34", Owner.THIRD_PARTY, "216.34", Pinnable.ASK),
        ("localhost", Owner.LOCAL, ".localhost", Pinnable.NO),
        ("db.internal", Owner.LOCAL, ".internal", Pinnable.WITH_CARE),
    ],
)
def test_a_name_says_whose_host_it_is(host: str, owner: Owner, by: str, pinnable: Pinnable) -> None:
    """One's own domains come first, then networks and services by the data file, then whoever has the domain."""
    found = OWNERS.of(host)
    assert (owner, by, pinnable) == (found.owner, found.by, found.pinnable)


def test_without_domains_of_ones_own_nobody_is_a_third_party() -> None:
    """When nobody said which domains are theirs, an unlisted host's owner is unknown."""
    assert Owner.UNKNOWN is Owners(registrable).of("api.bank.example").owner


def test_a_host_reached_in_clear_has_nothing_to_pin() -> None:
    """A host of one's own that is only ever reached without TLS needs TLS first."""
    assert Pinnable.NO is OWNERS.of("api.bank.example", schemes=["http", None]).pinnable
    assert Pinnable.YES is OWNERS.of("api.bank.example", schemes=["http", "https"]).pinnable


def test_a_certificate_of_a_moving_ca_asks_for_care() -> None:
    """A recorded certificate of a CA that moves, or of a network, is told with what it means."""
    found = OWNERS.of("api.bank.example", issuers=["Let's Encrypt", "other"])
    assert Pinnable.WITH_CARE is found.pinnable
    assert "at random" in found.reason


def test_only_known_issuers_are_named() -> None:
    """Whatever a certificate says of its issuer, the answer is a name of the data file or none."""
    assert "Let's Encrypt" == issuer_named("CN=R13, O=Let's Encrypt, C=US")
    assert issuer_named("O=Whoever\x1b") is None
