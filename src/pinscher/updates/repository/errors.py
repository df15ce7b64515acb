"""What stands in the way of publishing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.errors import PinningError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pinscher.updates.repository.publish import Objection


class RepositoryError(PinningError):
    """Something that cannot be done to this repository; nothing was changed."""


class BrokenRepositoryError(RepositoryError):
    """A file of the repository that cannot be read, or that its signers did not sign."""


class SigningKeyError(RepositoryError):
    """A key that cannot be had, cannot be used, or has nothing to sign here."""


class MissingSignaturesError(RepositoryError):
    """A staged file still lacks signatures, so that nothing can be published from it."""


class RefusedPublicationError(RepositoryError):
    """The checks object to a policy; ``objections`` are those that were not accepted by name."""

    def __init__(self, objections: Sequence[Objection]) -> None:
        self.objections = tuple(objections)
        names = ", ".join(dict.fromkeys(objection.name for objection in objections))
        lines = "".join(f"\n  [{objection.name}] {objection.text}" for objection in objections)
        super().__init__(f"the policy is not published: {names}{lines}")

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by the objections."""
        return type(self), (self.objections,)
