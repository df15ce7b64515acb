"""The key of a certification request (PKCS #10, RFC 2986), as the very bytes that were signed."""

from __future__ import annotations

from pinscher.der import SEQUENCE, CertificateParseError, SubjectPublicKeyInfo, read_children, read_element


def key_of_request(der: bytes) -> SubjectPublicKeyInfo:
    """
    Cut the key out of a CertificationRequest; raise :class:`~pinscher.der.CertificateParseError` for other bytes.

    The request's own signature is not checked: a pin says which key is meant, not who holds it.
    """
    request = read_element(der, 0, len(der))
    if request.tag != SEQUENCE or request.end != len(der):
        raise CertificateParseError("expected a certification request")
    body = next(read_children(der, request), None)
    if body is None or body.tag != SEQUENCE:
        raise CertificateParseError("expected a CertificationRequestInfo", offset=request.content)
    fields = [field for field, _ in zip(read_children(der, body), range(4), strict=False)]
    if [field.tag for field in fields] not in _REQUEST_FIELDS:
        raise CertificateParseError("expected a version, a subject, a key and attributes", offset=body.content)
    key = fields[2]
    return SubjectPublicKeyInfo(der[key.start : key.end])


_REQUEST_FIELDS = ([0x02, SEQUENCE, SEQUENCE, 0xA0], [0x02, SEQUENCE, SEQUENCE])
"""RFC 2986 section 4.1; the attributes are mandatory, and some writers leave an empty set of them out."""
