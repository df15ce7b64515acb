"""
A bank on this machine, to learn on: its authority, its certificates, its server, and somebody in between.

    python3 bank.py found                  the bank's authority, and its server's first key and certificate
    python3 bank.py issue KEY CERTIFICATE  a certificate of that authority for a key
    python3 bank.py intercept              somebody else's authority, and a certificate for the bank's name
    python3 bank.py serve CERTIFICATE KEY  answer on https://localhost:8443, until it is stopped
"""

import http.server
import os
import ssl
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from pinscher.lab.authority import Authority
from pinscher.lab.keys import SigningKey

PORT = 8443


class Teller(http.server.BaseHTTPRequestHandler):
    """Answers whoever asks, and notes what it was told."""

    def do_GET(self) -> None:
        """Answer with a balance, and note the password that came along."""
        with Path("told.txt").open("a", encoding="ascii") as told:
            told.write(f"{self.headers.get('Authorization')}\n")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"your balance is 42\n")

    def log_message(self, *_: object) -> None:
        """Say nothing on the screen."""


class Counter(http.server.ThreadingHTTPServer):
    """The bank's counter: whoever turns around at the door is no news."""

    def handle_error(self, *_: object) -> None:
        """Say nothing of a client that went away."""


def written(**files: bytes) -> None:
    """Write the files, and say so."""
    for name, content in files.items():
        Path(name).write_bytes(content)
    print("wrote", ", ".join(files))


def found() -> None:
    """Found the bank: its authority, and its server's first key and certificate."""
    root = Authority.root("Bank CA")
    server = root.issue("localhost")
    written(**{"ca.pem": root.pem, "ca.key": root.key.pem, "server.pem": server.pem, "server.key": server.key_pem})


def issue(key: str, certificate: str) -> None:
    """Issue a certificate for a key, be it one in use or the next."""
    written(**{certificate: authority().issue("localhost", key=key_in(key)).pem})


def intercept() -> None:
    """Make an authority that is not the bank's, put it beside the bank's in a trust store, and let it certify."""
    box = Authority.root("Inspection Box CA")
    held = box.issue("localhost")
    trusted = Path("ca.pem").read_bytes() + box.pem
    written(**{"trusted.pem": trusted, "box-ca.pem": box.pem, "box.pem": held.pem, "box.key": held.key_pem})


def serve(certificate: str, key: str) -> None:
    """Answer on this machine alone, and leave the number of this process in bank.pid."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server = Counter(("127.0.0.1", PORT), Teller)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    Path("bank.pid").write_text(str(os.getpid()), encoding="ascii")
    server.serve_forever()


def authority() -> Authority:
    """Read the bank's authority."""
    certificate = x509.load_pem_x509_certificate(Path("ca.pem").read_bytes())
    return Authority(certificate.subject, certificate.public_bytes(Encoding.DER), key_in("ca.key"), None, None)


def key_in(file: str) -> SigningKey:
    """Read a private key that nobody sealed."""
    return SigningKey.of(load_pem_private_key(Path(file).read_bytes(), None))


if __name__ == "__main__":
    {one.__name__: one for one in (found, issue, intercept, serve)}[sys.argv[1]](*sys.argv[2:])
