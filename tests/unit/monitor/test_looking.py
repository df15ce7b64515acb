"""A look at an endpoint, on real servers of the lab: a name with several addresses, each with a server of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from pinscher.lab.authority import Authority
from pinscher.lab.server import TlsServer
from pinscher.monitor.looking import Looker
from pinscher.monitor.monitor import Monitor, Settings
from pinscher.monitor.schedule import Leased
from pinscher.monitor.vantage import DEFAULT_VANTAGE
from pinscher.monitor.views import Views
from pinscher.pin import Pin
from pinscher.probe import Endpoint, NoAnswerError, Trust, addresses_of, observe
from pinscher.probe.survey import MOST_ADDRESSES
from pinscher.tls import chains_of
from pinscher.verdict import Outcome
from tests.unit.monitor.scene import Clock, policy_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pinscher.lab.authority import HeldCertificate
    from pinscher.monitor.database import Database
    from pinscher.monitor.findings import Sighting
    from pinscher.probe import Observation

pytestmark = pytest.mark.anyio
NAME = "bank.test"
FIRST, SECOND, THIRD = (f"127.0.0.{number}" for number in (1, 2, 3))
NOW = datetime.now(UTC)


class Name:
    """A name whose addresses are in the test's hand; the server of an address listens on a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.root = Authority.root()
        self.pinned, self.spare, self.foreign = (self.root.issue(NAME) for _ in range(3))
        self.policy = policy_of(Pin.of(self.pinned.der), backups=(Pin.of(self.spare.der),), host=NAME)
        self.file = folder / "ca.pem"
        self.file.write_bytes(self.root.pem)
        self.ports: dict[str, int] = {}
        self.looked: list[str | None] = []
        self.answers: Sequence[str] = ()

    def addresses(self, _: Endpoint) -> Sequence[str]:
        """Return what a resolver would, in its order."""
        return self.answers or list(self.ports)

    def look(self, endpoint: Endpoint) -> Observation:
        """Look at the server of an address."""
        self.looked.append(endpoint.connect_to)
        port = self.ports[endpoint.connect_to or FIRST]
        there = replace(endpoint, port=port, connect_to="127.0.0.1")
        return observe(there, trust=Trust.of(self.file), chains=chains_of, timeout=30)

    def looker(self, seconds: float = 600) -> Looker:
        """Return what looks at it."""
        return Looker(
            look=self.look, now=lambda: NOW, vantage=DEFAULT_VANTAGE, time_of_a_look=timedelta(seconds=seconds),
            addresses=self.addresses,
        )  # fmt: skip

    def sighting(self, seconds: float = 600) -> Sighting:
        """Return what one look makes of it."""
        return self.looker(seconds).sighting(Leased(1, (NAME, 443, "tls", ""), 1), self.policy)

    @contextlib.contextmanager
    def served(self, **shown: HeldCertificate | None) -> Iterator[dict[str, TlsServer]]:
        """Serve each address, by its last number; nobody listens at one with None."""
        with contextlib.ExitStack() as servers:
            running = {}
            for number, held in shown.items():
                address = f"127.0.0.{number.removeprefix('at')}"
                if held is None:
                    with socket.create_server(("127.0.0.1", 0)) as taken:
                        self.ports[address] = taken.getsockname()[1]
                else:
                    running[address] = servers.enter_context(TlsServer(held))
                    self.ports[address] = running[address].port
            yield running


@pytest.fixture
def name(tmp_path: Path) -> Name:
    """Return a name with a pinned key, a backup key, and one that is neither."""
    return Name(tmp_path)


def test_one_address_of_many_that_shows_another_key_is_what_the_look_tells(name: Name) -> None:
    """Of three servers one shows a key that clients refuse: the look is a mismatch, and names that server's address."""
    with name.served(at1=name.pinned, at2=name.foreign, at3=name.pinned):
        seen = name.sighting()
    assert Outcome.NO_MATCHING_PIN is seen.outcome
    assert seen.presented[0] == name.foreign.der
    assert seen.said.endswith(f"; seen at {SECOND}, of the 3 addresses of the name")
    assert [FIRST, SECOND, THIRD] == name.looked


def test_a_name_is_looked_up_once_for_a_look(name: Name) -> None:
    """The address that was found is the one that is looked at: nobody asks the resolver again."""
    with name.served(at1=name.pinned):
        seen = name.sighting()
    assert (Outcome.MATCH, [FIRST]) == (seen.outcome, name.looked)


def test_what_every_address_shows_is_told_without_an_address(name: Name) -> None:
    """Where all servers show the same, the look is told as that of one server, match or mismatch."""
    with name.served(at1=name.foreign, at2=name.foreign) as servers:
        seen = name.sighting()
        assert (Outcome.NO_MATCHING_PIN, False) == (seen.outcome, "addresses" in seen.said)
        for server in servers.values():
            server.show(name.pinned)
        seen = name.sighting()
    assert (Outcome.MATCH, False) == (seen.outcome, "addresses" in seen.said)


def test_the_order_of_the_resolver_changes_nothing(name: Name) -> None:
    """Servers with certificates of their own under one pin: the same one is told however the resolver turns its answers."""
    end = NOW + timedelta(days=80)
    shown = {place: name.pinned.renew(not_after=end) for place in ("at1", "at2", "at3")}
    with name.served(**shown):
        seen = name.sighting()
        for turned in ([THIRD, FIRST, SECOND], [SECOND, THIRD, FIRST, SECOND]):
            name.answers = turned
            assert seen == name.sighting()
    assert seen.presented[0] == shown["at1"].der


def test_a_backup_key_at_one_address_is_what_the_look_tells(name: Name) -> None:
    """A server that is reached by a backup pin alone is told before those with a pin of their own."""
    with name.served(at1=name.pinned, at2=name.spare):
        seen = name.sighting()
    assert (Outcome.MATCH, Pin.of(name.spare.der)) == (seen.outcome, seen.matched)


def test_a_server_that_was_left_out_of_a_renewal_is_what_the_look_tells(name: Name) -> None:
    """Of several certificates under one pin the one that ends first is told, so that its end is not overlooked."""
    ends = {"at1": 80, "at2": 3, "at3": 60}
    shown = {place: name.pinned.renew(not_after=NOW + timedelta(days=days)) for place, days in ends.items()}
    with name.served(**shown):
        seen = name.sighting()
    assert (Outcome.MATCH, shown["at2"].der) == (seen.outcome, seen.presented[0])


def test_a_refused_address_is_told_before_a_backup_key(name: Name) -> None:
    """What clients refuse comes before what they accept by a backup pin."""
    with name.served(at1=name.spare, at2=name.foreign, at3=name.spare):
        assert Outcome.NO_MATCHING_PIN is name.sighting().outcome


def test_an_interception_at_one_address_is_told(name: Name) -> None:
    """A certificate of an authority that is not trusted, at one address of two, is no validated chain."""
    with name.served(at1=name.pinned, at2=Authority.root().issue(NAME)):
        seen = name.sighting()
    assert (Outcome.CHAIN_NOT_VALIDATED, ()) == (seen.outcome, seen.validated)
    assert f"seen at {SECOND}, of the 2 addresses" in seen.said


def test_an_address_that_does_not_answer_hides_no_other(name: Name) -> None:
    """Clients go on to the next address, and so does the look: silence counts where every address is silent."""
    with name.served(at1=None, at2=name.pinned):
        assert Outcome.MATCH is name.sighting().outcome
    with name.served(at1=None, at2=None):
        seen = name.sighting()
    first, _, second = seen.failure.partition("; ")
    assert f"no answer from {NAME}:{name.ports[FIRST]}: 127.0.0.1: connection refused" == first
    assert "connection refused" in second
    assert not seen.is_answered


def test_the_words_of_several_silent_addresses_are_escaped_once(name: Name) -> None:
    """What a server or a resolver chose is told as for one address: each reason once, and nothing escaped twice."""

    def lost(endpoint: Endpoint) -> Observation:
        """Tell what was escaped already."""
        raise NoAnswerError(endpoint, f"{endpoint.connect_to}: b\\xe4d")

    name.answers = [SECOND, FIRST]
    looker = replace(name.looker(), look=lost)
    seen = looker.sighting(Leased(1, (NAME, 443, "tls", ""), 1), name.policy)
    assert f"no answer from {NAME}:443: {FIRST}: b\\xe4d; {SECOND}: b\\xe4d" == seen.failure


def test_a_fault_at_the_monitors_own_end_is_told_whatever_other_addresses_show(name: Name) -> None:
    """Where one address could not be looked at for a fault of the monitor, the look failed, and keeps no verdict."""
    with name.served(at1=name.pinned):
        name.answers = [FIRST, SECOND]
        seen = name.sighting()
    assert (None, False) == (seen.outcome, seen.is_looked_at)
    assert f"could not be looked at: KeyError: '{SECOND}'" == seen.failure


def test_a_name_that_is_not_found_is_no_answer(name: Name) -> None:
    """A resolver that does not answer is told in its own words, as one server that does not."""

    def lost(endpoint: Endpoint) -> Sequence[str]:
        """Find nothing."""
        raise NoAnswerError(endpoint, "name or service not known")

    looker = replace(name.looker(), addresses=lost)
    seen = looker.sighting(Leased(1, (NAME, 443, "tls", ""), 1), name.policy)
    assert f"no answer from {NAME}:443: name or service not known" == seen.failure
    assert [] == name.looked


def test_a_look_ends_within_its_time_and_says_what_it_left_out(name: Name) -> None:
    """When the time is over no other address is begun; the first always is, and a refusal says how many were left out."""
    with name.served(at1=name.foreign, at2=name.pinned, at3=name.pinned):
        seen = name.sighting(seconds=0)
    assert [FIRST] == name.looked
    assert seen.said.endswith(f"seen at {FIRST}, of the 3 addresses of the name, 2 of which were not looked at")


def test_a_name_with_very_many_addresses_is_looked_at_in_part(name: Name) -> None:
    """Whoever answers for a name does not make the monitor connect without end, or fill its history with addresses."""
    with name.served(at1=name.foreign, at2=name.pinned):
        many = [f"127.0.1.{number:03}" for number in range(200)]
        name.ports |= dict.fromkeys(many, name.ports[FIRST]) | {many[0]: name.ports[SECOND]}
        name.answers = many
        seen = name.sighting()
    assert MOST_ADDRESSES == len(name.looked)
    assert f"seen at {', '.join(many[1:5])} and others, of the 200 addresses of the name, 168 of which" in seen.said


def test_each_address_of_a_name_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The resolver's answers are taken once each, of either version; an address that is written out is its own."""
    answers = [
        (family, socket.SOCK_STREAM, 6, "", (address, 443, *more))
        for family, address, *more in [
            (socket.AF_INET6, "2001:db8::1", 0, 0), (socket.AF_INET, "192.0.2.1"), (socket.AF_INET, "192.0.2.1"),
        ]
    ]  # fmt: skip
    assert ["192.0.2.9"] == addresses_of(Endpoint("192.0.2.9"), timeout=30)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers)
    assert ["2001:db8::1", "192.0.2.1"] == addresses_of(Endpoint(NAME), timeout=30)


async def test_the_finding_of_one_address_opens_and_closes(name: Name, database: Database) -> None:
    """One server of two that shows another key is a critical finding with its address, which closes with the key."""
    clock = Clock(NOW)
    settings = Settings(interval=timedelta(minutes=5), addresses=name.addresses)
    with name.served(at1=name.pinned, at2=name.foreign) as servers:
        monitor = await Monitor.open(database, name.policy, name.look, settings=settings, now=clock)
        await monitor.begin([Endpoint(NAME)])
        assert 1 == await monitor.watch.turn()
        found = await Views(database).findings(after=0, most=10, with_closed=False)
        (told,) = [one for one in found if one["rule"] == "pin-mismatch"]
        assert f"seen at {SECOND}, of the 2 addresses of the name" in told["said"]
        servers[SECOND].show(name.pinned)
        clock.at += timedelta(minutes=6)
        assert 1 == await monitor.watch.turn()
        found = await Views(database).findings(after=0, most=10, with_closed=False)
        assert "pin-mismatch" not in [one["rule"] for one in found]


@contextlib.contextmanager
def _listening_at(address: str, port: int, held: HeldCertificate, folder: Path) -> Iterator[None]:
    """Shake hands with whoever comes to an address and a port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    files = folder / "chain.pem", folder / "key.pem"
    files[0].write_bytes(held.chain_pem)
    files[1].write_bytes(held.key_pem)
    context.load_cert_chain(*files)

    def answer() -> None:
        """Serve one connection after the other until the listener is closed."""
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(1)

    with socket.create_server((address, port)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(30)


def _mismatch(running: subprocess.Popen[str]) -> str:
    """Return what a monitor that was just started tells of the first mismatch."""
    assert running.stdout is not None
    token = ""
    for line in running.stdout:
        told = json.loads(line)
        token = told["token"] or token
        if told["event"] == "listening":
            break
    until = time.monotonic() + 60
    with httpx.Client(base_url=told["url"], headers={"Authorization": f"Bearer {token}"}) as client:
        while time.monotonic() < until:
            found = client.get("/api/findings").raise_for_status().json()["findings"]
            for one in found:
                if one["rule"] == "pin-mismatch":
                    return str(one["said"])
    raise AssertionError(found)


def test_a_monitor_that_is_started_looks_at_every_address(name: Name, tmp_path: Path) -> None:
    """``pinscher serve`` tells of the one server of a name that shows another key, though the first is as pinned."""
    (tmp_path / "pins.toml").write_text(name.policy.to_toml())
    (tmp_path / "sitecustomize.py").write_text(
        "import socket\n"
        "found = socket.getaddrinfo\n"
        "def look_up(host, *rest, **more):\n"
        f"    places = {[FIRST, SECOND]!r} if host == {NAME!r} else [host]\n"
        "    return [one for place in places for one in found(place, *rest, **more)]\n"
        "socket.getaddrinfo = look_up\n"
    )
    around = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    with TlsServer(name.pinned) as server, _listening_at(SECOND, server.port, name.foreign, tmp_path):
        command = [
            sys.executable, "-m", "pinscher.cli", "serve", "--policy", "pins.toml", "--data", "data", "--json",
            "--listen", "127.0.0.1:0", "--ca-file", str(name.file), "--endpoint", f"{NAME}:{server.port}",
        ]  # fmt: skip
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True, env=around) as running:
            try:
                said = _mismatch(running)
            finally:
                running.send_signal(signal.SIGINT)
                running.communicate(timeout=60)
    assert f"seen at {SECOND}, of the 2 addresses of the name" in said
