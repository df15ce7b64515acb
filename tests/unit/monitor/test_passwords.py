"""How long passwords wait for their hash, and what does not keep them waiting."""

from __future__ import annotations

import asyncio
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pinscher.monitor import passwords as module
from pinscher.monitor.passwords import Cost, Passwords, PasswordsBusyError
from pinscher.store.argon import one_derivation
from tests.programs import said
from tests.unit.monitor.dashboard_scene import CHEAP, PASSWORD

pytestmark = pytest.mark.anyio
AT_ONCE = """
import asyncio
from pinscher.monitor import passwords
from pinscher.monitor.passwords import Passwords

async def main():
    passwords.LONGEST_WAIT = 100
    one, other = Passwords(), Passwords()
    answers = await asyncio.gather(*(who.is_right("wrong horse battery", None) for who in (one, other) * 4))
    stored = await one.hashed("correct horse battery", name="ada")
    print(answers.count(False), await other.is_right("correct horse battery", stored))

asyncio.run(main())
"""
NEVER = """
import asyncio
from pinscher.monitor import passwords
from pinscher.store.argon import one_derivation

async def main():
    passwords.LONGEST_WAIT = 0.1
    try:
        await passwords.Passwords().is_right("wrong horse battery", None)
    except passwords.PasswordsBusyError as error:
        print(error.status)

with one_derivation():
    asyncio.run(main())
"""
NO_MEMORY = """
import asyncio, resource
from pinscher.monitor.passwords import Cost, Passwords, PasswordsBusyError

async def main():
    resource.setrlimit(resource.RLIMIT_AS, (2 * 2**30, 2 * 2**30))
    try:
        await Passwords(Cost(memory=4 * 2**20)).hashed("correct horse battery", name="ada")
    except PasswordsBusyError as error:
        print(error)

asyncio.run(main())
"""


def test_logins_at_once_are_all_answered() -> None:
    """Eight strangers at the same time, at the real cost: each hears no, the next one gets in, and the process ends."""
    assert "8 True" == said(AT_ONCE)


def test_a_hash_that_never_ends_keeps_no_process_from_ending() -> None:
    """Whoever waits is refused after a deadline, and the process ends without the hash."""
    assert "503" == said(NEVER)


@pytest.mark.skipif(sys.platform != "linux", reason="no limit on a process's memory is kept here")
def test_a_hash_without_memory_is_a_refusal() -> None:
    """A machine that has no memory for a hash says so, and asks to try again."""
    assert "there is no memory for the hash of a password: try again in a minute" == said(NO_MEMORY)


async def test_who_waits_too_long_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """While something else derives, a password is refused after its deadline; afterwards it is looked at again."""
    passwords = Passwords(CHEAP)
    stored = await passwords.hashed(PASSWORD, name="ada")
    monkeypatch.setattr(module, "LONGEST_WAIT", 0.05)
    with one_derivation(), pytest.raises(PasswordsBusyError, match="too many passwords"):
        await passwords.is_right(PASSWORD, stored)
    monkeypatch.undo()
    assert await passwords.is_right(PASSWORD, stored)


async def test_more_than_may_wait_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a place in the line of those who wait."""
    monkeypatch.setattr(module, "MOST_WAITING", 0)
    with pytest.raises(PasswordsBusyError, match="too many passwords"):
        await Passwords(CHEAP).hashed(PASSWORD, name="ada")


async def test_whoever_fills_the_threads_of_asyncio_delays_no_login() -> None:
    """A log that does not answer holds a thread that everybody shares, and passwords are hashed meanwhile."""
    go_on, pool = threading.Event(), ThreadPoolExecutor(1)
    busy = asyncio.get_running_loop().run_in_executor(pool, go_on.wait)
    asyncio.get_running_loop().set_default_executor(pool)
    try:
        async with asyncio.timeout(60):
            assert (await Passwords(Cost(memory=64, lanes=1)).hashed(PASSWORD, name="ada")).startswith("$argon2id$")
    finally:
        go_on.set()
        await busy
