"""What every example talks to: a bank on the loopback, whoever takes its place, and a program's surroundings."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pinscher.lab.authority import Authority
from pinscher.lab.protocols.http import read_request, response
from pinscher.lab.server import TlsServer
from pinscher.pin import Pin

if TYPE_CHECKING:
    from pinscher.lab.authority import HeldCertificate
    from pinscher.lab.conversation import Conversation
    from pinscher.lab.protocols import Protocol

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
TOKEN = "correct-horse-battery-staple"
BALANCE = "12.50"
TRICKY = "ada?admin=1#"
"""An account that is another request where it is put into an address as it is."""
NOBODY = str(Pin(hashlib.sha256(b"a key that nobody holds").digest()))
"""A backup pin whose key nobody holds."""


def bank_api(conversation: Conversation) -> None:
    """Answer every request with a balance."""
    conversation.secure()
    while request := read_request(conversation):
        conversation.send(_ANSWER)
        if not request.keeps_alive:
            return


_ANSWER = response(200, json.dumps({"balance": BALANCE}).encode(), content_type="application/json")


@dataclass(frozen=True, slots=True)
class OddBank:
    """A bank that gives every request one answer, which is no balance."""

    status: int
    body: bytes

    def __call__(self, conversation: Conversation) -> None:
        """Say it."""
        conversation.secure()
        while request := read_request(conversation):
            conversation.send(response(self.status, self.body, content_type="application/json"))
            if not request.keeps_alive:
                return


ODD = [OddBank(404, b"{}"), OddBank(200, b"<html>"), OddBank(200, b"[]")]
"""What a bank may say beside a balance: an error, no JSON, and JSON of another form."""


class ForgetfulBank:
    """A bank that pays once for each Idempotency-Key, and hangs up in place of its first answer to one."""

    def __init__(self) -> None:
        self.paid: list[bytes] = []
        self.asked: list[str | None] = []

    def __call__(self, conversation: Conversation) -> None:
        """Pay, and hang up; or say again what was paid."""
        conversation.secure()
        while request := read_request(conversation):
            key = request.fields.get("idempotency-key")
            is_known = key is not None and key in self.asked
            self.asked.append(key)
            if not is_known:
                self.paid.append(request.body)
                return
            conversation.send(_ANSWER)


@dataclass(frozen=True, slots=True)
class Bank:
    """A bank, which shows its own certificate until a rogue takes its address."""

    server: TlsServer
    authority: Authority
    held: HeldCertificate
    folder: Path

    @classmethod
    def make(cls, folder: Path, protocol: str | Protocol = bank_api) -> Bank:
        """Make a bank that does not listen yet, and the files of whoever trusts and pins it."""
        root = Authority.root()
        authority = root.intermediate()
        held = authority.issue("localhost")
        (folder / "ca.pem").write_bytes(root.pem)
        (folder / "pins.toml").write_text(
            f'format = 1\nname = "bank"\nversion = 1\n[hosts."localhost"]\npins = ["{Pin.of(held.der)}"]\n'
            f'backup-pins = ["{NOBODY}"]\n'
        )
        return cls(TlsServer(held, protocol=protocol), authority, held, folder)

    @property
    def url(self) -> str:
        """The address under the pinned name."""
        return f"https://localhost:{self.server.port}"

    def give_way(self) -> None:
        """Let a rogue take the bank's place: another key, certified by the authority that the client trusts."""
        self.server.hand_over(self.authority.issue("localhost"))

    @property
    def surroundings(self) -> dict[str, str]:
        """The environment of a program that trusts the lab's authority, and finds the bank and its pins."""
        bare = {name: value for name, value in os.environ.items() if not name.startswith("PINSCHER_")}
        path = os.pathsep.join([str(Path(sys.executable).parent), bare.get("PATH", "")])
        trust = str(self.folder / "ca.pem")
        own = {"PINS": str(self.folder / "pins.toml"), "BANK_URL": self.url, "BANK_TOKEN": TOKEN}
        return bare | own | {"PATH": path, "SSL_CERT_FILE": trust, "PYTHONDONTWRITEBYTECODE": "1", "NO_PROXY": "*"}

    def ran(self, example: str, *command: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a Python program of an example to its end."""
        return subprocess.run(
            [sys.executable, *command], cwd=EXAMPLES / example, env=self.surroundings | more,
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    def decrypted(self) -> bytes:
        """Return everything that this address has decrypted so far, once all connections have ended."""
        self.server.wait_idle()
        return b"".join(record.content for record in self.server.evidence.connections)

    def asked_for(self) -> list[str]:
        """Return the targets of all requests so far."""
        return [target.decode() for target in re.findall(rb"(?:GET|POST) (\S+) HTTP/1.1\r\n", self.decrypted())]
