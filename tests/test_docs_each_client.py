"""The page with each client's code, followed as a reader would: its blocks alone, played against real servers."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tools import client_code

from pinscher.lab.authority import Authority
from pinscher.pin import Pin
from tests.conformance import proxied
from tests.conformance.clients import to_its_end
from tests.conformance.test_clients import CLIENTS, HOST, Client, World, play, serving

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = (Path(__file__).parent.parent / "docs" / "how-to" / "each-client.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### ([^\n]+)\n(.*?)(?=^##)", PAGE, re.MULTILINE | re.DOTALL))
(SHARED,) = re.findall(r"^```python\n(.*?)^```", PAGE.partition("\n## ")[0], re.MULTILINE | re.DOTALL)
EVERY = pytest.mark.parametrize("client", CLIENTS, ids=str)


def _code_of(name: str) -> str:
    """Return the code below a client's heading, or below the one that it names."""
    blocks = re.findall(r"^```python\n(.*?)^```", SECTIONS[name], re.MULTILINE | re.DOTALL)
    elsewhere = re.search(r"^The code is that of \*(.*)\*", SECTIONS[name], re.MULTILINE)
    return _code_of(elsewhere[1]) if elsewhere else "".join(blocks)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a world with fresh keys, in a folder with the ``pins.toml`` that the page begins with."""
    made = World()
    (tmp_path / "pins.toml").write_text(
        f'format = 1\nname = "bank"\nversion = 1\n[hosts."{HOST}"]\npins = ["{Pin.of(made.genuine.der)}"]\n'
    )
    (tmp_path / "ca.pem").write_bytes(made.root.pem)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", "ca.pem")
    return made


def _as_it_stands(client: Client) -> tuple[Client, Any]:
    """Return a client that plays what the page says and nothing else, and the context that the page makes."""
    shared = re.sub(r"(?m)^HOST = .*$", f'HOST = "{HOST}"', SHARED)
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(shared + _code_of(client.name), str(client), "exec", dont_inherit=True), names)
    # A block ends with the function that is called.
    *_, function = (one for one in names.values() if inspect.isfunction(one))
    return dataclasses.replace(client, exchange=_plain(function, client.name)), names["context"]


def _plain(function: Callable[..., Any], name: str) -> Callable[..., object]:
    """Return a page's function as it is called: by asyncio, and with a proxy where it asks for one."""

    def called(*arguments: Any) -> object:
        if not inspect.iscoroutinefunction(function):
            return function(*arguments)
        return asyncio.run(to_its_end(function, *arguments))

    asks = "proxy" in inspect.signature(function).parameters
    return proxied.through(called, secured=name.endswith("TLS in TLS")) if asks else called


@EVERY
def test_the_code_of_each_client_stands_for_itself(client: Client) -> None:
    """A block of the page uses no name that neither it nor the top of the page explains."""
    assert [] == client_code.unbound(SHARED + _code_of(client.name))


@EVERY
def test_the_code_of_each_client_reaches_the_genuine_server(world: World, client: Client) -> None:
    """What the page says of a client, below the top of the page and with nothing else, reaches the genuine server."""
    read, context = _as_it_stands(client)
    with serving(client, world.genuine, is_let_through=True) as server:
        assert None is play(read, context, server)
        assert server.application_bytes


@EVERY
def test_the_code_of_each_client_tells_a_rogue_nothing(world: World, client: Client) -> None:
    """What the page says of a client sends nothing to a rogue key under the right authority."""
    read, context = _as_it_stands(client)
    with serving(client, world.root.issue(HOST)) as server:
        assert None is not play(read, context, server)
        assert 0 == server.application_bytes
    assert ["NO_MATCHING_PIN"] == [verdict.outcome.name for verdict in context.verdicts]


def test_every_client_has_its_code_on_the_page() -> None:
    """The page has a heading for every client that the conformance tests play, and for no other."""
    assert sorted(client.name for client in CLIENTS) == sorted(SECTIONS)


def _made_with(module: str, **options: Any) -> Callable[[object, int], None]:
    def exchange(context: object, port: int) -> None:
        loaded = __import__(module)
        loaded.connect(context, port, _authority(), **options)

    return exchange


def _authority() -> Authority:
    return Authority.root()


def test_what_a_function_was_made_with_is_written_into_its_code() -> None:
    """A module's name and options that a function got from elsewhere stand in the code, and helpers before it."""
    made = client_code.code(_made_with("json", limit=3), "pinscher = 1\n")
    assert made == (
        "from pinscher.lab.authority import Authority\n\n\n"
        "def _authority() -> Authority:\n    return Authority.root()\n\n\n"
        "def exchange(context: object, port: int) -> None:\n"
        "    import json as loaded\n\n"
        "    loaded.connect(context, port, _authority(), limit=3)\n"
    )
    assert "limit" not in client_code.code(_made_with("json"), "")


def test_a_name_that_nothing_explains_is_seen() -> None:
    """A name that a piece of code uses and nobody gives a meaning is found, wherever it stands."""
    assert ["_echoed", "BODY"] == client_code.unbound("def one(tls):\n    with tls as it:\n        _echoed(it, BODY)\n")
