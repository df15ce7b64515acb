"""The examples that are programs which run to their end: they pay the bank, and tell a rogue nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pinscher.lab.server import TlsServer

from .bank import BALANCE, TOKEN, Bank

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Program:
    """One example, how it is started, and what it says."""

    folder: str
    command: tuple[str, ...]
    works: str
    refused: str
    code: int = 1


PROGRAMS = [
    Program("django-command", ("manage.py", "statement", "ada"), f"ada {BALANCE}\n", "localhost: NO_MATCHING_PIN"),
    Program(
        "requests-script",
        ("-m", "pinscher.cli", "run", "--policy", "{pins}", "--", "python", "report.py"),
        f"{BALANCE}\n",
        "no pinned key in the validated chain of localhost",
    ),
]


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.folder)
def test_a_program_pays_the_bank_and_tells_a_rogue_nothing(bank: Bank, program: Program) -> None:
    """The example works with the genuine bank, and a rogue of the same name and authority is refused unread."""
    command = [word.format(pins=bank.folder / "pins.toml") for word in program.command]
    trusting = {"REQUESTS_CA_BUNDLE": str(bank.folder / "ca.pem")}
    paid = bank.ran(program.folder, *command, **trusting)
    assert (0, program.works) == (paid.returncode, paid.stdout), paid.stderr
    assert TOKEN.encode() in bank.decrypted()
    before = bank.decrypted()
    bank.give_way()
    refused = bank.ran(program.folder, *command, **trusting)
    assert (program.code, "") == (refused.returncode, refused.stdout)
    assert program.refused in refused.stderr
    assert before == bank.decrypted()


def test_the_script_is_not_pinned_by_itself(bank: Bank) -> None:
    """Without ``pinscher run`` the same script tells the rogue everything: the script was not changed."""
    bank.give_way()
    told = bank.ran("requests-script", "report.py", REQUESTS_CA_BUNDLE=str(bank.folder / "ca.pem"))
    assert 0 == told.returncode, told.stderr
    assert TOKEN.encode() in bank.decrypted()


def test_a_device_publishes_to_its_broker_and_to_no_other(tmp_path: Path) -> None:
    """The MQTT device's reading reaches the genuine broker, and its password no other."""
    broker = Bank.make(tmp_path, "mqtt")
    with broker.server:
        command = ("device.py", "localhost", str(broker.server.port), "21.5")
        sent = broker.ran("mqtt-device", *command, DEVICE_PASSWORD=TOKEN)
        assert (0, "sent\n") == (sent.returncode, sent.stdout), sent.stderr
        before = broker.decrypted()
        assert TOKEN.encode() in before
        assert b"meters/17" in before
        broker.give_way()
        refused = broker.ran("mqtt-device", *command, DEVICE_PASSWORD=TOKEN)
        assert (1, "", "not sent: NO_MATCHING_PIN\n") == (refused.returncode, refused.stdout, refused.stderr)
        assert before == broker.decrypted()


def test_a_device_without_a_network_says_so(tmp_path: Path) -> None:
    """A broker that is not there is told apart from one that is refused."""
    broker = Bank.make(tmp_path, "mqtt")
    with TlsServer(broker.held) as gone:
        port = gone.port
    ended = broker.ran("mqtt-device", "device.py", "localhost", str(port), "21.5", DEVICE_PASSWORD=TOKEN)
    assert (1, "") == (ended.returncode, ended.stdout)
    assert "Connection refused" in ended.stderr
