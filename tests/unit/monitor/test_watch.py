"""The watch, on real servers of the lab."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from pinscher.lab.authority import Authority
from pinscher.lab.server import TlsServer
from pinscher.monitor.errors import NotStoredError
from pinscher.monitor.findings import Sighting
from pinscher.monitor.looking import verify_code_of
from pinscher.monitor.monitor import Monitor, Settings, endpoints_of
from pinscher.monitor.schedule import LEASE
from pinscher.monitor.tables import certificates, endpoints, looks, millis
from pinscher.monitor.vantage import DEFAULT_VANTAGE
from pinscher.monitor.views import Views
from pinscher.monitor.watch import Watch
from pinscher.pin import Pin
from pinscher.policy import Policy
from pinscher.probe import Endpoint, NoAnswerError, Trust, observe
from pinscher.tls import chains_of
from tests.unit.monitor.scene import AT, ENDPOINT, Clock, policy_of

if TYPE_CHECKING:
    from pathlib import Path

    from pinscher.lab.authority import HeldCertificate
    from pinscher.monitor.database import Database
    from pinscher.monitor.schedule import Leased
    from pinscher.probe import Observation

pytestmark = pytest.mark.anyio
HOST = "127.0.0.1"
INTERVAL = timedelta(minutes=5)


class World:
    """A root that is trusted, a pinned key, and a monitor of the server that shows it."""

    def __init__(self, database: Database, folder: Path) -> None:
        from datetime import UTC, datetime

        self.clock = Clock(datetime.now(UTC))
        self.root = Authority.root()
        self.held = self.root.issue(HOST)
        self.database = database
        self.file = folder / "ca.pem"
        self.file.write_bytes(self.root.pem)
        self.policy = policy_of(Pin.of(self.held.der), host=HOST)

    def look(self, endpoint: Endpoint) -> Observation:
        """Look as the command line does."""
        return observe(endpoint, trust=Trust.of(self.file), chains=chains_of, timeout=10)

    async def monitor(self, port: int, vantage: str = DEFAULT_VANTAGE) -> Monitor:
        """Return a monitor that watches one port."""
        settings = Settings(interval=INTERVAL, trust_named=True, vantage=vantage)
        monitor = await Monitor.open(self.database, self.policy, self.look, settings=settings, now=self.clock)
        await monitor.begin([Endpoint(HOST, port)])
        return monitor

    async def rules(self, monitor: Monitor) -> list[str]:
        """Look again after an interval, and return the rules of what is open."""
        assert 1 == await monitor.watch.turn()
        self.clock.at += 1.1 * INTERVAL
        shown = await Views(self.database).findings(after=0, most=10, with_closed=False)
        return [one["rule"] for one in shown]


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    """Return a world with fresh keys."""
    return World(database, tmp_path)


def _other(world: World) -> HeldCertificate:
    return world.root.issue(HOST)


async def test_a_rotation_that_nobody_announced_is_found_and_closes(world: World) -> None:
    """A pinned server is quiet; another key is a mismatch with its cause; the pinned key again closes the finding."""
    with TlsServer(world.held) as server:
        monitor = await world.monitor(server.port)
        assert [] == await world.rules(monitor)
        server.show(_other(world))
        assert ["pin-mismatch"] == await world.rules(monitor)
        server.show(world.held)
        assert [] == await world.rules(monitor)
    (shown,) = await Views(world.database).endpoints(after=0, most=10)
    detail = await Views(world.database).endpoint(shown["id"])
    assert ["match", "no-matching-pin", "match"] == [seen["outcome"] for seen in detail["history"]]
    assert [2, 2, 2] == [len(seen["validated"]) for seen in detail["history"]]
    assert 3 == monitor.watch.looks


async def test_an_interception_is_found(world: World) -> None:
    """A certificate of an authority that the monitor does not trust is critical, and nothing of it is a validated path."""
    with TlsServer(Authority.root().issue(HOST)) as server:
        monitor = await world.monitor(server.port)
        assert ["not-validated"] == await world.rules(monitor)
    detail = await Views(world.database).endpoint((await Views(world.database).endpoints(after=0, most=1))[0]["id"])
    seen = detail["history"][0]
    assert ([], "untrusted-issuer") == (seen["validated"], seen["cause"])
    assert 1 == len(seen["presented"])


async def test_a_foreign_root_that_is_served_now_and_then_is_told_for_a_week(world: World) -> None:
    """A change stays told for a week from when it was first seen, though the old chain is seen between and after it."""
    foreign = Authority.root("Foreign Root")
    held = foreign.issue(HOST)
    world.file.write_bytes(world.root.pem + foreign.pem)
    world.policy = policy_of(Pin.of(world.held.der), Pin.of(held.der), host=HOST)
    with TlsServer(world.held) as server:
        monitor = await world.monitor(server.port)
        assert [] == await world.rules(monitor)
        for shown in (held, world.held, held, world.held):
            server.show(shown)
            assert ["new-issuer"] == await world.rules(monitor)
        world.clock.at += timedelta(days=7)
        assert "new-issuer" not in await world.rules(monitor)
    found = await Views(world.database).findings(after=0, most=10, with_closed=True)
    (told,) = [one for one in found if one["rule"] == "new-issuer"]
    assert "a certificate by CN=Foreign Root, first seen" in told["said"]


async def test_each_vantage_point_has_a_history_and_findings_of_its_own(world: World) -> None:
    """What only Tokyo sees is filed under Tokyo, a quiet look from elsewhere does not close it, and it goes with its endpoint."""
    with TlsServer(world.held) as server:
        here, tokyo = await world.monitor(server.port), await world.monitor(server.port, "tokyo")
        assert 1 == await here.watch.turn()
        server.show(_other(world))
        assert ["pin-mismatch"] == await world.rules(tokyo)
        server.show(world.held)
        assert ["pin-mismatch"] == await world.rules(here)
    views = Views(world.database)
    (found,) = await views.findings(after=0, most=10, with_closed=False)
    assert f"{HOST}:{server.port} from tokyo" == found["subject"]
    (shown,) = await views.endpoints(after=0, most=10)
    detail = await views.endpoint(shown["id"])
    assert {("default", 2), ("tokyo", 1)} == {(seen["vantage"], seen["times"]) for seen in detail["history"]}
    await here.begin([Endpoint(HOST, 9)])
    assert [] == await views.findings(after=0, most=10, with_closed=False)


async def test_a_server_that_is_gone_is_found_at_the_second_look(world: World) -> None:
    """The first failure is waited out, and the second is told."""
    with TlsServer(world.held) as server:
        port = server.port
    monitor = await world.monitor(port)
    assert [] == await world.rules(monitor)
    assert ["unreachable"] == await world.rules(monitor)
    detail = await Views(world.database).endpoint((await Views(world.database).endpoints(after=0, most=1))[0]["id"])
    assert [2] == [seen["times"] for seen in detail["history"]]


async def test_an_endpoint_that_cannot_be_looked_at_keeps_no_verdict(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Roots that are gone are critical at once and say why, in one line of the log; with the roots back it closes."""
    with TlsServer(world.held) as server:
        monitor = await world.monitor(server.port)
        assert [] == await world.rules(monitor)
        elsewhere = world.file.rename(world.file.with_suffix(".old"))
        assert ["look-failed"] == await world.rules(monitor)
        (shown,) = await Views(world.database).endpoints(after=0, most=10)
        assert "no-answer" == shown["outcome"]
        (found,) = await Views(world.database).findings(after=0, most=10, with_closed=False)
        assert "critical" == found["severity"]
        assert f"it could not be looked at: cannot trust the certificates in '{world.file}': no such" in found["said"]
        (record,) = [one for one in caplog.records if "could not be looked at" in one.message]
        assert (None, f"{HOST}:{server.port}") == (record.exc_info, record.message.partition(" ")[0])
        elsewhere.rename(world.file)
        assert [] == await world.rules(monitor)


async def test_an_unforeseen_error_of_a_look_is_told_with_its_kind(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever goes wrong at this end is one printable line: in the finding, in the history and in the log."""

    def failing(_: Endpoint) -> Observation:
        """Fail in a way that nobody foresaw."""
        raise RuntimeError("odd\x1b[2J\nerror")

    watch = Watch(database, policy_of("sha256/" + "A" * 43 + "="), failing, now=Clock(), interval=INTERVAL, workers=2)
    await watch.schedule.watch([ENDPOINT], at=AT, is_anew=False)
    assert 1 == await watch.turn()
    (found,) = await Views(database).findings(after=0, most=10, with_closed=False)
    assert found["said"].endswith("it could not be looked at: RuntimeError: odd\\x1b[2J\\x0aerror")
    assert [None] == [one.exc_info for one in caplog.records]


async def test_a_look_that_cannot_be_recorded_is_recorded_as_failed(world: World) -> None:
    """A history that cannot be read does not leave an endpoint with the verdict that it had."""
    with TlsServer(world.held) as server:
        monitor = await world.monitor(server.port)
        assert [] == await world.rules(monitor)
        async with world.database.writing() as connection:
            await connection.execute(certificates.delete())
        assert ["look-failed"] == await world.rules(monitor)
        server.show(_other(world))
        assert ["look-failed"] == await world.rules(monitor)
    (shown,) = await Views(world.database).endpoints(after=0, most=10)
    assert "no-answer" == shown["outcome"]


async def test_what_cannot_be_recorded_at_all_ends_no_watch(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """A row that is no endpoint is told in the log at each look, and the others are looked at."""
    watch = _watch(database, Clock())
    await watch.schedule.watch([ENDPOINT], at=AT, is_anew=False)
    async with database.writing() as connection:
        odd = endpoints.insert().values(host="no host", port=443).returning(endpoints.c.id)
        number = (await connection.execute(odd)).scalar_one()
        await connection.execute(looks.insert().values(endpoint=number, vantage=DEFAULT_VANTAGE, due=millis(AT)))
    assert 2 == await watch.turn()
    assert 1 == watch.looks
    assert any("a look at no host:443 cannot be recorded" in record.message for record in caplog.records)
    assert not any(record.exc_info for record in caplog.records)


async def test_what_is_watched_no_more_has_no_open_finding(world: World) -> None:
    """An endpoint that leaves the policy takes its findings along."""
    with TlsServer(_other(world)) as server:
        monitor = await world.monitor(server.port)
        assert 1 == len(await world.rules(monitor))
    await monitor.begin([Endpoint(HOST, 9)])
    assert [] == await Views(world.database).findings(after=0, most=10, with_closed=False)


async def test_a_changed_policy_makes_everything_due(world: World) -> None:
    """Whoever starts with another policy does not wait an interval to know what it changes."""
    with TlsServer(world.held) as server:
        monitor = await world.monitor(server.port)
        assert [] == await world.rules(monitor)
        world.clock.at -= 1.1 * INTERVAL
        assert 0 == await (await world.monitor(server.port)).watch.turn()
        world.policy = policy_of(Pin.of(_other(world).der), host=HOST, version=2)
        assert ["pin-mismatch"] == await world.rules(await world.monitor(server.port))


def test_a_policy_lists_what_to_watch() -> None:
    """Hosts that stand in full are watched at port 443; patterns and exceptions name no endpoint, and a named one stands for its host."""
    pin = "sha256/" + "A" * 43 + "="
    policy = Policy.loads(
        f'format = 1\nname = "x"\nversion = 1\n[hosts."a.example"]\npins = ["{pin}"]\n[hosts."*.b.example"]\npins = ["{pin}"]\n'
        f'[hosts."c.example"]\nunpinned = "public"\n[hosts."d.example"]\npins = ["{pin}"]\n'
    )
    assert ["a.example:443", "d.example:443"] == [str(endpoint) for endpoint in endpoints_of(policy)]
    assert ["d.example:8443", "a.example:443"] == [
        str(one) for one in endpoints_of(policy, [Endpoint("d.example", 8443)])
    ]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("self signed certificate", 18),
        ("self-signed certificate in certificate chain", 19),
        ("Hostname mismatch, certificate is not valid for 'x'", 62),
        ("something new", None),
        (None, None),
    ],
)
def test_openssls_words_have_a_number(words: str | None, code: int | None) -> None:
    """The diagnosis goes by OpenSSL's number, and an observation has its words."""
    assert code == verify_code_of(words)


def _refused(endpoint: Endpoint) -> Observation:
    raise NoAnswerError(endpoint, "connection refused")


def _watch(database: Database, clock: Clock) -> Watch:
    return Watch(database, policy_of("sha256/" + "A" * 43 + "="), _refused, now=clock, interval=INTERVAL, workers=2)


async def test_a_look_that_comes_too_late_is_dropped(database: Database) -> None:
    """Who holds no lease any more records nothing."""
    clock = Clock()
    watch = _watch(database, clock)
    await watch.schedule.watch([ENDPOINT], at=AT, is_anew=False)
    (late,) = await watch.schedule.lease(AT)
    await watch.schedule.lease(AT + LEASE)
    await watch._record(late, Sighting(first=AT, last=AT, failure="late"))
    assert 0 == watch.looks


async def test_the_watch_goes_on_for_ever(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """More endpoints than workers are all looked at, and the watch ends only when it is told to."""
    watch = _watch(database, Clock())
    await watch.schedule.watch([Endpoint(f"h{number}.example") for number in range(7)], at=AT, is_anew=False)
    done, record = asyncio.Event(), watch._record

    async def recorded(leased: Leased, seen: Sighting) -> None:
        """Record as the watch does, and tell when all are."""
        await record(leased, seen)
        if watch.looks == 7:
            done.set()

    monkeypatch.setattr(watch, "_record", recorded)
    running = asyncio.create_task(watch.run())
    async with asyncio.timeout(20):
        await done.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_database_that_does_not_answer_does_not_end_the_watch(
    database: Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What could not be leased stays due, and what could not be recorded is due again."""
    watch = _watch(database, Clock())
    await watch.schedule.watch([ENDPOINT], at=AT, is_anew=False)
    (leased,) = await watch.schedule.lease(AT)

    async def full(*_: object, **__: object) -> None:
        """Store nothing."""
        raise NotStoredError("nothing was stored: the disk is full")

    monkeypatch.setattr(watch.schedule, "lease", full)
    assert 0 == await watch.turn()
    monkeypatch.setattr(watch, "_record", full)
    assert not await watch.visit(None, leased)  # type: ignore[arg-type]
    assert 2 == sum("disk is full" in record.message for record in caplog.records)


def test_the_last_accepted_chains_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many endpoints the chains that were accepted last are remembered."""
    import pinscher.monitor.looking as module

    monkeypatch.setattr(module, "_MOST_REMEMBERED", 2)
    looker = module.Looker(look=_refused, now=Clock(), vantage=DEFAULT_VANTAGE, time_of_a_look=LEASE)
    for number in (1, 2, 1, 3):
        looker._remember(number, None)  # type: ignore[arg-type]
    assert [1, 3] == list(looker._accepted)
