"""
A TCP connection to an endpoint, ready for the TLS handshake, within one deadline.

Rules of this file:

1. One deadline covers the look-up, every address and the preamble; a slow server cannot stretch it byte by byte.
2. Every address of the host is tried, in the resolver's order, and a failure names each with its reason, sorted: a
   resolver that turns its answers round does not make one failure look like two.
3. Only the connecting falls over to the next address. What a server says afterwards counts, whatever it is.
"""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from pinscher.errors import PinningError, escaped
from pinscher.probe.starttls import speak_preamble

if TYPE_CHECKING:
    from pinscher.probe.endpoint import Endpoint


class NoAnswerError(PinningError):
    """No server spoke TLS at an endpoint; ``endpoint`` says where and ``reason`` why."""

    def __init__(self, endpoint: Endpoint, reason: str) -> None:
        super().__init__(f"no answer from {endpoint}: {reason}")
        self.endpoint = endpoint
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock after which nothing is waited for."""

    at: float
    seconds: float = field(kw_only=True)

    @classmethod
    def after(cls, seconds: float) -> Self:
        """Return the deadline that lies *seconds* from now."""
        return cls(time.monotonic() + seconds, seconds=seconds)

    def left(self) -> float:
        """Return the seconds that are left, or raise :class:`TimeoutError` when none is."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"nothing within {self.seconds:g} s")
        return left


def connect(endpoint: Endpoint, *, deadline: Deadline) -> socket.socket:
    """
    Return a connected socket on which the next byte sent must be a ClientHello.

    Raises :class:`NoAnswerError` when no address answers, and what ``starttls`` raises when the preamble goes wrong.
    The socket's timeout is the time that is left.
    """
    connection = _connect_to_any(endpoint, deadline)
    try:
        speak_preamble(connection, endpoint.protocol, left=deadline.left)
        connection.settimeout(deadline.left())
    except OSError as error:
        connection.close()
        raise NoAnswerError(endpoint, _reason(error, deadline)) from None
    except BaseException:
        connection.close()
        raise
    return connection


def addresses_of(endpoint: Endpoint, *, timeout: float) -> list[str]:
    """Return each address of an endpoint's name once, within *timeout* seconds, or raise :class:`NoAnswerError`."""
    found = _addresses(endpoint, Deadline.after(timeout))
    return list(dict.fromkeys(address[0] for _, address in found))


def _connect_to_any(endpoint: Endpoint, deadline: Deadline) -> socket.socket:
    failures = []
    for family, address in _addresses(endpoint, deadline):
        try:
            return _connect_to(family, address, deadline)
        except OSError as error:
            failures.append(f"{address[0]}: {_reason(error, deadline)}")
    raise NoAnswerError(endpoint, "; ".join(sorted(failures)) or "the name has no address")


def _connect_to(family: int, address: tuple[str, int], deadline: Deadline) -> socket.socket:
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(deadline.left())
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


def _addresses(endpoint: Endpoint, deadline: Deadline) -> list[tuple[int, tuple[str, int]]]:
    """Look the host up in a thread of its own, because the platform's resolver knows no deadline (rule 1)."""
    found: list[tuple[int, tuple[str, int]]] = []
    failure: list[OSError | UnicodeError] = []

    def look_up() -> None:
        try:
            answers = socket.getaddrinfo(endpoint.connect_to or endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            # Python encodes the name before it asks, and a label may be none.
            failure.append(error)
        else:
            found.extend((family, address) for family, _, _, _, address in answers)  # type: ignore[misc]

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    try:
        thread.join(deadline.left())
    except TimeoutError as error:
        raise NoAnswerError(endpoint, str(error)) from None
    if thread.is_alive():
        raise NoAnswerError(endpoint, f"its name was not looked up within {deadline.seconds:g} s")
    if failure:
        raise NoAnswerError(endpoint, _reason(failure[0], deadline))
    return found


def _reason(error: OSError | UnicodeError, deadline: Deadline) -> str:
    if isinstance(error, TimeoutError):
        return f"nothing within {deadline.seconds:g} s"
    if isinstance(error, UnicodeError):
        return "what it is looked up by is neither an address nor a name"
    return escaped((getattr(error, "strerror", None) or str(error)).lower())
