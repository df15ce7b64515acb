"""The facts about authorities and delivery networks."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from pinscher.diagnosis.roots import mozilla
from pinscher.rotation import InvalidAuthorityFactsError, read_facts
from pinscher.rotation.authority_facts import LARGEST_FACTS, shipped_facts

ROOT = {"name": "A Root", "pin": "sha256/NahLU0GZuWlQxC5iyWPffbj545x3cCad5I+tsIssZ4M="}
AUTHORITY: dict[str, Any] = {
    "name": "A", "organisations": ["A Inc"], "key-names": ["a-ca"], "certificate-days": 47, "intermediates": "random",
    "all-roots": False, "source": "https://a.example/", "date": "2026-11-21", "roots": [ROOT],
}  # fmt: skip
NETWORK = {"name": "N", "hosts": ["n.example"], "authorities": ["A"], "source": "x", "date": "2026-11-21"}
FACTS = {"format": 1, "date": "2026-11-21", "authorities": [AUTHORITY], "networks": [NETWORK]}


def test_shipped_facts_have_their_source_and_day() -> None:
    """Each fact that ships has the address that it comes from and the day that it was read there."""
    facts = shipped_facts()
    sources = [(one.source, one.date) for one in facts.authorities]
    for source, day in [*sources, *((one.source, one.date) for one in facts.networks)]:
        assert source.startswith("https://")
        assert date(2026, 1, 1) < day <= facts.date


def test_shipped_roots_are_in_the_root_programme() -> None:
    """Each root key among the shipped facts is one of Mozilla's programme."""
    keys = {pin.digest for one in shipped_facts().authorities for pin in one.roots}
    assert keys <= mozilla().keys
    assert 28 == len(keys)


def test_facts_are_found_by_every_handle() -> None:
    """An authority is found by a root's key, an organisation in a name, and a key's name; a network by its hosts."""
    facts = read_facts(json.dumps(FACTS).encode(), source="facts.json")
    (authority,), (network,) = facts.authorities, facts.networks
    assert authority is facts.of_root(next(iter(authority.roots)))
    assert authority is facts.named_in("CN=A1, O=A Inc, C=US")
    assert facts.named_in("CN=O=A Inc") is None
    assert [authority, authority, None] == [facts.called(name) for name in ("a-ca", "my_A_CA_2026", "beta-cab")]
    assert [network, network, None] == [facts.network_of(host) for host in ("n.example", "x.n.example", "an.example")]
    assert (authority,) == network.authorities
    assert authority.is_moving


def _but(where: str, **changes: Any) -> bytes:
    table = json.loads(json.dumps(FACTS))
    place = {"facts": table, "authority": table["authorities"][0], "network": table["networks"][0]}
    place["root"] = table["authorities"][0]["roots"][0]
    place[where].update({name.replace("_", "-"): value for name, value in changes.items()})
    return json.dumps(table).encode()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\xff", "facts.json: not UTF-8 at byte 0"),
        (b"{", "facts.json: not JSON at line 1: Expecting property name enclosed in double quotes"),
        (b"[" * 200_000, "facts.json: not JSON: "),
        (b" " * (LARGEST_FACTS + 1), "facts.json: at most 4 MiB"),
        (b"[]", "facts.json: expected an object, found list"),
        (b"{}", "facts.json: format: expected int, found nothing"),
        (_but("facts", format=2), "facts.json: format: 1 is the only format there is"),
        (_but("facts", networks=[1]), "facts.json: networks[0]: expected an object, found int"),
        (_but("facts", authorities=[AUTHORITY, AUTHORITY]), "authorities[1].name: a second authority called 'A'"),
        (_but("facts", date="soon"), "facts.json: date: expected YYYY-MM-DD, found 'soon'"),
        (_but("authority", certificate_days=0), "authorities[0].certificate-days: expected a whole number of days"),
        (_but("authority", intermediates="often"), 'authorities[0].intermediates: expected "random", "rotated"'),
        (_but("authority", organisations=[""]), "authorities[0].organisations: expected texts that are not empty"),
        (_but("authority", all_roots=1), "authorities[0].all-roots: expected bool, found int"),
        (_but("root", pin="sha1/x"), "authorities[0].roots[0].pin: pin 'sha1/x' cannot be used"),
        (_but("network", authorities=["\x1b"]), "networks[0].authorities: there is no authority called '\\\\x1b'"),
    ],
)
def test_unusable_facts_are_refused_with_the_place(content: bytes, told: str) -> None:
    """A file of facts that cannot be used is refused, told with the file, the place and what was expected."""
    with pytest.raises(InvalidAuthorityFactsError) as raised:
        read_facts(content, source="facts.json")
    assert told in str(raised.value)
