"""A task that pays through a pinned bank: it is tried again while the network fails, and never past a refusal."""

from __future__ import annotations

import functools
import os
from typing import Any
from urllib.parse import quote

import httpx
from celery import Celery, Task

import pinscher

app = Celery("payments", broker=os.environ["BROKER"], backend=os.environ["RESULTS"])
if app.conf.broker_url.startswith("filesystem:"):
    folder = os.environ["BROKER_FOLDER"]
    app.conf.broker_transport_options = {
        "data_folder_in": folder,
        "data_folder_out": folder,
        "control_folder": folder,
        "polling_interval": 0.1,
    }


class BankRefusedError(Exception):
    """Whoever answered was not the bank; nothing was sent."""


@functools.cache
def bank() -> httpx.Client:
    """Return the worker process's own client, made after the fork."""
    context = pinscher.PinnedContext(pinscher.Policy.load(os.environ["PINS"]))
    authorization = {"Authorization": f"Bearer {os.environ['BANK_TOKEN']}"}
    return httpx.Client(base_url=os.environ["BANK_URL"], verify=context, headers=authorization, timeout=5)


@app.task(bind=True, max_retries=3)
def pay(self: Task, account: str, amount: str) -> Any:
    """Pay an amount once, however often it is tried, and return the bank's answer."""
    # An answer can be lost after the bank has paid: the task's id is the same in every try, and tells it so.
    once = {"Idempotency-Key": self.request.id}
    try:
        reply = bank().post(f"/accounts/{quote(account, safe='')}", json={"amount": amount}, headers=once)
    except httpx.TransportError as error:
        verdict = pinscher.verdict_of(error)
        if verdict is None:
            raise self.retry(exc=error, countdown=float(os.environ.get("RETRY_SECONDS", "5"))) from error
        # The policy decides when a pin changes; asking again at once would only knock at the same wrong door.
        raise BankRefusedError(verdict.outcome.name) from None
    return reply.raise_for_status().json()
