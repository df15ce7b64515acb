"""A service that asks a pinned bank, and tells its own callers when somebody else answers in the bank's place."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request

import pinscher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def lifespan(service: FastAPI) -> AsyncIterator[None]:
    """Keep one pinned client for as long as the service runs."""
    context = pinscher.PinnedContext(pinscher.Policy.load(os.environ["PINS"]))
    async with httpx.AsyncClient(base_url=os.environ["BANK_URL"], verify=context, timeout=5) as bank:
        service.state.bank = bank
        yield


service = FastAPI(lifespan=lifespan)


def bank_of(request: Request) -> httpx.AsyncClient:
    """Return the service's client."""
    client: httpx.AsyncClient = request.app.state.bank
    return client


@service.get("/balance/{account}")
async def balance(account: str, bank: Annotated[httpx.AsyncClient, Depends(bank_of)]) -> dict[str, Any]:
    """Answer with an account's balance, or with 502 while the bank is not the bank or tells none."""
    authorization = {"Authorization": f"Bearer {os.environ['BANK_TOKEN']}"}
    try:
        reply = await bank.get(f"/accounts/{quote(account, safe='')}", headers=authorization)
    except httpx.RequestError as error:
        verdict = pinscher.verdict_of(error)
        reason = "unreachable" if verdict is None else verdict.outcome.name
        raise HTTPException(502, detail={"bank": reason}) from error
    return _told(reply)


def _told(reply: httpx.Response) -> dict[str, Any]:
    """Return what the bank told."""
    if not reply.is_success:
        raise HTTPException(502, detail={"bank": f"answered {reply.status_code}"})
    try:
        answer = reply.json()
    except (ValueError, RecursionError) as error:
        raise HTTPException(502, detail={"bank": "answered no JSON"}) from error
    if not isinstance(answer, dict):
        raise HTTPException(502, detail={"bank": "answered no object"})
    return answer
