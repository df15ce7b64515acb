"""
A desktop client whose pins follow a signed repository, kept in a store that only this user's keyring opens.

``python desktop.py ACCOUNT`` prints a balance; exit 1 when whoever answers is not the bank.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from pathlib import Path

import pinscher
from pinscher.store import KeptKey, KeyRing, SealedStore
from pinscher.updates import SealedBundleStore

HERE = Path(__file__).parent
DATA = Path(os.environ.get("APP_DATA", HERE / "data"))


def balance(account: str, opener: urllib.request.OpenerDirector) -> str:
    """Ask the bank."""
    request = urllib.request.Request(f"{os.environ['BANK_URL']}/accounts/{account}")
    request.add_header("Authorization", f"Bearer {os.environ['BANK_TOKEN']}")
    with opener.open(request, timeout=5) as reply:
        return str(json.load(reply)["balance"])


def main(account: str) -> int:
    """Open what the last start accepted, follow what has been signed since, and ask."""
    DATA.mkdir(mode=0o700, parents=True, exist_ok=True)
    with SealedStore.open(DATA / "pins", KeptKey(KeyRing("bank-desktop"))) as sealed:
        keeper = pinscher.Keeper(
            os.environ["REPOSITORY"],
            root=Path(os.environ.get("ROOT", HERE / "root.json")).read_bytes(),
            store=SealedBundleStore(sealed),
        )
        with keeper:
            opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=keeper.context))
            try:
                told = balance(account, opener)
            except OSError as error:
                verdict = pinscher.verdict_of(error)
                print("refused:", error if verdict is None else verdict.outcome.name, file=sys.stderr)
                return 1
            print(f"{account} {told} (pins of version {keeper.policy.version})")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
