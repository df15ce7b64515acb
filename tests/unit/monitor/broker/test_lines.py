"""Reports and looks on their way through a real NATS server, and through Taskiq's broker in memory."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select
from taskiq import InMemoryBroker

from pinscher.monitor.broker import JetStream, ProbeLine, ReportLine
from pinscher.monitor.broker.jetstream import Packed, work_off
from pinscher.monitor.broker.probes import LOOKS_AHEAD
from pinscher.monitor.broker.reports import LARGEST_MESSAGE, _packed, _unpacked
from pinscher.monitor.errors import BrokerUnusableError, MonitorError, NotStoredError, TooLargeError
from pinscher.monitor.intake import Accepted, Intake
from pinscher.monitor.tables import endpoints, heartbeats, looks, reports
from pinscher.monitor.vantage import DEFAULT_VANTAGE
from pinscher.monitor.watch import Watch
from pinscher.probe import Endpoint, NoAnswerError, Protocol
from tests.unit.monitor.nats_server import PASSWORD, nats_server
from tests.unit.monitor.scene import AT, HOUR, Clock, policy_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from pinscher.monitor.database import Database
    from pinscher.probe import Observation
    from tests.unit.monitor.nats_server import NatsServer

pytestmark = pytest.mark.anyio
PATIENCE = timedelta(seconds=2)
PIN = "sha256/" + "A" * 43 + "="


def _report(key: str, **changed: Any) -> Accepted:
    row = {
        "application": "bank-app", "key": key, "received": 1, "at": None, "host": "a.example", "port": 443,
        "policy": "p", "version": 1, "mode": "enforce", "cause": "", "library": "", "times": 1, "served": "",
        "validated": "d",
    }  # fmt: skip
    return Accepted(reports=[row | changed], certificates=[{"digest": "d", "der": b"\x30\x00", "seen": 1}])


@contextlib.asynccontextmanager
async def _line(url: str, store: Callable[[Sequence[Accepted]], Awaitable[None]]) -> AsyncIterator[ReportLine]:
    broker, line = ReportLine.at(url, store, patience=PATIENCE)
    await broker.startup()
    try:
        yield line
    finally:
        await broker.shutdown()


async def _until(is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await is_so():  # noqa: ASYNC110  (another process does it)
            await asyncio.sleep(0.02)


async def _end(*working: asyncio.Task[Any]) -> None:
    for task in working:
        task.cancel()
    await asyncio.gather(*working, return_exceptions=True)


async def _keys(database: Database) -> list[str]:
    async with database.reading() as connection:
        return list((await connection.execute(select(reports.c.key).order_by(reports.c.key))).scalars())


async def test_what_was_handed_in_is_stored_once_by_whoever_takes_it(database: Database, nats: NatsServer) -> None:
    """Before anybody stores it waits in the stream; two workers store it, a key that comes twice once, and it is off the stream."""
    intake = Intake(database)
    async with _line(nats.url, intake.commit) as one, _line(nats.url, intake.commit) as two:
        await one.hand_in([_report("a"), _report("b")])
        await two.hand_in([_report("b"), _report("c")])
        assert ([], 2) == (await _keys(database), await one._broker.under_way())  # type: ignore[attr-defined]
        working = [asyncio.create_task(line.run()) for line in (one, two)]

        async def is_empty() -> bool:
            """Tell whether nothing waits in the stream."""
            return 0 == await one._broker.under_way()  # type: ignore[attr-defined, no-any-return]

        await _until(is_empty)
        await _end(*working)
    assert ["a", "b", "c"] == await _keys(database)


async def test_a_database_that_is_away_loses_nothing(database: Database, nats: NatsServer) -> None:
    """What cannot be stored is tried again, stays in the stream meanwhile, and is stored when the database is back."""
    intake, refused = Intake(database), 0

    async def store(batch: Sequence[Accepted]) -> None:
        """Refuse twice, and then store."""
        nonlocal refused
        refused += 1
        if refused < 3:
            raise NotStoredError("nothing was stored: the database restarts")
        await intake.commit(batch)

    async with _line(nats.url, store) as line:
        await line.hand_in([_report("a")])
        working = asyncio.create_task(line.run())

        async def is_stored() -> bool:
            """Tell whether everything is in the database."""
            return ["a"] == await _keys(database)

        await _until(is_stored)
        await _end(working)
    assert 3 == refused


async def test_what_one_worker_gives_up_another_is_given(database: Database, nats: NatsServer) -> None:
    """A worker whose own database is away gives up in time, and the message goes to one that can store."""
    intake, tries = Intake(database), asyncio.Event()

    async def never(batch: Sequence[Accepted]) -> None:
        """Refuse always."""
        tries.set()
        raise NotStoredError("nothing was stored: no route")

    async with _line(nats.url, never) as lost, _line(nats.url, intake.commit) as good:
        await lost.hand_in([_report("a")])
        failing = asyncio.create_task(lost.run())
        async with asyncio.timeout(20):
            await tries.wait()
        working = asyncio.create_task(good.run())

        async def is_stored() -> bool:
            """Tell whether everything is in the database."""
            return ["a"] == await _keys(database)

        await _until(is_stored)
        await _end(failing, working)


async def test_a_broker_that_is_killed_keeps_what_it_took_and_takes_nothing_meanwhile(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was acknowledged is there after the kill; what comes meanwhile is refused; and work goes on by itself."""
    monkeypatch.setattr("pinscher.monitor.broker.jetstream._ANSWER_SECONDS", 1)
    intake = Intake(database)
    with nats_server() as server:
        async with _line(server.url, intake.commit) as line:
            await line.hand_in([_report("before")])
            server.kill()
            with pytest.raises(NotStoredError, match="the broker took nothing"):
                await line.hand_in([_report("meanwhile")])
            server.start()
            working = asyncio.create_task(line.run())

            async def is_taking() -> bool:
                """Tell whether the broker takes reports again."""
                with contextlib.suppress(NotStoredError):
                    await line.hand_in([_report("after")])
                    return True
                return False

            await _until(is_taking)

            async def is_stored() -> bool:
                """Tell whether everything is in the database."""
                return {"before", "after"} <= set(await _keys(database))

            await _until(is_stored)
            await _end(working)


async def test_a_stream_that_is_full_takes_nothing_and_goes_on_when_it_is_emptied(
    database: Database, nats: NatsServer
) -> None:
    """Beyond its bound nothing is acknowledged, what was is stored, and then there is room again."""
    intake = Intake(database)
    broker = JetStream(nats.url, f"pinscher-small-{uuid.uuid4().hex[:8]}", patience=PATIENCE, most=12)
    line, taken, refused = ReportLine(broker, intake.commit, patience=PATIENCE), [], False
    await broker.startup()
    while not refused:
        key = f"{len(taken):03}"
        try:
            await line.hand_in([_report(key)])
        except NotStoredError as error:
            refused = "maximum messages exceeded" in str(error)
        else:
            taken.append(key)
    assert (12, 12) == (len(taken), await broker.under_way())
    working = asyncio.create_task(line.run())

    async def is_taking() -> bool:
        """Tell whether the broker takes reports again."""
        with contextlib.suppress(NotStoredError):
            await line.hand_in([_report("later")])
            return True
        return False

    await _until(is_taking)

    async def is_stored() -> bool:
        """Tell whether everything is in the database."""
        return [*taken, "later"] == await _keys(database)

    await _until(is_stored)
    await _end(working)
    await broker.shutdown()


async def test_the_same_tasks_run_in_memory(database: Database) -> None:
    """Without a server the tasks run on Taskiq's own broker, where there is nothing to acknowledge."""
    line = ReportLine(broker := InMemoryBroker(await_inplace=True), Intake(database).commit, patience=PATIENCE)
    broker.formatter = Packed()
    await line.hand_in([_report("a"), _report("a"), _report("b")])
    assert ["a", "b"] == await _keys(database)


def test_a_batch_is_cut_into_messages_that_a_server_takes() -> None:
    """A message has a bound, one body alone goes as it is, and a certificate stands once in each."""
    batch = [_report(str(number), library="x" * 100_000) for number in range(20)]
    pieces = list(_packed(batch))
    assert len(pieces) > 2
    assert all(len(piece) <= LARGEST_MESSAGE for piece in pieces)
    unpacked = [_unpacked(piece)[0] for piece in pieces]
    assert [str(number) for number in range(20)] == [row["key"] for one in unpacked for row in one.reports]
    assert [1] * len(pieces) == [len(one.certificates) for one in unpacked]
    assert 1 == len(list(_packed([_report("big", library="x" * 2 * LARGEST_MESSAGE)])))


def _beat(key: str) -> Accepted:
    """Return the rows of a heartbeat that fills every field, of which a body of 343 KB makes more than 1 MiB."""
    common = {
        "application": "shop-app", "key": f"{key:>128}", "received": 1, "install": "i" * 64, "policy": "p" * 256,
        "version": 2**53 - 1, "log_head": "h" * 256, "outcome": "match", "matched": PIN, "times": 1,
    }  # fmt: skip
    return Accepted(heartbeats=[common | {"host": f"{number:0240}.example"} for number in range(1024)])


def test_a_heartbeat_of_many_counts_is_cut_between_them() -> None:
    """The counts of one heartbeat go in as many messages as they need, each of them once."""
    pieces = list(_packed([_report("a"), _beat("b"), _report("c")]))
    assert all(len(piece) <= LARGEST_MESSAGE for piece in pieces)
    rows = [one for piece in pieces for one in _unpacked(piece)]
    assert ["a", "c"] == [row["key"] for one in rows for row in one.reports]
    assert [f"{number:0240}.example" for number in range(1024)] == [
        row["host"] for one in rows for row in one.heartbeats
    ]


async def test_a_heartbeat_of_many_counts_stops_nobody(database: Database, nats: NatsServer) -> None:
    """The greatest heartbeat that a collector takes is stored whole, once however often it comes, and others with it."""
    intake = Intake(database)
    async with _line(nats.url, intake.commit) as line:
        await line.hand_in([_report("a"), _beat("b"), _report("c")])
        await line.hand_in([_beat("b")])
        working = asyncio.create_task(line.run())

        async def is_empty() -> bool:
            """Tell whether nothing waits in the stream."""
            return 0 == await line._broker.under_way()  # type: ignore[attr-defined, no-any-return]

        await _until(is_empty)
        await _end(working)
    async with database.reading() as connection:
        assert 1024 == (await connection.execute(select(func.count()).select_from(heartbeats))).scalar_one()
    assert ["a", "c"] == await _keys(database)


async def test_a_body_that_a_broker_does_not_take_is_refused_alone(database: Database) -> None:
    """Of a batch with reports that are too large for the server, they alone are refused, also when their sender left."""
    direct = Intake(database)
    with nats_server(max_payload=64 * 1024) as server:
        async with _line(server.url, direct.commit) as line:
            intake = Intake(database, keep=line.hand_in)
            sent = [_report("a"), _report("b"), _report("big", library="x" * 100_000), _report("c"), _report("d")]
            storing = [asyncio.create_task(intake.store(one)) for one in sent]
            leaving = asyncio.create_task(intake.store(_report("gone", library="x" * 100_000)))
            # They wait in the queue once their tasks had a turn.
            await asyncio.sleep(0)
            leaving.cancel()
            working = [asyncio.create_task(work) for work in (intake.run(), line.run())]
            answers = await asyncio.gather(*storing, return_exceptions=True)

            async def is_stored() -> bool:
                """Tell whether everything is in the database."""
                return ["a", "b", "c", "d"] == await _keys(database)

            await _until(is_stored)
            await _end(*working)
    assert [None, None, TooLargeError, None, None] == [one and type(one) for one in answers]
    assert (413, True) == (TooLargeError.status, "the broker takes 65536 octets at once" in str(answers[2]))


@pytest.mark.parametrize(("found", "made"), [(PASSWORD, "wrong-password-of-mine"), ("127.0.0.1", "127.0.0.2")])
async def test_no_password_is_told(
    nats: NatsServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, found: str, made: str
) -> None:
    """A broker that refuses a password, or is not there, is told without the address."""
    monkeypatch.setattr("pinscher.monitor.broker.jetstream._CONNECT_SECONDS", 1)
    caplog.set_level(logging.DEBUG)
    broker = JetStream(nats.url.replace(found, made), "pinscher-reports", patience=PATIENCE, most=1_000)
    with pytest.raises(BrokerUnusableError, match="the broker cannot be used") as error:
        await broker.startup()
    for text in (str(error.value), caplog.text):
        assert "wrong-password" not in text
        assert PASSWORD not in text


def _refused(endpoint: Endpoint) -> Observation:
    raise NoAnswerError(endpoint, "connection refused")


def _watch(database: Database, clock: Clock, vantage: str = DEFAULT_VANTAGE, workers: int = 4) -> Watch:
    lease_time = 2 * PATIENCE
    return Watch(
        database, policy_of(PIN), _refused, now=clock, interval=HOUR, workers=workers, vantage=vantage,
        lease_time=lease_time,
    )  # fmt: skip


@contextlib.asynccontextmanager
async def _probes(url: str, watch: Watch) -> AsyncIterator[ProbeLine]:
    broker, line = ProbeLine.at(url, watch)
    await broker.startup()
    try:
        yield line
    finally:
        await broker.shutdown()


async def _looked(database: Database, vantage: str) -> int:
    async with database.reading() as connection:
        asked = select(func.count()).where(looks.c.vantage == vantage, looks.c.looked.is_not(None))
        return int((await connection.execute(asked)).scalar_one())


async def test_what_is_due_is_looked_at_by_any_prober_of_its_vantage_point(
    database: Database, nats: NatsServer
) -> None:
    """Two probers share what is due at theirs; another vantage point has a stream of its own; each endpoint keeps how it is reached."""
    clock, here, there = Clock(), f"here-{uuid.uuid4().hex[:8]}", f"there-{uuid.uuid4().hex[:8]}"
    wanted = [Endpoint(f"h{number}.example") for number in range(40)]
    wanted += [Endpoint("m.example", 25, protocol=Protocol.SMTP, connect_to="127.0.0.1")]
    watches = [_watch(database, clock, name) for name in (here, here, there)]
    for watch in watches:
        await watch.schedule.watch(wanted, at=AT, is_anew=False)
    async with contextlib.AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(_probes(nats.url, watch)) for watch in watches]
        working = [asyncio.create_task(line.run()) for line in lines[:2]]

        async def is_done() -> bool:
            """Tell whether every endpoint was looked at."""
            return len(wanted) == await _looked(database, here)

        await _until(is_done)
        assert (0, len(wanted)) == (await _looked(database, there), watches[0].looks + watches[1].looks)
        await _end(*working)


async def test_what_is_leased_is_bounded_and_a_lease_that_is_over_is_dropped(
    database: Database, nats: NatsServer
) -> None:
    """No more is leased than can be looked at soon; a message that comes too late is taken off without a look."""
    clock, name = Clock(), f"here-{uuid.uuid4().hex[:8]}"
    watch = _watch(database, clock, name, workers=1)
    await watch.schedule.watch([Endpoint(f"h{number}.example") for number in range(40)], at=AT, is_anew=False)
    async with _probes(nats.url, watch) as line:
        for _ in range(3):
            await line.turn()
        assert LOOKS_AHEAD == await line._queue.under_way()
        clock.at += 3 * PATIENCE
        working = asyncio.create_task(work_off(line._broker, workers=1))

        async def is_empty() -> bool:
            """Tell whether nothing waits in the stream."""
            return 0 == await line._queue.under_way()

        await _until(is_empty)
        await _end(working)
    assert (0, 0) == (watch.looks, await _looked(database, name))
    assert 40 == len(await watch.schedule.lease(clock.at))


async def test_a_broker_that_is_away_leaves_what_is_due(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease whose message was not taken ends by itself, and the endpoint is due again."""
    monkeypatch.setattr("pinscher.monitor.broker.jetstream._ANSWER_SECONDS", 1)
    clock = Clock()
    watch = _watch(database, clock)
    await watch.schedule.watch([Endpoint("a.example")], at=AT, is_anew=False)
    with nats_server() as server:
        async with _probes(server.url, watch) as line:
            assert 0 < await line.turn()
            server.kill()
            with pytest.raises(MonitorError, match="the broker"):
                await line.turn()
    assert [] == await watch.schedule.lease(clock.at)
    assert 1 == len(await watch.schedule.lease(clock.at + 2 * PATIENCE))
    async with database.reading() as connection:
        assert 1 == (await connection.execute(select(func.count()).select_from(endpoints))).scalar_one()
