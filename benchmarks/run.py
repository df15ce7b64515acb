"""
Measure Pinscher against plain ``ssl`` in one run, and exit 1 where a limit of the house is not kept.

``python benchmarks/run.py [--short] [ROOM...]``; without a name every room is measured. The raw data, each figure of
each round and what each room printed, go into ``docs/benchmarks/raw.jsonl`` when every room was measured, and otherwise
into ``build/benchmarks.jsonl``; ``tools/benchmark_page.py`` makes the page and its plots from them. ``--short`` has a
tenth of the rounds: good for trying, and too noisy to judge by.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import platform
import ssl
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import measuring

HERE = Path(__file__).resolve().parent.parent
ROOMS = ("costs", "connections", "peers", "growth", "lab", "monitor", "probe", "store", "survival", "updates")
PACKAGES = ("cryptography", "urllib3", "aiohttp")


class Both(io.TextIOBase):
    """Standard output and a copy of it."""

    def __init__(self) -> None:
        self.copy = io.StringIO()
        self._out = sys.stdout

    def write(self, text: str) -> int:
        """Write to both."""
        self._out.flush() if "\n" in text else None
        self.copy.write(text)
        return self._out.write(text)

    def flush(self) -> None:
        """Flush what a person reads."""
        self._out.flush()


def machine() -> dict[str, object]:
    """Say what was measured on, and with what."""
    model = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    versions = {"pinscher": _measured(), **{name: metadata.version(name) for name in PACKAGES}}
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {(model or ['an unknown processor'])[0]}",
        "system": platform.system(),
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
        "versions": versions,
        "load": round(os.getloadavg()[0], 1),
        "short": measuring.DIVISOR > 1,
    }


def _measured() -> str:
    """Return the commit that is measured; what is installed may be of an older one, and read the same files."""
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        command = ["git", "-C", str(HERE), "describe", "--always", "--dirty", "--exclude=*"]
        return "at " + subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return metadata.version("pinscher")


def _lines(path: str) -> list[str]:
    with contextlib.suppress(OSError):
        return Path(path).read_text(encoding="utf-8").splitlines()
    return []


def main(arguments: list[str]) -> int:
    """Print every figure with its spread and its limit, and keep the raw data."""
    measuring.DIVISOR = 10 if "--short" in arguments else 1
    chosen = [name for name in arguments if not name.startswith("-")] or list(ROOMS)
    head, told, is_good = machine() | {"rooms": chosen}, [], True
    print(f"Python {head['python']}, {head['openssl']}, {head['machine']}")
    for name in chosen:
        measuring.RECORDED.clear()
        with contextlib.redirect_stdout(Both()) as both:
            kept = bool(importlib.import_module(name).run())
        is_good &= kept
        room = {"room": name, "kept": kept, "said": both.copy.getvalue().strip().splitlines()}
        told += [room, *({"room": name, **figure} for figure in measuring.RECORDED)]
    path = HERE / ("docs/benchmarks/raw.jsonl" if chosen == list(ROOMS) else "build/benchmarks.jsonl")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in (head, *told)), encoding="utf-8")
    print(f"\n{'every limit is kept' if is_good else 'a limit is not kept'}; the raw data: {path.relative_to(HERE)}")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
