"""Source for Node.js, judged by Node itself; the rules are those at the top of ``formats/emitted.py``."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest
from worlds import AT, CHAINS, HOSTS, MOMENTS, Chain, Oracle, hold_always, host_table, policy_of

from pinscher.formats import FORMATS, Choices, FormatLossError
from pinscher.lab.authority import Authority
from pinscher.lab.server import TlsServer
from pinscher.pin import Pin
from pinscher.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

NODE = FORMATS["node"]
ASK = """
const { accepts } = require('./pins.js');
const { hosts, chains, moments } = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const answers = hosts.map((host) => chains.map((chain) => moments.map((at) => accepts(host, chain, at))));
process.stdout.write(JSON.stringify(answers));
"""


def pins_of(chain: Chain) -> list[str]:
    """Return the pins that a chain offers, as the emitted code makes them."""
    return [str(pin) for one in chain for pin in (one.pin, one.certificate_pin)]


def test_node_decides_as_the_policy(tmp_path: Path, tool: Callable[[str], str]) -> None:
    """The module, run by Node over every host, chain and moment, decides as the policy; addresses are refused."""
    node = tool("node")
    (tmp_path / "ask.js").write_text(ASK)
    asked = json.dumps(
        {
            "hosts": HOSTS,
            "chains": [pins_of(chain) for chain in CHAINS],
            "moments": [at.timestamp() * 1000 for at in MOMENTS],
        }
    )

    def oracle(written: bytes) -> Oracle:
        (tmp_path / "pins.js").write_bytes(written)
        done = subprocess.run(
            [node, "ask.js"], cwd=tmp_path, input=asked, capture_output=True, text=True, check=True, timeout=30
        )
        answers = json.loads(done.stdout)

        def decide(host: str, chain: Chain, at: datetime) -> bool:
            return bool(answers[HOSTS.index(host)][CHAINS.index(chain)][MOMENTS.index(at)])

        return decide

    hold_always(NODE, oracle, Choices(AT), generates=False, examples=40)


CONNECT = """
const { agent } = require('./pins.js');
const fs = require('fs');
const https = require('https');
const shared = agent({ ca: fs.readFileSync('root.pem') });
const get = () => new Promise((resolve) => {
  https.get({ host: '127.0.0.1', port: Number(process.argv[2]), servername: 'localhost', agent: shared,
              headers: { connection: 'close' } },
    (response) => { response.resume(); response.on('end', () => resolve('accepted')); })
    .on('error', (error) => resolve(error.code));
});
(async () => { process.stdout.write(`${await get()} ${await get()}`); shared.destroy(); })();
"""


@pytest.mark.parametrize(
    ("pinned", "answer"),
    [("leaf", "accepted"), ("intermediate", "accepted"), ("root", "accepted"), ("other", "ERR_PIN_MISMATCH")],
)
def test_node_itself_obeys_the_module(tmp_path: Path, tool: Callable[[str], str], pinned: str, answer: str) -> None:
    """Node connects where any key of the signed path is pinned, refuses otherwise, and the second connection alike."""
    root = Authority.root("Formats Root")
    intermediate = root.intermediate("Formats Intermediate")
    held, other = intermediate.issue("localhost"), intermediate.issue("localhost")
    keys = {"leaf": held.der, "intermediate": held.chain[1], "root": root.certificate, "other": other.der}
    wanted = Policy.loads(
        f'format = 1\nname = "p"\nversion = 1\n[hosts."localhost"]\npins = ["{Pin.of(keys[pinned])}"]\n'
    )
    (tmp_path / "pins.js").write_bytes(NODE.write(wanted, Choices(AT)))
    (tmp_path / "connect.js").write_text(CONNECT)
    (tmp_path / "root.pem").write_bytes(root.pem if isinstance(root.pem, bytes) else root.pem.encode())
    with TlsServer(held) as server:
        done = subprocess.run(
            [tool("node"), "connect.js", str(server.port)],
            cwd=tmp_path, capture_output=True, text=True, check=True, timeout=30,
        )  # fmt: skip
    assert f"{answer} {answer}" == done.stdout
    assert [False, False] == [record.resumed for record in server.evidence], "a resumed session would not be checked"


def test_node_counts_no_key_that_did_not_sign(tmp_path: Path, tool: Callable[[str], str]) -> None:
    """CVE-2016-2402: a genuine authority that a forged leaf only names as its issuer does not count."""
    intermediate = Authority.root("Formats Root").intermediate("Formats Intermediate")
    genuine, forged = intermediate.issue("localhost"), intermediate.forged_issuer("localhost")
    wanted = policy_of(host_table("bank.com"))
    (tmp_path / "pins.js").write_bytes(NODE.write(wanted, Choices(AT)))
    (tmp_path / "issuer").write_bytes(genuine.chain[1])
    (tmp_path / "genuine").write_bytes(genuine.der)
    (tmp_path / "forged").write_bytes(forged.der)
    ask = """
    const { readFileSync } = require('fs');
    const { pinsOf } = require('./pins.js');
    const pins = (leaf) => pinsOf({ raw: readFileSync(leaf), issuerCertificate: { raw: readFileSync('issuer') } });
    process.stdout.write(JSON.stringify([pins('genuine'), pins('forged')]));
    """
    done = subprocess.run(
        [tool("node"), "-e", ask], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=30
    )
    expected = [[genuine.der, genuine.chain[1]], [forged.der]]
    pins = [[str(Pin.of(der, kind=kind)) for der in path for kind in ("spki", "certificate")] for path in expected]
    assert pins == json.loads(done.stdout)


def test_node_refuses_addresses_by_name(choices: Choices) -> None:
    """An address, which has several spellings, is a named loss."""
    with pytest.raises(FormatLossError, match="ip-address"):
        NODE.write(policy_of(host_table("2001:db8::1")), choices)
