"""The examples that are programs which run to their end: they pay the bank, and tell a rogue nothing."""

from __future__ import annotations

import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from pinscher.lab.server import TlsServer

from .bank import BALANCE, ODD, TOKEN, TRICKY, Bank, OddBank

if TYPE_CHECKING:
    from pathlib import Path

    from pinscher.lab.conversation import Conversation
    from pinscher.lab.protocols import Protocol


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


def test_the_command_asks_for_the_account_and_nothing_else(bank: Bank) -> None:
    """An account that spells a query and a fragment is a name to the bank, not a part of the address."""
    trusting = {"REQUESTS_CA_BUNDLE": str(bank.folder / "ca.pem")}
    paid = bank.ran("django-command", "manage.py", "statement", TRICKY, **trusting)
    assert (0, f"{TRICKY} {BALANCE}\n") == (paid.returncode, paid.stdout), paid.stderr
    (target,) = bank.asked_for()
    assert (f"/accounts/{TRICKY}", False) == (urllib.parse.unquote(target), "?" in target)


@pytest.mark.parametrize(
    ("odd", "told"),
    list(zip(ODD, ["answered 404", "answered without a balance", "answered without a balance"], strict=True)),
)
def test_the_command_says_what_a_bank_without_a_balance_answered(odd: OddBank, told: str, tmp_path: Path) -> None:
    """A bank that answers an error, no JSON or another form is one sentence and exit 1."""
    bank = Bank.make(tmp_path, odd)
    with bank.server:
        ended = bank.ran("django-command", "manage.py", "statement", "ada", REQUESTS_CA_BUNDLE=str(tmp_path / "ca.pem"))
    assert (1, "", f"CommandError: the bank {told}\n") == (ended.returncode, ended.stdout, ended.stderr)


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


def refusing(conversation: Conversation) -> None:
    """Answer every password with CONNACK 5, not authorised (MQTT 3.1.1, section 3.2.2.3)."""
    conversation.secure()
    conversation.receive()
    conversation.send(b"\x20\x02\x00\x05")


def silent(conversation: Conversation) -> None:
    """Let every client in, and acknowledge nothing."""
    conversation.secure()
    conversation.receive()
    conversation.send(b"\x20\x02\x00\x00")
    conversation.drain()


def mute(conversation: Conversation) -> None:
    """Say nothing at all."""
    conversation.secure()
    conversation.drain()


@pytest.mark.parametrize(
    ("broker", "seconds", "told"),
    [
        (refusing, "30", "not sent: the broker says: Not authorized\n"),
        (silent, "3", "not sent: the broker acknowledged nothing\n"),
        (mute, "1", "not sent: the broker does not answer\n"),
    ],
    ids=["refuses the password", "acknowledges nothing", "says nothing"],
)
def test_a_device_says_sent_only_when_its_broker_acknowledged(
    tmp_path: Path, broker: Protocol, seconds: str, told: str
) -> None:
    """A genuine broker that refuses the password, or acknowledges nothing, was sent nothing: exit 1."""
    made = Bank.make(tmp_path, broker)
    with made.server:
        command = ("device.py", "localhost", str(made.server.port), "21.5")
        ended = made.ran("mqtt-device", *command, DEVICE_PASSWORD=TOKEN, BROKER_TIMEOUT=seconds)
    assert (1, "", told) == (ended.returncode, ended.stdout, ended.stderr)


def test_a_device_without_a_network_says_so(tmp_path: Path) -> None:
    """A broker that is not there is told apart from one that is refused."""
    broker = Bank.make(tmp_path, "mqtt")
    with TlsServer(broker.held) as gone:
        port = gone.port
    ended = broker.ran("mqtt-device", "device.py", "localhost", str(port), "21.5", DEVICE_PASSWORD=TOKEN)
    assert (1, "") == (ended.returncode, ended.stdout)
    assert "Connection refused" in ended.stderr
