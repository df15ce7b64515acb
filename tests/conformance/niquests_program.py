"""
A program that niquests runs in, in an environment of its own; it prints what happened as JSON.

Usage: ``python niquests_program.py PORT POLICY CA http3|no-http3|asyncio REQUESTS``.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import niquests
from niquests.adapters import HTTPAdapter

import pinscher
from pinscher.clients.niquests import async_session
from pinscher.clients.niquests import session as pinned_session


def main(port: str, policy: str, ca: str, http3: str, requests: str) -> None:
    """Post as often as asked, with one session."""
    context = pinscher.PinnedContext(pinscher.Policy.load(policy), trust=ca)

    told: dict[str, Any] = {"status": [], "error": None, "outcome": None}
    url = f"https://localhost:{port}/"
    try:
        if http3 == "asyncio":
            asyncio.run(_post_asynchronously(context, url, int(requests), told["status"]))
        else:
            _post(_with_http3(context) if http3 == "http3" else pinned_session(context), url, int(requests), told)
    except niquests.RequestException as error:
        verdict = pinscher.verdict_of(error)
        told["error"] = type(error).__name__
        told["outcome"] = None if verdict is None else verdict.outcome.value
    sys.stdout.write(json.dumps(told))


def _post(session: niquests.Session, url: str, requests: int, told: dict[str, Any]) -> None:
    with session:
        for _ in range(requests):
            told["status"].append(session.post(url, data=b"secret=hunter2", timeout=10).status_code)


async def _post_asynchronously(context: pinscher.PinnedContext, url: str, requests: int, statuses: list[int]) -> None:
    async with async_session(context) as session:
        for _ in range(requests):
            answer = await session.post(url, data=b"secret=hunter2", timeout=10)
            statuses.append(answer.status_code)


def _with_http3(context: pinscher.PinnedContext) -> niquests.Session:
    """Return a session as one would make it without the file for niquests, with HTTP/3 left on."""

    class Pinned(HTTPAdapter):
        def init_poolmanager(self, *args: Any, **options: Any) -> None:
            super().init_poolmanager(*args, **options, ssl_context=context)

    made = niquests.Session()
    made.mount("https://", Pinned())
    return made


if __name__ == "__main__":
    main(*sys.argv[1:])
