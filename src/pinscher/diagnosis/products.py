"""
Interception products, known by the names they put into the certificates they mint.

Anyone can mint a certificate with any name. A match is a hint for a person: it names a product in a sentence, and it
never makes a certificate trusted nor a refusal milder.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pinscher.diagnosis.shipped import read_shipped

if TYPE_CHECKING:
    from collections.abc import Iterable

PORTAL = "captive portal"
"""The kind of a product that answers for every host until somebody logs in."""


@dataclass(frozen=True, slots=True)
class Product:
    """A product, what kind of thing it is, the names it goes by, and how the names came to be known."""

    name: str
    kind: str
    match: tuple[str, ...]
    source: str

    def is_named_in(self, name: str) -> bool:
        """Tell whether an escaped subject or issuer, as ``certificate_summary`` writes it, carries one of the names."""
        folded = f", {name}, ".lower()
        return any(_needle(pattern) in folded for pattern in self.match)


def _needle(pattern: str) -> str:
    return f", {pattern[1:]}, ".lower() if pattern.startswith("=") else pattern.lower()


@functools.cache
def known_products() -> tuple[Product, ...]:
    """Read the list of products, in its order."""
    entries = read_shipped("interception_products.json")["products"]
    return tuple(Product(entry["name"], entry["kind"], tuple(entry["match"]), entry["source"]) for entry in entries)


def product_named_in(names: Iterable[str], *, portals: bool = False) -> Product | None:
    """Return the first product (or, with *portals*, the first captive portal) that one of the names belongs to."""
    shown = tuple(names)
    for product in known_products():
        if (product.kind == PORTAL) is portals and any(map(product.is_named_in, shown)):
            return product
    return None


def portal_signed_in(hosts: Iterable[str]) -> Product | None:
    """Return a captive portal without a name of its own, where a host's name says that it is one."""
    words = _portal_words()
    if any(label in words for host in hosts for label in host.split(".")):
        return Product("a log-in page", PORTAL, (), "the words of portal_signs.json")
    return None


@functools.cache
def _portal_words() -> frozenset[str]:
    return frozenset(read_shipped("portal_signs.json")["words"])
