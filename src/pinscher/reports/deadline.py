"""The time that a connection has as a whole, whoever is waiting on it."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import ssl
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def closed_after(connection: socket.socket, seconds: float) -> Iterator[None]:
    """End a connection after so many seconds, in whatever state it is; raise ``TimeoutError`` where that was done."""
    # A descriptor of its own, because a context takes that of the plain socket away.
    with socket.socket(fileno=os.dup(connection.fileno())) as same:
        late = threading.Event()
        end = threading.Timer(seconds, _shut, (same, late))
        end.daemon = True
        end.start()
        failure: Exception | None = None
        try:
            yield
        except (OSError, http.client.HTTPException) as error:
            failure = error
            if isinstance(error, ssl.SSLCertVerificationError):
                raise
        finally:
            end.cancel()
            end.join()
        if late.is_set():
            # What was cut off here may look like an answer that ended, or as if the server had reset the connection.
            raise TimeoutError(f"no whole answer within {seconds:g} s") from failure
        if failure is not None:
            raise failure


def _shut(connection: socket.socket, late: threading.Event) -> None:
    late.set()
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
