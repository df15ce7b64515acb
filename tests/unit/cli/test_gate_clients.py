"""``pinscher gate --clients``: what a real monitor has heard makes the gate stricter, and never looser."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pinscher.cli import main
from pinscher.lab.authority import Authority
from pinscher.pin import Pin

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Authority.root("Bank Root")
OLD, NEW = ROOT.issue("127.0.0.1"), ROOT.issue("127.0.0.1")
GATE = ["gate", "--new-cert", "new.pem", "--ca-file", "ca.pem"]


def _policy(version: int, *pins: Pin) -> str:
    told = ", ".join(f'"{pin}"' for pin in pins)
    return f'format = 1\nname = "bank"\nversion = {version}\n[hosts."127.0.0.1"]\npins = [{told}]\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that the command runs in: version 1 pins the old key, version 2 both."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PINSCHER_MONITOR_TOKEN", raising=False)
    (tmp_path / "new.pem").write_bytes(NEW.pem)
    (tmp_path / "ca.pem").write_bytes(ROOT.pem)
    (tmp_path / "v1.toml").write_text(_policy(1, Pin.of(OLD.der)))
    (tmp_path / "v2.toml").write_text(_policy(2, Pin.of(OLD.der), Pin.of(NEW.der)))
    return tmp_path


def _heard(**installs: int) -> None:
    """Write what a monitor's list of clients says, by version."""
    lines = [
        {"application": "app", "policy": "bank", "version": int(name.removeprefix("v")), "installs": count}
        for name, count in installs.items()
    ]
    Path("yesterday.json").write_text(json.dumps({"clients": lines}))


BOTH = ["--deployed", "v2.toml", "--clients", "yesterday.json"]


def test_clients_of_unknown_versions_make_a_doubt(capsys: pytest.CaptureFixture[str]) -> None:
    """Every deployed policy accepts, and clients that were heard of have another: that is no acceptance any more."""
    _heard(v1=41, v2=959)
    assert 2 == main([*GATE, *BOTH])
    out = capsys.readouterr().out
    assert "accepts  v2.toml" in out
    assert (
        "CANNOT TELL  127.0.0.1: 0 of 1,000 clients of the last day would refuse it, and of 41 it is not known" in out
    )
    assert 0 == main([*GATE, *BOTH, "--refusing-at-most", "5"])
    assert 1 == main([*GATE, *BOTH, "--deployed", "v1.toml", "--refusing-at-most", "5"])


def test_what_was_heard_takes_no_refusal_back(capsys: pytest.CaptureFixture[str]) -> None:
    """However many clients are said to accept, a deployed policy that refuses is a refusal."""
    _heard(v2=1_000_000)
    assert 1 == main([*GATE, "--deployed", "v1.toml", *BOTH])
    _heard(v1=41, v2=959)
    assert 1 == main([*GATE, "--deployed", "v1.toml", *BOTH, "--json"])
    told = json.loads(capsys.readouterr().out.rpartition("\n{")[2].join(["{", ""]))["clients"]
    assert [{"host": "127.0.0.1", "clients": 1000, "refusing": 41, "unknown": 0, "versions": {"bank 1": 41},
             "answer": "refuses"}] == told  # fmt: skip
    assert 1 == main([*GATE, "--deployed", "v1.toml", *BOTH, "--markdown"])
    assert "**REFUSES** by clients that were heard of: `127.0.0.1: 41 of 1,000 clients" in capsys.readouterr().out


def test_a_malformed_token_is_not_a_missing_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A token in the environment that can be none is told as that, without being shown."""
    monkeypatch.setenv("PINSCHER_MONITOR_TOKEN", "secret\nsecond")
    assert 2 == main([*GATE, "--deployed", "v2.toml", "--clients", "http://127.0.0.1:1"])
    told = capsys.readouterr().err
    assert "what is in PINSCHER_MONITOR_TOKEN is no token: expected printable ASCII" in told
    assert "secret" not in told


def test_what_cannot_be_asked_is_no_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """A file that is missing, an address in clear, no token and nobody there are each told."""
    for source, told in (
        ("gone.json", "there is no file 'gone.json'"),
        ("https://monitor.example", "no operator's token, expected one in PINSCHER_MONITOR_TOKEN"),
    ):
        assert 2 == main([*GATE, "--deployed", "v2.toml", "--clients", source])
        assert told in capsys.readouterr().err
    Path("token").write_text("secret\n")
    for source, told in (
        ("http://monitor.example", "expected https:// and a monitor's address"),
        ("https://user@monitor.example", "expected https:// and a monitor's address"),
        ("http://127.0.0.1:1", "the monitor cannot be asked: connection refused"),
    ):
        assert 2 == main([*GATE, "--deployed", "v2.toml", "--clients", source, "--clients-token", "token"])
        assert told in capsys.readouterr().err
    Path("token").write_text("caf\u00e9\n")
    assert 2 == main([*GATE, "--deployed", "v2.toml", "--clients", "http://127.0.0.1:1", "--clients-token", "token"])
    assert "what is in 'token' is no token: expected printable ASCII" in capsys.readouterr().err
    assert 2 == main([*GATE, "--clients", "new.pem"])
    assert "nothing is deployed" in capsys.readouterr().err


@pytest.fixture
def monitor(folder: Path) -> Iterator[tuple[str, str]]:
    """Run a monitor of version 1, and return its address and the operator's token."""
    program = Path(sys.executable).parent / "pinscher"
    arguments = ["serve", "--policy", "v1.toml", "--data", "data", "--listen", "127.0.0.1:0"]
    with subprocess.Popen([program, *arguments], cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        token = next(line for line in lines if "token" in line).split()[-1]
        yield next(line for line in lines if "listening on" in line).split()[2].rstrip(","), token
        process.send_signal(signal.SIGTERM)


def _post(url: str, token: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Authorization": f"Bearer {token}"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
        return dict(json.loads(answer.read() or b"{}"))


def test_a_monitor_is_asked(
    monitor: tuple[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The monitor knows the policy that its clients have, and one of them is enough to refuse; nobody is no answer."""
    url, token = monitor
    asked = [*GATE, "--deployed", "v2.toml", "--clients", url]
    monkeypatch.setitem(os.environ, "PINSCHER_MONITOR_TOKEN", token)
    assert 2 == main(asked)
    assert "CANNOT TELL  127.0.0.1: 0 of 0 clients" in capsys.readouterr().out
    application = _post(f"{url}/api/applications", token, {"name": "app"})["token"]
    heartbeat = {"install": "one", "policy": "bank", "version": 1, "counts": [
        {"host": "127.0.0.1", "outcome": "match", "matched": None, "times": 3}]}  # fmt: skip
    _post(f"{url}/v1/heartbeats", application, heartbeat)
    assert 1 == main(asked)
    assert "REFUSES  127.0.0.1: 1 of 1 clients of the last day would refuse it (bank 1: 1)" in capsys.readouterr().out
    assert 1 == main([*GATE, "--clients", url])
    monkeypatch.setitem(os.environ, "PINSCHER_MONITOR_TOKEN", "pinscher-operator-none")
    assert 2 == main(asked)
    assert "the monitor answered 401 to a question about 127.0.0.1" in capsys.readouterr().err
