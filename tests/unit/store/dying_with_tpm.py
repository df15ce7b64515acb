"""
Forks that die while they save to a TPM: ``python dying_with_tpm.py FOLDER INTERFACE`` prints one JSON object.

A point is the n-th call that changes the disk or the TPM, before it, after it or with half of its octets written.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from dying_at_calls import arm_calls, die

from pinscher.store import StoreError, Tpm
from pinscher.store.tpm_device import TpmDevice

CALLS = ("open", "write", "fsync", "replace", "unlink", "mkdir", "close")


def arm_device(point: int) -> None:
    """Kill this process before or after a counted call to the TPM."""
    seen = 0
    for name in ("seal", "opened", "count", "has", "step", "define", "undefine"):
        call = getattr(TpmDevice, name)

        def counted(*given: object, call: object = call) -> object:
            nonlocal seen
            seen += 2
            if seen - 1 == point:
                die()
            answer = call(*given)  # type: ignore[operator]
            if seen == point:
                die()
            return answer

        setattr(TpmDevice, name, counted)


def child(vault: Tpm, text: str, kind: str, point: int) -> bool:
    """Save in a fork that dies at a point; tell whether it did."""
    process = os.fork()
    if process == 0:
        try:
            arm_calls(point, CALLS) if kind == "calls" else arm_device(point)
            vault.save(text)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(process, 0)[1])


def judge(vault: Tpm, allowed: set[str | None]) -> str:
    """Return what is wrong with what a killed writer left, or nothing; the next writer goes on from there."""
    try:
        held = Tpm(vault.path, vault.interface).load()
        Tpm(vault.path, vault.interface).save("after")
        after = Tpm(vault.path, vault.interface).load()
    except StoreError as error:
        return f"{type(error).__name__}: {error}"
    return "" if held in allowed and after == "after" else f"{held!r} and {after!r}"


def main(folder: str, interface: str) -> None:
    """Kill at every point of a first save, and of a later one."""
    import filelock  # noqa: F401  (loaded once, and not in every fork)
    import tpm2_pytss  # noqa: F401  (as the one above)

    # A killed program loses nothing that it wrote, so what takes longest is counted and not done.
    os.fsync = lambda _: None
    deaths, wrong = 0, []
    for scenario in ("first", "later"):
        for kind in ("calls", "device"):
            point = 1
            while True:
                vault = Tpm(os.path.join(folder, f"{scenario}-{kind}-{point}", "key"), interface)
                if scenario == "later":
                    vault.save("old")
                has_died = child(vault, "new", kind, point)
                reason = judge(vault, {"old" if scenario == "later" else None, "new"})
                if reason:
                    wrong.append(f"{scenario} {kind} {point}: {reason}")
                with TpmDevice.open(interface, "here") as device:
                    device.undefine(vault.index)
                if not has_died:
                    break
                deaths += 1
                point += 1
    sys.stdout.write(json.dumps({"deaths": deaths, "wrong": wrong}))


if __name__ == "__main__":
    main(*sys.argv[1:])
