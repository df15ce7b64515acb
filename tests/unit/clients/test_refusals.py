"""What a stack cannot enforce is refused by name, with the reason and what to do."""

from __future__ import annotations

import importlib
import subprocess
import sys
from typing import Any

import pytest

import pinscher
from pinscher.clients import UnsupportedTransportError
from pinscher.clients._leaf_pins import leaf_pins
from pinscher.lab.authority import Authority
from pinscher.lab.server import TlsServer

PIN = "sha256/" + "A" * 43 + "="
OTHER = "sha256/" + "B" * 42 + "A="


def policy(more: str = "", *, role: str = "leaf", pins: str = '["now"]') -> pinscher.Policy:
    """Return a policy that pins two named keys."""
    return pinscher.Policy.loads(
        f'format = 1\nname = "bank"\nversion = 7\n[keys.now]\npin = "{PIN}"\nrole = "{role}"\n'
        f'[keys.next]\npin = "{OTHER}"\nrole = "leaf"\n[hosts.localhost]\npins = {pins}\nbackup-pins = ["next"]\n{more}\n'
    )


@pytest.fixture
def context() -> pinscher.PinnedContext:
    """Return a pinned context."""
    return pinscher.PinnedContext(policy(), trust=Authority.root().pem)


@pytest.mark.parametrize(
    ("stack", "entrance"),
    [("grpc", "channel_credentials"), ("psycopg", "connect"), ("confluent_kafka", "configuration")],
)
def test_a_stack_without_a_hook_is_refused(context: pinscher.PinnedContext, stack: str, entrance: str) -> None:
    """grpcio, libpq and librdkafka have no safe hook, and their file says so when it is called."""
    enter = getattr(importlib.import_module(f"pinscher.clients.{stack}"), entrance)
    with pytest.raises(UnsupportedTransportError, match="cannot enforce this policy") as caught:
        enter(context, "localhost:443")
    assert isinstance(caught.value, pinscher.PinningError)
    assert "no hook" in caught.value.reason
    assert "pinned forwarder" in caught.value.remedy
    assert "pinscher forward" in str(caught.value)
    assert caught.value.transport in str(caught.value)


def test_pymongos_asyncio_client_is_refused(context: pinscher.PinnedContext) -> None:
    """The asyncio client of pymongo exchanges the class of a context's connections, and is refused."""
    from pinscher.clients.pymongo import async_client

    with pytest.raises(UnsupportedTransportError, match="replaces the class"):
        async_client(context, "mongodb://localhost")


@pytest.mark.parametrize(
    ("more", "role", "pins", "reason"),
    [
        ('mode = "report-only"\nreport-only-since = 2026-11-01', "leaf", '["now"]', "is report-only"),
        ('on-expiry = "fail"\nexpires = 2027-01-01T00:00:00Z', "leaf", '["now"]', "knows no time"),
        (f'denied-keys = ["sha256/{"C" * 42}A="]', "leaf", '["now"]', "denies keys"),
        ("", "root", '["now"]', "looks at the leaf alone"),
        ("", "any", '["now"]', "looks at the leaf alone"),
        ("", "leaf", f'["cert-{PIN}"]', "pins a whole certificate"),
        ("", "leaf", f'["sha256/{"D" * 42}A="]', "looks at the leaf alone"),
    ],
)
def test_what_libcurl_cannot_express_is_refused(more: str, role: str, pins: str, reason: str) -> None:
    """Report-only, expiry, denied keys, whole certificates and keys above the leaf are refused, not approximated."""
    with pytest.raises(UnsupportedTransportError, match=reason):
        leaf_pins(policy(more, role=role, pins=pins), "localhost", transport="curl")


def test_what_libcurl_can_express() -> None:
    """Pins of leaf keys become libcurl's list, a host that is not pinned has none, and an unlisted one is refused."""
    assert f"{PIN};{OTHER}".replace("sha256/", "sha256//") == leaf_pins(policy(), "LOCALHOST", transport="curl")
    unpinned = 'format = 1\nname = "b"\nversion = 1\n[hosts.localhost]\nunpinned = "public"\n'
    assert leaf_pins(pinscher.Policy.loads(unpinned), "localhost", transport="curl") is None
    with pytest.raises(pinscher.PinMismatchError) as caught:
        leaf_pins(policy(), "other.test", transport="curl")
    assert pinscher.Outcome.UNLISTED_HOST is caught.value.verdict.outcome


def test_pycurl_stays_on_https() -> None:
    """A handle is given no address in clear."""
    import pycurl

    from pinscher.clients.pycurl import pin

    with pytest.raises(UnsupportedTransportError, match="'http' is not https"):
        pin(pycurl.Curl(), policy(), "http://localhost/")


@pytest.mark.parametrize("option", ["verify", "allow_redirects", "http_version", "curl_options", "proxy"])
def test_curl_cffi_decides_about_tls(option: str) -> None:
    """What would undo the pins of a session of curl_cffi is refused, for the session and for one request."""
    from pinscher.clients.curl_cffi import PinnedSession

    with pytest.raises(UnsupportedTransportError, match=option):
        PinnedSession(policy(), "localhost", **{option: False})
    with PinnedSession(policy(), "localhost") as session:
        with pytest.raises(UnsupportedTransportError, match=option):
            session.get("https://localhost/", **{option: False})


@pytest.mark.parametrize("url", ["http://localhost/", "https://other.test/"])
def test_curl_cffi_keeps_to_its_host(url: str) -> None:
    """A session of curl_cffi has the pins of one host, and goes to no other and not in clear."""
    from pinscher.clients.curl_cffi import PinnedSession

    with PinnedSession(policy(), "localhost") as session:
        with pytest.raises(UnsupportedTransportError, match="is not an https address of 'localhost'"):
            session.get(url)


def test_redis_takes_no_options_of_tls(context: pinscher.PinnedContext) -> None:
    """An option that the pinned context decides is refused, for it would be ignored."""
    from pinscher.clients.redis import PinnedAsyncConnection, PinnedConnection, async_pool, pool

    for make in (pool, async_pool):
        with pytest.raises(UnsupportedTransportError, match="'ssl_cert_reqs'"):
            make(context, host="localhost", ssl_cert_reqs="none")
    for kind in (PinnedConnection, PinnedAsyncConnection):
        with pytest.raises(UnsupportedTransportError, match="'ssl_check_hostname'"):
            kind(context=context, ssl_check_hostname=False)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"tlsAllowInvalidCertificates": True}, "tlsAllowInvalidCertificates"),
        ({"ssl": False}, "'ssl'"),
        ({"auto_encryption_opts": object()}, "key management"),
    ],
)
def test_pymongo_takes_no_options_of_tls(context: pinscher.PinnedContext, options: dict[str, Any], reason: str) -> None:
    """Options that the pinned context decides are refused, and so is automatic encryption."""
    from pinscher.clients.pymongo import client

    with pytest.raises(UnsupportedTransportError, match=reason):
        client(context, "mongodb://localhost", **options)


def test_pymongo_does_not_speak_in_clear(context: pinscher.PinnedContext) -> None:
    """An address that asks for clear text does not get it."""
    from pinscher.clients.pymongo import client

    with client(context, "mongodb://localhost/?tls=false", connect=False) as made:
        assert context is made.options.pool_options._ssl_context


def test_pymongo_connects_when_it_is_used(context: pinscher.PinnedContext) -> None:
    """With connect=False a client stays off the network until it is used."""
    from pinscher.clients.pymongo import client

    with client(context, "mongodb://localhost", connect=False) as made:
        assert context is made.options.pool_options._ssl_context


def test_botocore_does_not_speak_in_clear(context: pinscher.PinnedContext) -> None:
    """A request of botocore to an address in clear is refused before a byte is sent."""
    import botocore.session
    from botocore import UNSIGNED
    from botocore.config import Config

    from pinscher.clients.botocore import pin

    made = botocore.session.get_session().create_client(
        "dynamodb", region_name="eu-lab-1", endpoint_url="http://localhost:9", config=Config(signature_version=UNSIGNED)
    )
    with pytest.raises(UnsupportedTransportError, match="'http' is clear text"):
        pin(made, context).list_tables()
    made.close()


def test_a_stripped_mysql_server_gets_no_password(context: pinscher.PinnedContext) -> None:
    """A server of MySQL that offers no TLS is refused, where the connector itself would go on in clear."""
    from pinscher.clients.mysql_connector import PinnedConnection

    mysql = importlib.import_module("pinscher.lab.protocols.mysql")

    def stripped(conversation: Any) -> None:
        offered = (mysql._CAPABILITIES & 0xFFFF).to_bytes(2, "little")
        without_tls = (mysql._CAPABILITIES & 0xFFFF & ~0x0800).to_bytes(2, "little")
        mysql._send(conversation, 0, mysql._GREETING.replace(offered, without_tls, 1))
        conversation.drain()

    with TlsServer(Authority.root().issue("localhost"), protocol=stripped) as server:
        with pytest.raises(UnsupportedTransportError, match="offers no TLS"):
            PinnedConnection(context, host="localhost", port=server.port, user="ada", password="s3cret")
        server.wait_idle()
        assert b"" == b"".join(record.plaintext for record in server.evidence.connections)


@pytest.mark.parametrize("option", ["ssl_disabled", "ssl_verify_cert", "unix_socket"])
def test_mysql_takes_no_options_of_tls(context: pinscher.PinnedContext, option: str) -> None:
    """Options that the pinned context decides are refused."""
    from pinscher.clients.mysql_connector import PinnedConnection

    with pytest.raises(UnsupportedTransportError, match=option):
        PinnedConnection(context, **{option: True})


def test_pyopenssls_verification_stands() -> None:
    """Nothing takes the judgement out of a pinned connection of pyOpenSSL."""
    from OpenSSL import SSL

    from pinscher.clients.judge import Judge
    from pinscher.clients.pyopenssl import Connector

    made = Connector(Judge(policy(), trust=Authority.root().pem)).connection("localhost")
    for undo in (
        lambda: made.set_verify(SSL.VERIFY_NONE),
        lambda: made.set_session(None),
        lambda: made.set_context(None),
    ):
        with pytest.raises(UnsupportedTransportError, match="pyOpenSSL"):
            undo()


@pytest.mark.parametrize(
    ("settings", "options", "reason"),
    [
        ({"verify_mode": 0}, {}, "verifies no certificate"),
        ({"server_name": "other.test"}, {}, "another host"),
        ({"session_ticket": object()}, {}, "shows no certificate"),
        ({}, {"wait_connected": False}, "before the server is judged"),
    ],
)
def test_aioquic_takes_nothing_that_goes_past_the_judgement(
    settings: dict[str, Any], options: dict[str, Any], reason: str
) -> None:
    """No verification, another name, a resumed session and early data are refused."""
    import asyncio

    from aioquic.quic.configuration import QuicConfiguration

    from pinscher.clients.aioquic import connect
    from pinscher.clients.judge import Judge

    async def connected() -> None:
        """Enter and leave."""
        told = QuicConfiguration(is_client=True, **settings)
        async with connect(Judge(policy()), "localhost", 9, configuration=told, **options):
            pass

    with pytest.raises(UnsupportedTransportError, match=reason):
        asyncio.run(connected())


def test_a_version_without_the_hook_is_refused() -> None:
    """Where a new version of a stack has no longer what is overridden, its file is refused, not silently unpinned."""
    from pinscher.clients.errors import check_hooks

    check_hooks("str", str, "join", "upper")
    with pytest.raises(UnsupportedTransportError, match="has no _gone in str, where the pins go in"):
        check_hooks("str", str, "join", "_gone")


STACKS = {
    "aioquic": "aioquic",
    "botocore": "botocore",
    "curl_cffi": "curl_cffi",
    "google_auth": "google",
    "ldap3": "ldap3",
    "mysql_connector": "mysql",
    "niquests": "niquests",
    "pycurl": "pycurl",
    "pymongo": "pymongo",
    "pyopenssl": "OpenSSL",
    "redis": "redis",
    "requests": "requests",
    "twisted": "twisted",
}


@pytest.mark.parametrize("stack", STACKS)
def test_a_missing_package_is_one_sentence(stack: str) -> None:
    """Without its package, a stack's file says on import what to install."""
    statement = f"import sys; sys.modules[{STACKS[stack]!r}] = None; import pinscher.clients.{stack}"
    told = subprocess.run([sys.executable, "-c", statement], capture_output=True, text=True, check=False, timeout=60)
    last = told.stderr.strip().splitlines()[-1]
    assert last.startswith(f"ImportError: pinscher.clients.{stack} needs ")
    assert "which is not installed: pip install " in last
