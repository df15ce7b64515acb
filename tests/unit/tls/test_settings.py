"""Settings that would hollow out a pinned context are refused, or found out before a byte is sent."""

from __future__ import annotations

import copy
import pickle
import socket
import ssl
import warnings
from typing import TYPE_CHECKING, Any

import pytest

import pinscher
from pinscher.tls.danger import LeafOnlyContext

from .conftest import HOST, SECRET, connected, wrapped

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Scene

C_LEVEL = next(one for one in ssl.SSLContext.__mro__ if one.__name__ == "_SSLContext")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("verify_mode", ssl.CERT_NONE),
        ("verify_mode", ssl.CERT_OPTIONAL),
        ("check_hostname", False),
        ("sslsocket_class", ssl.SSLSocket),
        ("sslobject_class", ssl.SSLObject),
        ("options", ssl.OP_ALL),
        ("verify_flags", ssl.VERIFY_X509_PARTIAL_CHAIN),
        ("wrap_socket", print),
        ("wrap_bio", print),
        ("gate_for", print),
        ("__class__", ssl.SSLContext),
        ("policy", None),
        ("policy", "pins.toml"),
    ],
)
def test_weakening_is_refused(scene: Scene, name: str, value: object) -> None:
    """What the check rests on cannot be changed, and the context goes on as it was."""
    context = scene.context()
    with pytest.raises((pinscher.InsecureContextError, TypeError)):
        setattr(context, name, value)
    server = scene.serve(scene.rogue)
    with pytest.raises(pinscher.PinMismatchError), wrapped(context, server):
        pass
    assert 0 == server.application_bytes


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("verify_mode", ssl.CERT_REQUIRED),
        ("check_hostname", True),
        ("minimum_version", ssl.TLSVersion.TLSv1_2),
        ("maximum_version", ssl.TLSVersion.TLSv1_2),
        ("verify_flags", ssl.VERIFY_X509_STRICT),
        ("hostname_checks_common_name", False),
        ("post_handshake_auth", True),
    ],
)
def test_ordinary_settings_work(scene: Scene, name: str, value: object) -> None:
    """What clients set on the contexts they are given can be set, and reads back."""
    context = scene.context()
    setattr(context, name, value)
    assert value == getattr(context, name)
    context.options |= ssl.OP_NO_TICKET
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.note = "an attribute of the application's own"  # type: ignore[attr-defined]
    with wrapped(context, scene.serve(scene.genuine)) as secured:
        secured.sendall(SECRET)


@pytest.mark.parametrize("flipped_back", [True, False], ids=["and back", "and left"])
def test_h4_verify_mode_flipped_between_creation_and_handshake(scene: Scene, flipped_back: bool) -> None:
    """A verify mode changed at the C level is found when the connection is made, and found again before a byte."""
    forged = scene.authority.forged_issuer(HOST)
    server = scene.serve(forged)
    context = scene.context(scene.policy(pinscher.Pin.of(scene.authority.certificate)))
    C_LEVEL.check_hostname.__set__(context, False)
    C_LEVEL.verify_mode.__set__(context, ssl.CERT_NONE)
    with connected(server) as plain, pytest.raises(pinscher.InsecureContextError, match="CERT_REQUIRED"):
        context.wrap_socket(plain, server_hostname=HOST)
    C_LEVEL.verify_mode.__set__(context, ssl.CERT_REQUIRED)
    C_LEVEL.check_hostname.__set__(context, True)
    with wrapped(context, server, do_handshake_on_connect=False) as secured:
        C_LEVEL.check_hostname.__set__(context, False)
        C_LEVEL.verify_mode.__set__(context, ssl.CERT_REQUIRED if flipped_back else ssl.CERT_NONE)
        with pytest.raises(ssl.SSLCertVerificationError):
            secured.sendall(SECRET)
    server.wait_idle()
    assert 0 == server.application_bytes


@pytest.mark.parametrize("name", ["verify_mode", "check_hostname", "verify_flags", "options"])
def test_h4_memory_buffers_are_refused_on_a_context_that_was_weakened(scene: Scene, name: str) -> None:
    """A setting that was weakened at the C level is found when a connection over memory buffers is made, too."""
    context = scene.context()
    weak = {"verify_mode": 0, "check_hostname": False, "verify_flags": int(ssl.VERIFY_X509_PARTIAL_CHAIN), "options": 0}
    if name == "verify_mode":
        C_LEVEL.check_hostname.__set__(context, False)
    getattr(C_LEVEL, name).__set__(context, weak[name])
    with pytest.raises(pinscher.InsecureContextError):
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=HOST)


def test_h4_partial_chain_set_at_the_c_level(scene: Scene) -> None:
    """PARTIAL_CHAIN, which would hide certificates above the first trusted one, is found when it is set unseen."""
    context = scene.context()
    C_LEVEL.verify_flags.__set__(context, int(ssl.VERIFY_X509_PARTIAL_CHAIN))
    with connected(scene.serve(scene.genuine)) as plain, pytest.raises(pinscher.InsecureContextError, match="PARTIAL"):
        context.wrap_socket(plain, server_hostname=HOST)


def test_a_trusted_intermediate_does_not_hide_the_root(scene: Scene) -> None:
    """A pinned root matches although the intermediate is trusted too, as it is in many trust stores."""
    trust = scene.root.pem + scene.authority.pem
    context = scene.context(scene.policy(pinscher.Pin.of(scene.root.certificate)), trust=trust)
    with wrapped(context, scene.serve(scene.genuine)) as secured:
        secured.sendall(SECRET)
    assert ["MATCH"] == scene.outcomes()


def test_the_standard_librarys_socket_class_is_refused(scene: Scene) -> None:
    """A connection made round the context's own wrap_socket has no gate, and is not made."""
    server, context = scene.serve(scene.rogue), scene.context()
    with connected(server) as plain, pytest.raises(pinscher.InsecureContextError, match="PinnedSocket"):
        ssl.SSLSocket._create(plain, server_hostname=HOST, context=context)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(pinscher.InsecureContextError, match="PinnedObject"):
        ssl.SSLObject._create(incoming, outgoing, server_hostname=HOST, context=context)


def test_a_pinned_context_is_a_clients(scene: Scene) -> None:
    """A server cannot be made from it."""
    context = scene.context()
    with socket.socket() as plain, pytest.raises((pinscher.InsecureContextError, ValueError)):
        context.wrap_socket(plain, server_side=True)
    with pytest.raises((pinscher.InsecureContextError, ValueError)):
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True)


def test_the_context_of_a_connection_cannot_be_exchanged(scene: Scene) -> None:
    """Another context on a pinned connection would be another trust; neither socket nor gate takes one."""
    context, plain_context = scene.context(), ssl.create_default_context()
    with wrapped(context, scene.serve(scene.genuine), do_handshake_on_connect=False) as secured:
        assert context is secured.context
        with pytest.raises(pinscher.InsecureContextError):
            secured.context = plain_context
        with pytest.raises(pinscher.InsecureContextError):
            secured._sslobj.context = plain_context
    memory = context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname=HOST)
    assert context is memory.context
    with pytest.raises(pinscher.InsecureContextError):
        memory.context = plain_context


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
def test_contexts_are_not_duplicated(scene: Scene, duplicate: Any) -> None:
    """A pinned context cannot be copied or pickled, as no context can: a copy without gates would be a plain one."""
    with pytest.raises(TypeError):
        duplicate(scene.context())


@pytest.mark.parametrize("form", ["PEM", "DER", "file", "folder"])
def test_trust_is_named_in_four_ways(scene: Scene, tmp_path: Path, form: str) -> None:
    """The trust anchors are PEM or DER bytes, a file, or a folder as OpenSSL keeps one."""
    file = tmp_path / "anchors.pem"
    file.write_bytes(scene.root.pem)
    trust = {"PEM": scene.root.pem, "DER": scene.root.certificate, "file": file, "folder": tmp_path}[form]
    context = scene.context(trust=trust)
    assert (0 if form == "folder" else 1) == len(context.get_ca_certs())


@pytest.mark.parametrize("trust", [b"", b"nothing", "missing.pem", b"-----BEGIN CERTIFICATE-----\n\xff"])
def test_unreadable_trust_is_refused(scene: Scene, trust: Any) -> None:
    """Trust anchors that cannot be read are an error at construction, and never the platform's instead."""
    with pytest.raises(pinscher.InsecureContextError, match="cannot be read"):
        scene.context(trust=trust)


def test_words_between_certificates_are_for_people(scene: Scene) -> None:
    """A bundle that is handed over as bytes may have comments in any language, as a file may."""
    assert scene.context(trust="# Főtanúsítvány\n".encode() + scene.root.pem).get_ca_certs()


def test_keylog_is_ignored_unless_asked_for(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SSLKEYLOGFILE, which a planted environment would set, writes no secrets; the argument of that name does."""
    planted, asked = tmp_path / "planted", tmp_path / "asked"
    monkeypatch.setenv("SSLKEYLOGFILE", str(planted))
    server = scene.serve(scene.genuine)
    with wrapped(scene.context(), server):
        assert not planted.exists()
    with wrapped(scene.context(keylog=asked), server):
        assert "SECRET" in asked.read_text()


def test_rogue_roots_from_the_environment_gain_nothing(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE makes the platform's store trust a rogue root, and the pins still refuse its server."""
    anchors = tmp_path / "rogue.pem"
    anchors.write_bytes(scene.root.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(anchors))
    server = scene.serve(scene.rogue)
    with wrapped(ssl.create_default_context(), server) as control:
        control.sendall(b"!")
    with pytest.raises(pinscher.PinMismatchError), wrapped(scene.context(trust=None), server):
        pass
    server.wait_idle()
    assert 1 == server.application_bytes


def test_a_report_channel_that_nobody_serves_warns_once(scene: Scene) -> None:
    """A policy that names a report channel warns once, unless somebody hears its verdicts."""
    channel = '[reporting.main]\nurl = "https://reports.example/v1"\n'
    policy = scene.policy(more=f'report-to = ["main"]\n{channel}')
    with pytest.warns(RuntimeWarning, match="names a report channel"):
        context = scene.context(policy, on_verdict=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        context.policy = policy
        scene.context(policy)


@pytest.mark.parametrize("shown", ["forged", "stuffed", "rogue"])
def test_h3_leaf_only_looks_at_the_leaf_alone(scene: Scene, shown: str) -> None:
    """Without validation a chain is linked by names and forgeable, so nothing above the leaf matches."""
    held = {"forged": scene.authority.forged_issuer(HOST), "stuffed": scene.rogue, "rogue": scene.rogue}[shown]
    server = scene.serve(held, present=[scene.genuine.der] if shown == "stuffed" else [])
    pins = [pinscher.Pin.of(der) for der in (scene.authority.certificate, scene.root.certificate, scene.genuine.der)]
    context = LeafOnlyContext(scene.policy(*pins), on_verdict=scene.told.append)
    with pytest.raises(pinscher.PinMismatchError), wrapped(context, server):
        pass
    server.wait_idle()
    assert 0 == server.application_bytes


@pytest.mark.parametrize("more", ["", 'mode = "report-only"\nreport-only-since = 2026-11-01'])
def test_leaf_only_lets_through_a_match_alone(scene: Scene, more: str) -> None:
    """Where no CA vouches for a server, a connection without a match authenticates nobody, and is refused."""
    context = LeafOnlyContext(scene.policy(top='[defaults]\nunlisted-hosts = "allow"', more=more))
    with wrapped(context, scene.serve(scene.genuine)) as secured:
        secured.sendall(SECRET)
    server = scene.serve(scene.rogue)
    for host in (HOST, "unlisted.test"):
        with pytest.raises(pinscher.PinMismatchError), wrapped(context, server, host=host):
            pass
    server.wait_idle()
    assert 0 == server.application_bytes


def test_leaf_only_needs_no_authority(scene: Scene) -> None:
    """A server whose certificate no trust store knows is reached by its pinned leaf."""
    context = LeafOnlyContext(scene.policy(), trust=scene.root.twin().pem)
    with wrapped(context, scene.serve(scene.genuine)) as secured:
        secured.sendall(SECRET)
        assert 1 == len(secured.verdict.chain)
