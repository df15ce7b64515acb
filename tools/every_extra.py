"""
Install each extra from a wheel into an empty environment, on every supported Python that is found, and use it.

``python tools/every_extra.py``; the variables ``PYTHONS`` and ``EXTRAS`` narrow it. The packages come from wherever pip
finds them, as new as the bounds allow: this is what a stranger's ``pip install`` does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

from every_python import HERE, REQUIRED, find

PROJECT = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = ("", *PROJECT["optional-dependencies"])
POLICY = 'format = 1\nname = "x"\nversion = 1\n[hosts."a.example"]\npins = ["sha256/glTDKakoUPbVOd03b0gW7idkUX2l4CNVFK9DMWRIDXo="]\n'
IMPORTS = {
    "": "import pinscher; pinscher.PinnedContext(pinscher.Policy.load('pins.toml')); pinscher.evaluate; pinscher.guard",
    "cli": "import pinscher.formats, pinscher.rotation, pinscher.probe, pinscher.discover, pinscher.lab",
    "lab": "import pinscher.lab.stage, pinscher.lab.scenarios, pinscher.lab.fixtures, pinscher.lab.peers",
    "updates": "import pinscher.updates as u, pinscher.store as s, pinscher; u.Updater; s.SealedStore; pinscher.Keeper",
    "tpm": "import pinscher.store, tpm2_pytss",
    "hsm": "import pinscher.updates.repository; from securesystemslib.signer import HSMSigner; HSMSigner",
    "monitor": "import pinscher.monitor",
    "monitor-cluster": "import pinscher.monitor",
}
VERBS = {
    "cli": ["lint --fail-on error pins.toml", "diff pins.toml pins.toml", "export csv --policy pins.toml"],
    "lab": ["lab list"],
    "monitor": ["serve --help"],
    "all": ["doctor --help", "lab list", "serve --help", "lint --fail-on error pins.toml", "repo key signer.key"],
}
"""What is run of each extra; it must end well."""


def main() -> int:
    """Build the wheel, install and use it everywhere, and tell what failed."""
    failed, missing = [], []
    with tempfile.TemporaryDirectory() as folder:
        wheel = built(Path(folder))
        for version in os.environ.get("PYTHONS", " ".join(REQUIRED)).split():
            python = find(version)
            if python is None:
                missing.append(version)
                continue
            for extra in os.environ["EXTRAS"].split() if "EXTRAS" in os.environ else EXTRAS:
                started = time.monotonic()
                wrong = tried(python, wheel, extra, Path(folder) / "tried")
                seconds = f"{time.monotonic() - started:.0f} s"
                print(f"Python {version}, pinscher[{extra}]: {wrong or 'well'} ({seconds})", flush=True)
                failed += [f"{version} [{extra}]"] if wrong else []
    print(f"not found here: {', '.join(missing) or 'none'}; failed: {', '.join(failed) or 'none'}")
    return 1 if failed or (missing and os.environ.get("CI")) else 0


def programs(extra: str) -> list[list[str]]:
    """Return how an extra is used; one that nothing is said of is used like the package without one."""
    imported = IMPORTS.get(extra, "" if extra in VERBS else IMPORTS[""])
    started = [["-m", "pinscher.cli", *line.split()] for line in VERBS.get(extra, ())]
    return [["-W", "error", "-c", imported], *started] if imported else started


def built(folder: Path) -> Path:
    """Build the wheel of this tree."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, HERE]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return next(folder.glob("*.whl"))


def tried(python: str, wheel: Path, extra: str, home: Path) -> str:
    """Return what is wrong with an extra in an environment of its own, or nothing."""
    shutil.rmtree(home, ignore_errors=True)
    subprocess.run([python, "-m", "venv", home], check=True)
    inside = home / "bin" / "python"
    (home / "pins.toml").write_text(POLICY)
    wanted = f"{wheel}[{extra}]" if extra else str(wheel)
    steps = [["-m", "pip", "--disable-pip-version-check", "install", "--quiet", wanted], ["-m", "pip", "check"]]
    steps += programs(extra)
    for step in steps:
        ran = subprocess.run([inside, *step], cwd=home, capture_output=True, text=True, check=False, timeout=600)
        if ran.returncode:
            last = (ran.stderr or ran.stdout).strip().rpartition("\n")[2]
            return f"{' '.join(step[:4])}: exit {ran.returncode}, {last}"
    return ""


if __name__ == "__main__":
    sys.exit(main())
