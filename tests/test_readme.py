"""The README, held against the real thing: its demo, its lines, and what it says of three peers that run here."""

from __future__ import annotations

import asyncio
import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pinscher.lab.authority import Authority
from pinscher.lab.server import TlsServer
from pinscher.pin import Pin

if TYPE_CHECKING:
    from pinscher.lab.authority import HeldCertificate

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
HOST = "api.bank.example"


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def test_the_page_is_read_in_a_minute() -> None:
    """The page has at most 150 lines, and says what it is in two sentences before its first command."""
    assert 150 >= len(README.splitlines())
    first = README.split("\n\n")[1].splitlines()
    assert 2 == len(first)
    assert all(sentence.endswith(".") for sentence in first)


def test_a_newcomer_is_led_on_before_the_first_command() -> None:
    """Before its first command the page leads to the first page of the tutorial, and to the index of all pages."""
    before = README.partition("```")[0]
    assert [] == [page for page in ("tutorial/first-pin.md", "index.md") if f"](docs/{page})" not in before]


def test_the_page_leads_to_every_part_of_the_documentation() -> None:
    """Every page of the tutorial and of the reasons is linked, and so are the indexes of dialects and of decisions."""
    docs = Path(__file__).parent.parent / "docs"
    pages = [*docs.glob("tutorial/*.md"), *docs.glob("why/*.md"), *docs.glob("*/index.md")]
    names = [path.relative_to(docs).as_posix() for path in pages]
    assert [] == sorted(name for name in names if f"](docs/{name})" not in README)


def test_the_demo_prints_what_the_page_shows() -> None:
    """Every line that the page shows of the demo is one that the demo prints, in that order, but for keys and dates."""

    def told(text: str) -> list[str]:
        keyless = re.sub(r"sha256/[A-Za-z0-9+/]{43}=", "sha256/...", text)
        return [re.sub(r"\d{4}-\d\d-\d\d", "DATE", line) for line in keyless.splitlines() if line]

    ran = subprocess.run(
        [sys.executable, "-m", "pinscher.cli", "demo"], capture_output=True, text=True, check=False, timeout=120
    )
    assert 0 == ran.returncode, ran.stdout + ran.stderr
    printed = iter(told(ran.stdout))
    shown = [line for line in told(_blocks("")[1]) if line != "  ..."]
    assert 19 == len(shown)
    assert [] == [line for line in shown if line not in printed]


def test_the_commands_of_the_page_are_there() -> None:
    """The two commands of the page are targets of the Makefile."""
    makefile = (Path(__file__).parent.parent / "Makefile").read_text(encoding="utf-8")
    commands = re.findall(r"^make ([\w-]+)", _blocks("")[0], re.MULTILINE)
    assert ["demo", "test"] == commands
    assert [] == [name for name in re.findall(r"`make ([\w-]+)", README) if f"\n{name}:" not in makefile]


def test_six_lines_pin_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lines about requests work with the policy above them, and a rogue is refused before it reads anything."""
    (policy,), (program,) = _blocks("toml"), _blocks("python")
    assert 6 >= len([line for line in program.splitlines() if line])
    authority = Authority.root()
    held = authority.issue("localhost")
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    pinned = re.sub(r'(?<=^pins = \[")[^"]+', str(Pin.of(held.der)), policy, flags=re.MULTILINE)
    (tmp_path / "pins.toml").write_text(pinned.replace(HOST, "localhost"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with TlsServer(held) as server:
        (tmp_path / "program.py").write_text(program.replace(HOST, f"localhost:{server.port}"))
        command = [sys.executable, "program.py"]
        answered = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
        assert 0 == answered.returncode, answered.stderr
        assert "'/balance'" in answered.stdout
        server.hand_over(authority.issue("localhost"))
        read = server.application_bytes
        refused = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
        server.wait_idle()
        assert (1, "", read) == (refused.returncode, refused.stdout, server.application_bytes)
    assert "no pinned key in the validated chain of localhost" in refused.stderr


def _row(name: str) -> dict[str, str]:
    """Return a row of the table by its columns."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in README.splitlines() if line.startswith("| ")]
    heads = [re.sub(r"\[\^\d\]", "", head) for head in rows[0]]
    (found,) = (row for row in rows if row[0] == name)
    return dict(zip(heads, found, strict=True))


def test_every_column_names_its_source() -> None:
    """Each peer's column and each cell with a note has a footnote, and each footnote a link to where it was read."""
    (heads,) = (line for line in README.splitlines() if line.startswith("| | Pinscher"))
    assert [str(number) for number in range(1, 8)] == re.findall(r"\[\^(\d)\]", heads)
    for number in range(1, 9):
        (note,) = re.findall(rf"^\[\^{number}\]: (.*)", README, re.MULTILINE)
        assert "](https://" in note


FINGERPRINT_ONLY = pytest.mark.parametrize("names", [("localhost",), ("other.example",)], ids=["named", "not named"])


@FINGERPRINT_ONLY
def test_a_fingerprint_of_urllib3_takes_the_place_of_the_name(tmp_path: Path, names: tuple[str, ...]) -> None:
    """urllib3 looks at the leaf's certificate, verifies the chain, and does not ask what the certificate is named."""
    import urllib3

    assert ("chain alone", "certificate", "one") == _told_of("urllib3")
    authority = Authority.root()
    held = authority.issue(*names)
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    (tmp_path / "other.pem").write_bytes(Authority.root("Other").pem)
    assert _urllib3(held, hashlib.sha256(held.der).hexdigest(), tmp_path / "ca.pem")
    with pytest.raises(urllib3.exceptions.MaxRetryError, match="Fingerprints did not match"):
        _urllib3(held.renew(), hashlib.sha256(held.der).hexdigest(), tmp_path / "ca.pem")
    with pytest.raises(urllib3.exceptions.MaxRetryError, match="certificate verify failed"):
        _urllib3(held, hashlib.sha256(held.der).hexdigest(), tmp_path / "other.pem")


def _urllib3(held: HeldCertificate, fingerprint: str, trust: Path) -> bool:
    import urllib3

    with TlsServer(held) as server, urllib3.PoolManager(assert_fingerprint=fingerprint, ca_certs=str(trust)) as pool:
        return pool.request("GET", f"https://localhost:{server.port}/", retries=0).status == 200


@FINGERPRINT_ONLY
def test_a_fingerprint_of_aiohttp_takes_the_place_of_everything(names: tuple[str, ...]) -> None:
    """A fingerprint of aiohttp looks at the leaf's certificate alone: nobody has to trust its authority, and its name is not asked."""
    import aiohttp

    assert ("neither", "certificate", "one") == _told_of("aiohttp")
    held = Authority.root().issue(*names)
    assert asyncio.run(_aiohttp(held, hashlib.sha256(held.der).digest()))
    with pytest.raises(aiohttp.ServerFingerprintMismatch):
        asyncio.run(_aiohttp(held.renew(), hashlib.sha256(held.der).digest()))


async def _aiohttp(held: HeldCertificate, fingerprint: bytes) -> bool:
    import aiohttp

    with TlsServer(held) as server:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"https://localhost:{server.port}/", ssl=aiohttp.Fingerprint(fingerprint)) as reply,
        ):
            return reply.status == 200


def test_curl_looks_at_the_leafs_key(tmp_path: Path) -> None:
    """The option of curl takes any of several keys of the leaf, no authority's, and goes by the key alone with ``--insecure``."""
    assert ("not with `--insecure`", "key", "several") == _told_of("curl")
    root = Authority.root()
    authority = root.intermediate()
    held = authority.issue("localhost")
    (tmp_path / "ca.pem").write_bytes(root.pem)
    (tmp_path / "other.pem").write_bytes(Authority.root("Other").pem)
    leaf, middle = (f"sha256//{str(Pin.of(der)).removeprefix('sha256/')}" for der in (held.der, authority.certificate))
    nobody = f"sha256//{'A' * 43}="
    with TlsServer(held) as server:
        for code, words in {
            0: ["--cacert", "ca.pem", "--pinnedpubkey", f"{nobody};{leaf}"],
            90: ["--cacert", "ca.pem", "--pinnedpubkey", middle],
            60: ["--cacert", "other.pem", "--pinnedpubkey", leaf],
        }.items():
            assert code == _curl(server.port, *words, folder=tmp_path)
        assert 0 == _curl(server.port, "--insecure", "--pinnedpubkey", leaf, folder=tmp_path)
        assert 90 == _curl(server.port, "--insecure", "--pinnedpubkey", nobody, folder=tmp_path)


def _curl(port: int, *words: str, folder: Path) -> int:
    command = ["curl", "-sS", "--noproxy", "*", *words, f"https://localhost:{port}/"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=60).returncode


def _told_of(peer: str) -> tuple[str, ...]:
    return tuple(_row(name)[peer] for name in ("verifies chain and name too", "a pin is", "pins of one host"))
