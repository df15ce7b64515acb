"""Derivations by Argon2id in one process."""

from __future__ import annotations

import threading

from pinscher.store import Passphrase
from pinscher.store.argon import one_derivation
from tests.programs import said

AT_ONCE = """
import threading
from pinscher.store import Passphrase

def derive():
    Passphrase(lambda: "correct horse battery").begin(anew=False)
    done.append(1)

done = []
threads = [threading.Thread(target=derive) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(len(done))
"""


def test_keys_that_are_derived_at_once_are_all_derived() -> None:
    """Six passphrases at the setting that RFC 9106 recommends, in six threads: each has its key, and none waits forever."""
    assert "6" == said(AT_ONCE)


def test_a_passphrase_waits_for_the_derivation_of_another_thread() -> None:
    """While one thread derives, another one does not begin."""
    deriving = threading.Thread(target=Passphrase(lambda: "x", memory=8 * 1024, passes=1).begin, kwargs={"anew": False})
    with one_derivation():
        deriving.start()
        deriving.join(0.2)
        assert deriving.is_alive()
    deriving.join(60)
    assert not deriving.is_alive()
