"""
The settings of a pinned context: those that would hollow out the pins cannot be weakened.

Rules of this file:

1. Ours derives from the standard library's own classes, also where somebody put others in their place.
2. Every setting goes to the C level's own property. The setters that the standard library wraps around them look up
   the global name ``ssl.SSLContext``, and recurse without end once that name was replaced.
3. A setting that the judgement relies on is refused when it is weakened, and read again from the C level when a
   connection is made, because in-process code can reach the C level too. OpenSSL copies all of them into the
   connection then; what changes on the context afterwards does not reach it.
"""

from __future__ import annotations

import contextlib
import ssl
from typing import TYPE_CHECKING, Any

from pinscher.errors import PinningError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class InsecureContextError(PinningError, ValueError):
    """A setting or a use of a context that would hollow out its pins; nothing was changed."""


def _genuine(replaced: type, modules: tuple[str, ...]) -> type:
    """Return the standard library's class, also where another one was put in its place (``truststore`` does)."""
    for candidate in replaced.__mro__:
        if candidate.__module__ in modules:
            return candidate
    raise InsecureContextError(
        f"ssl.{replaced.__name__} was replaced by {replaced.__module__}.{replaced.__qualname__}, which does not derive "
        "from the standard library's class; import pinscher before whatever replaces it"
    )


if TYPE_CHECKING:
    GenuineContext = ssl.SSLContext
    GenuineSocket = ssl.SSLSocket
    GenuineObject = ssl.SSLObject
else:
    GenuineContext = _genuine(ssl.SSLContext, ("ssl", "gevent.ssl"))
    GenuineSocket = _genuine(ssl.SSLSocket, ("ssl", "gevent.ssl"))
    GenuineObject = _genuine(ssl.SSLObject, ("ssl", "gevent.ssl"))


def wrap_in_public(sock: Any, *settings: Any) -> Any:
    """Make a socket by the way that everybody takes; the context comes before the session, the last of all."""
    *more, context, session = settings
    wrap: Callable[..., Any] = GenuineContext.wrap_socket
    return wrap(context, sock, *more, session)


def c_descriptor(name: str) -> Any:
    """
    Return the C level's own property of a context.

    The setters that the standard library wraps around them look up the global name ``ssl.SSLContext`` and recurse
    without end once somebody replaced it, so ours go to the C level directly.
    """
    for candidate in GenuineContext.__mro__:
        if name in vars(candidate) and candidate.__module__ not in ("ssl", "gevent.ssl"):
            return vars(candidate)[name]
    raise InsecureContextError(f"this interpreter's ssl module has no {name!r}")


_VERIFY_MODE = c_descriptor("verify_mode")
_VERIFY_FLAGS = c_descriptor("verify_flags")
_CHECK_HOSTNAME = c_descriptor("check_hostname")
_OPTIONS = c_descriptor("options")
_MINIMUM_VERSION = c_descriptor("minimum_version")
_MAXIMUM_VERSION = c_descriptor("maximum_version")

# Plain numbers: flags of an enumeration cost microseconds where they meet an integer, several times a handshake.
_NO_RENEGOTIATION = int(ssl.OP_NO_RENEGOTIATION)
_PARTIAL_CHAIN = int(ssl.VERIFY_X509_PARTIAL_CHAIN)


def weakness_of(context: ssl.SSLContext) -> str:
    """Return why no chain of a context can be judged, or nothing where one can."""
    if _VERIFY_MODE.__get__(context) != ssl.CERT_REQUIRED:
        return "the context verifies no certificate (verify_mode is not CERT_REQUIRED)"
    return ""


@contextlib.contextmanager
def checking_hostname(context: ssl.SSLContext) -> Iterator[None]:
    """
    Have the connections that are made in a block verify the host name, also where a context leaves that to its client.

    OpenSSL copies the setting into a connection when it is made. Whoever makes connections of the same context at the
    same time has to wait for the end of the block.
    """
    if _CHECK_HOSTNAME.__get__(context):
        yield
        return
    _CHECK_HOSTNAME.__set__(context, True)
    try:
        yield
    finally:
        _CHECK_HOSTNAME.__set__(context, False)


def forbid_renegotiation(context: ssl.SSLContext) -> None:
    """Have a context refuse TLS 1.2 renegotiation, which would exchange the certificate after the check."""
    _OPTIONS.__set__(context, _OPTIONS.__get__(context) | _NO_RENEGOTIATION)


class StrictSettings(GenuineContext):
    """A client context that refuses to be weakened below what a judgement needs."""

    _MODE = ssl.CERT_REQUIRED
    _CHECKS_HOSTNAME = True

    # The C level's own properties under names of ours: every connection reads them, and there is no shorter way.
    _verify_mode, _checks_hostname, _verify_flags, _options = _VERIFY_MODE, _CHECK_HOSTNAME, _VERIFY_FLAGS, _OPTIONS

    def check_settings(self) -> None:
        """Refuse where a setting that the judgement relies on is not in force, however it came to be so."""
        if self._verify_mode != self._MODE:
            raise InsecureContextError(f"verify_mode is not {self._MODE.name}: the chain would not be what it claims")
        if self._checks_hostname is not self._CHECKS_HOSTNAME:
            raise InsecureContextError(f"check_hostname is not {self._CHECKS_HOSTNAME}")
        if self._verify_flags & _PARTIAL_CHAIN:
            raise InsecureContextError(_WHY_NO_PARTIAL_CHAIN)
        if not self._options & _NO_RENEGOTIATION:
            raise InsecureContextError(_WHY_NO_RENEGOTIATION)

    @property  # type: ignore[override]
    def verify_mode(self) -> ssl.VerifyMode:
        """The verify mode, which cannot be changed."""
        return ssl.VerifyMode(_VERIFY_MODE.__get__(self))

    @verify_mode.setter
    def verify_mode(self, value: ssl.VerifyMode) -> None:
        if value != self._MODE:
            raise InsecureContextError(
                f"verify_mode stays {self._MODE.name}, found {value!r}: pins are compared with a validated chain only"
            )
        _VERIFY_MODE.__set__(self, int(value))

    def _set_check_hostname(self, value: bool) -> None:  # noqa: FBT001  (a setter)
        if value is not self._CHECKS_HOSTNAME:
            raise InsecureContextError(f"check_hostname stays {self._CHECKS_HOSTNAME}: pins are looked up by that name")
        _CHECK_HOSTNAME.__set__(self, value)

    # The C level's own, for the standard library reads it for every connection; what is set comes by __setattr__.
    check_hostname = _CHECK_HOSTNAME

    @property  # type: ignore[override]
    def verify_flags(self) -> ssl.VerifyFlags:
        """The verify flags; a partial chain cannot be allowed."""
        return ssl.VerifyFlags(_VERIFY_FLAGS.__get__(self))

    @verify_flags.setter
    def verify_flags(self, value: ssl.VerifyFlags) -> None:
        if value & _PARTIAL_CHAIN:
            raise InsecureContextError(_WHY_NO_PARTIAL_CHAIN)
        _VERIFY_FLAGS.__set__(self, int(value))

    @property  # type: ignore[override]
    def options(self) -> ssl.Options:
        """The options; renegotiation cannot be allowed."""
        return ssl.Options(_OPTIONS.__get__(self))

    @options.setter
    def options(self, value: ssl.Options) -> None:
        if not value & _NO_RENEGOTIATION:
            raise InsecureContextError(_WHY_NO_RENEGOTIATION)
        _OPTIONS.__set__(self, int(value))

    @property  # type: ignore[override]
    def minimum_version(self) -> ssl.TLSVersion:
        """The lowest TLS version that is spoken."""
        return ssl.TLSVersion(_MINIMUM_VERSION.__get__(self))

    @minimum_version.setter
    def minimum_version(self, value: ssl.TLSVersion) -> None:
        _MINIMUM_VERSION.__set__(self, int(value))

    @property  # type: ignore[override]
    def maximum_version(self) -> ssl.TLSVersion:
        """The highest TLS version that is spoken."""
        return ssl.TLSVersion(_MAXIMUM_VERSION.__get__(self))

    @maximum_version.setter
    def maximum_version(self, value: ssl.TLSVersion) -> None:
        _MAXIMUM_VERSION.__set__(self, int(value))

    def __setattr__(self, name: str, value: object) -> None:
        """Set a setting or a new name; refuse to exchange the class or a method of this context."""
        if name == "check_hostname":
            self._set_check_hostname(bool(value))
            return
        found = next((vars(one)[name] for one in type(self).__mro__ if name in vars(one)), None)
        if name == "__class__" or (found is not None and not hasattr(type(found), "__set__")):
            raise InsecureContextError(f"{name!r} of a pinned context cannot be exchanged")
        super().__setattr__(name, value)


_WHY_NO_PARTIAL_CHAIN = (
    "VERIFY_X509_PARTIAL_CHAIN cannot be set: the chain would end at the first trusted certificate, and hide the "
    "pinned one above it; take the flag out (Python 3.13's default contexts have it)"
)
_WHY_NO_RENEGOTIATION = "OP_NO_RENEGOTIATION cannot be cleared: TLS 1.2 would exchange the certificate after the check"
