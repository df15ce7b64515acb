"""
A gateway on asyncio: one request in, every bank asked at once, each by its own pins.

``python gateway.py NAME=URL...`` prints where it listens; ``GET /overview/ACCOUNT`` answers with what each bank said.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any
from urllib.parse import quote

import aiohttp
from aiohttp import web

import pinscher


class Gateway:
    """The banks by their names, and the one session that reaches them."""

    def __init__(self, banks: dict[str, str], session: aiohttp.ClientSession) -> None:
        self._banks = banks
        self._session = session

    async def overview(self, request: web.Request) -> web.Response:
        """Ask every bank at the same time; what one of them does takes nothing from the others."""
        account = request.match_info["account"]
        answers = await asyncio.gather(*(self._ask(url, account) for url in self._banks.values()))
        return web.json_response(dict(zip(self._banks, answers, strict=True)))

    async def _ask(self, url: str, account: str) -> Any:
        try:
            async with self._session.get(f"{url}/accounts/{quote(account, safe='')}") as reply:
                if not reply.ok:
                    return {"error": f"answered {reply.status}"}
                return json.loads(await reply.read())
        except (aiohttp.ClientError, TimeoutError) as error:
            verdict = pinscher.verdict_of(error)
            return {"error": "unreachable" if verdict is None else verdict.outcome.name}
        except (ValueError, RecursionError):
            return {"error": "answered no JSON"}


async def main(banks: dict[str, str]) -> None:
    """Serve until the program is stopped."""
    context = pinscher.PinnedContext(pinscher.Policy.load(os.environ["PINS"]))
    connector = aiohttp.TCPConnector(ssl=context)
    headers = {"Authorization": f"Bearer {os.environ['BANK_TOKEN']}"}
    timeout = aiohttp.ClientTimeout(total=float(os.environ.get("BANK_TIMEOUT", "5")))
    async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as session:
        gateway = web.Application()
        gateway.router.add_get("/overview/{account}", Gateway(banks, session).overview)
        runner = web.AppRunner(gateway)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", int(os.environ.get("PORT", "0"))).start()
        host, port = runner.addresses[0]
        print(f"http://{host}:{port}", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(dict(argument.split("=", 1) for argument in sys.argv[1:])))
