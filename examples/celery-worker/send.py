"""``python send.py ACCOUNT AMOUNT``: have a worker pay, and print what came of it."""

from __future__ import annotations

import sys

from payments import pay

if __name__ == "__main__":
    account, amount = sys.argv[1:]
    result = pay.delay(account, amount)
    result.get(timeout=60, interval=0.05, propagate=False)
    print(result.state, result.result)
    sys.exit(0 if result.successful() else 1)
