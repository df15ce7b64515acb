"""The card beside a sealed key."""

from __future__ import annotations

import re
import sys
from datetime import date
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from pinscher.rotation.keys import BackupKey, KeyAlgorithm, card

if TYPE_CHECKING:
    import pytest

KEY = BackupKey.generate(KeyAlgorithm.P256)
SVG = "{http://www.w3.org/2000/svg}"


def _card(name: str = "api-backup", stored: str | None = "offline, safe B", hosts: tuple[str, ...] = ()) -> ET.Element:
    made = card(KEY, name=name, algorithm="EC P-256", made=date(2026, 11, 21), stored=stored, hosts=hosts)
    return ET.fromstring(made)


def _texts(drawn: ET.Element) -> list[str]:
    return [one.text or "" for one in drawn.iter(f"{SVG}text")]


def test_card_says_which_key_it_is_and_where() -> None:
    """A card has the name, the kind, the day, the place, the hosts, the pin and the fingerprint, and is A6."""
    drawn = _card(hosts=("api.bank.example", "*.bank.example"))
    texts = _texts(drawn)
    for said in (
        "api-backup",
        "EC P-256",
        "2026-11-21",
        "offline, safe B",
        "api.bank.example, *.bank.example",
        str(KEY.pin),
    ):
        assert said in texts
    assert KEY.fingerprint == " ".join(one for one in texts if re.fullmatch(r"([0-9a-f]{4} ){7}[0-9a-f]{4}", one))
    assert ("148mm", "105mm") == (drawn.get("width"), drawn.get("height"))


def test_card_says_when_nobody_said_where() -> None:
    """What nobody said, the card says that nobody said."""
    assert 2 == _texts(_card(stored=None)).count("not said")


def test_code_is_the_pin() -> None:
    """The modules of the QR code are those that segno draws for the pin."""
    import segno

    paths = [one.get("d") or "" for one in _card().iter(f"{SVG}path")]
    drawn = {(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)h", "".join(paths))}
    rows = segno.make_qr(str(KEY.pin), error="m").matrix
    assert {(x, y) for y, row in enumerate(rows) for x, module in enumerate(row) if module} == drawn


def test_card_is_a_card_without_a_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where segno is not installed the card has no QR code, and all the rest."""
    monkeypatch.setitem(sys.modules, "segno", None)
    drawn = _card()
    assert [] == list(drawn.iter(f"{SVG}path"))
    assert str(KEY.pin) in _texts(drawn)


def test_text_of_a_person_is_no_markup() -> None:
    """A name or a place that looks like markup is text on the card."""
    attack = '</text><script>alert("1")</script> & more'
    drawn = _card(stored=attack)
    assert {"svg", "rect", "text", "line", "path"} == {one.tag.removeprefix(SVG) for one in drawn.iter()}
    assert attack in " ".join(_texts(drawn))


@given(name=st.from_regex(r"[A-Za-z0-9._-]{1,128}", fullmatch=True), stored=st.text().filter(str.isprintable))
def test_no_text_leaves_the_card(name: str, stored: str) -> None:
    """However long a name or a place is, the card keeps its lines, and every line has its length."""
    texts = _texts(_card(name, stored, ("x" * 60 + ".example",) * 20))
    assert len(texts) <= 20
    assert all(len(one) <= 58 for one in texts)


def test_wide_letters_are_squeezed_beside_the_code() -> None:
    """A line of letters that take two columns is as wide as one of the others."""
    squeezed = [one for one in _card(stored="金庫の中" * 8).iter(f"{SVG}text") if one.get("textLength")]
    assert ["405"] == [one.get("textLength") for one in squeezed]
