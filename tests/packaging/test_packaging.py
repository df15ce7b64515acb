"""What the monitor is run by: the unit, the container file and the manifest, by their text, and by their commands."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

HERE = Path(__file__).parent.parent.parent
UNIT = HERE / "packaging" / "systemd" / "pinscher-serve.service"
CONTAINER = (HERE / "packaging" / "container" / "Containerfile").read_text(encoding="utf-8")
MANIFEST: dict[str, Any] = {
    one["kind"]: one
    for one in yaml.safe_load_all((HERE / "packaging" / "kubernetes" / "pinscher.yaml").read_text(encoding="utf-8"))
}
POD = MANIFEST["Deployment"]["spec"]["template"]["spec"]
(POD_CONTAINER,) = POD["containers"]


def _unit() -> dict[str, str]:
    parsed = configparser.ConfigParser(strict=False, interpolation=None)
    parsed.optionxform = str  # type: ignore[assignment, method-assign]
    parsed.read(UNIT, encoding="utf-8")
    return dict(parsed["Service"])


def _instructions(name: str) -> list[str]:
    """Return what follows each instruction of this name in the container file, continued lines joined."""
    joined = CONTAINER.replace("\\\n", " ")
    return [line.partition(" ")[2].strip() for line in joined.splitlines() if line.startswith(f"{name} ")]


COMMANDS = {
    "systemd": shlex.split(_unit()["ExecStart"])[1:],
    "container": json.loads(_instructions("CMD")[-1]),
    "kubernetes": POD_CONTAINER["args"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_its_command_serves_and_its_probe_is_answered(name: str, tmp_path: Path) -> None:
    """The command runs as it stands, in folders of the test's, and ``/healthz`` answers a pod's own address."""
    (tmp_path / "data").mkdir()
    (tmp_path / "pins.toml").write_text(
        f'format = 1\nname = "x"\nversion = 1\n[hosts."localhost"]\npins = ["sha256/{"A" * 43}="]\n'
    )
    places = {
        "/etc/pinscher/pins.toml": str(tmp_path / "pins.toml"),
        "/data": str(tmp_path / "data"),
        "/data/monitor": str(tmp_path / "data" / "monitor"),
        "/var/lib/pinscher": str(tmp_path / "data"),
    }
    words = [re.sub(r"^(127\.0\.0\.1|0\.0\.0\.0):8080$", "127.0.0.1:0", places.get(w, w)) for w in COMMANDS[name]]
    command = [sys.executable, "-m", "pinscher.cli", *words, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            events = (json.loads(line) for line in process.stdout)
            url = next((event["url"] for event in events if event["event"] == "listening"), None)
            if url is None:
                process.terminate()
                pytest.fail(process.communicate(timeout=30)[1])
            asked = urllib.request.Request(f"{url}/healthz", headers={"Host": "10.1.2.3:8080"})
            with urllib.request.urlopen(asked, timeout=30) as reply:
                assert 200 == reply.status
        finally:
            process.terminate()
            process.communicate(timeout=30)
    assert 0 == process.returncode


@pytest.mark.parametrize("name", COMMANDS)
def test_its_options_are_ones_that_the_verb_has(name: str) -> None:
    """Every option of the command is in the verb's help."""
    told = subprocess.run(
        [sys.executable, "-m", "pinscher.cli", "serve", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert [] == [word for word in COMMANDS[name] if word.startswith("--") and f"{word} " not in told]


def _analysed(*words: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None and "CI" not in os.environ:
        pytest.skip("there is no systemd-analyze on this machine; the unit's fields are checked without it")
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False, timeout=60)


def test_systemd_reads_the_unit(tmp_path: Path) -> None:
    """``systemd-analyze verify`` finds nothing in the unit, once its program is one of this machine."""
    copied = tmp_path / UNIT.name
    text = UNIT.read_text(encoding="utf-8").replace("/opt/pinscher/bin/pinscher", sys.executable)
    # A page of the manual that is not installed is a finding too.
    copied.write_text(re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE))
    told = _analysed("verify", "--man=no", str(copied))
    assert [] == [line for line in told.stderr.splitlines() if UNIT.name in line]
    assert 0 == told.returncode, told.stderr


def test_systemd_rates_the_unit_as_closed() -> None:
    """``systemd-analyze security`` rates what the service is exposed to below 2 of 10."""
    told = _analysed("security", "--offline=yes", "--threshold=20", str(UNIT))
    assert 0 == told.returncode, told.stdout


def test_the_unit_gives_the_service_nothing() -> None:
    """The unit runs without root, capability, device or a file system to write to but its own folder."""
    unit = _unit()
    assert "" == unit["CapabilityBoundingSet"]
    for field in ("DynamicUser", "NoNewPrivileges", "PrivateDevices", "PrivateTmp", "MemoryDenyWriteExecute"):
        assert "yes" == unit[field]
    assert ("strict", "pinscher", "0700") == tuple(
        unit[field] for field in ("ProtectSystem", "StateDirectory", "StateDirectoryMode")
    )
    assert "--listen 127.0.0.1:8080" in unit["ExecStart"]


def test_the_base_is_named_by_its_digest() -> None:
    """The container file has no base of its own, and stops at one that is named without a digest."""
    assert ["BASE", "BASE"] == _instructions("ARG")
    assert ["${BASE} AS build", "${BASE}"] == _instructions("FROM")
    check = _instructions("RUN")[0]
    for base, code in ((f"python:3.13@sha256:{'a' * 64}", 0), ("python:3.13", 1), ("python@sha256:abc", 1), ("", 1)):
        ran = subprocess.run(["sh", "-c", check], env={"BASE": base, "PATH": "/usr/bin:/bin"}, check=False)
        assert code == ran.returncode, base


def test_the_container_installs_by_hash_and_from_nowhere_else() -> None:
    """Everything but the wheel is installed by hash, the wheel without an index, and what it copies is in the tree."""
    installing = "; ".join(_instructions("RUN"))
    assert 2 == installing.count("/pip install")
    assert 1 == installing.count("--require-hashes")
    assert 1 == installing.count("--no-deps --no-index")
    assert (HERE / "requirements" / "all.txt").exists()
    assert not re.search(r"\b(curl|wget|apt-get|ADD)\b", CONTAINER)


def test_the_container_runs_without_root() -> None:
    """The last user of the container is a number that is not root's, because a name cannot be checked by Kubernetes."""
    assert ["65532:65532"] == _instructions("USER")
    assert POD["securityContext"]["runAsUser"] == 65532
    assert CONTAINER.index("\nUSER ") > CONTAINER.rindex("\nRUN ")


def test_the_containers_own_probe_is_a_program() -> None:
    """The health check of the container file is a Python program that is refused where nobody listens."""
    (check,) = _instructions("HEALTHCHECK")
    words = json.loads(check[check.index("[") :])
    program = words[-1].replace("127.0.0.1:8080", "127.0.0.1:1")
    ran = subprocess.run([sys.executable, *words[1:-1], program], capture_output=True, text=True, check=False)
    assert 1 == ran.returncode
    assert "Connection refused" in ran.stderr


def test_the_pod_may_do_nothing() -> None:
    """The pod is not root, writes to its volumes alone, gains no right, and has no account of the cluster."""
    assert {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}.items() <= POD[
        "securityContext"
    ].items()
    own = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "privileged": False}
    assert own | {"capabilities": {"drop": ["ALL"]}} == POD_CONTAINER["securityContext"]
    assert POD["automountServiceAccountToken"] is False
    assert "memory" in POD_CONTAINER["resources"]["limits"]
    assert re.search(r"@sha256:[0-9a-f]{64}$", POD_CONTAINER["image"])


@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_the_pod_is_asked_for_its_health(probe: str) -> None:
    """Each probe asks ``/healthz`` at the port that the container names."""
    assert {"path": "/healthz", "port": "http"} == POD_CONTAINER[probe]["httpGet"]
    assert [{"name": "http", "containerPort": 8080}] == POD_CONTAINER["ports"]


def test_every_volume_is_one_that_there_is() -> None:
    """What is mounted is declared, what is declared is mounted, and the database is on a claim of its own."""
    declared = {volume["name"]: volume for volume in POD["volumes"]}
    assert set(declared) == {mount["name"] for mount in POD_CONTAINER["volumeMounts"]}
    assert MANIFEST["ConfigMap"]["metadata"]["name"] == declared["policy"]["configMap"]["name"]
    claimed = declared["data"]["persistentVolumeClaim"]["claimName"]
    assert MANIFEST["PersistentVolumeClaim"]["metadata"]["name"] == claimed
    assert ["ReadWriteOncePod"] == MANIFEST["PersistentVolumeClaim"]["spec"]["accessModes"]
    assert (1, "Recreate") == (
        MANIFEST["Deployment"]["spec"]["replicas"], MANIFEST["Deployment"]["spec"]["strategy"]["type"],
    )  # fmt: skip


def test_the_policy_of_the_manifest_is_a_policy() -> None:
    """The policy in the ConfigMap is read by the program, under the name that the command gives."""
    from pinscher.policy import Policy

    assert "bank-app" == Policy.loads(MANIFEST["ConfigMap"]["data"]["pins.toml"]).name


def test_the_network_is_closed_but_for_what_is_named() -> None:
    """The network policy selects the pod, names both directions, and lets nobody in without a label."""
    spec = MANIFEST["NetworkPolicy"]["spec"]
    labels = MANIFEST["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert labels == spec["podSelector"]["matchLabels"] == MANIFEST["Service"]["spec"]["selector"]
    assert ["Ingress", "Egress"] == spec["policyTypes"]
    assert all(rule["from"] for rule in spec["ingress"])
    assert {53, 443} == {port["port"] for rule in spec["egress"] for port in rule["ports"]}
