"""
A monitor of three processes at full size: nothing that was accepted is lost, and nothing that was due is left out.

Each process is killed in turn, by SIGKILL, while 100,000 reports come in over HTTP and 10,000 endpoints are due.
It takes minutes, needs PostgreSQL and a NATS server, and says what it counted. Run it from the repository with
``python benchmarks/cluster.py [REPORTS PROBES]``; the suite has the same run at a fiftieth of the size.
"""

from __future__ import annotations

import os
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from pinscher.lab.authority import Authority
from tests.conformance.postgresql import PASSWORD, USER, cluster, programs
from tests.unit.monitor.cluster import WORKERS, Run
from tests.unit.monitor.nats_server import nats_server

REPORTS, PROBES = 100_000, 10_000
SENDERS = 24


def run(reports: int = REPORTS, probes: int = PROBES) -> bool:
    """Run it, print what was counted, and tell whether everything is there exactly once."""
    where = programs()
    assert where is not None, "no PostgreSQL server is installed"
    with (
        tempfile.TemporaryDirectory() as folder,
        nats_server() as nats,
        cluster(where) as made,
        made.serving(Authority.root().issue("127.0.0.1")) as server,
    ):
        stream = server._process.stderr
        assert stream is not None
        reader = threading.Thread(target=lambda: [None for _ in iter(lambda: os.read(stream.fileno(), 65536), b"")])
        reader.start()
        url = f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{server.port}/postgres?sslmode=require"
        tally = Run(url, nats.url, Path(folder), reports=reports, probes=probes, senders=SENDERS).run()
        server._process.terminate()
        reader.join()
    print(f"cluster, {WORKERS} processes, {tally.kills} killed, {tally.seconds:.0f} s")
    print(f"  {reports} reports: {len(tally.acknowledged)} acknowledged, {len(tally.stored)} rows stored,")
    print(f"    {len(set(tally.stored))} different keys, {tally.retries} answers missed and asked for again")
    print(f"  {probes} endpoints due: {tally.looked} looked at")
    is_whole = tally.acknowledged == set(tally.stored) and reports == len(tally.stored) and probes == tally.looked
    print(f"  {'nothing lost, nothing twice' if is_whole else 'NOT WHOLE'}")
    return is_whole


if __name__ == "__main__":
    raise SystemExit(not run(*map(int, sys.argv[1:3])))
