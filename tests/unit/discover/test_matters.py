"""What crosses is told by the names of fields, in the vocabulary's words and no other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinscher.discover.matters import Matter, of_body, of_cookie, of_header, of_name, of_path, vocabulary


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("password", "password"), ("userPassword", "password"), ("DB_PASSWORD", "password"),
        ("cardNumber", "card number"), ("X-Card-Number", "card number"), ("debtorIBAN", "iban"),
        ("X-API-Key", "api key"), ("STRIPE_SECRET_KEY", "client secret"), ("refresh_token", "refresh token"),
        ("date_of_birth", "birth date"), ("company", None), ("panorama", None), ("x" * 200, None), ("pässword", None),
    ],
)  # fmt: skip
def test_a_name_says_what_it_carries(name: str, word: str | None) -> None:
    """Names are compared word by word, whatever their case and separators; a part of a word is none."""
    found = of_name(name)
    assert word == (found.word if found else None)


def test_a_header_says_more_than_its_name() -> None:
    """An authorization has its scheme, a cookie header one count for each cookie."""
    assert ["authorization bearer"] == [one.word for one in of_header("Authorization", "Bearer abc")]
    assert ["authorization"] == [one.word for one in of_header("authorization", "hunter2")]
    assert ["session cookie", "cookie"] == [one.word for one in of_header("Cookie", "JSESSIONID=1; lang=en;")]
    assert ["session cookie"] == [one.word for one in of_header("Set-Cookie", "sid=1; Path=/")]
    assert ["api key"] == [one.word for one in of_header("X-Api-Key", "abc")]
    assert [] == of_header("Accept", "*/*")


@pytest.mark.parametrize(
    "body",
    [
        '{"iban": "x", "a": {"password": 1',
        "iban=x&password=y",
        'name="iban"\r\n\r\nx name="password"',
        "<iban>x</iban><ns:password>",
    ],
)
def test_the_fields_of_a_body_count(body: str) -> None:
    """JSON, forms, multipart and XML name their fields, broken ones too."""
    assert ["iban", "password"] == [one.word for one in of_body(body)]


def test_a_path_moves_money_by_its_verbs() -> None:
    """Whole words of a path count, once each."""
    assert ["transfer", "refund"] == [one.word for one in of_path("/v1/wire-transfers/5/transfers/refund")][1:]
    assert [] == of_path("/v1/paint/transferable")


@given(st.text(max_size=40))
def test_only_the_vocabulary_is_ever_said(text: str) -> None:
    """Whatever the text, what comes back is one of the vocabulary's own words."""
    found = [*of_header(text, text), *of_path(text), *of_body(text), of_cookie(text), *filter(None, [of_name(text)])]
    assert vocabulary().issuperset(found)
    assert {one.matter for one in vocabulary()} == set(Matter)
