"""A watched program says where it turns to, from which line, and what crosses; and runs as it would unwatched."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pinscher.discover import Inventory, watch
from pinscher.discover.sighting import Source
from pinscher.discover.watching import read_records
from pinscher.errors import PinningError
from pinscher.lab.authority import Authority
from pinscher.lab.server import TlsServer

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import http.client, socket, ssl, sys, urllib.request
port, ca = int(sys.argv[1]), sys.argv[2]
context = ssl.create_default_context(cafile=ca)
client = http.client.HTTPSConnection("localhost", port, context=context)
client.request("POST", "/v1/transfers?api_key=SECRET", body='{"iban": "SECRET"}', headers={"Authorization": "Basic SECRET"})
client.getresponse().read()
try:
    socket.getaddrinfo(b"api.bank.invalid", "443")
except OSError:
    pass
sys.exit(7)
"""


def records(*found: dict[str, Any] | bytes) -> Inventory:
    """Return what records of a program give."""
    content = b"".join(one if isinstance(one, bytes) else json.dumps(one).encode() + b"\n" for one in found)
    inventory = Inventory()
    for find in read_records(Source("python", io.BytesIO(content))):
        inventory.add(find)
    return inventory


def test_a_program_is_watched(tmp_path: Path) -> None:
    """Hosts, the program's own lines, and the words for what crossed; its exit code passes through."""
    program, ca = tmp_path / "app.py", tmp_path / "ca.pem"
    program.write_text(PROGRAM)
    root = Authority.root()
    ca.write_bytes(root.pem)
    inventory = Inventory()
    with TlsServer(root.issue("localhost")) as server:
        code = watch([sys.executable, str(program), str(server.port), str(ca)], inventory)
    assert 7 == code
    assert {"localhost", "api.bank.invalid"} == set(inventory.endpoints)
    found = inventory.endpoints["localhost"]
    assert {"authorization basic", "transfer", "api key", "iban"} == {one.word for one in found.crossed}
    assert ({server.port}, {"https", None}) == (found.ports, found.schemes)
    assert f"{program}:6" in [str(place) for place in found.places]
    assert [f"{program}:9"] == [str(place) for place in inventory.endpoints["api.bank.invalid"].places]


def test_the_programs_own_start_file_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that has a sitecustomize of its own starts with it, and so do the programs that it starts."""
    (tmp_path / "sitecustomize.py").write_text("import builtins; builtins.started = True")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    inner = "import socket; started; socket.gethostname(); socket.getaddrinfo('127.0.0.1', 1)"
    outer = f"import subprocess, sys; started; sys.exit(subprocess.call([sys.executable, '-c', {inner!r}]))"
    inventory = Inventory()
    assert 0 == watch([sys.executable, "-c", outer], inventory)
    assert {"127.0.0.1"} == set(inventory.endpoints)


def test_a_program_that_is_not_watched_is_named() -> None:
    """A program that ignores PYTHONPATH leaves nothing, and that is said."""
    inventory = Inventory()
    assert 0 == watch([sys.executable, "-I", "-c", ""], inventory)
    assert ["a program that did not load the watcher (no Python, or python -I, -E or -S)"] == list(inventory.skipped)


def test_processes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a program that starts programs without end only so many are looked at."""
    monkeypatch.setattr("pinscher.discover.watching._MOST_PROCESSES", 0)
    inventory = Inventory()
    assert 0 == watch([sys.executable, "-c", ""], inventory)
    assert ["more processes than are looked at"] == list(inventory.skipped)


def test_a_program_that_cannot_run_is_one_error() -> None:
    """A program that is not there is one sentence."""
    with pytest.raises(PinningError, match="cannot run 'no-such-program': no such file or directory"):
        watch(["no-such-program"], Inventory())


def test_addresses_that_a_lookup_explains_are_left_out() -> None:
    """A connection to an address after a look-up of a name on the same port is the name's; another is its own."""
    found = records(
        {"begin": True},
        {"host": "api.bank.example", "port": 443, "how": "lookup", "file": "a.py", "line": 3},
        {"host": "192.0.2.1", "port": 443, "how": "connect"},
        {"host": "192.0.2.1", "port": 8443, "how": "connect"},
        {"host": "2001:db8::1", "port": None, "how": "connect"},
    )
    assert {"api.bank.example", "192.0.2.1", "2001:db8::1"} == set(found.endpoints)
    assert {8443} == found.endpoints["192.0.2.1"].ports


def test_records_are_not_trusted() -> None:
    """Whatever a program writes into its file, words are the vocabulary's, and the rest is counted."""
    words = [["token", "access token"], ["token", "SECRET"], ["x", "y"], 5]
    found = records(
        {"host": "a.example", "port": -1, "how": "request", "words": words, "scheme": "SECRET", "line": True},
        {"host": "a.example", "words": 5}, {"host": "web"}, {"host": 5}, b"[]\n", b"{\n", b"x" * 100_000 + b"\n", {"end": True},
    )  # fmt: skip
    assert ["access token"] == [one.word for one in found.endpoints["a.example"].crossed]
    assert {None} == found.endpoints["a.example"].schemes
    assert {
        "a name without a dot": 1, "an address without a usable host": 1, "a damaged record of a watched program": 3, "more records than are looked at": 1,
    } == {reason: one.count for reason, one in found.skipped.items()}  # fmt: skip


def test_records_are_bounded() -> None:
    """A file without end is read to a bound."""
    assert ["more records than are looked at"] == list(records(b'{"begin": true}\n' * 20_010).skipped)
