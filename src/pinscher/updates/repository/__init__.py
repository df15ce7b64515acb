"""
Publishing: a folder of signed files that any web server can serve, and what people do to it.

``public/`` is what is served; ``staging/`` is what still lacks signatures, and travels between the people who sign. One
file here is one action.
"""

from __future__ import annotations

try:
    import tuf as _tuf  # noqa: F401  (asked for here, so that its absence is one sentence)
except ModuleNotFoundError:
    raise ModuleNotFoundError(
        "publishing updates needs tuf; install it with: pip install 'pinscher[updates]'", name="tuf"
    ) from None

from pinscher.updates.repository.delegate import delegate
from pinscher.updates.repository.errors import (
    BrokenRepositoryError,
    MissingSignaturesError,
    RefusedPublicationError,
    RepositoryError,
    SigningKeyError,
)
from pinscher.updates.repository.keys import SigningKey, make_key, public_key
from pinscher.updates.repository.layout import Repository
from pinscher.updates.repository.logbook import start_log
from pinscher.updates.repository.override import override
from pinscher.updates.repository.publish import (
    Objection,
    Publication,
    bundle_of,
    publish,
    published_policy,
    staged_policy,
)
from pinscher.updates.repository.renew import Renewed, renew
from pinscher.updates.repository.roles import RoleKeys
from pinscher.updates.repository.rotate import rotate
from pinscher.updates.repository.sign import sign
from pinscher.updates.repository.start import start
from pinscher.updates.repository.status import RoleStatus, status
from pinscher.updates.repository.withdraw import withdrawn

__all__ = [
    "BrokenRepositoryError",
    "MissingSignaturesError",
    "Objection",
    "Publication",
    "RefusedPublicationError",
    "Renewed",
    "Repository",
    "RepositoryError",
    "RoleKeys",
    "RoleStatus",
    "SigningKey",
    "SigningKeyError",
    "bundle_of",
    "delegate",
    "make_key",
    "override",
    "public_key",
    "publish",
    "published_policy",
    "renew",
    "rotate",
    "sign",
    "staged_policy",
    "start",
    "start_log",
    "status",
    "withdrawn",
]
