"""What every test runs under: no trust from the environment, no network beyond loopback, a deterministic Hypothesis."""

from __future__ import annotations

import ipaddress
import os
import signal
import sys
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "here")

REDIRECTIONS = (
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "SSLKEYLOGFILE",
    "OPENSSL_CONF",
    *(name for proxy in ("HTTP", "HTTPS", "ALL", "NO", "FTP") for name in (f"{proxy}_PROXY", f"{proxy.lower()}_proxy")),
)
"""Environment variables that redirect trust or traffic; a developer's machine may set any of them."""

_strangers: list[str] = []


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = str(arguments[1][0])
        try:
            is_local = ipaddress.ip_address(host.partition("%")[0]).is_loopback
        except ValueError:
            is_local = host in ("localhost", "")
        if not is_local:
            _strangers.append(host)


sys.addaudithook(_watch)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument: made anew, they would give every worker another list of tests."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture(autouse=True)
def _no_redirections(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in REDIRECTIONS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _loopback_only() -> Iterator[None]:
    _strangers.clear()
    yield
    assert [] == _strangers, f"a test connected beyond loopback: {_strangers}"


def pytest_configure() -> None:
    """Heed an interrupt, also where a shell started the tests in the background: programs under test inherit it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
