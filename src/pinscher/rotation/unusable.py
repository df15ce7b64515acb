"""The error of a file that somebody hands to this room and that cannot be used."""

from __future__ import annotations

import json
from typing import Any

from pinscher.errors import PinningError, escaped


class UnusableFileError(PinningError, ValueError):
    """A file that cannot be used; ``source`` names the file, ``path`` the place in it, ``reason`` says why."""

    def __init__(self, source: str, path: str, reason: str) -> None:
        super().__init__(": ".join(part for part in (escaped(source), path, reason) if part))
        self.source = source
        self.path = path
        self.reason = reason


def read_json(content: bytes, *, source: str, most: int, error: type[UnusableFileError]) -> Any:
    """Return what a file of at most *most* octets says in JSON; raise *error* where it says nothing."""
    if len(content) > most:
        raise error(source, "", f"at most {most >> 20} MiB")
    try:
        return json.loads(content.decode())
    except UnicodeDecodeError as found:
        raise error(source, "", f"not UTF-8 at byte {found.start}") from None
    except json.JSONDecodeError as found:
        raise error(source, "", f"not JSON at line {found.lineno}: {found.msg}") from None
    except (ValueError, RecursionError) as found:
        raise error(source, "", f"not JSON: {escaped(str(found))}") from None
