"""
What a client demands of the transparency log before it takes a policy.

Rules of this file:

1. Every policy and every emergency policy is in the log, proved by hashes up to a head that the log's key signed.
2. The head that is seen continues the one that was seen before; where it does not, the log has forked.
3. The head is kept, so that a program can send it on: that others see the same log only comparing heads can tell.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pinscher.updates.errors import (
    AbsentFileError,
    ForkError,
    RepositoryUnreachableError,
    UnloggedError,
    UpdateError,
)
from pinscher.updates.log import (
    Checkpoint,
    ForkedLogError,
    LogError,
    LogProof,
    LogUnreachableError,
    check_continues,
    pin_set_entry,
    proven_roots,
)
from pinscher.updates.log.inclusion import LARGEST_PROOF

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from pinscher.policy import Policy
    from pinscher.updates.log import NoteVerifier
    from pinscher.updates.trust import Fetch

LOG_FOLDER = "log"
"""Where the log lies in a repository, and below it the proofs, each by the digest of its policy."""


def proof_path(policy: Policy) -> str:
    """Return the path of a policy's proof below the log."""
    return f"proofs/{policy.digest}"


def checked_head(policy: Policy, verifier: NoteVerifier, seen: bytes | None, fetch: Fetch) -> bytes:
    """
    Return the newest signed head, after a policy was found in the log (rules 1 and 2).

    Raises:
        ForkError: the log contradicts the head that was *seen*.
        UnloggedError: the policy is not in the log, as far as this repository shows.
        RepositoryUnreachableError: the log cannot be read.
    """
    with _named():
        proof = LogProof.read(_proof(policy, fetch))
        head = proof.check(pin_set_entry(policy), verifier)
        if seen is None:
            return proof.checkpoint
        known = Checkpoint.open(seen, verifier)
        # A policy that comes back, an override say, may have been proved before the head that was seen.
        (older, _), (newer, note) = sorted([(known, seen), (head, proof.checkpoint)], key=lambda one: one[0].size)
        check_continues(_LogOf(fetch), seen=older, head=newer)
        return note


def log_roots(
    sizes: Collection[int], verifier: NoteVerifier, seen: bytes, mirrors: Iterable[tuple[str, Fetch]]
) -> dict[int, bytes]:
    """
    Return the roots of the log's first so many entries, proved up to the signed head that was *seen*.

    The first of *mirrors* whose tiles prove them is believed; sizes beyond the head are left out.

    Raises:
        UpdateError: no mirror's tiles prove them; the error of the last one.
    """
    error: UpdateError = RepositoryUnreachableError("there is no mirror")
    for address, fetch in mirrors:
        try:
            with _named():
                head = Checkpoint.open(seen, verifier)
                return proven_roots(_LogOf(fetch), head, [size for size in sizes if size <= head.size])
        except UpdateError as raised:
            error = raised if raised.mirror else raised.of(address)
    raise error


def _proof(policy: Policy, fetch: Fetch) -> bytes:
    try:
        return fetch(f"{LOG_FOLDER}/{proof_path(policy)}", LARGEST_PROOF)
    except AbsentFileError:
        raise UnloggedError(f"version {policy.version} is offered without a proof that it is in the log") from None


class _LogOf:
    """The log as the repository serves it."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch

    def fetch(self, path: str, limit: int) -> bytes | None:
        """Return a file of the log, or None if there is none."""
        try:
            return self._fetch(f"{LOG_FOLDER}/{path}", limit)
        except AbsentFileError:
            return None


@contextlib.contextmanager
def _named() -> Iterator[None]:
    """Turn what the log refuses into the errors of an update."""
    try:
        yield
    except ForkedLogError as error:
        raise ForkError(str(error)) from None
    except LogUnreachableError as error:
        raise RepositoryUnreachableError(f"the log: {error}") from None
    except LogError as error:
        raise UnloggedError(f"the log: {error}") from None
