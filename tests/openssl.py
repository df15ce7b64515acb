"""What the OpenSSL that this interpreter's ``ssl`` runs on reads in a certificate: the second opinion of the tests."""

from __future__ import annotations

import _ssl
import ctypes
import functools
from typing import Any, NamedTuple


class Reading(NamedTuple):
    """What OpenSSL made of some bytes: the certificate as it writes it, its key, and the octets it looked at."""

    certificate: bytes
    key: bytes
    octets: int


@functools.cache
def library() -> Any | None:
    """Return OpenSSL's functions, or None where the interpreter hides them (a static build)."""
    try:
        found = ctypes.CDLL(_ssl.__file__)
        for name in ("d2i_X509", "X509_get_X509_PUBKEY", "d2i_X509_PUBKEY"):
            getattr(found, name).restype = ctypes.c_void_p
        for name in ("i2d_X509", "i2d_X509_PUBKEY", "X509_free", "X509_PUBKEY_free", "ERR_clear_error"):
            getattr(found, name)
    except (AttributeError, OSError):
        return None
    return found


def _read(functions: Any, name: str, der: bytes) -> tuple[ctypes.c_void_p, int] | None:
    buffer = ctypes.create_string_buffer(der, max(len(der), 1))
    place = ctypes.c_void_p(ctypes.addressof(buffer))
    read = getattr(functions, name)(None, ctypes.byref(place), ctypes.c_long(len(der)))
    functions.ERR_clear_error()
    return None if not read else (ctypes.c_void_p(read), (place.value or 0) - ctypes.addressof(buffer))


def _written(functions: Any, name: str, thing: ctypes.c_void_p) -> bytes:
    write = getattr(functions, name)
    buffer = ctypes.create_string_buffer(max(write(thing, None), 1))
    place = ctypes.c_void_p(ctypes.addressof(buffer))
    octets = write(thing, ctypes.byref(place))
    return buffer.raw[:octets]


def read_certificate(der: bytes) -> Reading | None:
    """Return what OpenSSL reads in a certificate, or None where it refuses it."""
    functions = library()
    read = _read(functions, "d2i_X509", der)
    if functions is None or read is None:
        return None
    certificate, octets = read
    key = _written(functions, "i2d_X509_PUBKEY", ctypes.c_void_p(functions.X509_get_X509_PUBKEY(certificate)))
    reading = Reading(_written(functions, "i2d_X509", certificate), key, octets)
    functions.X509_free(certificate)
    return reading


def read_key(der: bytes) -> bytes | None:
    """Return a subjectPublicKeyInfo as OpenSSL writes it, or None where it refuses it or leaves something over."""
    functions = library()
    read = _read(functions, "d2i_X509_PUBKEY", der)
    if functions is None or read is None:
        return None
    key, octets = read
    written = _written(functions, "i2d_X509_PUBKEY", key)
    functions.X509_PUBKEY_free(key)
    return written if octets == len(der) else None
