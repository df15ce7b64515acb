"""
Hands messages to the process that carries them, and hears which were taken.

The process has a limited time, and what it has not told about when the time is over was not taken. Addresses reach it
through a pipe: no command line and no environment holds them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING

from pinscher.monitor.alerts.carrier import NOT_TAKEN
from pinscher.monitor.alerts.plan import InvalidAlertsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pinscher.monitor.alerts.plan import Plan

    Told = Callable[[int, str | None], Awaitable[None]]

SECONDS = 60.0
"""How long one process may take for what it was handed."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One message for one address, which is secret."""

    id: int
    address: str = field(repr=False)
    title: str = ""
    body: str = ""
    kind: str = "info"


class Courier:
    """Starts a process for each round of parcels."""

    def __init__(self, *, allow_private: bool, seconds: float = SECONDS) -> None:
        if find_spec("apprise") is None:
            raise ImportError("alerts need apprise; install it with: pip install 'pinscher[monitor]'")
        self._allow_private = allow_private
        self._seconds = seconds

    async def carry(self, parcels: Sequence[Parcel], told: Told, *, is_check: bool = False) -> None:
        """Await *told* with each parcel's number and why it was not taken, or None, as soon as that is known."""
        waiting = {parcel.id for parcel in parcels}

        async def heard(number: int, why: str | None) -> None:
            """Hear of one parcel."""
            waiting.discard(number)
            await told(number, why)

        with contextlib.suppress(TimeoutError, BrokenPipeError, ConnectionResetError):
            await self._run(_task(parcels, allow_private=self._allow_private, is_check=is_check), heard)
        for number in sorted(waiting):
            await told(number, NOT_TAKEN)

    async def check(self, plan: Plan) -> None:
        """Raise :class:`InvalidAlertsError` where apprise knows no such address, or it is plainly not public."""
        named = [(route.name, place, address) for route in plan.routes for place, address in enumerate(route.addresses)]

        async def told(number: int, why: str | None) -> None:
            """Refuse what was not taken."""
            if why is not None:
                name, place, _ = named[number]
                raise InvalidAlertsError(f"routes.{name}.urls[{place}]", why)

        await self.carry([Parcel(number, one[2]) for number, one in enumerate(named)], told, is_check=True)

    async def _run(self, task: bytes, heard: Told) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-m", "pinscher.monitor.alerts.carrier", env=_environment(),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            assert process.stdin is not None  # noqa: S101  (asked for above, as is the next one)
            assert process.stdout is not None  # noqa: S101
            async with asyncio.timeout(self._seconds):
                process.stdin.write(task)
                await process.stdin.drain()
                process.stdin.close()
                while line := await process.stdout.readline():
                    answer = json.loads(line)
                    await heard(answer["id"], answer["why"])
                await process.wait()
        finally:
            # A signal to a process that has just ended would take its end from whoever waits for it.
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()


def _task(parcels: Sequence[Parcel], *, allow_private: bool, is_check: bool) -> bytes:
    messages = [
        {"id": one.id, "address": one.address, "title": one.title, "body": one.body, "kind": one.kind}
        for one in parcels
    ]
    return json.dumps({"allow_private": allow_private, "is_check": is_check, "messages": messages}).encode()


def _environment() -> dict[str, str]:
    """Return the environment without proxies: through one of them the address that is reached is not seen."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
