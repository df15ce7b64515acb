"""A policy file is followed: what can be used is put in force, and what cannot is told."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pinscher
from pinscher.clients.forwarder import PolicyFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EVERY = 0.01


def text(version: int) -> str:
    """Return a policy."""
    pin = "A" * 43
    return f'format = 1\nname = "bank"\nversion = {version}\n[hosts."bank.test"]\npins = ["sha256/{pin}="]\n'


class Followed:
    """A policy file that is followed, and what was told of it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: asyncio.Queue[int | str] = asyncio.Queue()
        path.write_text(text(1))
        self.file = PolicyFile(str(path), lambda: pinscher.Policy.load(path))

    def put(self, content: str) -> None:
        """Replace the file in one step."""
        beside = self.path.with_suffix(".new")
        beside.write_text(content)
        os.replace(beside, self.path)

    async def next(self) -> int | str:
        """Return the next version that was put in force, or the next failure."""
        return await asyncio.wait_for(self.told.get(), 20)

    def play(self, steps: Callable[[], object]) -> None:
        """Follow the file while *steps* are awaited."""

        async def played() -> None:
            """Take the steps."""
            following = asyncio.create_task(
                self.file.follow(
                    changed=lambda policy: self.told.put_nowait(policy.version),
                    failed=self.told.put_nowait,
                    every=EVERY,
                )
            )
            await steps()  # type: ignore[misc]
            following.cancel()

        asyncio.run(played())


def test_a_changed_file_is_put_in_force(tmp_path: Path) -> None:
    """A file that was replaced is read, each time it is."""
    followed = Followed(tmp_path / "pins.toml")

    async def steps() -> None:
        """Take the steps."""
        for version in (2, 3):
            followed.put(text(version))
            assert version == await followed.next()

    followed.play(steps)
    assert 3 == followed.file.policy.version


def test_a_file_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    """A change is due only once the file was the same in two looks, unless somebody asked for it."""
    followed = Followed(tmp_path / "pins.toml")
    looks = []
    for step in (None, "two", "three", None, None, "four"):
        if step:
            followed.put(step)
        looks.append(followed.file.look())
    assert [False, False, False, True, False, False] == looks
    followed.file.reload()
    assert [True, False] == [followed.file.look(), followed.file.look()]


def test_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    """A file that cannot be used is told once and changes nothing; so is one that is gone, and the next good one counts."""
    followed = Followed(tmp_path / "pins.toml")

    async def steps() -> None:
        """Take the steps."""
        followed.put("format = 1\nname =")
        assert "pins.toml" in str(await followed.next())
        assert 1 == followed.file.policy.version
        followed.path.unlink()
        assert "pins.toml" in str(await followed.next())
        followed.put(text(2))
        assert 2 == await followed.next()
        assert followed.told.empty()

    followed.play(steps)


def test_a_file_is_read_when_that_is_asked_for(tmp_path: Path) -> None:
    """Asked to, it reads the file again; a policy that says the same is not put in force again."""
    followed = Followed(tmp_path / "pins.toml")

    async def steps() -> None:
        """Take the steps."""
        followed.file.reload()
        followed.put(text(2))
        followed.file.reload()
        assert 2 == await followed.next()
        followed.put(f"# the same\n{text(2)}")
        followed.file.reload()
        followed.put(text(3))
        followed.file.reload()
        assert 3 == await followed.next()
        assert followed.told.empty()

    followed.play(steps)
