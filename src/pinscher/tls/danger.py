"""
The weakenings, each under its own name, so that a review finds them by searching for ``danger``.

Nothing here is needed for a server whose certificate some CA issued, a private CA among them: name that CA with
``PinnedContext(policy, trust=...)`` instead.
"""

from __future__ import annotations

import ssl

from pinscher.tls.context import PinnedContext
from pinscher.tls.judgement import LeafGate

__all__ = ["LeafOnlyContext"]


class LeafOnlyContext(PinnedContext):
    """
    A context for servers without any CA: it validates no chain and matches the leaf certificate alone.

    A matching leaf proves that the server holds the pinned key, and nothing else is looked at: not the dates, not the
    revocation, not the names in the certificate, not what stands above it. Where nothing matches, nothing would
    authenticate the server, so a connection is let through for a match alone: ``report-only``, ``unpinned`` and
    ``unlisted-hosts = "allow"`` do not let one through here.
    """

    _MODE = ssl.CERT_NONE
    _CHECKS_HOSTNAME = False
    _GATE = LeafGate
