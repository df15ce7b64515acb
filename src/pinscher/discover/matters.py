"""
What crosses a connection, told by the names of fields: credentials, tokens, cookies, payment and personal data.

A name is compared with a vocabulary, and the vocabulary's own word is what is kept: the name itself could be a secret
that somebody wrote in the wrong place. This file imports nothing but the standard library, because a watched program
loads it from its path; see ``startup/sitecustomize.py``.
"""

from __future__ import annotations

import enum
import functools
import json
import os
import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Matter(enum.Enum):
    """What kind of thing crossed; the value is the word that is shown."""

    CREDENTIAL = "credential"
    TOKEN = "token"  # noqa: S105  (a kind of thing, not one of them)
    COOKIE = "cookie"
    PAYMENT = "payment"
    PERSONAL = "personal"
    MONEY = "money"
    """A request that moves money."""


class Crossing(NamedTuple):
    """One thing that crossed: its kind, and the vocabulary's word for it."""

    matter: Matter
    word: str


_LONGEST_NAME = 100
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_BETWEEN = re.compile(r"[^a-z0-9]+")


class _Vocabulary(NamedTuple):
    words: dict[str, Crossing]
    pattern: re.Pattern[str]
    verbs: dict[str, Crossing]
    schemes: dict[str, Crossing]


@functools.cache
def _vocabulary() -> _Vocabulary:
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data", "matters.json")
    with open(path, encoding="ascii") as file:
        told = json.load(file)
    words = {
        spelling: Crossing(Matter(kind), word)
        for kind, found in told["names"].items()
        for word, spellings in found.items()
        for spelling in spellings
    }
    longest_first = sorted(words, key=len, reverse=True)
    return _Vocabulary(
        words,
        re.compile(f"(?:^|-)({'|'.join(longest_first)})(?=-|$)"),
        {verb: Crossing(Matter.MONEY, word) for word, verbs in told["verbs"].items() for verb in verbs},
        {scheme: Crossing(Matter(kind), word) for scheme, (kind, word) in told["schemes"].items()},
    )


@functools.cache
def vocabulary() -> frozenset[Crossing]:
    """Return everything that this file can answer."""
    found = _vocabulary()
    here = [Crossing(Matter.CREDENTIAL, "authorization"), *(Crossing(Matter.COOKIE, word) for word in _COOKIES)]
    return frozenset([*found.words.values(), *found.verbs.values(), *found.schemes.values(), *here])


_COOKIES = ("session cookie", "cookie")


@functools.lru_cache(maxsize=4096)
def of_name(name: str) -> Crossing | None:
    """Return what the field of this name carries, or None: ``cardNumber``, ``card_number`` and ``X-Card-Number``."""
    if len(name) > _LONGEST_NAME or not name.isascii():
        return None
    vocabulary = _vocabulary()
    found = vocabulary.pattern.findall(_BETWEEN.sub("-", _HUMP.sub("-", name).lower()).strip("-"))
    # What a compound is, its last word says: the IBAN of a debtor, the password of a user.
    return vocabulary.words[found[-1]] if found else None


def of_header(name: str, value: str) -> list[Crossing]:
    """Return what a header carries; of the value only the scheme of an authorization and the names of cookies count."""
    lowered = name.lower()
    if lowered in ("authorization", "proxy-authorization"):
        unnamed = Crossing(Matter.CREDENTIAL, "authorization")
        return [_vocabulary().schemes.get(value.partition(" ")[0].lower(), unnamed)]
    if lowered == "cookie":
        return [of_cookie(part.partition("=")[0].strip()) for part in value.split(";") if part.strip()]
    if lowered == "set-cookie":
        return [of_cookie(value.partition("=")[0].strip())]
    found = of_name(name)
    return [found] if found else []


def of_cookie(name: str) -> Crossing:
    """Return what a cookie of this name is: one that keeps a session open, or another."""
    is_session = bool(_SESSION.search(_HUMP.sub("-", name[:_LONGEST_NAME]).lower()))
    return Crossing(Matter.COOKIE, _COOKIES[0] if is_session else _COOKIES[1])


_SESSION = re.compile(r"sess|(?:^|[^a-z])s?sid(?:[^a-z]|$)|auth|token|jwt|login|remember")


def of_path(path: str) -> list[Crossing]:
    """Return the money-moving verbs among the segments of a path."""
    verbs = _vocabulary().verbs
    segments = (_BETWEEN.sub("-", _HUMP.sub("-", part).lower()).strip("-") for part in path[:2048].split("/"))
    return [verbs[one] for one in dict.fromkeys(word for part in segments for word in part.split("-")) if one in verbs]


MOVING_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
"""The methods of requests that change something."""

_FIELD = re.compile(
    r'"([^"\\]{1,100})"\s*:|\bname="([^"]{1,100})"|(?:^|[&?\n])([^=&\s"{}<>]{1,100})=|<([A-Za-z][\w:.-]{0,99})>'
)


def of_body(text: str) -> Iterator[Crossing]:
    """Yield what the fields of a JSON, form, multipart or XML body carry, told by their names, broken ones too."""
    for found in _FIELD.finditer(text):
        crossing = of_name(found[found.lastindex or 0])
        if crossing:
            yield crossing
