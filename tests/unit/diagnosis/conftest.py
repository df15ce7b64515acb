"""The genuine certificates of one host, and the roots of Mozilla's programme."""

from __future__ import annotations

import functools
import ssl
from pathlib import Path

import certifi
import pytest

from .scene import HOST, Authority, Holder, Scene


@pytest.fixture(scope="session")
def authority() -> Authority:
    """Issue certificates."""
    return Authority()


@pytest.fixture(scope="session")
def genuine(authority: Authority) -> tuple[Holder, Holder, Holder]:
    """Return the genuine leaf, intermediate and private root of the host."""
    root = authority.root("Example Root", O="Example")
    intermediate = authority.issue(root, "Example R3", O="Example")
    return authority.issue(intermediate, HOST), intermediate, root


@functools.cache
def every_mozilla_root() -> list[bytes]:
    """Return the certificates of Mozilla's programme, as certifi has them."""
    end = "-----END CERTIFICATE-----"
    blocks = Path(certifi.where()).read_text(encoding="ascii").split("-----BEGIN CERTIFICATE-----")[1:]
    return [ssl.PEM_cert_to_DER_cert(f"-----BEGIN CERTIFICATE-----{block.split(end)[0]}{end}\n") for block in blocks]


@pytest.fixture(scope="session")
def mozilla_roots() -> list[bytes]:
    """Return the certificates of Mozilla's programme."""
    return every_mozilla_root()


@pytest.fixture(scope="session")
def scene(genuine: tuple[Holder, Holder, Holder]) -> Scene:
    """Return the host with the genuine leaf pinned, enforced."""
    return Scene([genuine[0].pin])
