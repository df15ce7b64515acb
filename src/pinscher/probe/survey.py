"""
Many endpoints against a policy, from one process: bounded memory, limits for each host, retries with back-off.

Rules of this file:

1. No more than *in_flight* endpoints are being looked at, however many there are; the rest stays in the source.
2. Every address of a name is looked at, each as a result of its own: one server of many may show another key.
3. Only a missing answer is asked for again. What a server showed, and how it refused, is an answer.
4. A verdict is made from a path that this very connection verified, by the policy that was given, and at the moment
   at which it was seen.
"""

from __future__ import annotations

import asyncio
import random
import socket
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from pinscher.probe.attempt import Address, Prober
from pinscher.probe.connection import NoAnswerError
from pinscher.probe.starttls import ResponseInjectionError, StarttlsRefusedError
from pinscher.probe.tlsa import TlsaAnswer, TlsaError
from pinscher.probe.turns import Turns
from pinscher.verdict import Verdict, evaluate, refusal, unlisted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from pinscher.errors import PinningError
    from pinscher.policy import Policy
    from pinscher.probe.endpoint import Endpoint
    from pinscher.probe.observation import ChainReader, Observation
    from pinscher.probe.trust import Trust

T = TypeVar("T")

MOST_ADDRESSES = 32
"""Addresses of one name that are looked at; a result says when there were more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How hard a survey may try; *seconds* is for one connection, *back_off* the first wait before another try."""

    in_flight: int = 128
    per_host: int = 2
    retries: int = 1
    back_off: float = 0.5
    seconds: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """
    What came of one address of one endpoint.

    ``observation`` and ``verdict`` are None, and ``failure`` says why, where there was no answer. ``address`` is None
    where the name has none. ``omitted`` counts the addresses beyond the limit. ``tlsa`` is None where nobody asked.
    """

    endpoint: Endpoint
    address: str | None
    observation: Observation | None = None
    verdict: Verdict | None = None
    failure: PinningError | None = None
    tries: int = 1
    omitted: int = 0
    tlsa: TlsaAnswer | TlsaError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """One way of looking at many endpoints; :meth:`run` does it."""

    policy: Policy
    trust: Trust
    chains: ChainReader
    limits: Limits = field(default_factory=Limits)
    family: socket.AddressFamily = socket.AF_UNSPEC
    every_address: bool = True
    tlsa: Callable[[Endpoint], Awaitable[TlsaAnswer]] | None = None
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    async def run(self, endpoints: Iterable[Endpoint], tell: Callable[[Sighting], object]) -> None:
        """
        Look at every endpoint and *tell* each sighting as it comes; the order is that of the answers.

        What *tell* raises ends the survey, and is raised here.
        """
        turns = Turns(endpoints, per_host=self.limits.per_host)
        prober = Prober(self.trust, self.chains, self.limits.seconds)
        running: set[asyncio.Task[None]] = set()
        freed = asyncio.Event()
        failed: list[BaseException] = []

        def ended(task: asyncio.Task[None], endpoint: Endpoint) -> None:
            """Take note of one that has ended, and let the next begin."""
            running.discard(task)
            turns.done(endpoint)
            error = None if task.cancelled() else task.exception()
            if error is not None:
                failed.append(error)
            freed.set()

        try:
            while not failed:
                while len(running) < self.limits.in_flight and (endpoint := turns.take()) is not None:
                    task = asyncio.create_task(self._look(prober, endpoint, tell))
                    running.add(task)
                    task.add_done_callback(lambda task, endpoint=endpoint: ended(task, endpoint))  # type: ignore[misc]
                if not running:
                    return
                freed.clear()
                await freed.wait()
            raise failed[0]
        finally:
            for task in running:
                task.cancel()

    async def _look(self, prober: Prober, endpoint: Endpoint, tell: Callable[[Sighting], object]) -> None:
        tlsa = await self._ask(endpoint)
        try:
            found = await self._again(lambda: prober.addresses(endpoint, self.family))
        except NoAnswerError as error:
            tell(Sighting(endpoint=endpoint, address=None, failure=error, tries=self.limits.retries + 1, tlsa=tlsa))
            return
        addresses, _ = found
        omitted = max(0, len(addresses) - MOST_ADDRESSES)
        for address in addresses[:MOST_ADDRESSES]:
            sighting = await self._see(prober, endpoint, address, omitted=omitted, tlsa=tlsa)
            is_last = address == addresses[:MOST_ADDRESSES][-1]
            if self.every_address or sighting.failure is None or is_last:
                tell(sighting)
            if not self.every_address and sighting.failure is None:
                return

    async def _see(
        self, prober: Prober, endpoint: Endpoint, address: Address, *, omitted: int,
        tlsa: TlsaAnswer | TlsaError | None,
    ) -> Sighting:  # fmt: skip
        # Not by way of _again: where the program waits for servers, every frame is memory of each probe in flight.
        tries = 0
        try:
            while True:
                tries += 1
                try:
                    observation = await prober.observe(endpoint, address)
                    break
                except NoAnswerError:
                    if tries > self.limits.retries:
                        raise
                    await asyncio.sleep(self._pause(tries - 1))
        except NoAnswerError as error:
            return Sighting(
                endpoint=endpoint, address=address[1][0], failure=error, tries=tries, omitted=omitted, tlsa=tlsa
            )
        except (StarttlsRefusedError, ResponseInjectionError) as error:
            return Sighting(
                endpoint=endpoint, address=address[1][0], failure=error, tries=tries, omitted=omitted, tlsa=tlsa
            )
        return Sighting(
            endpoint=endpoint, address=observation.address, observation=observation, verdict=self.judge(observation),
            tries=tries, omitted=omitted, tlsa=tlsa,
        )  # fmt: skip

    def judge(self, observation: Observation) -> Verdict:
        """Return the verdict on what was seen, by the policy of this survey (rule 4)."""
        host, port, at = observation.host, observation.port, self.now()
        if observation.validated is not None:
            return evaluate(observation.validated, self.policy, host=host, at=at, port=port)
        early = unlisted(self.policy, host=host, at=at, port=port)
        if early is not None:
            return early
        detail = observation.verification_error or "not verified"
        return refusal(self.policy, host=host, at=at, port=port, detail=detail)

    async def _again(self, play: Callable[[], Awaitable[T]]) -> tuple[T, int]:
        """Play until there is an answer, or the tries are used up; wait longer before each, and never in step."""
        for tried in range(self.limits.retries):
            try:
                return await play(), tried + 1
            except NoAnswerError:
                await asyncio.sleep(self._pause(tried))
        return await play(), self.limits.retries + 1

    def _pause(self, tried: int) -> float:
        return self.limits.back_off * 2.0**tried * random.uniform(0.5, 1.5)  # noqa: S311

    async def _ask(self, endpoint: Endpoint) -> TlsaAnswer | TlsaError | None:
        if self.tlsa is None:
            return None
        try:
            return await self.tlsa(endpoint)
        except TlsaError as error:
            return error
