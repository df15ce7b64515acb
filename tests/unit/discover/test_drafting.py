"""The draft policy: pins where certificates were given, a reason everywhere else, and never an invented pin."""

from __future__ import annotations

from collections import Counter
from datetime import date

from pinscher.discover import Crossing, Endpoint, Evidence, Judged, Matter, Owners, Place, Sighting, draft, score
from pinscher.entry import Mode
from pinscher.lab.authority import Authority
from pinscher.pin import Pin
from pinscher.policy import Policy

OWNERS = Owners(lambda host: ".".join(host.split(".")[-2:]), own=frozenset({"bank.example"}))


def judged(host: str) -> Judged:
    """Return a host to which a password went, judged."""
    endpoint = Endpoint(host)
    crossed = Counter([Crossing(Matter.CREDENTIAL, "password")])
    endpoint.add(Sighting(host, Place("a.har", 1), Evidence.RECORDED, scheme="https", crossed=crossed))
    ownership = OWNERS.of(host)
    return Judged(endpoint, ownership, score(endpoint, ownership))


def test_a_host_without_certificates_says_that_it_has_no_pins() -> None:
    """An entry needs pins or a reason; the reason says that pins are missing, or why there should be none."""
    policy = draft([judged("api.bank.example"), judged("d1.cloudfront.net")], {}, today=date(2026, 11, 21))
    assert policy is not None
    first, second = policy.hosts
    assert (None, None) == (first.pinset, second.pinset)
    assert "deserves pins and has none yet" in str(first.unpinned)
    assert "the network changes its certificates" in str(second.unpinned)
    assert policy == Policy.loads(policy.to_toml())


def test_a_given_certificate_gives_the_pin_of_its_leaf() -> None:
    """The pin is that of the leaf that was given, the entry only reports, and unlisted hosts are let through."""
    chain = Authority.root().issue("api.bank.example").chain
    policy = draft([judged("api.bank.example")], {"api.bank.example": chain}, today=date(2026, 11, 21))
    assert policy is not None
    (entry,) = policy.hosts
    assert [Pin.of(chain[0])] == list(entry.pinset or ())
    assert (Mode.REPORT_ONLY, date(2026, 11, 21)) == (entry.mode, entry.report_only_since)
    assert "no backup pin yet" in str(entry.note)
    assert "allow" == policy.unlisted_hosts.value


def test_names_and_local_hosts_are_left_out() -> None:
    """Where nothing can be listed there is no draft."""
    assert draft([judged("www.w3.org"), judged("127.0.0.1")], {}, today=date(2026, 11, 21)) is None
