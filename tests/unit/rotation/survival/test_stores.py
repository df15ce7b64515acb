"""Trust stores as they are read."""

from __future__ import annotations

import ssl
import sys
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pinscher.lab.encoding import pem
from pinscher.rotation.survival import UnusableStoreError, mozilla_store, store_of, system_store
from pinscher.rotation.survival.stores import _in_folder
from tests.unit.rotation.survival.worlds import UNREADABLE, key, root

if TYPE_CHECKING:
    from pathlib import Path

ONE, TWO = root("One"), root("Two")


def test_mozilla_store_is_read_whole() -> None:
    """Every root that certifi ships can be read, and is known once."""
    store = mozilla_store()
    assert ("mozilla", 0) == (store.name, store.unreadable)
    assert len(store.certificates) > 100


def test_mozilla_store_without_certifi_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without certifi there is one sentence with the line that installs it."""
    monkeypatch.setitem(sys.modules, "certifi", None)
    with pytest.raises(UnusableStoreError, match="pip install certifi"):
        mozilla_store()


def test_system_store_is_what_openssl_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's store is the file and the folder that OpenSSL is told of."""
    (tmp_path / "roots.pem").write_bytes(pem("CERTIFICATE", ONE.der))
    (tmp_path / "folder").mkdir()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "folder"))
    (tmp_path / "folder" / "0a1b2c3d.0").write_bytes(pem("CERTIFICATE", TWO.der))
    (tmp_path / "folder" / "0a1b2c3d.1").write_bytes(b"no certificate")
    (tmp_path / "folder" / "0a1b2c3d.2").mkdir()
    assert {ONE, TWO} == set(system_store().certificates)
    assert str(tmp_path / "folder") == ssl.get_default_verify_paths().capath


def test_no_folder_holds_nothing() -> None:
    """A platform without a folder of roots has none there."""
    assert [] == list(_in_folder(None))


def test_store_of_a_file_counts_what_cannot_be_read() -> None:
    """A certificate that has a key and cannot be read otherwise is counted, and not passed over in silence."""
    store = store_of(pem("CERTIFICATE", ONE.der, UNREADABLE, ONE.der), name="mine")
    assert ((ONE,), 1) == (store.certificates, store.unreadable)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b"rubbish", "mine"),
        (pem("PUBLIC KEY", key("x").public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)), "expected certificates, found a public key at mine:1"),
        (pem("CERTIFICATE", UNREADABLE), "it holds no certificate that can be read"),
    ],
    ids=["empty", "rubbish", "key", "unreadable"],
)  # fmt: skip
def test_store_that_is_none_is_one_clear_error(content: bytes, message: str) -> None:
    """A file that is no store of certificates is refused with its name and the reason."""
    with pytest.raises(UnusableStoreError, match=message) as caught:
        store_of(content, name="mine")
    assert "mine" == caught.value.name
