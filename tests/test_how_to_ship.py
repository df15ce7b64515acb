"""The page about shipping pins and keeping what was accepted, followed as a reader would."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root

PAGE = Path(__file__).parent.parent / "docs" / "how-to" / "ship-and-keep-pins.md"
POLICY = (
    'format = 1\nname = "app"\nversion = 3\n[hosts."api.bank.example"]\n'
    f'pins = ["sha256/{"A" * 43}="]\nbackup-pins = ["sha256/{"E" * 43}="]\n'
)


def test_the_page_about_shipping_pins_is_true(tmp_path: Path) -> None:
    """Every program of the page is saved and every command run, in the page's order, and each ends well."""
    signer = CryptoSigner.generate_ed25519()
    root = Metadata(Root(version=1, expires=datetime(2040, 1, 1, tzinfo=UTC)))
    root.signed.add_key(signer.public_key, "root")
    root.sign(signer)
    root.to_file(str(tmp_path / "1.root.json"))
    (tmp_path / "pins.toml").write_text(POLICY)
    key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "log.key").write_bytes(key)
    text = PAGE.read_text(encoding="utf-8")
    for name, block in re.findall(r"`(\w+\.py)`[^\n]*:\n\n```python\n(.*?)```", text, re.DOTALL):
        (tmp_path / name).write_text(block)
    commands = re.findall(r"^\$ (.*)$", text, re.MULTILINE)
    assert 10 == len(commands)
    environment = os.environ | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    told = []
    for command in commands:
        ran = subprocess.run(
            ["sh", "-c", command],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (0, "") == (ran.returncode, ran.stderr), command
        told.append(ran.stdout)
    assert "floor  policy 0.3" in told[2]
    assert "app version 3" in told[6]
    assert "which is how it began" in told[9]


@pytest.mark.parametrize("page", ["store", "log"])
def test_every_error_has_its_place_in_the_reference(page: str) -> None:
    """Every error of the store and of the log is named in its reference page."""
    errors = {"store": "pinscher.store.errors", "log": "pinscher.updates.log.errors"}[page]
    text = (PAGE.parent.parent / "reference" / f"{page}.md").read_text(encoding="utf-8")
    names = [name for name, one in vars(importlib.import_module(errors)).items() if isinstance(one, type)]
    assert [] == [
        name for name in names if name.endswith("Error") and name != "PinningError" and f"`{name}`" not in text
    ]
