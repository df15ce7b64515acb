"""
Passwords: what one must be, its Argon2id hash, and how long it takes to look whether one is right.

Rules of this file:

1. A password is hashed by Argon2id with the memory of RFC 9106's second recommended setting.
2. A name that there is not costs the same time as a password that is wrong.
3. Two hashes are made at once at most: each takes 64 MiB, and a flood of logins takes no more.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from pinscher.monitor.errors import MonitorError

SHORTEST = 12
LONGEST = 256
"""Characters of a password."""
_AT_ONCE = 2


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
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._nobodys: str | None = None

    async def hashed(self, password: str, *, name: str) -> str:
        """Return the hash of a new password, or raise where the password is none."""
        check(password, name)
        async with self._turns:
            return await asyncio.to_thread(_hashed, password, self._cost)

    async def is_right(self, password: str, stored: str | None) -> bool:
        """Tell whether a password belongs to a hash; without one the answer is no, after the same time (rule 2)."""
        async with self._turns:
            if self._nobodys is None:
                self._nobodys = await asyncio.to_thread(_hashed, secrets.token_urlsafe(), self._cost)
            matches = await asyncio.to_thread(_matches, password[:LONGEST], stored or self._nobodys)
        return matches and stored is not None and len(password) <= LONGEST


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
    return derivation.derive_phc_encoded(_octets(password))


def _matches(password: str, stored: str) -> bool:
    try:
        Argon2id.verify_phc_encoded(_octets(password), stored)
    except InvalidKey:
        return False
    return True


def _octets(password: str) -> bytes:
    return password.encode(errors="surrogatepass")
