"""A policy that changes while many connections are made and used tears no verdict."""

from __future__ import annotations

import itertools
import ssl
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

import pinscher
from pinscher.lab.authority import Authority
from pinscher.lab.server import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pinscher.tls import PinnedObject

HOST = "bank.test"
SWAPS = CONNECTIONS = 1_000
THREADS = 8


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    """Have threads take turns five hundred times as often as they do by default."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def _policies() -> tuple[Authority, list[pinscher.Policy], ssl.SSLContext]:
    """Return policies that let the genuine key in (even versions) and policies that do not (odd ones)."""
    root = Authority.root("Lab Root")
    held = root.issue(HOST)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load(server, held.chain_pem + held.key_pem)
    pins = str(pinscher.Pin.of(held.der)), "sha256/" + "B" * 42 + "A="
    policies = [
        pinscher.Policy.loads(
            f'format = 1\nname = "b"\nversion = {number + 2}\n[hosts."{HOST}"]\npins = ["{pins[number % 2]}"]\n'
        )
        for number in range(2)
    ]
    return root, policies, server


def test_a_thousand_swaps_against_a_thousand_connections_tear_no_verdict() -> None:
    """
    Each verdict is wholly of one policy, and no connection of a policy that refuses it is left open.

    Eight threads make a thousand connections while another one replaces the policy, a thousand times and more.
    """
    root, policies, server = _policies()
    context = pinscher.PinnedContext(policies[0], trust=root.pem)
    kept: list[PinnedObject] = []
    refused: list[pinscher.Verdict] = []

    def connect(_: int) -> None:
        try:
            connection = _connected(context, server)
        except pinscher.PinMismatchError as error:
            refused.append(error.verdict)
        else:
            kept.append(connection)

    swaps = itertools.count()

    def swap() -> None:
        while next(swaps) < SWAPS or len(kept) + len(refused) < CONNECTIONS:
            context.policy = policies[0]
            context.policy = policies[1]

    swapping = threading.Thread(target=swap)
    with ThreadPoolExecutor(THREADS) as pool:
        swapping.start()
        list(pool.map(connect, range(CONNECTIONS)))
        swapping.join()
    assert CONNECTIONS == len(kept) + len(refused)
    assert kept
    assert refused
    verdicts = [*refused, *(connection.verdict for connection in kept if connection.verdict is not None)]
    for verdict in verdicts:
        is_let_in = verdict.policy is policies[0]
        assert is_let_in is (verdict.action is pinscher.Action.ALLOW)
        assert is_let_in is (verdict.outcome is pinscher.Outcome.MATCH)
        assert verdict.policy.lookup(HOST) is verdict.host_policy
    context.policy = policies[1]
    for connection in kept:
        try:
            connection.write(b"after the last swap")
        except pinscher.PinMismatchError:
            continue
        raise AssertionError("a connection goes on under a policy that refuses it")


def _connected(context: pinscher.PinnedContext, server: ssl.SSLContext) -> PinnedObject:
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(to_client, to_server, server_hostname=HOST)
    sides: list[ssl.SSLObject] = [client, server.wrap_bio(to_server, to_client, server_side=True)]
    for _ in range(8):
        for side in tuple(sides):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            sides.remove(side)
    return client
