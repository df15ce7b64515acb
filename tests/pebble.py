"""Real Pebbles for tests: one that takes every challenge as answered, and one that looks for itself on the loopback."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import threading
from typing import TYPE_CHECKING

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset
import pytest

from pinscher.rotation.keys import Pebble
from pinscher.rotation.keys.pebble import Validation

if TYPE_CHECKING:
    from collections.abc import Iterator


def needs_pebble() -> None:
    """Skip a test on a machine without Pebble; CI has it."""
    if shutil.which("pebble") is None and not os.environ.get("CI"):
        pytest.skip("pebble is not installed")
    assert shutil.which("pebble") is not None, "CI installs pebble"


@contextlib.contextmanager
def looking_pebble() -> Iterator[tuple[Pebble, int]]:
    """Run a Pebble that fetches http-01 from a port of the loopback, whatever the host; yield it and the port."""
    needs_pebble()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with _resolver() as resolver, Pebble.running(validation=Validation(port, resolver=resolver)) as pebble:
        yield pebble, port


@contextlib.contextmanager
def _resolver() -> Iterator[str]:
    """Answer every question for an address with that of the loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        host, port = listening.getsockname()
        answering = threading.Thread(target=_answer, args=(listening,))
        answering.start()
        try:
            yield f"{host}:{port}"
        finally:
            listening.sendto(b"", (host, port))
            answering.join()


def _answer(listening: socket.socket) -> None:
    while True:
        content, asker = listening.recvfrom(4096)
        if not content:
            return
        asked = dns.message.from_wire(content)
        answer = dns.message.make_response(asked)
        answer.flags |= dns.flags.RA
        if asked.question[0].rdtype == dns.rdatatype.A:
            answer.answer.append(dns.rrset.from_text(asked.question[0].name, 1, "IN", "A", "127.0.0.1"))
        listening.sendto(answer.to_wire(), asker)
