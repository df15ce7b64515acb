"""``pinscher serve`` and the repository that it follows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pinscher.cli import main
from pinscher.cli.repository_options import FollowedRepository
from pinscher.errors import PinningError
from pinscher.monitor.findings.repository import repository_findings
from pinscher.updates.errors import ThresholdError, UnloggedError
from pinscher.updates.repository import delegate, start_log
from tests.unit.updates.publisher import Clock, Publisher, Server, policy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pinscher.updates import Updater


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    """Return a repository that has published version 1."""
    made = Publisher(tmp_path / "publisher", Clock())
    made.publish(policy(1))
    return made


@pytest.fixture
def server(publisher: Publisher) -> Iterator[Server]:
    """Return a server of the repository on the loopback."""
    serving = Server(publisher.repository.public)
    yield serving
    serving.close()


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_repository_is_followed_as_a_client_follows_it(
    publisher: Publisher, server: Server, tmp_path: Path, *, is_kept: bool
) -> None:
    """What is offered is verified from the root that was given, and remembered in the monitor's folder if it has one."""
    root = tmp_path / "root.json"
    root.write_bytes(publisher.root)
    updater = FollowedRepository(url=server.address, root=str(root)).updater(tmp_path / "data" if is_kept else None)
    assert updater is not None
    updater.refresh()
    assert (policy(1), is_kept) == (updater.policy, (tmp_path / "data" / "updates").exists())
    assert [] == repository_findings(updater.state, policy(1), Clock()())


def test_a_teams_policy_is_followed_by_its_name(publisher: Publisher, server: Server, tmp_path: Path) -> None:
    """A monitor that is told a delegated team's bundle follows that one, also in a folder that remembers another."""
    root = tmp_path / "root.json"
    root.write_bytes(publisher.root)
    followed = FollowedRepository(url=server.address, root=str(root))
    first = followed.updater(tmp_path / "data")
    assert first is not None
    assert policy(1) == first.refresh().policy
    delegate(publisher.repository, "pay", publisher.role("dave", threshold=1), at=publisher.clock())
    publisher.publish(policy(1, host="a.pay.example"), by=("alice", "bob", "dave"), role="pay")
    for folder in (None, tmp_path / "data"):
        updater = replace(followed, bundle="pay/policy.json").updater(folder)
        assert updater is not None
        assert policy(1, host="a.pay.example") == updater.refresh().policy
    with pytest.raises(PinningError, match="bundle"):
        replace(followed, bundle="../policy.json").updater(None)


def test_a_repository_of_another_root_is_critical(publisher: Publisher, server: Server, tmp_path: Path) -> None:
    """A repository that others sign is refused, and that is told."""
    other = Publisher(tmp_path / "other", Clock())
    root = tmp_path / "root.json"
    root.write_bytes(other.root)
    updater = FollowedRepository(url=server.address, root=str(root)).updater(None)
    assert updater is not None
    with pytest.raises(ThresholdError):
        updater.refresh()
    assert ["updates-refused"] == [one.rule for one in repository_findings(updater.state, policy(1), Clock()())]


def test_nothing_is_followed_without_an_address(tmp_path: Path) -> None:
    """Without both options there is no repository; an address that is none says so."""
    assert None is FollowedRepository(url=None, root=None).updater(tmp_path)
    root = tmp_path / "root.json"
    root.write_bytes(b"{}")
    with pytest.raises(PinningError, match="begins with https://"):
        FollowedRepository(url="http://repository.example", root=str(root)).updater(None)


def test_an_address_and_a_root_go_together(capsys: pytest.CaptureFixture[str]) -> None:
    """A repository cannot be verified without the root that clients came with."""
    assert 2 == main(["serve", "--policy", "x", "--data", "y", "--updates", "https://repository.example"])
    assert "--updates and --updates-root go together" in capsys.readouterr().err
    assert 2 == main(["serve", "--policy", "x", "--data", "y", "--updates-log", "a+b+c"])
    assert "--updates-log is the key of the log of --updates, and none was given" in capsys.readouterr().err
    assert 2 == main(["serve", "--policy", "x", "--data", "y", "--updates-bundle", "pay/policy.json"])
    assert "--updates-bundle is a policy of --updates, and none was given" in capsys.readouterr().err


def test_a_log_has_to_prove_what_is_offered(publisher: Publisher, server: Server, tmp_path: Path) -> None:
    """With the key of the log its head is known, and a policy that is not in it is refused; what is no key says so."""
    root = tmp_path / "root.json"
    root.write_bytes(publisher.root)

    def followed(log: str) -> Updater:
        updater = FollowedRepository(url=server.address, root=str(root), log=log).updater(None)
        assert updater is not None
        return updater

    key = str(start_log(publisher.repository, "pins.example/log"))
    with pytest.raises(UnloggedError):
        followed(key).refresh()
    publisher.publish(policy(2))
    updater = followed(key)
    updater.refresh()
    assert str(updater.state.log_head).startswith("pins.example/log 1 ")
    with pytest.raises(PinningError, match="is no verifier key"):
        followed("a+b+c")
