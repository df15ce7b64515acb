"""
Fuzz the reader of pin texts.

Invariant: any text is either refused with InvalidPinError, or is the one text of the pin it is read as.
"""

from __future__ import annotations

from runner import run

from pinscher.pin import InvalidPinError, Pin

SEEDS = (
    b"sha256/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    b"sha256//+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+A=",
    b"cert-sha256/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
    b"sha1/2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
    b"md5/1B2M2Y8AsgTpgAmY7PhCfg==",
    b'pin-sha256="47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="',
    b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
)


def fuzz(data: bytes) -> None:
    """Check the invariant at the head of this file for *data*, read as UTF-8 and as Latin-1."""
    for text in (data.decode("utf-8", "surrogateescape"), data.decode("latin-1")):
        try:
            pin = Pin.parse(text)
        except InvalidPinError as error:
            assert str(error).isascii(), text
            assert str(error).isprintable(), text
            assert len(str(error)) < 400, text
        else:
            assert str(pin) == text
            assert len(pin.digest) == 32


if __name__ == "__main__":
    run(fuzz, SEEDS)
