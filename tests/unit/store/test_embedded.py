"""What a program is shipped with."""

from __future__ import annotations

import base64
import dataclasses
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pinscher.policy import Policy
from pinscher.store import Embedded, EmbeddedPinsError

if TYPE_CHECKING:
    from pathlib import Path

POLICY = Policy.loads(
    'format = 1\nname = "bank"\nversion = 7\n[hosts."a.example"]\n'
    f'pins = ["sha256/{"A" * 43}="]\nbackup-pins = ["sha256/{"E" * 43}="]\n'
)
ROOT = b'{"signatures": [{"keyid": "x", "sig": "y"}], "signed": {"_type": "root", "version": 1}}'


def made(**changed: object) -> Embedded:
    """Return embedded pins, some of their parts changed after they were made."""
    return dataclasses.replace(Embedded.of(root=ROOT, bundle=POLICY.to_json(), floor=5), **changed)  # type: ignore[arg-type]


def test_what_was_embedded_is_used() -> None:
    """The root, the bundle, the policy and the floor are those that were embedded."""
    one = made()
    assert (ROOT, POLICY.to_json(), POLICY, 5) == (one.root, one.bundle, one.policy, one.floor)


@pytest.mark.parametrize("resource", ["json", "lines"])
def test_resources_say_the_same(resource: str) -> None:
    """Both resources are read back as what was embedded, and are the same octets each time."""
    written = getattr(made(), f"to_{resource}")()
    assert (written, made()) == (getattr(made(), f"to_{resource}")(), getattr(Embedded, f"from_{resource}")(written))
    assert written.isascii()


def test_any_language_reads_the_lines() -> None:
    """A resource of lines needs no more than a split at the first equals sign and base64."""
    fields = dict(line.split("=", 1) for line in made().to_lines().decode().splitlines())
    assert POLICY.to_json() == base64.b64decode(fields["bundle"])
    assert ("1", "5") == (fields["format"], fields["floor"])


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"bundle_octets": POLICY.to_json()[:-1]}, "the bundle has the SHA-256"),
        ({"root_octets": ROOT + b" "}, "the root has the SHA-256"),
        ({"floor_number": 8}, "a floor of 8, expected 1 to 7"),
        ({"floor_number": 0}, "a floor of 0"),
        ({"floor_number": True}, "a floor of True"),
    ],
)
@pytest.mark.parametrize("use", ["root", "bundle", "policy", "floor"])
def test_nothing_is_used_unverified(changed: dict[str, object], reason: str, use: str) -> None:
    """Whichever part is used first, everything is verified before, and each use is refused."""
    one = made(**changed)
    for _ in range(2):
        with pytest.raises(EmbeddedPinsError, match=reason):
            getattr(one, use)


@pytest.mark.parametrize(
    ("root", "bundle", "reason"),
    [
        (b"{}", POLICY.to_json(), "not the metadata"),
        (b"[" * 100_000, POLICY.to_json(), "not the metadata"),
        (ROOT.replace(b'"root"', b'"targets"'), POLICY.to_json(), "'targets', expected signed 'root'"),
        (b'{"signatures": [], "signed": {"_type": "root", "version": 1}}', POLICY.to_json(), "expected signed"),
        (ROOT, b"", "empty"),
        (ROOT, POLICY.to_toml().encode(), "not the canonical JSON"),
    ],
)
def test_what_could_not_be_used_is_not_embedded(root: bytes, bundle: bytes, reason: str) -> None:
    """A root that is none, and a bundle that is no policy in its canonical form, are refused when they are embedded."""
    with pytest.raises(EmbeddedPinsError, match=reason):
        Embedded.of(root=root, bundle=bundle, floor=1)


@given(st.binary(max_size=300) | st.recursive(st.none() | st.text() | st.integers(), lambda some: st.lists(some) | st.dictionaries(
    st.sampled_from(["format", "root", "root-sha256", "bundle", "bundle-sha256", "floor"]), some), max_leaves=8
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_any_octets_are_refused_as_a_resource(content: bytes) -> None:
    """Any octets in place of a resource raise this room's own error."""
    for read in (Embedded.from_json, Embedded.from_lines):
        with pytest.raises(EmbeddedPinsError):
            read(content)


@pytest.mark.parametrize("field", ["format", "root", "root-sha256", "bundle", "bundle-sha256", "floor"])
def test_every_field_of_a_resource_counts(field: str) -> None:
    """A resource without one of its fields, or with another value in it, is refused."""
    table = json.loads(made().to_json())
    for changed in ({name: table[name] for name in table if name != field}, table | {field: "?"}, table | {field: []}):
        with pytest.raises(EmbeddedPinsError):
            Embedded.from_json(json.dumps(changed).encode())
        with pytest.raises(EmbeddedPinsError):
            Embedded.from_lines("".join(f"{name}={value}\n" for name, value in changed.items()).encode())


def test_a_field_that_stands_twice_is_refused() -> None:
    """A resource of lines that names a field twice is refused, whichever reader would take the last one."""
    with pytest.raises(EmbeddedPinsError, match="twice"):
        Embedded.from_lines(made().to_lines() + b"floor=1\n")


def test_reading_loads_no_third_party_package() -> None:
    """A program reads its embedded pins without the extra, and an unknown name of the room is an error."""
    code = "import sys, pinscher.store.embedded; print('cryptography' in sys.modules, 'keyring' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "False False\n" == ran.stdout
    import pinscher.store

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = pinscher.store.nothing
    assert all(getattr(pinscher.store, name).__name__ == name for name in pinscher.store.__all__)


@pytest.mark.parametrize("package", ["keyring.errors", "filelock"])
def test_a_missing_package_is_told(package: str, tmp_path: Path) -> None:
    """Without keyring or filelock the store says which package it needs and how to install it."""
    code = (
        f"import sys; sys.modules[{package!r}] = None\nfrom pinscher.store import *\n"
        f"try: SealedStore.open({str(tmp_path / 'store')!r}, KeptKey(KeyRing('x')))\n"
        "except StoreError as error: print(error)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert package.partition(".")[0] in ran.stdout
    assert "pip install 'pinscher[updates]'" in ran.stdout


def test_a_missing_extra_is_one_sentence() -> None:
    """Without cryptography the store says what to install."""
    code = (
        "import sys; sys.modules['cryptography.exceptions'] = None; import pinscher.store; pinscher.store.SealedStore"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert "needs cryptography; install it with: pip install 'pinscher[updates]'" in ran.stderr.splitlines()[-1]
