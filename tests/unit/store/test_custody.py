"""Where a store's key comes from."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as NoKeyring

from pinscher.store import (
    KeptKey,
    KeyFile,
    KeyRing,
    KeyUnavailableError,
    Passphrase,
    ProvidedKey,
    SealBrokenError,
    SealedStore,
    SystemdCredential,
    UnsafeFileError,
    provided_key,
)
from pinscher.store.machine import machine_identity, machine_mark
from pinscher.store.record import KeyRecord, Stage

if TYPE_CHECKING:
    from pathlib import Path

    from pinscher.store.custody import Vault

SYSTEMD_CREDS = shutil.which("systemd-creds")


class Drawer(KeyringBackend):
    """A keyring in memory: what a desktop's is to the package ``keyring``."""

    priority = 1  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        """Return an entry."""
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep an entry."""
        self.held[service, username] = password


@pytest.fixture(params=["keyring", "file", "credential"])
def vault(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vault:
    """Return each place that keeps a key."""
    if request.param == "keyring":
        return KeyRing("store", backend=Drawer())
    if request.param == "file":
        return KeyFile(str(tmp_path / "keys" / "key"))
    if SYSTEMD_CREDS is None or os.geteuid() != 0:
        pytest.skip("systemd-creds seals for root, and is not here or we are not")
    # The host's key of this test, so that the machine's own is neither needed nor made.
    monkeypatch.setenv("SYSTEMD_CREDENTIAL_SECRET", str(tmp_path / "host.secret"))
    return SystemdCredential(str(tmp_path / "credentials" / "store.cred"))


def test_every_place_keeps_a_store(vault: Vault, tmp_path: Path) -> None:
    """A store opens again with the key that a place keeps, is missed when it goes, and is foreign without the key."""
    assert None is vault.load()
    with SealedStore.open(tmp_path / "store", KeptKey(vault)) as store:
        store.write({"bundle": b"x"}, floor={"policy": (0, 7)})
    record = KeyRecord.read(vault.load() or "", vault.place)
    assert (Stage.MADE, {"policy": (0, 7)}) == (record.stage, record.counter)
    with SealedStore.open(tmp_path / "store", KeptKey(vault)) as store:
        assert (b"x", vault.place) == (store.read("bundle"), store.key_place)
    shutil.rmtree(tmp_path / "store")
    with pytest.raises(SealBrokenError, match="is gone"):
        SealedStore.open(tmp_path / "store", KeptKey(vault))


def test_a_key_is_never_shown(tmp_path: Path) -> None:
    """No representation of a key, a record or a passphrase shows the secret."""
    key = bytes(range(32))
    shown = f"{KeyRecord(Stage.MADE, {}, key)!r} {ProvidedKey(key)!r} {Passphrase(lambda: 'secret')!r}"
    assert not any(secret in shown for secret in (key.hex(), repr(key), "secret"))
    place = tmp_path / "key"
    place.write_text(f"pinscher-key 2 made - {key.hex()}\n")
    place.chmod(0o600)
    with pytest.raises(KeyUnavailableError) as refused:
        SealedStore.open(tmp_path / "store", KeptKey(KeyFile(str(place))))
    assert key.hex() not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    ["", "x", "pinscher-key 1 made - 00", f"pinscher-key 1 made policy:01 {'0' * 64}", f"pinscher-key 1 lost - {'0' * 64}",
     f"pinscher-key 1 made b:1,a:1 {'0' * 64}", f"pinscher-key 1 made a:1,a:2 {'0' * 64}", f"pinscher-key 1 made , {'0' * 64}"],
)  # fmt: skip
def test_what_is_no_key_is_told(text: str) -> None:
    """Anything but a record in its one form is refused with the place."""
    drawer = Drawer()
    drawer.set_password("pinscher", "store", text)
    with pytest.raises(KeyUnavailableError, match="no key of a store: 'keyring entry store of pinscher'"):
        KeptKey(KeyRing("store", backend=drawer)).has_made_a_store()


def test_a_headless_machine_is_told_where_else_to_keep_a_key(tmp_path: Path) -> None:
    """Without a keyring the error names a systemd credential, a key file and a passphrase."""
    ring = KeyRing("store", backend=NoKeyring())
    for refused in (ring.load, lambda: ring.save("x"), lambda: SealedStore.open(tmp_path / "store", KeptKey(ring))):
        with pytest.raises(KeyUnavailableError, match=r"NoKeyringError\).*\n.*systemd credential.* passphrase"):
            refused()


def test_the_packages_own_choice_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a backend of its own the keyring is the one that the package chooses."""
    import keyring

    before = keyring.get_keyring()
    drawer = Drawer()
    keyring.set_keyring(drawer)
    try:
        KeyRing("store").save("kept")
    finally:
        keyring.set_keyring(before)
    assert {("pinscher", "store"): "kept"} == drawer.held


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """A key file is its owner's alone, and so is a folder that others could exchange it in."""
    vault = KeyFile(str(tmp_path / "keys" / "key"))
    vault.save("x")
    (tmp_path / "keys" / "key").chmod(0o640)
    with pytest.raises(UnsafeFileError, match="0640"):
        vault.load()
    (tmp_path / "keys").chmod(0o770)
    with pytest.raises(UnsafeFileError, match="0770"):
        vault.load()


def test_a_killed_writer_of_a_key_leaves_nothing_for_long(tmp_path: Path) -> None:
    """What a killed writer began is removed when the key is next saved."""
    vault = KeyFile(str(tmp_path / "keys" / "key"))
    vault.save("x")
    (tmp_path / "keys" / ".new-0123").write_text("half")
    vault.save("y")
    assert ["key"] == os.listdir(tmp_path / "keys")


@pytest.mark.parametrize("content", [bytes(range(32)), bytes(range(32)).hex().encode() + b"\n"])
def test_a_provided_key_is_read(tmp_path: Path, content: bytes) -> None:
    """A provided key is 32 octets or their hexadecimal digits; its group may read it, as a credential's may."""
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o440)
    assert ProvidedKey(bytes(range(32)), str(path)) == provided_key(str(path))


def test_a_provided_key_that_is_none_is_told(tmp_path: Path) -> None:
    """A file or folder that is not there, a short key and one that everybody can read are each one clear error."""
    path = tmp_path / "key"
    for missing in (path, tmp_path / "none" / "key"):
        with pytest.raises(KeyUnavailableError, match="no such"):
            provided_key(str(missing))
    path.write_bytes(b"short")
    path.chmod(0o600)
    with pytest.raises(KeyUnavailableError, match=r"5 octets, expected 32.*\n.*openssl rand -hex 32"):
        provided_key(str(path))
    path.chmod(0o604)
    with pytest.raises(UnsafeFileError, match="0604"):
        provided_key(str(path))


def test_a_credential_program_that_fails_is_told(tmp_path: Path) -> None:
    """A program that is not there, and one that refuses, are errors with what it said."""
    path = tmp_path / "store.cred"
    with pytest.raises(KeyUnavailableError, match="cannot encrypt the credential"):
        SystemdCredential(str(path), program=str(tmp_path / "none")).save("x")
    path.write_bytes(b"sealed elsewhere")
    path.chmod(0o600)
    refusing = tmp_path / "refusing"
    refusing.write_text("#!/bin/sh\nprintf 'not \\033[31mmine' >&2\nexit 1\n")
    refusing.chmod(0o755)
    with pytest.raises(KeyUnavailableError, match=r"refusing cannot decrypt the credential \(not \\x1b\[31mmine\)"):
        SystemdCredential(str(path), program=str(refusing)).load()
    assert None is SystemdCredential(str(tmp_path / "none" / "x.cred")).load()


def test_a_machine_has_a_mark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine's mark differs between machines and stores, is nothing where nothing tells, and hides the identity."""
    places = [tmp_path / name for name in ("none", "odd", "real")]
    places[1].write_text("uninitialized\n")
    places[2].write_text("0123456789abcdef\n")
    monkeypatch.setattr("pinscher.store.machine._PLACES", tuple(map(str, places)))
    assert b"0123456789abcdef" == machine_identity()
    monkeypatch.setattr("pinscher.store.machine._PLACES", tuple(map(str, places[:2])))
    assert b"" == machine_identity()
    marks = {machine_mark(one, two) for one in (b"a", b"b") for two in (b"1", b"2")}
    assert (4, bytes(32)) == (len(marks), machine_mark(b"", b"1"))
