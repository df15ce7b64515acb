"""
What is asked of a TPM 2.0, over tpm2-pytss: seal and open a key, and count upwards.

Rules of this file:

1. A key is sealed under the owner's storage key, which the TPM derives anew from its own seed each time: what one TPM
   sealed no other opens, and neither does the same one after it was cleared.
2. The key crosses the bus encrypted, in a session that is salted with the storage key. Who changes what crosses the bus
   is not kept out by this.
3. The counter is an index of the kind COUNTER. Such an index only counts upwards, and one that is removed and defined
   again begins above every count that the TPM has seen. Anything else under its number is refused.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from pinscher.errors import escaped
from pinscher.store.errors import KeyUnavailableError, SealBrokenError

if TYPE_CHECKING:
    from collections.abc import Iterator

SEALED_LENGTH = 32
_COUNT_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a TPM made of a key: two structures that mean something to this TPM alone."""

    public: bytes
    private: bytes


class TpmDevice:
    """An open connection to a TPM; another program may have one at the same time through its resource manager."""

    def __init__(self, library: Any, context: Any, place: str) -> None:
        self._tss, self._context, self._place = library, context, place

    @classmethod
    @contextlib.contextmanager
    def open(cls, interface: str, place: str) -> Iterator[Self]:
        """Connect; *interface* is a TCTI such as ``device:/dev/tpmrm0``, and *place* what errors name."""
        tss = _library(place)
        try:
            context = tss.ESAPI(interface)
        except (tss.TSS2_Exception, RuntimeError, OSError) as error:
            raise _unavailable(f"no TPM answers at '{escaped(interface)}' ({escaped(str(error))})", place) from None
        try:
            yield cls(tss, context, place)
        except tss.TSS2_Exception as error:
            raise _unavailable(f"the TPM refuses ({escaped(str(error))})", place) from None
        finally:
            context.close()

    def seal(self, key: bytes) -> Sealed:
        """Seal a key to this TPM (rule 1)."""
        tss = self._tss
        given = tss.TPM2B_SENSITIVE_CREATE(tss.TPMS_SENSITIVE_CREATE(data=tss.TPM2B_SENSITIVE_DATA(key)))
        template = tss.TPM2B_PUBLIC.parse("keyedhash", objectAttributes=_object_attributes(tss))
        with self._session() as (parent, session):
            private, public, *_ = self._context.create(
                parent, given, template, session1=tss.ESYS_TR.PASSWORD, session2=session
            )
        return Sealed(bytes(public.marshal()), bytes(private.marshal()))

    def opened(self, blob: Sealed) -> bytes:
        """Open what this TPM sealed; raise :class:`SealBrokenError` for anything else."""
        tss = self._tss
        try:
            public, _ = tss.TPM2B_PUBLIC.unmarshal(blob.public)
            private, _ = tss.TPM2B_PRIVATE.unmarshal(blob.private)
        except tss.TSS2_Exception:
            raise self._foreign() from None
        with self._session() as (parent, session):
            try:
                handle = self._context.load(parent, private, public)
            except tss.TSS2_Exception:
                raise self._foreign() from None
            with self._flushed(handle):
                key = bytes(self._context.unseal(handle, session1=tss.ESYS_TR.PASSWORD, session2=session))
        if len(key) != SEALED_LENGTH:
            raise self._foreign()
        return key

    def has(self, index: int) -> bool:
        """Tell whether anything is defined under a number."""
        _, found = self._context.get_capability(self._tss.TPM2_CAP.HANDLES, index, 1)
        return index in [int(handle) for handle in found.data.handles]

    def count(self, index: int) -> int | None:
        """Return the count of a counter, 0 before its first step, or None where there is none (rule 3)."""
        if not self.has(index):
            return None
        with self._counter(index) as (counter, is_written):
            if not is_written:
                return 0
            return int.from_bytes(bytes(self._context.nv_read(counter, _COUNT_LENGTH, 0, counter)), "big")

    def step(self, index: int) -> int:
        """Let a counter go one step up, and return its count."""
        with self._counter(index) as (counter, _):
            self._context.nv_increment(counter, counter)
        return self.count(index) or 0

    def define(self, index: int) -> None:
        """Define a counter that has not counted yet; one that is defined stays as it is."""
        tss = self._tss
        if self.has(index):
            return
        public = tss.TPM2B_NV_PUBLIC(
            tss.TPMS_NV_PUBLIC(
                nvIndex=index, nameAlg=tss.TPM2_ALG.SHA256, attributes=_counter_attributes(tss), dataSize=_COUNT_LENGTH
            )
        )
        self._context.tr_close(self._context.nv_define_space(b"", public))

    def undefine(self, index: int) -> None:
        """Remove what is defined under a number."""
        if self.has(index):
            self._context.nv_undefine_space(self._context.tr_from_tpmpublic(index))

    @contextlib.contextmanager
    def _counter(self, index: int) -> Iterator[tuple[Any, bool]]:
        tss = self._tss
        handle = self._context.tr_from_tpmpublic(index)
        try:
            attributes = int(self._context.nv_read_public(handle)[0].nvPublic.attributes)
            if attributes & ~int(tss.TPMA_NV.WRITTEN) != int(_counter_attributes(tss)):
                raise SealBrokenError(
                    f"the TPM's index 0x{index:08x} is not the counter of a store",
                    path=self._place,
                    remedy="find out which program defined it; if none of yours did, take it for an attack",
                )
            yield handle, bool(attributes & int(tss.TPMA_NV.WRITTEN))
        finally:
            self._context.tr_close(handle)

    @contextlib.contextmanager
    def _session(self) -> Iterator[tuple[Any, Any]]:
        """Return the storage key, and a session in which what crosses the bus is encrypted (rule 2)."""
        tss = self._tss
        parent, *_ = self._context.create_primary(None, "ecc256:aes128cfb")
        with self._flushed(parent):
            symmetric = tss.TPMT_SYM_DEF(
                algorithm=tss.TPM2_ALG.AES,
                keyBits=tss.TPMU_SYM_KEY_BITS(aes=128),
                mode=tss.TPMU_SYM_MODE(aes=tss.TPM2_ALG.CFB),
            )
            session = self._context.start_auth_session(
                parent, tss.ESYS_TR.NONE, tss.TPM2_SE.HMAC, symmetric, tss.TPM2_ALG.SHA256
            )
            with self._flushed(session):
                wanted = tss.TPMA_SESSION
                self._context.trsess_set_attributes(session, wanted.DECRYPT | wanted.ENCRYPT | wanted.CONTINUESESSION)
                yield parent, session

    @contextlib.contextmanager
    def _flushed(self, handle: Any) -> Iterator[None]:
        try:
            yield
        finally:
            with contextlib.suppress(self._tss.TSS2_Exception):
                self._context.flush_context(handle)

    def _foreign(self) -> SealBrokenError:
        return SealBrokenError(
            "the key was sealed by another TPM, by this one before it was cleared, or was changed",
            path=self._place,
            remedy="if the files were copied from another machine, remove the key's file and the store here",
        )


def _object_attributes(tss: Any) -> Any:
    wanted = tss.TPMA_OBJECT
    return wanted.FIXEDTPM | wanted.FIXEDPARENT | wanted.USERWITHAUTH | wanted.NODA


def _counter_attributes(tss: Any) -> Any:
    wanted = tss.TPMA_NV
    counter = int(tss.TPM2_NT.COUNTER) << int(wanted.TPM2_NT_SHIFT)
    return wanted.AUTHREAD | wanted.AUTHWRITE | wanted.NO_DA | wanted.OWNERREAD | counter


def _library(place: str) -> Any:
    # Loading it takes longer than everything else at a start; whoever keeps the key elsewhere does not pay.
    try:
        import tpm2_pytss  # noqa: PLC0415
    except ImportError:
        raise _unavailable("a TPM needs tpm2-pytss: pip install 'pinscher[tpm]'", place) from None
    return tpm2_pytss


def _unavailable(reason: str, place: str) -> KeyUnavailableError:
    return KeyUnavailableError(
        reason, path=place, remedy="see whether /dev/tpmrm0 is there and this user may use it (group tss)"
    )
