"""
The root of every error Pinscher raises, and how a stranger's text is made safe to show.

Each other error lives beside the type it carries: a bad pin's in ``pin``, a bad host's in ``host``, a refused
handshake's in ``tls``.
"""

from __future__ import annotations

_LONGEST_SHOWN = 256
"""Characters of a stranger's text that an error message shows."""


class PinningError(Exception):
    """Everything that Pinscher refuses is refused with a subclass of this error."""


def escaped(text: str, *, limit: int = _LONGEST_SHOWN) -> str:
    """
    Return *text* in printable ASCII, at most *limit* characters long.

    A certificate's subject, a host or a file's content was chosen by somebody else, and ends in a terminal, a log or
    a page. Control characters, line breaks, bidirectional marks, look-alike letters and escape sequences come back as
    backslash escapes. This does not make the text safe inside HTML: a page escapes it again.
    """
    shown = "".join(map(_shown, text[: limit + 1]))
    return shown if len(shown) <= limit else shown[: max(limit - 3, 0)] + "..."[:limit]


def _shown(character: str) -> str:
    if " " <= character <= "~":
        return "\\\\" if character == "\\" else character
    return f"\\x{ord(character):02x}" if character <= "\xff" else ascii(character)[1:-1]
