"""``pinscher update``: one refresh from the command line."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pinscher import Pin, Policy
from pinscher.cli.app import run

sys.path.insert(0, str(Path(__file__).parents[1] / "updates"))

from publisher import Clock, Publisher, Server, pin, policy

if TYPE_CHECKING:
    from collections.abc import Iterator


class Now(Clock):
    """A clock that stands at the moment it was made."""

    def __init__(self) -> None:
        super().__init__()
        self.at = datetime.now(UTC)


@pytest.fixture
def publisher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Publisher:
    """Return a repository that has published version 1 today."""
    monkeypatch.chdir(tmp_path)
    made = Publisher(tmp_path / "publisher", Now())
    made.publish(policy(1))
    (tmp_path / "root.json").write_bytes(made.root)
    return made


@pytest.fixture
def server(publisher: Publisher) -> Iterator[Server]:
    """Return its server."""
    serving = Server(publisher.repository.public)
    yield serving
    serving.close()


def words(server: Server, *more: str) -> list[str]:
    """Return the command line that follows a server."""
    return ["update", "--repository", server.address, "--root", "root.json", "--data", "data", *more]


def test_an_update_says_what_is_in_force(
    publisher: Publisher, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first refresh brings a policy, the second nothing new, the third says what changed."""
    assert 0 == run(words(server, "--output", "pins.json"))
    assert ("app version 1 in force, new, 1 host\n", "") == capsys.readouterr()
    assert policy(1) == Policy.load(tmp_path / "pins.json")
    assert 0 == run(words(server, "--output", "pins.json"))
    assert ("app version 1 in force, nothing new, 1 host\n", "") == capsys.readouterr()
    publisher.publish(policy(2))
    assert 0 == run(words(server, "--output", "pins.json"))
    out, _ = capsys.readouterr()
    assert out.startswith("app version 2 in force, new, 1 host\n")
    assert "  weakening  api.example: " in out
    assert policy(2) == Policy.load(tmp_path / "pins.json")


def test_an_update_as_json(publisher: Publisher, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON says what is in force, where it came from, what lapses when, and of an emergency policy."""
    from datetime import timedelta

    from pinscher.updates.repository import override

    ends = publisher.clock() + timedelta(hours=1)
    override(
        publisher.repository, ["api.example"], [Pin.parse(pin("x"))], ends=ends, current=None, at=publisher.clock()
    )
    publisher.signed_by("alice", "bob")
    assert 0 == run(words(server, "--json"))
    found = json.loads(capsys.readouterr()[0])
    assert {"name": "app", "version": 1, "digest": policy(1).digest} == found["policy"]
    assert (None, None, True, server.address) == (found["error"], found["kind"], found["changed"], found["mirror"])
    assert ["api.example"] == found["override"]["hosts"]
    assert {"epoch": 0, "policy": 1, "root": 1} == found["floor"]
    assert {"root", "targets", "snapshot", "timestamp"} == set(found["expires"])


def test_a_refusal_is_a_bad_answer(publisher: Publisher, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """Something refused is exit 1 and named, and what was accepted stays."""
    run(words(server))
    server.answers["/metadata/timestamp.json"] = b"{}"
    capsys.readouterr()
    assert 1 == run(words(server))
    out, err = capsys.readouterr()
    assert out == "app version 1 still in force, 1 host\n"
    assert "pinscher: warning: refused: " in err
    assert "pinscher: error: nothing was taken: UnreadableMetadataError\n" in err
    assert 1 == run(words(server, "--json"))
    assert "UnreadableMetadataError" == json.loads(capsys.readouterr()[0])["kind"]


def test_nobody_there_is_no_answer(publisher: Publisher, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """A repository that cannot be reached is exit 2."""
    server.answers["/metadata/timestamp.json"] = 503
    assert 2 == run(words(server))
    out, err = capsys.readouterr()
    assert out == "no policy is in force\n"
    assert "status 503" in err


@pytest.mark.parametrize("address", ["http://updates.example", "nothing"])
def test_an_address_that_is_none(publisher: Publisher, address: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An address that updates do not travel from is a usage error."""
    assert 2 == run(["update", "--repository", address, "--root", "root.json", "--data", "data"])
    assert "the address of a repository" in capsys.readouterr()[1]


def test_an_address_begins_with_its_scheme(publisher: Publisher, capsys: pytest.CaptureFixture[str]) -> None:
    """A name where an address is wanted is told what an address begins with."""
    assert 2 == run(["update", "--repository", "notaurl", "--root", "root.json", "--data", "data"])
    assert "the address of a repository begins with https://, found 'notaurl'" in capsys.readouterr()[1]


@pytest.mark.parametrize(("output", "told"), [(".", "it is a folder"), ("nosuch/pins.json", "its folder does not")])
def test_an_output_that_cannot_be_is_refused_before_anything_is_taken(
    server: Server, tmp_path: Path, output: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the policy could not be written, nothing is fetched and nothing kept: one error, exit 2."""
    assert 2 == run(words(server, "--output", output))
    out, err = capsys.readouterr()
    assert ("", 1) == (out, err.count("\n"))
    assert err.startswith(f"pinscher: error: cannot write '{output}': {told}")
    assert (0, False) == (server.asked.total(), (tmp_path / "data").exists())


def test_a_root_that_is_none(publisher: Publisher, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A root that cannot be read is told."""
    (tmp_path / "root.json").write_text("{}")
    assert 2 == run(["update", "--repository", "https://updates.example", "--root", "root.json", "--data", "data"])
    assert "the metadata of 'root' cannot be read" in capsys.readouterr()[1]
