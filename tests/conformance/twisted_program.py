"""
A program with a reactor of Twisted; it writes the error that a user catches, and the verdicts told, as a pickle.

Usage: ``python twisted_program.py endpoint|agent PORT POLICY CA``.
"""

from __future__ import annotations

import io
import pickle
import sys
from pathlib import Path
from typing import Any

from twisted.internet import defer, endpoints, protocol, reactor, task
from twisted.web.client import Agent, FileBodyProducer

import pinscher
from pinscher.clients.judge import Judge
from pinscher.clients.twisted import PinnedPolicy, options_for_client_tls

SECRET = b"password=correct-horse-battery-staple"


class Echoed(protocol.Protocol):
    """Says the secret as soon as the connection seems to stand, and waits for it to come back."""

    def __init__(self) -> None:
        self.done: defer.Deferred[None] = defer.Deferred()
        self.received = b""

    def connectionMade(self) -> None:  # noqa: N802
        """Write; Twisted holds it back until the handshake is over."""
        self.transport.write(SECRET)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        """Hear it again."""
        self.received += data
        if self.received == SECRET:
            self.transport.loseConnection()

    def connectionLost(self, reason: Any = None) -> None:  # noqa: N802
        """Tell what ended the connection."""
        if self.received == SECRET:
            self.done.callback(None)
        else:
            self.done.errback(reason)


async def endpoint(judge: Judge, port: int) -> None:
    """Connect to an endpoint."""
    where = endpoints.SSL4ClientEndpoint(reactor, "localhost", port, options_for_client_tls(judge, "localhost"))
    spoken = await endpoints.connectProtocol(where, Echoed())
    await spoken.done


async def agent(judge: Judge, port: int) -> None:
    """Post a form."""
    body = FileBodyProducer(io.BytesIO(SECRET))
    answer = await Agent(reactor, PinnedPolicy(judge)).request(b"POST", b"https://localhost:%d/" % port, None, body)
    assert answer.code == 200


def flattened(error: BaseException | None) -> BaseException | None:
    """Return the refusal among the reasons of an error of Twisted, or the error."""
    for reason in getattr(error, "reasons", None) or ():
        return flattened(reason.value)
    return error


def main(kind: str, port: str, policy: str, ca: str) -> None:
    """Run one exchange."""
    told: list[pinscher.Verdict] = []
    judge = Judge(pinscher.Policy.load(policy), trust=Path(ca).read_bytes(), on_verdict=told.append)
    caught: list[BaseException | None] = [None]

    async def exchange(_: object) -> None:
        """Keep what the exchange raises."""
        try:
            await {"endpoint": endpoint, "agent": agent}[kind](judge, int(port))
        except Exception as error:  # noqa: BLE001  (whatever the user would catch is what is looked at)
            caught[0] = flattened(error)

    try:
        task.react(lambda clock: defer.ensureDeferred(exchange(clock)))
    except SystemExit:
        sys.stdout.buffer.write(pickle.dumps((caught[0], told)))


if __name__ == "__main__":
    main(*sys.argv[1:])
