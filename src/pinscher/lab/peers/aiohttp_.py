"""aiohttp with ``ssl=Fingerprint(...)``: the hash of the server's own certificate, in place of every other check."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pinscher.lab.client import SECRET, Client, Contestant, Reply
from pinscher.lab.peers.fingerprints import fingerprint_of, package
from pinscher.lab.scenario import Capability

if TYPE_CHECKING:
    from types import ModuleType

    from pinscher.lab.scenario import Visit
    from pinscher.lab.workplace import Workplace


def contestant(_: Workplace) -> Contestant:
    """Return aiohttp as a contestant."""
    aiohttp, version = package("aiohttp")

    def new() -> Client:
        return _Aiohttp(aiohttp)

    able = frozenset({Capability.NAMES, Capability.CERTIFICATE_PINS, Capability.SEVERAL_VISITS})
    return Contestant("aiohttp", able, new, f"aiohttp {version}, Fingerprint")


class _Aiohttp:
    def __init__(self, aiohttp: ModuleType) -> None:
        self._aiohttp = aiohttp

    def visit(self, visit: Visit) -> Reply:
        """Post the secret in a session of its own."""
        fingerprint = fingerprint_of(visit)
        try:
            asyncio.run(self._post(visit, fingerprint))
        except (OSError, ValueError, self._aiohttp.ClientError, TimeoutError) as error:
            return Reply(accepted=False, said=str(error))
        return Reply(accepted=True)

    async def _post(self, visit: Visit, fingerprint: bytes) -> None:
        try:
            await self._exchange(visit, fingerprint)
        finally:
            # A transport that aiohttp has closed still waits for the server's goodbye, which needs turns of the loop.
            for _ in range(_MOST_TURNS):
                if not getattr(asyncio.get_running_loop(), "_transports", None):
                    break
                await asyncio.sleep(_TURN)

    async def _exchange(self, visit: Visit, fingerprint: bytes) -> None:
        address, port = visit.address
        async with (
            self._aiohttp.ClientSession(timeout=self._aiohttp.ClientTimeout(10)) as session,
            session.post(
                f"https://{address}:{port}{visit.path}", data=SECRET, ssl=self._aiohttp.Fingerprint(fingerprint),
                server_hostname=visit.host, allow_redirects=False,
            ) as answer,
        ):  # fmt: skip
            await answer.read()

    def close(self) -> None:
        """Hold nothing."""


_MOST_TURNS, _TURN = 100, 0.01
"""How often, and in seconds how long, the loop is turned for transports to close."""
