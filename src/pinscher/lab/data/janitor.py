"""
What outlives a crash of the lab for a moment: when the pipe on standard input ends, programs are killed, files removed.

Imports nothing of Pinscher. ``+ 123`` begins a process group, ``- 123`` ends it, and the one argument is the folder.
"""

import contextlib
import os
import shutil
import signal
import sys

if __name__ == "__main__":
    running: set[int] = set()
    for line in sys.stdin:
        sign, number = line.split()
        (running.add if sign == "+" else running.discard)(int(number))
    for group in running:
        with contextlib.suppress(OSError):
            os.killpg(group, signal.SIGKILL)
    shutil.rmtree(sys.argv[1], ignore_errors=True)
