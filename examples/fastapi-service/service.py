"""A service that asks a pinned bank, and tells its own callers when somebody else answers in the bank's place."""

from __future__ import annotations

import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

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
    """Answer with an account's balance, or with 502 while the bank is not the bank."""
    authorization = {"Authorization": f"Bearer {os.environ['BANK_TOKEN']}"}
    try:
        reply = await bank.get(f"/accounts/{account}", headers=authorization)
    except httpx.TransportError as error:
        verdict = pinscher.verdict_of(error)
        reason = "unreachable" if verdict is None else verdict.outcome.name
        raise HTTPException(502, detail={"bank": reason}) from error
    answer: dict[str, Any] = reply.raise_for_status().json()
    return answer
