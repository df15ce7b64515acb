"""Following a log of either kind, over HTTP: what it signs is believed, and nothing else is."""

from __future__ import annotations

import base64
import itertools
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pinscher.lab.authority import Authority
from pinscher.lab.encoding import OBJECT, OCTET_STRING, SEQUENCE, element, elements
from pinscher.lab.keys import SigningKey
from pinscher.lab.transparency import CtLog
from pinscher.lab.transparency_server import CtServer
from pinscher.monitor.transparency.fetching import LogSite
from pinscher.monitor.transparency.follower import Trouble
from pinscher.pin import Pin
from pinscher.updates.log import LogUnreachableError
from tests.unit.monitor.scene import HOST, policy_of
from tests.unit.monitor.transparency.world import CA, HELD, ROOT, Followed

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = timedelta(days=1)


def test_a_log_is_followed_from_its_end(followed: Followed) -> None:
    """The first turn reads nothing; the next read what was added, with its names, its pins and its issuers' pins."""
    first = followed.turn()
    assert (None, (), 5) == (first.trouble, first.found, first.place.read.size if first.place else None)
    followed.log.add(HELD)
    followed.log.add(HELD, is_precertificate=True)
    followed.fill(3)
    turn = followed.turn()
    assert (None, "", False) == (turn.trouble, turn.said, turn.is_behind)
    whole, before = turn.found
    assert (5, (HOST,), False) == (whole.index, whole.names, whole.is_precertificate)
    assert (6, (HOST,), True) == (before.index, before.names, before.is_precertificate)
    assert (Pin.of(HELD.der), Pin.of(HELD.der, kind="certificate")) == whole.leaf_pins
    assert (Pin.of(HELD.der),) == before.leaf_pins
    keys = [Pin.of(CA.certificate), Pin.of(ROOT.certificate)]
    for one in (whole, before):
        assert keys == [pin for pin in one.issuer_pins if pin in keys]
        assert "CN=Bank CA" == one.issuer
    assert () == followed.turn().found


def test_a_log_is_read_from_its_start_where_that_is_asked(followed: Followed) -> None:
    """Whoever wants to know of older certificates reads the whole log."""
    followed.log.add(HELD)
    followed.log.publish()
    turn = followed.turn(from_start=True)
    assert ([5], False) == ([one.index for one in turn.found], turn.is_behind)


def test_an_empty_log_is_followed(followed: Followed) -> None:
    """A log that has no entry yet has a head too."""
    followed.server.log = CtLog(key=followed.log.key)
    assert None is followed.turn().trouble
    followed.log.add(HELD)
    followed.log.publish()
    assert [0] == [one.index for one in followed.turn().found]


def test_any_growth_is_proved(followed: Followed) -> None:
    """Whatever the sizes before and after, tiles that fill up included, every entry is read once and proved."""
    followed.turn()
    for count in (1, 2, 249, 3, 300, 1):
        followed.fill(count)
        turn = followed.turn()
        assert (None, False) == (turn.trouble, turn.is_behind), turn.said
        assert turn.place is not None
        assert turn.place.read.root == turn.place.head.root == followed.log.root
        assert turn.place.read.size == followed.log.size


@pytest.mark.parametrize("kind", ["p256", "rsa2048"])
def test_a_head_of_another_key_is_none(followed: Followed, kind: str) -> None:
    """A head that another key signed is told, and what was known stays."""
    followed.turn()
    place = followed.place
    real = followed.log.key
    followed.fill(1)
    followed.log.key = SigningKey.kept(kind, "intruder")
    note, content = followed.log.checkpoint(), followed.log.sth()
    followed.log.key = real
    if followed.is_tiled:
        # The intruder signs as the log, under the log's own name and the identity of its key.
        text, _, line = note.rpartition(b" ")
        genuine = base64.b64decode(followed.log.checkpoint().rpartition(b" ")[2])
        content = text + b" " + base64.b64encode(genuine[:4] + base64.b64decode(line)[4:]) + b"\n"
    followed.server.instead = {"/checkpoint": [content], "/ct/v1/get-sth": [content]}
    turn = followed.turn()
    assert (Trouble.UNSIGNED, place) == (turn.trouble, turn.place)


def test_a_head_of_an_rsa_key_counts() -> None:
    """A log may sign with RSA, as RFC 6962 section 2.1.4 has it."""
    log = CtLog(key=SigningKey.kept("rsa2048", "log"))
    log.add(HELD)
    log.publish()
    with CtServer(log) as server:
        for is_tiled in (True, False):
            assert None is Followed(server, is_tiled=is_tiled).turn().trouble


@pytest.mark.parametrize("change", ["size", "moment", "form", "number"])
def test_a_changed_head_is_none(followed: Followed, change: str) -> None:
    """A head whose size or moment was changed after it was signed is refused, and so is what is none."""
    log = followed.log
    content = log.checkpoint() if followed.is_tiled else log.sth()
    tick = str((log.at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)).encode()
    changed = {
        "size": content.replace(b"\n5\n", b"\n6\n").replace(b'"tree_size": 5', b'"tree_size": 6'),
        "moment": content.replace(tick, b"1").replace(b"example/2026 ", b"example/2026 AAAA"),
        "form": b"{" + content,
        "number": content.replace(b"\n5\n", b"\n-5\n").replace(tick, b"-1"),
    }[change]
    assert changed != content
    followed.server.instead = {"/checkpoint": [changed], "/ct/v1/get-sth": [changed]}
    assert Trouble.UNSIGNED is followed.turn().trouble


def test_a_fork_of_one_size_is_found(followed: Followed) -> None:
    """Two roots for one size are a fork, and both heads are told."""
    followed.fill(3)
    followed.turn()
    honest, other = followed.log, followed.log.forked(6)
    for one in OTHERS[:2]:
        other.add(one)
    other.publish()
    followed.server.log = other
    turn = followed.turn()
    assert Trouble.FORKED is turn.trouble
    assert "two roots for one size" in turn.said
    followed.server.log = honest
    assert None is followed.turn().trouble


def test_a_fork_that_has_grown_is_found(followed: Followed) -> None:
    """A longer tree that does not continue the one that was seen is no progress, and nothing of it is believed."""
    followed.fill(3)
    followed.turn()
    place = followed.place
    other = followed.log.forked(6)
    for one in [*OTHERS, HELD, HELD]:
        other.add(one)
    other.publish()
    followed.server.log = other
    turn = followed.turn()
    assert (place, ()) == (turn.place, turn.found)
    # Tiles show both trees; a log that answers questions merely cannot prove what it says.
    assert (Trouble.FORKED if followed.is_tiled else Trouble.DAMAGED) is turn.trouble


OTHERS = [CA.issue(f"other{number}.example") for number in range(3)]


def test_a_log_that_rolls_back_is_found(followed: Followed) -> None:
    """An older head is served again: somebody restored a copy, or holds back. A smaller tree signed later is a fork."""
    followed.turn()
    older, at = followed.log.forked(3), followed.log.at
    older.publish(at=at - DAY)
    followed.server.log, honest = older, followed.log
    assert Trouble.BEHIND is followed.turn().trouble
    older.publish(at=at + DAY)
    turn = followed.turn()
    assert Trouble.FORKED is turn.trouble
    assert "a smaller tree was signed later" in turn.said
    followed.server.log = honest
    assert None is followed.turn().trouble


def test_entries_that_the_head_does_not_sign_are_not_believed(followed: Followed) -> None:
    """A certificate that is served and is not in the tree is not told, and the log is damaged."""
    followed.turn()
    followed.fill(2)
    liar = followed.log.forked(5)
    liar.add(HELD)
    liar.add(HELD)
    liar.publish()
    place = followed.place
    served = [liar.data_tile(0, 7)] if followed.is_tiled else [liar.entries_json(5, 6)]
    followed.server.instead = {"/tile/data": served, "/ct/v1/get-entries": served}
    turn = followed.turn()
    assert (Trouble.DAMAGED, ()) == (turn.trouble, turn.found)
    assert turn.place is not None
    assert place is not None
    assert turn.place.read == place.read
    followed.server.instead = {}
    assert None is followed.turn().trouble


def _endless() -> Iterator[bytes]:
    yield from itertools.repeat(b"0" * 65536)


@pytest.mark.parametrize(
    ("content", "trouble"),
    [
        ([b"\x00" * 37], Trouble.DAMAGED),
        ([b""], Trouble.DAMAGED),
        (500, Trouble.UNREACHABLE),
        (404, None),
        (302, Trouble.UNREACHABLE),
    ],
)
def test_what_cannot_be_read_is_a_trouble(
    followed: Followed, content: list[bytes] | int, trouble: Trouble | None
) -> None:
    """A cut tile, an answer that is none, an error and a redirect are told, and what was known stays."""
    followed.turn()
    place = followed.place
    followed.fill(1)
    followed.server.instead = {"/tile/data": content, "/ct/v1/get-entries": content}
    turn = followed.turn()
    missing = Trouble.UNREACHABLE
    assert (trouble or missing) is turn.trouble, turn.said
    assert place is not None
    assert turn.place is not None
    assert place.read == turn.place.read


def test_an_endless_head_is_cut(followed: Followed) -> None:
    """A head that never ends is read to its limit."""
    endless = {"/checkpoint": _endless(), "/ct/v1/get-sth": _endless()}
    followed.server.instead = dict(endless)
    turn = followed.turn()
    assert (Trouble.DAMAGED, None) == (turn.trouble, turn.place)
    assert "has more than 65536 octets" in turn.said


def test_a_server_that_trickles_is_cut(followed: Followed) -> None:
    """A head that comes an octet at a time is given up when its time is over."""

    def slowly() -> Iterator[bytes]:
        """Give an octet every twentieth of a second."""
        while not threading.Event().wait(0.05):
            yield b"0"

    followed.server.instead = {"/": slowly()}
    turn = followed.turn(seconds=0.3)
    assert Trouble.UNREACHABLE is turn.trouble
    assert "cannot be had: no whole answer within 0.3 s" in turn.said


def test_an_entry_that_is_none_does_not_stop_the_log(followed: Followed) -> None:
    """Octets that name a host and are no certificate are told as such; leaves that are no entry are counted."""
    followed.turn()
    followed.log.add_entry(b"0\x03" + HOST.encode())
    followed.log.add_entry(HOST.encode(), issuer_key=bytes(32))
    followed.log.add_entry(b"\x30\x00")
    if not followed.is_tiled:
        followed.log.add_raw(b"\x00\x07" + HOST.encode())
        followed.log.add_raw(b"\x00\x00" + b"\xff" * 9 + HOST.encode())
    followed.log.add(HELD)
    followed.log.publish()
    turn = followed.turn()
    assert (None, False) == (turn.trouble, turn.is_behind)
    assert [False, False, True] == [one.is_readable for one in turn.found]
    assert (0 if followed.is_tiled else 2) == turn.unreadable


def test_a_chain_proves_itself(followed: Followed) -> None:
    """Who puts a pinned authority beside a certificate that it did not sign gains nothing by it."""
    followed.turn()
    stranger = ROOT.twin().issue(HOST)
    followed.log.add_entry(stranger.der, (ROOT.certificate,))
    followed.log.add_entry(HELD.der, (CA.certificate, CA.certificate))
    followed.log.add_entry(HELD.der, (b"junk",))
    followed.log.publish()
    found = followed.turn().found
    assert [0, 1, 0] == [len([pin for pin in one.issuer_pins if str(pin).startswith("sha256/")]) for one in found]


def test_markup_in_names_does_not_come_through(followed: Followed) -> None:
    """What a certificate says of its issuer is escaped, and a name with markup in it is no name of the policy."""
    followed.turn()
    followed.log.add(Authority.root("<script>\x1b[31m\u202e").issue(HOST))
    followed.log.add_entry(_of_names(1, [f"<b>.{HOST}", f"\x00{HOST}", f"*.{HOST}\n", HOST]))
    followed.log.publish()
    first, second = followed.turn().found
    assert "CN=<script>\\x1b[31m\\u202e" == first.issuer
    assert ((HOST,), 0) == (second.names, second.more)


def test_a_certificate_of_very_many_names_is_read(followed: Followed) -> None:
    """A certificate of a million names is read to its end, and of those that concern the policy the first are kept."""
    followed.policy = policy_of(Pin.of(HELD.der), host="**.bank.example")
    followed.turn()
    followed.log.add_entry(
        _of_names(1_000_000 if followed.is_tiled else 1_000, [f"h{number}.bank.example" for number in range(40)])
    )
    followed.log.publish()
    (found,) = followed.turn().found
    assert (16, 24, "h0.bank.example") == (len(found.names), found.more, found.names[0])


def _of_names(many: int, ours: list[str]) -> bytes:
    """Return a certificate with very many names of others before ours."""
    listed = b"\x82\x05a.b.c" * many + b"".join(element(0x82, name.encode()) for name in ours)
    extension = element(
        SEQUENCE, element(OBJECT, bytes.fromhex("551d11")), element(OCTET_STRING, element(SEQUENCE, listed))
    )
    body, algorithm, signature = elements(elements(HELD.der)[0].content)
    fields = [field.encoded for field in elements(body.content)][:7]
    tbs = element(SEQUENCE, *fields, element(0xA3, element(SEQUENCE, extension)))
    return element(SEQUENCE, tbs, algorithm.encoded, signature.encoded)


def test_a_log_of_this_machine_is_not_reached_unless_it_is_allowed(followed: Followed) -> None:
    """A name that leads to a private address leads nowhere, so that a list of logs cannot look around here."""
    with pytest.raises(LogUnreachableError, match=r"leads to 127\.0\.0\.1, which is not a public address"):
        LogSite(followed.server.url).fetch("checkpoint", 100)
    assert [] == followed.server.asked


def test_the_time_of_an_entry_is_the_logs(followed: Followed) -> None:
    """An entry's moment is the one that the log put on it."""
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    followed.turn()
    followed.log.add(HELD, at=at)
    followed.log.publish()
    assert [at] == [one.at for one in followed.turn().found]
