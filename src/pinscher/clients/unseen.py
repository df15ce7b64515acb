"""What injection and the guard cannot see: the packages of this process that bring a TLS of their own."""

from __future__ import annotations

import sys

OWN_TLS = {
    "OpenSSL": "pyOpenSSL: pinscher.clients.pyopenssl, or pinscher.clients.twisted",
    "aioquic": "QUIC and HTTP/3: pinscher.clients.aioquic",
    "qh3": "QUIC and HTTP/3 of niquests: pinscher.clients.niquests switches it off",
    "pycurl": "pinscher.clients.pycurl",
    "curl_cffi": "pinscher.clients.curl_cffi",
    "grpc": "no hook: pinscher forward",
    "psycopg": "libpq, no hook: pinscher forward",
    "psycopg2": "libpq, no hook: pinscher forward",
    "confluent_kafka": "librdkafka, no hook: pinscher forward",
    "_mysql_connector": "MySQL's own library: pinscher.clients.mysql_connector",
    "MySQLdb": "MySQL's own library, no hook: pinscher forward",
    "PySide6.QtNetwork": "Qt's TLS: pinscher.clients.pyside",
    "PyQt6.QtNetwork": "Qt's TLS, of which pinscher has PySide alone",
    "M2Crypto": "an OpenSSL of its own",
    "nassl": "an OpenSSL of its own",
    "tlslite": "a TLS of its own",
    "mbedtls": "a TLS of its own",
}
"""Packages by the name they are imported by, and what pins them instead."""


def unseen() -> dict[str, str]:
    """Return the packages with a TLS of their own that this process has loaded, and what pins each of them instead."""
    return {name: instead for name, instead in OWN_TLS.items() if name in sys.modules}
