"""Measure Pinscher against plain ``ssl`` in one run, and exit 1 where a limit of the house is not kept."""

from __future__ import annotations

import platform
import ssl
import sys

import connections
import costs
import lab
import probe
import store
import survival
import updates


def main() -> int:
    """Print every figure with its spread and its limit."""
    print(f"Python {platform.python_version()}, {ssl.OPENSSL_VERSION}, {platform.machine()}")
    is_good = all([costs.run(), connections.run(), lab.run(), probe.run(), store.run(), survival.run(), updates.run()])
    print(f"\n{'every limit is kept' if is_good else 'a limit is not kept'}")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
