"""A certificate for a backup key from a real Pebble, and what a server that misbehaves leads to."""

from __future__ import annotations

import contextlib
import http.server
import json
import ssl
import threading
from typing import TYPE_CHECKING

import pytest

from pinscher.entry import HostPolicy, Key
from pinscher.host import HostPattern
from pinscher.lab.authority import Authority
from pinscher.pin import Pin, PinSet
from pinscher.policy import Policy
from pinscher.rotation.keys import (
    BackupKey,
    IssuanceError,
    KeyAlgorithm,
    Pebble,
    PebbleError,
    UnnamedKeyError,
    UnpinnedKeyError,
    issue,
    place_of,
    prove_issuance,
)
from tests.pebble import looking_pebble, needs_pebble

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

KEY = BackupKey.generate(KeyAlgorithm.P256)
REQUEST = KEY.request(["api.bank.example"])
ROOT = Authority.root()


@pytest.mark.parametrize(
    "algorithm", [KeyAlgorithm.P384, KeyAlgorithm.RSA2048, KeyAlgorithm.ED25519], ids=lambda one: one.value
)
def test_pebble_issues_for_a_backup_key(algorithm: KeyAlgorithm) -> None:
    """A Pebble of the moment issues for a key, for hosts, wildcards and addresses, and what it issued has the key."""
    needs_pebble()
    prove_issuance(BackupKey.generate(algorithm), ["api.bank.example", "*.bank.example", "192.0.2.1"])


def test_issued_certificate_has_the_requested_key() -> None:
    """The chain that Pebble issues begins with a certificate for the request's key."""
    needs_pebble()
    with Pebble.running() as pebble:
        leaf, *others = issue(pebble.directory, REQUEST, context=pebble.context)
    assert (KEY.pin, 1) == (Pin.of(leaf), len(others))


def test_server_that_validates_does_not_issue() -> None:
    """A server that looks for the answer to its challenge finds none, and that is one clear error."""
    with looking_pebble() as (pebble, _), pytest.raises(IssuanceError, match="does not issue, its last word is"):
        issue(pebble.directory, REQUEST, context=pebble.context)


def test_pebble_issues_nothing_for_a_key_that_it_does_not_know() -> None:
    """For an ML-DSA key Pebble is not asked, because it would never answer."""
    pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa", reason="this cryptography has no ML-DSA")
    with pytest.raises(IssuanceError, match="Pebble issues nothing for ML-DSA-44 keys"):
        prove_issuance(BackupKey.generate(KeyAlgorithm.ML_DSA_44), ["api.bank.example"])


def test_missing_pebble_is_one_clear_error() -> None:
    """Without Pebble one error says which program there is not."""
    with pytest.raises(PebbleError, match="there is no program 'no-such-pebble'"):
        prove_issuance(KEY, ["api.bank.example"], program="no-such-pebble")


def test_pebble_that_does_not_start_is_one_clear_error(tmp_path: Path) -> None:
    """A program that ends instead of listening is an error with its last words, escaped."""
    program = tmp_path / "pebble"
    program.write_text("#!/bin/sh\nprintf 'no \\033[31mconfig'\n")
    program.chmod(0o755)
    with pytest.raises(PebbleError, match=r"did not start: no \\x1b\[31mconfig"):
        prove_issuance(KEY, ["api.bank.example"], program=str(program))


Answers = dict[str, tuple[int, object]]


@contextlib.contextmanager
def _server(answers: Mapping[str, tuple[int, object]]) -> Iterator[tuple[str, ssl.SSLContext]]:
    """Serve one answer for each path, and 404 for others; ``BASE`` in an answer is the server's address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        """Gives the answers, whatever it is asked."""

        def do_GET(self) -> None:
            """Answer."""
            self.rfile.read(int(self.headers.get("Content-Length", "0")))
            status, answer = answers.get(self.path, (404, {"detail": "nothing here \x1b"}))
            text = answer if isinstance(answer, str) else json.dumps(answer)
            content = text.replace("BASE", address).encode()
            self.send_response(status)
            for name, value in (
                ("Location", f"{address}/order"),
                ("Replay-Nonce", "n"),
                ("Content-Length", str(len(content))),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_POST = do_GET  # noqa: N815  (the names of the standard library)

        def log_message(self, *arguments: object) -> None:
            """Keep quiet."""

    held = ROOT.issue("127.0.0.1")
    with (
        http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server,
        _files(held.chain_pem + held.key_pem) as file,
    ):
        own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        own.load_cert_chain(file)
        server.socket = own.wrap_socket(server.socket, server_side=True)
        address = f"https://127.0.0.1:{server.server_address[1]}"
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            yield address, ssl.create_default_context(cadata=ROOT.pem.decode())
        finally:
            server.shutdown()
            serving.join()


@contextlib.contextmanager
def _files(content: bytes) -> Iterator[str]:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.name


DIRECTORY = {name: f"BASE/{name}" for name in ("newNonce", "newAccount", "newOrder")}
ORDER = {"status": "pending", "authorizations": ["BASE/authorisation"], "finalize": "BASE/finalise"}
WELL: Answers = {
    "/dir": (200, DIRECTORY),
    "/newNonce": (200, ""),
    "/newAccount": (201, {}),
    "/newOrder": (201, ORDER),
    "/authorisation": (200, {"status": "valid"}),
    "/finalise": (200, {"status": "processing"}),
    "/order": (200, {"status": "valid", "certificate": "BASE/certificate"}),
    "/certificate": (200, ROOT.issue("api.bank.example").chain_pem.decode()),
}


def _issued(**changed: tuple[int, object]) -> tuple[bytes, ...]:
    with _server(WELL | {f"/{name}": answer for name, answer in changed.items()}) as (address, context):
        return issue(f"{address}/dir", REQUEST, context=context, pause=lambda _: None)


def test_order_is_looked_at_until_it_is_valid() -> None:
    """An order that is still processed is looked at again."""
    assert 1 == len(_issued())


@pytest.mark.parametrize(
    ("path", "answer", "reason"),
    [
        ("dir", (404, {"detail": "nothing here \x1b"}), r"the ACME server refuses: \{\"detail\": \"nothing here \\\\u001b"),
        ("dir", (200, "no JSON"), "is not a JSON object"),
        ("dir", (200, [1]), "is not a JSON object"),
        ("dir", (200, "[" * 100_000), "is not a JSON object"),
        ("dir", (200, {}), "the ACME server's answer has no 'newNonce'"),
        ("dir", (200, {"newNonce": 1}), "names '1', expected an https address"),
        ("dir", (200, {**DIRECTORY, "newAccount": "file:///etc/passwd"}), "names 'file:///etc/passwd', expected an https"),
        ("newOrder", (201, {"status": "pending"}), "has no 'finalize'"),
        ("newOrder", (201, {**ORDER, "authorizations": 5}), "has no list of 'authorizations'"),
        ("authorisation", (200, {"status": "pending"}), "has no 'url'"),
        ("authorisation", (200, {"status": "pending", "challenges": [5]}), "has no 'url'"),
        ("finalise", (200, {"status": "invalid", "error": {"detail": "no\n"}}), r"its last word is \{\"detail\": \"no\\\\n"),
        ("order", (200, {"status": "processing"}), 'its last word is "processing"'),
        ("order", (200, {"status": "valid"}), "has no 'certificate'"),
        ("certificate", (200, "no PEM"), "is not a chain of certificates"),
    ],
)  # fmt: skip
def test_server_that_misbehaves_is_one_clear_error(path: str, answer: tuple[int, object], reason: str) -> None:
    """Whatever an ACME server answers, it is a chain of certificates or one error."""
    with pytest.raises(IssuanceError, match=reason):
        _issued(**{path: answer})


def test_server_that_is_not_trusted_gives_no_answer() -> None:
    """A server that shows another certificate than the one handed in is no answer."""
    with _server(WELL) as (address, _), pytest.raises(IssuanceError, match="gives no answer"):
        issue(f"{address}/dir", REQUEST, context=ssl.create_default_context())


def _policy(*entries: HostPolicy, named: bool = True) -> Policy:
    return Policy(entries, keys=[Key("api-backup", KEY.pin)] if named else [])


def _entry(pattern: str, *, is_backup: bool) -> HostPolicy:
    other = Pin(bytes(31) + b"\1")
    pinset = PinSet([other], backup_pins=[KEY.pin]) if is_backup else PinSet([other, KEY.pin])
    return HostPolicy(HostPattern.parse(pattern), pinset)


def test_policy_says_for_which_hosts_it_has_a_key() -> None:
    """The hosts of a key are those of the entries that have it, in the words of a certificate, each once."""
    entries = [
        _entry(one, is_backup=one != "a.example")
        for one in ("a.example", "*.b.example", "**.b.example", "**.a.example")
    ]
    place = place_of(KEY, _policy(*entries))
    assert (("api-backup",), ("a.example", "*.b.example", "b.example")) == (place.names, place.hosts)


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (
            _policy(HostPolicy(HostPattern.parse("a.example"), PinSet([Pin(bytes(31) + b"\1")])), named=False),
            "is not in it",
        ),
        (
            _policy(HostPolicy(HostPattern.parse("a.example"), PinSet([Pin(bytes(31) + b"\1")]))),
            "as api-backup, and no host has it",
        ),
    ],
    ids=["foreign", "named and unused"],
)
def test_key_that_the_policy_does_not_pin_is_told(policy: Policy, reason: str) -> None:
    """A key that protects no host is told with its pin."""
    with pytest.raises(UnpinnedKeyError, match=reason) as caught:
        place_of(KEY, policy)
    assert (KEY.pin, True) == (caught.value.pin, str(KEY.pin) in str(caught.value))


def test_key_without_a_name_is_told() -> None:
    """A key that a policy pins without a name has no place to write a day to, and is told with its pin."""
    with pytest.raises(UnnamedKeyError, match="without a name: name it under") as caught:
        place_of(KEY, _policy(_entry("a.example", is_backup=True), named=False))
    assert KEY.pin == caught.value.pin
