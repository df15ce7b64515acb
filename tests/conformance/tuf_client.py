"""
Our client of The Update Framework behind the command line that the public suite ``tuf-conformance`` asks for.

The suite's repository is https://github.com/theupdateframework/tuf-conformance; its ``CLIENT-CLI.md`` describes the
commands. What decides here is what decides in the updater: :class:`pinscher.updates.trust.Trust`, fed by the same
fetcher. What the updater adds on top, the floor and the rules for policies, plays no part in it. In one thing the two
differ: the suite wants a timestamp and a snapshot to be kept when what comes after them is refused, and the updater keeps
of such a refresh the new roots alone.
"""

from __future__ import annotations

import argparse
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from pinscher.replacement import replace_file
from pinscher.updates.errors import UpdateError
from pinscher.updates.fetcher import Mirror
from pinscher.updates.limits import Limits
from pinscher.updates.trust import Trust, root_name

CLOCK = "TUF_CLIENT_TIME"
"""An environment variable with another time than the clock's, for suites that move it."""
_BOOTSTRAP = "bootstrap.bin"


class Client:
    """One run of the command line, on the folder where the metadata are kept."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._folder = Path(arguments.metadata_dir)
        self._limits = Limits()
        self._metadata = arguments.metadata_url and Mirror(arguments.metadata_url, limits=self._limits)
        self._targets = arguments.target_base_url and Mirror(arguments.target_base_url, limits=self._limits)
        self._names: list[str] = arguments.target_name or []
        self._target_folder = arguments.target_dir and Path(arguments.target_dir)

    def init(self, root: str) -> None:
        """Remember the trusted root, which nobody checks yet."""
        content = Path(root).read_bytes()
        (self._folder / _BOOTSTRAP).write_bytes(content)
        (self._folder / "root.json").write_bytes(content)

    def refresh(self) -> Trust:
        """Take the newest metadata; keep whatever was believed, as the specification has it, even when the rest is not."""
        trust = Trust((self._folder / _BOOTSTRAP).read_bytes(), self._kept(), at=_now(), limits=self._limits)
        try:
            trust.climb(self._fetch)
            trust.refresh(self._fetch)
        finally:
            self._keep(trust)
        return trust

    def download(self) -> None:
        """Refresh, then fetch the targets that are not there yet."""
        trust = self.refresh()
        for name in self._names:
            found = trust.find(name, self._fetch)
            self._keep(trust)
            if found is None:
                raise UpdateError(f"there is no target called {name!a}")
            place = self._target_folder / quote(name, safe="")
            try:
                found.check(place.read_bytes())
            except (OSError, UpdateError):
                content = self._fetch(found.path, found.octets)
                found.check(content)
                place.write_bytes(content)

    def _fetch(self, path: str, octets: int, /) -> bytes:
        kind, _, rest = path.partition("/")
        mirror: Mirror = self._metadata if kind == "metadata" else self._targets
        return mirror(rest, octets)

    def _kept(self) -> dict[str, bytes]:
        kept = {}
        for path in self._folder.glob("*.json"):
            name = path.name if path.name in {"timestamp.json", "snapshot.json"} else f"role/{path.name}"
            if path.name != "root.json":
                kept[name] = path.read_bytes()
        for path in (self._folder / "root_history").glob("*.json"):
            kept[f"root/{path.name}"] = path.read_bytes()
        return kept

    def _keep(self, trust: Trust) -> None:
        (self._folder / "root_history").mkdir(exist_ok=True)
        for name, content in trust.files.items():
            kind, _, rest = name.rpartition("/")
            replace_file(str(self._folder / ("root_history" if kind == "root" else ".") / rest), content, mode=0o600)
        replace_file(str(self._folder / "root.json"), trust.files[root_name(trust.root_version)], mode=0o600)


def _now() -> datetime:
    told = os.environ.get(CLOCK)
    moment = datetime.fromisoformat(told) if told else datetime.now(UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def main(words: list[str]) -> int:
    """Run one command; 0 when all of it succeeded, 1 otherwise."""
    parser = argparse.ArgumentParser()
    for option in ("--metadata-dir", "--metadata-url", "--target-base-url", "--target-dir"):
        parser.add_argument(option)
    parser.add_argument("--target-name", action="append")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("init").add_argument("root")
    commands.add_parser("refresh")
    commands.add_parser("download")
    arguments = parser.parse_args(words)
    client = Client(arguments)
    try:
        if arguments.command == "init":
            client.init(arguments.root)
        elif arguments.command == "refresh":
            client.refresh()
        else:
            client.download()
    except (UpdateError, OSError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
