"""``pinscher lab intercept`` with the real mitmproxy, a pinned program, an unpinned one, and servers on the loopback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pinscher.cli.app import run
from pinscher.cli.lab_intercept import welcome
from pinscher.cli.voice import Voice
from pinscher.lab import authority as lab_authority
from pinscher.lab.mitmdump import MitmproxyMissingError, provide_mitmdump
from pinscher.lab.server import TlsServer
from pinscher.pin import Pin

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = """
import http.client, os, ssl, sys, urllib.parse
host, *pin = sys.argv[1:]
proxy = urllib.parse.urlsplit(os.environ["HTTPS_PROXY"])
if pin:
    import pinscher
    policy = f'format = 1\\nname = "p"\\nversion = 1\\n[hosts."{host}"]\\npins = ["{pin[0]}"]\\nbackup-pins = ["sha256/{"A" * 43}="]'
    context = pinscher.PinnedContext(pinscher.Policy.loads(policy), trust=os.environ["SSL_CERT_FILE"])
else:
    context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
connection = http.client.HTTPSConnection(proxy.hostname, proxy.port, context=context, timeout=20)
connection.set_tunnel(host, 443)
connection.request("POST", "/?token=open-sesame", "password=open-sesame", {"Connection": "close"})
print("the program's own answer", connection.getresponse().status)
"""


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[str], str]]:
    """The options that lead to two servers on the loopback, and the pin of the first."""
    try:
        provide_mitmdump(progress=print)
    except MitmproxyMissingError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"mitmproxy cannot be had here: {error}")
    authority = lab_authority.Authority.root().intermediate()
    ca = tmp_path_factory.mktemp("bank") / "ca.pem"
    ca.write_bytes(authority.trust_anchor.pem)
    held = authority.issue("bank.test")
    with TlsServer(held) as first, TlsServer(authority.issue("shop.test")) as second:
        routes = [f"bank.test=127.0.0.1:{first.port}", f"shop.test=127.0.0.1:{second.port}"]
        yield ["--upstream-ca", str(ca), "--route", routes[0], "--route", routes[1]], str(Pin.of(held.der))


def intercept(options: list[str], *more: str, program: tuple[str, ...]) -> int:
    """Run the verb on a program."""
    return run(["lab", "intercept", *options, *more, "--", sys.executable, "-c", PROGRAM, *program])


def test_an_unpinned_program_is_read(bank: tuple[list[str], str], capfd: pytest.CaptureFixture[str]) -> None:
    """What an unpinned program sends is read: exit 1, and its secrets are named, counted and never shown."""
    assert 1 == intercept(bank[0], program=("bank.test",))
    shown = capfd.readouterr()
    assert "READ  the interceptor read what was meant for bank.test" in shown.out
    assert "read 1: field password = ********" in shown.out
    assert "read 1: query token = ********" in shown.out
    assert "open-sesame" not in shown.out + shown.err
    assert "the program's own answer 200" in shown.err


def test_a_pinned_program_without_a_control(bank: tuple[list[str], str], capfd: pytest.CaptureFixture[str]) -> None:
    """Nothing read is inconclusive by itself: exit 2, and a hint says what a control is."""
    assert 2 == intercept(bank[0], program=("bank.test", bank[1]))
    shown = capfd.readouterr()
    assert "INCONCLUSIVE  nothing was read, but nothing else was read with this CA on this path either" in shown.out
    assert "--control" in shown.err


def test_a_pinned_program_beside_a_control(
    bank: tuple[list[str], str], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Nothing read, while the same program was read where it pins nothing: exit 0."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    control = f"{sys.executable} {script} shop.test"
    assert 0 == intercept(bank[0], "--json", "--control", control, program=("bank.test", bank[1]))
    answer = json.loads(capfd.readouterr().out)
    assert {"conclusion", "reason", "control", "program", "hosts"} == set(answer)
    assert ("nothing-read", ["shop.test"], 1) == (answer["conclusion"], answer["control"], answer["program"])
    assert [("bank.test", True, 0, {})] == [
        (host["host"], host["judged"], host["bytes"], host["secrets"]) for host in answer["hosts"]
    ]


def test_a_control_that_fails_is_no_control(bank: tuple[list[str], str], capfd: pytest.CaptureFixture[str]) -> None:
    """A control that was not read itself proves nothing, and that is said."""
    assert 2 == intercept(bank[0], "--control", "false", program=("bank.test", bank[1]))
    assert "the control was not read (it ended with exit code 1), so it proves nothing" in capfd.readouterr().err


def test_a_program_that_goes_nowhere(bank: tuple[list[str], str], capfd: pytest.CaptureFixture[str]) -> None:
    """A program that does not use the proxy has proved nothing."""
    assert 2 == run(["lab", "intercept", *bank[0], "--", "true"])
    assert "INCONCLUSIVE  no connection to a judged host came by the proxy" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--listen", "here"], "'here' is not an IP address"),
        (["--route", "bank.test"], "expected HOST=ADDRESS:PORT, found 'bank.test'"),
        (["--upstream-ca", "/nowhere.pem"], "cannot read '/nowhere.pem': no such file or directory"),
        (["--mitmdump", "/nowhere"], "'/nowhere' is not a program that can be run"),
        (["--control", "'"], "no closing quotation"),
    ],
)
def test_mistakes_are_one_line(
    bank: tuple[list[str], str], options: list[str], message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """What cannot be understood or found is said in a line, and nothing is run."""
    assert 2 == run(["lab", "intercept", *options, "--", "true"])
    assert message in capfd.readouterr().err


def test_a_program_that_is_not_there(bank: tuple[list[str], str], capfd: pytest.CaptureFixture[str]) -> None:
    """A command that cannot be run gives no answer."""
    assert 2 == run(["lab", "intercept", "--", "no-such-program"])
    assert "cannot run 'no-such-program': no such file or directory" in capfd.readouterr().err


def serving(*options: str) -> tuple[str, str, int]:
    """Start the proxy without a program, press Ctrl-C once it serves, and return what it wrote, with its exit code."""
    process = subprocess.Popen(
        [sys.executable, "-m", "pinscher.cli", "lab", "intercept", *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert process.stderr is not None
    said = ""
    while "Ctrl-C ends it" not in said:
        line = process.stderr.readline()
        assert line, said
        said += line
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    return out, said + err, process.returncode


def test_it_serves_until_interrupted(bank: tuple[list[str], str]) -> None:
    """Without a program the proxy says where it is, on the loopback, and reports when it is interrupted."""
    out, err, code = serving()
    assert "proxy: http://127.0.0.1:" in err
    assert "set-up page, through the proxy: http://mitm.it/" in err
    assert "##" not in err
    assert 2 == code
    assert "INCONCLUSIVE" in out


def test_a_phone_is_let_in_by_name_only(capfd: pytest.CaptureFixture[str]) -> None:
    """Beyond the loopback the proxy warns of its neighbours and shows a code for the phone's camera, in ASCII."""
    welcome("192.0.2.1", Voice())
    err = capfd.readouterr().err
    assert "whoever reaches 192.0.2.1 can use this proxy until it ends, and is read as well" in err
    code = [line for line in err.splitlines() if line and not line.strip("# ")]
    assert {len(code[0])} == {len(line) for line in code}
    assert 2 * len(code) == len(code[0])
