"""
The process that carries messages, and can reach public addresses alone.

It is started by ``courier`` and reads what to carry from standard input: one JSON object, whose ``messages`` have an
``id``, an ``address`` of apprise's, a ``title``, a ``body`` and a ``kind``. It writes a line for each: its ``id``, and
``why`` it was not taken, or null.

Rules of this file:

1. No connection is made to an address that is not public, unless that is allowed. The check is made where Python
   connects, for every library of this process, with the address that is connected to: no second look-up, redirect or
   name that changes its address comes after it.
2. No program is started, and no redirect is followed where apprise can be told so.
3. Nothing of an address is written anywhere.
"""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import sys
from typing import Any

from pinscher.address import is_public

_CONNECTS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_STARTS = frozenset({"subprocess.Popen", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.fork", "os.forkpty"})

REFUSED = "leads to an address that is not public; allow-private = true lets alerts go there"
UNUSABLE = "no address that apprise knows"
NOT_TAKEN = "the service did not take it"


class _RefusedError(OSError):
    """A connection that is not made."""


class Border:
    """What this process may reach (rule 1); it cannot be taken down again."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self.was_refused = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Look at what Python is about to do."""
        if event in _STARTS:
            raise _RefusedError("no program is started here")
        if event in _CONNECTS and not self._allow_private and not _may_reach(arguments[-1]):
            self.was_refused = True
            raise _RefusedError(REFUSED)


def _may_reach(address: Any) -> bool:
    # A socket that is connected already names no address; a name that C would look up is not let through.
    if address is None:
        return True
    try:
        return isinstance(address, tuple) and is_public(str(address[0]))
    except ValueError:
        return False


def main() -> None:
    """Carry what standard input holds."""
    task = json.loads(sys.stdin.buffer.read())
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="ascii")
    sys.stdout = sys.stderr
    logging.disable(logging.CRITICAL)
    import apprise  # noqa: PLC0415  (it is slow to load, and nothing else of the monitor does)

    asset = apprise.AppriseAsset(http_redirects=False, storage_mode="memory", async_mode=False)
    services = [apprise.Apprise.instantiate(one["address"], asset=asset) for one in task["messages"]]
    border = Border(allow_private=task["allow_private"])
    sys.addaudithook(border)
    for one, service in zip(task["messages"], services, strict=True):
        border.was_refused = False
        why = _checked(service, border, task) if task["is_check"] else _carried(service, border, one)
        answers.write(json.dumps({"id": one["id"], "why": why}) + "\n")
        answers.flush()


def _checked(service: Any, border: Border, task: dict[str, Any]) -> str | None:
    if service is None:
        return UNUSABLE
    host = str(getattr(service, "host", None) or "")
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        is_good = host != "localhost"
    else:
        is_good = is_public(host.strip("[]"))
    return None if is_good or task["allow_private"] or border.was_refused else REFUSED


def _carried(service: Any, border: Border, one: dict[str, Any]) -> str | None:
    if service is None:
        return UNUSABLE
    import apprise  # noqa: PLC0415

    service.redirects = False
    bearer = apprise.Apprise(asset=service.asset)
    bearer.add(service)
    is_taken = bool(bearer.notify(one["body"], title=one["title"], notify_type=one["kind"], body_format="text"))
    if is_taken:
        return None
    return REFUSED if border.was_refused else NOT_TAKEN


if __name__ == "__main__":
    main()
