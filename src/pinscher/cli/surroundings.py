"""
The interpreter, the trust store, the environment and the patches that stand around a pinned connection.

``doctor`` runs in a process of its own. It sees what reaches every process of this interpreter (the environment,
``sitecustomize``, ``.pth`` files), and not what an application does after its start.
"""

from __future__ import annotations

import os
import platform
import ssl
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pinscher.cli.facts import Fact, Health
from pinscher.errors import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator


def surroundings() -> Iterator[Fact]:
    """Yield every fact about this machine, in the order of the help."""
    yield interpreter()
    yield Fact("openssl", Health.OK, ssl.OPENSSL_VERSION)
    yield trust_store()
    yield from environment()
    yield from patches()
    yield from packages()


def interpreter() -> Fact:
    """Say which Python runs here."""
    name, version = platform.python_implementation(), platform.python_version()
    if name == "CPython":
        return Fact("interpreter", Health.OK, f"{name} {version}")
    return Fact("interpreter", Health.WARNING, f"{name} {version}, whose ssl is not CPython's", remedy=_USE_CPYTHON)


_USE_CPYTHON = "rely on the self-test below, or use CPython"


def trust_store() -> Fact:
    """Count the roots that a context of the platform's trust would know."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    paths = ssl.get_default_verify_paths()
    loaded = context.cert_store_stats()["x509_ca"]
    # OpenSSL reads a directory's certificates one by one when it needs them, so only their files can be counted.
    in_directory = _files_in(paths.capath)
    places = " and ".join(escaped(place) for place in (paths.cafile, paths.capath) if place) or "the platform's own"
    if loaded or in_directory:
        return Fact("trust store", Health.OK, f"{loaded} roots loaded, {in_directory} files in the directory: {places}")
    text = "no root is trusted here, so that every verified handshake fails"
    return Fact("trust store", Health.ERROR, text, remedy="install the system's CA certificates, or give --ca-file")


def _files_in(directory: str | None) -> int:
    try:
        return 0 if directory is None else sum(1 for _ in Path(directory).iterdir())
    except OSError:
        return 0


_VARIABLES = {
    "SSL_CERT_FILE": "moves the roots that OpenSSL trusts; pins hold all the same",
    "SSL_CERT_DIR": "moves the roots that OpenSSL trusts; pins hold all the same",
    "REQUESTS_CA_BUNDLE": "moves the roots that requests trusts; pins hold all the same",
    "CURL_CA_BUNDLE": "moves the roots that requests trusts; pins hold all the same",
    "SSLKEYLOGFILE": "writes the keys of unpinned connections to a file; a PinnedContext ignores it",
    "OPENSSL_CONF": "replaces OpenSSL's configuration, its engines and providers included",
    "PYTHONHTTPSVERIFY": "has no effect on Python 3; somebody meant to switch verification off",
    "HTTPS_PROXY": "sends connections through a proxy; a pinned one is still verified end to end",
    "HTTP_PROXY": "sends connections through a proxy; a pinned one is still verified end to end",
    "ALL_PROXY": "sends connections through a proxy; a pinned one is still verified end to end",
}
"""Environment variables that redirect trust or traffic, and what each means for a pinned connection."""


def environment() -> Iterator[Fact]:
    """Yield a warning for every variable that redirects trust or traffic, or one fact that there is none."""
    found = False
    for name, meaning in _VARIABLES.items():
        for spelling in (name, name.lower()) if name.endswith("_PROXY") else (name,):
            if value := os.environ.get(spelling):
                found = True
                shown = _without_credentials(value) if name.endswith("_PROXY") else escaped(value)
                text = f"{spelling}={shown} {meaning}"
                yield Fact("environment", Health.WARNING, text, remedy=f"unset {spelling} if nobody here needs it")
    if not found:
        yield Fact("environment", Health.OK, "no variable redirects trust")


def _without_credentials(url: str) -> str:
    try:
        parts = urlsplit(url if "://" in url else f"//{url}")
        place = parts.netloc.rpartition("@")[2]
    except ValueError:
        place = ""
    return escaped(place) or "(a proxy)"


def patches() -> Iterator[Fact]:
    """Yield an error for every part of ``ssl`` that somebody replaced, or one fact that it is CPython's own."""
    found = [*_replaced_classes(), *_replaced_methods(), *_replaced_default()]
    remedy = "find who does it: a sitecustomize, a .pth file, or a package such as truststore, gevent or eventlet"
    for text in found:
        yield Fact("ssl module", Health.ERROR, text, remedy=remedy)
    if not found:
        yield Fact("ssl module", Health.OK, "it is the interpreter's own")


def _replaced_classes() -> Iterator[str]:
    for name in ("SSLContext", "SSLSocket", "SSLObject"):
        kind = getattr(ssl, name)
        if kind.__module__ != "ssl":
            yield f"ssl.{name} was replaced by {escaped(kind.__module__)}.{escaped(kind.__qualname__)}"
    for name, expected in (("sslsocket_class", ssl.SSLSocket), ("sslobject_class", ssl.SSLObject)):
        if getattr(ssl.SSLContext, name, expected) is not expected:
            yield f"ssl.SSLContext.{name} was replaced, and with it the class of every connection"


_METHODS = {
    ssl.SSLContext: ("wrap_socket", "wrap_bio", "load_default_certs"),
    ssl.SSLSocket: ("do_handshake", "read", "write", "send", "sendall", "recv", "recv_into"),
    ssl.SSLObject: ("do_handshake", "read", "write"),
}


def _replaced_methods() -> Iterator[str]:
    for kind, names in _METHODS.items():
        for name in names:
            code = getattr(getattr(kind, name, None), "__code__", None)
            if code is None or code.co_filename != ssl.create_default_context.__code__.co_filename:
                yield f"ssl.{kind.__name__}.{name} was replaced"


def _replaced_default() -> Iterator[str]:
    default = getattr(ssl, "_create_default_https_context", ssl.create_default_context)
    if default is not ssl.create_default_context:
        yield f"the default HTTPS context was replaced by {escaped(getattr(default, '__qualname__', repr(default)))}"


_PACKAGES = {
    "certifi": (Health.OK, "its roots are what requests and httpx trust, not the platform's"),
    "truststore": (
        Health.WARNING,
        "when injected it replaces ssl.SSLContext, and the operating system builds the path",
    ),
    "pip-system-certs": (Health.WARNING, "it patches ssl in every process of this interpreter"),
    "niquests": (Health.WARNING, "over HTTP/3 it has its own TLS, which no ssl context reaches"),
}
"""Packages that change which roots or which TLS a client uses, and how."""


def packages() -> Iterator[Fact]:
    """Yield a fact for every installed package that changes which roots or which TLS a client uses."""
    for name, (health, meaning) in _PACKAGES.items():
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        yield Fact("package", health, f"{name} {escaped(version)}: {meaning}")
    for name in ("sitecustomize", "usercustomize"):
        if name in sys.modules:
            place = escaped(getattr(sys.modules[name], "__file__", None) or "memory")
            yield Fact("start-up", Health.WARNING, f"{name} runs in every process: {place}", remedy="read what it does")
