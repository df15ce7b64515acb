"""
Texts that fit their columns.

PostgreSQL refuses a text that is too long for its column, and with it everything else in the same transaction: one
stranger's report would keep out the honest ones that are written together with it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sqlalchemy import String, TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy import Dialect

LONGEST_SUBJECT = 320
"""Characters of what a finding is about."""
_DIGEST = 32


class Fitted(TypeDecorator[str]):
    """A text of at most so many characters, more than 33; a longer one is made to fit, the same one always alike."""

    impl = String
    cache_ok = True

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002  (SQLAlchemy's)
        """Return what is stored, or compared with what is stored."""
        return None if value is None else fitting(value, self.length)


def fitting(text: str, limit: int = LONGEST_SUBJECT) -> str:
    """Return a text that is no longer than *limit*: a longer one is cut, and ends with a digest of the whole."""
    if len(text) <= limit:
        return text
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:_DIGEST]
    return f"{text[: limit - _DIGEST - 1]}~{digest}"
