"""A policy file that changes while the monitor runs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pinscher.monitor.errors import NotStoredError
from pinscher.monitor.monitor import Monitor, Settings
from pinscher.monitor.reloading import PolicyFile
from pinscher.monitor.views import Views
from pinscher.pin import Pin
from pinscher.policy import Policy
from pinscher.probe import Endpoint, NoAnswerError
from tests.unit.monitor.scene import AT, Clock, issue, policy_of, root

if TYPE_CHECKING:
    from pathlib import Path

    from pinscher.monitor.database import Database
    from pinscher.probe import Observation

pytestmark = pytest.mark.anyio
ONE, OTHER = (issue(root()) for _ in range(2))


def _nobody(endpoint: Endpoint) -> Observation:
    raise NoAnswerError(endpoint, "nobody is there")


class World:
    """A monitor of a policy that stands in a file."""

    def __init__(self, database: Database, file: Path) -> None:
        self.database, self.file = database, file
        self.stamp = 0

    def write(self, policy: Policy | str) -> None:
        """Write a file that is surely another than before."""
        self.file.write_text(policy if isinstance(policy, str) else policy.to_toml())
        self.stamp += 1
        os.utime(self.file, ns=(self.stamp, self.stamp))

    async def monitor(self) -> Monitor:
        """Start a monitor that looks at the file."""
        watched = PolicyFile(self.file, lambda: Policy.load(self.file))
        settings = Settings(policy_file=watched)
        monitor = await Monitor.open(
            self.database, Policy.load(self.file), _nobody, settings=settings, now=Clock()
        )  # fmt: skip
        await monitor.begin()
        return monitor

    async def said(self) -> list[str]:
        """Return what is said of the file."""
        shown = await Views(self.database).findings(after=0, most=10, with_closed=False)
        return [one["said"] for one in shown if one["rule"] == "policy-refused"]


@pytest.fixture
def world(database: Database, tmp_path: Path) -> World:
    """Return a world with version 2."""
    made = World(database, tmp_path / "pins.toml")
    made.write(policy_of(Pin.of(ONE.der), version=2))
    return made


async def test_a_newer_policy_is_taken(world: World) -> None:
    """A higher version is in force within one look at the file, and what it lists is watched and due."""
    monitor = await world.monitor()
    await monitor.reload()
    newer = policy_of(Pin.of(OTHER.der), host="other.bank.example", version=3)
    world.write(newer)
    await monitor.reload()
    assert (newer, newer) == (monitor.policy, monitor.watch.policy)
    assert ["other.bank.example"] == [one.endpoint.host for one in await monitor.watch.schedule.lease(AT)]
    assert [] == await world.said()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("format = 1\n[", "pins.toml"),
        (policy_of(Pin.of(ONE.der), version=1), "found version 1, and 2 is in force"),
        (policy_of(Pin.of(OTHER.der), version=2), "found another content of version 2, expected a higher version"),
        (Policy.loads(policy_of(Pin.of(ONE.der), version=3).to_toml().replace("bank-app", "shop")), "found the policy 'shop', expected 'bank-app'"),
    ],
)  # fmt: skip
async def test_a_refused_policy_keeps_the_old(world: World, content: Policy | str, reason: str) -> None:
    """What cannot be read or cannot follow is a finding until the file is right, and the policy in force stays."""
    monitor = await world.monitor()
    before = monitor.policy
    world.write(content)
    await monitor.reload()
    assert before == monitor.policy
    (said,) = await world.said()
    assert reason in said
    world.write(before)
    await monitor.reload()
    assert [] == await world.said()


async def test_a_file_that_is_gone_is_told(world: World) -> None:
    """A policy file that was removed is refused as any other that cannot be read."""
    monitor = await world.monitor()
    await monitor.reload()
    world.file.unlink()
    await monitor.reload()
    assert 1 == len(await world.said())


async def test_what_could_not_be_stored_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that does not answer leaves the change for the next time."""
    monitor = await world.monitor()
    newer = policy_of(Pin.of(OTHER.der), version=3)
    world.write(newer)

    async def full(*_: object, **__: object) -> None:
        """Store nothing."""
        raise NotStoredError("nothing was stored: the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(monitor.ledger, "settle_rules", full)
        with pytest.raises(NotStoredError):
            await monitor.reload()
    await monitor.reload()
    assert newer == monitor.policy
