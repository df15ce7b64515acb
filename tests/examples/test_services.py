"""The examples that serve until they are stopped: a web service, a gateway and a worker."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from pinscher.pin import Pin

from .bank import BALANCE, EXAMPLES, ODD, TOKEN, TRICKY, Bank, ForgetfulBank, OddBank

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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


@contextlib.contextmanager
def service(bank: Bank) -> Iterator[str]:
    """Run the FastAPI service, and yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        command = ("-m", "uvicorn", "service:service", "--fd", str(listener.fileno()), "--log-level", "warning")
        with running("fastapi-service", *command, env=bank.surroundings, pass_fds=[listener.fileno()]):
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextlib.contextmanager
def gateway(bank: Bank, *banks: str, **more: str) -> Iterator[str]:
    """Run the gateway, and yield its address."""
    with running("asyncio-gateway", "gateway.py", *banks, env=bank.surroundings | more) as started:
        assert started.stdout is not None
        yield started.stdout.readline().strip()


def assert_tricky(bank: Bank) -> None:
    """Hold the one request that the bank got to the account that was asked for."""
    (target,) = bank.asked_for()
    assert (f"/accounts/{TRICKY}", False) == (urllib.parse.unquote(target), "?" in target)


def test_the_service_answers_502_when_the_bank_is_not_the_bank(bank: Bank) -> None:
    """The FastAPI service hands on the bank's answer, and a rogue gets neither the token nor a second chance."""
    with service(bank) as url:
        assert (200, {"balance": BALANCE}) == asked(f"{url}/balance/ada")
        bank.give_way()
        before = bank.decrypted()
        assert TOKEN.encode() in before
        assert (502, {"detail": {"bank": "NO_MATCHING_PIN"}}) == asked(f"{url}/balance/ada")
        assert before == bank.decrypted()


@pytest.mark.parametrize(
    ("odd", "told"), list(zip(ODD, ["answered 404", "answered no JSON", "answered no object"], strict=True))
)
def test_the_service_answers_502_when_the_bank_tells_no_balance(odd: OddBank, told: str, tmp_path: Path) -> None:
    """An error of the bank, and an answer that is no JSON object, are a 502 that says so."""
    bank = Bank.make(tmp_path, odd)
    with bank.server, service(bank) as url:
        assert (502, {"detail": {"bank": told}}) == asked(f"{url}/balance/ada")
        bank.give_way()


def test_the_service_asks_for_the_account_and_nothing_else(bank: Bank) -> None:
    """An account that spells a query and a fragment is a name to the bank, not a part of the address."""
    with service(bank) as url:
        assert (200, {"balance": BALANCE}) == asked(f"{url}/balance/ada%3Fadmin=1%23")
        bank.give_way()
        assert_tricky(bank)


def test_the_gateway_answers_for_the_banks_that_are_genuine(bank: Bank, tmp_path: Path) -> None:
    """The gateway asks two banks at once; the one that a rogue stands in for is told as refused, the other answers."""
    (tmp_path / "other").mkdir()
    other = Bank.make(tmp_path / "other")
    both = (tmp_path / "ca.pem").read_bytes() + (tmp_path / "other" / "ca.pem").read_bytes()
    (tmp_path / "ca.pem").write_bytes(both)
    with other.server, gateway(bank, f"first={bank.url}", f"second={other.url}") as url:
        expected = {"first": {"balance": BALANCE}, "second": {"error": "NO_MATCHING_PIN"}}
        assert (200, expected) == asked(f"{url}/overview/ada")
        bank.give_way()
        assert TOKEN.encode() in bank.decrypted()
        assert b"" == other.decrypted()


def test_the_gateway_answers_while_one_bank_is_silent(bank: Bank) -> None:
    """A bank that accepts connections and says nothing is told as unreachable, and the other answers."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = f"https://localhost:{silent.getsockname()[1]}"
        with gateway(bank, f"first={bank.url}", f"second={mute}", BANK_TIMEOUT="3") as url:
            expected = {"first": {"balance": BALANCE}, "second": {"error": "unreachable"}}
            assert (200, expected) == asked(f"{url}/overview/ada")
            bank.give_way()


@pytest.mark.parametrize(("odd", "told"), list(zip(ODD[:2], ["answered 404", "answered no JSON"], strict=True)))
def test_the_gateway_answers_while_one_bank_tells_no_balance(
    bank: Bank, odd: OddBank, told: str, tmp_path: Path
) -> None:
    """A bank that answers an error or no JSON is told as that, and the other answers."""
    (tmp_path / "other").mkdir()
    other = Bank.make(tmp_path / "other", odd)
    with (tmp_path / "ca.pem").open("ab") as trusted:
        trusted.write((tmp_path / "other" / "ca.pem").read_bytes())
    pins = f'pins = ["{Pin.of(bank.held.der)}", "{Pin.of(other.held.der)}"]'
    document = (tmp_path / "pins.toml").read_text()
    (tmp_path / "pins.toml").write_text(document.replace(f'pins = ["{Pin.of(bank.held.der)}"]', pins))
    with other.server, gateway(bank, f"first={bank.url}", f"second={other.url}") as url:
        assert (200, {"first": {"balance": BALANCE}, "second": {"error": told}}) == asked(f"{url}/overview/ada")
        bank.give_way()
        other.give_way()


def test_the_gateway_asks_for_the_account_and_nothing_else(bank: Bank) -> None:
    """An account that spells a query and a fragment is a name to every bank, not a part of the address."""
    with gateway(bank, f"first={bank.url}") as url:
        assert (200, {"first": {"balance": BALANCE}}) == asked(f"{url}/overview/ada%3Fadmin=1%23")
        bank.give_way()
        assert_tricky(bank)


@contextlib.contextmanager
def worker(bank: Bank, folder: Path, **more: str) -> Iterator[Callable[[str], str]]:
    """Run a real Celery worker, and yield what has it pay an account and returns what came of it."""
    for name in ("queue", "results"):
        (folder / name).mkdir()
    own = {"BROKER": "filesystem://", "BROKER_FOLDER": str(folder / "queue"), "RESULTS": f"file://{folder}/results"}
    env = bank.surroundings | own | more
    command = ("-m", "celery", "-A", "payments", "worker", "--pool", "solo", "--loglevel", "CRITICAL")
    options = ("--without-gossip", "--without-mingle", "--without-heartbeat")

    def sent(account: str) -> str:
        told = subprocess.run(
            [sys.executable, "send.py", account, "12.50"], cwd=EXAMPLES / "celery-worker", env=env,
            capture_output=True, text=True, check=False, timeout=90,
        )  # fmt: skip
        return told.stdout or told.stderr

    with running("celery-worker", *command, *options, env=env):
        yield sent


def test_the_worker_pays_once_and_never_past_a_refusal(bank: Bank, tmp_path: Path) -> None:
    """A real Celery worker pays through the pinned bank; a refusal ends the task at once, with nothing sent."""
    with worker(bank, tmp_path) as sent:
        assert f"SUCCESS {{'balance': '{BALANCE}'}}\n" == sent("ada")
        bank.give_way()
        before = bank.decrypted()
        assert 1 == before.count(b'{"amount":"12.50"}')
        assert "FAILURE NO_MATCHING_PIN\n" == sent("ada")
        assert before == bank.decrypted()


def test_the_worker_pays_once_where_an_answer_is_lost(tmp_path: Path) -> None:
    """A payment whose answer was lost is tried again under the same key, and the bank pays once."""
    forgetful = ForgetfulBank()
    bank = Bank.make(tmp_path, forgetful)
    with bank.server, worker(bank, tmp_path, RETRY_SECONDS="0") as sent:
        assert f"SUCCESS {{'balance': '{BALANCE}'}}\n" == sent(TRICKY)
        bank.give_way()
        assert [b'{"amount":"12.50"}'] == forgetful.paid
        assert 2 == len(bank.asked_for())
        assert [f"/accounts/{TRICKY}"] * 2 == list(map(urllib.parse.unquote, bank.asked_for()))
        assert forgetful.asked[:1] * 2 == forgetful.asked
