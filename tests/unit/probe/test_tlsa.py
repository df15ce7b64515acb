"""TLSA records, asked of a name server on the loopback."""

from __future__ import annotations

import asyncio
import hashlib
import sys

import pytest
from name_server import NameServer

from pinscher.der import SubjectPublicKeyInfo
from pinscher.lab.authority import Authority
from pinscher.probe import Endpoint, TlsaAnswer, TlsaError, TlsaRecord, TlsaResolver

ROOT = Authority.root()
MIDDLE = ROOT.intermediate()
LEAF = MIDDLE.issue("bank.test")
CHAIN = (LEAF.der, MIDDLE.certificate, ROOT.certificate)
NAME = "_443._tcp.bank.test."


def key(certificate: bytes) -> bytes:
    """Return a certificate's subjectPublicKeyInfo."""
    return SubjectPublicKeyInfo.of_certificate(certificate).der


def ask(server: NameServer, host: str = "bank.test", *, seconds: float = 5) -> TlsaAnswer:
    """Ask a name server about port 443 of a host."""
    return asyncio.run(TlsaResolver("127.0.0.1", port=server.port, seconds=seconds).look_up(Endpoint(host)))


def test_a_record_is_looked_up_and_agrees() -> None:
    """A record of the leaf's key is found at the port's name, and agrees with the chain that has it."""
    text = f"3 1 1 {hashlib.sha256(key(LEAF.der)).hexdigest()}"
    with NameServer({NAME: [text]}, is_authenticated=True) as server:
        answer = ask(server)
    assert ([text], True, True) == ([str(one) for one in answer.records], answer.is_authenticated, answer.agrees(CHAIN))
    assert [NAME] == server.asked


def test_no_record_is_an_answer() -> None:
    """A name without a record, and a name that is not there, have no record; nothing agrees and nothing disagrees."""
    with NameServer({NAME: []}) as server:
        assert [((), None), ((), None)] == [
            (answer.records, answer.agrees(CHAIN)) for answer in (ask(server), ask(server, "other.test"))
        ]


def test_a_resolver_that_fails_is_no_answer() -> None:
    """A resolver that cannot tell, or does not answer in time, is an error and never 'no record'."""
    with NameServer({NAME: []}, fails=True) as server, pytest.raises(TlsaError, match="no answer about TLSA"):
        ask(server)
    with NameServer({NAME: None}) as server, pytest.raises(TlsaError, match="no answer about TLSA"):
        ask(server, seconds=0.2)


@pytest.mark.parametrize(
    ("usage", "selector", "matching", "association", "agrees"),
    [
        (3, 0, 0, LEAF.der, True),
        (3, 1, 2, hashlib.sha512(key(LEAF.der)).digest(), True),
        (1, 0, 1, hashlib.sha256(LEAF.der).digest(), True),
        (2, 1, 1, hashlib.sha256(key(ROOT.certificate)).digest(), True),
        (0, 0, 0, MIDDLE.certificate, True),
        (2, 1, 1, hashlib.sha256(key(LEAF.der)).digest(), False),
        (3, 1, 1, hashlib.sha256(key(ROOT.certificate)).digest(), False),
        (4, 0, 0, LEAF.der, False),
        (3, 2, 0, LEAF.der, False),
        (3, 0, 3, LEAF.der, False),
    ],
)
def test_a_record_matches_what_rfc_6698_says(
    usage: int, selector: int, matching: int, association: bytes, agrees: bool
) -> None:
    """A usage names the leaf or what is above it; unknown numbers match nothing."""
    record = TlsaRecord(usage, selector, matching, association)
    assert agrees is TlsaAnswer((record,), is_authenticated=False).agrees(CHAIN)


def test_bytes_that_are_no_certificate_match_nothing() -> None:
    """A certificate that cannot be read has no key to match."""
    assert not TlsaRecord(3, 1, 0, b"").matches([b"junk"])


def test_a_resolver_is_an_address() -> None:
    """A resolver is named by its address, and dnspython is asked for by name where it is missing."""
    with pytest.raises(TlsaError, match="is no resolver"):
        TlsaResolver("no address")


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without dnspython the error says what to install."""
    monkeypatch.setitem(sys.modules, "dns.asyncresolver", None)
    with pytest.raises(TlsaError, match=r"pip install 'pinscher\[cli\]'"):
        TlsaResolver("127.0.0.1")
