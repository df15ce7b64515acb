"""
The paths that OpenSSL builds, which tries one and never goes back.

Rules of this file, those of OpenSSL 3 with the flags that Python's ``ssl`` sets, but for partial chains:

1. For each next certificate the trust store is asked first, then what the server presented, in the order presented.
2. An issuer is chosen by its name and by the key identifier, not by its signature. The first that is valid at the
   moment is taken, otherwise the one that expired last.
3. From the first certificate out of the trust store on, only the trust store is asked. The path ends at a self-signed
   certificate of the store.
4. What was built is verified afterwards. A path that then fails is not mended: the connection fails.

A store has no order among certificates of one name, so each of those could be the first; every choice is followed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pinscher.rotation.survival.graph import is_signed_by

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from pinscher.rotation.survival.certificate import Certificate

_LONGEST = 100
"""The depth that OpenSSL gives up at."""


def openssl_paths(
    leaf: Certificate, presented: Sequence[Certificate], store: Sequence[Certificate], *, at: datetime
) -> Iterator[tuple[Certificate, ...]]:
    """
    Yield the authorities of each path that OpenSSL may build and then accepts.

    The leaf's own dates and names are not judged.
    """
    by_subject: dict[object, list[Certificate]] = {}
    for one in store:
        by_subject.setdefault(one.subject, []).append(one)
    for path in _built((leaf,), presented, by_subject, at):
        if _is_accepted(path, at):
            yield path[1:]


def _built(
    path: tuple[Certificate, ...],
    presented: Sequence[Certificate],
    by_subject: dict[object, list[Certificate]],
    at: datetime,
) -> Iterator[tuple[Certificate, ...]]:
    current = path[-1]
    if len(path) > _LONGEST:
        return
    trusted = [one for one in by_subject.get(current.issuer, ()) if _looks_like_issuer(one, current)]
    if current.looks_self_signed and current in trusted:
        # Only a leaf comes here: every other self-signed certificate of the store has ended its path already.
        yield path
    elif trusted:
        for one in _choices(trusted, at):
            if one in path:
                continue
            if one.looks_self_signed:
                yield (*path, one)
            else:
                # Nothing that was presented is looked at any more (rule 3).
                yield from _built((*path, one), (), by_subject, at)
    elif not current.looks_self_signed:
        sent = [one for one in presented if one not in path and _looks_like_issuer(one, current)]
        for one in _choices(sent, at)[:1]:
            yield from _built((*path, one), presented, by_subject, at)


def _looks_like_issuer(issuer: Certificate, subject: Certificate) -> bool:
    wanted, held = subject.authority_key_identifier, issuer.key_identifier
    return issuer.subject == subject.issuer and (wanted is None or held is None or wanted == held)


def _choices(candidates: list[Certificate], at: datetime) -> list[Certificate]:
    """Return the valid candidates in their order, or the one that expired last (rule 2)."""
    valid = [one for one in candidates if one.is_valid_at(at)]
    return valid or sorted(candidates, key=lambda one: one.not_after)[-1:]


def _is_accepted(path: tuple[Certificate, ...], at: datetime) -> bool:
    leaf, *authorities = path
    below = 0
    for subject, issuer in zip(path, authorities, strict=False):
        if not (issuer.is_valid_at(at) and issuer.can_issue() and issuer.permits(leaf.names)):
            return False
        if issuer.path_length is not None and below > issuer.path_length:
            return False
        if not is_signed_by(subject, issuer):
            return False
        below += not issuer.is_self_issued
    return True
