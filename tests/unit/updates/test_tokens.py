"""Signing keys in a PKCS#11 token (SoftHSM), and at the addresses of key management services."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from publisher import policy

from pinscher.cli.app import run
from pinscher.updates.repository import (
    Repository,
    RoleKeys,
    SigningKey,
    SigningKeyError,
    public_key,
    publish,
    renew,
    rotate,
    sign,
    start,
    status,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from publisher import Publisher

PIN = "123456"
PROGRAM = shutil.which("softhsm2-util")
LIBRARIES = ("/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
             "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so")  # fmt: skip


def _make(folder: Path, label: str, algorithm: list[str]) -> None:
    """Make a token with a key of the identifier 2, and leave its public half beside it."""

    def ran(*command: str) -> None:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=60)

    assert PROGRAM is not None
    ran(PROGRAM, "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "87654321")
    ran("openssl", "genpkey", *algorithm, "-out", f"{label}.key")
    ran("openssl", "pkey", "-in", f"{label}.key", "-pubout", "-out", f"{label}.pem")
    ran(PROGRAM, "--import", f"{label}.key", "--token", label, "--label", "signing", "--id", "02", "--pin", PIN)
    (folder / f"{label}.key").unlink()


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the folder of three tokens: alice and bob on two curves, and one with an RSA key."""
    library = next(filter(os.path.exists, LIBRARIES), None)
    if (PROGRAM is None or library is None) and not os.environ.get("CI"):
        pytest.skip("softhsm2 is not installed")
    assert library is not None
    folder = tmp_path_factory.mktemp("tokens")
    (folder / "tokens").mkdir()
    (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
    with pytest.MonkeyPatch.context() as patch:
        # The library reads its configuration once in a process, so that all tests share the tokens.
        patch.setenv("SOFTHSM2_CONF", str(folder / "softhsm2.conf"))
        patch.setenv("PYKCS11LIB", library)
        _make(folder, "alice", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"])
        _make(folder, "bob", ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"])
        _make(folder, "rsa", ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"])
        yield folder


def told(asked: list[str]) -> Callable[[str], str]:
    """Return somebody who knows the PIN, and writes down which token it was asked for."""
    return lambda token: asked.append(token) or PIN  # type: ignore[func-returns-value]


def test_root_and_policies_are_signed_in_tokens(tokens: Path, tmp_path: Path, publisher: Publisher) -> None:
    """Root and targets of a repository are signed by keys that never leave their tokens; each PIN is asked for once."""
    asked: list[str] = []
    places = ["pkcs11:token=alice;id=%02", "pkcs11:id=%02;token=bob;type=private"]
    keys = [public_key(place) for place in places]
    assert ["alice", "bob"] == [key.unrecognized_fields["x-pinscher-name"] for key in keys]
    assert keys[0].keyid == public_key(str(tokens / "alice.pem")).keyid
    online, at = publisher.role("online", threshold=1), publisher.clock()
    repository = Repository(tmp_path / "repository")
    start(repository, root=RoleKeys(tuple(keys), 2), targets=RoleKeys(tuple(keys), 2), online=online, at=at)
    publish(repository, policy(1), at=at)
    for place in places:
        assert {"root", "targets"} == set(sign(repository, SigningKey.load(place, pin=told(asked))))
    assert ["alice", "bob"] == asked
    assert ("root", "targets") == renew(repository, [publisher.keys["online"]], at=at).published
    rotate(repository, "root", remove=["bob"], threshold=1, at=at + timedelta(days=1))
    for place in places:
        sign(repository, SigningKey.load(place, pin=told(asked)))
    assert ("root",) == renew(repository, [publisher.keys["online"]], at=at).published
    assert [("alice", "bob")] == [one.signed for one in status(repository) if one.role == "targets"]


def test_a_token_signs_only_for_its_own_key(tokens: Path, publisher: Publisher) -> None:
    """A token whose key no role has has nothing to sign, and its PIN is not asked for."""
    asked: list[str] = []
    publish(publisher.repository, policy(2), at=publisher.clock())
    with pytest.raises(SigningKeyError, match="has nothing to sign here"):
        sign(publisher.repository, SigningKey.load("hsm:2?label=alice", pin=told(asked)))
    assert [] == asked


def rotated(publisher: Publisher, place: str) -> None:
    """Give targets the key of a token beside its own, so that it may sign what is staged."""
    rotate(publisher.repository, "targets", add=[public_key(place)], at=publisher.clock())


def test_where_a_pin_comes_from(tokens: Path, tmp_path: Path, publisher: Publisher) -> None:
    """A PIN stands in a file, or is asked for; a wrong one is tried once, and none at all is told."""
    rotated(publisher, "hsm:2?label=alice")
    (tmp_path / "pin").write_text(f"{PIN}\n")
    assert "targets" in sign(publisher.repository, SigningKey.load(f"pkcs11:token=alice?pin-source={tmp_path / 'pin'}"))
    rotated(publisher, "pkcs11:token=bob")
    place = f"pkcs11:token=bob?pin-source=file:{tmp_path / 'pin'}"
    assert "targets" in sign(publisher.repository, SigningKey.load(place))
    asked: list[str] = []
    with pytest.raises(SigningKeyError, match="cannot be used: PinIncorrect"):
        sign(publisher.repository, SigningKey.load("pkcs11:token=bob", pin=lambda token: asked.append(token) or "9"))  # type: ignore[func-returns-value]
    assert ["bob"] == asked
    with pytest.raises(SigningKeyError, match="the token 'bob' wants a PIN, and none was given"):
        sign(publisher.repository, SigningKey.load("pkcs11:token=bob"))


@pytest.mark.parametrize(("content", "reason"), [(None, "no such file"), (b"", "holds no PIN"), (b"1\n2\n", "holds no PIN"),
                                                 (b"9" * 300, "holds no PIN"), (b"\xff", "it is no text")])  # fmt: skip
def test_a_file_without_a_pin(
    tokens: Path, tmp_path: Path, content: bytes | None, reason: str, publisher: Publisher
) -> None:
    """A file that holds no PIN is told by its name, and never by what it holds."""
    if content is not None:
        (tmp_path / "pin").write_bytes(content)
    rotated(publisher, "pkcs11:token=alice")
    with pytest.raises(SigningKeyError, match=reason) as refused:
        sign(publisher.repository, SigningKey.load(f"pkcs11:token=alice?pin-source={tmp_path / 'pin'}"))
    assert "999" not in str(refused.value)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("pkcs11:token=alice?pin-value=123456", "a PIN does not stand in an address"),
        ("pkcs11:token=alice;object=key", "says object, which is not understood"),
        ("pkcs11:token=alice;token=bob", "says an attribute twice"),
        ("pkcs11:alice", "says 'alice', expected NAME=VALUE"),
        ("pkcs11:token=", "expected NAME=VALUE"),
        ("pkcs11:id=%00%02", "expected one such as %02"),
        ("hsm:two", "expected one such as %02"),
        ("hsm:2?slot=1", "says slot"),
    ],
)
def test_an_address_that_is_not_understood(place: str, reason: str) -> None:
    """An address is refused unless every part of it is understood, and its PIN is not repeated (rules 1 and 3)."""
    with pytest.raises(SigningKeyError, match=reason) as refused:
        SigningKey.load(place)
    assert PIN not in str(refused.value)


def test_a_token_that_cannot_be_used(tokens: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that is not there, a key of another kind, and a library that is none or not named are each one error."""
    for place, reason in (
        ("pkcs11:token=carol", "cannot be used: No PKCS#11 token found for label carol"),
        ("pkcs11:token=alice;id=%09", "could not find ECDSA key on the PKCS#11 token"),
        ("pkcs11:token=rsa", "could not find ECDSA key on the PKCS#11 token"),
        ("pkcs11:id=%02", "Multiple PKCS#11 tokens found"),
        ("pkcs11:token=alice?module-path=/none.so", "cannot open shared object file"),
    ):
        with pytest.raises(SigningKeyError, match=reason):
            public_key(place, pin=lambda _: PIN)
    library = os.environ["PYKCS11LIB"]
    monkeypatch.delenv("PYKCS11LIB")
    with pytest.raises(SigningKeyError, match="no PKCS#11 library is named"):
        public_key("pkcs11:token=alice")
    assert "alice" == public_key(f"pkcs11:token=alice?module-path={library}").unrecognized_fields["x-pinscher-name"]
    assert "PYKCS11LIB" not in os.environ


def test_what_is_missing_is_named(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its package a token or a key management service is refused with the line that installs it."""
    monkeypatch.setattr("securesystemslib.signer._hsm_signer.PKCS11_IMPORT_ERROR", "'python-pkcs11' required")
    monkeypatch.setenv("PYKCS11LIB", "/none.so")
    with pytest.raises(SigningKeyError, match=r"needs python-pkcs11: pip install 'pinscher\[hsm\]'"):
        public_key("pkcs11:token=alice")
    publish(publisher.repository, policy(2), at=publisher.clock())
    for scheme, extra in (("gcpkms:projects/p", "gcpkms"), ("awskms:key", "awskms"), ("azurekms:v/k/1", "azurekms")):
        kind = {"gcpkms": "gcp_signer.GCP", "awskms": "aws_signer.AWS", "azurekms": "azure_signer.AZURE"}[extra]
        monkeypatch.setattr(f"securesystemslib.signer._{kind}_IMPORT_ERROR", "the library is required")
        with pytest.raises(SigningKeyError, match=rf"pip install 'securesystemslib\[{extra}\]'"):
            sign(publisher.repository, SigningKey.load(scheme))


def test_the_commands_take_tokens(
    tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``repo init``, ``sign`` and ``rotate`` go by a token's address, the PIN in the environment and never in a line."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PINSCHER_TOKEN_PIN", raising=False)
    alice, bob = "pkcs11:token=alice;id=%02", "pkcs11:token=bob;id=%02"

    def ran(line: str, code: int = 0) -> str:
        capsys.readouterr()
        ended = run(line.split())
        told = capsys.readouterr()
        assert code == ended, told
        return told.err if code else told.out

    ran("repo key online.key")
    init = f"repo init repo --root {alice} --root-threshold 1 --signer {alice} --threshold 1 --online online.key.pub"
    ran(init)
    assert "the token 'alice' wants a PIN" in ran(f"repo sign repo --key {alice}", code=2)
    monkeypatch.setenv("PINSCHER_TOKEN_PIN", PIN)
    assert {"root": 0, "targets": 0} == json.loads(ran(f"repo sign repo --key {alice} --json"))["lacking"]
    ran("repo renew repo --online-key online.key")
    line = f"repo rotate repo root --add {bob} --key {alice} --key {bob} --online-key online.key --json"
    assert ["root"] == json.loads(ran(line))["published"]
    monkeypatch.delenv("PINSCHER_TOKEN_PIN")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("click.prompt", lambda text, **_: PIN if text == "PIN of the token 'alice'" else "")
    ran(f"repo rotate repo root --key {alice} --online-key online.key")
