"""Policy documents as the verbs read them: from a file or from standard input, with one clear error."""

from __future__ import annotations

from pinscher.cli.reading import STDIN, check_there, read_bytes
from pinscher.document import LARGEST_TEXT
from pinscher.policy import Policy


def load_policy(text: str) -> Policy:
    """Load a policy; raise ``InvalidPolicyError`` or :class:`~pinscher.cli.reading.UnreadableFileError`."""
    if text == STDIN:
        return Policy.loads(read_bytes(text, limit=LARGEST_TEXT), source="<stdin>")
    check_there(text)
    return Policy.load(text)
