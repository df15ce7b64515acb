"""Our client behind the command line of the suite ``tuf-conformance``, on a simulated repository."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

HERE = Path(__file__).parent


def _publisher() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "updates_publisher", HERE.parent / "unit" / "updates" / "publisher.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


simulated = _publisher()


class Suite:
    """Runs the client as the suite does, each command as a program of its own."""

    def __init__(self, folder: Path) -> None:
        self.clock = simulated.Clock()
        self.publisher = simulated.Publisher(folder / "publisher", self.clock)
        self.publisher.publish(simulated.policy(1))
        self.server = simulated.Server(self.publisher.repository.public)
        self.metadata, self.targets = folder / "metadata", folder / "targets"
        self.metadata.mkdir()
        self.targets.mkdir()
        (folder / "root.json").write_bytes(self.publisher.root)
        assert 0 == self.run("init", str(folder / "root.json"))

    def run(self, command: str, *more: str, target: str = "policy.json") -> int:
        """Run one command, and return its exit code."""
        options = [
            "--metadata-dir", str(self.metadata), "--metadata-url", f"{self.server.address}/metadata",
            "--target-name", target, "--target-base-url", f"{self.server.address}/targets",
            "--target-dir", str(self.targets),
        ]  # fmt: skip
        ran = subprocess.run(
            [sys.executable, str(HERE / "tuf_client.py"), *options, command, *more],
            env={"TUF_CLIENT_TIME": self.clock.at.isoformat()}, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert "Traceback" not in ran.stderr, ran.stderr
        return ran.returncode

    def kept(self) -> list[str]:
        """Return the metadata that the client believes."""
        return sorted(path.name for path in self.metadata.glob("*.json"))


@pytest.fixture
def suite(tmp_path: Path) -> Iterator[Suite]:
    """Return a client that was given the first root, and its repository."""
    made = Suite(tmp_path)
    yield made
    made.server.close()


def test_init_asks_nobody(suite: Suite) -> None:
    """After ``init`` the trusted root is there, and nobody was asked for anything."""
    assert ["root.json"] == suite.kept()
    assert not suite.server.asked


def test_refresh_keeps_what_it_believes(suite: Suite) -> None:
    """After ``refresh`` the metadata lie under names without versions, octet for octet as they were served."""
    assert 0 == suite.run("refresh")
    assert ["root.json", "snapshot.json", "targets.json", "timestamp.json"] == suite.kept()
    assert suite.publisher.file("metadata/timestamp.json") == (suite.metadata / "timestamp.json").read_bytes()
    suite.server.asked.clear()
    assert 0 == suite.run("refresh")
    assert {"/metadata/2.root.json": 1, "/metadata/timestamp.json": 1} == dict(suite.server.asked)


def test_refresh_refuses_an_older_repository(suite: Suite) -> None:
    """A refused refresh ends with 1, and what was believed stays."""
    yesterday = suite.server.frozen()
    suite.publisher.publish(simulated.policy(2))
    assert 0 == suite.run("refresh")
    believed = (suite.metadata / "timestamp.json").read_bytes()
    suite.server.answers.update(yesterday)
    assert 1 == suite.run("refresh")
    assert believed == (suite.metadata / "timestamp.json").read_bytes()


def test_refresh_refuses_what_has_lapsed(suite: Suite) -> None:
    """The suite's clock decides what has lapsed."""
    suite.clock.move(days=3)
    assert 1 == suite.run("refresh")


def test_download_takes_a_target_once(suite: Suite) -> None:
    """A target is downloaded once, and again under the same name when it has changed."""
    assert 0 == suite.run("download")
    [first] = suite.targets.iterdir()
    assert simulated.policy(1).to_json() == first.read_bytes()
    suite.server.asked.clear()
    assert 0 == suite.run("download")
    assert [] == [path for path in suite.server.asked if path.startswith("/targets/")]
    suite.publisher.publish(simulated.policy(2))
    assert 0 == suite.run("download")
    assert simulated.policy(2).to_json() == first.read_bytes()
    assert 1 == suite.run("download", target="nothing.json")
