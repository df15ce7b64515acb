"""Scores are sums of points with reasons, and rank what matters first."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pinscher.discover import Crossing, Endpoint, Evidence, Inventory, Matter, Owners, Place, Sighting, Skipped, score
from pinscher.discover.limits import MOST_HOSTS, MOST_PLACES
from pinscher.discover.matters import vocabulary

OWNERS = Owners(lambda host: host.partition(".")[2], own=frozenset({"bank.example"}))
PASSWORD = Crossing(Matter.CREDENTIAL, "password")
SIGHTINGS = st.builds(
    Sighting,
    st.sampled_from(["api.bank.example", "d1.cloudfront.net", "www.w3.org", "x.example", "127.0.0.1"]),
    st.builds(Place, st.sampled_from(["a.py", "tests/a.py"]), st.integers(1, 9)),
    st.sampled_from(Evidence),
    crossed=st.lists(st.sampled_from(sorted(vocabulary(), key=str)), max_size=3).map(Counter),
    beside=st.lists(st.sampled_from(sorted(vocabulary(), key=str)), max_size=3).map(Counter),
)


def endpoint(*sightings: Sighting) -> Endpoint:
    """Return the endpoint of sightings."""
    made = Endpoint(sightings[0].host)
    for one in sightings:
        made.add(one)
    return made


def seen(evidence: Evidence, *crossed: Crossing, host: str = "api.bank.example", file: str = "a") -> Sighting:
    """Return a sighting."""
    return Sighting(host, Place(file, 1), evidence, crossed=Counter(crossed), scheme="https")


@given(st.lists(SIGHTINGS, min_size=1, max_size=8))
def test_a_score_is_the_sum_of_its_reasons(sightings: list[Sighting]) -> None:
    """Within 0 and 100 the points are those of the reasons, and only what can be pinned deserves pins."""
    made = endpoint(*sightings)
    found = score(made, OWNERS.of(made.host))
    assert max(0, min(100, sum(one.points for one in found.reasons))) == found.points
    assert not found.deserves or made.host == "api.bank.example"


@given(st.lists(SIGHTINGS, min_size=1, max_size=4), st.sampled_from(sorted(vocabulary(), key=str)))
def test_more_that_crosses_never_lowers_a_score(sightings: list[Sighting], crossing: Crossing) -> None:
    """The same host with one more thing crossing has as many points, or more."""
    before = endpoint(*sightings)
    richer = endpoint(*sightings)
    richer.crossed[crossing] += 1
    ownership = OWNERS.of(before.host)
    assert score(before, ownership).points <= score(richer, ownership).points


def test_what_was_seen_to_cross_weighs_more_than_what_stands_beside() -> None:
    """A password in a recording counts in full, one near an address in code in part."""
    ownership = OWNERS.of("api.bank.example")
    crossed = score(endpoint(seen(Evidence.WRITTEN, PASSWORD)), ownership)
    beside = Sighting("api.bank.example", Place("a", 1), Evidence.WRITTEN, beside=Counter([PASSWORD]))
    near = score(endpoint(beside), ownership)
    assert (True, False) == (crossed.deserves, near.deserves)
    assert "credential: password (named beside it)" in [one.text for one in near.reasons]


def test_what_stands_only_in_tests_weighs_less() -> None:
    """Tests, examples and documents name hosts that nobody talks to; a recording there is a recording."""
    assert endpoint(seen(Evidence.WRITTEN, file="app/tests/a.py")).is_aside
    assert not endpoint(seen(Evidence.WRITTEN, file="tests/a.py"), seen(Evidence.WRITTEN, file="a.py")).is_aside
    assert not endpoint(seen(Evidence.RECORDED, file="tests/a.har")).is_aside
    made = Endpoint("api.bank.example")
    made.add(seen(Evidence.WRITTEN, file="/tests/app/a.py"), root="/tests/app")
    assert not made.is_aside


def test_a_host_seen_often_says_so() -> None:
    """A host seen five times or more has a reason for it."""
    found = score(endpoint(*[seen(Evidence.LOGGED)] * 5), OWNERS.of("api.bank.example"))
    assert "seen 5 times" in [one.text for one in found.reasons]


def test_an_inventory_is_bounded() -> None:
    """Hosts and places beyond the bounds are counted."""
    inventory = Inventory()
    for number in range(MOST_HOSTS + 2):
        inventory.add(seen(Evidence.LOGGED, host=f"h{number}.example"))
    for number in range(MOST_PLACES + 5):
        inventory.add(seen(Evidence.LOGGED, file=str(number)))
        inventory.add(Skipped("why", Place(str(number)), 2))
        inventory.add(Sighting("h1.example", Place(str(number)), Evidence.LOGGED, port=number, issuer="Amazon"))
    assert MOST_HOSTS == len(inventory.endpoints)
    assert 2 + MOST_PLACES + 5 == inventory.skipped["more hosts than are kept"].count
    found = inventory.endpoints["h1.example"]
    assert (MOST_PLACES, MOST_PLACES, {"Amazon"}) == (len(found.places), len(found.ports), found.issuers)
    assert (210, MOST_PLACES) == (inventory.skipped["why"].count, len(inventory.skipped["why"].places))
