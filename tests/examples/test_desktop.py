"""The desktop client, from its first start to a rotation, a rogue, a lost network and a store that somebody touched."""

from __future__ import annotations

import functools
import socket
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pinscher.pin import Pin

from .bank import BALANCE, NOBODY, ODD, TOKEN, TRICKY, Bank, OddBank

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
SIGNED = ["--key", "signer.key", "--online-key", "online.key"]


class Silent(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Publisher:
    """Whoever signs policies, and serves them over plain HTTP on the loopback: signatures are what is believed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("signer.key", "online.key"):
            self._pinscher("repo", "key", name)
        public = ["--root", "signer.key.pub", "--signer", "signer.key.pub", "--online", "online.key.pub"]
        self._pinscher(
            "repo", "init", "repo", *public, "--root-threshold", "1", "--threshold", "1", "--key", "signer.key",
            "--online-key", "online.key",
        )  # fmt: skip
        served = functools.partial(Silent, directory=str(folder / "repo" / "public"))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), served)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def publish(self, version: int, *pins: str) -> None:
        """Sign a policy whose host heals."""
        (self.folder / "signed.toml").write_text(
            f'format = 1\nname = "bank"\nversion = {version}\n[hosts."localhost"]\npins = ["{pins[0]}"]\n'
            f'backup-pins = ["{(*pins, NOBODY)[1]}"]\non-mismatch = ["refresh", "abort"]\n'
        )
        self._pinscher("repo", "publish", "repo", "signed.toml", "--accept", "diff:key-accepted", *SIGNED)

    def close(self) -> None:
        """Serve no longer."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def _pinscher(self, *words: str) -> None:
        command = [sys.executable, "-m", "pinscher.cli", *words]
        told = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False, timeout=60)
        assert 0 == told.returncode, told.stderr


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[Publisher]:
    """A publisher with an empty repository."""
    made = Publisher(tmp_path)
    yield made
    made.close()


def surroundings(folder: Path, publisher: Publisher) -> dict[str, str]:
    """Return what the client is told of the repository, its own data and a keyring."""
    return {
        "REPOSITORY": publisher.url,
        "ROOT": str(folder / "repo" / "public" / "metadata" / "1.root.json"),
        "APP_DATA": str(folder / "data"),
        "PYTHON_KEYRING_BACKEND": "file_keyring.FileKeyring",
        "PYTHONPATH": str(HERE),
        "KEYRING_FILE": str(folder / "keyring.json"),
    }


def test_a_desktop_client_asks_for_the_account_and_nothing_else(bank: Bank, publisher: Publisher) -> None:
    """An account that spells a query and a fragment is a name to the bank, not a part of the address."""
    publisher.publish(1, str(Pin.of(bank.held.der)))
    told = bank.ran("desktop-client", "desktop.py", TRICKY, **surroundings(bank.folder, publisher))
    assert (0, f"{TRICKY} {BALANCE} (pins of version 1)\n") == (told.returncode, told.stdout), told.stderr
    assert ["/accounts/ada%3Fadmin%3D1%23"] == bank.asked_for()


@pytest.mark.parametrize(
    ("odd", "told"),
    list(zip(ODD, ["answered 404", "answered without a balance", "answered without a balance"], strict=True)),
)
def test_a_desktop_client_says_what_a_bank_without_a_balance_answered(
    odd: OddBank, told: str, tmp_path: Path, publisher: Publisher
) -> None:
    """An answer of the genuine bank that holds no balance is told as that with exit 2, and not as a refusal."""
    bank = Bank.make(tmp_path, odd)
    publisher.publish(1, str(Pin.of(bank.held.der)))
    with bank.server:
        ended = bank.ran("desktop-client", "desktop.py", "ada", **surroundings(tmp_path, publisher))
    assert (2, f"the bank {told}") == (ended.returncode, ended.stderr.splitlines()[-1])


def test_a_desktop_client_without_a_network_or_a_keyring_says_so(bank: Bank, publisher: Publisher) -> None:
    """A bank that cannot be reached, and a machine without a keyring, are one reason each and exit 2."""
    publisher.publish(1, str(Pin.of(bank.held.der)))
    around = surroundings(bank.folder, publisher)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nobody = f"https://localhost:{taken.getsockname()[1]}"
        ended = bank.ran("desktop-client", "desktop.py", "ada", **around | {"BANK_URL": nobody})
    assert (2, True) == (ended.returncode, "\nthe bank cannot be reached: " in f"\n{ended.stderr}"), ended.stderr
    around["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
    ended = bank.ran("desktop-client", "desktop.py", "ada", **around)
    assert (2, "") == (ended.returncode, ended.stdout)
    assert ended.stderr.startswith("cannot start: the keyring does not answer (NoKeyringError)")
    assert "Traceback" not in ended.stderr


def test_a_desktop_client_lives_through_a_rotation_and_refuses_a_rogue(bank: Bank, publisher: Publisher) -> None:
    """The client takes the signed pins, heals by newer ones, starts without a network, and tells a rogue nothing."""
    folder = bank.folder
    started = functools.partial(bank.ran, "desktop-client", "desktop.py", "ada", **surroundings(folder, publisher))
    publisher.publish(1, str(Pin.of(bank.held.der)))
    first = started()
    assert (0, f"ada {BALANCE} (pins of version 1)\n") == (first.returncode, first.stdout), first.stderr

    renewed = bank.authority.issue("localhost")
    publisher.publish(2, str(Pin.of(bank.held.der)), str(Pin.of(renewed.der)))
    bank.server.hand_over(renewed)
    healed = started()
    assert (0, f"ada {BALANCE} (pins of version 2)\n") == (healed.returncode, healed.stdout), healed.stderr

    publisher.close()
    offline = started()
    assert (0, f"ada {BALANCE} (pins of version 2)\n") == (offline.returncode, offline.stdout), offline.stderr
    before = bank.decrypted()
    assert 3 == before.count(TOKEN.encode())

    bank.give_way()
    refused = started()
    assert (1, "") == (refused.returncode, refused.stdout)
    assert refused.stderr.endswith("\nrefused: NO_MATCHING_PIN\n")
    assert before == bank.decrypted()
    assert [] == [path for path in (folder / "data").rglob("*") if path.is_file() and b"localhost" in path.read_bytes()]
