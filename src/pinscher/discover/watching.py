"""
Watching a Python program: it is run with an audit hook, and says which hosts it turned to and from which line.

The hook is loaded by a ``sitecustomize`` on PYTHONPATH and writes to a private folder that is gone afterwards. A
program that ignores PYTHONPATH (``python -I``, ``-E``, ``-S``) is not watched, nor are other programs it starts that
are no Python. Clients with an HTTP implementation of their own show their hosts, but not what crosses: that is seen of
``http.client`` and what builds on it.
"""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pinscher.discover.addresses import host_and_port
from pinscher.discover.limits import LONGEST_LINE, MOST_RECORDS
from pinscher.discover.matters import Crossing, Matter, vocabulary
from pinscher.discover.sighting import Evidence, Place, Sighting, Skipped, Source
from pinscher.errors import PinningError, escaped

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pinscher.discover.endpoint import Inventory
    from pinscher.discover.sighting import Find

_STARTUP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "startup")
_MOST_PROCESSES = 1000


def watch(command: Sequence[str], inventory: Inventory) -> int:
    """Run a program with its standard output on standard error, add what it turned to, and return its exit code."""
    with tempfile.TemporaryDirectory(prefix="pinscher-") as folder:
        paths = [_STARTUP, *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PINSCHER_DISCOVER": folder}
        try:
            code = subprocess.run(  # noqa: S603  (the program that the user chose)
                command, env=environment, stdout=2, check=False
            ).returncode
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise PinningError(f"cannot run '{escaped(command[0])}': {reason.lower()}") from None
        inventory.files += 1
        for find in _found(folder, os.path.basename(command[0])):
            inventory.add(find)
    return code


def _found(folder: str, program: str) -> Iterator[Find]:
    names = sorted(os.listdir(folder))
    if not names:
        yield Skipped("a program that did not load the watcher (no Python, or python -I, -E or -S)", Place(program))
    if len(names) > _MOST_PROCESSES:
        yield Skipped("more processes than are looked at", Place(program), len(names) - _MOST_PROCESSES)
    for name in names[:_MOST_PROCESSES]:
        with open(os.path.join(folder, name), "rb") as stream:
            yield from read_records(Source(program, stream))


@dataclass(slots=True)
class _Run:
    """What one process has done so far."""

    named: set[int | None] = field(default_factory=set)
    """The ports of hosts that were looked up by their names; connections to addresses on them are theirs."""


def read_records(source: Source) -> Iterator[Find]:
    """Yield the sightings of one process; the program could have written anything into its file."""
    run = _Run()
    for number, octets, is_cut in source.lines(LONGEST_LINE):
        if number > MOST_RECORDS + 1:
            yield Skipped("more records than are looked at", Place(source.name))
            return
        try:
            record = None if is_cut else json.loads(octets)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict):
            yield Skipped("a damaged record of a watched program", Place(source.name))
        elif record.get("end"):
            yield Skipped("more records than are looked at", Place(source.name))
        elif not record.get("begin"):
            yield from _record(record, source, run)


def _record(record: dict[str, Any], source: Source, run: _Run) -> Iterator[Find]:
    file, line, port = record.get("file"), record.get("line"), record.get("port")
    known = isinstance(file, str) and type(line) is int
    place = Place(str(file), line) if known else Place(source.name)
    host, how = record.get("host"), record.get("how")
    port = port if type(port) is int and 0 < port < 65536 else None
    is_address = isinstance(host, str) and _is_address(host)
    if not is_address:
        run.named.add(port)
    elif port in run.named and how != "request":
        return
    found = host_and_port(f"[{host}]" if is_address and ":" in str(host) else str(host)[:300])
    if isinstance(found, str):
        yield Skipped(found, place)
        return
    scheme = record.get("scheme") if record.get("scheme") in ("http", "https") else None
    crossed = Counter(_words(record.get("words")))
    yield Sighting(found[0], place, Evidence.WATCHED, port=port, scheme=scheme, crossed=crossed)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


_MATTERS = {matter.value: matter for matter in Matter}


def _words(words: Any) -> Iterator[Crossing]:
    """Yield the crossings of a record; a word that is not the vocabulary's own is left out."""
    for one in words if isinstance(words, list) else []:
        match one:
            case [str(kind), str(word)] if kind in _MATTERS and Crossing(_MATTERS[kind], word) in vocabulary():
                yield Crossing(_MATTERS[kind], word)
