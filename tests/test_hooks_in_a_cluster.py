"""The page's objects for cert-manager, laid out as a cluster mounts them, and the hook run there with real certificates."""

from __future__ import annotations

import re
import stat
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from pinscher import Policy
from pinscher.pin import Pin
from tests.test_hooks import HOOKS, HOST, NEW, OLD, ROOT, _hook, _policy

if TYPE_CHECKING:
    import subprocess

    from pinscher.lab.authority import HeldCertificate

PAGE = HOOKS.parent / "how-to" / "renew-with-certbot.md"


def _objects() -> dict[str, dict[str, Any]]:
    """Return the objects of the page about renewals for a cluster, by their kind."""
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    return {made["kind"]: made for made in map(yaml.safe_load, blocks)}


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """Return the folder in which the init container of the page finds its volumes, as a cluster mounts them."""
    (tmp_path / "ca.pem").write_bytes(ROOT.pem)
    config = dict(_objects()["ConfigMap"]["data"])
    config["hook.conf"] = (
        config["hook.conf"].replace("/etc", f"{tmp_path}/etc") + f"PINSCHER_CA_FILE={tmp_path}/ca.pem\n"
    )
    config["pins-2.3.toml"] = _policy(Pin.of(OLD.der))
    (tmp_path / "etc" / "pinscher" / "served").mkdir(parents=True)
    _mount(tmp_path / "etc" / "pinscher" / "config", config)
    return tmp_path


def _mount(place: Path, files: dict[str, str]) -> None:
    """Lay out a config map or a secret: each file is a link through a folder that is exchanged as a whole."""
    (place / "..2026_11_21").mkdir(parents=True)
    (place / "..data").symlink_to("..2026_11_21")
    for name, content in files.items():
        (place / "..2026_11_21" / name).write_text(content)
        (place / name).symlink_to(f"..data/{name}")


def _started(mounted: Path, held: HeldCertificate) -> subprocess.CompletedProcess[str]:
    """Run the init container's command with a secret, as a pod that starts does."""
    (gate,) = _objects()["Deployment"]["spec"]["template"]["spec"]["initContainers"]
    _mount(mounted / "tls", {"tls.crt": held.chain_pem.decode(), "tls.key": held.key_pem.decode()})
    told = {one["name"]: f"{mounted}{one['value']}" for one in gate["env"]}
    (command,) = gate["command"]
    assert "/etc/pinscher/hooks" == str(Path(command).parent)
    return _hook(Path(command).stem, mounted, TLS_SECRET=f"{mounted}/tls", **told)


def test_a_pod_starts_with_what_clients_accept(mounted: Path) -> None:
    """With the page's config map mounted as a whole, the init container leaves the pair where the server reads it."""
    done = _started(mounted, OLD)
    assert 0 == done.returncode, done.stderr
    served = mounted / "etc" / "pinscher" / "served"
    assert (OLD.chain_pem, OLD.key_pem) == (
        (served / "fullchain.pem").read_bytes(),
        (served / "privkey.pem").read_bytes(),
    )
    assert 0o600 == stat.S_IMODE((served / "privkey.pem").stat().st_mode)


def test_a_pod_does_not_start_with_what_clients_refuse(mounted: Path) -> None:
    """With a certificate whose key no client knows the init container fails, and the folder of the server stays empty."""
    done = _started(mounted, NEW)
    assert 1 == done.returncode, done.stderr
    assert [] == list((mounted / "etc" / "pinscher" / "served").iterdir())


def test_the_server_of_the_page_reads_what_its_gate_leaves() -> None:
    """The page's server mounts the folder that the gate fills, runs as the same user, and waits for a rollout in place."""
    spec = _objects()["Deployment"]["spec"]
    pod = spec["template"]["spec"]
    (gate,), (server,) = pod["initContainers"], pod["containers"]
    volumes = {volume["name"] for volume in pod["volumes"]}
    assert volumes == {mount["name"] for mount in gate["volumeMounts"]}
    places = {mount["name"]: mount["mountPath"] for mount in gate["volumeMounts"]}
    assert {"served": places["served"]} == {mount["name"]: mount["mountPath"] for mount in server["volumeMounts"]}
    assert [] == [mount for mount in gate["volumeMounts"] if "subPath" in mount]
    user = pod["securityContext"]
    assert user["runAsUser"] == user["fsGroup"] > 0
    assert not {"securityContext"} & (gate.keys() | server.keys())
    assert 0 == spec["strategy"]["rollingUpdate"]["maxUnavailable"]


def test_the_config_map_of_the_page_has_all_that_it_names() -> None:
    """Every policy that the page's inventory names is in the same config map, and both are read."""
    files = _objects()["ConfigMap"]["data"]
    named = [one["policy"] for one in tomllib.loads(files["deployments.toml"])["deployments"]]
    assert {"hook.conf", "deployments.toml", *named} == set(files)
    assert [HOST] == [str(host) for name in named for host in tomllib.loads(files[name])["hosts"]]
    assert all(Policy.loads(files[name]) for name in named)


def test_a_renewal_starts_a_rollout() -> None:
    """The page's pods are exchanged when the secret changes, and the page says that nothing else reaches clients."""
    objects = _objects()
    secret = objects["Certificate"]["spec"]["secretName"]
    assert [secret] == list(objects["Deployment"]["metadata"]["annotations"].values())
    assert "has to start a rollout" in PAGE.read_text(encoding="utf-8")
