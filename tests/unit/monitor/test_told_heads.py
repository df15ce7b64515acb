"""Heads that clients tell of, held to what the log of a real repository proves for their sizes."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert

from pinscher.monitor.monitor import Monitor, Settings
from pinscher.monitor.tables import heartbeats, millis
from pinscher.monitor.views import Views
from pinscher.updates.repository import start_log
from tests.unit.monitor.scene import looks_at_nothing
from tests.unit.updates.publisher import Clock, Follower, Publisher, Server, policy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pinscher.monitor.database import Database

pytestmark = pytest.mark.anyio
ORIGIN = "pins.example/log"


class World:
    """A publisher with a log, its server, and a thief of its keys who tells another story from the first entry on."""

    def __init__(self, folder: Path) -> None:
        self.clock, self.folder = Clock(), folder
        self.publisher = Publisher(folder / "publisher", self.clock)
        self.verifier = start_log(self.publisher.repository, ORIGIN)
        self.publisher.publish(policy(1))
        shutil.copytree(self.publisher.folder, folder / "thief")
        self.server = Server(self.publisher.repository.public)

    def follower(self, name: str, address: str | None = None) -> Follower:
        """Return a client with a folder of its own."""
        return Follower(
            self.publisher, [address or self.server.address], self.folder / name, log=str(self.verifier)
        )  # fmt: skip

    def heads(self, last: int) -> list[str]:
        """Publish versions up to the last one; return the head that a client has after each."""
        client, told = self.follower("client"), []
        for version in range(2, last + 1):
            self.publisher.publish(policy(version))
            client.updater.refresh()
            told.append(str(client.updater.state.log_head))
        return told

    def other_story(self) -> str:
        """Return the head of a client that was shown the thief's second entry."""
        thief = Publisher.__new__(Publisher)
        thief.__dict__.update(vars(self.publisher))
        thief.folder = self.folder / "thief"
        thief.repository = type(self.publisher.repository)(thief.folder / "repository")
        thief.publish(policy(2, key="thief"))
        lying = Server(thief.repository.public)
        try:
            victim = self.follower("victim", lying.address)
            victim.updater.refresh()
            return str(victim.updater.state.log_head)
        finally:
            lying.close()

    async def monitor(self, database: Database) -> Monitor:
        """Return a monitor that follows the repository."""
        settings = Settings(updater=self.follower("monitor").updater)
        made = await Monitor.open(database, policy(1), looks_at_nothing, settings=settings, now=self.clock)
        await made.begin()
        return made

    async def tell(self, database: Database, *lines: str) -> None:
        """Have clients tell of heads in their heartbeats."""
        common = {"application": "app", "received": millis(self.clock()), "policy": "p", "version": 1, "host": "",
                  "outcome": "", "matched": "", "times": 1}  # fmt: skip
        async with database.writing() as connection:
            for line in lines:
                await connection.execute(
                    insert(heartbeats).values(key=line, install=line[:40], log_head=line, **common)
                )


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Return a publisher and a thief."""
    made = World(tmp_path)
    yield made
    made.server.close()


async def _told(database: Database) -> list[tuple[str, str]]:
    found = await Views(database).findings(after=0, most=50, with_closed=False)
    return sorted((one["rule"], one["said"]) for one in found if one["rule"].startswith("log-"))


async def test_a_head_of_another_story_is_found_at_its_own_size(database: Database, world: World) -> None:
    """Log fork: a client that was shown another history is found although nobody else tells of a head of its size."""
    honest = world.heads(5)
    lie = world.other_story()
    assert f"{ORIGIN} 2 " == lie[: len(ORIGIN) + 3]
    monitor = await world.monitor(database)
    await world.tell(database, honest[1], honest[2], lie)
    await monitor.oversee()
    ((rule, said),) = await _told(database)
    assert "log-forked" == rule
    assert "two roots for 2 entries: " in said
    assert f"{honest[0].split()[2]} by the repository" in said
    assert f"{lie.split()[2]} by clients of app (1)" in said


async def test_heads_of_one_story_are_proved_once(database: Database, world: World) -> None:
    """Clients that are late are no fork, nor are those ahead of the monitor; what was proved is not asked for again."""
    honest = world.heads(6)
    monitor = await world.monitor(database)
    await world.tell(database, *honest, f"{ORIGIN} 900 {honest[0].split()[2]}", f"{ORIGIN} 0 {'A' * 43}=", "<script>")
    await monitor.oversee()
    # An empty log has one root, which is not that one.
    ((rule, said),) = await _told(database)
    assert ("log-forked", True) == (rule, "two roots for 0 entries: " in said)
    asked = {path: count for path, count in world.server.asked.items() if "tile" in path}
    await monitor.oversee()
    assert asked == {path: count for path, count in world.server.asked.items() if "tile" in path}
    assert asked


async def test_honest_heads_are_quiet(database: Database, world: World) -> None:
    """Heads of every size of one log are no finding."""
    honest = world.heads(6)
    monitor = await world.monitor(database)
    await world.tell(database, *honest, f"{ORIGIN} 900 {honest[0].split()[2]}")
    await monitor.oversee()
    assert [] == await _told(database)


async def test_a_log_that_hides_its_tiles_is_told(database: Database, world: World) -> None:
    """Whoever serves no tiles keeps heads from being compared, which is told until they are there again."""
    honest = world.heads(4)
    monitor = await world.monitor(database)
    await world.tell(database, honest[1], world.other_story())
    world.server.answers |= dict.fromkeys(("/log/tile/0/000.p/4", "/log/tile/0/000"), 404)
    world.clock.move(hours=1)
    await monitor.oversee()
    ((rule, said),) = await _told(database)
    assert ("log-unproven", True) == (rule, "tile/0/000.p/4 is missing" in said)
    world.server.answers.clear()
    world.clock.move(hours=1)
    await monitor.oversee()
    assert ["log-forked"] == [rule for rule, _ in await _told(database)]


async def test_many_sizes_are_proved_turn_by_turn(
    database: Database, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many sizes are told, one turn fetches a bounded number, and the next ones go on."""
    monkeypatch.setattr("pinscher.monitor.oversight.MOST_PROVED", 1)
    honest = world.heads(5)
    monitor = await world.monitor(database)
    await world.tell(database, world.other_story(), honest[1], honest[2])
    await monitor.oversee()
    assert [] == await _told(database)
    for _ in range(2):
        await monitor.oversee()
    assert ["log-forked"] == [rule for rule, _ in await _told(database)]
