"""The examples that serve until they are stopped: a web service, a gateway and a worker."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from .bank import BALANCE, EXAMPLES, TOKEN, Bank

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def running(folder: str, *command: str, env: dict[str, str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a program of an example until the block ends, and then stop it as a service is stopped."""
    with subprocess.Popen(
        [sys.executable, *command], cwd=EXAMPLES / folder, env=env, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=30)


def asked(url: str) -> tuple[int, Any]:
    """Return the status and the JSON that a service answers with."""
    try:
        with urllib.request.urlopen(url, timeout=30) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_the_service_answers_502_when_the_bank_is_not_the_bank(bank: Bank) -> None:
    """The FastAPI service hands on the bank's answer, and a rogue gets neither the token nor a second chance."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        number = str(listener.fileno())
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/balance/ada"
        command = ("-m", "uvicorn", "service:service", "--fd", number, "--log-level", "warning")
        with running("fastapi-service", *command, env=bank.surroundings, pass_fds=[listener.fileno()]):
            assert (200, {"balance": BALANCE}) == asked(url)
            bank.give_way()
            before = bank.decrypted()
            assert TOKEN.encode() in before
            assert (502, {"detail": {"bank": "NO_MATCHING_PIN"}}) == asked(url)
            assert before == bank.decrypted()


def test_the_gateway_answers_for_the_banks_that_are_genuine(bank: Bank, tmp_path: Path) -> None:
    """The gateway asks two banks at once; the one that a rogue stands in for is told as refused, the other answers."""
    (tmp_path / "other").mkdir()
    other = Bank.make(tmp_path / "other")
    both = (tmp_path / "ca.pem").read_bytes() + (tmp_path / "other" / "ca.pem").read_bytes()
    (tmp_path / "ca.pem").write_bytes(both)
    with (
        other.server,
        running(
            "asyncio-gateway", "gateway.py", f"first={bank.url}", f"second={other.url}", env=bank.surroundings
        ) as gateway,
    ):
        assert gateway.stdout is not None
        url = gateway.stdout.readline().strip()
        expected = {"first": {"balance": BALANCE}, "second": {"error": "NO_MATCHING_PIN"}}
        assert (200, expected) == asked(f"{url}/overview/ada")
        bank.give_way()
        assert TOKEN.encode() in bank.decrypted()
        assert b"" == other.decrypted()


def test_the_worker_pays_once_and_never_past_a_refusal(bank: Bank, tmp_path: Path) -> None:
    """A real Celery worker pays through the pinned bank; a refusal ends the task at once, with nothing sent."""
    for name in ("queue", "results"):
        (tmp_path / name).mkdir()
    env = bank.surroundings | {
        "BROKER": "filesystem://", "BROKER_FOLDER": str(tmp_path / "queue"), "RESULTS": f"file://{tmp_path}/results",
    }  # fmt: skip
    command = ("-m", "celery", "-A", "payments", "worker", "--pool", "solo", "--loglevel", "CRITICAL")
    options = ("--without-gossip", "--without-mingle", "--without-heartbeat")

    def sent() -> str:
        told = subprocess.run(
            [sys.executable, "send.py", "ada", "12.50"], cwd=EXAMPLES / "celery-worker", env=env,
            capture_output=True, text=True, check=False, timeout=90,
        )  # fmt: skip
        return told.stdout or told.stderr

    with running("celery-worker", *command, *options, env=env):
        assert f"SUCCESS {{'balance': '{BALANCE}'}}\n" == sent()
        bank.give_way()
        before = bank.decrypted()
        assert 1 == before.count(b'{"amount":"12.50"}')
        assert "FAILURE NO_MATCHING_PIN\n" == sent()
        assert before == bank.decrypted()
