"""A client process of the drills: it talks to the bank over and over, and prints a line for each request."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pinscher
from pinscher.keeper import Reporting
from pinscher.updates import Intervals

HOST = "bank.test"


def main() -> None:
    """
    Run until the standard input ends: KIND REPOSITORY ROOT STORE TRUST PORT TOKEN [EVERY].

    Without EVERY the keeper has its own intervals, those that an application gets.
    """
    kind, repository, root, store, trust, port, token, *every = sys.argv[1:]
    quick: dict[str, Any] = {}
    if every:
        quick["intervals"] = Intervals(every=timedelta(seconds=float(every[0])), least=timedelta(milliseconds=200))
    keeper = pinscher.Keeper(
        repository,
        root=Path(root).read_bytes(),
        store=store,
        trust=trust,
        reporting=Reporting(tokens={"main": token}, trust=trust),
        **quick,
    )
    ending = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ending.set()), daemon=True).start()
    with keeper:
        if kind == "blocking":
            while not ending.is_set():
                _blocking(keeper, int(port))
        else:
            asyncio.run(_requests(keeper, int(port), ending))


def _tell(began: float, what: str, keeper: pinscher.Keeper) -> None:
    sys.stdout.write(f"{began:.6f} {what} {keeper.policy.version}\n")
    sys.stdout.flush()


def _blocking(keeper: pinscher.Keeper, port: int) -> None:
    """Make one request over a blocking socket."""
    began = time.monotonic()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
            with keeper.context.wrap_socket(plain, server_hostname=HOST) as secured:
                secured.sendall(b"balance")
                what = "served" if secured.recv(100) == b"balance" else "broken"
    except pinscher.PinMismatchError:
        what = "refused"
    except OSError as error:
        what = type(error).__name__
    _tell(began, what, keeper)


async def _requests(keeper: pinscher.Keeper, port: int, ending: threading.Event) -> None:
    """Make requests in an event loop; after a refusal wait for the refresh that it provoked."""
    while not ending.is_set():
        began = time.monotonic()
        what = await _request(keeper, port)
        _tell(began, what, keeper)
        if what == "refused":
            await keeper.refreshed()


async def _request(keeper: pinscher.Keeper, port: int) -> str:
    """Make one request, and keep nothing of its connection: what lives when a policy comes is judged by it."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=keeper.context, server_hostname=HOST)
        writer.write(b"balance")
        what = "served" if await reader.read(100) == b"balance" else "broken"
        writer.close()
        await writer.wait_closed()
    except pinscher.PinMismatchError:
        return "refused"
    except OSError as error:
        return type(error).__name__
    return what


if __name__ == "__main__":
    main()
