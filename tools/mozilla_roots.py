"""
Write the dated list of Mozilla's root programme that ``pinscher.diagnosis`` ships.

Run it with the package ``certifi`` installed, whose bundle is Mozilla's list of TLS roots:

    python tools/mozilla_roots.py src/pinscher/diagnosis/data/mozilla_roots.json

The file says which roots Mozilla's programme held at its date, and is used to explain a refusal, never to decide one.
"""

from __future__ import annotations

import hashlib
import json
import ssl
import sys
from importlib.metadata import version
from pathlib import Path

import certifi

from pinscher.der import SubjectPublicKeyInfo, certificate_summary

_BEGIN = "-----BEGIN CERTIFICATE-----"
_END = "-----END CERTIFICATE-----"


def main() -> None:
    """Write the list to the file named on the command line."""
    [target] = sys.argv[1:]
    release = version("certifi")
    date = "-".join(part.zfill(2) for part in release.split(".")[:3])
    roots = sorted({_root(der) for der in _certificates()})
    header = {
        "about": "SHA-256 of every root certificate in Mozilla's programme, and of its subjectPublicKeyInfo",
        "source": f"certifi {release}",
        "date": date,
        "written by": "tools/mozilla_roots.py",
    }
    lines = [f" {json.dumps(key)}: {json.dumps(value)}," for key, value in header.items()]
    entries = ",\n".join(f"  {json.dumps(root)}" for root in roots)
    Path(target).write_text("{\n" + "\n".join(lines) + f'\n "roots": [\n{entries}\n ]\n}}\n', encoding="ascii")


def _certificates() -> list[bytes]:
    blocks = Path(certifi.where()).read_text(encoding="ascii").split(_BEGIN)[1:]
    return [ssl.PEM_cert_to_DER_cert(_BEGIN + block.split(_END)[0] + _END) for block in blocks]


def _root(der: bytes) -> tuple[str, str, str]:
    key = SubjectPublicKeyInfo.of_certificate(der).sha256.hex()
    return certificate_summary(der).subject, hashlib.sha256(der).hexdigest(), key


if __name__ == "__main__":
    main()
