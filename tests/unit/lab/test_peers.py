"""Other people's pinning, each used as its own documentation says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pinscher.lab.peers import PEERS, PeerMissingError, peer
from pinscher.lab.peers.fingerprints import package
from pinscher.lab.player import Result, play
from pinscher.lab.workplace import Workplace
from tests.unit.lab.cases import case, genuine, rogue, visit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pinscher.lab.scenario import Visit
    from pinscher.lab.stage import Stage

FINGERPRINTS = [name for name in PEERS if name not in ("curl", "plain-ssl")]


@pytest.fixture
def workplace() -> Iterator[Workplace]:
    """A private folder for programs."""
    with Workplace() as place:
        yield place


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_is_right_in_what_it_can_express(workplace: Workplace, name: str) -> None:
    """Each peer accepts the key or certificate that it pins, and all but the control refuse another."""
    kind = "certificate" if name in FINGERPRINTS else "spki"
    contestant = peer(name, workplace)
    assert Result.PASSED is play(case(genuine, kind=kind), contestant).result
    refused = play(case(rogue, kind=kind), contestant)
    assert (Result.FAILED if name == "plain-ssl" else Result.PASSED) is refused.result, refused.reason
    assert name == contestant.name
    assert contestant.note


@pytest.mark.parametrize("name", FINGERPRINTS)
def test_a_fingerprint_says_nothing_of_a_key(workplace: Workplace, name: str) -> None:
    """What takes the hash of a certificate cannot be asked about the hash of a key."""
    played = play(case(rogue), peer(name, workplace))
    assert (Result.NOT_APPLICABLE, "takes the hash of a whole certificate, not of a key") == (
        played.result,
        played.reason,
    )


def test_curl_takes_keys_only(workplace: Workplace) -> None:
    """What takes the hash of a key cannot be asked about the hash of a certificate."""
    played = play(case(rogue, kind="certificate"), peer("curl", workplace))
    assert (Result.NOT_APPLICABLE, "takes the hash of a key, not of a whole certificate") == (
        played.result,
        played.reason,
    )


@pytest.mark.parametrize("name", FINGERPRINTS)
def test_one_fingerprint_is_all_that_can_be_given(workplace: Workplace, name: str) -> None:
    """A host with two pins cannot be put to a client that takes one."""

    def twice(stage: Stage) -> Sequence[Visit]:
        import dataclasses

        visited = visit(stage, kind="certificate")
        return [dataclasses.replace(visited, pins=visited.pins * 2)]

    played = play(case(twice), peer(name, workplace))
    assert (Result.NOT_APPLICABLE, "takes one hash, and the host has 2 pins") == (played.result, played.reason)


@pytest.mark.parametrize("protocol", ["smtp", "imap", "pop3", "ftp"])
def test_curl_upgrades_from_clear_text(workplace: Workplace, protocol: str) -> None:
    """What curl pins may begin in clear: it accepts the pinned key and refuses another after the upgrade."""
    from pinscher.lab.scenario import Transport

    settings = {"protocol": protocol, "transport": Transport(f"{protocol}-starttls")}
    results = [play(case(function, **settings), peer("curl", workplace)) for function in (genuine, rogue)]
    assert [Result.PASSED, Result.PASSED] == [one.result for one in results], [
        (one.reason, one.said) for one in results
    ]


def test_a_peer_that_is_missing_says_how_to_get_it() -> None:
    """What is not installed is named, with the way to install it."""
    with pytest.raises(PeerMissingError, match="no-such is not installed; install it with: pip install no-such"):
        package("no_such_package", "no-such")
