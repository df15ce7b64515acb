"""A lock for the writers of one machine, which the operating system lets go of when its holder dies."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from pinscher.store.errors import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def locked(path: str, seconds: float) -> Iterator[None]:
    """Hold the lock in a file; raise :class:`StoreUnavailableError` when it cannot be had in time."""
    # Loading it takes as long as a start may; a program that only reads does not pay.
    try:
        import filelock  # noqa: PLC0415
    except ModuleNotFoundError:
        raise StoreUnavailableError(
            "writing to a store needs filelock", path=path, remedy="pip install 'pinscher[updates]'"
        ) from None
    lock = filelock.FileLock(path, timeout=seconds, mode=0o600)
    try:
        lock.acquire()
    except (filelock.Timeout, OSError) as error:
        raise StoreUnavailableError(
            f"the lock of the store cannot be had ({type(error).__name__})",
            path=path,
            remedy="see which process holds it, and whether the disk is writable",
        ) from None
    try:
        yield
    finally:
        lock.release()
