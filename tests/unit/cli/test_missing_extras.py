"""The verbs where ``pip install 'pinscher[cli]'`` is all that was installed; the rules are those of ``cli/__init__``."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pinscher import Pin
from pinscher.cli import _PACKAGES, main
from pinscher.cli.app import VERBS, app
from pinscher.lab.authority import Authority
from pinscher.lab.server import TlsServer
from pinscher.store import KeptKey, KeyFile, SealedStore
from pinscher.updates.log import LogWriter, NoteSigner

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent.parent.parent.parent
SIGNER = NoteSigner("pins.example/log", Ed25519PrivateKey.from_private_bytes(bytes(32)))
PIN = "sha256/C5+lpZ7tcVwmwQIMcRtPbsQtWLABXhQzejna0wHFr8M="
HIDDEN = sorted({name for extra, names in _PACKAGES.items() if extra != "cli" for name in names} - {*_PACKAGES["cli"]})
UPDATES, MONITOR, LAB = "updates", "monitor", "lab"


@dataclass(frozen=True, slots=True)
class Call:
    """A command line, its exit code where nothing but the extra ``cli`` is there, and the extra it then asks for."""

    line: str
    code: int = 0
    extra: str | None = None


CALLS = [
    Call("demo --mitmdump nosuch", 2),
    Call("show --ca-file ca.pem localhost:{port}"),
    Call("discover pins.toml"),
    Call("pin --ca-file ca.pem localhost:{port}"),
    Call("check --policy pins.toml --ca-file ca.pem localhost:{port}"),
    Call("lab list --family genuine"),
    Call("lab run --family genuine --jobs 1 -- false", 1),
    Call("lab run --can http2 --family coalescing -- false", 2, LAB),
    Call("lab score --peer nosuch", 2),
    Call("lab intercept --mitmdump nosuch -- true", 2),
    Call("lint pins.toml --fail-on error"),
    Call("survive localhost --policy pins.toml --chain chain.pem --trust ca.pem --trust mozilla"),
    Call("plan localhost --refresh 1 --svg plan.svg"),
    Call("import android android.xml"),
    Call("export android --policy pins.toml --accept-loss unlisted-hosts"),
    Call("convert android okhttp android.xml"),
    Call("diff pins.toml pins.toml"),
    Call("key new spare.key --host localhost --passphrase-file words"),
    Call("key rehearse spare.key --policy pins.toml --passphrase-file words --no-issuance", 1),
    Call("gate --new-cert chain.pem --deployed pins.toml --ca-file ca.pem"),
    Call("run --policy pins.toml -- {python} -c pass"),
    Call("forward --policy pins.toml unix:nosuch/socket localhost", 2),
    Call("embed pins.toml --root ca.pem --python pins.py", 2, UPDATES),
    Call("repo key signer.key", 2, UPDATES),
    Call("repo init repo --root a.pub --root-threshold 1 --signer a.pub --threshold 1 --online b.pub", 2, UPDATES),
    Call("repo sign repo --key signer.key", 2, UPDATES),
    Call("repo publish repo pins.toml", 2, UPDATES),
    Call("repo renew repo --online-key online.key", 2, UPDATES),
    Call("repo status repo", 2, UPDATES),
    Call(f"repo withdraw repo {PIN}", 2, UPDATES),
    Call(f"repo override repo --host localhost --pin {PIN} --hours 2", 2, UPDATES),
    Call("repo rotate repo targets", 2, UPDATES),
    Call("repo delegate repo team --signer signer.key.pub --threshold 1", 2, UPDATES),
    Call("update --repository https://a.example --root ca.pem --data kept", 2, UPDATES),
    Call("store show store --key file:keys/key"),
    Call("store check store --key file:keys/key"),
    Call("store show store --key keyring:x", 2, UPDATES),
    Call("store reset store --key file:keys/key --yes", 2, UPDATES),
    Call("log verify log --key {log_key}"),
    Call("log show log --key {log_key}"),
    Call("probe --policy pins.toml --ca-file ca.pem localhost:{port}"),
    Call("serve --policy pins.toml --data monitor --listen 127.0.0.1:0", 2, MONITOR),
    Call("doctor"),
    Call("doctor --data kept", 2, UPDATES),
    Call("doctor --data store --key file:keys/key", 2, UPDATES),
]
BARE = """
import importlib.machinery, io, json, sys, traceback

hidden, lines = json.loads(sys.argv[1])
real = importlib.machinery.PathFinder


class Bare:
    find_distributions = real.find_distributions

    def find_spec(name, path=None, target=None):
        return None if name.partition(".")[0] in hidden else real.find_spec(name, path, target)


sys.meta_path[:] = [Bare if one is real else one for one in sys.meta_path]
from pinscher.cli import main

answer, told = sys.stdout, []
for line in lines:
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    sys.stdout, sys.stderr = out, err
    try:
        code = main(line)
    except BaseException:
        code = traceback.format_exc()
    told.append([code, *(stream.buffer.getvalue().decode() for stream in (out, err))])
sys.stdout, sys.stderr = answer, sys.__stderr__
json.dump(told, answer)
"""
"""Runs command lines in a Python that finds none of some packages, and prints exit codes and both streams."""
ANDROID = f"""<network-security-config><domain-config><domain>localhost</domain><pin-set>
<pin digest="SHA-256">{PIN.removeprefix("sha256/")}</pin></pin-set></domain-config></network-security-config>"""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """Return a folder with everything that the command lines name, and the port of a pinned server."""
    folder = tmp_path_factory.mktemp("bare")
    root = Authority.root()
    held = root.intermediate().issue("localhost")
    policy = f'format = 1\nname = "bank"\nversion = 1\n[hosts."localhost"]\npins = ["{Pin.of(held.der)}"]\n'
    files = {
        "ca.pem": root.pem, "chain.pem": held.chain_pem, "words": b"correct horse battery staple",
        "pins.toml": f'{policy}backup-pins = ["{PIN}"]\n'.encode(), "android.xml": ANDROID.encode(),
    }  # fmt: skip
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "kept").mkdir()
    LogWriter(folder / "log", SIGNER).append([b"an entry"])
    with SealedStore.open(folder / "store", KeptKey(KeyFile(str(folder / "keys" / "key")))) as store:
        store.write({"bundle": bytes(10)})
    with TlsServer(held) as server:
        yield folder, server.port


@pytest.fixture(scope="module")
def told(port: tuple[Path, int]) -> dict[str, tuple[int | str, str, str]]:
    """Run every call in one Python that has only the packages of the extra ``cli``."""
    folder, number = port
    named = {"port": number, "python": sys.executable, "log_key": SIGNER.verifier}
    lines = [[word.format(**named) for word in call.line.split()] for call in CALLS]
    ran = subprocess.run(
        [sys.executable, "-c", BARE, json.dumps([HIDDEN, lines])], cwd=folder, capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    assert 0 == ran.returncode, ran.stderr
    return {call.line: tuple(one) for call, one in zip(CALLS, json.loads(ran.stdout), strict=True)}


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.line)
def test_a_command_works_or_says_what_to_install(told: dict[str, tuple[int | str, str, str]], call: Call) -> None:
    """Where only the extra ``cli`` is installed, a command works, or one error names the extra it needs (rule 1)."""
    code, out, err = told[call.line]
    assert call.code == code, f"{code}\n{out}{err}"
    asked = set(re.findall(r"pip install 'pinscher\[([a-z-]+)\]'", out + err))
    assert ({call.extra} if call.extra else set()) == asked
    if call.extra:
        assert ("", 1) == (out, err.count("pinscher: error: "))


def test_every_command_is_tried() -> None:
    """The calls above use every command that there is."""
    leaves = set()
    for verb in VERBS:
        found = app.get_command(click.Context(app), verb)
        below = found.list_commands(click.Context(found)) if isinstance(found, click.Group) else None
        leaves |= {verb} if below is None else {f"{verb} {name}" for name in below}
    tried = {" ".join(call.line.split()[: 1 + (call.line.split()[0] not in leaves)]) for call in CALLS}
    assert leaves == tried


def test_the_page_about_installing_says_which_command_needs_what() -> None:
    """The table of the extras names every command that asks for one, in the row of that extra."""
    page = (HERE / "docs" / "how-to" / "install.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `pinscher\[([a-z-]+)\]` \|[^|]*\|([^|]*)\|$", page, re.MULTILINE))
    assert {*_PACKAGES, "all"} == set(rows)
    for extra in (UPDATES, MONITOR, LAB):
        named = re.findall("`([^`]+)`", rows[extra])
        assert [one.line for one in CALLS if one.extra == extra] == [
            one.line for one in CALLS if any(_is_of(name, one.line) for name in named)
        ]


def _is_of(name: str, line: str) -> bool:
    """Tell whether a line has every word of what the page names; ``keyring:`` is the beginning of one."""
    words = line.split()
    return all(
        any(word == one or (one.endswith(":") and word.startswith(one)) for word in words) for one in name.split()
    )


@pytest.mark.parametrize("extra", sorted(_PACKAGES))
def test_every_package_of_an_extra_is_known(extra: str) -> None:
    """What an extra brings is known by the name that it is imported by, so that its absence is told (rule 1)."""
    declared = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    wanted = {_normal(re.split(r"[^\w.-]", one)[0]) for one in declared[extra]} - {"pinscher"}
    imported = {
        name
        for name, distributions in packages_distributions().items()
        if wanted & set(map(_normal, distributions)) and not name.startswith("_")
    }
    known = {name for names in _PACKAGES.values() for name in names}
    assert set() == {name for name in imported if name.isidentifier()} - known


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("room", ["pinscher.updates.repository", "pinscher.formats", "pinscher.lab"])
def test_a_room_without_its_extra_says_what_to_install(room: str) -> None:
    """A program that imports a room without what the room needs is told the extra in one sentence."""
    missing = {"pinscher.updates.repository": "tuf", "pinscher.formats": "defusedxml", "pinscher.lab": "cryptography"}
    program = f"import sys; sys.modules[{missing[room]!r}] = None; import {room}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    said = rf"Error: [a-z ]+ needs? {missing[room]}; install it with: pip install 'pinscher\[[a-z]+\]'$"
    assert re.search(said, done.stderr), done.stderr


def test_what_fails_for_another_reason_is_not_told_as_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that an extra does not bring is a mistake of this program, and is not called a missing package."""
    monkeypatch.setitem(sys.modules, "pinscher.cli.show", None)
    with pytest.raises(ModuleNotFoundError, match=r"pinscher\.cli\.show"):
        main(["show", "x"])
