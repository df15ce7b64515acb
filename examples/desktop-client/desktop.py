"""
A desktop client whose pins follow a signed repository, kept in a store that only this user's keyring opens.

``python desktop.py ACCOUNT`` prints a balance; exit 1 when whoever answers is not the bank, and 2 when there is no
answer for another reason.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import quote

import pinscher
from pinscher.store import KeptKey, KeyRing, SealedStore
from pinscher.updates import SealedBundleStore

HERE = Path(__file__).parent
DATA = Path(os.environ.get("APP_DATA", HERE / "data"))


def balance(account: str, opener: urllib.request.OpenerDirector) -> str:
    """Ask the bank."""
    request = urllib.request.Request(f"{os.environ['BANK_URL']}/accounts/{quote(account, safe='')}")
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
            except (OSError, http.client.HTTPException) as error:
                return _told(error)
            except (ValueError, TypeError, KeyError, RecursionError):
                print("the bank answered without a balance", file=sys.stderr)
                return 2
            print(f"{account} {told} (pins of version {keeper.policy.version})")
    return 0


def _told(error: OSError | http.client.HTTPException) -> int:
    """Say why there is no balance, and return the exit code."""
    verdict = pinscher.verdict_of(error)
    if verdict is not None:
        print("refused:", verdict.outcome.name, file=sys.stderr)
        return 1
    is_answer = isinstance(error, urllib.error.HTTPError)
    print(f"the bank answered {error.code}" if is_answer else f"the bank cannot be reached: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except pinscher.PinningError as error:
        # No keyring, a store that somebody touched, or a first start without the repository.
        print(f"cannot start: {error}", file=sys.stderr)
        sys.exit(2)
