"""The bounds of every reader of this room, in one place and with their units."""

from __future__ import annotations

LONGEST_TEXT = 16 * 1024
"""Octets that are looked at of one text in a file; the rest is passed over and counted."""

LONGEST_LINE = 64 * 1024
"""Octets of one line of a log or of a settings file."""

LARGEST_PAGE = 8 * 1024 * 1024
"""Octets of a file that is read whole: a source file, a settings file, a YAML document."""

LARGEST_FLOW = 64 * 1024 * 1024
"""Octets of one flow of a mitmproxy file; a larger one is passed over and counted."""

LARGEST_INFLATION = 1024 * 1024 * 1024
"""Octets of all the members of one archive, after inflation."""

LARGEST_MEMBER = 256 * 1024 * 1024
"""Octets of one member of an archive, after inflation."""

MOST_MEMBERS = 100_000
"""Members of an archive."""

DEEPEST = 64
"""Levels of nesting of a document."""

MOST_FIELDS = 2048
"""Headers, cookies and parameters of one request."""

MOST_FINDS = 20_000
"""Addresses, and words beside them, of one file."""

MOST_FILES = 200_000
"""Files of one run."""

MOST_HOSTS = 20_000
"""Hosts of one run."""

MOST_PLACES = 100
"""Places that are kept of one host; all of them are counted."""

MOST_RECORDS = 20_000
"""Records that one watched process writes; the file of startup/sitecustomize.py holds the same number."""
