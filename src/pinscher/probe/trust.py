"""Which roots were trusted to validate a path, in words a person can check."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from pinscher.errors import PinningError, escaped

REDIRECTING_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""The environment variables by which OpenSSL itself reads its roots from somewhere else."""


class UnusableTrustError(PinningError):
    """A file of roots that cannot be used; ``path`` says which."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"cannot trust the certificates in '{escaped(str(path))}': {reason}")
        self.path = path
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Trust:
    """The roots a probe trusts: the platform's, or those of one PEM file and no others."""

    ca_file: Path | None = None

    @classmethod
    def of(cls, ca_file: str | Path | None) -> Self:
        """Return the trust in *ca_file*, or in the platform's store for None."""
        return cls(None if ca_file is None else Path(ca_file))

    def check(self) -> None:
        """Raise :class:`UnusableTrustError` where the roots cannot be used, before anybody relies on them."""
        self.load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))

    def load_into(self, context: ssl.SSLContext) -> None:
        """Give *context* these roots; raise :class:`UnusableTrustError` for a file without a certificate."""
        if self.ca_file is None:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
            return
        try:
            context.load_verify_locations(cafile=self.ca_file)
        except ssl.SSLError:
            raise UnusableTrustError(self.ca_file, "expected PEM certificates") from None
        except OSError as error:
            raise UnusableTrustError(self.ca_file, (error.strerror or str(error)).lower()) from None

    def describe(self) -> str:
        """Say where the roots come from, and which environment variable moved them."""
        if self.ca_file is not None:
            return f"the certificates in {escaped(str(self.ca_file))}"
        moved = [name for name in REDIRECTING_VARIABLES if os.environ.get(name)]
        if moved:
            settings = " and ".join(f"{name}={escaped(os.environ[name])}" for name in moved)
            return f"the platform's trust store, redirected by {settings}"
        paths = ssl.get_default_verify_paths()
        place = paths.cafile or paths.capath
        return f"the platform's trust store ({escaped(place)})" if place else "the platform's trust store"
