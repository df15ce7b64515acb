"""
Forks that die: ``python dying_sender.py FOLDER PORT ROOT SCENARIO`` kills a sender at each of its calls to the disk.

Each fork accepts what nobody has told yet, delivers to a real collector, and is killed before, after or in the middle
of its n-th call. Prints one JSON object: how many died, what was accepted, and what was wrong with what they left.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from dying_at_calls import arm_calls

from pinscher.policy import Policy
from pinscher.reports import Channel, FolderVault, Kind, Sender, Spool
from pinscher.tls import PinnedContext

CALLS = ("open", "write", "fsync", "replace", "unlink", "close")
MOST = {"deliver": 1000, "full": 2}
ACCEPTED = {"deliver": 2, "full": 2}


def child(folder: str, point: int, scenario: str, channel: Channel, told: int) -> bool:
    """Accept, deliver, accept again in a fork that dies at a point; tell whether it did."""
    for thread in threading.enumerate():
        # A delivery of ours may still be ending, and a fork would take its half-way state along.
        if thread is not threading.current_thread():
            thread.join(10)
    process = os.fork()
    if process == 0:
        write = os.write
        try:
            vault = FolderVault(folder)
            arm_calls(point, CALLS)
            spool = Spool(vault, most_items=MOST[scenario])
            for number in range(ACCEPTED[scenario]):
                content = f"{scenario} {point} {number}".encode()
                spool.accept("main", Kind.REPORT, content)
                write(told, content + b"\n")
                if scenario == "deliver":
                    Sender(spool, lambda _: channel).step()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(process, 0)[1])


def main(folder: str, port: str, root: str, scenario: str) -> None:
    """Kill at every call until a fork lives; judge what each left."""
    policy = Policy.loads(
        f'format = 1\nname = "x"\nversion = 1\n[hosts."a.test"]\nunpinned = "x"\n'
        f'[reporting.main]\nurl = "https://localhost:{port}/v1"\nallow-private = true\n'
    )
    own = Policy.loads('format = 1\nname = "c"\nversion = 1\n[hosts."localhost"]\nunpinned = "of this test"\n')
    channel = Channel.of(policy, "main", PinnedContext(own, trust=root))
    reading, told = os.pipe()
    os.set_blocking(reading, False)
    deaths, accepted, wrong, point, known = 0, [], [], 1, 0
    parent = os.getppid()
    # Whoever started this may be gone, and nobody would read what it tells.
    while os.getppid() == parent:
        has_died = child(folder, point, scenario, channel, told)
        fresh = []
        with contextlib.suppress(BlockingIOError):
            fresh = os.read(reading, 65_536).decode().split("\n")[:-1]
        accepted += fresh
        vault = FolderVault(folder)
        spool = Spool(vault, most_items=MOST[scenario])
        contents = [(spool.content(item) or b"").decode() for item in spool.items()]
        if scenario == "full":
            # All of them were accepted, but for the last one where its acceptance was not told any more.
            total = len(contents) + spool.dropped
            if total - known - len(fresh) not in (0, 1):
                wrong.append(f"{point}: {total} in the spool or dropped, after {known} and {len(fresh)} accepted")
            known = total
            if fresh and not set(fresh[-2:]) <= set(contents):
                wrong.append(f"{point}: the newest are {fresh[-2:]}, found {contents}")
        else:
            Sender(spool, lambda _: channel).step()
        leftovers = [name for name in os.listdir(folder) if name.startswith(".new-")]
        if leftovers:
            wrong.append(f"{point}: leftovers {leftovers}")
        vault.close()
        if not has_died:
            break
        deaths, point = deaths + 1, point + 1
    vault = FolderVault(folder)
    spool = Spool(vault)
    if scenario == "deliver":
        Sender(spool, lambda _: channel).step()
    sys.stdout.write(json.dumps({"deaths": deaths, "accepted": accepted, "wrong": wrong, "left": len(spool.items())}))


if __name__ == "__main__":
    main(*sys.argv[1:])
