"""
Every way in which an update is refused, by the name of the attack or the failure.

A refusal never touches the policy in force: the last accepted one stays, and the alarm rises.
"""

from __future__ import annotations

from pinscher.errors import PinningError, escaped


class UpdateError(PinningError):
    """An update that was not taken; ``mirror`` says who offered it, or is None when nobody was asked."""

    def __init__(self, reason: str, *, mirror: str | None = None) -> None:
        self.reason = reason
        self.mirror = mirror
        super().__init__(reason if mirror is None else f"{escaped(mirror)}: {reason}")

    def of(self, mirror: str) -> UpdateError:
        """Return the same error, told with the mirror that gave the cause."""
        return type(self)(self.reason, mirror=mirror)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by the values the error was made from."""
        return _restored, (type(self), self.reason, self.mirror)


def _restored(kind: type[UpdateError], reason: str, mirror: str | None) -> UpdateError:
    return kind(reason, mirror=mirror)


class RepositoryUnreachableError(UpdateError):
    """No answer, or one that is none: a refused connection, a failed TLS handshake, an HTTP error."""


class AbsentFileError(RepositoryUnreachableError):
    """The repository says that it has no such file."""


class SlowRetrievalError(UpdateError):
    """A file came so slowly that a time limit ran out (TUF specification 1.5.2, slow retrieval attack)."""


class EndlessDataError(UpdateError):
    """A file is longer than it may be (TUF specification 1.5.2, endless data attack)."""


class RollbackError(UpdateError):
    """What is offered is older than what was accepted before, or than the floor (rollback attack)."""


class FreezeError(UpdateError):
    """What is offered has lapsed: somebody may be keeping newer metadata away (indefinite freeze attack)."""


class RootExpiredError(FreezeError):
    """The newest root that can be had has lapsed; only its key holders can sign another."""


class ThresholdError(UpdateError):
    """Fewer distinct keys signed than the role demands (arbitrary installation, key compromise below threshold)."""


class MixAndMatchError(UpdateError):
    """Files that were never published together were offered together (mix-and-match attack)."""


class UnreadableMetadataError(UpdateError):
    """What was offered as metadata is none."""


class WrongTargetError(UpdateError):
    """The bundle is not the one that the signed metadata name, or speaks of hosts that are not its signer's."""


class InvalidBundleError(UpdateError):
    """A bundle that is rightly signed and cannot be used: not the canonical bytes of a policy, or no valid override."""


class ForkError(UpdateError):
    """The transparency log contradicts a head that was seen before: two stories are being told (log fork)."""


class UnloggedError(UpdateError):
    """A rightly signed bundle of which the transparency log does not prove that it was published to everybody."""


class UpdateStoreError(UpdateError):
    """The store could not be read, written or locked; what it holds is not changed."""


class StoreBusyError(UpdateStoreError):
    """Another process kept the store locked for longer than the time limit."""
