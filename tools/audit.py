"""
Ask the vulnerability databases about every version in ``requirements/all.txt``: ``python tools/audit.py``.

Exit 0: they were asked, and nothing is known. 1: something is known. 2: nobody was asked, and so nothing is said of any
version; a machine without a way to the databases ends like this, never with 0.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent.parent
REQUIREMENTS = HERE / "requirements" / "all.txt"
SERVICES = ("pypi", "osv")
"""Whom pip-audit can ask; the second when the first does not answer."""


def asked(service: str) -> dict[str, Any] | str:
    """Return what a service knows of every version, or why it could not be asked."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(REQUIREMENTS), "--require-hashes"]
    command += ["--disable-pip", "--format", "json", "--progress-spinner", "off", "--timeout", "15"]
    command += ["--vulnerability-service", service]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        answer: dict[str, Any] = json.loads(ran.stdout)
    except json.JSONDecodeError:
        return f"{service} was not asked: {ran.stderr.strip().rpartition(chr(10))[2] or 'no answer'}"
    return answer


def known(answer: dict[str, Any]) -> list[str]:
    """Return a line for each vulnerability that is known of a version."""
    return [
        f"{package['name']} {package['version']}: {flaw['id']}, fixed in {', '.join(flaw['fix_versions']) or 'none'}"
        for package in answer["dependencies"]
        for flaw in package.get("vulns", ())
    ]


def left_out(answer: dict[str, Any]) -> list[str]:
    """Return a line for each package that the service said nothing of."""
    return [f"{one['name']}: {one['skip_reason']}" for one in answer["dependencies"] if "skip_reason" in one]


def main() -> int:
    """Ask one service after the other until one answers, and say what it said."""
    for service in SERVICES:
        answer = asked(service)
        if isinstance(answer, str):
            print(answer, file=sys.stderr)
            continue
        code, told = judged(answer)
        print(f"{service}: {told}")
        if code != 2:
            return code
    print("nobody could be asked about every version, so nothing is said of them", file=sys.stderr)
    return 2


def judged(answer: dict[str, Any]) -> tuple[int, str]:
    """Return the exit code of what a service answered, and what to say of it."""
    flaws, unasked, count = known(answer), left_out(answer), len(answer["dependencies"])
    if flaws:
        return 1, "\n".join([f"{len(flaws)} known in {count} versions", *flaws])
    if unasked or not count:
        return 2, f"nothing known, but it was not asked about {len(unasked)} of {count} versions"
    return 0, f"nothing known of {count} versions"


if __name__ == "__main__":
    sys.exit(main())
