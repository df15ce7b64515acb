"""What logs promised and TLSA records say, compared with what endpoints show."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from sqlalchemy import text, update

from pinscher.cli import main
from pinscher.lab.authority import Authority
from pinscher.lab.transparency import CtLog
from pinscher.lab.transparency_server import CtServer
from pinscher.monitor.findings import Sighting
from pinscher.monitor.monitor import Monitor, Settings
from pinscher.monitor.sightings import Sightings
from pinscher.monitor.transparency.logs import read_logs
from pinscher.monitor.transparency.tables import ct_logs
from pinscher.monitor.transparency.watching import LogSettings
from pinscher.monitor.views import Views
from pinscher.pin import Pin
from pinscher.probe import Endpoint, NoAnswerError
from pinscher.probe.tlsa import TlsaResolver
from pinscher.verdict import Outcome
from tests.unit.monitor.scene import HOST, Clock, policy_of
from tests.unit.probe.name_server import NameServer
from tests.unit.probe.test_timestamps import OID, listed, timestamp

if TYPE_CHECKING:
    from pathlib import Path

    from pinscher.lab.authority import HeldCertificate
    from pinscher.monitor.comparison import LookUp
    from pinscher.monitor.database import Database
    from pinscher.probe import Observation

pytestmark = pytest.mark.anyio
CA = Authority.root("Bank Root")
HOUR = timedelta(hours=1)


def _nobody(endpoint: Endpoint) -> Observation:
    raise NoAnswerError(endpoint, "nobody is there")


def promised(log: CtLog, at: datetime) -> HeldCertificate:
    """Return a certificate with a timestamp of a log, and one of a log that nobody follows."""
    octets = listed(timestamp(log.id, at), timestamp(b"x" * 32, at))
    inner = (
        b"\x04\x82" + len(octets).to_bytes(2) + octets if len(octets) > 127 else b"\x04" + bytes([len(octets)]) + octets
    )
    return CA.issue(HOST, extensions=[x509.UnrecognizedExtension(OID, inner)])


async def monitor_of(
    database: Database, clock: Clock, *, server: CtServer | None = None, tlsa: LookUp | None = None
) -> Monitor:
    """Return a monitor of one host, with what others say."""
    logs = () if server is None else read_logs(server.listed(is_tiled=True), at=clock(), allow_private=True)
    settings = Settings(transparency=LogSettings(logs=logs, allow_private=True, seconds=10), tlsa=tlsa)
    monitor = await Monitor.open(database, policy_of(Pin.of(CA.certificate)), _nobody, settings=settings, now=clock)
    await monitor.begin()
    return monitor


async def show(monitor: Monitor, held: HeldCertificate, *, is_validated: bool = True) -> None:
    """Have the monitor see a certificate at its endpoint."""
    at = monitor.now()
    validated = (held.der, CA.certificate) if is_validated else ()
    one = Sighting(first=at, last=at, presented=held.chain, validated=validated, outcome=Outcome.MATCH)
    async with monitor.database.writing() as connection:
        await Sightings(monitor.database).add(connection, 1, one)


async def rules(monitor: Monitor) -> list[str]:
    """Compare, and return what is open of these rules."""
    await monitor.comparison.turn()
    found = await Views(monitor.database).findings(after=0, most=50, with_closed=False)
    return [one["rule"] for one in found if one["rule"] in ("ct-missing", "tlsa-disagrees")]


@pytest.fixture
async def fresh(database: Database) -> Database:
    """Return a database whose first endpoint has the number 1."""
    async with database.writing() as connection:
        if connection.dialect.name == "postgresql":
            await connection.execute(text("ALTER SEQUENCE endpoints_id_seq RESTART"))
    return database


async def _let_down(database: Database, log: CtLog, clock: Clock, server: CtServer) -> tuple[Monitor, HeldCertificate]:
    """Return a monitor that tells of a broken promise once the log's own delay is over, and the certificate."""
    monitor = await monitor_of(database, clock, server=server)
    await monitor.follow_logs()
    clock.at += HOUR
    held = promised(log, clock())
    await show(monitor, held)
    assert [] == await rules(monitor)
    clock.at += 23 * HOUR
    log.publish(at=clock() + 2 * HOUR)
    await monitor.follow_logs()
    assert ["ct-missing"] == await rules(monitor)
    return monitor, held


async def test_a_promise_that_was_not_kept_is_told(fresh: Database) -> None:
    """A log that promised a certificate is given its own delay; then it holds it, or that is told until it does."""
    log, clock = CtLog(), Clock(datetime.now(UTC))
    log.publish(at=clock())
    with CtServer(log) as server:
        monitor, held = await _let_down(fresh, log, clock, server)
        log.add(held)
        log.publish(at=clock() + 3 * HOUR)
        await monitor.follow_logs()
        assert [] == await rules(monitor)


async def test_a_broken_promise_stays_told_over_a_new_start_and_while_its_log_is_read(fresh: Database) -> None:
    """A start with the same policy takes no promise back, nor does a log that has grown and is not read to its end."""
    log, clock = CtLog(), Clock(datetime.now(UTC))
    log.publish(at=clock())
    with CtServer(log) as server:
        await _let_down(fresh, log, clock, server)
        monitor = await monitor_of(fresh, clock, server=server)
        assert ["ct-missing"] == await rules(monitor)
        async with fresh.writing() as connection:
            await connection.execute(update(ct_logs).values(size=ct_logs.c.size + 1))
        assert ["ct-missing"] == await rules(monitor)


async def test_what_was_promised_before_is_not_asked_for(fresh: Database) -> None:
    """A promise from before the log was followed, a certificate without any and one that cannot be read are passed over."""
    log, clock = CtLog(), Clock(datetime.now(UTC))
    log.publish(at=clock())
    with CtServer(log) as server:
        monitor = await monitor_of(fresh, clock, server=server)
        await monitor.follow_logs()
        await show(monitor, promised(log, clock() - HOUR))
        log.publish(at=clock() + 48 * HOUR)
        await monitor.follow_logs()
        assert [] == await rules(monitor)
        for octets in (b"\x04\x00", b"\x04\x01\x00"):
            await show(monitor, CA.issue(HOST, extensions=[x509.UnrecognizedExtension(OID, octets)]))
            assert [] == await rules(monitor)
        await show(monitor, CA.issue(HOST))
        assert [] == await rules(monitor)


async def test_records_that_do_not_match_are_told(fresh: Database) -> None:
    """TLSA records for another key are a finding, and a resolver that falls silent takes it not back."""
    held = CA.issue(HOST)
    wrong, right = (f"3 1 1 {hashlib.sha256(key).hexdigest()}" for key in (b"", held.key.spki))
    records: dict[str, list[str] | None] = {f"_443._tcp.{HOST}.": [wrong]}
    with NameServer(records) as names:
        look_up = TlsaResolver("127.0.0.1", port=names.port, seconds=3).look_up
        monitor = await monitor_of(fresh, Clock(), tlsa=look_up)
        await show(monitor, held, is_validated=False)
        assert ["tlsa-disagrees"] == await rules(monitor)
        records[f"_443._tcp.{HOST}."] = None
        assert ["tlsa-disagrees"] == await rules(monitor)
        records[f"_443._tcp.{HOST}."] = [wrong, right]
        assert [] == await rules(monitor)
        del records[f"_443._tcp.{HOST}."]
        assert [] == await rules(monitor)


async def fail(monitor: Monitor) -> None:
    """Have the monitor look at its endpoint without an answer."""
    at = monitor.now()
    async with monitor.database.writing() as connection:
        await Sightings(monitor.database).add(connection, 1, Sighting(first=at, last=at, failure="nobody is there"))


async def test_an_endpoint_that_does_not_answer_takes_no_disagreement_back(fresh: Database) -> None:
    """What was shown last counts for a day, and looks without an answer show nothing: the same finding stays open."""
    clock, held = Clock(), CA.issue(HOST)
    with NameServer({f"_443._tcp.{HOST}.": [f"3 1 1 {hashlib.sha256(b'').hexdigest()}"]}) as names:
        monitor = await monitor_of(fresh, clock, tlsa=TlsaResolver("127.0.0.1", port=names.port).look_up)
        await show(monitor, held)
        assert ["tlsa-disagrees"] == await rules(monitor)
        await fail(monitor)
        assert ["tlsa-disagrees"] == await rules(monitor)
        clock.at += 25 * HOUR
        await fail(monitor)
        assert [] == await rules(monitor)


async def test_a_disagreement_outlasts_a_new_start_while_the_resolver_is_silent(fresh: Database) -> None:
    """What is told is remembered in the book: no start of the monitor takes it back before a resolver answered."""
    records: dict[str, list[str] | None] = {f"_443._tcp.{HOST}.": [f"3 1 1 {hashlib.sha256(b'').hexdigest()}"]}
    with NameServer(records) as names:
        look_up = TlsaResolver("127.0.0.1", port=names.port, seconds=3).look_up
        monitor = await monitor_of(fresh, Clock(), tlsa=look_up)
        await show(monitor, CA.issue(HOST))
        assert ["tlsa-disagrees"] == await rules(monitor)
        records[f"_443._tcp.{HOST}."] = None
        assert ["tlsa-disagrees"] == await rules(await monitor_of(fresh, Clock(), tlsa=look_up))


async def test_nobody_is_asked_who_was_not_named(fresh: Database) -> None:
    """Without logs and without a resolver nothing is compared."""
    assert [] == await rules(await monitor_of(fresh, Clock()))


def test_a_resolver_is_an_address(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The resolver is named by its address, for a name would have to be resolved."""
    file = tmp_path / "pins.toml"
    file.write_text(policy_of(Pin.of(CA.certificate)).to_toml())
    assert 2 == main(["serve", "--policy", str(file), "--data", str(tmp_path / "data"), "--tlsa", "dns.example"])
    assert "expected the IP address of a resolver, found 'dns.example'" in capsys.readouterr().err
