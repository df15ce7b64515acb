"""Where a forwarder listens: the loopback, and sockets of its own."""

from __future__ import annotations

import os
import socket
import stat
from typing import TYPE_CHECKING

import pytest

from pinscher.clients.forwarder import ListenError, Place

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("127.0.0.1:8080", Place("127.0.0.1", 8080)),
        (":0", Place("127.0.0.1", 0)),
        ("[::1]:443", Place("::1", 443)),
        ("127.8.8.8:1", Place("127.8.8.8", 1)),
        ("unix:/run/it", Place("/run/it", None)),
    ],
)
def test_a_place_is_read(text: str, place: Place) -> None:
    """Addresses of the loopback and paths are places, and write themselves as they are read."""
    assert place == Place.parse(text)
    assert place == Place.parse(str(place))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0.0.0.0:80", "other machines reach"),
        ("[::]:80", "other machines reach"),
        ("192.0.2.7:80", "other machines reach"),
        ("localhost:80", "expected an IP address"),
        ("::1:80", "in brackets"),
        ("[127.0.0.1]:80", "in brackets"),
        ("127.0.0.1", "expected ADDRESS:PORT"),
        ("127.0.0.1:65536", "expected ADDRESS:PORT"),
        ("127.0.0.1:٣", "expected ADDRESS:PORT"),
        ("127.0.0.1:-1", "expected ADDRESS:PORT"),
        ("unix:", "expected a path"),
        ("unix:/a\x00b", "expected a path"),
    ],
)
def test_what_is_no_place_is_refused(text: str, reason: str) -> None:
    """Names, addresses that other machines reach and nonsense are refused with a reason, and shown escaped."""
    with pytest.raises(ListenError, match=reason) as caught:
        Place.parse(text)
    assert str(caught.value).isprintable()
    assert text == caught.value.text


def test_another_address_is_allowed_by_name() -> None:
    """Addresses beyond the loopback are places where that is asked for."""
    assert Place("0.0.0.0", 80) == Place.parse("0.0.0.0:80", beyond_loopback=True)


@pytest.mark.parametrize("address", ["127.0.0.1:0", "[::1]:0"])
def test_port_zero_is_any_free_one(address: str) -> None:
    """Who listens on port 0 is told which it became, and nobody else can listen there."""
    try:
        listening = Place.parse(address).listen()
    except ListenError:
        if address.startswith("["):
            pytest.skip("this machine has no IPv6")
        raise
    with listening.socket:
        assert listening.place.port
        with pytest.raises(ListenError, match="in use"):
            listening.place.listen()


def test_a_socket_is_its_owners_alone(tmp_path: Path) -> None:
    """A socket in the file system has mode 0600 whatever the mask, and its file is gone afterwards."""
    path = tmp_path / "it"
    before = os.umask(0)
    try:
        listening = Place.parse(f"unix:{path}").listen()
        assert 0 == os.umask(0)
    finally:
        os.umask(before)
    with listening.socket:
        assert 0o600 == stat.S_IMODE(path.lstat().st_mode)
    listening.remove()
    assert not path.exists()


def test_a_socket_left_behind_is_replaced(tmp_path: Path) -> None:
    """A socket of this user on which nobody listens any more is in nobody's way."""
    place = Place.parse(f"unix:{tmp_path / 'it'}")
    place.listen().socket.close()
    listening = place.listen()
    listening.socket.close()
    listening.remove()


def test_a_socket_in_use_stays(tmp_path: Path) -> None:
    """Where somebody listens, also with a full queue, nobody else does."""
    place = Place.parse(f"unix:{tmp_path / 'it'}")
    with place.listen().socket, pytest.raises(ListenError, match="somebody listens there already"):
        place.listen()
    full = socket.socket(socket.AF_UNIX)
    full.bind(str(tmp_path / "full"))
    full.listen(0)
    with full, socket.socket(socket.AF_UNIX) as first:
        first.connect(str(tmp_path / "full"))
        with pytest.raises(ListenError, match="somebody listens there already"):
            Place.parse(f"unix:{tmp_path / 'full'}").listen()


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_is_no_socket_stays(tmp_path: Path, kind: str) -> None:
    """A file, a folder or a link in the way is refused and left as it is."""
    path, target = tmp_path / "it", tmp_path / "target"
    with socket.socket(socket.AF_UNIX) as there:
        there.bind(str(target))
        {"file": path.touch, "folder": path.mkdir, "link": lambda: path.symlink_to(target)}[kind]()
        with pytest.raises(ListenError, match="no socket of this user"):
            Place.parse(f"unix:{path}").listen()
    assert path.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_another_users_socket_stays(tmp_path: Path) -> None:
    """A socket that belongs to somebody else is refused, though nobody listens on it."""
    path = tmp_path / "it"
    with socket.socket(socket.AF_UNIX) as there:
        there.bind(str(path))
    os.chown(path, 65_534, 65_534)
    with pytest.raises(ListenError, match="no socket of this user"):
        Place.parse(f"unix:{path}").listen()
    assert path.exists()


def test_a_path_nobody_can_bind_is_refused(tmp_path: Path) -> None:
    """A folder that is not there, and a path longer than a socket's may be, are refused with the system's reason."""
    for path in (tmp_path / "missing" / "it", tmp_path / ("x" * 200)):
        with pytest.raises(ListenError, match=r"no such file|too long"):
            Place.parse(f"unix:{path}").listen()


def test_a_file_that_took_the_place_stays(tmp_path: Path) -> None:
    """Whoever stops removes its own file, and not one that came there since."""
    path = tmp_path / "it"
    listening = Place.parse(f"unix:{path}").listen()
    with listening.socket:
        path.rename(tmp_path / "moved")
        path.touch()
        listening.remove()
        assert path.exists()
        path.unlink()
        listening.remove()


def test_a_platform_without_such_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the platform has no sockets in the file system, that is said."""
    monkeypatch.delattr(socket, "AF_UNIX")
    with pytest.raises(ListenError, match="this platform has no sockets"):
        Place.parse("unix:/run/it").listen()
