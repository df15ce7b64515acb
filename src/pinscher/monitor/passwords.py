"""
Passwords: what one must be, its Argon2id hash, and how long it takes to look whether one is right.

Rules of this file:

1. A password is hashed by Argon2id with the memory of RFC 9106's second recommended setting.
2. A name that there is not costs the same time as a password that is wrong.
3. One hash is made at a time in a whole process (see ``store.argon``): each takes 64 MiB, and a flood of logins takes
   no more.
4. Few wait for a hash, and none for long; beyond either bound :class:`PasswordsBusyError` says so.
5. Hashes are made in a thread of their own: whoever fills asyncio's threads delays no login, and no hash keeps the
   process from ending.
"""

from __future__ import annotations

import asyncio
import functools
import secrets
from dataclasses import dataclass
from queue import Full
from typing import TYPE_CHECKING, ClassVar, TypeVar

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from pinscher.monitor.errors import MonitorError
from pinscher.monitor.own_thread import OwnThread
from pinscher.store.argon import one_derivation

if TYPE_CHECKING:
    from collections.abc import Callable

_Result = TypeVar("_Result")

SHORTEST = 12
LONGEST = 256
"""Characters of a password."""
MOST_WAITING = 32
"""Passwords that wait for their hash."""
LONGEST_WAIT = 10.0
"""Seconds until a password has its hash, or is refused."""


class PasswordsBusyError(MonitorError):
    """A password that could not be looked at now: too many wait, or there is no memory for its hash."""

    status: ClassVar[int] = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a hash costs: passes over the memory, its KiB, and how many lanes it is filled in (RFC 9106 section 4)."""

    iterations: int = 3
    memory: int = 64 * 1024
    lanes: int = 4


class Passwords:
    """Hashes passwords, and compares them."""

    def __init__(self, cost: Cost | None = None) -> None:
        self._cost = cost or Cost()
        self._thread = OwnThread("pinscher-passwords", most=MOST_WAITING)
        self._nobodys: str | None = None

    async def hashed(self, password: str, *, name: str) -> str:
        """Return the hash of a new password, or raise where the password is none."""
        check(password, name)
        return await self._done(functools.partial(_hashed, password, self._cost))

    async def is_right(self, password: str, stored: str | None) -> bool:
        """Tell whether a password belongs to a hash; without one the answer is no, after the same time (rule 2)."""
        matches = await self._done(functools.partial(self._compare, password[:LONGEST], stored))
        return matches and stored is not None and len(password) <= LONGEST

    def _compare(self, password: str, stored: str | None) -> bool:
        if self._nobodys is None:
            self._nobodys = _hashed(secrets.token_urlsafe(), self._cost)
        return _matches(password, stored or self._nobodys)

    async def _done(self, work: Callable[[], _Result]) -> _Result:
        """Return what the thread of the hashes makes of it, within its bounds (rule 4)."""
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                return await asyncio.wrap_future(self._thread.begin(work))
        except (Full, TimeoutError):
            reason = "too many passwords are looked at"
        except MemoryError:
            reason = "there is no memory for the hash of a password"
        raise PasswordsBusyError(f"{reason}: try again in a minute")


def check(password: str, name: str) -> None:
    """Refuse a password that is short, endless, or the account's own name."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise MonitorError(f"a password has {SHORTEST} to {LONGEST} characters, found {len(password)}")
    if len(set(password)) < 5 or (name and password.lower().replace(name.lower(), "") == ""):
        raise MonitorError("expected a password that is neither the account's name nor a few characters repeated")


def _hashed(password: str, cost: Cost) -> str:
    derivation = Argon2id(
        salt=secrets.token_bytes(16), length=32, iterations=cost.iterations, lanes=cost.lanes, memory_cost=cost.memory
    )
    with one_derivation():
        return derivation.derive_phc_encoded(_octets(password))


def _matches(password: str, stored: str) -> bool:
    try:
        with one_derivation():
            Argon2id.verify_phc_encoded(_octets(password), stored)
    except InvalidKey:
        return False
    return True


def _octets(password: str) -> bytes:
    return password.encode(errors="surrogatepass")
