"""The parts of following a log, each by itself: what is fetched, read, named and proved."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinscher.der import CertificateParseError
from pinscher.lab.authority import Authority
from pinscher.lab.encoding import OBJECT, OCTET_STRING, SEQUENCE, element, elements
from pinscher.lab.protocols.http import Http
from pinscher.lab.server import TlsServer
from pinscher.lab.transparency import CtLog
from pinscher.lab.transparency_server import CtServer
from pinscher.monitor.transparency.chains import issuers_of, pins_of
from pinscher.monitor.transparency.fetching import LogSite
from pinscher.monitor.transparency.frontier import Frontier
from pinscher.monitor.transparency.heads import head_of_json, head_of_note, is_signed
from pinscher.monitor.transparency.leaves import Leaf, UnreadableLeafError, chain_beside, entry_of, leaves_of_tile
from pinscher.monitor.transparency.logs import read_logs
from pinscher.monitor.transparency.names import Interests, alternative_names, enclosed
from pinscher.monitor.transparency.views import view_of
from pinscher.policy import Policy
from pinscher.updates.log import InvalidNoteError, LogDamagedError, LogUnreachableError
from pinscher.updates.log.hashing import leaf_hash
from tests.unit.monitor.scene import AT, HOST
from tests.unit.monitor.transparency.world import CA, HELD, Followed

PIN = "sha256/" + "A" * 43 + "="


def interests(*hosts: str) -> Interests:
    """Return the interests of a policy that pins hosts, and has one exception."""
    entries = "".join(f'[hosts."{host}"]\npins = ["{PIN}"]\n' for host in hosts)
    exception = '[hosts."public.bank.example"]\nunpinned = "a CDN"\n'
    return Interests(Policy.loads(f'format = 1\nname = "x"\nversion = 1\n{entries}{exception}'))


@pytest.mark.parametrize(
    ("host", "name", "concerned"),
    [
        ("api.bank.example", "api.bank.example", True),
        ("api.bank.example", "api.bank.example.", True),
        ("api.bank.example", "xapi.bank.example", False),
        ("api.bank.example", "*.bank.example", True),
        ("api.bank.example", "*.api.bank.example", False),
        ("bank.example", "*.example", False),
        ("*.bank.example", "api.bank.example", True),
        ("*.bank.example", "*.bank.example", True),
        ("*.bank.example", "*.api.bank.example", False),
        ("*.bank.example", "bank.example", False),
        ("**.bank.example", "bank.example", True),
        ("**.bank.example", "*.a.b.bank.example", True),
        ("**.bank.example", "*.bank.example", True),
        ("**.a.bank.example", "*.bank.example", True),
        ("**.bank.example", "evilbank.example", False),
        ("api.bank.example", "public.bank.example", False),
        ("api.bank.example", "*.*.bank.example", False),
        ("api.bank.example", "a..bank.example", False),
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::1", True),
        ("api.bank.example", "192.0.2.1", False),
    ],
)
def test_a_name_concerns_the_hosts_that_it_covers(host: str, name: str, *, concerned: bool) -> None:
    """Exact names, stars and patterns meet where some host falls under both, and an exception concerns nobody."""
    assert concerned is bool(interests(host).entries(name))


def test_a_star_concerns_every_entry_below_it() -> None:
    """A certificate for every host below a name concerns each entry that holds for one of them."""
    found = interests("a.bank.example", "b.bank.example", "**.bank.example").entries("*.bank.example")
    assert {"a.bank.example", "b.bank.example", "**.bank.example"} == {entry.host for entry in found}


def test_an_address_is_found_in_a_certificate() -> None:
    """Hosts that are addresses are found among a certificate's addresses."""
    wanted = interests("192.0.2.1", "2001:db8::1")
    held = CA.issue("192.0.2.1", "2001:db8::1", "192.0.2.9")
    assert wanted.may_concern(held.der)
    assert ("192.0.2.1", "2001:db8::1") == wanted.concern(held.der).names
    assert not wanted.may_concern(CA.issue("shop.example").der)


def _with_extension(*values: bytes, kind: int = OCTET_STRING) -> bytes:
    """Return a certificate with lists of alternative names of any octets."""
    extensions = [element(SEQUENCE, element(OBJECT, bytes.fromhex("551d11")), element(kind, value)) for value in values]
    body, algorithm, signature = elements(elements(HELD.der)[0].content)
    fields = [field.encoded for field in elements(body.content)][:7]
    tbs = element(SEQUENCE, *fields, element(0xA3, element(SEQUENCE, *extensions)))
    return element(SEQUENCE, tbs, algorithm.encoded, signature.encoded)


NAMES = element(SEQUENCE, element(0x82, HOST.encode()), element(0x87, b"12"), element(0x81, b"a@b"))


def test_what_is_no_list_of_names_is_refused() -> None:
    """Two lists, octets after a list, another form and another kind of value are refused; other names are passed over."""
    assert [HOST] == list(alternative_names(_with_extension(NAMES)))
    assert [] == list(alternative_names(_with_extension()))
    for certificate in (
        _with_extension(NAMES, NAMES),
        _with_extension(NAMES + b"\x00"),
        _with_extension(b"\x31\x00"),
        _with_extension(NAMES, kind=OBJECT),
        b"",
    ):
        with pytest.raises(CertificateParseError):
            list(alternative_names(certificate))


@given(st.integers(0, len(HELD.der) - 1), st.binary(max_size=4))
def test_any_certificate_has_names_or_is_refused(place: int, octets: bytes) -> None:
    """A certificate changed anywhere is read, or refused with the parser's own error."""
    changed = HELD.der[:place] + octets + HELD.der[place + 1 :]
    try:
        interests(HOST).concern(changed)
    except CertificateParseError:
        return


@given(st.binary(max_size=300))
def test_a_body_is_enclosed_whatever_its_length(body: bytes) -> None:
    """A TBSCertificate gets a header and a signature of nobody around it."""
    found = enclosed(body)
    assert body in found
    if len(body) > 2:
        assert len(elements(found)) == 1


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_any_leaf_is_read_or_refused(hashed: bytes, beside: bytes) -> None:
    """A leaf of any octets is an entry, or refused with its own error; what stands beside it is a chain or none."""
    for start in (b"", b"\x00\x00", b"\x00\x00" + bytes(9), b"\x00\x00" + bytes(9) + b"\x01" + bytes(32)):
        leaf = Leaf(start + hashed, beside)
        assert leaf_hash(start + hashed) == leaf.hash
        try:
            entry = entry_of(leaf)
        except UnreadableLeafError:
            continue
        assert len(chain_beside(entry.kind, beside)) <= 16
        issuers_of(entry, chain_beside(entry.kind, beside))


@given(st.binary(max_size=200), st.integers(0, 2000))
def test_any_tile_is_taken_apart_or_refused(octets: bytes, cut: int) -> None:
    """A tile of entries of any octets is entries, or damaged."""
    log = CtLog()
    log.add(HELD, at=AT)
    log.add(HELD, is_precertificate=True, at=AT)
    for content in (octets, log.data_tile(0, 2)[:cut] + octets):
        try:
            assert 2 == len(leaves_of_tile(content, "tile/data/000", 2))
        except LogDamagedError:
            continue


def test_a_tile_of_too_many_entries_is_taken_apart_no_further() -> None:
    """Behind the entries that were asked for nothing of a tile is read: a million empty ones cost no more than one."""
    log = CtLog()
    for _ in range(3):
        log.add(HELD, at=AT)
    tile, junk = log.data_tile(0, 3), b"\xff" * 17
    with pytest.raises(LogDamagedError, match="x has more than 3 entries"):
        leaves_of_tile(tile + junk, "x", 3)
    assert 3 == len(leaves_of_tile(tile + junk, "x", 3, is_full=True))
    with pytest.raises(LogDamagedError, match="x cannot be read after entry 3"):
        leaves_of_tile(tile + junk, "x", 4)
    with pytest.raises(LogDamagedError, match="x has 3 entries, expected 4"):
        leaves_of_tile(tile, "x", 4)


def test_a_moment_beyond_all_years_is_no_entry() -> None:
    """A time that no calendar has makes a leaf unreadable."""
    log = CtLog()
    log.add(HELD, at=AT)
    hashed = log.entries[0][0]
    with pytest.raises(UnreadableLeafError, match="beyond the year 9999"):
        entry_of(Leaf(hashed[:2] + b"\xff" * 8 + hashed[10:], b""))
    with pytest.raises(UnreadableLeafError, match="octets after its end"):
        entry_of(Leaf(hashed + b"\x00", b""))


def test_what_is_no_certificate_has_no_pins() -> None:
    """A chain's certificate that cannot be read gives no pin."""
    assert () == pins_of(b"junk")


@given(st.integers(0, 700), st.integers(0, 60))
def test_a_tree_that_grows_has_the_root_of_the_whole(before: int, more: int) -> None:
    """A tree remembered by its edge has the same root as one that was built from all leaves, and from its last leaf."""
    log = CtLog()
    for number in range(before + more):
        log.add_raw(number.to_bytes(2))
    log.publish()
    leaves = [leaf_hash(entry[0]) for entry in log.entries]
    grown = Frontier().grown(leaves[:before]).grown(leaves[before:])
    assert (log.size, log.root) == (grown.size, grown.root)
    if leaves:
        proof = [
            base64.b64decode(one) for one in json.loads(log.inclusion_json(leaves[-1], log.size) or b"")["audit_path"]
        ]
        assert grown == Frontier.of_last_leaf(leaves[-1], log.size, proof)
    with pytest.raises(ValueError, match="complete subtrees"):
        Frontier(grown.size, (*grown.hashes, bytes(32)))


def _listed(log: CtLog, *, is_tiled: bool) -> bytes:
    return log.listed("https://log.example", is_tiled=is_tiled)


def test_heads_out_of_bounds_are_none() -> None:
    """A negative size, a moment beyond all years and an empty log with another root are refused, though signed."""
    log = CtLog()
    (known,) = read_logs(_listed(log, is_tiled=False), at=AT)
    told = json.loads(log.sth())
    for change in (
        {"tree_size": -1},
        {"timestamp": 2**64},
        {"sha256_root_hash": "AA=="},
        {"tree_head_signature": "AA=="},
    ):
        with pytest.raises(InvalidNoteError):
            head_of_json(known, json.dumps(told | change).encode())
    root = bytes(32)
    for timestamp, shown, reason in (
        (1, root, "an empty log with another root"),
        (2**63, log.root, "beyond the year 9999"),
    ):
        signed = b"\x00\x01" + timestamp.to_bytes(8) + bytes(8) + shown
        signature = log.key.sign(signed)
        body = b"\x04\x03" + len(signature).to_bytes(2) + signature
        head = {"tree_size": 0, "timestamp": timestamp, "sha256_root_hash": base64.b64encode(shown).decode(),
                "tree_head_signature": base64.b64encode(body).decode()}  # fmt: skip
        with pytest.raises(InvalidNoteError, match=reason):
            head_of_json(known, json.dumps(head).encode())
    assert not is_signed(known.key, signed, b"\x04\x01" + body[2:])


def test_a_notes_other_signatures_are_passed_over() -> None:
    """A witness's line beside the log's is no reason to refuse a checkpoint; two of the log's give the newer moment."""
    log = CtLog()
    log.add(HELD)
    log.publish(at=AT)
    (known,) = read_logs(_listed(log, is_tiled=True), at=AT)
    note = log.checkpoint()
    witness = "— witness.example " + base64.b64encode(b"12345678" * 8).decode() + "\n"
    older = note.rpartition(b"\n\n")[2]
    log.publish(at=AT.replace(hour=23))
    head = head_of_note(known, log.checkpoint() + older + witness.encode())
    assert AT.replace(hour=23) == head.at
    stranger = f"— {log.origin} {base64.b64encode(b'none' + bytes(80)).decode()}\n"
    assert AT.replace(hour=23) == head_of_note(known, log.checkpoint() + stranger.encode()).at


class _Site:
    """Answers from a table."""

    def __init__(self, **answers: bytes | LogDamagedError | None) -> None:
        self.answers = {path.replace("_", "/", 1): answer for path, answer in answers.items()}
        self.asked: list[str] = []

    def fetch(self, path: str, _limit: int) -> bytes | None:
        """Return what the table has below a path."""
        self.asked.append(path)
        answer = next((one for start, one in self.answers.items() if path.startswith(start)), None)
        if isinstance(answer, LogDamagedError):
            raise answer
        return answer


def test_an_issuer_that_is_another_is_no_issuer() -> None:
    """An issuer is held to its digest, asked for once, and one that is too large or not there ends the chain."""
    log = CtLog()
    log.add(HELD)
    log.publish()
    (known,) = read_logs(_listed(log, is_tiled=True), at=AT)
    (leaf,) = leaves_of_tile(log.data_tile(0, 1), "x", 1)
    for answer in (b"another", LogDamagedError("too large"), None):
        site = _Site(issuer_=answer)
        view = view_of(known, site)
        for _ in range(2):
            assert [] == view.chain(entry_of(leaf), leaf)
        assert 1 == len(site.asked)


def test_tiles_that_contradict_the_head_are_damaged() -> None:
    """A new follower holds the tiles to the head before it begins."""
    log, other = CtLog(), CtLog()
    log.add(HELD)
    other.add(CA.issue("other.example"))
    for one in (log, other):
        one.publish()
    with CtServer(log) as server:
        server.instead = {"/tile/0": [other.tile(0, 0, 1)]}
        turn = Followed(server, is_tiled=True).turn()
        assert "the tiles do not lead to the root that the checkpoint signs" == turn.said


def test_a_log_that_cannot_prove_its_last_entry_is_damaged() -> None:
    """A new follower of a log of questions asks for the proof of its last entry, and verifies it."""
    log = CtLog()
    for host in ("a.example", "b.example"):
        log.add(CA.issue(host))
    log.publish()
    with CtServer(log) as server:
        server.instead = {"/ct/v1/get-proof": [b'{"audit_path": []}']}
        turn = Followed(server, is_tiled=False).turn()
        assert "the log does not prove that its last entry is in its tree" == turn.said
        server.instead = {"/ct/v1/get-entries": [b'{"entries": []}']}
        assert "was answered with 0 entries" in Followed(server, is_tiled=False).turn().said


def test_an_answer_of_too_many_entries_is_not_read() -> None:
    """More entries than were asked for are refused, and very many of them before they are even read."""
    log = CtLog()
    log.add(HELD)
    log.publish()
    entry = b'{"leaf_input": "", "extra_data": ""}'
    for many, said in ((2, "was answered with 2 entries"), (1_000_000, "was answered with more than 1 entries")):
        with CtServer(log) as server:
            server.instead = {"/ct/v1/get-entries": [b'{"entries": [' + b",".join([entry] * many) + b"]}"]}
            assert said in Followed(server, is_tiled=False).turn().said


def test_a_full_tile_stands_in_for_a_partial_one() -> None:
    """A log that has removed a partial tile of entries is read from the full one."""
    log = CtLog()
    with CtServer(log) as server:
        followed = Followed(server, is_tiled=True)
        followed.turn()
        followed.fill(256)
        log.size = 255
        checkpoint, log.size = log.checkpoint(), 256
        server.instead = {"/checkpoint": [checkpoint], "/tile/data/000.p": 404}
        assert (None, False) == (followed.turn().trouble, followed.turn().is_behind)
        assert followed.place is not None
        assert 255 == followed.place.read.size


def test_compressed_answers_are_read_to_their_limit() -> None:
    """What comes as gzip is read as it was before, a bomb is cut, and other codings are refused."""
    with CtServer(CtLog()) as server:
        site = LogSite(server.url, allow_private=True)
        server.fields = {"Content-Encoding": "gzip"}
        server.instead = {"/a": [gzip.compress(b"content")], "/b": [gzip.compress(bytes(1 << 20))], "/c": [b"none"]}
        assert b"content" == site.fetch("a", 100)
        with pytest.raises(LogDamagedError, match="b has more than 100 octets"):
            site.fetch("b", 100)
        with pytest.raises(LogUnreachableError, match="c cannot be had: no gzip"):
            site.fetch("c", 100)
        server.fields = {"Content-Encoding": "br"}
        server.instead = {"/a": [b"x"]}
        with pytest.raises(LogUnreachableError, match="a came as 'br', expected gzip or identity"):
            site.fetch("a", 100)
        site.close()


def test_a_connection_is_kept_and_made_anew() -> None:
    """Files come over one connection, and over another when the server has ended the first."""
    with CtServer(CtLog()) as server:
        server.log.publish()
        site = LogSite(server.url, allow_private=True)
        assert site.fetch("checkpoint", 1000)
        first = site._connection
        assert site.fetch("checkpoint", 1000)
        assert first is site._connection
        assert first is not None
        assert first.sock is not None
        first.sock.shutdown(socket.SHUT_RDWR)
        assert None is not site.fetch("checkpoint", 1000)
        assert first is not site._connection
        site.close()
        site.close()


def test_a_server_of_another_name_is_not_a_log() -> None:
    """A log is verified as any server: a certificate that no trusted root signed ends the fetch."""
    root = Authority.root()
    trusted = ssl.create_default_context(cadata=root.pem.decode())
    with TlsServer(root.issue("127.0.0.1"), protocol=Http()) as server:
        url = f"https://127.0.0.1:{server.port}"
        site = LogSite(url, allow_private=True, context=trusted)
        assert site.fetch("checkpoint", 10_000)
        site.close()
        with pytest.raises(LogUnreachableError, match="certificate verify failed"):
            LogSite(url, allow_private=True).fetch("checkpoint", 10_000)


def test_nobody_listening_is_unreachable() -> None:
    """A refused connection is told as such."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(LogUnreachableError, match="refused"):
        LogSite(f"http://127.0.0.1:{port}", allow_private=True).fetch("checkpoint", 10)
