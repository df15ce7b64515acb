"""The bounds of every reader of foreign files, in one place and with their units."""

from __future__ import annotations

LARGEST_FILE = 8 * 1024 * 1024
"""Octets of a single file of any dialect."""

LARGEST_ARCHIVE = 512 * 1024 * 1024
"""Octets of an APK, AAB or IPA; only its directory and the members looked for are read."""

MOST_MEMBERS = 100_000
"""Members of an archive."""

LARGEST_MEMBER = 2 * 1024 * 1024
"""Octets of one member after inflation."""

LARGEST_INFLATION = 32 * 1024 * 1024
"""Octets of all the members looked at in one archive, after inflation."""

MOST_CANDIDATES = 4096
"""Members of an archive that are opened to see whether they are the one looked for."""

DEEPEST = 64
"""Levels of nesting in XML, plists, JSON and protocol buffers."""

MOST_NODES = 200_000
"""Elements, attributes, values and objects of one file."""

LONGEST_TEXT = 64 * 1024
"""Characters of one text, attribute or line."""

MOST_LINES = 200_000
"""Lines of a text dialect."""
