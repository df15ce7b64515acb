"""How long the survival proof takes for ten thousand paths, and how it ends where there are more."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pinscher.pin import Pin
from pinscher.policy import Policy
from pinscher.rotation.survival import (
    Answer,
    Certificate,
    Proof,
    Question,
    Start,
    TrustStore,
    prove,
    read_certificate,
    smallest_cover,
)

HOST = "bank.test"
AT = datetime(2026, 11, 21, tzinfo=UTC)
LIMIT = 10.0
"""Seconds."""


def run() -> bool:
    """Prove a pin set on a graph of exactly ten thousand paths, then on one of a hundred thousand."""
    print("\nthe survival proof")
    return all([_whole(), _exploding(), _hard()])


def _whole() -> bool:
    question, certificates = _layers(10, 4)
    seconds, proof = _timed(question)
    moment = proof.moments[0]
    cover = proof.cover_of_authorities
    is_good = seconds <= LIMIT and len(moment.found) == 10_000 and proof.answer is Answer.SURVIVES and cover is not None
    size = 0 if cover is None else len(cover.chosen)
    told = f"{len(moment.found)} paths over {certificates} certificates, the smallest set of {size}"
    print(f"  {told:80} {seconds:6.2f} s   limit {LIMIT:g}: {'within' if is_good else 'ABOVE'}")
    return is_good


def _exploding() -> bool:
    question, certificates = _layers(10, 5)
    seconds, proof = _timed(question)
    is_good = seconds <= LIMIT and proof.answer is Answer.UNKNOWN
    told = f"{proof.moments[0].cut} over {certificates} certificates, and no claim of survival"
    print(f"  {told:80} {seconds:6.2f} s   limit {LIMIT:g}: {'within' if is_good else 'ABOVE'}")
    return is_good


def _hard() -> bool:
    """Look for the smallest set of ten thousand paths that have nothing to do with each other."""
    chance = random.Random(7469)
    elements = [number.to_bytes(2) for number in range(1_000)]
    paths = [chance.sample(elements, 6) for _ in range(10_000)]
    started = time.perf_counter()
    cover = smallest_cover(paths)
    seconds = time.perf_counter() - started
    is_good = seconds <= LIMIT and cover is not None and not cover.is_smallest
    told = f"10000 random paths over 1000 keys, cut short with a set of {len(cover.chosen) if cover else 0}"
    print(f"  {told:80} {seconds:6.2f} s   limit {LIMIT:g}: {'within' if is_good else 'ABOVE'}")
    return is_good


def _timed(question: Question) -> tuple[float, Proof]:
    read_certificate.cache_clear()
    started = time.perf_counter()
    proof = prove(question)
    _ = proof.answer, proof.cover, proof.cover_of_authorities
    return time.perf_counter() - started, proof


def _layers(width: int, depth: int) -> tuple[Question, int]:
    """Return a question about *depth* layers of so many authorities, each certified by all of the layer above."""
    keys = [[ec.generate_private_key(ec.SECP256R1()) for _ in range(width)] for _ in range(depth)]
    crossed = [
        _certified(f"CA {layer} {number}", keys[layer][number], f"CA {layer + 1} {above}", keys[layer + 1][above])
        for layer in range(depth - 1)
        for number in range(width)
        for above in range(width)
    ]
    roots = [
        _certified(f"CA {depth - 1} {number}", key, f"CA {depth - 1} {number}", key)
        for number, key in enumerate(keys[-1])
    ]
    own = ec.generate_private_key(ec.SECP256R1())
    leaves = [_certified("leaf", own, f"CA 0 {number}", key, host=HOST) for number, key in enumerate(keys[0])]
    pins = ", ".join(f'"{Pin.of(one.der)}"' for one in roots)
    policy = Policy.loads(f'format = 1\nname = "b"\nversion = 1\n[hosts."{HOST}"]\npins = [{pins}]\n')
    starts = tuple(Start(f"chain {number}", one, tuple(crossed)) for number, one in enumerate(leaves))
    question = Question(HOST, policy, starts, (TrustStore("roots", tuple(roots)),), (AT,))
    return question, len(crossed) + len(roots) + len(leaves)


def _certified(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
    *,
    host: str | None = None,
) -> Certificate:
    subject_name, issuer_name = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (subject, issuer))
    builder = (
        x509.CertificateBuilder().subject_name(subject_name).issuer_name(issuer_name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(AT - timedelta(days=30)).not_valid_after(AT + timedelta(days=30))
        .add_extension(x509.BasicConstraints(host is None, None), critical=True)
    )  # fmt: skip
    if host is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
    return read_certificate(builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.DER))


if __name__ == "__main__":
    run()
